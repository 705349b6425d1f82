"""The kit fails where an adapter breaks the contract."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given

from adapters.base import (
    Attachment,
    Flow,
    HttpCall,
    MailCall,
    MailReply,
    RawInbound,
    Refused,
    Reply,
    Request,
    SendContext,
    Sent,
    Server,
    Unauthentic,
)
from normalizer.envelope import Envelope
from normalizer.ids import ExternalId
from tests.adapters.whatsapp.support import (
    SUBJECT,
    ctx,
    delivery,
    encoded,
    inbound_cases,
    message,
    outbound_cases,
    text_message,
    value,
)
from tests.kit import (
    FORM,
    HOOK_URL,
    InboundCase,
    OutboundCase,
    Subject,
    as_raw,
    check_failures,
    check_forged,
    check_inbound,
    check_outbound,
    check_parsed,
    check_refused,
    check_rendered,
    forged_body,
    forged_header,
    form,
    form_case,
    form_mutations,
)
from tests.kit.mutate import DROPPED, REPEATED, mutated, mutated_form, paths

TEXT = message({"kind": "message", "parts": [{"type": "text", "text": "hello"}]})
BODY = encoded(delivery(value(messages=[text_message()])))
OK = Reply(200, {}, b'{"messages":[{"id":"wamid.1"}]}')


def test_an_unused_reply_fails() -> None:
    """A case that gives more answers than are asked for is wrong about the adapter."""
    case = OutboundCase("twice", TEXT, ctx(), [OK, OK], calls=[{"method": "POST"}], ids=["wamid.1"])
    with pytest.raises(AssertionError):
        check_outbound(SUBJECT, case)


def test_a_missing_reply_fails() -> None:
    """So is one that gives fewer."""
    with pytest.raises(AssertionError, match="no answer for"):
        check_outbound(SUBJECT, OutboundCase("none", TEXT, ctx(), [], calls=[]))


def test_other_envelopes_fail() -> None:
    """A want that is not what came out."""
    with pytest.raises(AssertionError):
        check_inbound(SUBJECT, InboundCase("none", BODY, []))


def test_a_request_that_verifies_is_not_refused() -> None:
    """Junk that an adapter takes is a failure."""
    with pytest.raises(AssertionError, match="accepted"):
        check_refused(SUBJECT, SUBJECT.raw(BODY))


def test_a_secret_that_can_be_seen_fails() -> None:
    """Here the customer's own number stands for a secret."""
    leaky = Subject(SUBJECT.registration, SUBJECT.config, SUBJECT.sign, ["16505551234"])
    with pytest.raises(AssertionError):
        check_outbound(leaky, OutboundCase("leak", TEXT, ctx(), [OK], calls=[{"method": "POST"}], ids=["wamid.1"]))


class Careless:
    """Takes every answer for a refusal of the message."""

    capabilities = SUBJECT.adapter.capabilities

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        reply = yield HttpCall(method="POST", url="https://example.org")
        if reply.status != 200:
            raise Refused("something")
        return Sent()


def test_a_careless_adapter_fails() -> None:
    """429 is no refusal of the message."""
    registration = msgspec.structs.replace(SUBJECT.registration, build=lambda *_: Careless())
    with pytest.raises(AssertionError, match="throttled"):
        check_failures(Subject(registration, None, SUBJECT.sign, []), TEXT, ctx())


def test_mutations() -> None:
    """Every place but the root, once; the original stays as it was."""
    document = {"a": [1, {"b": 2}]}
    assert list(paths(document)) == [("a",), ("a", 0), ("a", 1), ("a", 1, "b")]
    assert mutated(document, ("a", 1, "b"), DROPPED) == {"a": [1, {}]}
    assert mutated(document, ("a", 0), None) == {"a": [None, {"b": 2}]}
    assert document == {"a": [1, {"b": 2}]}


def test_raw_is_signed_unless_headers_are_given() -> None:
    """As the provider would, or as somebody else."""
    assert isinstance(SUBJECT.raw(b"x"), RawInbound)
    assert SUBJECT.raw(b"x").headers
    assert SUBJECT.raw(b"x", headers={}).headers == {}


