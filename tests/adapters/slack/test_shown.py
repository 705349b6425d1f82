"""What blocks say, as the text beside them would have."""

from typing import Any

import pytest
from msgspec import Raw

from adapters.slack.mrkdwn import decode
from adapters.slack.shown import shown
from tests.adapters.slack.support import encoded


def _shown(*blocks: Any) -> str:
    return shown([Raw(encoded(block)) for block in blocks])


def _rich(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "rich_text", "block_id": "x", "elements": [*elements]}


def _section(*inlines: Any, type: str = "rich_text_section") -> dict[str, Any]:
    return {"type": type, "elements": [*inlines]}


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "style": {"bold": True}}


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def _marked(text: str) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": text}


@pytest.mark.parametrize(
    ("inline", "markup"),
    [
        (_text("a < b & c"), "a &lt; b &amp; c"),
        ({"type": "user", "user_id": "U1"}, "<@U1>"),
        ({"type": "channel", "channel_id": "C1"}, "<#C1>"),
        ({"type": "usergroup", "usergroup_id": "S1"}, "<!subteam^S1>"),
        ({"type": "broadcast", "range": "here"}, "<!here>"),
        ({"type": "emoji", "name": "wave", "unicode": "1f44b"}, ":wave:"),
        ({"type": "link", "url": "https://x.example/?a=1&b=2"}, "<https://x.example/?a=1&amp;b=2>"),
        ({"type": "link", "url": "https://x.example", "text": "here > there"}, "<https://x.example|here &gt; there>"),
        ({"type": "color", "value": "#fff"}, ""),
        ({"type": "user"}, ""),
        ({"type": "text", "text": None}, ""),
        ({"type": "text", "text": 7}, ""),
        (None, ""),
    ],
)
def test_what_stands_in_a_line(inline: Any, markup: str) -> None:
    assert _shown(_rich(_section(inline))) == markup


def test_lines() -> None:
    items = _section(_section(_text("one")), _section(_text("two")), type="rich_text_list")
    quote = _section(_text("said before"), type="rich_text_quote")
    assert _shown(_rich(_section(_text("a "), _text("b")), items, quote)) == "a b\n• one\n• two\nsaid before"


@pytest.mark.parametrize(
    ("block", "markup"),
    [
        ({"type": "header", "text": _plain("Q & A")}, "Q &amp; A"),
        ({"type": "section", "text": _marked("*done* &amp; <https://x.example|here>")},
         "*done* &amp; <https://x.example|here>"),
        ({"type": "section", "fields": [_marked("one"), _plain("<two>")]}, "one\n&lt;two&gt;"),
        ({"type": "context", "elements": [{"type": "image", "alt_text": "a face"}, _marked("by"), _plain("me")]},
         "by me"),
        ({"type": "image", "image_url": "https://x.example/1.png", "alt_text": "a < graph"}, "a &lt; graph"),
        ({"type": "image", "title": _plain("Sales"), "alt_text": "a graph"}, "Sales"),
        ({"type": "markdown", "text": "**bold** & more"}, "**bold** &amp; more"),
        ({"type": "divider"}, ""),
        ({"type": "actions", "elements": [{"type": "button", "text": _plain("Yes")}]}, ""),
        ({"type": "section", "text": "bare"}, "bare"),
        ({"type": "section", "text": [1]}, ""),
        ({"type": "rich_text", "elements": [None, 1, {}]}, "\n"),
        (7, ""),
    ],
)  # fmt: skip
def test_blocks(block: Any, markup: str) -> None:
    assert _shown(block) == markup.strip()


def test_it_reads_as_people_read_it() -> None:
    rich = _rich(_section(_text("see "), {"type": "link", "url": "https://x.example/?a&b", "text": "this"}))
    assert decode(_shown(rich, {"type": "header", "text": _plain("<b>")})) == "see this (https://x.example/?a&b)\n<b>"


def test_nothing() -> None:
    assert shown(None) == shown([]) == ""
