"""A call as a socket."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.base import Bind, Close, Keep, Malformed, Outcome, RawInbound, Say, Wire
from adapters.twilio_voice.live import NEVER, lines
from adapters.twilio_voice.plan import Lines, Words
from adapters.twilio_voice.wire import TYPE, Note, note_text
from gateway.clock import FrozenClock
from gateway.workbench import parse_lines
from normalizer.address import Address, Scheme
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import (
    ACCOUNT,
    ADAPTER,
    CALL,
    CALLER,
    LEG,
    NOTE,
    NUMBER,
    SESSION,
    SETTINGS,
    adapter,
    event,
    frame,
    framed,
    message,
    our_ticket,
    outcome,
    said,
    text,
    wanted,
)
from tests.kit import mutations
from tests.kit.cases import NOW

SETUP: dict[str, Any] = {
    "type": "setup", "sessionId": SESSION, "accountSid": ACCOUNT, "parentCallSid": "", "callSid": CALL, "from": CALLER,
    "to": NUMBER, "forwardedFrom": "", "callerName": "", "direction": "inbound", "callType": "PSTN",
    "callStatus": "RINGING", "applicationSid": None, "customParameters": {"ticket": our_ticket()},
}  # fmt: skip
START: dict[str, Any] = {
    "event": "start", "sequenceNumber": "1", "streamSid": "MZ1",
    "start": {"streamSid": "MZ1", "accountSid": ACCOUNT, "callSid": CALL, "tracks": ["inbound"],
              "customParameters": {"ticket": our_ticket()},
              "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1}},
}  # fmt: skip
PROMPT = {"type": "prompt", "voicePrompt": "where is my order", "lang": "en-US", "last": True}
INTERRUPT = {"type": "interrupt", "utteranceUntilInterrupt": "Let me", "durationUntilInterruptMs": 460}
STREAM = note_text(Note(CALL, "MZ1", LEG, 2))


def changed(document: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**document, **more}


# --- binding ------------------------------------------------------------------------------------------------------


def test_a_setup_binds_the_leg_of_its_ticket() -> None:
    """Not of its `from`, which anybody may write."""
    found = ADAPTER.hear(frame(changed(SETUP, **{"from": "+19998887777"}), session=None))
    assert found == Bind(address=Address(Scheme.TEL, CALLER), issued_at=NOW, since=NOW, evidence=Evidence.CHANNEL,
                         turns=f"{CALL}/", note=NOTE, keep=True)  # fmt: skip


def test_a_claimed_number_has_another_leg() -> None:
    setup = changed(SETUP, customParameters={"ticket": our_ticket(evidence=Evidence.CLAIMED)})
    found = ADAPTER.hear(frame(setup, session=None))
    assert isinstance(found, Bind)
    assert found.evidence is Evidence.CLAIMED


def test_a_session_that_comes_back_hears_the_last_seconds_again() -> None:
    since = NOW - timedelta(seconds=5)
    found = ADAPTER.hear(frame(changed(SETUP, customParameters={"ticket": our_ticket(since=since)}), session=None))
    assert isinstance(found, Bind)
    assert found.since == since


def test_whoever_answers_our_call_may_use_its_ticket() -> None:
    """We do not know the call's id before it is placed."""
    setup = changed(SETUP, customParameters={"ticket": our_ticket(call="", outward=True)})
    found = ADAPTER.hear(frame(setup, session=None))
    assert isinstance(found, Bind)
    assert '"' + CALL + '"' in found.note


@pytest.mark.parametrize(
    "document",
    [
        {key: value for key, value in SETUP.items() if key != "customParameters"},
        changed(SETUP, customParameters=None),
        changed(SETUP, customParameters=[]),
        changed(SETUP, customParameters={}),
        changed(SETUP, customParameters={"ticket": 5}),
        changed(SETUP, customParameters={"ticket": "forged"}),
        changed(SETUP, customParameters={"ticket": our_ticket()[:-2] + "xx"}),
        changed(SETUP, customParameters={"ticket": our_ticket(call="CA" + "b" * 32)}),
        changed(SETUP, callSid="CA" + "b" * 32),
        changed(SETUP, callSid=None),
        changed(START, start={**START["start"], "customParameters": {}}),
        changed(START, start=None),
        changed(START, start="x"),
    ],
)
def test_without_our_ticket_for_this_call_nobody_is_bound(document: dict[str, Any]) -> None:
    found = ADAPTER.hear(frame(document, session=None))
    assert isinstance(found, Close)
    assert found.code == 4401


