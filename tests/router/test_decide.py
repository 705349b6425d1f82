"""The customer writes: every holder, with the engine up and down; and laws that hold for every event."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from normalizer.envelope import CallEvent, Envelope, Image, MediaRef, StateChange, Text, Unsupported
from normalizer.ids import AgentId, EnvelopeId, ExternalId
from router.commands import AskAi, FetchMedia, Mark, Notify
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue, kind_of
from router.decide import Decision, Event, Facts, answering, asks_for_something, decide, fetches
from router.events import AgentReplied, AiAnswered, AiGaveUp, HolderRequested, Undelivered
from tests.router.kit import (
    DOWN,
    HOLDERS,
    NOW,
    POLICY,
    UP,
    after,
    answered,
    conversation,
    failed,
    gave_up,
    replied,
    requested,
    said,
    wrote,
)

# --- the customer writes ----------------------------------------------------------------------------------------------


def test_a_first_message_is_the_ais() -> None:
    decision = after(wrote(), Nobody(), epoch=0)
    assert (decision.conversation.holder, decision.conversation.epoch) == (Ai(), 1)
    assert decision.commands == (AskAi(5, POLICY.ai_deadline_ms),)
    assert (decision.records, decision.says) == ((), ())


def test_or_the_queues_where_people_answer_first() -> None:
    decision = after(wrote(), Nobody(), policy=replace(POLICY, first_holder="queue"))
    assert (decision.conversation.holder, decision.says) == (Queue("default"), ())
    assert decision.conversation.due_at == NOW + POLICY.queue_due_ms


@pytest.mark.parametrize("holder", [Queue("vip"), Agent(AgentId("ann"))])
@pytest.mark.parametrize("facts", [UP, DOWN])
def test_who_is_with_people_stays_with_them(holder: Holder, facts: Facts) -> None:
    decision = after(wrote(), holder, facts)
    assert (decision.conversation.holder, decision.conversation.epoch) == (holder, 3)
    assert (decision.commands, decision.says) == ((Notify("customer_wrote"),), ())


@pytest.mark.parametrize("holder", [Ai(), Nobody()])
def test_while_the_engine_is_down_people_get_it_and_the_customer_knows(holder: Holder) -> None:
    decision = after(wrote(), holder, DOWN)
    assert (decision.conversation.holder, decision.conversation.epoch) == (Queue("default"), 4)
    assert said(decision) == [("system", "down")]
    assert [type(one) for one in decision.commands] == [Notify]
    assert [one.state for one in decision.records if isinstance(one, StateChange)] == ["queue"]


def test_with_people_first_nobody_hears_of_an_engine() -> None:
    decision = after(wrote(), Nobody(), DOWN, replace(POLICY, first_holder="queue"))
    assert (decision.conversation.holder, decision.says) == (Queue("default"), ())


def test_one_question_at_a_time() -> None:
    decision = after(wrote(), Ai(), asked=4)
    assert (decision.commands, decision.conversation.asked, decision.conversation.last_in) == ((), 4, 5)


def test_a_persons_time_counts_from_the_first_message_that_waits() -> None:
    first = after(wrote(), Queue("default")).conversation
    again = decide(wrote(), replace(first, head=6), UP, POLICY, NOW + 5_000).conversation
    assert again.due_at == first.due_at == NOW + POLICY.queue_due_ms


def test_what_is_read_is_marked_where_the_channel_can() -> None:
    facts = Facts(marks_read=True, shows_typing=True)
    message = wrote(external_id=ExternalId("in.1"))
    assert Mark(ExternalId("in.1"), typing=True) in after(message, Ai(), facts).commands
    assert Mark(ExternalId("in.1"), typing=False) in after(message, Ai(), replace_facts(shows_typing=False)).commands
    for silent in (
        after(message, Ai(), UP),
        after(wrote(), Ai(), facts),
        after(message, Ai(), facts, replace(POLICY, mark_read=False)),
        after(message, Queue("q"), facts),
    ):
        assert not any(isinstance(one, Mark) for one in silent.commands)


def replace_facts(**changes: bool) -> Facts:
    return replace(Facts(marks_read=True, shows_typing=True), **changes)


@pytest.mark.parametrize("holder", HOLDERS)
def test_media_are_fetched_whoever_holds(holder: Holder) -> None:
    message = wrote(Text("see"), Image(MediaRef(external_id="m1")), Image(MediaRef(stored="a" * 64)))
    assert FetchMedia(EnvelopeId("env"), 1) in after(message, holder, Facts(fetches_media=True)).commands
    assert not any(isinstance(one, FetchMedia) for one in after(message, holder).commands)
    assert fetches(message) == (FetchMedia(EnvelopeId("env"), 1),)


def test_only_what_the_customer_says_to_us_asks_for_something() -> None:
    assert asks_for_something(wrote())
    assert not asks_for_something(wrote(observed=True))
    assert not asks_for_something(replace(wrote(), body=Unsupported(what="poll")))
    assert not asks_for_something(replace(wrote(), body=CallEvent(call=ExternalId("c"), event="ringing")))


# --- machines ---------------------------------------------------------------------------------------------------------

ENOUGH = Facts(answered_enough=True)


@pytest.mark.parametrize("holder", [Ai(), Nobody()])
def test_nobody_answers_a_machine(holder: Holder) -> None:
    before = conversation(holder, asked=None)
    message = wrote(Text("I am out"), Image(MediaRef(external_id="m1")), automated=True)
    decision = decide(message, before, Facts(fetches_media=True), POLICY, NOW)
    assert (decision.conversation, decision.says, decision.refused) == (before, (), None)
    assert decision.commands == (FetchMedia(EnvelopeId("env"), 1),)
    assert "machine" in decision.reason


@pytest.mark.parametrize("holder", [Queue("vip"), Agent(AgentId("ann"))])
def test_people_see_what_a_machine_wrote(holder: Holder) -> None:
    decision = after(wrote(automated=True), holder)
    assert (decision.commands, decision.conversation.last_in) == ((Notify("customer_wrote"),), 5)


@pytest.mark.parametrize("holder", [Ai(), Nobody()])
@pytest.mark.parametrize("up", [True, False])
def test_after_too_many_automatic_answers_people_look_at_it_in_silence(holder: Holder, up: bool) -> None:
    decision = after(wrote(), holder, replace(ENOUGH, engine_up=up))
    assert (decision.conversation.holder, decision.says) == (Queue("default"), ())
    assert decision.conversation.reason == "too many automatic answers in an hour"
    assert decision.commands == (Notify("customer_wrote"),)
    assert [one.state for one in decision.records if isinstance(one, StateChange)] == ["queue"]


@pytest.mark.parametrize("holder", [Queue("vip"), Agent(AgentId("ann"))])
def test_people_are_not_counted(holder: Holder) -> None:
    assert after(wrote(), holder, ENOUGH).conversation.holder == holder
    first = replace(POLICY, first_holder="queue")
    assert after(wrote(), Nobody(), ENOUGH, first).conversation.reason == "the customer wrote"


# --- who would answer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("holder", "facts", "first", "kind"),
    [
        (Nobody(), UP, "ai", "ai"),
        (Nobody(), UP, "queue", "queue"),
        (Nobody(), DOWN, "ai", "queue"),
        (Ai(), UP, "ai", "ai"),
        (Ai(), DOWN, "ai", "queue"),
        (Ai(), ENOUGH, "ai", "queue"),
        (Queue("q"), UP, "ai", "queue"),
        (Agent(AgentId("ann")), DOWN, "ai", "agent"),
    ],
)
def test_who_would_answer_now(holder: Holder, facts: Facts, first: Any, kind: str) -> None:
    assert answering(conversation(holder), facts, replace(POLICY, first_holder=first)) == kind


# --- laws -------------------------------------------------------------------------------------------------------------

EVENTS = st.sampled_from(
    [wrote(), answered(), answered(confidence=0.1), gave_up(), gave_up(engine_down=True), replied(), replied("ann")]
    + [replied(system=True), failed(), failed(seq=99)]
    + [requested(holder) for holder in HOLDERS]
)


@given(st.sampled_from(HOLDERS), st.lists(st.tuples(EVENTS, st.booleans()), max_size=12))
def test_laws_of_every_history(holder: Holder, events: list[tuple[Event, bool]]) -> None:
    before = conversation(holder, epoch=0)
    for event, up in events:
        now_is = _at(event, before)
        before = replace(before, head=before.head + 1) if isinstance(event, Envelope) else before
        decision = decide(now_is, before, Facts(engine_up=up), POLICY, NOW)
        _holds(before, decision)
        _reopens(event, before, decision)
        before = replace(decision.conversation, head=decision.conversation.head + len(decision.says))


def _at(event: Event, before: Conversation) -> Event:
    """The event as it would look in this conversation."""
    match event:
        case AiAnswered() | AiGaveUp():
            return replace(event, epoch=before.epoch, up_to=before.asked or before.last_in)
        case HolderRequested():
            return replace(event, expected_epoch=before.epoch)
        case Envelope() | AgentReplied() | Undelivered():
            return event


def _reopens(event: Event, before: Conversation, decision: Decision) -> None:
    """What was answered stays answered; but an answer that failed is none, and then nothing is said or asked."""
    if not isinstance(event, Undelivered):
        assert decision.conversation.answered >= before.answered
        return
    assert (decision.says, decision.refused, decision.conversation.last_in) == ((), None, before.last_in)
    assert not any(isinstance(one, AskAi) for one in decision.commands)
    if decision.conversation != before:
        assert (kind_of(before.holder), kind_of(decision.conversation.holder)) == ("ai", "queue")
        assert decision.conversation.last_in > decision.conversation.answered or before.last_in == 0
        again = decide(event, decision.conversation, UP, POLICY, NOW)
        assert (again.conversation, again.commands) == (decision.conversation, ())


def _holds(before: Conversation, decision: Decision) -> None:
    after_it = decision.conversation
    assert decision.reason
    assert (after_it.epoch > before.epoch) >= (after_it.holder != before.holder)
    if decision.refused:
        assert (after_it, decision.says, decision.commands) == (before, (), ())
    if after_it.holder == Nobody():
        assert after_it.due_at is None
    if after_it.asked is not None:
        assert (after_it.holder, after_it.due_at is not None) == (Ai(), True)
    waits = after_it.last_in > after_it.answered and after_it.holder != Nobody()
    assert not waits or (after_it.due_at is not None and after_it.next_step)
    assert len([one for one in decision.commands if isinstance(one, AskAi)]) <= (before.asked is None) + (
        after_it.epoch > before.epoch or bool(decision.says)
    )
