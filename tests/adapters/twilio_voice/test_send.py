"""Words out: to the open line, and by calling."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import pytest

from adapters.base import (
    CallContext,
    CredentialsRefused,
    Fetched,
    HttpCall,
    MediaFailed,
    NoAnswer,
    NotReached,
    PushCall,
    Reply,
    Unavailable,
    Unreachable,
)
from adapters.twilio_voice.codes import CODES
from normalizer.envelope import MediaRef
from tests.adapters.twilio_voice.support import (
    ADAPTER,
    API,
    CALL,
    CALLER,
    NUMBER,
    SUBJECT,
    TOKEN,
    adapter,
    ctx,
    deserted,
    event,
    message,
    said,
    text,
)
from tests.kit import HOOK_URL, OutboundCase, check_failures, check_outbound, check_rendered, drive, drive_steps
from tests.kit.cases import NOW

HELLO = message(said(text("Hello.")))
AGENTS = message(said(text("Hello.")), author="agent")
AUDIO = {"type": "audio", "media": {"stored": "aa", "mime": "audio/mpeg"}}
WAKE = {"push": ""}
ANY = deserted(call_out="any")
CREATED = Reply(201, {}, b'{"sid":"CA000000000000000000000000000000bb","status":"queued"}')
NEW = "CA000000000000000000000000000000bb"


def open_line(
    label: str, body: dict[str, Any], *, calls: Any = (WAKE,), ids: Any = ("env_out",), **error: Any
) -> OutboundCase:
    return OutboundCase(label, message(body), ctx(), [], calls if not error else [], ids if not error else [], error)


def choices(*titles: str) -> dict[str, Any]:
    return {"type": "choices_offered", "text": "Which?", "choices": [{"id": t, "title": t} for t in titles]}


def keys(pressed: str) -> dict[str, Any]:
    return {"type": "choice_made", "id": pressed, "title": pressed}


REFUSED = {"class": "Refused", "code": "refused", "retryable": False, "certain": True}
CASES = [
    open_line("a text", said(text("Hello."))),
    open_line("several texts are one turn", said(text("One."), text("Two."))),
    open_line("choices are read out", said(choices("Red", "Blue"))),
    open_line("a text and choices", said(text("Hi."), choices("Red"))),
    open_line("a recording", said(AUDIO)),
    open_line("a voice message", said({"type": "voice", "media": {"stored": "aa"}})),
    open_line("a very long text", said(text("word " * 5000))),
    open_line("text with NUL", said(text("a\x00b"))),
    open_line("keys for the line", said(keys("1w2#*"))),
    open_line("keys that no telephone has", said(keys("1a")), **REFUSED),
    open_line("no keys", said(keys("")), **REFUSED),
    open_line("keys and words", said(text("press"), keys("1")), **REFUSED),
    open_line("the holder has changed", {"kind": "state_change", "state": "queue", "reason": "r"}, ids=()),
    open_line("keys as an event", event("key", direction="out", detail="1#"), ids=()),
    open_line("we hang up", event("ended", direction="out"), ids=()),
    open_line("a picture can not be spoken", said({"type": "image", "media": {"stored": "aa"}}), **REFUSED),
    open_line("neither can a place", said({"type": "location", "latitude": 1.0, "longitude": 2.0}), **REFUSED),
    open_line("nothing at all", said(), **REFUSED),
    open_line("blanks", said(text("  \n")), **REFUSED),
    open_line("a recording and words", said(AUDIO, text("listen")), **REFUSED),
    open_line("two recordings", said(AUDIO, AUDIO), **REFUSED),
    open_line("a recording that is not here", said({"type": "audio", "media": {"url": "https://x.example/a"}}),
              **{"class": "MediaFailed", "code": "media_failed"}),
    open_line("a template", said({"type": "template", "name": "t", "language": "en"}),
              **{"class": "TemplateRefused", "code": "template_refused"}),
    open_line("what was said can not be changed", {"kind": "edit", "target": "x", "parts": [text("y")]}, **REFUSED),
    open_line("nor taken back", {"kind": "revoke", "target": "x"}, **REFUSED),
    open_line("a read mark", {"kind": "receipt", "status": "read", "target": "x"}, **REFUSED),
    open_line("writing", {"kind": "typing"}, **REFUSED),
    open_line("a reaction", {"kind": "reaction", "target": "x", "emoji": "!"}, **REFUSED),
    open_line("a note is for colleagues", {"kind": "note", "text": "n"}, **REFUSED),
    open_line("a session's end", {"kind": "session_ended"}, **REFUSED),
    open_line("what has no word", {"kind": "unsupported", "what": "x"}, **REFUSED),
]  # fmt: skip


def test_there_are_enough() -> None:
    assert len(CASES) >= 25


@pytest.mark.parametrize("case", CASES, ids=str)
def test_on_an_open_line(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_on_an_open_line_by_the_command(case: OutboundCase) -> None:
    check_rendered(SUBJECT, case)


# --- nobody on the line -------------------------------------------------------------------------------------------

GONE = {"class": "Unreachable", "code": "unreachable", "retryable": False, "certain": True}
CALLS = {"method": "POST", "url": f"{API}/Calls.json"}


def test_an_answer_to_the_call_before_is_not_called_out_with() -> None:
    """Somebody is on the line, and does not hear it: it has not gone out, and no second call is placed for it."""
    flow = adapter(call_out="any").send(HELLO, ctx())
    assert next(flow) == PushCall()
    with pytest.raises(Unreachable):
        flow.send(Reply(410))


def deserted_case(label: str, body: Any = HELLO, context: Any = None, replies: Any = (), calls: Any = (),
                  ids: Any = (), **error: Any) -> OutboundCase:  # fmt: skip
    return OutboundCase(label, body, context or ctx(last_inbound=None), replies, calls, ids, error)


@pytest.mark.parametrize(
    ("changes", "case"),
    [
        ({}, deserted_case("nobody is called", **GONE)),
        ({}, deserted_case("a line that was just lost", context=ctx(), **{
            "class": "NotReached", "retryable": True, "certain": True, "retry_after_s": 3.0})),
        ({}, deserted_case("and did not come back", context=ctx(attempt=2), **GONE)),
        ({"call_out": "agents"}, deserted_case("not for what the AI says", **GONE)),
        ({"call_out": "agents"}, deserted_case("not for our own notices", message(said(text("x")), author="system"),
                                               **GONE)),
        ({"call_out": "any"}, deserted_case("a withheld number", context=ctx(f"call:{CALL}", last_inbound=None),
                                            **GONE)),
        ({"call_out": "any"}, deserted_case("a number of three digits", context=ctx("tel:911", last_inbound=None),
                                            **GONE)),
        ({"call_out": "any"}, deserted_case("too long for a call", message(said(text("word " * 900))), **REFUSED)),
        ({"call_out": "any"}, deserted_case("a recording is no reason to call", message(said(AUDIO)), **REFUSED)),
        ({"mode": "gather"}, deserted_case("turn by turn: the call is up", context=ctx(), ids=["env_out"],
            replies=[Reply(200, {}, b'{"sid":"CA1","status":"in-progress"}')],
            calls=[{"method": "GET", "url": f"{API}/Calls/{CALL}.json", "auth": "auth_token"}])),
        ({"mode": "gather"}, deserted_case("turn by turn: the call is over", context=ctx(),
            replies=[Reply(200, {}, b'{"sid":"CA1","status":"completed"}')],
            calls=[{"method": "GET", "url": f"{API}/Calls/{CALL}.json"}], **GONE)),
        ({"mode": "gather"}, deserted_case("turn by turn: nobody has called yet", **GONE)),
        ({"mode": "gather"}, OutboundCase("turn by turn: keys", message(said(keys("1"))), ctx(), (), (), (), REFUSED)),
        ({"call_out": "any"}, deserted_case("keys are no reason to call", message(said(keys("1"))), **REFUSED)),
        ({"mode": "gather"}, deserted_case("turn by turn: no such call", context=ctx(),
            replies=[Reply(404, {}, b'{"code":20404}')],
            calls=[{"method": "GET", "url": f"{API}/Calls/{CALL}.json"}], **GONE)),
        *(({"mode": "gather"}, deserted_case(f"turn by turn: nobody can tell ({status})", context=ctx(),
            replies=[Reply(status, {}, b"")], ids=["env_out"],
            calls=[{"method": "GET", "url": f"{API}/Calls/{CALL}.json"}])) for status in (200, 401, 429, 500, 503)),
        ({"call_out": "any"}, deserted_case("placed before, by an attempt whose answer was lost", context=ctx(
            last_inbound=None, attempt=2), ids=[NEW], replies=[Reply(200, {}, json.dumps({"calls": [
                {"sid": "CA1", "status": "failed", "direction": "outbound-api"},
                {"sid": "CA2", "status": "ringing", "direction": "inbound"},
                {"sid": NEW, "status": "ringing", "direction": "outbound-api"}]}).encode())],
            calls=[{"method": "GET", "url": f"{API}/Calls.json?To=%2B15550001111&From=%2B15550002222"
                    "&StartTime%3E=2026-01-02T03%3A02%3A05Z&PageSize=20"}])),
    ],
    ids=lambda value: str(value) if isinstance(value, OutboundCase) else "",
)  # fmt: skip
def test_nobody_on_the_line(changes: dict[str, Any], case: OutboundCase) -> None:
    check_outbound(deserted(**changes), case)


def placed(by: Any = ANY, body: Any = HELLO, **facts: Any) -> tuple[HttpCall, dict[str, list[str]]]:
    driven = drive_steps(by.adapter, body, ctx(last_inbound=None, **facts), [CREATED])
    assert driven.value == [NEW]
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    return call, parse_qs(call.body.decode(), keep_blank_values=True)


def test_a_call_is_placed_in_the_language_of_what_it_says() -> None:
    """And he is heard in it, where that is not left to the relay."""
    spanish = message(said(text("Hola.")), locale="es-ES")
    _, sent = placed(deserted(call_out="any", mode="gather"), spanish)
    say, gather, bye = ET.fromstring(sent["Twiml"][0])
    assert (say.text, say.attrib["language"], gather.attrib["language"]) == ("Hola.", "es-ES", "es-ES")
    assert gather.attrib["action"].endswith("&l=es-ES")
    assert bye.attrib["language"] == "en-US"
    _, sent = placed(ANY, spanish)
    say, connect, _ = ET.fromstring(sent["Twiml"][0])
    assert (say.attrib["language"], connect[0].attrib["language"]) == ("es-ES", "en-US")


def test_a_call_is_placed() -> None:
    call, sent = placed()
    assert (call.method, call.url) == ("POST", f"{API}/Calls.json")
    assert call.auth is not None
    assert (call.auth.credential, call.auth.scheme) == ("auth_token", "basic")
    assert (sent["To"], sent["From"], sent["Timeout"]) == ([CALLER], [NUMBER], ["30"])
    assert sent["StatusCallbackEvent"] == ["initiated", "ringing", "answered", "completed"]
    callback = urlsplit(sent["StatusCallback"][0])
    assert f"{callback.scheme}://{callback.netloc}{callback.path}" == f"{HOOK_URL}/status"
    assert parse_qs(callback.query)["k"] == ["cmd_1:0"]
    assert [verb.tag for verb in ET.fromstring(sent["Twiml"][0])] == ["Say", "Connect", "Redirect"]


def test_for_agents_only() -> None:
    assert placed(deserted(call_out="agents"), AGENTS)[1]["To"] == [CALLER]


def test_with_an_api_key() -> None:
    call, _ = placed(deserted(call_out="any", api_key_sid="SK1", api_key_secret="key-secret"))
    assert call.auth is not None
    assert (call.auth.credential, call.auth.user) == ("api_key_secret", "SK1")


def test_a_softphone_is_called_by_its_name() -> None:
    driven = drive_steps(ANY.adapter, HELLO, ctx("sip:client/ann", last_inbound=None), [CREATED])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert parse_qs(call.body.decode())["To"] == ["client:ann"]


def test_a_step_that_is_done_calls_nobody() -> None:
    assert drive_steps(ANY.adapter, HELLO, ctx(last_inbound=None, step=1), []).calls == []


def test_a_second_attempt_that_finds_nothing_places_it() -> None:
    driven = drive_steps(
        ANY.adapter, HELLO, ctx(last_inbound=None, attempt=2), [Reply(200, {}, b'{"calls":[]}'), CREATED]
    )
    assert driven.value == [NEW]
    assert len(driven.calls) == 2


def test_every_failure_has_its_class() -> None:
    check_failures(ANY, HELLO, ctx(last_inbound=None))


@pytest.mark.parametrize("error", [NotReached(), NoAnswer()])
def test_turn_by_turn_no_answer_waits_for_the_api(error: NotReached | NoAnswer) -> None:
    """It stands on the leg, where the caller's next request reads it; the answer after it comes in its turn."""
    driven = drive_steps(deserted(mode="gather").adapter, HELLO, ctx(), [error])
    assert (driven.value, driven.error) == (["env_out"], None)


