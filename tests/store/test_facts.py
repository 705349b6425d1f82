"""A fact of ours goes the way of everything that comes in."""

from __future__ import annotations

import msgspec
import pytest

from gateway.store.facts import OURS, fact_row
from normalizer.envelope import MediaRef, Text
from normalizer.ids import AgentId, CommandId, ConversationId, EnvelopeId, IntakeId
from router.conversation import Queue
from router.events import (
    AgentReplied,
    AiAnswered,
    AiGaveUp,
    EngineChanged,
    Fact,
    HolderRequested,
    MediaStored,
    Undelivered,
)

COMMAND, CONVERSATION = CommandId("cmd-1"), ConversationId("c1")
FACTS: list[Fact] = [
    AiAnswered(command_id=COMMAND, conversation_id=CONVERSATION, epoch=2, up_to=7, text="At nine.", confidence=0.8),
    AiGaveUp(command_id=COMMAND, conversation_id=CONVERSATION, epoch=2, up_to=7, reason="unsure"),
    AgentReplied(conversation_id=CONVERSATION, agent_id=AgentId("ann"), parts=(Text("Good morning"),), key="k"),
    HolderRequested(conversation_id=CONVERSATION, holder=Queue("billing"), expected_epoch=2, by="ann", key="k"),
    EngineChanged(engine="builtin", up=False, reason="10 timeouts", key="k"),
    MediaStored(
        command_id=COMMAND, conversation_id=CONVERSATION, envelope_id=EnvelopeId("e1"), place=0, media=MediaRef(size=9)
    ),
    Undelivered(envelope_id=EnvelopeId("e1"), conversation_id=CONVERSATION, seq=8, code="opted_out 21610"),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: type(fact).__name__)
def test_a_fact_is_an_intake_row_that_can_be_read_again(fact: Fact) -> None:
    row = fact_row(IntakeId(7), fact, "c1", wants_outcome=True)
    assert (row.id, row.endpoint_id, row.lane, row.kind, row.wants_outcome) == (7, OURS, "c1", "fact", True)
    assert msgspec.json.decode(row.raw, type=Fact) == fact
