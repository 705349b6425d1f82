"""The subject of these tests: SendGrid's forms, typed by hand and signed with a key made for the tests."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey, derive_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.base import RawInbound
from adapters.mail_sendgrid import REGISTRATION, TYPE, Config
from adapters.mail_sendgrid.signature import SIGNATURE, TIMESTAMP
from tests.adapters._mail.hooks import SECRETS, SETTINGS, fate, multipart, through
from tests.adapters.mail.support import ADDRESS, OUR_ID, claim, envelope, file, mail, words
from tests.kit import InboundCase, Subject

PRIVATE, OLD_PRIVATE, FOREIGN = (derive_private_key(number, SECP256R1()) for number in (1001, 1002, 1003))
AT = "1767323040"


def public(key: EllipticCurvePrivateKey) -> str:
    return b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def signature(body: bytes, key: EllipticCurvePrivateKey = PRIVATE, at: str = AT) -> str:
    return b64encode(key.sign(at.encode() + body, ECDSA(SHA256(), deterministic_signing=True))).decode()


def signed(body: bytes, key: EllipticCurvePrivateKey = PRIVATE, at: str = AT) -> dict[str, str]:
    return {SIGNATURE: signature(body, key, at), TIMESTAMP: at}


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return signed(raw.body)


CONFIG = Config(**SETTINGS, verification_keys=(public(PRIVATE), public(OLD_PRIVATE)))
SUBJECT = Subject(registration=REGISTRATION, config=CONFIG, sign=_sign, secrets=SECRETS)
USUAL = {
    "dkim": "none",
    "to": f"Support <{ADDRESS}>",
    "from": "Joe Doe <joe@x.example>",
    "subject": "A question",
    "SPF": "pass",
    "sender_ip": "192.0.2.1",
    "envelope": json.dumps({"to": [ADDRESS], "from": "joe@x.example"}),
}


def posted(*fields: Any, **changes: str | bytes) -> tuple[bytes, dict[str, str]]:
    return multipart(*{**USUAL, **changes}.items(), *fields)


def whole(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    return posted(("email", data))


MIME = through(TYPE, whole)
HEADERS = (
    "Received: from x\n\tby mx\nFrom: Joe Doe <joe@x.example>\nSubject: A question\nMessage-ID: <m1@x.example>\n"
    "Date: Thu, 01 Jan 2026 10:00:00 +0000\nTo: support@shop.example\nContent-Type: text/html; charset=x\n"
)
CHARSETS = json.dumps({"to": "UTF-8", "from": "UTF-8", "subject": "UTF-8", "text": "utf-8", "html": "utf-8"})


def said(label: str, changes: Mapping[str, str | bytes], *parts: Any, fields: Sequence[Any] = (),
         body: Mapping[str, Any] | None = None, **more: Any) -> InboundCase:  # fmt: skip
    form, headers = posted(*fields, **{"headers": HEADERS, "charsets": CHARSETS, "text": "Hello", **changes})
    want = envelope(b"", words(*parts, **(body or {})), **{"channel_type": TYPE, **more})
    return InboundCase(label, form, [want], headers=headers)


PNG = b"\x89PNG\r\n\x1a\n"
PICTURE = file("image", "part/2", "image/png", 8, "a.png")
INFO = {"attachment1": {"filename": "a.png", "name": "a.png", "type": "image/png", "charset": "utf-8"}}
PROVEN = {"claims": [claim("joe@x.example", 2)], "name": "Joe Doe"}
PARSED = [
    said("a text", {}, "Hello"),
    said("HTML alone", {"text": "", "html": "<p>Hello</p>"}, "Hello"),
    said("both", {"html": "<p>Hello</p>"}, "Hello"),
    said("quoted text", {"text": "Hello\n\n> You wrote"}, "Hello"),
    said("each field in its charset", {
        "text": "Grüße".encode("latin-1"), "subject": "Żółw".encode("iso-8859-2"),
        "charsets": json.dumps({"text": "iso-8859-1", "subject": "iso-8859-2", "from": "UTF-8"}),
    }, "Grüße", body={"subject": "Żółw"}),
    said("charsets that are none", {"text": "Grüße", "charsets": "{"}, "Grüße"),
    said("a charset that nobody knows", {"text": "Grüße", "charsets": '{"text":"x-mine"}'}, "Grüße"),
    said("a file", {"attachments": "1", "attachment-info": json.dumps(INFO)}, "Hello", PICTURE,
         fields=[("attachment1", PNG, "a.png", "image/png")]),
    said("a file without a name of its own", {"attachment-info": json.dumps(INFO)}, "Hello", PICTURE,
         fields=[("attachment1", PNG, "", "application/octet-stream")]),
    said("a file of which nothing is told", {}, "Hello", PICTURE, fields=[("attachment1", PNG, "a.png", "image/png")]),
    said("a picture in the text", {
        "text": "", "html": '<p>Hello <img src="cid:a@b"></p>',
        "attachment-info": json.dumps({"attachment1": {**INFO["attachment1"], "content-id": "a@b"}})}, "Hello", PICTURE,
         fields=[("attachment1", PNG, "a.png", "image/png")]),
    said("a domain that signed", {"dkim": "{@x.example : pass}"}, "Hello", party=PROVEN),
    said("two that signed", {"dkim": "{@esp.example : pass, @x.example : pass}"}, "Hello", party=PROVEN),
    said("a domain that did not", {"dkim": "{@x.example : fail, @esp.example : pass}"}, "Hello"),
    said("SPF proves no From", {"dkim": "none", "SPF": "pass"}, "Hello"),
    said("an empty sender", {"envelope": json.dumps({"to": [ADDRESS], "from": ""})}, "Hello", automated=True),
    said("an envelope that is none", {"envelope": "[1]"}, "Hello"),
    said("a machine", {"headers": HEADERS + "Auto-Submitted: auto-replied\n"}, "Hello", automated=True),
    said("a subject with an injection", {"subject": "A question\r\nAuto-Submitted: auto-replied"}, "Hello",
         body={"subject": "A question Auto-Submitted: auto-replied"}),
]  # fmt: skip


def event(label: str, *events: Any) -> InboundCase:
    want = [_event(place, one) for place, one in enumerate(events)]
    return InboundCase(label, json.dumps(events).encode(), want, headers={"content-type": "application/json"})


def _event(place: int, one: Any) -> dict[str, Any]:
    fields = one if isinstance(one, dict) else {}
    key = f"sendgrid/{fields['sg_event_id']}" if fields.get("sg_event_id") else None
    what = f"event:{fields['event']}" if "event" in fields else "event"
    return {"direction": "in", "channel_type": TYPE, "endpoint_id": "endpoint", "account": ADDRESS, "author": "system",
            "occurred_at": "2026-01-02T03:04:05Z", "received_at": "2026-01-02T03:04:05Z",
            **({"external_id": key, "dedupe_keys": [key]} if key else {}),
            "body": {"kind": "unsupported", "what": what, "visible": False}}  # fmt: skip


WHEN = 1767322800


def ours(label: str, name: str, becomes: str, failure: Mapping[str, str] = {}, **facts: Any) -> InboundCase:
    """Of a mail of ours."""
    one = {
        "event": name,
        "email": "joe@x.example",
        "timestamp": WHEN,
        "smtp-id": f"<{OUR_ID}>",
        "sg_event_id": "e1",
        **facts,
    }
    want = fate(TYPE, becomes, "joe@x.example", **failure)
    return InboundCase(label, json.dumps([one]).encode(), [want], headers={"content-type": "application/json"})


EVENTS = [
    event("nothing happened"),
    event("one event", {"event": "delivered", "sg_event_id": "e1"}),
    event("several", {"event": "bounce", "sg_event_id": "e1"}, {"event": "open"}, {}, 5),
    event("looked at", {"event": "open", "sg_event_id": "e1", "smtp-id": f"<{OUR_ID}>"}),
    event("still tried", {"event": "deferred", "sg_event_id": "e1", "smtp-id": f"<{OUR_ID}>"}),
    event("somebody else's", {"event": "delivered", "sg_event_id": "e1", "smtp-id": f"<x{OUR_ID}>"}),
    event("a time beyond time", {"event": "delivered", "sg_event_id": "e1", "smtp-id": OUR_ID, "timestamp": 10**17}),
    ours("on its way", "processed", "sent"),
    ours("delivered", "delivered", "delivered"),
    ours(
        "nobody there",
        "bounce",
        "failed",
        {"code": "hard_bounce", "text": "550 no", "provider_code": "5.1.1"},
        type="bounce",
        status="5.1.1",
        reason="550 no",
    ),
    ours("blocked", "bounce", "failed", {"code": "soft_bounce", "text": "spam"}, type="blocked", reason="spam"),
    ours("dropped", "dropped", "failed", {"code": "hard_bounce", "text": "Bounced Address"}, reason="Bounced Address"),
    ours("a complaint", "spamreport", "delivered", {"code": "complaint", "text": "its reader calls it unwanted"}),
]
EXAMPLE = mail()