@pytest.mark.parametrize("document", [PROMPT, INTERRUPT, {}, [], b"", b"{", b"\xff", b"[" * 60_000, {"type": "ping"}])
def test_what_comes_before_a_setup_ends_the_socket(document: Any) -> None:
    found = ADAPTER.hear(frame(document, session=None))
    assert isinstance(found, Close)
    assert found.code == 4400


def test_a_stream_is_bound_and_never_spoken_to() -> None:
    assert ADAPTER.hear(frame({"event": "connected", "protocol": "Call", "version": "1.0.0"}, session=None)) == Say(b"")
    found = ADAPTER.hear(frame(START, session=None))
    assert isinstance(found, Bind)
    assert (found.address, found.since, found.keep) == (Address(Scheme.TEL, CALLER), NEVER, True)


def test_a_frame_at_the_limit_and_one_past_it() -> None:
    small = adapter(frame_max_bytes=4096)
    body = json.dumps(PROMPT).encode()
    assert small.hear(frame(body + b" " * (4096 - len(body)))) == Keep()
    assert small.hear(frame(body + b" " * (4097 - len(body)))) == Close(1009, "frame too big")


# --- hearing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "document",
    [
        changed(PROMPT, last=False),
        changed(PROMPT, voicePrompt=""),
        changed(PROMPT, voicePrompt="  "),
        changed(PROMPT, voicePrompt=None),
        {"type": "info", "name": "agentSpeaking", "value": "on", "ts": 1},
        {"type": "info", "name": "clientSpeaking", "value": "off", "ts": 1},
        {"type": "info", "name": "tokensPlayed", "value": "Let me"},
        {"event": "media", "sequenceNumber": "2", "streamSid": "MZ1", "media": {"payload": "AA=="}},
        {"event": "mark", "sequenceNumber": "3", "streamSid": "MZ1", "mark": {"name": "m"}},
        {"event": "connected"},
    ],
)
def test_what_is_heard_and_not_kept(document: dict[str, Any]) -> None:
    """And where it was kept all the same, nothing is made of it."""
    assert ADAPTER.hear(frame(document)) == Say(b"")
    assert framed(document) == []


