"""Whole calls: the simulated telephone company and the adapter, each tested by the other."""

from typing import Any

import pytest

from adapters.base import Say
from adapters.twilio_voice.simulator_doing import (
    Dialling,
    Gathering,
    Queued,
    RecordingIt,
)
from normalizer.envelope import CallEvent, ChoiceMade, Edit, Message, Text, Voice
from tests.adapters.twilio_voice.simulated import Exchange, heard
from tests.adapters.twilio_voice.support import CALLER, CONFIG, said, text

HANDOFF = {"kind": "state_change", "state": "queue", "reason": "r"}


# --- the relay ----------------------------------------------------------------------------------------------------


def test_a_call_with_the_ai() -> None:
    both = Exchange()
    call = both.ring()
    relay = both.open()
    both.hear(relay, *call.says("where is my order", both.now))
    both.line(said(text("It is **on its way**.")), relay)
    call.hangs_up(both.now)
    both.settle()
    assert both.events == ["ringing", "connected", "ended", "session_ended"]
    assert both.turns == [Message(parts=(Text("where is my order"),))]
    assert heard(call) == ["Hello. How can I help you?", "It is on its way."]
    assert (call.status, both.complaints) == ("completed", [])
    assert {str(one.party.address) for one in both.kept} == {f"tel:{CALLER}"}


def test_an_answer_sentence_by_sentence_is_one_talk_cycle() -> None:
    both = Exchange()
    both.ring()
    relay = both.open()
    both.sentence(relay, "Let me check.", first=True)
    both.sentence(relay, "It is here.", first=False)
    both.line(said(text("Let me check. It is here. Bye.")), relay, streamed=len("Let me check. It is here."))
    assert relay.cycles == ["Let me check. It is here. Bye."]
    assert both.complaints == []


def test_what_is_interrupted_is_closed_and_not_spoken_on() -> None:
    both = Exchange()
    call = both.ring()
    relay = both.open()
    both.sentence(relay, "Let me check.", first=True)
    both.hear(relay, *relay.interrupts("Let me", "460"), *call.says("stop", both.now))
    both.line(said(text("Let me")), relay, streamed=len("Let me check."))
    both.line(said(text("As you like.")), relay)
    assert both.bodies[-2:] == [
        CallEvent(call=both.kept[0].body.call, event="interrupted", direction="in", duration_s=0, detail="Let me"),  # type: ignore[union-attr]
        Message(parts=(Text("stop"),)),
    ]
    assert heard(call)[-1] == "As you like."
    assert both.complaints == []


@pytest.mark.parametrize("ms", [460, "460", 460.5])
def test_an_interruption_in_each_of_its_forms(ms: Any) -> None:
    both = Exchange()
    both.ring()
    relay = both.open()
    both.line(said(text("One two three four.")), relay)
    both.hear(relay, *relay.interrupts(ms=ms))
    assert both.events[-1] == "interrupted"


def test_unfinished_prompts_are_no_turns() -> None:
    both = Exchange()
    both.ring()
    relay = both.open()
    relay.attributes = {**relay.attributes, "partialPrompts": "true"}
    found = both.hear(relay, *relay.says("where is my order", partial=("where", "where is my")))
    assert found[:2] == [Say(b""), Say(b"")]
    assert len(both.turns) == 1


def test_keys_are_events() -> None:
    both = Exchange()
    call = both.ring()
    both.hear(both.open(), *call.presses("12#", both.now))
    assert [body.detail for body in both.bodies if isinstance(body, CallEvent) and body.event == "key"] == [
        "1",
        "2",
        "#",
    ]


def test_a_recording_is_played_and_lines_of_another_kind_are_not() -> None:
    both = Exchange()
    call = both.ring()
    relay = both.open()
    both.line(said({"type": "audio", "media": {"stored": "aa"}}), relay)
    both.line({"kind": "call_event", "call": "x", "event": "key", "detail": "1#"}, relay)
    assert (heard(call)[-1], relay.digits_sent) == ("https://gw.example/media/aa", ["1#"])
    assert both.complaints == []


# --- to people ----------------------------------------------------------------------------------------------------


def test_handing_off_leads_to_people_and_then_to_a_message() -> None:
    both = Exchange()
    call = both.ring()
    relay = both.open()
    both.line(HANDOFF, relay)
    both.settle()
    assert isinstance(call.doing, Dialling)
    assert call.doing.to == "+15559990000"
    both.twilio.world.people = "no-answer"
    both.settle()
    assert isinstance(call.doing, RecordingIt)
    call.leaves("please call me", both.now)
    both.settle()
    assert [type(body) for body in both.bodies[-4:]] == [CallEvent, Message, Edit, CallEvent]
    voice = next(body.parts[0] for body in both.turns)
    assert isinstance(voice, Voice)
    edit = next(body for body in both.bodies if isinstance(body, Edit))
    assert edit.target == voice.media.external_id
    assert edit.parts == (Voice(voice.media, "please call me"),)
    assert both.events == ["ringing", "connected", "session_ended", "rejected", "recorded", "ended"]
    assert (call.status, both.complaints) == ("completed", [])


def test_a_colleague_answers() -> None:
    both = Exchange()
    call = both.ring()
    both.line(HANDOFF, both.open())
    both.settle()
    call.colleague("completed", both.now)
    both.settle()
    assert both.events[-2:] == ["accepted", "ended"]
    assert heard(call)[-1] == CONFIG.say_goodbye