@pytest.mark.parametrize("code", CODES)
def test_the_providers_codes(code: int) -> None:
    reply = Reply(400, {}, json.dumps({"code": code, "message": "of the provider", "status": 400}).encode())
    error = drive_steps(ANY.adapter, HELLO, ctx(last_inbound=None), [reply]).error
    assert error is not None
    assert (type(error), error.provider_code, error.text) == (CODES[code].error, str(code), CODES[code].text)


def test_accepted_without_an_id_is_no_answer() -> None:
    error = drive_steps(ANY.adapter, HELLO, ctx(last_inbound=None), [Reply(201, {}, b"{}")]).error
    assert isinstance(error, NoAnswer)
    assert not error.certain


# --- recordings ---------------------------------------------------------------------------------------------------

REC = MediaRef(external_id="RE1", url="https://evil.example/RE1")
CONTEXT = CallContext(now=NOW, hook_url=HOOK_URL)


def test_a_recording_is_fetched_from_the_api_and_nowhere_else() -> None:
    """The address comes from the settings: whatever the callback named, the credential goes to the provider."""
    stored = Reply(200, {"x-stored": "aa", "x-stored-size": "7", "x-stored-mime": "audio/mpeg"})
    driven = drive(ADAPTER.fetch(REC, CONTEXT), [stored])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert (call.url, call.to_media, call.foreign) == (f"{API}/Recordings/RE1.mp3", True, False)
    assert driven.value == Fetched(stored="aa", mime="audio/mpeg", size=7)


