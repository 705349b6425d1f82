"""Whole calls: the simulated telephone company and the adapter, each tested by the other."""

from typing import Any

import pytest

from adapters.base import Say
from adapters.twilio_voice.simulator_doing import (
    Dialling,
    Ended,
    Gathering,
    Pausing,
    Queued,
    RecordingIt,
    Relaying,
)
from normalizer.address import Address, Scheme
from normalizer.envelope import CallEvent, ChoiceMade, Edit, Evidence, Message, Receipt, Status, Text, Voice
from tests.adapters.twilio_voice.simulated import Exchange, heard
from tests.adapters.twilio_voice.support import CALLER, CONFIG, deserted, said, text
from tests.kit import check_round_trip

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


# --- callers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("caller", "attested", "scheme", "evidence"),
    [(CALLER, True, Scheme.TEL, Evidence.CHANNEL), (CALLER, False, Scheme.TEL, Evidence.CLAIMED),
     ("anonymous", True, Scheme.CALL, Evidence.CHANNEL), ("sip:ann@pbx.example", True, Scheme.SIP, Evidence.CLAIMED)],
)  # fmt: skip
def test_the_socket_is_of_the_same_caller(caller: str, attested: bool, scheme: Scheme, evidence: Evidence) -> None:
    both = Exchange()
    call = both.ring(caller, attested=attested)
    relay = both.open()
    both.hear(relay, *call.says("hi", both.now))
    bind, claims = both.binds[relay.sid], {one.party.claims for one in both.kept}
    assert len(claims) == 1
    ((claim,),) = claims
    assert (bind.address, bind.evidence) == (claim.address, claim.evidence)
    assert (claim.address.scheme, claim.evidence) == (scheme, evidence)


def test_two_withheld_numbers_are_two_people() -> None:
    both = Exchange()
    both.ring("anonymous")
    both.ring("anonymous")
    assert len({one.party.address for one in both.kept}) == 2


# --- calls that we place ------------------------------------------------------------------------------------------

CALLING = deserted(call_out="any").adapter


def test_a_call_that_we_place_is_answered() -> None:
    both = Exchange(call_out="any")
    driven = both.send(said(text("Your parcel is here.")), CALLING)
    (call,) = both.twilio.calls.values()
    assert driven.value == [call.sid]
    both.settle()
    relay = both.open()
    both.hear(relay, *call.says("thank you", both.now))
    receipts = [body for body in both.bodies if isinstance(body, Receipt)]
    assert [one.status for one in receipts] == [Status.SENT, Status.SENT, Status.DELIVERED]
    assert {one.echo_key for one in both.kept if isinstance(one.body, Receipt)} == {"cmd_1:0"}
    assert heard(call) == ["Your parcel is here."]
    assert {one.party.address for one in both.kept} == {Address(Scheme.TEL, CALLER)}
    assert {body.direction for body in both.bodies if isinstance(body, CallEvent)} == {"out"}
    assert both.complaints == []


@pytest.mark.parametrize("why", ["busy", "no-answer"])
def test_a_call_that_we_place_is_not_answered(why: Any) -> None:
    both = Exchange(call_out="any")
    both.twilio.world.people = why
    both.send(said(text("x")), CALLING)
    both.settle()
    last = [body for body in both.bodies if isinstance(body, Receipt)][-1]
    assert (last.status, last.failure.provider_code if last.failure else None) == (Status.FAILED, why)


def test_an_answer_that_was_lost_is_looked_for() -> None:
    """The call was placed, and nobody told us: the next attempt finds it, and nobody is called twice."""
    both = Exchange(call_out="any")
    first = both.send(said(text("x")), CALLING)
    second = both.send(said(text("x")), CALLING, attempt=2)
    assert second.value == first.value
    assert len(both.twilio.calls) == 1


# --- callbacks ----------------------------------------------------------------------------------------------------


def test_a_callback_that_comes_twice_is_one_event() -> None:
    both = Exchange()
    both.twilio.world.duplicates = True
    call = both.ring()
    call.hangs_up(both.now)
    both.settle()
    ends = [one for one in both.kept if isinstance(one.body, CallEvent) and one.body.event == "ended"]
    assert len(ends) == 2
    assert len({one.id for one in ends}) == len({one.dedupe_keys for one in ends}) == 1


def test_callbacks_can_be_late_missing_or_out_of_order() -> None:
    for how, wait, expected in (("late", 9, True), ("missing", 9, False)):
        both = Exchange()
        both.twilio.world.callbacks = how  # type: ignore[assignment]
        both.ring().hangs_up(both.now)
        both.settle()
        assert "ended" not in both.events
        both.settle(wait)
        assert ("ended" in both.events) is expected
    both = Exchange(call_out="any")
    both.twilio.world.reorder, both.twilio.world.callbacks = True, "late"
    both.send(said(text("x")), CALLING)
    both.settle()
    both.settle()
    both.settle(9)
    assert both.events == ["connected", "ringing", "initiated"]


def test_what_it_tells_is_what_is_read() -> None:
    """The webhook of the simulator, through the kit: its signature, and the envelope."""
    both = Exchange()
    call = both.twilio.ring(CALLER, both.now)
    (request,) = both.twilio.due(both.now)
    check_round_trip(both.subject, request, [CallEvent(call=call.sid, event="ringing", direction="in")])  # type: ignore[arg-type]


def test_next_due_tells_when_to_look_again() -> None:
    both = Exchange(mode="gather")
    assert both.twilio.next_due() is None
    call = both.ring()
    assert both.twilio.next_due() == call.until
    assert isinstance(call.doing, Gathering)


def test_media_streams_are_kept_as_events() -> None:
    both = Exchange(media_stream=True)
    call = both.ring()
    (stream,) = call.streams
    both.shake(stream)
    both.hear(stream, *stream.opened(), *stream.sounds(50), stream.presses("7"), stream.stops())
    assert both.events == ["ringing", "stream_started", "key", "stream_stopped"]
    stopped = both.bodies[-1]
    assert isinstance(stopped, CallEvent)
    assert stopped.detail == "53 frames"


def test_an_answer_to_a_request_that_was_never_made_is_ignored() -> None:
    both = Exchange()
    call = both.twilio.ring(CALLER, both.now)
    (request,) = both.twilio.due(both.now)
    both.twilio.answered(request, both.reply(request), both.now)
    both.twilio.answered(request, both.reply(request), both.now)
    assert isinstance(call.doing, Relaying)


def test_the_end_is_the_end() -> None:
    both = Exchange()
    call = both.ring()
    call.hangs_up(both.now)
    both.settle()
    before = len(both.kept)
    call.hangs_up(both.now)
    both.settle(60)
    assert isinstance(call.doing, Ended)
    assert len(both.kept) == before
    assert not isinstance(call.doing, Pausing)


def test_a_call_that_nobody_answers_can_be_ended_by_hand() -> None:
    both = Exchange(call_out="any")
    both.twilio.world.people = "wait"
    both.send(said(text("x")), CALLING)
    both.settle()
    (call,) = both.twilio.calls.values()
    assert call.status == "ringing"
    both.twilio.not_reached(call, "canceled", both.now)
    both.settle()
    assert call.status == "canceled"
    other = Exchange(call_out="any")
    other.twilio.world.people = "wait"
    other.send(said(text("x")), CALLING)
    (picked,) = other.twilio.calls.values()
    other.twilio.pick_up(picked, other.now)
    assert picked.status == "in-progress"
