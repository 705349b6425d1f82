"""Webhooks of a call: every documented one, and every other."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from adapters.base import Malformed
from adapters.twilio_voice.parse import call_in, turn_id
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import (
    ADAPTER,
    ATTESTED,
    CALL,
    CALLER,
    LEG,
    NUMBER,
    SUBJECT,
    case,
    event,
    fields,
    hook,
    our_ticket,
    said,
    text,
    wanted,
)
from tests.kit import FORM, InboundCase, check_inbound, check_parsed, check_survives, form, form_mutations

REC = "RE000000000000000000000000000000aa"
REC_URL = f"https://api.twilio.com/2010-04-01/Accounts/AC1/Recordings/{REC}"
VOICE = {"type": "voice", "media": {"external_id": REC, "url": REC_URL, "mime": "audio/mpeg"}}
T = f"t={our_ticket()}"
HIDDEN = f"call:{CALL}"


def own(body: Any, key: str | None = None, **more: Any) -> Any:
    """By the ticket: a caller whose number is vouched for."""
    return wanted(body, key=key, **more)


def claimed(body: Any, key: str | None = None, **more: Any) -> Any:
    """By the fields alone, without a word of the carrier."""
    return wanted(body, key=key, evidence=1, **more)


def other(what: str) -> dict[str, Any]:
    return {"kind": "unsupported", "what": what, "visible": False}


def status(label: str, want: Any, query: str = T, **more: str) -> InboundCase:
    return case(label, "/status", [want] if isinstance(want, dict) else want, query,
                CallbackSource="call-progress-events", **more)  # fmt: skip


def receipt(status: str, **more: Any) -> dict[str, Any]:
    return {"kind": "receipt", "status": status, "target": CALL, **more}


UNREACHED = {"code": "unreachable", "text": "nobody answered"}

CASES = [
    case("a call rings, its number vouched for", "", [own(event("ringing"), "ringing")], **ATTESTED),
    case("the same at its other path", "/incoming", [own(event("ringing"), "ringing")], **ATTESTED),
    case("a number that nobody vouches for", "", [claimed(event("ringing"), "ringing")], CallStatus="ringing"),
    case("a withheld number", "", [wanted(event("ringing"), who=HIDDEN, key="ringing")], From="+266696687",
         Caller="+266696687", CallStatus="ringing"),
    case("a telephone of the net", "", [wanted(event("ringing"), who="sip:ann@pbx.example", evidence=1, key="ringing")],
         From="sip:ann@pbx.example", CallStatus="ringing"),
    case("a softphone", "", [wanted(event("ringing"), who="sip:client/ann", key="ringing")], From="client:ann"),
    case("a caller with a name", "", [claimed(event("ringing"), "ringing", party={
        "claims": [{"address": {"scheme": "tel", "value": CALLER}, "evidence": 1}], "name": "ANN EXAMPLE"})],
        CallerName="ANN EXAMPLE"),
    case("a relay that ended by our word", "/after", [own(event("session_ended", duration_s=12, detail="ended"),
         "session/VX1")], T, SessionId="VX1", SessionStatus="ended", SessionDuration="12",
         HandoffData='{"reason":"agent"}'),
    case("a relay that was lost", "/after", [own(event("session_failed", detail="64105 dropped"), "session/VX2")], T,
         SessionId="VX2", SessionStatus="failed", ErrorCode="64105", ErrorMessage="dropped"),
    case("a relay that failed without a code", "/after", [own(event("session_failed", detail="failed"))], T,
         SessionStatus="failed"),
    case("the caller hung up", "/after", [own(event("session_ended", detail="completed"), "session/VX3")], T,
         SessionId="VX3", SessionStatus="completed", CallStatus="completed"),
    case("the net below the relay", "/after", [own(event("session_ended"))], T),
    case("a spoken turn", "/turn", [own(said(text("where is my order")), external_id=f"{CALL}/raw-1")], T + "&a=3",
         SpeechResult=" where is my order ", Confidence="0.9"),
    case("a spoken turn in another language", "/turn", [own(said(text("hola")), external_id=f"{CALL}/raw-1",
         locale="es-ES")], T + "&a=3", SpeechResult="hola", Language="es-ES"),
    case("a turn of keys", "/turn", [own(said({"type": "choice_made", "id": "42", "title": "42"}),
         external_id=f"{CALL}/raw-1")], T + "&a=3", Digits="42", FinishedOnKey="#"),
    case("a turn without a word", "/turn", [own(event("silence"))], T + "&a=3", SpeechResult="", Digits=""),
    case("a turn of who has no ticket", "/turn", [claimed(said(text("hi")), external_id=f"{CALL}/raw-1")],
         SpeechResult="hi"),
    case("a forged ticket is not looked at twice", "/turn", [claimed(event("silence"))], "t=nonsense"),
    case("the menu: to people", "/menu", [own(event("key", detail="1"))], T, Digits="1"),
    case("the menu: a call back", "/menu", [own(said({"type": "choice_made", "id": "callback",
         "title": "Please call me back"}), external_id=f"{CALL}/raw-1")], T, Digits="2"),
    case("the menu: a call back to a withheld number", "/menu", [wanted(event("key", detail="2"), who=HIDDEN)],
         From="anonymous", Caller="anonymous", Digits="2"),
    case("the menu: a message", "/menu", [own(event("key", detail="3"))], T, Digits="3"),
    case("the menu: words", "/menu", [own(said(text("an agent")), external_id=f"{CALL}/raw-1")], T,
         SpeechResult="an agent"),
    case("the menu: nothing", "/menu", [own(event("silence"))], T, Digits=""),
    case("on the way into the queue", "/queue", [own(event("queued"))], T),
    case("out of the queue", "/queue-done", [own(event("left_queue", duration_s=31, detail="bridged"), "queue/QU1")], T,
         QueueResult="bridged", QueueSid="QU1", QueueTime="31"),
    case("out of the queue, without its id", "/queue-done", [own(event("left_queue", detail="error"))], T,
         QueueResult="error"),
    case("a colleague answered", "/dial-done", [own(event("accepted", duration_s=61, detail="completed"), "dial/CA9")],
         T, DialCallStatus="completed", DialCallSid="CA9", DialCallDuration="61", DialBridged="true"),
    case("a colleague did not answer", "/dial-done", [own(event("rejected", detail="no-answer"), "dial/CA9")], T,
         DialCallStatus="no-answer", DialCallSid="CA9", DialBridged="false"),
    case("a message was spoken", "/voicemail", [own(event("recorded", duration_s=7), f"recorded/{REC}")], T,
         RecordingSid=REC, RecordingUrl=REC_URL, RecordingDuration="7", Digits="#"),
    case("the message itself", "/recording", [own(said(VOICE), f"recording/{REC}", external_id=REC)], T,
         RecordingSid=REC, RecordingUrl=REC_URL, RecordingStatus="completed", RecordingDuration="7"),
    case("a message that failed", "/recording", [own(event("recording_failed"), f"recording/{REC}/failed")], T,
         RecordingSid=REC, RecordingStatus="failed"),
    case("a message without a name", "/recording", [own(other("recording:nameless"))], T, RecordingStatus="completed"),
    case("what was understood of it", "/recording", [own({"kind": "edit", "target": REC, "parts": [
         {**VOICE, "transcript": "call me"}]}, "transcription/TR1")], T, RecordingSid=REC, RecordingUrl=REC_URL,
         TranscriptionSid="TR1", TranscriptionText="call me", TranscriptionStatus="completed"),
    case("nothing was understood", "/recording", [own(event("transcription_failed"), "transcription/TR1")], T,
         RecordingSid=REC, RecordingUrl=REC_URL, TranscriptionSid="TR1", TranscriptionStatus="failed"),
    status("the call is over", own(event("ended", duration_s=10), "status/4", occurred_at="2021-03-12T16:29:59Z"),
           CallStatus="completed", SequenceNumber="4", CallDuration="10", Duration="1",
           Timestamp="Fri, 12 Mar 2021 16:29:59 +0000"),
    status("the call is up", own(event("connected"), "status/2"), CallStatus="in-progress", SequenceNumber="2"),
    status("without a number its status names it", own(event("ringing"), "status/ringing"), CallStatus="ringing"),
    status("a time that is none is its arrival", own(event("initiated"), "status/0"), CallStatus="queued",
           SequenceNumber="0", Timestamp="yesterday"),
    status("a status that is new", own(other("call_status:teleported")), CallStatus="teleported"),
    case("the number's own status callback, at the same URL", "", [claimed(event("ended", duration_s=10), "status/0")],
         CallStatus="completed", CallbackSource="call-progress-events", SequenceNumber="0", CallDuration="10"),
    status("a call that we placed rings", [own(receipt("sent"), "status/1/receipt", echo_key="cmd_1:0"),
           own(event("ringing"), "status/1")], T + "&k=cmd_1:0", CallStatus="ringing", SequenceNumber="1"),
    status("a call that we placed was answered", [own(receipt("delivered"), "status/2/receipt", echo_key="cmd_1:0"),
           own(event("connected"), "status/2")], T + "&k=cmd_1:0", CallStatus="in-progress", SequenceNumber="2"),
    status("a call that we placed was not answered", [
           own(receipt("failed", failure={**UNREACHED, "provider_code": "no-answer"}), "status/3/receipt",
               echo_key="cmd_1:0"),
           own(event("ended", detail="no-answer"), "status/3")],
           T + "&k=cmd_1:0", CallStatus="no-answer", SequenceNumber="3"),
    *(status(f"a call that we placed came to nothing: {word}", [
           own(receipt("failed", failure={**UNREACHED, "text": text, "provider_code": word}), "status/3/receipt",
               echo_key="cmd_1:0"),
           own(event("ended", detail=word), "status/3")],
           T + "&k=cmd_1:0", CallStatus=word, SequenceNumber="3")
      for word, text in (("busy", "the line is busy"), ("failed", "the call could not be put through"),
                         ("canceled", "the call was taken back"))),
    status("whom we call, by the fields alone", wanted(event("connected", direction="out"), key="status/2"), "",
           CallStatus="in-progress", SequenceNumber="2", Direction="outbound-api", From=NUMBER, To=CALLER),
    status("the other end of a transfer", wanted(other("other_leg"), who=""), "", CallStatus="completed",
           Direction="outbound-dial", ParentCallSid=CALL, From=CALLER, To="+15559990000"),
    case("a stream began", "/stream", [own(event("stream-started"), "stream/MZ1/stream-started",
         occurred_at="2026-01-02T03:04:06.123456Z")], T, StreamSid="MZ1", StreamEvent="stream-started",
         Timestamp="2026-01-02T03:04:06.123456789Z"),
    case("a stream failed", "/stream", [own(event("stream-error", detail="31920"), "stream/MZ1/stream-error")], T,
         StreamSid="MZ1", StreamEvent="stream-error", StreamError="31920"),
    case("a path that is none of ours", "/elsewhere", [own(other("route:/elsewhere"))], T),
    # A webhook may be called by any name: what it tells is told by its fields.
    case("a call comes in by another name", "/hooks/line", [claimed(event("ringing"), "ringing")],
         CallStatus="ringing"),
    case("a route below another name", "/voice/after", [own(event("session_ended", detail="ended"), "session/VX1")], T,
         SessionId="VX1", SessionStatus="ended"),
    case("words at the entrance", "", [own(said(text("hi")), external_id=f"{CALL}/raw-1")], T, SpeechResult="hi"),
    case("a slash at the end", "/", [own(event("ringing"), "ringing")], T),
    case("a transfer's end at the entrance", "", [own(event("rejected", detail="busy"), "dial/CA9")], T,
         DialCallStatus="busy", DialCallSid="CA9"),
]  # fmt: skip


def test_there_are_enough() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("one", CASES, ids=str)
def test_inbound(one: InboundCase) -> None:
    check_inbound(SUBJECT, one)


@pytest.mark.parametrize("one", CASES, ids=str)
def test_inbound_by_the_command(one: InboundCase) -> None:
    check_parsed(SUBJECT, one)


def test_a_get_says_the_same() -> None:
    posted, asked = (ADAPTER.parse(hook("", method=method, CallStatus="ringing")) for method in ("POST", "GET"))
    assert [one.body for one in posted] == [one.body for one in asked]
    assert [one.id for one in posted] == [one.id for one in asked]


def test_who_calls_stands_in_the_ticket() -> None:
    """Callbacks about recordings have no number in them, and fields say less than the first request did."""
    raw = hook("/recording", f"t={our_ticket(evidence=Evidence.CHANNEL)}", From="", To="", Caller="", Called="",
               RecordingSid=REC, RecordingStatus="completed")  # fmt: skip
    (envelope,) = ADAPTER.parse(raw)
    assert (str(envelope.party.address), envelope.party.claims[0].evidence) == (LEG, Evidence.CHANNEL)


def test_a_turn_names_its_call() -> None:
    assert call_in(turn_id(CALL, "raw-7")) == CALL
    assert [call_in(text) for text in (None, "", CALL, "wamid/x", f"RE{CALL[2:]}/x", "/x")] == [None] * 6


@pytest.mark.parametrize("path", ["", "/turn", "/recording", "/status", "/stream", "/after"])
def test_a_webhook_without_a_call_is_kept(path: str) -> None:
    (envelope,) = ADAPTER.parse(hook(path, CallSid=""))
    assert envelope.body.what == f"no_call:{path}"  # type: ignore[union-attr]
    assert envelope.party.claims == ()


def test_no_fields_at_all_is_malformed() -> None:
    with pytest.raises(Malformed):
        ADAPTER.parse(SUBJECT.raw(b"", path="/status"))


def test_more_fields_than_anybody_sends_are_malformed() -> None:
    with pytest.raises(Malformed):
        ADAPTER.parse(SUBJECT.raw(form({f"f{n}": "x" for n in range(2000)})))


# --- bad input ----------------------------------------------------------------------------------------------------

FULL = form(fields(
    SpeechResult="hi", Digits="1", RecordingSid=REC, RecordingUrl=REC_URL, RecordingStatus="completed",
    TranscriptionSid="TR1", TranscriptionText="x", QueueResult="leave", QueueSid="QU1", QueueTime="3",
    DialCallStatus="busy", DialCallSid="CA9", SessionId="VX1", SessionStatus="failed", ErrorCode="64105",
    HandoffData="{}", SequenceNumber="2", Timestamp="Fri, 12 Mar 2021 16:29:59 +0000", CallDuration="10",
    StreamSid="MZ1", StreamEvent="stream-started", CallerName="A",
))  # fmt: skip
PATHS = ("", "/after", "/turn", "/menu", "/queue-done", "/dial-done", "/voicemail", "/recording", "/status", "/stream")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [b"[" * 1_000_000, b'{"a":' * 100_000, b"&" * 100_000, b"=" * 100_000, b"%" * 100_000, b"\xff" * 1000, b"\x00",
     b"CallSid=" + b"A" * 500_000, FULL + b"&SpeechResult=" + b"x" * 500_000, FULL + b"&Timestamp=" + b"1 " * 50_000],
    ids=lambda body: f"{body[:6]!r}",
)  # fmt: skip
def test_junk_is_survived(path: str, body: bytes) -> None:
    check_survives(SUBJECT, body, path=path, query=T, beside={"content-type": FORM})


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(form_mutations(FULL))
@pytest.mark.parametrize("path", PATHS)
def test_any_change_of_a_field_is_survived(path: str, mutation: tuple[str, bytes]) -> None:
    check_survives(SUBJECT, mutation[1], path=path, query=T, beside={"content-type": FORM})