@pytest.mark.parametrize("holder", ["queue", "agent"])
def test_whose_conversation_people_hold_is_put_through_at_once(holder: str) -> None:
    both = Exchange()
    both.holder = holder
    assert isinstance(both.ring().doing, Dialling)


def test_when_the_gateway_is_slow_the_caller_gets_people() -> None:
    both = Exchange()
    both.known = False
    assert isinstance(both.ring().doing, Dialling)


def test_out_of_hours_a_message_is_taken() -> None:
    both = Exchange(closed_on=("2026-01-02",))
    both.holder = "queue"
    call = both.ring()
    assert isinstance(call.doing, RecordingIt)
    call.hangs_up(both.now)
    both.settle()
    assert any(isinstance(body, Message) for body in both.bodies)


def test_in_a_queue() -> None:
    both = Exchange(human_number=None, queue="desk", queue_wait_s=60)
    both.holder = "queue"
    call = both.ring()
    assert isinstance(call.doing, Queued)
    assert call.doing.name == "desk"
    for _ in range(3):
        both.settle(15)
        assert isinstance(call.doing, Queued)
    both.settle(15)
    assert isinstance(call.doing, RecordingIt)
    assert (both.events[-1], both.complaints) == ("left_queue", [])


@pytest.mark.parametrize("result", ["queue-full", "error", "system-error", "leave", "redirected"])
def test_a_queue_that_does_not_work_leads_to_a_message(result: str) -> None:
    both = Exchange(human_number=None, queue="desk")
    both.holder = "queue"
    call = both.ring()
    call.leaves_queue(result, both.now)
    both.settle()
    assert isinstance(call.doing, RecordingIt)


# --- trouble ------------------------------------------------------------------------------------------------------


def test_a_relay_that_is_lost_comes_back_and_is_given_up_the_second_time() -> None:
    both = Exchange()
    call = both.ring()
    relay = both.open()
    relay.lost()
    both.settle(10)
    again = both.open()
    assert again.sid != relay.sid
    assert (both.now - both.binds[again.sid].since).total_seconds() == 5  # type: ignore[operator]
    again.lost()
    both.settle(20)
    assert isinstance(call.doing, Gathering)
    call.presses("2", both.now)
    both.settle()
    assert both.turns == [Message(parts=(ChoiceMade(id="callback", title="Please call me back"),))]
    assert both.events == [
        "ringing", "connected", "session_failed", "connected", "session_failed", "ended",
    ]  # fmt: skip
    assert call.status == "completed"


def test_a_relay_that_can_not_be_opened() -> None:
    both = Exchange()
    call = both.ring()
    for _ in range(2):
        both.twilio.sockets()[0].lost(connected=False)
        both.settle(1)
    assert isinstance(call.doing, Gathering)


def test_a_menu_that_nobody_answers_leads_to_people() -> None:
    both = Exchange()
    call = both.ring()
    for _ in range(2):
        both.twilio.sockets()[0].lost(connected=False)
        both.settle(1)
    both.settle(5)
    both.settle(5)
    assert isinstance(call.doing, Dialling)


def test_the_gateway_stops_and_the_call_goes_on() -> None:
    """Farewell: the session ends, and the next one finds whoever runs by then."""
    both = Exchange()
    both.ring()
    relay = both.open()
    relay.take(both.adapter.farewell(1000).decode(), both.now)
    both.settle()
    again = both.open()
    assert "welcomeGreeting" not in again.attributes
    assert both.complaints == []


def test_while_the_store_is_down_a_message_is_left_and_told_until_it_is_kept() -> None:
    both = Exchange()
    both.down = True
    call = both.ring()
    assert isinstance(call.doing, RecordingIt)
    assert "sorry" in heard(call)[0]
    call.leaves("help", both.now)
    both.settle()
    assert both.kept == []
    both.down = False
    both.settle(6)
    assert [type(body) for body in both.bodies] == [Message, Edit]


def test_when_nothing_answers_the_caller_hears_the_providers_error() -> None:
    both = Exchange()
    both.silent = True
    call = both.ring()
    assert (call.status, both.complaints[0][0]) == ("completed", 11200)
    assert "application error" in heard(call)[-1]


# --- turn by turn -------------------------------------------------------------------------------------------------


def test_a_call_without_a_relay() -> None:
    both = Exchange(mode="gather")
    call = both.ring()
    assert isinstance(call.doing, Gathering)
    call.says("where is my order", both.now)
    both.line(said(text("On its way.")))
    both.settle()
    assert heard(call)[-1] == "On its way."
    call.presses("42", both.now)
    both.line(said(text("Thank you.")))
    both.settle()
    assert [part for body in both.turns for part in body.parts] == [Text("where is my order"), ChoiceMade("42", "42")]
    both.line(HANDOFF)
    both.line(said(text("A colleague will help.")))
    both.settle(7)
    assert heard(call)[-1] == "A colleague will help."
    assert isinstance(call.doing, Dialling)
    assert both.complaints == []


def test_who_waits_for_an_answer_too_long_goes_to_people() -> None:
    both = Exchange(mode="gather", answer_wait_s=17)
    call = both.ring()
    call.says("hello", both.now)
    both.settle()
    assert heard(call)[-2:] == [CONFIG.say_wait, CONFIG.say_connecting]
    assert isinstance(call.doing, Dialling)


def test_who_says_nothing_is_asked_again_and_then_goes_to_people() -> None:
    both = Exchange(mode="gather")
    call = both.ring()
    for _ in range(3):
        both.settle(7)
    assert heard(call) == [CONFIG.say_greeting, CONFIG.say_again, CONFIG.say_again, CONFIG.say_connecting]
