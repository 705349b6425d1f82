"""Finds the passage of the sources that answers a question, and says how sure it is.

Two full-text tables in memory: `passages` ranks whole passages by bm25; `units` (a title, a heading, a sentence each)
says which words of the question stand where. A passage covers a question by the share of its words that stand in it,
the rare ones counting more (idf); words that stand nowhere count most. Covering is not enough: at least one word must
name the topic, that is stand in the passage's heading or the title above it.

Rule: customers' words reach FTS only as quoted terms, so its query language is out of their reach.
Rule: every cache is bounded, and so are the words of a question that are looked at.
"""

import math
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from functools import lru_cache
from threading import Lock

from msgspec import Struct

from gateway.engines.base import EngineMisconfigured
from gateway.engines.markdown import Document, Keyword, Passage, Sentence
from gateway.engines.words import STOP_WORDS, WEAK_WORDS, asks_amount, holds_amount, words_of

MAX_TERMS = 40
"""Different words in one question; with more, no passage of ordinary length can cover it anyway."""
MAX_TERM_CHARS = 40
QUERY_TERMS = 12
"""The rarest words of a question choose the candidates; all of them count in the score."""
CANDIDATES = 8
CACHED_WORDS = 4_096
MIN_MENDED_CHARS = 6
"""Shorter words have too many neighbours: boats, boots."""
MENDED_TRUST = 0.85
WEAK_SHARE = 0.15
AIM_SHARE = 0.5
"""What a heading that was asked for as a whole adds to a passage's score, against a full coverage of 1."""
ALIKE_SHARE = 0.2
"""What the same wording adds, small words included: `cannot` in a heading parts it from a question without."""
OFF_TOPIC = 0.5
NO_AMOUNT = 0.7

_TOKENIZER = "porter unicode61 remove_diacritics 2"
_SCHEMA = f"""
    CREATE VIRTUAL TABLE units USING fts5(words, synonyms, tokenize = '{_TOKENIZER}');
    CREATE VIRTUAL TABLE passages USING fts5(title, heading, body, tokenize = '{_TOKENIZER}');
"""
_UNITS = "SELECT rowid FROM units WHERE units MATCH ?"
_RANKED = "SELECT rowid FROM passages WHERE passages MATCH ? ORDER BY bm25(passages, 1.0, 3.0, 1.5) LIMIT ?"

_TITLE, _HEADING, _SENTENCE = range(3)


class Found(Struct, frozen=True):
    passage: Passage
    sentences: tuple[Sentence, ...]
    confidence: float


class _Hits(Struct, frozen=True):
    """Where one word stands: numbers of documents, passages, passages, and (passage, sentence)."""

    term: str
    """The word as it was looked up: mended, where that helped."""
    trust: float
    titles: frozenset[int]
    headings: frozenset[int]
    bodies: frozenset[int]
    sentences: frozenset[tuple[int, int]]
    weight: float

    @property
    def stands(self) -> bool:
        return bool(self.titles or self.headings or self.bodies)


class _Unit(Struct, frozen=True):
    kind: int
    document: int
    passage: int
    sentence: int
    text: str


