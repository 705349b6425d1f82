import sqlite3

import pytest

from gateway.engines import retrieval
from gateway.engines.base import EngineMisconfigured
from gateway.engines.markdown import parse_document
from gateway.engines.retrieval import CACHED_WORDS, MAX_TERMS, Found, Index

LIBRARY = """---
keywords: book = volume; loan = lend
---
# Lending

## How long can I keep a volume?

You keep it for 21 days.
Then you renew it.
Renewing is possible on our site.
Staff renew it by telephone.

## Which volumes are for the café?

- Maps cost 2 pounds a day.
- Novels cost nothing.
- Atlases stay here.

## Who may lend?

Every inhabitant may lend who shows a pass.
"""


@pytest.fixture(scope="module")
def index() -> Index:
    return Index([parse_document(LIBRARY, "lending.md"), parse_document("# Pool\n\nWarm water.", "pool.md")])


def found(index: Index, question: str) -> Found:
    result = index.find(question, 3)
    assert result is not None
    return result


def said(index: Index, question: str) -> list[str]:
    return [sentence.text for sentence in found(index, question).sentences]


def test_the_first_sentences_answer_a_heading(index: Index) -> None:
    assert said(index, "How long can I keep a volume?")[0] == "You keep it for 21 days."
    assert found(index, "How long can I keep a volume?").confidence == 1.0


def test_the_window_moves_to_the_sentences_that_say_it(index: Index) -> None:
    assert said(index, "keep a volume: does staff renew by telephone?")[-1] == "Staff renew it by telephone."


def test_items_that_were_not_asked_for_are_left_out(index: Index) -> None:
    assert said(index, "cost of novels in the café") == ["Maps cost 2 pounds a day.", "Novels cost nothing."]


def test_a_keyword_stands_for_the_words_it_means(index: Index) -> None:
    assert found(index, "How long can I keep a book?").confidence == 1.0


def test_accents_and_endings_do_not_matter(index: Index) -> None:
    assert found(index, "CAFE volumes").passage.source.heading == "Which volumes are for the café?"


@pytest.mark.parametrize("slip", ["inhabirant", "inhabtant", "inhabbitant", "inhabitnat"])
def test_a_slip_of_the_finger_is_mended_and_trusted_less(index: Index, slip: str) -> None:
    right, mended = found(index, "may an inhabitant lend"), found(index, f"may an {slip} lend")
    assert mended.passage == right.passage
    assert 0.7 < mended.confidence < right.confidence == 1.0


def test_short_words_are_not_mended(index: Index) -> None:
    assert index.find("warn", 3) is None


def test_unknown_words_cost_confidence(index: Index) -> None:
    assert found(index, "keep a volume in Honolulu").confidence < 0.7


def test_a_passage_that_only_mentions_the_word_is_not_sure(index: Index) -> None:
    assert found(index, "atlases").confidence == 0.5


def test_an_amount_needs_a_number(index: Index) -> None:
    assert found(index, "how often may I lend").confidence < found(index, "may I lend").confidence


@pytest.mark.parametrize("question", ["", "how do you do", "xylophone", "👍"])
def test_nothing_is_found_for_nothing(index: Index, question: str) -> None:
    assert index.find(question, 3) is None


def test_the_number_of_words_is_limited(index: Index) -> None:
    words = [f"w{number}" for number in range(MAX_TERMS - 1)]
    assert index.find(" ".join(["volume", *words]), 3) is not None
    assert index.find(" ".join(["volume", "one1", *words]), 3) is None


def test_the_cache_is_bounded(index: Index) -> None:
    for number in range(0, CACHED_WORDS + 500, 20):
        index.find(" ".join(f"q{number + step}" for step in range(20)), 3)
    assert index._hits.cache_info().currsize == CACHED_WORDS
    assert found(index, "keep a volume").confidence == 1.0


def test_without_fts5_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "_SCHEMA", "CREATE VIRTUAL TABLE units USING no_such_module(words)")
    with pytest.raises(EngineMisconfigured, match=f"needs SQLite with FTS5.*{sqlite3.sqlite_version}"):
        Index([parse_document(LIBRARY, "lending.md")])
