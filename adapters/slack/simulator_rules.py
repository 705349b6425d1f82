"""What the simulated Web API refuses in a message: Slack's limits of texts and blocks."""

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.slack.simulator_world import Refusal

TEXT_MAX = 40_000
UPDATE_TEXT_MAX = 4000
BLOCKS_MAX = 50


def check_content(payload: Mapping[str, Any], text_max: int = TEXT_MAX) -> None:
    text, blocks = payload.get("text") or "", payload.get("blocks") or []
    if not text and not blocks:
        raise Refusal("no_text")
    if not isinstance(text, str) or len(text) > text_max:
        raise Refusal("msg_too_long")
    if not isinstance(blocks, list) or len(blocks) > BLOCKS_MAX:
        raise Refusal("invalid_blocks")
    for block in blocks:
        if not isinstance(block, dict) or not _is_block(block):
            raise Refusal("invalid_blocks")


def _is_block(block: Mapping[str, Any]) -> bool:
    match block.get("type"):
        case "section":
            return _is_text(block.get("text"), 3000)
        case "header":
            return _is_text(block.get("text"), 150, "plain_text")
        case "context":
            elements = block.get("elements")
            return _is_list(elements, 10) and all(_is_text(element, 2000) for element in elements or ())
        case "actions":
            elements = block.get("elements")
            return _is_list(elements, 25) and _are_elements(elements or ())
        case "divider":
            return True
        case _:
            return False


def _is_list(value: Any, most: int) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= most


def _is_text(value: Any, most: int, kind: str | None = None) -> bool:
    if not isinstance(value, dict) or value.get("type") not in ("plain_text", "mrkdwn"):
        return False
    text = value.get("text")
    return (kind is None or value["type"] == kind) and isinstance(text, str) and 1 <= len(text) <= most


def _are_elements(elements: Sequence[Any]) -> bool:
    ids = [element.get("action_id") for element in elements if isinstance(element, dict)]
    named = len(set(ids)) == len(elements) and all(isinstance(id, str) and 1 <= len(id) <= 255 for id in ids)
    return named and all(map(_is_element, elements))


def _is_element(element: Mapping[str, Any]) -> bool:
    match element.get("type"):
        case "button":
            value, url = element.get("value", "x"), element.get("url", "https://x")
            fits = 1 <= len(value) <= 2000 and len(url) <= 3000 and url.startswith(("https://", "http://"))
            return fits and _is_text(element.get("text"), 75, "plain_text")
        case "static_select":
            return _is_text(element.get("placeholder"), 150, "plain_text") and _has_options(element)
        case _:
            return False


def _has_options(menu: Mapping[str, Any]) -> bool:
    groups = menu.get("option_groups", [{"options": menu.get("options"), "label": {"type": "plain_text", "text": "x"}}])
    return _is_list(groups, 100) and all(
        _is_text(group.get("label"), 75, "plain_text")
        and _is_list(group.get("options"), 100)
        and all(map(_is_option, group["options"]))
        for group in groups
    )


def _is_option(option: Mapping[str, Any]) -> bool:
    described = option.get("description")
    return (
        _is_text(option.get("text"), 75)
        and 1 <= len(option.get("value") or "") <= 150
        and (described is None or _is_text(described, 75, "plain_text"))
    )
