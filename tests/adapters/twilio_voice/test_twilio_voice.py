"""The adapter as the gateway meets it: signatures, routes and their answers."""

from datetime import timedelta
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from adapters.base import LegRead, RawInbound, Reply, Unauthentic, Wire
from adapters.twilio_voice import CAPABILITIES
from normalizer.address import Address, Scheme
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import (
    ADAPTER,
    ATTESTED,
    CALL,
    CALLER,
    NUMBER,
    OLD_TOKEN,
    SUBJECT,
    TOKEN,
    adapter,
    document,
    fields,
    frame,
    hook,
    message,
    our_ticket,
    outcome,
    said,
    signature,
    text,
)
from tests.kit import FORM, HOOK_URL, check_forged, check_refused, forged_body, forged_header, form
from tests.kit.cases import NOW

T = f"t={our_ticket()}"
GOOD = hook("/turn", T, SpeechResult="hi", ToCity="")
REPLACE = msgspec.structs.replace


# --- signatures ---------------------------------------------------------------------------------------------------


def other(raw: RawInbound, **facts: Any) -> RawInbound:
    return REPLACE(raw, **facts)


def signed_with(raw: RawInbound, value: str, **headers: str) -> RawInbound:
    return REPLACE(raw, headers={**raw.headers, "x-twilio-signature": value, **headers})


def test_a_request_that_is_almost_signed() -> None:
    url = GOOD.public_url
    pairs = list(fields(SpeechResult="hi").items())
    forged = {
        **forged_header(GOOD, "x-twilio-signature"),
        **forged_body(GOOD),
        "another path": other(GOOD, public_url=url.replace("/turn", "/menu"), path="/menu"),
        "another query": other(GOOD, public_url=url + "&a=9", query=f"{GOOD.query}&a=9"),
        "no query": other(GOOD, public_url=url.partition("?")[0], query=""),
        "another host": other(GOOD, public_url=url.replace("gateway", "evil")),
        "without TLS": other(GOOD, public_url=url.replace("https", "http")),
        "another case of the host": other(GOOD, public_url=url.replace("gateway", "GATEWAY")),
        "another token": signed_with(GOOD, signature(url, pairs, "stolen")),
        "an empty token": signed_with(GOOD, signature(url, pairs, "")),
        "the URL alone signed": signed_with(GOOD, signature(url)),
        "a field left out": signed_with(GOOD, signature(url, pairs[1:])),
        "a blank field left out": signed_with(GOOD, signature(url, [pair for pair in pairs if pair[1]])),
        "a field more": other(GOOD, body=GOOD.body + b"&Digits=1"),
        "another caller": other(GOOD, body=GOOD.body.replace(b"0001111", b"0009999")),
        "another method": other(GOOD, method="PUT"),
        "asked with a body": other(GOOD, method="GET"),
        "another content type": other(GOOD, headers={**GOOD.headers, "content-type": "application/json"}),
        "another algorithm named": signed_with(
            GOOD, GOOD.headers["x-twilio-signature"],
            **{"x-twilio-webhooks-signature-settings": "algorithm=HMAC_SHA256"},
        ),
        "as a handshake": other(GOOD, origin="live"),
    }  # fmt: skip
    check_forged(SUBJECT, GOOD, forged)


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
def test_a_token_that_is_being_replaced(token: str) -> None:
    pairs = list(fields(SpeechResult="hi", ToCity="").items())
    assert ADAPTER.verify(signed_with(GOOD, signature(GOOD.public_url, pairs, token))) is None


def test_a_body_that_names_no_type_is_a_form() -> None:
    """All of its fields are signed, so there is nothing to doubt."""
    nameless = other(GOOD, headers={"x-twilio-signature": GOOD.headers["x-twilio-signature"]})
    assert ADAPTER.verify(nameless) is None
    check_refused(SUBJECT, other(nameless, body=GOOD.body + b"&Digits=1"))


def test_a_get_is_signed_by_its_url() -> None:
    assert ADAPTER.verify(hook("", method="GET")) is None
    check_refused(SUBJECT, REPLACE(hook("", method="GET"), public_url=HOOK_URL))


def test_behind_a_proxy_the_signed_address_is_the_configured_one() -> None:
    raw = hook("/turn", T, SpeechResult="hi")
    inner = REPLACE(raw, public_url=raw.public_url.replace("https://gateway.example.org", "http://10.0.0.1:8080"))
    check_refused(SUBJECT, inner)
    assert adapter(public_url="https://gateway.example.org").verify(inner) is None


