"""A fact's name: the same event has the same, so that a repeat is a duplicate."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from normalizer.envelope import Envelope, MediaRef, Message, Note, StateChange, Text
from normalizer.ids import AgentId, CommandId, ConversationId, EnvelopeId
from router.conversation import Ai
from router.events import (
    AgentReplied,
    AiAnswered,
    AiGaveUp,
    EngineChanged,
    Fact,
    HolderRequested,
    MediaStored,
    Undelivered,
    fact_key,
    spoken_id,
    undelivered,
)
from tests.router.kit import wrote

C, V = CommandId("c"), ConversationId("cv")
FACTS: list[Fact] = [
    AiAnswered(command_id=C, conversation_id=V, epoch=1, up_to=1, text="x", confidence=1.0),
    MediaStored(command_id=C, conversation_id=V, envelope_id=EnvelopeId("e"), place=0, media=MediaRef()),
    AgentReplied(conversation_id=V, agent_id=AgentId("a"), parts=(Text("x"),), key="k"),
    HolderRequested(conversation_id=V, holder=Ai(), expected_epoch=1, by="a", key="k"),
    EngineChanged(engine="x", up=True, reason="", key="k"),
    Undelivered(envelope_id=EnvelopeId("e"), conversation_id=V, seq=2, code="refused"),
]


def test_facts_of_different_kinds_never_share_a_name() -> None:
    assert len({fact_key(fact) for fact in FACTS}) == len(FACTS)
    assert {type(fact) for fact in FACTS} | {AiGaveUp} == set(get_args(Fact))


def test_an_answer_and_giving_up_are_the_same_event() -> None:
    """A question is answered once: when the engine went down meanwhile, whoever is first counts."""
    gave_up = AiGaveUp(command_id=C, conversation_id=V, epoch=1, up_to=1, reason="x")
    assert fact_key(gave_up) == fact_key(FACTS[0])


def test_what_was_heard_is_told_also_when_the_question_had_ended() -> None:
    gave_up = AiGaveUp(command_id=C, conversation_id=V, epoch=1, up_to=1, reason="x", spoken="One.")
    answered = AiAnswered(command_id=C, conversation_id=V, epoch=1, up_to=1, text="x", confidence=1.0, spoken="One.")
    assert fact_key(gave_up) == fact_key(answered) != fact_key(FACTS[0])
    assert spoken_id(C) == spoken_id(CommandId("c")) != spoken_id(CommandId("d"))


def test_a_callers_key_is_his_conversations() -> None:
    one, other = (
        HolderRequested(conversation_id=ConversationId(id), holder=Ai(), expected_epoch=1, by="a", key="k")
        for id in ("cv", "cv2")
    )
    assert fact_key(one) != fact_key(other)


# --- what is missed ---------------------------------------------------------------------------------------------------


def ours(**fields: Any) -> Envelope:
    usual: dict[str, Any] = {"direction": "out", "author": "ai", "body": Message(parts=(Text("42"),))}
    return replace(wrote(), **{**usual, **fields})


def test_an_answer_that_failed_is_missed_once_for_each_message() -> None:
    fact = undelivered(ours(), V, 2, "opted_out 21610")
    assert fact == Undelivered(envelope_id=EnvelopeId("env"), conversation_id=V, seq=2, code="opted_out 21610")
    other = replace(fact, envelope_id=EnvelopeId("other"))
    assert fact_key(fact) == fact_key(replace(fact, code="refused")) != fact_key(other)


@pytest.mark.parametrize(
    "fields",
    [
        {"author": "agent"},
        {"author": "system"},
        {"author": "customer"},
        {"direction": "in"},
        {"body": Message(parts=())},
        {"body": Note(text="x")},
        {"body": StateChange(state="queue", reason="x")},
    ],
)
def test_nobody_misses_what_is_no_answer_of_the_ais(fields: dict[str, Any]) -> None:
    assert undelivered(ours(**fields), V, 2, "refused") is None


def test_nor_what_has_no_place() -> None:
    assert undelivered(ours(), V, None, "refused") is None