UNREADABLE = wanted({"kind": "unsupported", "what": "malformed:frame", "visible": False})
KEPT: list[tuple[str, Any, Any]] = [
    ("the session's beginning", SETUP, wanted(event("connected"), dedupe_keys=[f"{SESSION}/setup"])),
    ("a turn", PROMPT, wanted(said(text("where is my order")), external_id=f"{CALL}/raw-1", locale="en-US")),
    ("a turn without its end marked", {"type": "prompt", "voicePrompt": "hi"},
     wanted(said(text("hi")), external_id=f"{CALL}/raw-1")),
    ("a key", {"type": "dtmf", "digit": "0"}, wanted(event("key", detail="0"))),
    ("another key", {"type": "dtmf", "digit": "*"}, wanted(event("key", detail="*"))),
    ("an interruption", INTERRUPT, wanted(event("interrupted", detail="Let me", duration_s=0))),
    ("with its time as text", changed(INTERRUPT, durationUntilInterruptMs="1460"),
     wanted(event("interrupted", detail="Let me", duration_s=1))),
    ("with its time in decimals", changed(INTERRUPT, durationUntilInterruptMs=2600.7),
     wanted(event("interrupted", detail="Let me", duration_s=3))),
    ("with a time that is none", changed(INTERRUPT, durationUntilInterruptMs="soon"),
     wanted(event("interrupted", detail="Let me"))),
    ("before a word was heard", changed(INTERRUPT, utteranceUntilInterrupt=""),
     wanted(event("interrupted", detail="", duration_s=0))),
    ("trouble of the provider", {"type": "error", "description": "speech failed"},
     wanted(event("error", detail="speech failed"))),
    ("news of another kind", {"type": "info", "name": "weather", "value": "fair"},
     wanted({"kind": "unsupported", "what": "info:weather", "visible": False})),
    ("a frame of another kind", {"type": "hologram"},
     wanted({"kind": "unsupported", "what": "frame:hologram", "visible": False})),
    ("a frame of no kind", {"a": 1}, wanted({"kind": "unsupported", "what": "frame:", "visible": False})),
    ("no JSON", b"<html>Bad Gateway</html>", UNREADABLE),
    ("no object", b"[1]", UNREADABLE),
    ("no text", b"\xff\xfe", UNREADABLE),
]  # fmt: skip
STREAMED: list[tuple[str, Any, Any]] = [
    ("a stream's beginning", START, wanted(event("stream_started", detail="MZ1"), dedupe_keys=["MZ1/1"])),
    ("a key in a stream", {"event": "dtmf", "streamSid": "MZ1", "sequenceNumber": "5",
                           "dtmf": {"track": "inbound_track", "digit": "7"}},
     wanted(event("key", detail="7"), dedupe_keys=["MZ1/5"])),
    ("a stream's end", {"event": "stop", "streamSid": "MZ1", "sequenceNumber": "250", "stop": {"callSid": CALL}},
     wanted(event("stream_stopped", detail="250 frames"), dedupe_keys=["MZ1/250"])),
    ("an end without a number", {"event": "stop"}, wanted(event("stream_stopped"))),
]  # fmt: skip
ALL = [*((label, doc, want, NOTE) for label, doc, want in KEPT), *((a, b, c, STREAM) for a, b, c in STREAMED)]


@pytest.mark.parametrize(("label", "document", "want", "note"), ALL, ids=[one[0] for one in ALL])
def test_kept_frames(label: str, document: Any, want: Any, note: str) -> None:
    assert ADAPTER.hear(frame(document, note=note)) == Keep(), label
    assert framed(document, note) == [want], label


@pytest.mark.parametrize(("label", "document", "want", "note"), ALL, ids=[one[0] for one in ALL])
def test_kept_frames_by_the_command(label: str, document: Any, want: Any, note: str) -> None:
    raw = frame(document, note=note)
    line = {"id": "raw-1", "origin": "live", "session": CALLER, "headers": dict(raw.headers),
            "body_b64": b64encode(raw.body).decode(), "received_at": NOW.isoformat(), "method": "GET"}  # fmt: skip
    (out,) = parse_lines(TYPE, json.loads(json.dumps(SETTINGS)), [json.dumps(line).encode()], FrozenClock(NOW))
    shown = json.loads(out)
    assert shown["verdict"] == "accepted", label
    (envelope,) = shown["envelopes"]
    assert {key: value for key, value in envelope.items() if key in want and key != "endpoint_id"} == {
        key: value for key, value in want.items() if key != "endpoint_id"
    }


def test_what_the_caller_claims_stays_claimed() -> None:
    (envelope,) = framed(PROMPT, note_text(Note(CALL, SESSION, LEG, 1)))
    assert envelope["party"]["claims"][0]["evidence"] == 1


def test_two_frames_are_two_events() -> None:
    """The same words twice: the socket delivers each frame once, so none of them is a repeat."""
    first, second = frame(PROMPT), RawInbound(**{**_fields(frame(PROMPT)), "id": "raw-2"})
    assert ADAPTER.parse(first)[0].id != ADAPTER.parse(second)[0].id


def _fields(raw: RawInbound) -> dict[str, Any]:
    return {name: getattr(raw, name) for name in raw.__struct_fields__}


@pytest.mark.parametrize("note", ["", "x", "[]"])
def test_a_frame_of_nobodys_call_is_malformed(note: str) -> None:
    with pytest.raises(Malformed):
        ADAPTER.parse(frame(PROMPT, note=note))


