"""Events, conversations and policies for tests of decisions, and what is looked at in them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Envelope, Evidence, Message, Party, Text
from normalizer.ids import AgentId, CommandId, ContactId, ConversationId, EndpointId, EnvelopeId, LegId
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue
from router.decide import Decision, Event, Facts, decide
from router.events import AgentReplied, AiAnswered, AiGaveUp, HolderRequested, Undelivered
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


def failed(seq: int = 5, code: str = "opted_out 21610") -> Undelivered:
    """By default the answer to the customer's last turn."""
    return Undelivered(envelope_id=EnvelopeId("env_2"), conversation_id=ConversationId("cv"), seq=seq, code=code)


def after(event: Event, holder: Holder, facts: Facts = UP, policy: Policy = POLICY, **fields: Any) -> Decision:
    return decide(event, conversation(holder, **fields), facts, policy, NOW)


def said(decision: Decision) -> list[tuple[str, str]]:
    return [(say.author, part.text) for say in decision.says for part in say.parts if isinstance(part, Text)]
