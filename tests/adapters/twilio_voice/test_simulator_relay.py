"""The relay takes what is documented and nothing else."""

import json
from typing import Any

import pytest

from adapters.twilio_voice.simulator_relay import Relay, Stream
from adapters.twilio_voice.simulator_world import Heard
from tests.adapters.twilio_voice.support import ACCOUNT, CALL, CALLER, NUMBER, signature
from tests.adapters.twilio_voice.test_simulator_world import world
from tests.kit.cases import NOW

BASE = {"AccountSid": ACCOUNT, "CallSid": CALL, "From": CALLER, "To": NUMBER, "Direction": "inbound"}
URL = "wss://gateway.example.org/live/endpoint"


def relay(**attributes: str) -> Relay:
    return Relay(world(), URL, {"dtmfDetection": "true", **attributes}, {"ticket": "T1"}, BASE, [])


def taken(one: Relay, *frames: Any) -> list[tuple[int, str]]:
    for frame in frames:
        one.take(frame if isinstance(frame, str | bytes) else json.dumps(frame), NOW)
    return [(complaint.code, complaint.text) for complaint in one.world.complaints]


def text(token: str, last: bool = True, **more: Any) -> dict[str, Any]:
    return {"type": "text", "token": token, "last": last, **more}


def test_the_handshake_is_signed_over_the_url_alone() -> None:
    request = relay().handshake()
    assert (request.method, request.headers["x-twilio-signature"]) == ("GET", signature(URL))


def test_the_setup() -> None:
    one = relay(welcomeGreeting="Hello.")
    (frame,) = one.opened(NOW)
    assert json.loads(frame) == {
        "type": "setup", "sessionId": one.sid, "accountSid": ACCOUNT, "parentCallSid": "", "callSid": CALL,
        "from": CALLER, "to": NUMBER, "forwardedFrom": "", "callerName": "", "direction": "inbound", "callType": "PSTN",
        "callStatus": "RINGING", "applicationSid": None, "customParameters": {"ticket": "T1"},
    }  # fmt: skip
    bare = Relay(world(), URL, {}, {}, BASE, [])
    assert "customParameters" not in json.loads(bare.opened(NOW)[0])


@pytest.mark.parametrize(
    "frame",
    [
        text("Hi", lang="en-US", interruptible=True, preemptible=False),
        text("Hi", interruptible="speech"),
        {"type": "play", "source": "https://x.example/a", "loop": 0, "preemptible": True},
        {"type": "sendDigits", "digits": "0-9".replace("-", "w") + "*#"},
        {"type": "language", "ttsLanguage": "es-ES"},
        {"type": "end"},
        {"type": "end", "handoffData": "{}"},
    ],
)
def test_documented_frames(frame: dict[str, Any]) -> None:
    assert taken(relay(), frame) == []


def test_what_is_heard_is_told_in_the_language_that_it_is_listened_for() -> None:
    it, frame = relay(), {"type": "language", "ttsLanguage": "es-ES"}
    taken(it, frame)
    assert json.loads(it.says("hola")[0])["lang"] == "en-US"
    taken(it, {**frame, "transcriptionLanguage": "es-ES"})
    assert json.loads(it.says("hola")[0])["lang"] == "es-ES"
    assert [sorted(one) for one in it.switched] == [["ttsLanguage"], ["transcriptionLanguage", "ttsLanguage"]]


@pytest.mark.parametrize(
    "frame",
    [
        b"binary", "not json", "[]", "null", {}, {"type": "ping"}, {"type": 5}, {"type": ["text"]},
        text("Hi", extra=1), {"type": "text", "token": "Hi"}, {"type": "text", "last": True}, text(5),  # type: ignore[arg-type]
        text("Hi", last="true"), text("Hi", interruptible="sometimes"), {"type": "play"},  # type: ignore[arg-type]
        {"type": "play", "source": "x", "loop": -1}, {"type": "play", "source": "x", "loop": True},
        {"type": "sendDigits", "digits": ""}, {"type": "sendDigits", "digits": "12a"},
        {"type": "end", "handoffData": {"reason": "agent"}}, {"type": "language", "ttsLanguage": 5},
    ],
)  # fmt: skip
def test_whatever_else_is_64107_and_the_session_goes_on(frame: Any) -> None:
    one = relay()
    assert [code for code, _ in taken(one, frame)] == [64107]
    assert one.ended is None


def test_nothing_comes_after_the_end() -> None:
    assert taken(relay(), {"type": "end"}, text("Hi")) == [(64107, "a frame after `end`")]


def test_a_talk_cycle_ends_once() -> None:
    one = relay()
    assert taken(one, text("One ", False), text("two.")) == []
    assert one.cycles == ["One two."]
    assert taken(one, text("")) == [(64107, "a talk cycle without a word")]


def test_after_an_interruption_only_the_end_of_the_cycle_is_taken() -> None:
    good, bad = relay(), relay()
    for one in (good, bad):
        taken(one, text("Let me ", False))
        one.interrupts()
    assert taken(good, text("", True), text("Next.")) == []
    assert good.cycles == ["Next."]
    assert taken(bad, text("check.", False)) == [(64107, "spoken after an interruption")]


def test_what_the_caller_does_comes_only_where_it_was_asked_for() -> None:
    one = relay(interruptible="none", dtmfDetection="false")
    assert (one.presses("1"), one.interrupts(), len(one.says("hi", partial=("h",)))) == ([], [], 1)
    two = relay(partialPrompts="true")
    assert [json.loads(frame)["last"] for frame in two.says("hi", partial=("h",))] == [False, True]


def test_without_a_word_about_it_half_was_heard() -> None:
    one = relay()
    taken(one, text("abcdef"))
    assert json.loads(one.interrupts()[0])["utteranceUntilInterrupt"] == "abc"


def test_ways_to_end() -> None:
    lost, unopened, ended = relay(), relay(), relay()
    lost.lost()
    unopened.lost(connected=False)
    taken(ended, {"type": "end", "handoffData": "x"})
    ended.lost()
    assert [one.ended.error for one in (lost, unopened, ended) if one.ended] == [64105, 64102, None]


def test_what_was_said_is_heard() -> None:
    heard: list[Heard] = []
    one = Relay(world(), URL, {}, {}, BASE, heard)
    taken(one, text("Hi ", False), text("you."), {"type": "play", "source": "u"})
    assert [(each.text, each.how) for each in heard] == [("Hi ", "relay"), ("you.", "relay"), ("u", "play")]


def test_a_stream_counts_in_texts() -> None:
    one = Stream(world(), URL, {"ticket": "T1"}, BASE)
    connected, start = map(json.loads, one.opened())
    assert connected == {"event": "connected", "protocol": "Call", "version": "1.0.0"}
    assert (start["sequenceNumber"], start["start"]["customParameters"]) == ("1", {"ticket": "T1"})
    first, second = map(json.loads, one.sounds(2))
    assert (second["sequenceNumber"], second["media"]["chunk"], second["media"]["timestamp"]) == ("3", "2", "40")
    assert first["media"]["track"] == "inbound"
    assert json.loads(one.presses("1"))["dtmf"] == {"track": "inbound_track", "digit": "1"}
    assert json.loads(one.stops())["sequenceNumber"] == "5"
    assert one.handshake().headers["x-twilio-signature"] == signature(URL)