@pytest.mark.parametrize(
    ("public_url", "path"),
    [
        ("https://gateway.example.org", "/hooks/endpoint"),
        ("https://gateway.example.org/hooks/endpoint", "/hooks/endpoint"),
        ("https://gateway.example.org/hooks/endpoint", ""),
    ],
)
@pytest.mark.parametrize("below", ["", "/turn"])
def test_a_path_may_be_given_whole(public_url: str, path: str, below: str) -> None:
    """Whoever tries a request by hand has no gateway that knows where the endpoint begins."""
    by = adapter(public_url=public_url)
    raw = REPLACE(hook(below, SpeechResult="hi"), public_url="", path=path + below)
    assert by.verify(raw) is None
    root = ET.fromstring(document(by.respond(raw, outcome("queue"))))
    assert root[-1].attrib["action"].startswith(f"{HOOK_URL}/dial-done?t=")


LIVE_URL = "wss://gateway.example.org/live/endpoint"


def handshake(signed: str = LIVE_URL, *, public: str = "https://gateway.example.org/live/endpoint", token: str = TOKEN,
              **facts: Any) -> RawInbound:  # fmt: skip
    raw = RawInbound(id="raw-1", endpoint_id=SUBJECT.endpoint_id, origin="live", received_at=NOW, method="GET",
                     public_url=public, headers={"x-twilio-signature": signature(signed, token=token)})  # fmt: skip
    return REPLACE(raw, **facts)


@pytest.mark.parametrize("signed", [LIVE_URL, f"{LIVE_URL}/"])
def test_a_handshake_is_signed_with_or_without_a_slash(signed: str) -> None:
    assert ADAPTER.verify(handshake(signed)) is None


def test_a_handshake_at_an_address_with_a_path() -> None:
    """The socket that we ask for is the one that is signed."""
    by = adapter(public_url="https://x.example/gw/hooks/voice")
    relay = ET.fromstring(document(by.respond(hook("", **ATTESTED), outcome("ai"))))[0][0]
    assert relay.attrib["url"] == "wss://x.example/gw/live/voice"
    assert by.verify(handshake(relay.attrib["url"])) is None


def test_a_handshake_on_this_machine() -> None:
    raw = handshake("ws://127.0.0.1:8080/live/endpoint", public="http://127.0.0.1:8080/live/endpoint")
    assert ADAPTER.verify(raw) is None


def test_a_handshake_that_is_almost_signed() -> None:
    good = handshake()
    forged = {
        **forged_header(good, "x-twilio-signature"),
        "over https": handshake("https://gateway.example.org/live/endpoint"),
        "of another endpoint": handshake(LIVE_URL + "2"),
        "two slashes": handshake(LIVE_URL + "//"),
        "another host": handshake("wss://evil.example/live/endpoint"),
        "another token": handshake(token="stolen"),
        "with a body": other(good, body=b"CallSid=CA1", headers={**good.headers, "content-type": FORM}),
        "as a webhook": other(good, origin="webhook"),
    }
    check_forged(SUBJECT, good, forged)


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", ""])
def test_other_methods_are_refused(method: str) -> None:
    with pytest.raises(Unauthentic):
        ADAPTER.verify(REPLACE(GOOD, method=method))


# --- routes -------------------------------------------------------------------------------------------------------

WAITED_AT = ("", "/incoming", "/after", "/turn", "/menu", "/queue", "/queue-done", "/dial-done", "/voicemail", "/other")
TOLD = ("/status", "/recording", "/stream")


@pytest.mark.parametrize("path", WAITED_AT)
@pytest.mark.parametrize("known", [None, outcome(), outcome("queue"), outcome(error="unknown_account")])
def test_who_waits_always_gets_something_to_do(path: str, known: Any) -> None:
    root = ET.fromstring(document(ADAPTER.respond(hook(path, T), known)))
    assert root.tag == "Response"
    assert len(root) > 0


@pytest.mark.parametrize("path", TOLD)
def test_who_only_tells_gets_nothing(path: str) -> None:
    assert document(ADAPTER.respond(hook(path, T), None)) == "<Response/>"


