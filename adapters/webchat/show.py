"""Stored envelopes as frames: what a visitor may see of his conversation.

Rule: every line of the wire gives exactly one frame with its seq (`skip` when there is nothing to see): a hole would
make the client resume for ever.
Rule: nothing internal leaves: no reasons of decisions, no notes, no ids of agents, no names of stored bytes.
Rule: a message is one frame, however many parts it has.
"""

from collections.abc import Mapping
from typing import Any

from adapters.base import Wire
from adapters.webchat.parse import is_web_url
from adapters.webchat.wire import (
    TYPING_TTL_MS,
    Conv,
    Del,
    From,
    MsgShown,
    ReadShown,
    ServerFrame,
    Skip,
    TypingShown,
    Upd,
)
from normalizer.envelope import (
    AddressChange,
    Audio,
    AuthorKind,
    CallEvent,
    ChoiceMade,
    ChoicesOffered,
    ContactCard,
    Document,
    Edit,
    Envelope,
    Image,
    Location,
    MediaRef,
    Message,
    Note,
    Order,
    Part,
    Reaction,
    Receipt,
    ReplyTo,
    Revoke,
    SessionEnded,
    StateChange,
    Status,
    Sticker,
    Template,
    Text,
    Typing,
    Unsupported,
    Video,
    Voice,
    inbound_id,
)
from normalizer.ids import ExternalId

STATES: Mapping[str, str] = {"ai": "bot", "queue": "queued", "agent": "agent_joined", "nobody": "closed"}
Content = dict[str, Any]
Urls = Mapping[str, str]
"""Signed and short-lived, by the name of the stored bytes."""


def frame(wire: Wire, urls: Urls) -> ServerFrame:
    envelope = wire.envelope
    match envelope.body:
        case Message() as message:
            return _message(wire, message, urls)
        case Edit(target=target, parts=parts):
            kind, content = rendered(parts, urls)
            return Upd(seq=wire.seq, id=_id_of(envelope, target), type=kind, content=content, final=True, ts=wire.at)
        case Revoke(target=target):
            return Del(seq=wire.seq, id=_id_of(envelope, target), ts=wire.at)
        case StateChange(state=state) if state in STATES:
            name = wire.agent_name if state == "agent" else None
            return Conv(seq=wire.seq, state=STATES[state], name=name, ts=wire.at)
        case Receipt(status=Status.READ | Status.PLAYED) as receipt if envelope.direction == "out":
            read = _id_of(envelope, receipt.target) if receipt.target else None
            return ReadShown(seq=wire.seq, up_to=receipt.up_to, id=read, ts=wire.at)
        case (
            Receipt()
            | StateChange()
            | Reaction()
            | Typing()
            | CallEvent()
            | AddressChange()
            | SessionEnded()
            | Note()
            | Unsupported()
        ):
            return Skip(wire.seq)


def typing(author: AuthorKind, *, on: bool) -> TypingShown:
    return TypingShown(on=on, ttl_ms=TYPING_TTL_MS, sender=sender(author, None))


def _message(wire: Wire, message: Message, urls: Urls) -> ServerFrame:
    envelope = wire.envelope
    if wire.withdrawn:
        return Del(seq=wire.seq, id=envelope.id, ts=wire.at)
    own = envelope.direction == "in"
    kind, content = rendered(message.parts, urls)
    return MsgShown(
        seq=wire.seq,
        id=envelope.id,
        sender=From("visitor") if own else sender(envelope.author, wire.agent_name),
        type=kind,
        content=content,
        ts=wire.at,
        cid=cid_of(envelope) if own else None,
        reply_to=_reply_to(envelope, message.reply_to),
        status=str(wire.status) if own and wire.status else None,
    )


def sender(author: AuthorKind, name: str | None) -> From:
    match author:
        case "customer":
            return From("visitor")
        case "ai":
            return From("bot")
        case "agent" | "business":
            return From("agent", name)
        case "system":
            return From("system")


def cid_of(envelope: Envelope) -> str | None:
    return envelope.external_id.rpartition(":")[2] if envelope.external_id else None


def _id_of(envelope: Envelope, target: ExternalId) -> str:
    """The id that the client knows. Ours are their own external ids; a visitor's message has `<session>:<cid>`."""
    return inbound_id(envelope.endpoint_id, envelope.account, target) if ":" in target else target


def _reply_to(envelope: Envelope, reply_to: ReplyTo | None) -> str | None:
    if reply_to is None:
        return None
    if reply_to.envelope_id is not None:
        return reply_to.envelope_id
    return _id_of(envelope, reply_to.external_id) if reply_to.external_id else None


# --- content ------------------------------------------------------------------------------------------------------


def rendered(parts: tuple[Part, ...], urls: Urls) -> tuple[str, Content]:
    """Type and content of a message."""
    if len(parts) == 1:
        return _part(parts[0], urls)
    shown = [_part(part, urls) for part in parts]
    return "parts", {"parts": [{"type": kind, "content": content} for kind, content in shown]}


def _part(part: Part, urls: Urls) -> tuple[str, Content]:
    match part:
        case Text(text=text):
            return "text", {"text": text}
        case Image(media=media, caption=text):
            return "image", _media(media, urls, text)
        case Video(media=media, caption=text):
            return "video", _media(media, urls, text)
        case Document(media=media, caption=text):
            return "document", _media(media, urls, text)
        case Audio(media=media):
            return "audio", _media(media, urls)
        case Voice(media=media):
            return "voice", _media(media, urls)
        case Sticker(media=media):
            return "sticker", _media(media, urls)
        case Location():
            return "location", _location(part)
        case ContactCard():
            return "contact", _contact(part)
        case ChoicesOffered():
            return "choices", _choices(part)
        case ChoiceMade(id=chosen, title=title):
            return "reply", {"id": chosen, "title": title}
        case Template() | Order():
            return "unsupported", {}


def _media(media: MediaRef, urls: Urls, text: str | None = None) -> Content:
    return _known(
        url=urls.get(media.stored) if media.stored else None,
        name=media.filename,
        mime=media.sniffed or media.mime,
        size=media.size,
        text=text,
        failed=True if media.failed else None,
    )


def _location(part: Location) -> Content:
    place = {"latitude": part.latitude, "longitude": part.longitude}
    return place | _known(name=part.name, address=part.address, url=_web(part.url))


def _contact(part: ContactCard) -> Content:
    known = {"name": part.name, "phones": list(part.phones), "emails": list(part.emails)}
    return known | _known(organization=part.organization)


def _choices(part: ChoicesOffered) -> Content:
    options = [
        {"id": choice.id, "title": choice.title} | _known(description=choice.description, section=choice.section)
        for choice in part.choices
    ]
    link = {"title": part.link.title, "url": part.link.url} if part.link and _web(part.link.url) else None
    return {"text": part.text, "options": options} | _known(
        link=link, header=part.header, footer=part.footer, button=part.button, request=part.request
    )


def _web(url: str | None) -> str | None:
    return url if url and is_web_url(url) else None


def _known(**fields: Any) -> Content:
    return {name: value for name, value in fields.items() if value is not None}