def test_a_redirect_is_followed_without_the_credential() -> None:
    moved = Reply(307, {"location": "https://media.example/x"})
    driven = drive(ADAPTER.fetch(REC, CONTEXT), [moved, Reply(200, {"x-stored": "aa"})])
    assert [(call.url, call.auth is None, call.foreign) for call in driven.calls if isinstance(call, HttpCall)] == [
        (f"{API}/Recordings/RE1.mp3", False, False), ("https://media.example/x", True, True)]  # fmt: skip


def test_a_redirect_within_the_provider() -> None:
    """Its place may be told without a host, and headers have no case."""
    moved = Reply(307, {"Location": "/elsewhere/RE1.mp3"})
    driven = drive(ADAPTER.fetch(REC, CONTEXT), [moved, Reply(200, {"X-Stored": "aa", "X-Stored-Size": "7"})])
    assert [call.url for call in driven.calls if isinstance(call, HttpCall)] == [
        f"{API}/Recordings/RE1.mp3", "https://api.twilio.com/elsewhere/RE1.mp3"]  # fmt: skip
    assert driven.value == Fetched(stored="aa", size=7)


@pytest.mark.parametrize("size", ["", "x", "٣", "9" * 5000])
def test_a_size_that_is_none(size: str) -> None:
    driven = drive(ADAPTER.fetch(REC, CONTEXT), [Reply(200, {"x-stored": "aa", "x-stored-size": size})])
    assert driven.value == Fetched(stored="aa", size=None)


