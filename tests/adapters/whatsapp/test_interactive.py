"""Questions: no answer is ever dropped, and no limit ever broken."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Refused
from adapters.whatsapp.interactive import offered
from adapters.whatsapp.simulator_rules import check
from adapters.whatsapp.simulator_world import World
from normalizer.envelope import Choice, ChoicesOffered
from tests.kit.cases import NOW

WORLD = World(access_token="t", graph_url="https://example.org", numbers={}, ids=iter(()))
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=90).filter(str.strip)


def ids_in(content: dict[str, Any]) -> list[str]:
    action = content.get("interactive", {}).get("action", {})
    rows = [row for section in action.get("sections", ()) for row in section["rows"]]
    return [button["reply"]["id"] for button in action.get("buttons", ())] + [row["id"] for row in rows]


CHOICES = st.lists(
    st.builds(
        Choice,
        id=st.uuids().map(str),
        title=TEXT,
        description=st.none() | TEXT,
        section=st.none() | st.sampled_from(["A", "B" * 30]),
    ),
    max_size=14,
)


@given(CHOICES, TEXT, st.none() | TEXT, st.none() | TEXT, st.none() | TEXT, st.booleans())
def test_nothing_is_dropped_and_everything_fits(
    choices: list[Choice], text: str, header: str | None, footer: str | None, button: str | None, in_group: bool
) -> None:
    """The provider takes every message of it, and each answer is in one of them."""
    offer = ChoicesOffered(text, tuple(choices), header=header, footer=footer, button=button)
    contents = offered(offer, in_group=in_group)
    for content in contents:
        check(WORLD, content, NOW)
    tapped = ids_in(contents[-1])
    written = "\n".join(content["text"]["body"] for content in contents if "text" in content)
    if tapped:
        assert sorted(tapped) == sorted(choice.id for choice in choices)
    else:
        assert all(choice.title.strip() in written for choice in choices)
    assert not (in_group and tapped)


@pytest.mark.parametrize(
    ("label", "count", "title", "kind"),
    [
        ("three at the limit", 3, 20, "button"),
        ("three, one past the limit", 3, 21, "list"),
        ("four", 4, 20, "list"),
        ("ten at the limit", 10, 24, "list"),
        ("ten, cut", 10, 72, "list"),
        ("ten that do not even fit below", 10, 73, "text"),
        ("eleven", 11, 5, "text"),
    ],
)
def test_the_richest_form(label: str, count: int, title: int, kind: str) -> None:
    """Buttons, a list, a numbered text, at each limit and one past it."""
    choices = tuple(Choice(str(number), f"{number:x}".ljust(title, "t")) for number in range(count))
    content = offered(ChoicesOffered("?", choices), in_group=False)[-1]
    assert (content["interactive"]["type"] if "interactive" in content else "text") == kind, label


@pytest.mark.parametrize(
    "offer",
    [
        ChoicesOffered("?", (Choice("", "A"),)),
        ChoicesOffered("?", (Choice("a", ""),)),
        ChoicesOffered("?", (Choice("a", "A"), Choice("a", "B"))),
        ChoicesOffered(" ", (Choice("a", "A"),)),
    ],
)
def test_what_can_not_be_asked(offer: ChoicesOffered) -> None:
    """Refused with words, before any call."""
    with pytest.raises(Refused) as refused:
        offered(offer, in_group=False)
    assert refused.value.text


def test_the_same_title_twice_is_no_button() -> None:
    """Buttons need titles of their own; rows do not."""
    content = offered(ChoicesOffered("?", (Choice("a", "A"), Choice("b", "A"))), in_group=False)[-1]
    assert content["interactive"]["type"] == "list"
