"""What Mailgun tells became of a mail of ours (https://documentation.mailgun.com/docs/mailgun/user-manual/events/).

Rule: an event of which we make nothing is kept as a notice, with its raw.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters._mail.fate import Told, complained, failed
from adapters._mail.webhook import Postbox
from adapters.base import Malformed, RawInbound
from adapters.mail_mailgun.parse import NAME
from normalizer.envelope import Envelope, Status


class Status_(Struct, frozen=True, rename="kebab"):
    code: int | str | None = None
    enhanced_code: str | None = None
    message: str | None = None
    description: str | None = None


class Headers(Struct, frozen=True, rename="kebab"):
    message_id: str = ""


class Message(Struct, frozen=True):
    headers: Headers = Headers()


class Event(Struct, frozen=True, rename="kebab"):
    event: str
    id: str | None = None
    timestamp: float | None = None
    recipient: str | None = None
    severity: str | None = None
    reason: str | None = None
    message: Message = Message()
    delivery_status: Status_ = Status_()


class Named(Struct, frozen=True):
    """The least that an event has."""

    event: str
    id: Any = None


class Hook(Struct, frozen=True):
    event: Raw = msgspec.field(name="event-data")


def events_of(raw: RawInbound, postbox: Postbox) -> Sequence[Envelope]:
    """Raises Malformed."""
    try:
        slice_ = msgspec.json.decode(raw.body, type=Hook).event
        named = msgspec.json.decode(slice_, type=Named)
    except (ValueError, RecursionError):
        raise Malformed("no event of Mailgun") from None
    found = postbox.fates(raw, _told(slice_), slice_)
    key = f"{NAME}{named.id}" if isinstance(named.id, str) and named.id else None
    return found or [postbox.notice(raw, f"event:{named.event}", key, slice_)]


def _told(slice_: Raw) -> Sequence[Told]:
    try:
        event = msgspec.json.decode(slice_, type=Event)
        at = None if event.timestamp is None else datetime.fromtimestamp(event.timestamp, UTC)
    except (ValueError, OverflowError, OSError, RecursionError):
        return ()
    made = _status(event)
    if made is None:
        return ()
    id = event.message.headers.message_id
    return (Told(message_id=id, status=made[0], failure=made[1], recipient=event.recipient, at=at),)


def _status(event: Event) -> tuple[Status, Any] | None:
    said = event.delivery_status
    words = said.message or said.description or event.reason or ""
    code = said.enhanced_code or (None if said.code is None else str(said.code))
    match event.event:
        case "accepted":
            return Status.SENT, None
        case "delivered":
            return Status.DELIVERED, None
        case "failed" if event.severity != "temporary":
            return Status.FAILED, failed(True, code, words)
        case "rejected":
            return Status.FAILED, failed(False, code, words)
        case "complained":
            return Status.DELIVERED, complained()
        case _:
            return None