def test_an_incoming_call_gets_the_relay() -> None:
    first = ET.fromstring(document(ADAPTER.respond(hook("", CallStatus="ringing", **ATTESTED), outcome("ai"))))[0]
    assert (first.tag, first[0].tag) == ("Connect", "ConversationRelay")


def test_an_incoming_call_that_nobody_knows_in_time_gets_people() -> None:
    root = ET.fromstring(document(ADAPTER.respond(hook("", CallStatus="ringing", **ATTESTED), None)))
    assert [verb.tag for verb in root] == ["Say", "Dial"]


def test_the_ticket_says_what_the_first_request_proved() -> None:
    """Later requests may leave out the carrier's word; the turn is the same person's all the same."""
    root = ET.fromstring(document(adapter(mode="gather").respond(hook("", **ATTESTED), outcome("ai"))))
    url = root[0].attrib["action"]
    path, _, query = url.removeprefix(HOOK_URL).partition("?")
    (turn,) = ADAPTER.parse(hook(path, query, SpeechResult="hi"))
    assert turn.party.claims[0].evidence is Evidence.CHANNEL


def test_the_socket_and_the_webhook_are_one_leg() -> None:
    for facts, evidence in ((ATTESTED, Evidence.CHANNEL), ({}, Evidence.CLAIMED)):
        raw = hook("", **facts)
        relay = ET.fromstring(document(ADAPTER.respond(raw, outcome("ai"))))[0][0]
        setup = {"type": "setup", "callSid": CALL, "sessionId": "VX1",
                 "customParameters": {"ticket": relay[0].attrib["value"]}}  # fmt: skip
        bind: Any = ADAPTER.hear(frame(setup, session=None))
        claim = ADAPTER.parse(raw)[0].party.claims[0]
        assert (
            (bind.address, bind.evidence) == (claim.address, claim.evidence) == (Address(Scheme.TEL, CALLER), evidence)
        )


def test_a_ticket_of_somebody_else_is_not_handed_on() -> None:
    """Signed by the provider or not: what we give out we have written."""
    raw = hook("/menu", "t=forged", Digits="9", **ATTESTED)
    assert "t=forged" not in document(ADAPTER.respond(raw, outcome()))


@pytest.mark.parametrize("known", [None, outcome()])
def test_a_request_of_no_call_gets_nothing(known: Any) -> None:
    assert document(ADAPTER.respond(hook("/turn", CallSid=""), known)) == "<Response/>"
    assert document(ADAPTER.respond(SUBJECT.raw(b"", path="/turn"), known)) == "<Response/>"


def test_too_many_fields_are_answered_too() -> None:
    raw = SUBJECT.raw(form({f"f{n}": "x" for n in range(2000)}), path="/turn", headers={})
    assert document(ADAPTER.respond(raw, None)) == "<Response/>"
    assert document(ADAPTER.unavailable(raw)) == "<Response/>"


# --- never silence ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WAITED_AT)
def test_while_the_store_is_down_a_message_can_be_left(path: str) -> None:
    root = ET.fromstring(document(ADAPTER.unavailable(hook(path, T))))
    assert [verb.tag for verb in root] == ["Say", "Record", "Say", "Hangup"]
    assert "sorry" in (root[0].text or "")
    assert root[1].attrib["recordingStatusCallback"].endswith("#rc=5&rp=all")


@pytest.mark.parametrize("path", TOLD)
def test_what_is_only_told_comes_again(path: str) -> None:
    assert ADAPTER.unavailable(hook(path, T)) is None


def test_a_call_that_is_over_needs_no_apology() -> None:
    assert document(ADAPTER.unavailable(hook("/after", T, CallStatus="completed"))) == "<Response />"
    assert ADAPTER.unavailable(handshake()) is None


# --- routes that keep nothing -------------------------------------------------------------------------------------


def test_waiting_in_a_queue_needs_no_store() -> None:
    raw = hook("/wait", T, QueueTime="20")
    assert [verb.tag for verb in ET.fromstring(document(ADAPTER.verify(raw)))] == ["Say", "Pause"]
    assert document(ADAPTER.verify(hook("/wait", T, QueueTime="600"))) == "<Response><Leave /></Response>"


def test_an_answer_is_looked_for_on_the_leg() -> None:
    by = adapter(mode="gather")
    read = by.verify(hook("/answer", f"{T}&a=7&w=0", "GET"))
    assert read == LegRead(address=Address(Scheme.TEL, CALLER), issued_at=NOW, after=7, wait_ms=8000,
                           turns=f"{CALL}/", evidence=Evidence.CHANNEL)  # fmt: skip


