"""What the simulated API refuses about the content of a message: the documented limits, by type."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from adapters.whatsapp.simulator_world import Refusal, World

ECHO_MAX = 512
TEXT_MAX = 4096

Payload = Mapping[str, Any]


def check(world: World, payload: Payload, now: datetime) -> None:
    """Raises Refusal."""
    kind = payload.get("type")
    rule = _RULES.get(str(kind))
    content = payload.get(str(kind))
    if rule is None:
        raise Refusal(400, 131051, "Unsupported message type")
    _need(bool(content), 131008, f"Required parameter is missing: {kind}")
    _need(
        len(str(payload.get("biz_opaque_callback_data", ""))) <= ECHO_MAX, 131009, "biz_opaque_callback_data too long"
    )
    rule(world, content, now)


def _need(holds: bool, code: int, text: str, status: int = 400) -> None:
    if not holds:
        raise Refusal(status, code, text)


def _text(world: World, content: Any, now: datetime) -> None:
    body = content.get("body")
    _need(isinstance(body, str) and bool(body.strip()), 131008, "Required parameter is missing: text.body")
    _need(len(body) <= TEXT_MAX, 100, f"Param text['body'] must be at most {TEXT_MAX} characters long.")


def _media(world: World, content: Any, now: datetime) -> None:
    media_id, link = content.get("id"), content.get("link")
    _need(bool(media_id) != bool(link), 100, "Either id or link")
    if media_id:
        media = world.media.get(str(media_id))
        _need(media is not None and now <= media.until, 131053, "Media upload error")
    _need(not link or str(link).startswith(("https://", "http://")), 131009, "Invalid link")
    _need(len(content.get("caption", "")) <= 1024, 100, "Param caption must be at most 1024 characters long.")


def _location(world: World, content: Any, now: datetime) -> None:
    _need({"latitude", "longitude"} <= content.keys(), 131008, "Required parameter is missing: location")
    _need(abs(content["latitude"]) <= 90 and abs(content["longitude"]) <= 180, 131009, "Invalid coordinates")


def _contacts(world: World, content: Any, now: datetime) -> None:
    for card in content:
        name = card.get("name", {})
        _need("formatted_name" in name and len(name) > 1, 131008, "A contact needs formatted_name and one more name")


def _reaction(world: World, content: Any, now: datetime) -> None:
    _need(bool(content.get("message_id")) and "emoji" in content, 131008, "Required parameter is missing: reaction")


def _template(world: World, content: Any, now: datetime) -> None:
    name, language = content.get("name"), content.get("language", {}).get("code")
    found = next((t for t in world.templates if (t.name, t.language) == (name, language)), None)
    if found is None:
        raise Refusal(404, 132001, "Template name does not exist in the translation")
    _need(not found.paused, 132015, "Template is paused")
    given = [len(c.get("parameters", [])) for c in content.get("components", []) if c.get("type") == "body"]
    _need(sum(given) == found.body_parameters, 132000, "Number of parameters does not match the expected number")


def _interactive(world: World, content: Any, now: datetime) -> None:
    kind, action = content.get("type"), content.get("action", {})
    body = content.get("body", {}).get("text", "")
    _need(bool(body), 131008, "Required parameter is missing: interactive.body")
    _need(len(body) <= (4096 if kind == "list" else 1024), 131009, "interactive.body is too long")
    _need(len(content.get("footer", {}).get("text", "")) <= 60, 131009, "interactive.footer is too long")
    _need(len(content.get("header", {}).get("text", "")) <= 60, 131009, "interactive.header is too long")
    match kind:
        case "button":
            _buttons([button["reply"] for button in action["buttons"]])
        case "list":
            _list(action)
        case "cta_url":
            shown = action["parameters"]
            _need(0 < len(shown["display_text"]) <= 20 and "url" in shown, 131009, "Invalid display_text or url")
        case "location_request_message" | "request_contact_info":
            pass
        case _:
            raise Refusal(400, 131009, "Unknown interactive type")


def _buttons(buttons: list[dict[str, str]]) -> None:
    _need(0 < len(buttons) <= 3, 131009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
    _need(all(0 < len(b["title"]) <= 20 and len(b["id"]) <= 256 for b in buttons), 131009, "Invalid button")
    _need(len({b["title"] for b in buttons}) == len(buttons), 131009, "Duplicated title for one of the buttons")
    _need(len({b["id"] for b in buttons}) == len(buttons), 131009, "Duplicated id for one of the buttons")


def _list(action: dict[str, Any]) -> None:
    sections = action["sections"]
    rows = [row for section in sections for row in section["rows"]]
    _need(0 < len(action["button"]) <= 20, 131009, "Invalid list button")
    _need(0 < len(rows) <= 10, 131009, "Total row count exceed max allowed count: 10")
    _need(len(sections) == 1 or all(section.get("title") for section in sections), 131009, "Section title is required")
    _need(all(len(section.get("title", "")) <= 24 for section in sections), 131009, "Section title is too long")
    for row in rows:
        fits = len(row["id"]) <= 200 and 0 < len(row["title"]) <= 24 and len(row.get("description", "")) <= 72
        _need(fits, 131009, "Invalid row")
    _need(len({row["id"] for row in rows}) == len(rows), 131009, "Duplicated row id")


_RULES: Mapping[str, Callable[[World, Any, datetime], None]] = {
    "text": _text,
    "image": _media,
    "video": _media,
    "audio": _media,
    "document": _media,
    "sticker": _media,
    "location": _location,
    "contacts": _contacts,
    "reaction": _reaction,
    "template": _template,
    "interactive": _interactive,
}
