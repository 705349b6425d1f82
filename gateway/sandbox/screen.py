"""What a customer sees on the phone: both sides' messages in their order, with ticks, reactions and what can be tapped.

    own messages     sent  (one tick: the provider has it)  delivered (two: the gateway took it)  read (blue)
    the business's   shown once it has arrived at the phone

Rule: it is made anew from what the simulator holds; nothing here is remembered.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from adapters.whatsapp.simulator_world import Customer, Shown, World
from gateway.sandbox.phones import Said

MEDIA_PATH = "/sandbox/api/media/"
FILES = ("image", "video", "audio", "document", "sticker")
Tick = Literal["sent", "delivered", "read"]


class Choice(Struct, frozen=True, omit_defaults=True):
    id: str
    title: str
    description: str | None = None
    section: str | None = None


class File(Struct, frozen=True, omit_defaults=True):
    url: str
    mime: str | None = None
    name: str | None = None
    voice: bool = False


class Place(Struct, frozen=True, omit_defaults=True):
    latitude: float
    longitude: float
    name: str | None = None
    address: str | None = None


class Link(Struct, frozen=True):
    title: str
    url: str


class Content(Struct, kw_only=True, omit_defaults=True):
    """Whatever a message shows; what it does not have is left out."""

    kind: str
    text: str | None = None
    header: str | None = None
    footer: str | None = None
    file: File | None = None
    place: Place | None = None
    link: Link | None = None
    buttons: tuple[Choice, ...] = ()
    rows: tuple[Choice, ...] = ()
    list_label: str | None = None


class Line(Struct, kw_only=True, omit_defaults=True):
    id: str
    mine: bool
    at: datetime
    content: Content
    tick: Tick | None = None
    reply_to: str | None = None
    chosen: str | None = None
    """Which of its choices was taken."""
    reaction: str | None = None
    """The other side's."""
    own_reaction: str | None = None
    edited: bool = False
    revoked: bool = False
    author: str | None = None
    """Where several people write."""
    thread: str | None = None
    """The message that it stands below."""


class Screen(Struct, frozen=True, kw_only=True):
    version: int
    name: str
    phone: str
    typing: bool
    unread: int
    messages: tuple[Line, ...]


def screen(world: World, customer: Customer, said: Iterable[Said], now: datetime, version: int) -> Screen:
    said = list(said)
    arrived = [one for one in world.shown.values() if one.customer is customer and one.status in ("delivered", "read")]
    lines = [*_own(world, said), *_theirs(world, arrived)]
    known = {line.id: line for line in lines}
    for one in said:
        _apply(known, one)
    for shown in arrived:
        if shown.payload.get("type") == "reaction":
            _react(known, shown.payload["reaction"], own=False)
    lines.sort(key=lambda line: line.at)
    return Screen(
        version=version,
        name=customer.name,
        phone=customer.phone or "",
        typing=customer.typing_until is not None and now < customer.typing_until,
        unread=sum(one.status == "delivered" for one in arrived),
        messages=tuple(lines),
    )


# --- one side and the other ---------------------------------------------------------------------------------------


def _own(world: World, said: list[Said]) -> list[Line]:
    """A message that was read means that those before it were, too."""
    marked = set(world.read)
    last_read = max((place for place, one in enumerate(said) if one.id in marked), default=-1)
    lines = []
    for place, one in enumerate(said):
        shown = _said(world, one.content)
        if shown is not None:
            tick: Tick = "read" if place <= last_read else "delivered" if one.delivered else "sent"
            lines.append(Line(id=one.id, mine=True, at=one.at, content=shown, tick=tick, reply_to=one.reply_to))
    return lines


def _theirs(world: World, arrived: list[Shown]) -> list[Line]:
    return [
        Line(id=one.id, mine=False, at=one.at, content=_written(world, one.payload),
             reply_to=one.payload.get("context", {}).get("message_id"))
        for one in arrived
        if one.payload.get("type") != "reaction"
    ]  # fmt: skip


