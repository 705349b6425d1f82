"""Questions within Slack's limits, each at the limit and one past it."""

from typing import Any

import pytest

from adapters.base import Refused
from adapters.slack.blocks import offered, texts
from adapters.slack.simulator_rules import check_content
from normalizer.envelope import Choice, ChoicesOffered, Link


def _choices(count: int, title: str = "title", id: str = "id", **more: Any) -> tuple[Choice, ...]:
    return tuple(Choice(f"{id}{number}", f"{title}{number}", **more) for number in range(count))


def _kind(*choices: Choice) -> str:
    """How they are shown, once the simulated API has taken all of it."""
    contents = offered(ChoicesOffered("Which?", choices))
    for content in contents:
        check_content(content)
    (actions,) = [b for c in contents for b in c.get("blocks", ()) if b["type"] == "actions"] or [{"elements": []}]
    return actions["elements"][0]["type"] if actions["elements"] else "text"


@pytest.mark.parametrize(
    ("choices", "kind"),
    [
        (_choices(5), "button"),
        (_choices(6), "static_select"),
        (_choices(100), "static_select"),
        (_choices(101), "text"),
        ((Choice("a", "t" * 75),), "button"),
        ((Choice("a", "t" * 76),), "static_select"),
        ((Choice("i" * 2000, "t"),), "button"),
        ((Choice("i" * 2001, "t"),), "text"),
        ((Choice("i" * 150, "t", "described"),), "static_select"),
        ((Choice("i" * 151, "t", "described"),), "text"),
        ((Choice("a", "t", section="s"), Choice("b", "u", section="s2")), "static_select"),
        ((Choice("a", "t", "d" * 200, "s" * 200),), "static_select"),
    ],
)
def test_where_choices_fit(choices: tuple[Choice, ...], kind: str) -> None:
    """Buttons, else a menu, else a numbered text; the simulated API takes each."""
    assert _kind(*choices) == kind


def test_every_choice_is_there() -> None:
    """In the menu by its whole id, and in the text by its whole title."""
    choices = (*_choices(30), Choice("long", "x" * 200))
    (content,) = offered(ChoicesOffered("Which?", choices))
    (menu,) = content["blocks"][1]["elements"]
    assert [option["value"] for option in menu["options"]] == [choice.id for choice in choices]
    assert "x" * 200 in content["blocks"][0]["text"]["text"]


@pytest.mark.parametrize(
    ("offer", "kinds"),
    [
        (ChoicesOffered("q", _choices(1), header="h" * 150), ["header", "section", "actions"]),
        (ChoicesOffered("q", _choices(1), header="h" * 151), ["section", "actions"]),
        (ChoicesOffered("q", _choices(1), footer="f" * 2000), ["section", "actions", "context"]),
        (ChoicesOffered("q", _choices(1), footer="f" * 2001), ["section", "actions"]),
        (ChoicesOffered("q", _choices(1), footer="&" * 401), ["section", "actions"]),
        (ChoicesOffered("q", link=Link("t", "https://x.example/" + "a" * 2982)), ["section", "actions"]),
    ],
)
def test_header_footer_and_link(offer: ChoicesOffered, kinds: list[str]) -> None:
    """What is too long for its own block moves into the text."""
    (content,) = offered(offer)
    check_content(content)
    assert [block["type"] for block in content["blocks"]] == kinds
    everything = "".join(str(block) for block in content["blocks"])
    for word in filter(None, (offer.header, offer.footer if offer.footer != "&" * 401 else None)):
        assert word in everything


def test_a_link_that_is_too_long_is_written_out() -> None:
    url = "https://x.example/" + "a" * 2983
    (content,) = offered(ChoicesOffered("q", link=Link("t", url)))
    assert "blocks" not in content
    assert url in content["text"]


@pytest.mark.parametrize("text", ["a " * 1500, "a " * 1501, "a " * 4000, "&" * 3000, "<" * 601])
def test_a_long_question_goes_ahead_of_its_answers(text: str) -> None:
    """Only the last message has the buttons, and every one is within the limits."""
    contents = offered(ChoicesOffered(text, _choices(2)))
    for content in contents:
        check_content(content)
    assert ["blocks" in content for content in contents] == [False] * (len(contents) - 1) + [True]


@pytest.mark.parametrize(
    "choices",
    [(Choice("", "t"),), (Choice("a", " "),), (Choice("a", "t"), Choice("a", "u"))],
)
def test_choices_that_nobody_can_make(choices: tuple[Choice, ...]) -> None:
    """Without an id, without a title, or twice the same."""
    with pytest.raises(Refused):
        offered(ChoicesOffered("q", choices))


def test_buttons_without_a_question() -> None:
    with pytest.raises(Refused):
        offered(ChoicesOffered(" ", _choices(2)))


def test_texts() -> None:
    assert texts("a & b") == [{"text": "a &amp; b"}]
    assert texts(" ") == []