class Index:
    """Built once from the documents, then only read; threads take turns."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._documents = tuple(documents)
        self._passages = tuple((number, passage) for number, document in enumerate(self._documents)
                               for passage in document.passages)  # fmt: skip
        self._units = tuple(self._list_units())
        self._db = _open()
        # An engine has no end of its own; its index goes with it.
        weakref.finalize(self, self._db.close)
        self._turn = Lock()
        self._fill()
        self._hits = lru_cache(maxsize=CACHED_WORDS)(self._look_up)
        self._spellings = _spellings({word for unit in self._units for word in words_of(unit.text)})
        self._headings = [frozenset(words_of(passage.source.heading)) for _, passage in self._passages]
        self._heading_weights = [self._weight_of(passage) for _, passage in self._passages]

    def __len__(self) -> int:
        return len(self._passages)

    def find(self, question: str, max_sentences: int) -> Found | None:
        """The best passage; None when no word of the question stands anywhere, or when there are too many."""
        with self._turn:
            return self._find(question, max_sentences)

    def _find(self, question: str, max_sentences: int) -> Found | None:
        words = words_of(question)
        terms = _telling(words)
        if not terms or len(terms) > MAX_TERMS:
            return None
        hits, spoken = [self._hits(term) for term in terms], frozenset(words)
        best = max(self._candidates(hits), key=lambda number: self._score(number, hits, spoken), default=None)
        if best is None:
            return None
        sentences = self._window(best, hits, max_sentences)
        confidence = self._coverage(best, hits) * self._doubt(best, hits, words, sentences)
        return Found(self._passages[best][1], sentences, round(confidence, 3))

    # --- scores ---------------------------------------------------------------------------------------------------

    def _score(self, number: int, hits: list[_Hits], spoken: frozenset[str]) -> float:
        heading = self._headings[number]
        alike = len(spoken & heading) / len(spoken | heading)
        return self._coverage(number, hits) + AIM_SHARE * self._aim(number, hits) + ALIKE_SHARE * alike

    def _doubt(self, number: int, hits: list[_Hits], words: list[str], sentences: tuple[Sentence, ...]) -> float:
        """What is left of the confidence when the topic is not named, or an amount is asked for and none is there."""
        document = self._passages[number][0]
        topical = any(number in hit.headings or document in hit.titles for hit in hits)
        lacking = asks_amount(words) and not any(holds_amount(sentence.text) for sentence in sentences)
        return (1.0 if topical else OFF_TOPIC) * (NO_AMOUNT if lacking else 1.0)

    def _coverage(self, number: int, hits: list[_Hits]) -> float:
        document = self._passages[number][0]
        covered = sum(hit.weight * hit.trust for hit in hits
                      if number in hit.headings or number in hit.bodies or document in hit.titles)  # fmt: skip
        return covered / sum(hit.weight for hit in hits)

    def _aim(self, number: int, hits: list[_Hits]) -> float:
        """How much of the passage's own heading was asked for."""
        whole = self._heading_weights[number]
        return min(1.0, sum(hit.weight for hit in hits if number in hit.headings) / whole) if whole else 0.0

    def _window(self, number: int, hits: list[_Hits], size: int) -> tuple[Sentence, ...]:
        """The neighbouring sentences that say most of what was asked; items that say none of it are left out."""
        sentences = self._passages[number][1].sentences
        worth = [sum(hit.weight for hit in hits if (number, place) in hit.sentences) for place in range(len(sentences))]
        starts = range(max(1, len(sentences) - size + 1))
        start = max(starts, key=lambda place: sum(worth[place : place + size]))
        window = range(start, min(start + size, len(sentences)))
        wanted = [place for place in window if worth[place] or not sentences[place].item]
        return tuple(sentences[place] for place in (wanted if any(worth) else window))

    # --- full text ------------------------------------------------------------------------------------------------

    def _candidates(self, hits: list[_Hits]) -> list[int]:
        rarest = sorted((hit for hit in hits if hit.stands), key=lambda hit: -hit.weight)[:QUERY_TERMS]
        if not rarest:
            return []
        query = " OR ".join(_quoted(hit.term) for hit in rarest)
        return [row - 1 for (row,) in self._db.execute(_RANKED, (query, CANDIDATES))]

    def _look_up(self, term: str) -> _Hits:
        units, trust = self._standing(term), 1.0
        if not units and (mended := self._mended(term)):
            term, units, trust = mended, self._standing(mended), MENDED_TRUST
        titles = frozenset(unit.document for unit in units if unit.kind == _TITLE)
        headings = frozenset(unit.passage for unit in units if unit.kind == _HEADING)
        sentences = frozenset((unit.passage, unit.sentence) for unit in units if unit.kind == _SENTENCE)
        bodies = frozenset(passage for passage, _ in sentences)
        inside = {number for number, (document, _) in enumerate(self._passages) if document in titles}
        weight = self._idf(len(headings | bodies | inside)) * (WEAK_SHARE if term in WEAK_WORDS else 1.0)
        return _Hits(term, trust, titles, headings, bodies, sentences, weight)

    def _standing(self, term: str) -> list[_Unit]:
        if len(term) > MAX_TERM_CHARS:
            return []
        return [self._units[row - 1] for (row,) in self._db.execute(_UNITS, (_quoted(term),))]

    def _idf(self, passages: int) -> float:
        return math.log(1 + (len(self._passages) - passages + 0.5) / (passages + 0.5))

    def _mended(self, term: str) -> str | None:
        """A word of the sources that is a slip of the finger away: a letter too many, too few, wrong or swapped."""
        if not MIN_MENDED_CHARS <= len(term) <= MAX_TERM_CHARS:
            return None
        return next((self._spellings[form] for form in _forms(term) if form in self._spellings), None)

    def _weight_of(self, passage: Passage) -> float:
        return sum(self._hits(term).weight for term in _telling(words_of(passage.source.heading)))

    # --- building -------------------------------------------------------------------------------------------------

    def _list_units(self) -> Iterator[_Unit]:
        for document, written in enumerate(self._documents):
            yield _Unit(_TITLE, document, -1, -1, written.title)
        for number, (document, passage) in enumerate(self._passages):
            heading = " ".join((*passage.above, passage.source.heading))
            yield _Unit(_HEADING, document, number, -1, heading)
            for place, sentence in enumerate(passage.sentences):
                yield _Unit(_SENTENCE, document, number, place, sentence.text)

    def _fill(self) -> None:
        rows = enumerate(self._units, 1)
        self._db.executemany("INSERT INTO units(rowid, words) VALUES (?, ?)", ((row, unit.text) for row, unit in rows))
        said: dict[int, list[str]] = {}
        for number, document in enumerate(self._documents):
            for keyword in document.keywords:
                for row in self._meant(number, keyword):
                    said.setdefault(row, []).append(keyword.said)
        self._db.executemany("UPDATE units SET synonyms = ? WHERE rowid = ?",
                             ((" ; ".join(words), row) for row, words in said.items()))  # fmt: skip
        self._fill_passages(said)

    def _meant(self, number: int, keyword: Keyword) -> Iterator[int]:
        """The units of a document for which a keyword holds: all that say one of its meanings, else the title."""
        if not keyword.means:
            yield number + 1
            return
        query = "{words} : (" + " OR ".join(map(_quoted, keyword.means)) + ")"
        for (row,) in self._db.execute(_UNITS, (query,)):
            if self._units[row - 1].document == number:
                yield row

    def _fill_passages(self, said: dict[int, list[str]]) -> None:
        texts = [" ".join((unit.text, *said.get(row, ()))) for row, unit in enumerate(self._units, 1)]
        headings, bodies = ([""] * len(self) for _ in range(2))
        for unit, text in zip(self._units, texts, strict=True):
            if unit.kind == _HEADING:
                headings[unit.passage] = text
            elif unit.kind == _SENTENCE:
                bodies[unit.passage] += f"{text}\n"
        titles = [texts[document] for document, _ in self._passages]
        rows = zip(range(1, len(self) + 1), titles, headings, bodies, strict=True)
        self._db.executemany("INSERT INTO passages(rowid, title, heading, body) VALUES (?, ?, ?, ?)", rows)


def _telling(words: list[str]) -> list[str]:
    """The words that say something, each once."""
    return [word for word in dict.fromkeys(words) if word not in STOP_WORDS]


def _open() -> sqlite3.Connection:
    """A database in memory. Raises EngineMisconfigured where Python's SQLite was built without FTS5."""
    db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    try:
        db.executescript(_SCHEMA)
    except sqlite3.OperationalError as error:
        db.close()
        raise EngineMisconfigured(
            f"the builtin engine needs SQLite with FTS5; this Python's SQLite {sqlite3.sqlite_version} says: {error}"
        ) from error
    return db


def _quoted(words: str) -> str:
    return '"' + words.replace('"', '""') + '"'


def _spellings(words: set[str]) -> dict[str, str]:
    """Every long word under its own form and each form that lacks one letter."""
    return {form: word for word in sorted(words) if len(word) >= MIN_MENDED_CHARS for form in _forms(word)}


def _forms(word: str) -> Iterator[str]:
    """The word, then the word without one of its letters. The first letter stays: it is rarely wrong."""
    yield word
    for place in range(1, len(word)):
        yield word[:place] + word[place + 1 :]
