"""The contract that every adapter keeps: what a plain provider says, and what it is told."""

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters._http import MAX_FORM_BYTES
from adapters.base import Malformed
from normalizer.envelope import (
    Audio,
    Choice,
    ChoicesOffered,
    ContactCard,
    Document,
    Image,
    Location,
    MediaRef,
    Part,
    Reaction,
    Template,
    Text,
    Typing,
)
from normalizer.ids import ExternalId
from tests.adapters.sms_http.support import NUMBER, OTHER, SUBJECT, URL, ctx, outbound
from tests.kit import (
    InboundCase,
    OutboundCase,
    Subject,
    check_failures,
    check_inbound,
    check_outbound,
    check_parsed,
    check_rendered,
    check_survives,
    form,
    form_case,
    form_mutations,
    given_reply,
)

KNOWN = {
    "direction": "in",
    "channel_type": "sms_http",
    "endpoint_id": "endpoint",
    "account": NUMBER,
    "occurred_at": "2026-01-02T03:04:05Z",
    "received_at": "2026-01-02T03:04:05Z",
}
WHO = {"scheme": "tel", "value": "+14155550101"}
FROM = KNOWN | {"party": {"claims": [{"address": WHO, "evidence": 2}]}}
SAID = {"id": "m1", "from": "+14155550101", "to": NUMBER, "text": "hello"}
TOLD = {"id": "o1", "to": "+14155550101", "status": "delivered", "ref": "cmd_1"}


def said(label: str, text: str, **fields: str) -> InboundCase:
    body = {"kind": "message", "parts": [{"type": "text", "text": text}]}
    return form_case(label, SAID | {"text": text} | fields, [FROM | IDS | {"body": body}])


IDS: dict[str, Any] = {"external_id": "m1", "dedupe_keys": ["m1"]}


def told(label: str, word: str, status: str, failure: dict[str, str] | None = None) -> InboundCase:
    body: dict[str, Any] = {"kind": "receipt", "status": status, "target": "o1", "recipient": WHO}
    if failure:
        body["failure"] = failure
    want = FROM | {"dedupe_keys": [f"status:o1:{word}"], "echo_key": "cmd_1", "body": body}
    return form_case(label, TOLD | {"status": word}, [want])


def odd(label: str, fields: dict[str, str], what: str, *, visible: bool = True, **more: Any) -> InboundCase:
    body = {"kind": "unsupported", "what": what} | ({} if visible else {"visible": False})
    return form_case(label, fields, [KNOWN | more | {"body": body}])


