"""What Postmark tells became of a mail of ours (https://postmarkapp.com/developer/webhooks/webhooks-overview).

It gives each mail an id of its own; ours comes back as `Metadata`, which our mails carry in a header field.

Rule: an event of which we make nothing is kept as a notice, with its raw.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from adapters._mail.fate import Told, complained, failed
from adapters._mail.webhook import Postbox
from adapters.base import Malformed, RawInbound
from adapters.mail_postmark.parse import NAME
from normalizer.envelope import Envelope, Failure, Status

METADATA = "our-id"
HEADERS = (("X-PM-KeepID", "true"), (f"X-PM-Metadata-{METADATA}", "{local}"))
"""Keep our Message-ID, and hand it back: all but its domain, for a value may have 80 characters."""
HARD = frozenset({"HardBounce", "BadEmailAddress", "ManuallyDeactivated", "Blocked", "SpamNotification"})
WAITING = frozenset({"Transient", "AutoResponder", "OpenRelayTest", "ChallengeVerification", "Subscribe"})
"""Not the end of it, or nothing of ours."""


class Named(Struct, frozen=True):
    """Other webhooks than the one for mail say what they are."""

    RecordType: Any = None
    ID: Any = None


class Event(Struct, frozen=True):
    RecordType: str
    Recipient: str | None = None
    Email: str | None = None
    Type: str | None = None
    Description: str | None = None
    Details: str | None = None
    DeliveredAt: str | None = None
    BouncedAt: str | None = None
    Metadata: dict[str, Any] = {}


def kind_of(raw: RawInbound) -> str | None:
    """None: a mail. Raises Malformed."""
    kind = _named(raw).RecordType
    return kind if isinstance(kind, str) and kind != "Inbound" else None


def events_of(raw: RawInbound, postbox: Postbox) -> Sequence[Envelope]:
    """Raises Malformed."""
    named, slice_ = _named(raw), Raw(raw.body)
    key = f"{NAME}{named.RecordType}/{named.ID}" if isinstance(named.ID, int | str) else None
    found = postbox.fates(raw, _told(raw, postbox.domain), slice_)
    return found or [postbox.notice(raw, f"event:{named.RecordType}", key, slice_)]


def _named(raw: RawInbound) -> Named:
    try:
        return msgspec.json.decode(raw.body, type=Named)
    except (ValueError, RecursionError):
        raise Malformed("not an object of JSON") from None


def _told(raw: RawInbound, domain: str) -> Sequence[Told]:
    try:
        event = msgspec.json.decode(raw.body, type=Event)
    except (ValueError, RecursionError):
        return ()
    made, id = _status(event), event.Metadata.get(METADATA)
    if made is None or not isinstance(id, str):
        return ()
    to, at = event.Recipient or event.Email, _when(event.DeliveredAt or event.BouncedAt)
    return (Told(message_id=f"{id}@{domain}", status=made[0], failure=made[1], recipient=to, at=at),)


def _status(event: Event) -> tuple[Status, Failure | None] | None:
    match event.RecordType:
        case "Delivery":
            return Status.DELIVERED, None
        case "Bounce" if event.Type not in WAITING:
            return Status.FAILED, failed(event.Type in HARD, event.Type, event.Description or event.Details or "")
        case "SpamComplaint":
            return Status.DELIVERED, complained()
        case _:
            return None


def _when(text: str | None) -> datetime | None:
    try:
        when = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None else None
