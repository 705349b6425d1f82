"""The subject of these tests: Postmark's JSON, typed by hand."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from adapters.base import RawInbound
from adapters.mail_postmark import REGISTRATION, TYPE, Config
from tests.adapters._mail.hooks import SECRETS, SETTINGS, fate, through
from tests.adapters.mail.support import ADDRESS, OUR_ID, claim, envelope, file, mail, words
from tests.kit import InboundCase, Subject

PASSWORD, OLD_PASSWORD = "the-password-of-the-hook", "the-password-of-before"
CONFIG = Config(**SETTINGS, hook_user="post", hook_passwords=(PASSWORD, OLD_PASSWORD))
JSON = {"content-type": "application/json"}


def basic(password: str = PASSWORD, user: str = "post") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _sign(raw: RawInbound) -> Mapping[str, str]:
    return {"authorization": basic()}


SUBJECT = Subject(registration=REGISTRATION, config=CONFIG, sign=_sign, secrets=(*SECRETS, PASSWORD, OLD_PASSWORD))
HEADERS = [
    {"Name": "Return-Path", "Value": "<joe@x.example>"},
    {"Name": "Received", "Value": "from x by mx"},
    {"Name": "Message-ID", "Value": "<m1@x.example>"},
]
DOCUMENT: dict[str, Any] = {
    "FromName": "Joe Doe",
    "MessageStream": "inbound",
    "From": "joe@x.example",
    "FromFull": {"Email": "joe@x.example", "Name": "Joe Doe", "MailboxHash": ""},
    "To": f'"Support" <{ADDRESS}>',
    "ToFull": [{"Email": ADDRESS, "Name": "Support", "MailboxHash": ""}],
    "Cc": "", "CcFull": [], "Bcc": "", "BccFull": [],
    "OriginalRecipient": ADDRESS,
    "Subject": "A question",
    "MessageID": "73e6d360-66eb-11e1-8e72-a8904824019b",
    "ReplyTo": "",
    "MailboxHash": "",
    "Date": "Thu, 01 Jan 2026 10:00:00 +0000",
    "TextBody": "Hello",
    "HtmlBody": "",
    "StrippedTextReply": "something else",
    "Tag": "",
    "Headers": HEADERS,
    "Attachments": [],
}  # fmt: skip


def posted(**changes: Any) -> bytes:
    return json.dumps({**DOCUMENT, **changes}).encode()


def whole(data: bytes) -> tuple[bytes, Mapping[str, str]]:
    return posted(RawEmail=data.decode("utf-8", "surrogateescape")), JSON


def _is_text(case: InboundCase) -> bool:
    """What goes through JSON is UTF-8."""
    try:
        json.loads(case.body)["RawEmail"].encode()
    except UnicodeError:
        return False
    return True


MIME = [case for case in through(TYPE, whole) if _is_text(case)]


def said(label: str, changes: Mapping[str, Any], *parts: Any, body: Mapping[str, Any] | None = None,
         **more: Any) -> InboundCase:  # fmt: skip
    want = envelope(b"", words(*parts, **(body or {})), **{"channel_type": TYPE, **more})
    return InboundCase(label, posted(**changes), [want], headers=JSON)


def attached(**facts: Any) -> dict[str, Any]:
    usual = {"Name": "a.png", "Content": b64encode(b"\x89PNG\r\n\x1a\n").decode(), "ContentType": "image/png"}
    return {**usual, "ContentLength": 8, "ContentID": "", **facts}


PICTURE = file("image", "part/2", "image/png", 8, "a.png")
PARSED = [
    said("a text", {}, "Hello"),
    said("HTML alone", {"TextBody": "", "HtmlBody": "<p>Hello</p>"}, "Hello"),
    said("both", {"HtmlBody": "<p>Hello</p>"}, "Hello"),
    said("quoted text", {"TextBody": "Hello\n\n> You wrote"}, "Hello"),
    said("a file", {"Attachments": [attached()]}, "Hello", PICTURE),
    said("a file of a test", {"Attachments": [attached(Content=None, Data=attached()["Content"])]}, "Hello", PICTURE),
    said("a picture in the text", {"HtmlBody": '<p>Hello <img src="cid:a@b"></p>', "TextBody": "",
                                   "Attachments": [attached(ContentID="<a@b>")]}, "Hello", PICTURE),
    said("a file that is not BASE64", {"Attachments": [attached(Content="*")]}, "Hello"),
    said("a list of files that is none", {"Attachments": "x"}, "Hello"),
    said("a name beyond ASCII", {"FromFull": {"Email": "joe@x.example", "Name": "Jörg, Doe"}}, "Hello",
         party={"claims": [claim("joe@x.example")], "name": "Jörg, Doe"}),
    said("From in one line", {"FromFull": None, "From": "Joe Doe <joe@x.example>"}, "Hello"),
    said("the answer goes elsewhere", {"ReplyTo": "ann@y.example"}, "Hello",
         party={"claims": [claim("ann@y.example")], "name": "Joe Doe"}),
    said("headers that are none", {"Headers": [5, {"Name": "Message-ID"}, *HEADERS]}, "Hello"),
    said("a machine", {"Headers": [*HEADERS, {"Name": "Auto-Submitted", "Value": "auto-replied"}]}, "Hello",
         automated=True),
    said("an empty sender", {"Headers": [{"Name": "Return-Path", "Value": "<>"}, *HEADERS[1:]]}, "Hello",
         automated=True),
    said("a subject with an injection", {"Subject": "A question\r\nAuto-Submitted: auto-replied"}, "Hello",
         body={"subject": "A question Auto-Submitted: auto-replied"}),
]  # fmt: skip


def event(kind: str, **facts: Any) -> InboundCase:
    document = {"RecordType": kind, "ID": 4323372036854775807, "MessageID": "x", **facts}
    key = f"postmark/{kind}/{document['ID']}" if document["ID"] is not None else None
    want = {"direction": "in", "channel_type": TYPE, "endpoint_id": "endpoint", "account": ADDRESS, "author": "system",
            "occurred_at": "2026-01-02T03:04:05Z", "received_at": "2026-01-02T03:04:05Z",
            **({"external_id": key, "dedupe_keys": [key]} if key else {}),
            "body": {"kind": "unsupported", "what": f"event:{kind}", "visible": False}}  # fmt: skip
    return InboundCase(f"an event: {kind}", json.dumps(document).encode(), [want], headers=JSON)


META = {"our-id": OUR_ID.partition("@")[0]}


def ours(label: str, kind: str, status: str, failure: Mapping[str, str] = {}, **facts: Any) -> InboundCase:
    """Of a mail of ours."""
    document = {"RecordType": kind, "MessageID": "x", "Metadata": META, **facts}
    want = fate(TYPE, status, "joe@x.example", **failure)
    return InboundCase(label, json.dumps(document).encode(), [want], headers=JSON)


AT = {"Email": "joe@x.example", "BouncedAt": "2026-01-02T03:00:00Z"}
EVENTS = [
    event("Bounce"),
    event("Delivery", ID=None),
    event("OfTomorrow"),
    event("Open", Metadata=META),
    event("Bounce", Metadata=META, Type="Transient"),
    event("Delivery", Metadata={"our-id": "x" + META["our-id"]}),
    event("Delivery", Metadata={"our-id": 5}),
    event("Delivery", Metadata="x"),
    ours("delivered", "Delivery", "delivered", Recipient="joe@x.example", DeliveredAt="2026-01-02T03:00:00Z"),
    ours(
        "nobody there",
        "Bounce",
        "failed",
        {"code": "hard_bounce", "text": "no", "provider_code": "HardBounce"},
        **AT,
        Type="HardBounce",
        Description="no",
    ),
    ours(
        "no room",
        "Bounce",
        "failed",
        {"code": "soft_bounce", "text": "full", "provider_code": "SoftBounce"},
        **AT,
        Type="SoftBounce",
        Details="full",
    ),
    ours(
        "a complaint", "SpamComplaint", "delivered", {"code": "complaint", "text": "its reader calls it unwanted"}, **AT
    ),
]
EXAMPLE = mail()