TEXTS = [
    " héllo + 😀 ", "", "a=b&c=d", "100 %", "STOP", "\n", "٣", "a" * 1600, "<b>", "null", "0", "\u202ex", "🇧🇷", "'",
    '"', "+", "%2B", "#", "😀" * 70, "\t", "e\u0301", "מה", "ok?",
]  # fmt: skip
INBOUND = [
    said("a text", "hello"),
    *[said(f"a text: {text[:9]!r}", text) for text in TEXTS],
    form_case(
        "from a short code", SAID | {"from": "384387"},
        [KNOWN | IDS | {"party": {"claims": [{"address": {"scheme": "tel", "value": "384387"}, "evidence": 2}]},
                        "body": {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}}],
    ),
    said("a field that nobody knows", "hello", carrier="x"),
    said("an empty status is none", "hello", status=""),
    told("sent", "sent", "sent"),
    told("delivered", "delivered", "delivered"),
    told("failed", "failed", "failed", {"code": "refused", "text": "the provider says so", "provider_code": "failed"}),
    form_case(
        "a receipt without our key", {k: v for k, v in TOLD.items() if k != "ref"},
        [FROM | {"dedupe_keys": ["status:o1:delivered"],
                 "body": {"kind": "receipt", "status": "delivered", "target": "o1", "recipient": WHO}}],
    ),
    form_case(
        "a receipt without a number", {k: v for k, v in TOLD.items() if k != "to"},
        [KNOWN | {"dedupe_keys": ["status:o1:delivered"], "echo_key": "cmd_1",
                  "body": {"kind": "receipt", "status": "delivered", "target": "o1"}}],
    ),
    odd("a status that nobody knows", TOLD | {"status": "levitated"}, "status:levitated", visible=False,
        party=FROM["party"], dedupe_keys=["status:o1:levitated"], echo_key="cmd_1"),
    odd("a status that is very long", TOLD | {"status": "x" * 99}, "status:" + "x" * 40, visible=False,
        party=FROM["party"], dedupe_keys=["status:o1:" + "x" * 99], echo_key="cmd_1"),
    odd("a receipt of nothing", TOLD | {"id": ""}, "status:delivered", visible=False, party=FROM["party"],
        echo_key="cmd_1"),
    odd("a text of nobody", SAID | {"from": ""}, "sender", **IDS),
    odd("something else", {"hello": "world"}, "sender"),
    form_case("a text without an id", {k: v for k, v in SAID.items() if k != "id"},
              [FROM | {"body": {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}}]),
]  # fmt: skip
THEIRS = [
    form_case(
        "their names", {"message-id": "m1", "msisdn": "+14155550101", "shortcode": NUMBER, "msg": "hello"},
        [FROM | IDS | {"body": {"kind": "message", "parts": [{"type": "text", "text": "hello"}]}}],
    ),
    *[
        form_case(
            f"their word {word}",
            {"message-id": "o1", "shortcode": "+14155550101", "state": word, "client-ref": "cmd_1"},
            [FROM | {"dedupe_keys": [f"status:o1:{word}"], "echo_key": "cmd_1",
                     "body": {"kind": "receipt", "status": ours, "target": "o1", "recipient": WHO} | failure}],
        )
        for word, ours, failure in (
            ("DELIVRD", "delivered", {}),
            ("ACCEPTD", "sent", {}),
            ("UNDELIV", "failed",
             {"failure": {"code": "refused", "text": "the provider says so", "provider_code": "UNDELIV"}}),
        )
    ],
]  # fmt: skip
ALL = [*[(SUBJECT, case) for case in INBOUND], *[(OTHER, case) for case in THEIRS]]


@pytest.mark.parametrize(("subject", "case"), ALL, ids=str)
def test_inbound(subject: Subject, case: InboundCase) -> None:
    check_inbound(subject, case)
    check_parsed(subject, case)


@pytest.mark.parametrize(("subject", "case"), [one for one in ALL if one[1].body], ids=str)
@given(data=st.data())
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_field_wrong(subject: Subject, case: InboundCase, data: st.DataObject) -> None:
    """Any field dropped, empty, repeated or full of junk: still one envelope."""
    _, body = data.draw(form_mutations(case.body))
    envelopes = check_survives(subject, body)
    assert len(envelopes or ()) == (1 if body else 0)


@pytest.mark.parametrize("body", [b"", b"&&", b"a=" + b"x" * MAX_FORM_BYTES, b"a=1&" * 2000])
def test_what_is_no_form_is_malformed(body: bytes) -> None:
    assert check_survives(SUBJECT, body) is None
    with pytest.raises(Malformed):
        SUBJECT.adapter.parse(SUBJECT.raw(body))


@given(st.binary(max_size=200))
def test_any_bytes_survive(body: bytes) -> None:
    check_survives(SUBJECT, body)


@pytest.mark.parametrize("name", sorted(SAID | TOLD))
def test_a_huge_field_costs_little(name: str) -> None:
    """A hundred thousand bytes of anything."""
    for junk in ("[" * 33_000, "x" * 99_000, "é" * 16_000):
        assert check_survives(SUBJECT, form(SAID | {name: junk})) is not None


# --- outbound -----------------------------------------------------------------------------------------------------

TAKEN = given_reply({"status": 200, "json": {"id": "o1"}})
SHARED = {"from": NUMBER, "to": "+14155550101", "ref": "cmd_1"}
FILE = MediaRef(stored="f" * 64)
LINK = "https://gateway.example.org/media/f?sig=1"


def call(text: str, **fields: str) -> dict[str, Any]:
    return {"method": "POST", "url": URL, "auth": "token", "form": SHARED | {"text": text} | fields}


def sent(label: str, *parts: Part, texts: list[str], **facts: Any) -> OutboundCase:
    replies = [TAKEN] * len(texts)
    ids = ["o1"] * len(texts)
    return OutboundCase(label, outbound(*parts), ctx(**facts), replies, [call(text) for text in texts], ids)


