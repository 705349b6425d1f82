"""What `decide` looks at: an inbound envelope, or a fact of ours that re-entered through the intake.

Rule: a fact's id derives from the command that it came from, and its attempt, so that a repeat is a duplicate.
Rule: facts hold ids, numbers and what the AI or an agent wrote; never a copy of what the customer wrote.
"""

from typing import Annotated

from msgspec import Meta, Struct

from normalizer.envelope import Envelope, MediaRef, Message, Part, ReplyTo
from normalizer.ids import AgentId, CommandId, ConversationId, EnvelopeId, LegId, derive
from router.conversation import Holder


class AiAnswered(Struct, frozen=True, kw_only=True, tag_field="fact", tag="ai_answered"):
    command_id: CommandId
    conversation_id: ConversationId
    epoch: int
    up_to: int
    text: str
    confidence: float
    sources: tuple[str, ...] = ()
    leg_id: LegId | None = None
    spoken: str = ""
    """The beginning of `text` that the leg has heard already, while it was written."""
    locale: str | None = None


class AiGaveUp(Struct, frozen=True, kw_only=True, tag_field="fact", tag="ai_gave_up"):
    """Unsure, refused, too late or down: `reason` is for people."""

    command_id: CommandId
    conversation_id: ConversationId
    epoch: int
    up_to: int
    reason: str
    engine_down: bool = False
    leg_id: LegId | None = None
    spoken: str = ""
    """What the leg has heard of an answer that came to nothing."""
    locale: str | None = None


class AgentReplied(Struct, frozen=True, kw_only=True, tag_field="fact", tag="agent_replied"):
    conversation_id: ConversationId
    agent_id: AgentId
    parts: Annotated[tuple[Part, ...], Meta(min_length=1)]
    key: str
    """The caller's idempotency key."""
    reply_to: ReplyTo | None = None
    system: bool = False
    """Written by a program of ours rather than a person: the holder stays who it is."""
    locale: str | None = None
    """None: an agent answers in the language of the customer's last turn."""


class HolderRequested(Struct, frozen=True, kw_only=True, tag_field="fact", tag="holder_requested"):
    conversation_id: ConversationId
    holder: Holder
    expected_epoch: int
    by: str
    key: str


class EngineChanged(Struct, frozen=True, kw_only=True, tag_field="fact", tag="engine_changed"):
    """The breaker opened or closed."""

    engine: str
    up: bool
    reason: str
    key: str


class MediaStored(Struct, frozen=True, kw_only=True, tag_field="fact", tag="media_stored"):
    """Bytes of one part are here, or (`media.failed`) never will be."""

    command_id: CommandId
    conversation_id: ConversationId
    envelope_id: EnvelopeId
    place: int
    media: MediaRef


class Undelivered(Struct, frozen=True, kw_only=True, tag_field="fact", tag="undelivered"):
    """An answer of the AI's failed for good: refused, given up in doubt, or its provider said so in a receipt."""

    envelope_id: EnvelopeId
    conversation_id: ConversationId
    seq: int
    """Its place in the conversation."""
    code: str
    """Ours and the provider's, no text of anybody's."""


Fact = AiAnswered | AiGaveUp | AgentReplied | HolderRequested | EngineChanged | MediaStored | Undelivered


def spoken_id(command: CommandId) -> EnvelopeId:
    """The id that the answer to this question will have; those who hear it know it by that while it is written."""
    return EnvelopeId(derive("env", command, "spoken"))


def undelivered(envelope: Envelope, conversation: ConversationId, seq: int | None, code: str) -> Undelivered | None:
    """None: nobody waits for it. An agent sees what became of his words; what a program of ours said (also: that people
    take over) is no answer, so that no failure can cause another; what was taken back is missed by nobody."""
    body = envelope.body
    if envelope.direction != "out" or envelope.author != "ai" or seq is None:
        return None
    if not isinstance(body, Message) or not body.parts:
        return None
    return Undelivered(envelope_id=envelope.id, conversation_id=conversation, seq=seq, code=code)


def fact_key(fact: Fact) -> str:
    """Names the event: the same key twice is a duplicate."""
    match fact:
        case AiAnswered(command_id=command, spoken=spoken) | AiGaveUp(command_id=command, spoken=spoken):
            # What was heard is told once by itself: another fact may have ended the command meanwhile.
            return f"ai/{command}/spoken" if spoken else f"ai/{command}"
        case MediaStored(command_id=command):
            return f"media/{command}"
        case AgentReplied(conversation_id=conversation, key=key):
            return f"reply/{conversation}/{key}"
        case HolderRequested(conversation_id=conversation, key=key):
            return f"holder/{conversation}/{key}"
        case EngineChanged(key=key):
            return f"engine/{key}"
        case Undelivered(envelope_id=envelope):
            # Once for each message: whichever of its parts failed, however often, and whoever told.
            return f"undelivered/{envelope}"
