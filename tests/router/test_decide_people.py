"""Agents reply, and holders are asked for."""

from __future__ import annotations

from itertools import product

import pytest

from normalizer.envelope import StateChange, Template
from normalizer.ids import AgentId
from router.commands import AskAi, Notify
from router.conversation import Agent, Ai, Holder, Nobody, Queue, kind_of
from router.decide import decide
from tests.router.kit import DOWN, HOLDERS, NOW, POLICY, UP, after, conversation, failed, replied, requested, said


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


@pytest.mark.parametrize("locale", ["es-ES", None])
def test_who_writes_may_say_in_which_language(locale: str | None) -> None:
    assert [say.locale for say in after(replied(locale=locale), Ai()).says] == [locale]


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


# --- an answer that failed --------------------------------------------------------------------------------------------


def test_an_answer_that_failed_hands_over_in_silence_and_says_why() -> None:
    decision = after(failed(), Ai())
    after_it = decision.conversation
    assert (after_it.holder, after_it.epoch, decision.says) == (Queue("default"), 4, ())
    assert decision.reason == after_it.reason == "undelivered: an answer of the AI's failed (opted_out 21610)"
    assert decision.commands == (Notify("handoff"),)
    assert [one.state for one in decision.records if isinstance(one, StateChange)] == ["queue"]
    assert (after_it.next_step, after_it.due_at) == ("a person answers", NOW + POLICY.queue_due_ms)


def test_the_customers_turn_waits_again() -> None:
    """So whoever gets it by a transfer has its due time, and the AI would be asked."""
    after_it = after(failed(), Ai()).conversation
    assert (after_it.last_in, after_it.answered) == (4, 3)
    back = decide(requested(Ai(), after_it.epoch), after_it, UP, POLICY, NOW)
    assert [type(one) for one in back.commands] == [AskAi]


def test_also_while_the_ai_is_asked_something_newer() -> None:
    """What it is asked about may hold the answer that never came."""
    decision = after(failed(seq=2), Ai(), asked=4, answered=1)
    assert (decision.conversation.holder, decision.conversation.asked) == (Queue("default"), None)
    assert decision.conversation.answered == 1


@pytest.mark.parametrize(("answered", "holder"), [(2, Queue("default")), (3, Queue("default")), (4, Ai())])
def test_but_not_once_a_newer_turn_has_its_answer(answered: int, holder: Holder) -> None:
    decision = after(failed(seq=3), Ai(), answered=answered)
    assert decision.conversation.holder == holder
    if holder == Ai():
        assert (decision.conversation.epoch, decision.commands, decision.records) == (3, (), ())


@pytest.mark.parametrize("holder", [Queue("vip"), Agent(AgentId("ann")), Nobody()])
def test_who_is_not_with_the_ai_stays_where_he_is(holder: Holder) -> None:
    before = conversation(holder, due_at=5)
    decision = decide(failed(), before, UP, POLICY, NOW)
    assert (decision.conversation, decision.says, decision.commands, decision.records) == (before, (), (), ())
    assert decision.refused is None