def _apply(known: dict[str, Line], one: Said) -> None:
    """What a customer's later message changes about an earlier one."""
    match one.content:
        case {"type": "reaction", "reaction": reaction}:
            _react(known, reaction, own=True)
        case {"type": "revoke", "revoke": {"original_message_id": target}} if target in known:
            known[target].revoked = True
            known[target].content = Content(kind="revoked")
        case {"type": "edit", "edit": {"original_message_id": target, "message": {"text": text}}} if target in known:
            known[target].edited = True
            known[target].content = Content(kind="text", text=text["body"])
        case {"type": "interactive", "interactive": interactive} if one.reply_to in known:
            known[one.reply_to].chosen = _pick(interactive)["id"]
        case _:
            pass


def _react(known: dict[str, Line], reaction: dict[str, Any], *, own: bool) -> None:
    target, emoji = known.get(reaction["message_id"]), reaction.get("emoji") or None
    if target is not None and own:
        target.own_reaction = emoji
    elif target is not None:
        target.reaction = emoji


# --- contents -----------------------------------------------------------------------------------------------------


def _said(world: World, content: dict[str, Any]) -> Content | None:
    """None: nothing of its own to see."""
    kind = content["type"]
    match kind:
        case "reaction" | "revoke" | "edit":
            return None
        case "interactive":
            return Content(kind="choice", text=_pick(content["interactive"])["title"])
        case _:
            return _written(world, content)


def _written(world: World, payload: dict[str, Any]) -> Content:
    kind = str(payload.get("type"))
    inside: Any = payload.get(kind, {})
    match kind:
        case "text":
            return Content(kind="text", text=inside["body"])
        case "location":
            place = Place(inside["latitude"], inside["longitude"], inside.get("name"), inside.get("address"))
            return Content(kind="location", place=place)
        case "contacts":
            names = (f"{card['name']['formatted_name']} {_phones(card)}".strip() for card in inside)
            return Content(kind="contact", text="\n".join(names))
        case "interactive":
            return _interactive(inside)
        case "template":
            return Content(kind="template", text=_template(inside))
        case _ if kind in FILES:
            return Content(kind=kind, text=inside.get("caption"), file=_file(world, inside))
        case _:
            return Content(kind=kind)


def _file(world: World, inside: dict[str, Any]) -> File:
    media = world.media.get(inside.get("id", ""))
    url = inside["link"] if "link" in inside else MEDIA_PATH + inside["id"]
    mime = inside.get("mime_type") or (media.mime if media else None)
    return File(url, mime, inside.get("filename"), bool(inside.get("voice")))


def _interactive(inside: dict[str, Any]) -> Content:
    action = inside.get("action", {})
    shown = Content(
        kind=inside["type"],
        text=inside["body"]["text"],
        header=inside.get("header", {}).get("text"),
        footer=inside.get("footer", {}).get("text"),
        buttons=tuple(Choice(one["reply"]["id"], one["reply"]["title"]) for one in action.get("buttons", [])),
        rows=tuple(
            Choice(row["id"], row["title"], row.get("description"), section.get("title"))
            for section in action.get("sections", [])
            for row in section["rows"]
        ),
        list_label=action.get("button"),
    )
    if inside["type"] == "cta_url":
        shown.link = Link(action["parameters"]["display_text"], action["parameters"]["url"])
    return shown


def _template(inside: dict[str, Any]) -> str:
    filled = [one.get("text", "") for part in inside.get("components", []) for one in part.get("parameters", [])]
    return f"{inside['name']} ({inside['language']['code']}) {', '.join(filter(None, filled))}".strip()


def _phones(card: dict[str, Any]) -> str:
    return ", ".join(phone["phone"] for phone in card.get("phones", []))


def _pick(interactive: dict[str, Any]) -> dict[str, Any]:
    picked: dict[str, Any] = interactive[interactive["type"]]
    return {"id": "", "title": picked.get("body", ""), **picked}
