"""The AI answers: in one piece, or heard while it is written."""

from __future__ import annotations

from typing import Any

import pytest

from normalizer.ids import AgentId, CommandId, LegId
from router.commands import AskAi, Notify
from router.conversation import Agent, Ai, Holder, Queue
from router.decide import Event, Facts, decide
from router.events import AiAnswered, AiGaveUp, spoken_id
from tests.router.kit import (
    HOLDERS,
    LEG,
    NOW,
    POLICY,
    UP,
    after,
    answered,
    conversation,
    gave_up,
    requested,
    said,
    wrote,
)

# --- the AI answers ---------------------------------------------------------------------------------------------------


def test_an_answer_is_said_fenced_and_ends_the_wait() -> None:
    decision = after(answered(), Ai(), asked=4, answered=0)
    (say,) = decision.says
    assert (say.author, say.leg, say.fenced, say.careful) == ("ai", LEG, True, False)
    after_it = decision.conversation
    assert (after_it.asked, after_it.answered, after_it.due_at, after_it.next_step) == (None, 4, None, "")
    assert decision.commands == ()


def test_it_is_answered_in_the_language_that_it_was_asked_in() -> None:
    asked = after(wrote(locale="es-ES"), Ai(), Facts(streams=True), head=5)
    assert asked.commands == (AskAi(5, POLICY.ai_deadline_ms, POLICY.min_confidence, locale="es-ES"),)
    heard = after(answered(text="Uno. Dos.", spoken="Uno.", locale="es-ES"), Ai(), asked=4)
    assert [say.locale for say in heard.says] == ["es-ES", "es-ES"]
    lost = after(gave_up(spoken="Uno.", locale="es-ES"), Ai(), asked=4)
    assert [say.locale for say in lost.says] == ["es-ES", None], "our own words are in the language of who wrote them"
    (again,) = after(answered(up_to=2, locale="es-ES"), Ai(), asked=2, answered=0).commands
    assert again == AskAi(5, POLICY.ai_deadline_ms, locale="es-ES")


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
