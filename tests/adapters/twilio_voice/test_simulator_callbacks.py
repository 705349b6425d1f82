"""The simulator beside the talk itself: who calls, calls that we place, and what is told of them afterwards."""

from typing import Any

import pytest

from adapters.twilio_voice.simulator_doing import (
    Ended,
    Gathering,
    Pausing,
    Relaying,
)
from normalizer.address import Address, Scheme
from normalizer.envelope import CallEvent, Evidence, Receipt, Status
from tests.adapters.twilio_voice.simulated import Exchange, heard
from tests.adapters.twilio_voice.support import CALLER, deserted, said, text
from tests.kit import check_round_trip

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
