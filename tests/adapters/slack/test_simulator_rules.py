"""Slack's limits of texts and blocks, each at the limit and one past it."""

from typing import Any

import pytest

from adapters.slack.simulator_rules import UPDATE_TEXT_MAX, check_content
from adapters.slack.simulator_world import Refusal


def _refused(text_max: int | None = None, **payload: Any) -> str | None:
    try:
        check_content(payload, *([text_max] if text_max else []))
    except Refusal as refusal:
        return str(refusal)
    return None


def _plain(text: str) -> dict[str, str]:
    return {"type": "plain_text", "text": text}


def _button(**changes: Any) -> dict[str, Any]:
    return {"type": "button", "action_id": "a", "text": _plain("t"), "value": "v", **changes}


def _option(**changes: Any) -> dict[str, Any]:
    return {"text": _plain("t"), "value": "v", **changes}


def _menu(**changes: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "a", "placeholder": _plain("p"), "options": [_option()], **changes}


def _actions(*elements: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def test_texts() -> None:
    assert _refused() == "no_text"
    assert _refused(text="a" * 40_000) is None
    assert _refused(text="a" * 40_001) == "msg_too_long"
    assert _refused(UPDATE_TEXT_MAX, text="a" * 4001) == "msg_too_long"
    assert _refused(text=5) == "msg_too_long"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "section", "text": _plain("a" * 3000)},
        {"type": "header", "text": _plain("a" * 150)},
        {"type": "divider"},
        {"type": "context", "elements": [_plain("a" * 2000)] * 10},
        _actions(_button(text=_plain("a" * 75), value="v" * 2000, action_id="a" * 255)),
        _actions(_button(url="https://" + "a" * 2992)),
        _actions(*[_button(action_id=str(n)) for n in range(25)]),
        _actions(_menu(options=[_option(value="v" * 150, text=_plain("a" * 75), description=_plain("a" * 75))] * 100)),
        _actions(_menu(options=None, option_groups=[{"label": _plain("a" * 75), "options": [_option()]}] * 100)),
    ],
)
def test_blocks_at_their_limits(block: dict[str, Any]) -> None:
    assert _refused(text="x", blocks=[block] * 50) is None
    assert _refused(text="x", blocks=[block] * 51) == "invalid_blocks"


@pytest.mark.parametrize(
    "block",
    [
        5,
        {"type": "poem"},
        {"type": "section"},
        {"type": "section", "text": "a"},
        {"type": "section", "text": _plain("a" * 3001)},
        {"type": "section", "text": _plain("")},
        {"type": "header", "text": _plain("a" * 151)},
        {"type": "header", "text": {"type": "mrkdwn", "text": "a"}},
        {"type": "context", "elements": []},
        {"type": "context", "elements": [_plain("a")] * 11},
        {"type": "context", "elements": [_plain("a" * 2001)]},
        _actions(),
        _actions(5),
        _actions(_button(), _button()),
        _actions(_button(action_id="a" * 256)),
        _actions(_button(action_id=None)),
        _actions(_button(text=_plain("a" * 76))),
        _actions(_button(value="v" * 2001)),
        _actions(_button(value="")),
        _actions(_button(url="https://" + "a" * 2993)),
        _actions(_button(url="javascript:x")),
        _actions(*[_button(action_id=str(n)) for n in range(26)]),
        _actions({"type": "slider", "action_id": "a"}),
        _actions(_menu(options=[])),
        _actions(_menu(options=[_option()] * 101)),
        _actions(_menu(options=[_option(value="v" * 151)])),
        _actions(_menu(options=[_option(text=_plain("a" * 76))])),
        _actions(_menu(options=[_option(description=_plain("a" * 76))])),
        _actions(_menu(placeholder=None)),
        _actions(_menu(option_groups=[{"label": _plain("a" * 76), "options": [_option()]}])),
    ],
)
def test_blocks_beyond_them(block: Any) -> None:
    assert _refused(text="x", blocks=[block]) == "invalid_blocks"