# --- requests of every kind ---------------------------------------------------------------------------------------


def _all_signed(raw: RawInbound) -> Mapping[str, str]:
    return {"x-proof": f"{raw.method} {raw.public_url} {raw.body.decode()}"}


PLAIN = Subject(SUBJECT.registration, SUBJECT.config, _all_signed, [], facts={"method": "GET", "headers": {"a": "1"}})


def test_a_case_may_be_any_request() -> None:
    """The signature is made over the request as the case describes it."""
    case = form_case("x", {"a": "é", "b": ["", "2"]}, [], method="POST", path="/status", query="k=1")
    raw = PLAIN.raw(case.body, **case.facts())
    assert (raw.method, raw.path, raw.query, raw.body) == ("POST", "/status", "k=1", b"a=%C3%A9&b=&b=2")
    assert raw.public_url == f"{HOOK_URL}/status?k=1"
    proof = f"POST {HOOK_URL}/status?k=1 a=%C3%A9&b=&b=2"
    assert raw.headers == {"a": "1", "content-type": FORM, "x-proof": proof}


def test_what_a_case_leaves_out_is_the_subjects() -> None:
    """Facts of the subject stand where a case says nothing, and only there."""
    raw = PLAIN.raw(b"", **InboundCase("x", b"", []).facts())
    assert (raw.method, raw.headers) == ("GET", {"a": "1", "x-proof": f"GET {HOOK_URL} "})


def test_what_was_pulled_is_not_signed() -> None:
    """Nobody signs what we asked for, and nobody verifies it."""
    case = InboundCase("x", BODY, [], origin="pulled", method="MAIL", headers={"b": "2"})
    raw = PLAIN.raw(BODY, **case.facts())
    assert (raw.origin, raw.method, raw.headers) == ("pulled", "MAIL", {"a": "1", "b": "2"})


def test_a_simulators_request_is_a_raw() -> None:
    """With the path below the hook's, its query, and names of headers in lower case."""
    raw = as_raw(PLAIN, Request(method="PUT", url=f"{HOOK_URL}/x?y=%2B", headers={"X-A": "1"}, body=b"z"))
    assert (raw.method, raw.path, raw.query, raw.headers) == ("PUT", "/x", "y=%2B", {"x-a": "1"})
    assert raw.public_url == f"{HOOK_URL}/x?y=%2B"


# --- forgery ------------------------------------------------------------------------------------------------------

HEADER = "x-hub-signature-256"


def test_the_usual_forgeries_are_refused() -> None:
    """By an adapter that checks."""
    good = SUBJECT.raw(BODY)
    check_forged(SUBJECT, good, {**forged_header(good, HEADER), **forged_body(good)})


class Trusting:
    """Takes any signature of the right length."""

    def verify(self, raw: RawInbound) -> None:
        if len(raw.headers.get(HEADER, "")) != 71:
            raise Unauthentic


def _trusting() -> Subject:
    return Subject(msgspec.structs.replace(SUBJECT.registration, build=lambda *_: Trusting()), None, SUBJECT.sign, [])


def test_a_forgery_that_is_taken_fails() -> None:
    """And says which one it was."""
    good = SUBJECT.raw(BODY)
    with pytest.raises(AssertionError, match="another beginning: accepted"):
        check_forged(_trusting(), good, forged_header(good, HEADER), least=1)


def test_too_few_or_the_same_forgeries_fail() -> None:
    """A matrix of copies proves nothing, nor does one of a request that is refused itself."""
    good = SUBJECT.raw(BODY)
    bad = SUBJECT.raw(BODY, headers={})
    with pytest.raises(AssertionError, match="1 variants"):
        check_forged(SUBJECT, good, {"a": bad})
    with pytest.raises(AssertionError, match="b: seen before"):
        check_forged(SUBJECT, good, {"a": bad, "b": bad}, least=2)
    with pytest.raises(Unauthentic):
        check_forged(SUBJECT, bad, {"a": bad}, least=1)


