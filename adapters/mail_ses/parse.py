"""SNS posts to mails. A mail is a notification of the type `Received` with its `content`; all else is kept as a notice.

Rule: a mail whose content lies in a bucket of S3 is not here: it is told as a failure and not as an empty mail.
"""

from base64 import b64decode
from binascii import Error as BadText
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw

from adapters._mail.webhook import Postbox, Posted
from adapters.base import Malformed, RawInbound
from adapters.mail_ses.events import told
from adapters.mail_ses.signature import Post
from normalizer.envelope import Envelope, Failure

NAME = "ses/"
Fields = dict[str, Any]


def posted_of(raw: RawInbound) -> Posted | None:
    """None: it is no mail. Raises Malformed."""
    fields = _message(_post(raw))
    if fields is None or fields.get("notificationType") != "Received" or not isinstance(fields.get("content"), str):
        return None
    receipt, mail = _object(fields, "receipt"), _object(fields, "mail")
    id, sender = mail.get("messageId"), mail.get("source")
    return Posted(
        data=_content(fields["content"], _object(receipt, "action")),
        mail_from=sender if isinstance(sender, str) else None,
        recipients=tuple(_texts(receipt.get("recipients"))),
        aligned=_aligned(receipt),
        arrival=f"{NAME}{id}" if isinstance(id, str) and id else None,
        arrived_at=_when(receipt.get("timestamp")),
    )


def events_of(raw: RawInbound, postbox: Postbox) -> Sequence[Envelope]:
    """Raises Malformed."""
    post = _post(raw)
    fields = _message(post) or {}
    if found := postbox.fates(raw, list(told(fields)), Raw(raw.body)):
        return found
    key = f"{NAME}sns/{post.MessageId}" if post.MessageId else None
    failures = tuple(_failures(post, fields))
    return [postbox.notice(raw, _what(post, fields), key, Raw(raw.body), failures=failures)]


def _what(post: Post, fields: Fields) -> str:
    if post.Type != "Notification":
        return f"sns:{post.Type}"
    kind = fields.get("notificationType") or fields.get("eventType")
    return f"event:{kind}" if isinstance(kind, str) else "sns:Notification"


def _failures(post: Post, fields: Fields) -> Iterator[Failure]:
    """What a person has to do something about."""
    if post.Type == "SubscriptionConfirmation" and post.SubscribeURL:
        yield Failure(code="to_be_confirmed", text=f"Open this to subscribe: {post.SubscribeURL}")
    elif fields.get("notificationType") == "Received":
        yield Failure(code="content_elsewhere", text="The rule's action does not send the mail itself to the topic.")


def _post(raw: RawInbound) -> Post:
    try:
        return msgspec.json.decode(raw.body, type=Post)
    except (ValueError, RecursionError):
        raise Malformed("nothing that SNS posts") from None


def _message(post: Post) -> Fields | None:
    """None: words of SNS itself."""
    if post.Type != "Notification":
        return None
    try:
        return msgspec.json.decode(post.Message, type=Fields)
    except (ValueError, RecursionError):
        return None


def _object(fields: Fields, key: str) -> Fields:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, str))


def _content(content: str, action: Fields) -> bytes:
    """As it is, unless the rule says BASE64. (An 8-bit mail in UTF-8 is the same either way, others are not.)"""
    if action.get("encoding") == "BASE64":
        try:
            return b64decode("".join(content.split()), validate=True)
        except (BadText, ValueError):
            raise Malformed("the content is not BASE64") from None
    return content.encode("utf-8", "replace")


def _aligned(receipt: Fields) -> bool | None:
    """DMARC says whether the From is true; GRAY: its domain has no policy, so look at the header."""
    match _object(receipt, "dmarcVerdict").get("status"):
        case "PASS":
            return True
        case "FAIL":
            return False
        case _:
            return None


def _when(text: Any) -> datetime | None:
    try:
        when = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return when if when is not None and when.tzinfo is not None else None
