"""The subject of these tests: Mailgun's forms, typed by hand and signed with the standard library alone."""

import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from adapters.base import RawInbound
from adapters.mail_mailgun import REGISTRATION, TYPE, Config
from tests.adapters._mail.hooks import SECRETS, SETTINGS, fate, multipart, through
from tests.adapters.mail.support import ADDRESS, OUR_ID, envelope, file, mail, words
from tests.kit import InboundCase, Subject

SIGNING_KEY, OLD_SIGNING_KEY = "key-of-the-http-webhooks", "key-of-the-http-webhooks-before"
CONFIG = Config(**SETTINGS, signing_keys=(SIGNING_KEY, OLD_SIGNING_KEY))
TOKEN = "50charstokenandanythingelsethatmailgundraws1234567"
AT = int(datetime(2026, 1, 2, 3, 4, 0, tzinfo=UTC).timestamp())


def proof(timestamp: int | str = AT, token: str = TOKEN, key: str = SIGNING_KEY) -> dict[str, str]:
    digest = hmac.new(key.encode(), f"{timestamp}{token}".encode(), sha256).hexdigest()
    return {"timestamp": str(timestamp), "token": token, "signature": digest}


def _sign(raw: RawInbound) -> Mapping[str, str]:
    """The proof is in the body, which the cases write with it."""
    return {}


SUBJECT = Subject(registration=REGISTRATION, config=CONFIG, sign=_sign,
                  secrets=(*SECRETS, SIGNING_KEY, OLD_SIGNING_KEY))  # fmt: skip


def posted(*fields: Any, **more: str) -> tuple[bytes, dict[str, str]]:
    named = {"recipient": ADDRESS, "sender": "joe@x.example", **proof(), **more}
    return multipart(*named.items(), *fields)