@settings(max_examples=150, deadline=None)
@given(mutations(PROMPT) | mutations(INTERRUPT) | mutations(SETUP) | mutations(START))
def test_any_change_of_a_frame_is_heard_and_read(mutation: tuple[Any, Any]) -> None:
    for session in (None, CALLER):
        ADAPTER.hear(frame(mutation[1], session=session))
    framed(mutation[1])


def test_deep_nesting_is_survived() -> None:
    for body in (b"[" * 1_000_000, b'{"type":"prompt","x":' + b"[" * 500_000):
        assert ADAPTER.hear(frame(body)) == Close(1009, "frame too big")
        assert framed(body[:60_000])[0]["body"]["what"] == "malformed:frame"


# --- speaking -----------------------------------------------------------------------------------------------------


def wire(body: dict[str, Any], seq: int = 4, **facts: Any) -> Wire:
    more = facts.pop("envelope", {})
    return Wire(seq=seq, envelope=message(body, **more), at=NOW, **facts)


def shown(body: dict[str, Any], takeover: str = "typed", **facts: Any) -> Any:
    spoken = adapter(takeover=takeover).show(wire(body, **facts))
    return None if spoken is None else json.loads(spoken)


def state(name: str) -> dict[str, Any]:
    return {"kind": "state_change", "state": name, "reason": "r"}


AUDIO = {"type": "audio", "media": {"stored": "aa", "mime": "audio/mpeg"}}
URLS = {"aa": "https://gw.example/media/aa"}
END = '{"reason":"agent"}'


@pytest.mark.parametrize(
    ("body", "facts", "want"),
    [
        (said(text("**Hello** there")), {}, {"type": "text", "token": "Hello there", "last": True}),
        (said(text("Hola")), {"envelope": {"locale": "es-ES"}},
         {"type": "text", "token": "Hola", "last": True, "lang": "es-ES"}),
        (said(text("One. Two.")), {"streamed": 4}, {"type": "text", "token": " Two.", "last": True}),
        (said(text("One. Two.")), {"streamed": 9}, {"type": "text", "token": "", "last": True}),
        (said(text("One.")), {"streamed": 40}, {"type": "text", "token": "", "last": True}),
        (said(text("One. Two.")), {"streamed": 4, "closed": True}, {"type": "text", "token": "Two.", "last": True}),
        (said(text("One. Two.")), {"streamed": 9, "closed": True}, None),
        (said(text("😀")), {}, None),
        (said(text("gone")), {"withdrawn": True}, None),
        (said(text("mine")), {"envelope": {"direction": "in", "author": "customer"}}, None),
        (said(AUDIO), {"media_urls": URLS},
         {"type": "play", "source": URLS["aa"], "loop": 1, "interruptible": True, "preemptible": False}),
        (said(AUDIO), {}, None),
        (said({"type": "choice_made", "id": "1w2#", "title": "1"}), {}, {"type": "sendDigits", "digits": "1w2#"}),
        (state("queue"), {}, {"type": "end", "handoffData": END}),
        (state("agent"), {}, None),
        (state("agent"), {"takeover": "phone"}, {"type": "end", "handoffData": END}),
        (state("nobody"), {}, {"type": "end", "handoffData": '{"reason":"done"}'}),
        (state("ai"), {}, None),
        (event("key", direction="out", detail="12#"), {}, {"type": "sendDigits", "digits": "12#"}),
        (event("ended", direction="out"), {}, {"type": "end", "handoffData": '{"reason":"done"}'}),
        (event("ringing", direction="out"), {}, None),
        ({"kind": "revoke", "target": "x"}, {}, None),
        ({"kind": "typing"}, {}, None),
        ({"kind": "note", "text": "n"}, {}, None),
    ],
)  # fmt: skip
def test_show(body: dict[str, Any], facts: dict[str, Any], want: Any) -> None:
    assert shown(body, **facts) == want


@pytest.mark.parametrize(
    ("piece", "first", "token"),
    [("Let me **check**.", True, "Let me check."), ("Done.", False, " Done."), (" Done.", False, " Done."),
     ("One. ", True, "One. ")],
)  # fmt: skip
def test_partial(piece: str, first: bool, token: str) -> None:
    assert json.loads(ADAPTER.partial(piece, first)) == {"type": "text", "token": token, "last": False}


