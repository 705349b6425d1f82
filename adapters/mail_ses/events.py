"""What SES tells became of a mail of ours
(https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html, event-publishing-retrieving-sns-contents.html).

Rule: our Message-ID is among the original headers, where the notification has them; else the id that SES gave in its
      place is used, which its answer to our mail told us.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from adapters._mail.fate import Told, complained, failed
from adapters._mail.renamed import id_in
from normalizer.envelope import Failure, Status

Fields = dict[str, Any]
RECIPIENTS_MAX = 100


def told(fields: Fields) -> Iterator[Told]:
    """Of every recipient; nothing for what is no such event."""
    mail = _object(fields, "mail")
    found = _own_id(mail)
    id = found or _id_of_ses(mail)
    if not id:
        return
    kind = fields.get("notificationType") or fields.get("eventType")
    for recipient, status, failure, at in _fates(kind, fields, mail):
        yield Told(message_id=id, status=status, recipient=recipient, failure=failure, at=at, renamed=found is None)


def _fates(
    kind: Any, fields: Fields, mail: Fields
) -> Iterator[tuple[str | None, Status, Failure | None, datetime | None]]:
    match kind:
        case "Delivery":
            delivery = _object(fields, "delivery")
            for one in _texts(delivery.get("recipients")):
                yield one, Status.DELIVERED, None, _when(delivery)
        case "Bounce":
            bounce = _object(fields, "bounce")
            for who, code, words in _bounced(bounce):
                yield who, Status.FAILED, failed(bounce.get("bounceType") == "Permanent", code, words), _when(bounce)
        case "Complaint":
            complaint = _object(fields, "complaint")
            for entry in _objects(complaint.get("complainedRecipients")):
                yield _text(entry, "emailAddress"), Status.DELIVERED, complained(), _when(complaint)
        case "Send":
            for one in _texts(mail.get("destination")):
                yield one, Status.SENT, None, _when(mail)
        case "Reject":
            words = _text(_object(fields, "reject"), "reason") or ""
            yield None, Status.FAILED, failed(True, None, words), _when(mail)
        case _:
            return


def _bounced(bounce: Fields) -> Iterator[tuple[str | None, str | None, str]]:
    for entry in _objects(bounce.get("bouncedRecipients")):
        yield _text(entry, "emailAddress"), _text(entry, "status"), _text(entry, "diagnosticCode") or ""


def _own_id(mail: Fields) -> str | None:
    for header in _objects(mail.get("headers")):
        name = _text(header, "name")
        if name is not None and name.lower() == "message-id":
            return _text(header, "value")
    return None


def _id_of_ses(mail: Fields) -> str | None:
    """As it stands in the mail that SES sent."""
    id, arn = _text(mail, "messageId"), _text(mail, "sourceArn") or ""
    region = arn.split(":")[3] if arn.count(":") >= 5 else ""
    if not id or not region:
        return None
    return id_in(region, id)


def _object(fields: Fields, key: str) -> Fields:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _objects(value: Any) -> Iterator[Fields]:
    if isinstance(value, list):
        yield from (one for one in value[:RECIPIENTS_MAX] if isinstance(one, dict))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (one for one in value[:RECIPIENTS_MAX] if isinstance(one, str))


def _text(fields: Fields, key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) else None


def _when(fields: Fields) -> datetime | None:
    try:
        when = datetime.fromisoformat(fields["timestamp"])
    except (KeyError, TypeError, ValueError):
        return None
    return when if when.tzinfo is not None else None
