"""Mails out, as cases for every adapter that carries mail: all of them send in the same way."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from adapters._mail import anchor_for, message_id_for, thread_of, token_for
from adapters.base import LegView, NoAnswer, NotReached, Reply, SendContext
from normalizer import codec
from normalizer.address import parse_address
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId
from tests.kit import OutboundCase
from tests.kit.cases import ENDPOINT, NOW

KEY = "a-key-that-signs-threads-for-tests-1"
OURS, THEIRS = "support@shop.example", "joe@x.example"
ECHO = "cmd_0011:0"
QUESTION = "q1@x.example"
THREAD = thread_of(QUESTION)
ID = message_id_for(ECHO, THREAD, KEY, "shop.example")
ANCHOR = anchor_for(THREAD, KEY, "shop.example")
REPLY_TO = f"support+{token_for(THREAD, KEY)}@shop.example"
STORED = "ab" * 32
TAKEN = Reply(250, {}, b'{"text":"2.0.0 queued"}')


def message(*parts: str | Mapping[str, Any], author: str = "agent", name: str | None = None, **body: Any) -> Envelope:
    """What is a text stands for itself."""
    made = [{"type": "text", "text": part} if isinstance(part, str) else dict(part) for part in parts]
    return envelope({"kind": "message", "parts": made, **body}, author=author, name=name)


def envelope(body: Mapping[str, Any], *, author: str = "agent", name: str | None = None) -> Envelope:
    fields = {
        "v": codec.VERSION, "id": "env_1", "direction": "out", "channel_type": "mail", "endpoint_id": ENDPOINT,
        "author": author, "occurred_at": "2026-01-02T03:04:05Z", "party": {"name": name} if name else {}, "body": body,
    }  # fmt: skip
    return codec.decode(json.dumps(fields).encode())


def ctx(address: str = f"mailto:{THEIRS}", **facts: Any) -> SendContext:
    """An answer to QUESTION, unless told otherwise."""
    leg = {"native_thread": THREAD, "last_inbound": ExternalId(QUESTION), "subject": "A question", "before": ()}
    leg |= {key: facts.pop(key) for key in tuple(leg) if key in facts}
    return SendContext(**{"now": NOW, "account": OURS, "echo_key": ECHO, **facts},
                       leg=LegView(address=parse_address(address), **leg))  # type: ignore[arg-type]  # fmt: skip


def refused(status: int, text: str, *, at_recipient: bool = False) -> Reply:
    body: dict[str, Any] = {"text": text}
    if at_recipient:
        body["refused"] = {THEIRS: (status, text)}
    return Reply(status, {}, msgspec.json.encode(body))


def taken(label: str, sent: Envelope, context: SendContext | None = None, *, id: str = ID, also: Sequence[str] = (),
          reply: Reply = TAKEN, **call: Any) -> OutboundCase:  # fmt: skip
    usual = {"sender": OURS, "recipients": [THEIRS]}
    return OutboundCase(label, sent, context or ctx(), [reply], calls=[{**usual, **call}], ids=(id, *also))


def failing(label: str, reply: Reply | NoAnswer | NotReached, kind: str, facts: Mapping[str, Any] = {},
            context: SendContext | None = None) -> OutboundCase:  # fmt: skip
    call = {"sender": OURS, "recipients": [THEIRS]}
    error = {"class": kind, **facts}
    return OutboundCase(label, message("Hello"), context or ctx(), [reply], calls=[call], error=error)


def never(label: str, sent: Envelope, kind: str = "Refused", context: SendContext | None = None) -> OutboundCase:
    """Nothing goes out."""
    error = {"class": kind, "certain": True, "retryable": False}
    return OutboundCase(label, sent, context or ctx(), [], calls=[], error=error)


def silent(label: str, sent: Envelope, context: SendContext | None = None) -> OutboundCase:
    return OutboundCase(label, sent, context or ctx(), [], calls=[], ids=())


PICTURE = {"type": "image", "media": {"stored": STORED, "sniffed": "image/png", "filename": "a.png"}}
NEW_THREAD = thread_of(ECHO)
NEW_ID = message_id_for(ECHO, NEW_THREAD, KEY, "shop.example")
NO, LATER = {"retryable": False, "certain": True}, {"retryable": True, "certain": True}
"""For good, and for now."""

CASES: Sequence[OutboundCase] = [
    # --- what goes out
    taken("a text", message("Hello")),
    taken("an agent answers", message("Hello", name="Joe Doe")),
    taken("the AI answers", message("Hello", author="ai")),
    taken("a file", message("See below", PICTURE), attachments=[
        {"stored": STORED, "filename": "a.png", "mime": "image/png", "content_id": None}]),
    taken("a file alone", message(PICTURE)),
    taken("a file without a name", message(
        {"type": "document", "media": {"stored": STORED, "mime": "application/pdf"}}), attachments=[
              {"stored": STORED, "filename": "document.pdf", "mime": "application/pdf", "content_id": None}]),
    taken("a place", message({"type": "location", "latitude": 1.5, "longitude": -2.5, "name": "Shop"})),
    taken("a card", message({"type": "contact_card", "name": "Ann", "phones": ["+49301234"]})),
    taken("a question", message({"type": "choices_offered", "text": "Which?", "choices": [
        {"id": "a", "title": "Red"}, {"id": "b", "title": "Blue"}]})),
    taken("nothing was asked yet", message("Hello"), ctx(native_thread=None, last_inbound=None, subject=None),
          id=NEW_ID),
    taken("an id of an arrival is not answered", message("Hello"), ctx(last_inbound=ExternalId("INBOX/7/12"))),
    taken("a domain with an umlaut", message("Hello"), ctx("mailto:joe@bücher.example"),
          recipients=["joe@xn--bcher-kva.example"]),
    taken("a name beyond ASCII", message("Hello"), ctx("mailto:jürgen@x.example"), recipients=["jürgen@x.example"]),
    taken("a group", message("Hello"), ctx("mailto:ann@y.example,joe@x.example"),
          recipients=["ann@y.example", "joe@x.example"]),
    taken("one of a group is refused, the other has it", message("Hello"), ctx("mailto:ann@y.example,joe@x.example"),
          recipients=["ann@y.example", "joe@x.example"], reply=Reply(
              250, {}, b'{"text":"ok","refused":{"joe@x.example":[550,"5.1.1 who"]}}')),
    taken("taken in other words", message("Hello"), reply=Reply(250, {}, b"{}")),
    # --- what does not
    silent("we read it", envelope({"kind": "receipt", "status": "read", "target": QUESTION})),
    silent("somebody writes", envelope({"kind": "typing"})),
    silent("a step past the last one", message("Hello"), ctx(step=1)),
    never("nothing", message()),
    never("blanks", message(" \n ")),
    never("a template", message({"type": "template", "name": "a", "language": "de"}), "TemplateRefused"),
    never("an order", message({"type": "order", "items": []})),
    never("a file that is not here", message({"type": "image", "media": {"url": "https://x.example/a.png"}}),
          "MediaFailed"),
    never("a reaction", envelope({"kind": "reaction", "target": QUESTION, "emoji": "x"})),
    never("an edit", envelope({"kind": "edit", "target": QUESTION, "parts": []})),
    never("a note", envelope({"kind": "note", "text": "psst"})),
    never("a number", message("Hello"), context=ctx("tel:+49301234")),
    *(never(f"an address that is none: {address!r}", message("Hello"), context=ctx(f"mailto:{address}"))
      for address in ("joe", "joe@", "@x.example", "a b@x.example", "joe@x.example\r\nBcc: eve@y.example", "a@b@c",
                      "joe@x.example,", "<joe@x.example>", "joe@x .example", "joe@x.example\x00")),
    # --- what the server says
    failing("nobody has this address", refused(550, "5.1.1 <joe@x.example> who", at_recipient=True), "Unreachable",
            {**NO, "provider_code": "550 5.1.1"}),
    failing("refused without a reason", refused(550, "no", at_recipient=True), "Unreachable",
            {**NO, "provider_code": "550"}),
    failing("the mailbox is closed", refused(550, "5.2.1 disabled", at_recipient=True), "Unreachable", NO),
    failing("no such domain", refused(556, "5.1.10 null MX", at_recipient=True), "Unreachable", NO),
    failing("greylisted", refused(451, "4.7.1 come back", at_recipient=True), "Throttled",
            {**LATER, "scope": "recipient", "retry_after_s": 60.0}),
    failing("the mailbox is full for now", refused(452, "4.2.2 full", at_recipient=True), "Throttled",
            {**LATER, "scope": "recipient"}),
    failing("their disk is full", refused(452, "4.3.1 no space"), "Unavailable", {**LATER, "retry_after_s": 60.0}),
    failing("trouble for the third time", refused(451, "4.3.0 later"), "Unavailable", {**LATER, "retry_after_s": 960.0},
            ctx(attempt=3)),
    failing("closing", refused(421, "4.3.2 going down"), "Unavailable", LATER),
    failing("too much at once", refused(421, "4.7.28 rate"), "Throttled", {**LATER, "scope": "channel"}),
    failing("the day's quota", refused(550, "5.4.5 Daily user sending quota exceeded"), "Throttled",
            {**LATER, "scope": "channel", "retry_after_s": 3600.0}),
    failing("a login is needed", refused(530, "5.7.0 authentication required"), "CredentialsRefused",
            {**NO, "provider_code": "530 5.7.0"}),
    failing("Microsoft: basic authentication is off", refused(550, "5.7.30 not supported"), "CredentialsRefused", NO),
    failing("Microsoft: we are locked", refused(550, "5.1.8 bad outbound sender"), "ChannelBlocked", NO),
    failing("spam, it thinks", refused(554, "5.7.1 looks like spam"), "Refused", {**NO, "provider_code": "554 5.7.1"}),
    failing("too large", refused(552, "5.3.4 too large"), "Refused", NO),
    failing("a syntax that it does not know", refused(501, "5.5.4 syntax"), "Refused", NO),
    failing("no answer", NoAnswer("no answer came in time"), "NoAnswer", {"certain": False}),
    failing("an answer that is none", Reply(199, {}, b"{}"), "NoAnswer", {"certain": False}),
]  # fmt: skip
"""What a mail looks like is in test_compose.py."""

UNSPOKEN: Sequence[OutboundCase] = [
    failing("no connection", NotReached("x"), "NotReached", {**LATER, "retry_after_s": 60.0}),
    failing("taken, in words that can not be read", Reply(250, {}, b"\xff"), "NoAnswer", {"certain": False}),
]
"""What can not be typed as an answer for `throughline render`."""