# --- forms and mails ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "want"),
    [
        (DROPPED, b"a=1"),
        (REPEATED, b"a=1&b=%3F&b="),
        ("x&y", b"a=1&b=x%26y"),
        ("\ud800", b"a=1&b=%ED%A0%80"),
    ],
)
def test_a_field_of_a_form_that_is_changed(change: object, want: bytes) -> None:
    """Blank fields are fields."""
    assert mutated_form([("a", "1"), ("b", "")], 1, change) == want


@given(form_mutations(form({"a": "1", "b": ""})))
def test_form_mutations_name_the_field(mutation: tuple[str, bytes]) -> None:
    """Which other fields stay as they were."""
    name, body = mutation
    assert (b"a=1" in body) or name == "a"


class Posting:
    """Sends a form, then a mail."""

    capabilities = SUBJECT.adapter.capabilities
    mail = MailCall(
        server=Server(host="mail.example", port=25),
        login=None,
        sender="us@example.org",
        recipients=("a@example.org",),
        message=b"Subject: x\r\n\r\nhello",
        attachments=(Attachment(stored="f" * 64, filename="a.pdf", mime="application/pdf"),),
    )

    def send(self, message: Envelope, ctx: SendContext) -> Flow[Sent]:
        yield HttpCall(
            method="POST", url="https://a.example", headers={"Content-Type": FORM}, body=b"To=%2B1&Media=a&Media=b&C="
        )
        reply = yield self.mail
        if reply.status != 250:
            raise Refused(f"status {reply.status}")
        refused = msgspec.json.decode(reply.body, type=MailReply).refused
        return Sent((ExternalId(f"{len(refused)} refused"),))


POSTING = Subject(msgspec.structs.replace(SUBJECT.registration, build=lambda *_: Posting()), None, SUBJECT.sign, [])
A_FORM: dict[str, Any] = {
    "method": "POST",
    "url": "https://a.example",
    "form": {"To": "+1", "Media": ["a", "b"], "C": ""},
}
A_MAIL: dict[str, Any] = {
    "sender": "us@example.org",
    "recipients": ["a@example.org"],
    "message": "Subject: x\r\n\r\nhello",
    "attachments": [{"stored": "f" * 64, "filename": "a.pdf", "mime": "application/pdf", "content_id": None}],
}


def test_forms_and_mails_are_calls_of_a_case() -> None:
    """Both are compared, and both get their answers from the case."""
    taken = Reply(250, {}, msgspec.json.encode(MailReply(refused={"b@example.org": (550, "no")})))
    calls = [A_FORM, A_MAIL]
    check_outbound(POSTING, OutboundCase("both", TEXT, ctx(), [Reply(), taken], calls=calls, ids=["1 refused"]))
    refused = OutboundCase("no", TEXT, ctx(), [Reply(), Reply(550)], calls=calls, error={"class": "Refused"})
    check_outbound(POSTING, refused)


@pytest.mark.parametrize("change", [{"recipients": []}, {"message": "other"}, {"sender": ""}])
def test_another_mail_fails(change: dict[str, Any]) -> None:
    """Recipients and sender always count, the text where a case names it."""
    case = OutboundCase("x", TEXT, ctx(), [Reply(), Reply(550)], calls=[A_FORM, {**A_MAIL, **change}])
    with pytest.raises(AssertionError, match="x"):
        check_outbound(POSTING, case)


# --- the commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", inbound_cases(), ids=str)
def test_the_parse_command_says_the_same(case: InboundCase) -> None:
    check_parsed(SUBJECT, case)


@pytest.mark.parametrize("case", outbound_cases(), ids=str)
def test_the_render_command_says_the_same(case: OutboundCase) -> None:
    check_rendered(SUBJECT, case)


def test_another_word_of_a_command_fails() -> None:
    """The comparison is not with itself."""
    with pytest.raises(AssertionError):
        check_parsed(SUBJECT, InboundCase("none", BODY, []))
    with pytest.raises(AssertionError):
        check_rendered(SUBJECT, OutboundCase("x", TEXT, ctx(), [OK], calls=[], ids=["wamid.2"]))
