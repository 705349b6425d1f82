"""Which question fits into which shape; fixtures/outbound.json of the adapters has what is called for it."""

import pytest

from adapters._twilio_content import BODY_MAX, ID_MAX, ROW_TEXT_MAX, ROW_TITLE_MAX, ROWS_MAX, TITLE_MAX, create, offered
from adapters.base import Refused, Reply
from normalizer.envelope import Choice, ChoicesOffered, Link
from tests.adapters.test__twilio import API
from tests.kit import drive


def shape(*choices: Choice, text: str = "?", link: Link | None = None) -> str | None:
    content = offered(ChoicesOffered(text, choices, link), None)
    return next(iter(content.types)) if content else None


def many(count: int, title: str = "t{}", **more: str) -> list[Choice]:
    return [Choice(f"c{number}", title.format(number), **more) for number in range(count)]


QUICK, LIST, ACTION = "twilio/quick-reply", "twilio/list-picker", "twilio/call-to-action"


@pytest.mark.parametrize(
    ("choices", "want"),
    [
        (many(1), QUICK),
        (many(3), QUICK),
        (many(4), LIST),
        (many(ROWS_MAX), LIST),
        (many(ROWS_MAX + 1), None),
        ([Choice("a", "t" * TITLE_MAX)], QUICK),
        ([Choice("a", "t" * (TITLE_MAX + 1))], LIST),
        ([Choice("a", "t" * ROW_TITLE_MAX)], LIST),
        ([Choice("a", "t" * (ROW_TITLE_MAX + 1))], None),
        ([Choice("a", "t", "d" * ROW_TEXT_MAX)], LIST),
        ([Choice("a", "t", "d" * (ROW_TEXT_MAX + 1))], None),
        ([Choice("i" * ID_MAX, "t")], QUICK),
        ([Choice("i" * (ID_MAX + 1), "t")], None),
        ([Choice("a", "same"), Choice("b", "same")], None),
        ([], None),
    ],
)
def test_shapes(choices: list[Choice], want: str | None) -> None:
    """At each limit and one past it: buttons, a list, or a text."""
    assert shape(*choices) == want


def test_questions_and_links() -> None:
    """A question must fit, and answers and an address are not offered together."""
    assert shape(*many(1), text="q" * BODY_MAX) == QUICK
    assert shape(*many(1), text="q" * (BODY_MAX + 1)) is None
    assert shape(link=Link("t" * TITLE_MAX, "https://a")) == ACTION
    assert shape(link=Link("t" * (TITLE_MAX + 1), "https://a")) is None
    assert shape(*many(1), link=Link("t", "https://a")) is None
    assert shape(*many(1), text="") is None


def test_choices_that_nobody_can_tell_apart() -> None:
    """Two of one id, or one without a title, are refused rather than guessed."""
    for choices in ([Choice("a", "x"), Choice("a", "y")], [Choice("", "x")], [Choice("a", " ")]):
        with pytest.raises(Refused):
            shape(*choices)


def test_create() -> None:
    """Content has a name, a language and an id."""
    content = offered(ChoicesOffered("?", tuple(many(1))), "pt-BR")
    assert content is not None
    assert content.language == "pt_BR"
    driven = drive(create(API, "https://content.example/", content, "n"), [Reply(201, {}, b'{"sid":"HX1"}')])
    assert driven.value == "HX1"
    assert getattr(driven.calls[0], "url", "") == "https://content.example/v1/Content"
