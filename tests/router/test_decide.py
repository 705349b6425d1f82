"""Every event under every holder, with the engine up and down; and laws that hold for all of them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from normalizer.address import Address, Scheme
from normalizer.envelope import (
    AddressClaim,
    CallEvent,
    Envelope,
    Evidence,
    Image,
    MediaRef,
    Message,
    Party,
    StateChange,
    Template,
    Text,
    Unsupported,
)
from normalizer.ids import AgentId, CommandId, ContactId, ConversationId, EndpointId, EnvelopeId, ExternalId, LegId
from router.commands import AskAi, FetchMedia, Mark, Notify
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue, kind_of
from router.decide import Decision, Event, Facts, answering, asks_for_something, decide, fetches
from router.events import AgentReplied, AiAnswered, AiGaveUp, HolderRequested, spoken_id
from router.policy import Policy

NOW = 1_000_000
POLICY = Policy(handoff_text="handoff", engine_down_text="down")
LEG = LegId("leg")
HOLDERS: list[Holder] = [Ai(), Queue("default"), Agent(AgentId("ann")), Nobody()]
UP, DOWN = Facts(engine_up=True), Facts(engine_up=False)


def conversation(holder: Holder, **fields: Any) -> Conversation:
    usual = {"epoch": 3, "head": 5, "last_in": 4, "answered": 4, "reply_leg": LEG}
    return Conversation(
        id=ConversationId("cv"),
        contact_id=ContactId("ct"),
        holder=holder,
        **{**usual, **fields},
    )


def wrote(*parts: Any, **fields: Any) -> Envelope:
    return Envelope(
        id=EnvelopeId("env"),
        direction="in",
        channel_type="x",
        endpoint_id=EndpointId("x"),
        party=Party(claims=(AddressClaim(Address(Scheme.TEL, "+491"), Evidence.CHANNEL),)),
        occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
        body=Message(parts=parts or (Text("hi"),)),
        **fields,
    )


def answered(**fields: Any) -> AiAnswered:
    usual = {"epoch": 3, "up_to": 4, "text": "42", "confidence": 0.9}
    return AiAnswered(command_id=CommandId("c"), conversation_id=ConversationId("cv"), **{**usual, **fields})


def gave_up(**fields: Any) -> AiGaveUp:
    usual = {"epoch": 3, "up_to": 4, "reason": "lost"}
    return AiGaveUp(command_id=CommandId("c"), conversation_id=ConversationId("cv"), **{**usual, **fields})


def replied(agent: str = "bob", **fields: Any) -> AgentReplied:
    usual: dict[str, Any] = {"parts": (Text("me"),), "key": "k"}
    return AgentReplied(conversation_id=ConversationId("cv"), agent_id=AgentId(agent), **{**usual, **fields})


def requested(holder: Holder, epoch: int = 3) -> HolderRequested:
    return HolderRequested(conversation_id=ConversationId("cv"), holder=holder, expected_epoch=epoch, by="ann", key="k")


def after(event: Event, holder: Holder, facts: Facts = UP, policy: Policy = POLICY, **fields: Any) -> Decision:
    return decide(event, conversation(holder, **fields), facts, policy, NOW)


def said(decision: Decision) -> list[tuple[str, str]]:
    return [(say.author, part.text) for say in decision.says for part in say.parts if isinstance(part, Text)]


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


# --- the AI answers ---------------------------------------------------------------------------------------------------


def test_an_answer_is_said_fenced_and_ends_the_wait() -> None:
    decision = after(answered(), Ai(), asked=4, answered=0)
    (say,) = decision.says
    assert (say.author, say.leg, say.fenced, say.careful) == ("ai", LEG, True, False)
    after_it = decision.conversation
    assert (after_it.asked, after_it.answered, after_it.due_at, after_it.next_step) == (None, 4, None, "")
    assert decision.commands == ()


def test_what_came_meanwhile_is_asked_about_next() -> None:
    decision = after(answered(up_to=2), Ai(), asked=2, answered=0)
    assert said(decision) == [("ai", "42")]
    assert decision.commands == (AskAi(5, POLICY.ai_deadline_ms),)
    assert (decision.conversation.asked, decision.conversation.answered) == (5, 2)


def test_an_unsure_answer_is_not_said_and_people_get_it() -> None:
    decision = after(answered(confidence=0.49), Ai(), asked=4)
    assert said(decision) == [("system", "handoff")]
    assert decision.conversation.holder == Queue("default")
    assert "unsure" in decision.reason
    assert decision.conversation.asked is None


def test_at_the_limit_it_is_said() -> None:
    assert said(after(answered(confidence=0.5), Ai(), asked=4)) == [("ai", "42")]


@pytest.mark.parametrize(("down", "text"), [(False, "handoff"), (True, "down")])
def test_an_engine_that_gives_up_hands_over_and_says_why(down: bool, text: str) -> None:
    decision = after(gave_up(engine_down=down), Ai(), asked=4)
    assert (decision.conversation.holder, said(decision)) == (Queue("default"), [("system", text)])
    assert (decision.reason, decision.conversation.reason) == ("lost", "lost")
    assert decision.commands == (Notify("handoff"),)


@pytest.mark.parametrize("event", [answered(), gave_up(), answered(confidence=0.0)])
@pytest.mark.parametrize(
    ("holder", "epoch"), [(Ai(), 2), (Ai(), 4), *((one, 3) for one in HOLDERS if one != Ai())], ids=repr
)
def test_what_was_computed_for_another_holder_is_void(event: AiAnswered | AiGaveUp, holder: Holder, epoch: int) -> None:
    before = conversation(holder, epoch=epoch)
    decision = decide(event, before, UP, POLICY, NOW)
    assert (decision.refused, decision.conversation, decision.says, decision.commands) == ("stale", before, (), ())


def test_a_question_has_one_answer() -> None:
    before = conversation(Ai(), asked=None, answered=4)
    assert decide(gave_up(engine_down=True), before, UP, POLICY, NOW).refused == "stale"


# --- what is heard while it is written --------------------------------------------------------------------------------

STREAMS = Facts(streams=True)
CALL = LegId("call")


def heard(text: str, spoken: str = "", **fields: Any) -> AiAnswered:
    return answered(text=text, spoken=spoken, leg_id=CALL, **fields)


def test_an_answer_may_be_spoken_where_it_is_heard_while_it_is_written() -> None:
    assert after(wrote(), Ai(), STREAMS).commands == (AskAi(5, POLICY.ai_deadline_ms, POLICY.min_confidence),)
    assert after(requested(Ai()), Queue("q"), STREAMS, answered=0).commands == (
        AskAi(5, POLICY.ai_deadline_ms, POLICY.min_confidence),
    )


def test_on_a_line_the_newer_turn_takes_the_place_of_the_one_before() -> None:
    decision = after(wrote(), Ai(), STREAMS, asked=4)
    assert (decision.conversation.asked, decision.conversation.epoch) == (5, 3)
    assert [type(one) for one in decision.commands] == [AskAi]


def test_what_was_heard_is_recorded_and_only_the_rest_is_sent() -> None:
    whole = after(heard("One. Two.", "One. Two."), Ai(), STREAMS, asked=4)
    (say,) = whole.says
    assert (say.heard_as, say.leg, say.author, say.fenced) == (spoken_id(CommandId("c")), CALL, "ai", False)
    both = after(heard("One. Two.", "One."), Ai(), STREAMS, asked=4)
    assert said(both) == [("ai", "One."), ("ai", "Two.")]
    assert [(say.heard_as is None, say.leg, say.fenced) for say in both.says] == [
        (False, CALL, False),
        (True, LEG, True),
    ]


@pytest.mark.parametrize("event", [heard("One. Two.", "One."), gave_up(spoken="One.", leg_id=CALL)])
@pytest.mark.parametrize("fields", [{"epoch": 4}, {"asked": 5}, {"holder": Agent(AgentId("ann"))}], ids=str)
def test_what_was_heard_of_an_old_answer_is_recorded_and_nothing_else(event: Event, fields: dict[str, Any]) -> None:
    before = conversation(**{"holder": Ai(), "asked": 4, **fields})
    decision = decide(event, before, STREAMS, POLICY, NOW)
    assert (decision.refused, decision.conversation, said(decision)) == ("stale", before, [("ai", "One.")])
    assert [say.heard_as for say in decision.says] == [spoken_id(CommandId("c"))]


def test_an_engine_that_fails_in_the_middle_was_heard_and_hands_over() -> None:
    decision = after(gave_up(spoken="One.", leg_id=CALL), Ai(), STREAMS, asked=4)
    assert said(decision) == [("ai", "One."), ("system", "handoff")]
    assert decision.conversation.holder == Queue("default")


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


# --- people -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("holder", [Ai(), Queue("default"), Nobody()])
def test_an_agent_who_replies_holds_it(holder: Holder) -> None:
    decision = after(replied(), holder, asked=4, answered=0)
    assert (decision.conversation.holder, decision.conversation.epoch) == (Agent(AgentId("bob")), 4)
    assert (decision.conversation.answered, decision.conversation.asked, decision.conversation.due_at) == (
        4,
        None,
        None,
    )
    (say,) = decision.says
    assert (say.author, say.agent_id, say.fenced) == ("agent", "bob", False)


@pytest.mark.parametrize("agent", ["ann", "bob"])
def test_an_agent_who_helps_another_takes_nothing_over(agent: str) -> None:
    decision = after(replied(agent), Agent(AgentId("ann")))
    assert (decision.conversation.holder, decision.conversation.epoch, decision.records) == (
        Agent(AgentId("ann")), 3, (),
    )  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_program_takes_nothing_over(holder: Holder) -> None:
    before = conversation(holder)
    decision = decide(replied(system=True), before, UP, POLICY, NOW)
    assert (decision.conversation, said(decision)) == (before, [("system", "me")])


def test_templates_are_sent_with_care() -> None:
    assert [say.careful for say in after(replied(parts=(Template("code", "en"),)), Ai()).says] == [True]


@pytest.mark.parametrize("system", [False, True])
def test_who_never_wrote_has_no_leg_to_answer_over(system: bool) -> None:
    before = conversation(Nobody(), reply_leg=None)
    decision = decide(replied(system=system), before, UP, POLICY, NOW)
    assert (decision.refused, decision.conversation, decision.says) == ("no_leg", before, ())


@pytest.mark.parametrize(("holder", "wanted"), list(product(HOLDERS, HOLDERS)))
def test_a_holder_is_asked_for(holder: Holder, wanted: Holder) -> None:
    decision = after(requested(wanted), holder, asked=4, answered=4, due_at=9, next_step="x")
    assert (decision.conversation.holder, decision.conversation.epoch) == (wanted, 4)
    assert (decision.conversation.asked, decision.conversation.due_at) == (None, None)
    (record,) = decision.records
    assert isinstance(record, StateChange)
    assert (record.state, record.reason) == (kind_of(wanted), "asked for by ann")


@pytest.mark.parametrize("wanted", [Queue("vip"), Agent(AgentId("bob"))])
def test_with_an_open_question_people_have_a_time(wanted: Holder) -> None:
    decision = after(requested(wanted), Ai(), answered=0)
    assert (decision.conversation.due_at, decision.commands) == (NOW + POLICY.queue_due_ms, (Notify("given"),))


def test_with_an_open_question_the_ai_is_asked() -> None:
    assert after(requested(Ai()), Queue("default"), answered=0).commands == (AskAi(5, POLICY.ai_deadline_ms),)


def test_with_nobody_nothing_waits() -> None:
    after_it = after(requested(Nobody()), Queue("default"), answered=0, due_at=9, next_step="x").conversation
    assert (after_it.due_at, after_it.next_step) == (None, "")


@pytest.mark.parametrize("epoch", [2, 4])
def test_an_older_or_invented_epoch_is_a_conflict(epoch: int) -> None:
    before = conversation(Ai())
    decision = decide(requested(Queue("default"), epoch), before, UP, POLICY, NOW)
    assert (decision.refused, decision.conversation) == ("conflict", before)


def test_nobody_is_given_to_an_engine_that_is_down() -> None:
    before = conversation(Queue("default"))
    decision = decide(requested(Ai()), before, DOWN, POLICY, NOW)
    assert (decision.refused, decision.conversation) == ("engine_down", before)


# --- laws -------------------------------------------------------------------------------------------------------------

EVENTS = st.sampled_from(
    [wrote(), answered(), answered(confidence=0.1), gave_up(), gave_up(engine_down=True), replied(), replied("ann")]
    + [replied(system=True)]
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
        before = replace(decision.conversation, head=decision.conversation.head + len(decision.says))


def _at(event: Event, before: Conversation) -> Event:
    """The event as it would look in this conversation."""
    match event:
        case AiAnswered() | AiGaveUp():
            return replace(event, epoch=before.epoch, up_to=before.asked or before.last_in)
        case HolderRequested():
            return replace(event, expected_epoch=before.epoch)
        case Envelope() | AgentReplied():
            return event


def _holds(before: Conversation, decision: Decision) -> None:
    after_it = decision.conversation
    assert decision.reason
    assert (after_it.epoch > before.epoch) >= (after_it.holder != before.holder)
    assert after_it.answered >= before.answered
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