@pytest.mark.parametrize(
    ("replies", "error"),
    [
        ([Reply(404)], Unavailable),
        ([Reply(410)], MediaFailed),
        ([Reply(503)], Unavailable),
        ([Reply(200)], NoAnswer),
        ([Reply(401)] * 2, CredentialsRefused),
        ([Reply(307, {"location": "https://x.example"})] * 4, MediaFailed),
        ([Reply(307)], MediaFailed),
    ],
)
def test_a_recording_that_can_not_be_had(replies: list[Reply], error: type[Exception]) -> None:
    assert isinstance(drive(ADAPTER.fetch(REC, CONTEXT), replies).error, error)


@pytest.mark.parametrize("id_", [None, "", "../x", "RE1/x", "RE1?x"])
def test_a_recording_without_a_proper_id(id_: str | None) -> None:
    assert isinstance(drive(ADAPTER.fetch(MediaRef(external_id=id_), CONTEXT), []).error, MediaFailed)


# --- probes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "ok", "word"),
    [
        (Reply(200, {}, json.dumps({"incoming_phone_numbers": [{"voice_url": HOOK_URL}]}).encode()), True, "come in"),
        (Reply(200, {}, json.dumps({"incoming_phone_numbers": [{"voice_url": f"{HOOK_URL}/incoming#rc=1"}]}).encode()),
         True, "come in"),
        (Reply(200, {}, json.dumps({"incoming_phone_numbers": [{"voice_url": "https://demo.twilio.com"}]}).encode()),
         False, "elsewhere"),
        (Reply(200, {}, json.dumps({"incoming_phone_numbers": [{"voice_url": None}]}).encode()), False, "elsewhere"),
        (Reply(200, {}, b'{"incoming_phone_numbers":[]}'), False, "no such number"),
        (Reply(401, {}, b'{"code":20003}'), False, "credentials_refused"),
        (Reply(200, {}, b"<html>"), False, "no_answer"),
    ],
)  # fmt: skip
def test_probe(reply: Reply, ok: bool, word: str) -> None:
    driven = drive(adapter().probe(CONTEXT), [reply])
    assert driven.value is not None
    assert (driven.value.ok, word in driven.value.detail) == (ok, True)
    assert TOKEN not in driven.value.detail
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert call.url == f"{API}/IncomingPhoneNumbers.json?PhoneNumber=%2B15550002222"


def test_the_time_to_come_back_is_short() -> None:
    """A line that was lost is tried once more, while the caller may still be there."""
    error = drive_steps(deserted().adapter, HELLO, ctx(now=NOW + timedelta(hours=1)), []).error
    assert error is not None
    assert error.retry_after_s == 3.0
