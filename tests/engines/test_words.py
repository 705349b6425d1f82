import pytest

from gateway.engines.words import asks_amount, holds_amount, wants_person, words_of
from tests.engines.questions import ANSWERED, PERSON, UNANSWERED


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't SHOUT!", ["dont", "shout"]),
        ("the dog’s lead", ["the", "dog", "lead"]),
        ("snake_case e-mail 14:30", ["snake", "case", "e", "mail", "14", "30"]),
        ("Größe ÉTÉ 退货", ["größe", "été", "退货"]),
        ("👍 ... \x00 \ud800", []),
        ("", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize("text", PERSON)
def test_a_call_for_a_person_is_heard(text: str) -> None:
    assert wants_person(words_of(text))


@pytest.mark.parametrize(
    "text",
    [
        *(case.question for case in ANSWERED),
        *(text for text in UNANSWERED if "taxi" not in text),
        "Is there a size for a tall person?",
        "Do people like the tent?",
        "Can I return it in person?",
    ],
)
def test_a_question_is_no_call_for_a_person(text: str) -> None:
    assert not wants_person(words_of(text))


def test_amounts() -> None:
    assert asks_amount(words_of("And how long does it take?"))
    assert not asks_amount(words_of("How do I pay?"))
    assert holds_amount("It takes 4 weeks.")
    assert holds_amount("Collecting is Free.")
    assert not holds_amount("Freedom lasts.")
