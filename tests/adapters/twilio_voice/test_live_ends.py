"""What ends a socket: the end of its call, of its session, and our own."""

from typing import Any

import pytest

from tests.adapters.twilio_voice.support import ADAPTER, NOTE, SESSION, adapter, event, frame, hook, message

OTHER_CALL = {"CallSid": "CA000000000000000000000000000000bb"}
OVER = {"CallbackSource": "call-progress-events", "SequenceNumber": "3", "CallDuration": "10"}
RELAY = {"SessionId": SESSION, "SessionStatus": "ended"}


@pytest.mark.parametrize(
    ("path", "fields", "ends"),
    [
        ("/status", {**OVER, "CallStatus": "completed"}, True),
        ("/status", {**OVER, "CallStatus": "no-answer"}, True),
        ("/status", {**OVER, "CallStatus": "in-progress"}, False),
        ("/status", {**OVER, "CallStatus": "completed", **OTHER_CALL}, False),
        ("/after", RELAY, True),
        ("/after", {**RELAY, "SessionStatus": "failed", "ErrorCode": "64105"}, True),
        ("/after", {**RELAY, **OTHER_CALL}, False),
        ("/after", {**RELAY, "SessionId": "VX000000000000000000000000000000bb"}, False),
        ("/after", {"SessionStatus": "ended"}, False),
        ("/voicemail", {"RecordingSid": "RE1"}, False),
        ("/turn", {"SpeechResult": "it has ended"}, False),
    ],
    ids=str,
)
def test_what_is_told_of_a_call_or_session(path: str, fields: dict[str, str], ends: bool) -> None:
    (told,) = ADAPTER.parse(hook(path, **fields))
    assert ADAPTER.ends(told, NOTE) is ends


@pytest.mark.parametrize("note", ["", "junk", "[]"])
def test_a_socket_of_nobodys_call_is_ended_by_no_other(note: str) -> None:
    (told,) = ADAPTER.parse(hook("/status", **OVER, CallStatus="completed"))
    assert not ADAPTER.ends(told, note)


def test_what_comes_over_the_socket_itself_is_no_end_of_it() -> None:
    (heard,) = ADAPTER.parse(frame({"type": "error", "description": "ended"}))
    assert not ADAPTER.ends(heard, NOTE)


def state(name: str) -> dict[str, Any]:
    return {"kind": "state_change", "state": name, "reason": "r"}


@pytest.mark.parametrize(
    ("body", "takeover", "ends"),
    [
        (state("queue"), "typed", True),
        (state("nobody"), "typed", True),
        (state("agent"), "phone", True),
        (state("agent"), "typed", False),
        (state("ai"), "phone", False),
        (event("ended", direction="out"), "typed", True),
        (event("key", direction="out", detail="1"), "typed", False),
    ],
    ids=str,
)
def test_our_own_end_is_one(body: dict[str, Any], takeover: str, ends: bool) -> None:
    assert adapter(takeover=takeover).ends(message(body), NOTE) is ends
