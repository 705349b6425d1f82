"""What SendGrid tells became of mails of ours
(https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event).

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
from normalizer.envelope import Envelope, Failure, Status

EVENTS_MAX = 2_000
NAME = "sendgrid/"


class Event(Struct, frozen=True):
    event: str
    email: str | None = None
    timestamp: int | None = None
    smtp_id: str = msgspec.field(default="", name="smtp-id")
    type: str | None = None
    status: str | None = None
    reason: str | None = None


def events_of(raw: RawInbound, postbox: Postbox) -> Sequence[Envelope]:
    """Raises Malformed."""
    try:
        slices = msgspec.json.decode(raw.body, type=list[Raw])
    except (ValueError, RecursionError):
        raise Malformed("no list of events") from None
    if len(slices) > EVENTS_MAX:
        raise Malformed("too many events")
    return [one for place, slice_ in enumerate(slices) for one in _event(raw, postbox, slice_, place)]


def _event(raw: RawInbound, postbox: Postbox, slice_: Raw, place: int) -> Sequence[Envelope]:
    if found := postbox.fates(raw, _told(slice_), slice_):
        return found
    try:
        fields: dict[str, Any] = msgspec.json.decode(slice_, type=dict[str, Any])
    except (ValueError, RecursionError):
        fields = {}
    what, id = fields.get("event"), fields.get("sg_event_id")
    key = f"{NAME}{id}" if isinstance(id, str) and id else None
    return [postbox.notice(raw, f"event:{what}" if isinstance(what, str) else "event", key, slice_, place=place)]


def _told(slice_: Raw) -> Sequence[Told]:
    try:
        event = msgspec.json.decode(slice_, type=Event)
        at = None if event.timestamp is None else datetime.fromtimestamp(event.timestamp, UTC)
    except (ValueError, OverflowError, OSError, RecursionError):
        return ()
    made = _status(event)
    if made is None:
        return ()
    return (Told(message_id=event.smtp_id, status=made[0], failure=made[1], recipient=event.email, at=at),)


def _status(event: Event) -> tuple[Status, Failure | None] | None:
    match event.event:
        case "processed":
            return Status.SENT, None
        case "delivered":
            return Status.DELIVERED, None
        case "bounce":
            return Status.FAILED, failed(event.type != "blocked", event.status, event.reason or "")
        case "dropped":
            return Status.FAILED, failed(True, event.status, event.reason or "")
        case "spamreport":
            return Status.DELIVERED, complained()
        case _:
            return None