def whole(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    return posted(("body-mime", data))


def with_token(want: Mapping[str, Any]) -> list[str]:
    return [*want["dedupe_keys"], f"mailgun/{TOKEN}/0"]


def _numbered(cases: list[InboundCase]) -> list[InboundCase]:
    """Of several envelopes each has the token with its own number."""
    for case in cases:
        for place, want in enumerate(case.want):
            want["dedupe_keys"][-1] = f"mailgun/{TOKEN}/{place}"
    return cases


MIME = _numbered(through(TYPE, whole, occurred_at=lambda _: "2026-01-02T03:04:00Z", dedupe_keys=with_token))

LISTED = json.dumps([["Received", "from x"], ["From", "Joe Doe <joe@x.example>"], ["To", ADDRESS],
                     ["Subject", "A question"], ["Date", "Thu, 01 Jan 2026 10:00:00 +0000"],
                     ["Message-Id", "<m1@x.example>"], ["Content-Type", "text/plain"]])  # fmt: skip


def said(
    label: str, fields: Sequence[Any], *parts: Any, subject: str | None = "A question", **more: Any
) -> InboundCase:
    """The fields of a form, and the message that they are. Its digest is of what was put together."""
    body, headers = posted(*fields)
    want = envelope(b"", words(*parts, subject=subject), channel_type=TYPE, occurred_at="2026-01-02T03:04:00Z", **more)
    return InboundCase(label, body, [want], headers=headers)


PARSED = [
    said("text and headers", [("message-headers", LISTED), ("body-plain", "Hello")], "Hello"),
    said("HTML alone", [("message-headers", LISTED), ("body-html", "<p>Hello</p>")], "Hello"),
    said("both", [("message-headers", LISTED), ("body-plain", "Hello"), ("body-html", "<p>Hello</p>")], "Hello"),
    said("quoted text", [("message-headers", LISTED), ("body-plain", "Hello\n\n> You wrote"),
                         ("stripped-text", "another opinion")], "Hello"),
    said("a file", [("message-headers", LISTED), ("body-plain", "Hello"), ("attachment-count", "1"),
                    ("attachment-1", b"\x89PNG\r\n\x1a\n", "Bild ü.png", "image/png")],
         "Hello", file("image", "part/2", "image/png", 8, "Bild ü.png")),
    said("a picture in the text", [("message-headers", LISTED), ("body-html", '<p>Hi <img src="cid:a@b"></p>'),
                                   ("content-id-map", '{"<a@b>": "attachment-1"}'),
                                   ("attachment-1", b"GIF89a", "a.gif", "image/gif")],
         "Hi", file("image", "part/2", "image/gif", 6, "a.gif")),
    said("no list of headers", [("from", "Joe Doe <joe@x.example>"), ("subject", "A question"),
                                ("Message-Id", "<m1@x.example>"), ("body-plain", "Hello")], "Hello"),
    said("a list that is none", [("message-headers", "[[1]]"), ("From", "Joe Doe <joe@x.example>"),
                                 ("Subject", "A question"), ("Message-Id", "<m1@x.example>"), ("body-plain", "Hello")],
         "Hello"),
    said("a name beyond ASCII", [("from", "Jörg <joe@x.example>"), ("subject", "Grüße"),
                                 ("Message-Id", "<m1@x.example>"), ("body-plain", "Grüße aus Köln")],
         "Grüße aus Köln", subject="Grüße", party={"claims": [{"address": {"scheme": "mailto",
                                                               "value": "joe@x.example"}, "evidence": 1}],
                                                   "name": "Jörg"}),
]  # fmt: skip


def event(name: str, **fields: Any) -> InboundCase:
    data = {"event": name, "id": "ev-1", **fields}
    body = json.dumps({"signature": proof(), "event-data": data}).encode()
    key = f"mailgun/{data['id']}" if data["id"] else None
    want = {"direction": "in", "channel_type": TYPE, "endpoint_id": "endpoint", "account": ADDRESS, "author": "system",
            "occurred_at": "2026-01-02T03:04:05Z", "received_at": "2026-01-02T03:04:05Z",
            **({"external_id": key, "dedupe_keys": [key]} if key else {}),
            "body": {"kind": "unsupported", "what": f"event:{name}", "visible": False}}  # fmt: skip
    return InboundCase(f"an event: {name}", body, [want], headers={"content-type": "application/json"})


WHEN = datetime(2026, 1, 2, 3, 0, 0, tzinfo=UTC).timestamp()


def ours(label: str, name: str, status: str, **facts: Any) -> InboundCase:
    """Of a mail of ours. `failure` is what is wanted; all else is in the event."""
    failure = facts.pop("failure", {})
    message = {"headers": {"message-id": OUR_ID, "to": "joe@x.example"}}
    data = {"event": name, "id": "ev-1", "timestamp": WHEN, "recipient": "joe@x.example", "message": message, **facts}
    body = json.dumps({"signature": proof(), "event-data": data}).encode()
    want = fate(TYPE, status, "joe@x.example", **failure)
    return InboundCase(label, body, [want], headers={"content-type": "application/json"})


GONE = {"code": 550, "enhanced-code": "5.1.1", "message": "nobody"}
EVENTS = [
    event("delivered"),
    event("failed", severity="permanent"),
    event("of-tomorrow", id=None),
    event("opened", message={"headers": {"message-id": OUR_ID}}, recipient="joe@x.example"),
    event("failed", severity="temporary", message={"headers": {"message-id": OUR_ID}}),
    event("delivered", message={"headers": {"message-id": "x" + OUR_ID}}),
    event("delivered", message={"headers": {"message-id": OUR_ID}}, timestamp=1e300),
    event("delivered", message=5),
    ours("accepted", "accepted", "sent"),
    ours("delivered", "delivered", "delivered"),
    ours(
        "failed for good",
        "failed",
        "failed",
        severity="permanent",
        **{"delivery-status": GONE},
        failure={"code": "hard_bounce", "text": "nobody", "provider_code": "5.1.1"},
    ),
    ours(
        "a code and a reason",
        "failed",
        "failed",
        reason="old",
        **{"delivery-status": {"code": 605}},
        failure={"code": "hard_bounce", "text": "old", "provider_code": "605"},
    ),
    ours("not even tried", "rejected", "failed", reason="Sandbox", failure={"code": "soft_bounce", "text": "Sandbox"}),
    ours(
        "a complaint", "complained", "delivered", failure={"code": "complaint", "text": "its reader calls it unwanted"}
    ),
]
EXAMPLE = mail()