def test_without_a_place_to_look_from_it_goes_to_people() -> None:
    for query in (T, "a=x"):
        root = ET.fromstring(document(ADAPTER.verify(hook("/answer", query, "GET"))))
        assert [verb.tag for verb in root] == ["Say", "Dial"]


def test_an_answer_for_nobody_is_nothing() -> None:
    assert document(ADAPTER.verify(hook("/answer", f"{T}&a=7", "GET", CallStatus="completed"))) == "<Response />"


def page(query: str, *wires: Wire, more: bool = False) -> list[str]:
    raw = hook("/answer", f"{T}&{query}", "GET")
    read = LegRead(address=Address(Scheme.TEL, CALLER), issued_at=NOW, after=7)
    root = ET.fromstring(document(adapter(mode="gather").page(raw, read, wires, more, 9)))
    return [verb.tag for verb in root.iter()][1:]


def line(body: dict[str, Any], seq: int = 8) -> Wire:
    return Wire(seq=seq, envelope=message(body), at=NOW)


def test_pages() -> None:
    assert page("a=7&w=0", line(said(text("Here.")))) == ["Gather", "Say", "Redirect"]
    assert page("a=7&w=0") == ["Say", "Redirect"]
    assert page("a=7&w=24") == ["Say", "Dial", "Number"]
    handed = {"kind": "state_change", "state": "queue", "reason": "r"}
    assert page("a=7&w=0", line(handed), line(said(text("Wait.")), 9)) == ["Say", "Dial", "Number"]


def test_turn_by_turn_an_answer_and_its_turn_are_in_one_language() -> None:
    """From the envelope to what is spoken and heard, and from there to the next envelope."""
    by = adapter(mode="gather")
    spanish = Wire(seq=8, envelope=message(said(text("¿Algo más?")), locale="es-ES"), at=NOW)
    read = LegRead(address=Address(Scheme.TEL, CALLER), issued_at=NOW, after=7)
    root = ET.fromstring(document(by.page(hook("/answer", f"{T}&a=7&w=0", "GET"), read, [spanish], False, 9)))
    gather = root[0]
    assert (gather.attrib["language"], gather[0].attrib["language"]) == ("es-ES", "es-ES")
    path, _, query = gather.attrib["action"].removeprefix(HOOK_URL).partition("?")
    raw = hook(path, query, SpeechResult="no")
    (turn,) = by.parse(raw)
    assert turn.locale == "es-ES"
    redirect = ET.fromstring(document(by.respond(raw, outcome("ai"))))[0].text or ""
    path, _, query = redirect.removeprefix(HOOK_URL).partition("?")
    (gather, _) = ET.fromstring(document(by.page(hook(path, f"{query}&q=1", "GET"), read, [], False, 9)))
    assert (gather.attrib["language"], gather[0].attrib["language"]) == ("es-ES", "en-US")


# --- the rest -----------------------------------------------------------------------------------------------------


def test_nothing_is_uploaded() -> None:
    with pytest.raises(Unauthentic):
        ADAPTER.uploaded(GOOD, None, None)


def test_what_it_can_do() -> None:
    assert (CAPABILITIES.answers, CAPABILITIES.live, CAPABILITIES.streams, CAPABILITIES.ordered) == (
        "processed", True, True, True)  # fmt: skip
    assert adapter(hello_ms=5, frame_max_bytes=5000).hello_ms == 5
    assert adapter(frame_max_bytes=5000).max_frame_bytes == 5000


def test_hours_are_looked_at_when_the_call_comes() -> None:
    by = adapter(hours={"fri": ("03:00-04:00",)})
    late = REPLACE(hook("/queue", T), received_at=NOW + timedelta(hours=1))
    assert "<Dial" in document(by.respond(hook("/queue", T), outcome()))
    assert "<Record" in document(by.respond(late, outcome()))


def test_an_adapter_without_settings_can_be_built() -> None:
    by = adapter(auth_tokens=(), number=None)
    with pytest.raises(Unauthentic):
        by.verify(GOOD)
    assert isinstance(by.respond(GOOD, None), Reply)
    assert by.parse(GOOD)[0].account is None
    assert NUMBER not in document(by.respond(hook("/menu", T, Digits="9"), None))
