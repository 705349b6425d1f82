"""A call as a socket."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings

from adapters.base import Bind, Close, Keep, Malformed, RawInbound, Say
from adapters.twilio_voice.live import NEVER
from adapters.twilio_voice.wire import TYPE, Note, note_text
from gateway.clock import FrozenClock
from gateway.workbench import parse_lines
from normalizer.address import Address, Scheme
from normalizer.envelope import Evidence
from tests.adapters.twilio_voice.support import (
    ADAPTER,
    CALL,
    CALLER,
    LEG,
    NOTE,
    PROMPT,
    SESSION,
    SETTINGS,
    SETUP,
    START,
    adapter,
    event,
    frame,
    framed,
    our_ticket,
    said,
    text,
    wanted,
)
from tests.kit import mutations
from tests.kit.cases import NOW

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
