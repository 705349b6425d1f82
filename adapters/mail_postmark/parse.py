"""Postmark's JSON to mails: `RawEmail` where the server includes it, else the fields put together again.

Rule: Postmark's `MessageID` is its own name of the arrival; the sender's Message-ID is among `Headers`.
Rule: a field of another type than documented is left out, not an error: the rest of the mail is still a mail.
"""

from base64 import b64decode
from binascii import Error as BadText
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from adapters._mail.fold import mailbox
from adapters._mail.rebuild import Piece, rebuilt
from adapters._mail.webhook import Posted
from adapters.base import Malformed, RawInbound

NAME = "postmark/"
ADDRESSES = (("From", "FromFull"), ("To", "ToFull"), ("Cc", "CcFull"))


def posted_of(raw: RawInbound) -> Posted:
    """Raises Malformed."""
    try:
        fields = msgspec.json.decode(raw.body, type=dict[str, Any])
    except (ValueError, RecursionError):
        raise Malformed("not an object of JSON") from None
    if not any(_text(fields, key) for key in ("RawEmail", "From", "TextBody", "HtmlBody", "MessageID")):
        raise Malformed("no mail in it")
    own, whole = _text(fields, "MessageID"), _text(fields, "RawEmail")
    recipient = _text(fields, "OriginalRecipient")
    return Posted(
        data=whole.encode("utf-8", "replace") if whole else _rebuilt(fields),
        mail_from=_envelope_sender(fields),
        recipients=(recipient,) if recipient else (),
        arrival=f"{NAME}{own}" if own else None,
    )


def _text(fields: dict[str, Any], key: str) -> str | None:
    value = fields.get(key)
    return value if isinstance(value, str) and value else None


def _listed(fields: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = fields.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _pairs(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for header in _listed(fields, "Headers"):
        name, value = header.get("Name"), header.get("Value")
        if isinstance(name, str) and isinstance(value, str):
            yield name, value


def _envelope_sender(fields: dict[str, Any]) -> str | None:
    """Postmark writes it as Return-Path in front of the sender's own fields."""
    first = next((value for name, value in _pairs(fields) if name.lower() == "return-path"), None)
    return None if first is None else first.strip().removeprefix("<").removesuffix(">")


def _rebuilt(fields: dict[str, Any]) -> bytes:
    headers = [*_own(fields), *_pairs(fields)]
    return rebuilt(headers, _text(fields, "TextBody"), _text(fields, "HtmlBody"), list(_files(fields)))


def _own(fields: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What Postmark takes out of the list."""
    present = {name.lower() for name, _ in _pairs(fields)}
    for name, full in ADDRESSES:
        people = fields.get(full)
        shown = ", ".join(_people([people] if isinstance(people, dict) else _listed(fields, full)))
        if (value := shown or _text(fields, name)) and name.lower() not in present:
            yield name, value
    for name, key in (("Subject", "Subject"), ("Date", "Date"), ("Reply-To", "ReplyTo")):
        if (given := _text(fields, key)) and name.lower() not in present:
            yield name, given


def _people(listed: Sequence[dict[str, Any]]) -> Iterator[str]:
    for one in listed:
        if address := _text(one, "Email"):
            yield " ".join(mailbox(address, _text(one, "Name")))


def _files(fields: dict[str, Any]) -> Iterator[Piece]:
    for one in _listed(fields, "Attachments"):
        content = _text(one, "Content") or _text(one, "Data") or ""
        try:
            data = b64decode(content)
        except (BadText, ValueError):
            data = b""
        cid = _text(one, "ContentID")
        yield Piece(data=data, mime=_text(one, "ContentType"), filename=_text(one, "Name"), content_id=cid)