def fails(label: str, status: int, document: Any, **error: Any) -> OutboundCase:
    reply = given_reply({"status": status, "json": document, "headers": error.pop("headers", {})})
    return OutboundCase(label, outbound(), ctx(), [reply], [call("hello")], error=error)


OUTBOUND = [
    sent("a text", Text("hello"), texts=["hello"]),
    sent("odd letters", Text("héllo + 😀 & = %"), texts=["héllo + 😀 & = %"]),
    sent("at the limit", Text("a" * 1600), texts=["a" * 1600]),
    sent("one past the limit", Text("b" * 1601), texts=["b" * 1600, "b"]),
    sent("two parts", Text("one"), Text("two"), texts=["one", "two"]),
    sent("a picture is a link", Image(FILE, "see"), texts=[f"see\n{LINK}"], media_urls={"f" * 64: LINK}),
    sent("a sound is a link", Audio(FILE), texts=[LINK], media_urls={"f" * 64: LINK}),
    sent("a document of elsewhere", Document(MediaRef(url="https://a.example/b")), texts=["https://a.example/b"]),
    sent("a place is a link", Location(1.5, -2), texts=["https://maps.google.com/?q=1.500000,-2.000000"]),
    sent("a card is a text", ContactCard("Ann", ("+1",)), texts=["Ann\n+1"]),
    sent("choices are counted", ChoicesOffered("?", (Choice("a", "Yes"), Choice("b", "No"))),
         texts=["?\n\n1. Yes\n2. No"]),
    OutboundCase("an id that is a number", outbound(), ctx(), [given_reply({"status": 201, "json": {"id": 7}})],
                 [call("hello")], ["7"]),
    OutboundCase("to a short code", outbound(), ctx("tel:384387"), [TAKEN], [call("hello", to="384387")], ["o1"]),
    OutboundCase("to another channel", outbound(), ctx("mailto:a@b"), [], [], error={"class": "Refused"}),
    OutboundCase("a template", outbound(Template("t", "en")), ctx(), [], [], error={"class": "TemplateRefused"}),
    OutboundCase("a file without a link", outbound(Image(FILE)), ctx(), [], [], error={"class": "MediaFailed"}),
    OutboundCase("a reaction", outbound(body=Reaction(ExternalId("m1"), "👍")), ctx(), [], [],
                 error={"class": "Refused"}),
    OutboundCase("writing", outbound(body=Typing()), ctx(), [], [], error={"class": "Refused"}),
    OutboundCase("a blank", outbound(Text(" ")), ctx(), [], [], error={"class": "Refused"}),
    OutboundCase("the second one fails", outbound(Text("one"), Text("two")), ctx(),
                 [TAKEN, given_reply({"status": 503})], [call("one"), call("two")], ["o1"],
                 {"class": "Unavailable", "retryable": True}),
    OutboundCase("no answer", outbound(), ctx(), [given_reply({"status": 0})], [call("hello")],
                 error={"class": "NoAnswer", "certain": False}),
    fails("the token", 401, {}, **{"class": "CredentialsRefused"}),
    fails("too much", 429, {}, headers={"Retry-After": "3"}, **{"class": "Throttled", "retry_after_s": 3.0}),
    fails("refused", 400, {}, **{"class": "Refused", "retryable": False}),
    fails("their trouble", 500, {}, **{"class": "Unavailable", "certain": False}),
    fails("taken without an id", 200, {}, **{"class": "NoAnswer", "certain": False}),
    fails("taken with an odd id", 200, {"id": []}, **{"class": "NoAnswer", "certain": False}),
    fails("taken, a list", 200, [1], **{"class": "NoAnswer", "certain": False}),
]  # fmt: skip


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


def test_their_names_go_out_too() -> None:
    """Of the fields that are sent, and of the id that is answered."""
    fields = {"msisdn": NUMBER, "shortcode": "+14155550101", "msg": "hello", "client-ref": "cmd_1"}
    reply = given_reply({"status": 200, "json": {"message-id": "o1"}})
    want = {"method": "POST", "url": URL, "form": fields}
    check_outbound(OTHER, OutboundCase("theirs", outbound(), ctx(), [reply], [want], ["o1"]))


def test_failures_land_in_their_class() -> None:
    check_failures(SUBJECT, outbound(), ctx())


def test_the_raw_is_the_form() -> None:
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(form(SAID)))
    assert json.loads(bytes(envelope.raw or b"")) == SAID
