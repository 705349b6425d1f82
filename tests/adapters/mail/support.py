"""The subject of these tests, and how a mail and what becomes of it are typed."""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from adapters._mail import message_id_for, thread_of, token_for
from adapters.base import RawInbound
from adapters.mail import REGISTRATION
from adapters.mail.config import Config
from tests.kit import InboundCase, Subject
from tests.kit.cases import ENDPOINT

ADDRESS = "support@shop.example"
KEY, OLD_KEY = "a-key-that-signs-threads-for-tests-1", "a-key-that-signed-threads-before-00"
PASSWORD = "the-password-of-the-mailbox"
CONFIG = Config(
    addresses=(ADDRESS, "Sales@shop.example"),
    token_keys=(KEY, OLD_KEY),
    authserv_ids=("mx.shop.example",),
    imap_host="imap.shop.example",
    imap_password=PASSWORD,
    smtp_host="smtp.shop.example",
)


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return {}


SUBJECT = Subject(
    registration=REGISTRATION,
    config=CONFIG,
    sign=_sign,
    secrets=(KEY, OLD_KEY, PASSWORD),
    facts={"origin": "dialled", "method": "MAIL"},
)
OURS = thread_of("first@x.example")
"""A thread that we have answered in."""
OUR_ID = message_id_for("cmd_0011:0", OURS, KEY, "shop.example")
TOKEN = token_for(OURS, KEY)

HEAD = {
    "From": "Joe Doe <joe@x.example>",
    "To": "support@shop.example",
    "Subject": "A question",
    "Date": "Thu, 01 Jan 2026 10:00:00 +0000",
    "Message-ID": "<m1@x.example>",
}


def mail(tail: str | bytes = "\nHello\n", **head: str | None) -> bytes:
    """`head` changes or (None) removes the usual fields, `_` is `-`; `tail`: further ones, a blank line, a body."""
    named = {name.replace("_", "-"): value for name, value in head.items()}
    fields = {**{name: value for name, value in HEAD.items() if name not in named}, **named}
    lines = "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)
    data = tail if isinstance(tail, bytes) else tail.replace("\n", "\r\n").encode()
    return lines.replace("\n", "\r\n").encode() + data


def digest(data: bytes) -> str:
    """Of the body, as it stands below the first blank line."""
    return blake2b(data.partition(b"\r\n\r\n")[2], digest_size=16).hexdigest()


def claim(address: str, evidence: int = 1) -> dict[str, Any]:
    return {"address": {"scheme": "mailto", "value": address}, "evidence": evidence}


def envelope(data: bytes, body: Mapping[str, Any], *, id: str | None = "m1@x.example", root: str | None = None,
             **more: Any) -> dict[str, Any]:  # fmt: skip
    """As JSON, with what most share; None removes."""
    full = {
        "direction": "in",
        "channel_type": "mail",
        "endpoint_id": ENDPOINT,
        "account": ADDRESS,
        "party": {"claims": [claim("joe@x.example")], "name": "Joe Doe"},
        "occurred_at": "2026-01-01T10:00:00Z",
        "received_at": "2026-01-02T03:04:05Z",
        "external_id": id,
        "dedupe_keys": [f"{id}/{digest(data)}"] if id else None,
        "native_thread": thread_of(root or id or "raw-1"),
        "body": body,
    }
    return {key: value for key, value in {**full, **more}.items() if value is not None}


def words(*parts: str | Mapping[str, Any], subject: str | None = "A question", **more: Any) -> dict[str, Any]:
    """A message; what is a text stands for itself."""
    made = [{"type": "text", "text": part} if isinstance(part, str) else dict(part) for part in parts]
    head = {"kind": "message", "parts": made} | ({"subject": subject} if subject else {})
    return {**head, **more}


def file(kind: str, ref: str, mime: str, size: int, filename: str | None = None) -> dict[str, Any]:
    media = {"external_id": ref, "mime": mime, "size": size} | ({"filename": filename} if filename else {})
    return {"type": kind, "media": media}


def said(label: str, data: bytes, *parts: str | Mapping[str, Any], body: Mapping[str, Any] | None = None,
         path: str | None = None, headers: Mapping[str, str] | None = None, **more: Any) -> InboundCase:  # fmt: skip
    """One message. `body`: facts of the message beside its parts."""
    want = envelope(data, words(*parts, **(body or {})), **more)
    return InboundCase(label, data, [want], path=path, headers=headers or {})


def reported(label: str, data: bytes, *receipts: Mapping[str, Any], **more: Any) -> InboundCase:
    """Receipts of the mail that we sent as OUR_ID."""
    return InboundCase(label, data, [_receipt(data, receipt, **more) for receipt in receipts])


def _receipt(data: bytes, receipt: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    who = receipt.get("recipient")
    body = {"kind": "receipt", "target": OUR_ID, **receipt}
    if who:
        body["recipient"] = {"scheme": "mailto", "value": who}
    key = f"{receipt['status']}:{OUR_ID}:{'mailto:' + who if who else ''}"
    given = {"dedupe_keys": [key], "native_thread": OURS, "echo_key": "cmd_0011:0", "party": {}, **more}
    return envelope(data, body, id=None, **given)


def kept(label: str, data: bytes, what: str, *, visible: bool = False, **more: Any) -> InboundCase:
    """Nothing for a conversation, and not lost."""
    body = {"kind": "unsupported", "what": what} | ({} if visible else {"visible": False})
    return InboundCase(label, data, [envelope(data, body, **{"party": {}, **more})])


Cases = Sequence[InboundCase]