BOTH = {"type": "language", "ttsLanguage": "es-ES", "transcriptionLanguage": "es-ES"}
SPEAKS = {"type": "language", "ttsLanguage": "es-ES"}


@pytest.mark.parametrize(
    ("locale", "before", "heard", "want"),
    [
        ("en-US", None, None, None),
        ("EN-us", None, None, None),
        ("en", None, None, None),  # any English will do
        ("es-ES", "es-ES", "en-US", None),
        ("es-ES", None, None, BOTH),
        ("es-ES", "en-US", "en-US", BOTH),
        ("es-ES", "es-MX", "es-MX", BOTH),
        ("es-ES", "es", "es", BOTH),
        ("es-ES", None, "es-ES", SPEAKS),  # he is understood already
        ("en-US", "es-ES", None, {"type": "language", "ttsLanguage": "en-US"}),
    ],
)
def test_the_language_changes_where_it_is_another_one(
    locale: str, before: str | None, heard: str | None, want: Any
) -> None:
    frame = ADAPTER.language(locale, before, heard)
    assert (None if frame is None else json.loads(frame)) == want


def test_handoff_data_is_a_text() -> None:
    assert isinstance(shown(state("queue"))["handoffData"], str)
    assert json.loads(ADAPTER.farewell(1000)) == {"type": "end", "handoffData": '{"reason":"reconnect"}'}


def test_the_rest_of_a_socket_is_silence() -> None:
    assert ADAPTER.synced(4) == b""
    assert ADAPTER.greet(None, NOW) == ()  # type: ignore[arg-type]
    assert ADAPTER.respond(frame(PROMPT), outcome("ai")).body == b""
    assert ADAPTER.headers(frame(PROMPT)) == {}
    assert ADAPTER.limited(frame(PROMPT), 10) == b""


def test_who_speaks_while_nothing_can_be_kept_goes_on_to_people() -> None:
    """By the action's URL, which says that we have a problem where that lasts. Silence is no answer."""
    assert json.loads(ADAPTER.respond(frame(PROMPT), None).body) == {"type": "end", "handoffData": END}
    for other in ({"type": "dtmf", "digit": "1"}, {"type": "interrupt"}, SETUP, b"junk"):
        assert ADAPTER.respond(frame(other), None).body == b""


def test_who_speaks_and_is_answered_late_stays_on_the_line() -> None:
    """His turn is safe."""
    assert ADAPTER.respond(frame(PROMPT), Outcome(error="late")).body == b""


# --- the same, turn by turn ---------------------------------------------------------------------------------------


def test_lines_are_said_in_their_order() -> None:
    wires = [wire(said(text("One.")), 4), wire(said(text("mine")), 5, envelope={"direction": "in"}),
             wire(said(text("Two.")), 6), wire(said(AUDIO), 7, media_urls=URLS)]  # fmt: skip
    assert lines(wires, "typed", more=True) == Lines(say=("One.", "Two."), play=(URLS["aa"],), last=7, more=True)
    assert lines([], "typed", more=False) == Lines()


def test_lines_keep_their_languages() -> None:
    """What is no language is none: it would stand in a document."""
    locales = ["es-ES", None, "<en>"]
    wires = [wire(said(text("x")), 4, envelope={"locale": locale} if locale else {}) for locale in locales]
    assert lines(wires, "typed", more=False) == Lines(say=(Words("x", "es-ES"), "x", "x"), last=4)


@pytest.mark.parametrize(("name", "then"), [("queue", "people"), ("nobody", "goodbye"), ("agent", None), ("ai", None)])
def test_a_change_of_the_holder_ends_them(name: str, then: str | None) -> None:
    """Its explanation stands behind it, and is said."""
    found = lines([wire(state(name), 4), wire(said(text("A colleague will help.")), 5)], "typed", more=False)
    assert found == Lines(say=("A colleague will help.",), then=then, last=5)  # type: ignore[arg-type]
