"""Who holds a conversation: ai | queue | agent | nobody, exactly one. THE transition table.

Rule: every change of holder raises `epoch`; what was computed for an older epoch is void.
Rule: a (holder, trigger) pair that is not in the table leaves the holder alone; the test walks every pair.
"""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from normalizer.ids import AgentId, ContactId, ConversationId, LegId


class Ai(Struct, frozen=True, tag_field="holder", tag="ai"):
    pass


class Queue(Struct, frozen=True, tag_field="holder", tag="queue"):
    name: str


class Agent(Struct, frozen=True, tag_field="holder", tag="agent"):
    agent_id: AgentId


class Nobody(Struct, frozen=True, tag_field="holder", tag="nobody"):
    pass


Holder = Ai | Queue | Agent | Nobody
Kind = Literal["ai", "queue", "agent", "nobody"]


class Trigger(StrEnum):
    CUSTOMER_WROTE = "customer_wrote"
    CUSTOMER_WROTE_AI_DOWN = "customer_wrote_ai_down"
    TOO_MANY_ANSWERS = "too_many_answers"
    AI_ANSWERED = "ai_answered"
    AI_GAVE_UP = "ai_gave_up"
    AGENT_REPLIED = "agent_replied"
    UNDELIVERED = "undelivered"


class Conversation(Struct, frozen=True, kw_only=True):
    """The single cross-channel thread of a contact; it never ends."""

    id: ConversationId
    contact_id: ContactId
    holder: Holder = Nobody()
    epoch: int = 0
    head: int = 0
    """The highest seq given out."""
    asked: int | None = None
    """The AI was asked about everything up to this seq and has not answered yet."""
    last_in: int = 0
    """Seq of the customer's last message."""
    answered: int = 0
    """Everything of the customer's up to this seq has been answered or handed over."""
    reply_leg: LegId | None = None
    """Where the customer wrote last: the way that an answer takes."""
    reason: str = ""
    """Why the holder is the holder, in words."""
    next_step: str = ""
    due_at: int | None = None
    """When the next step is late (milliseconds since 1970), while the conversation waits for us."""


FIRST: Literal["first"] = "first"
"""Stands for the policy's first holder."""

TRANSITIONS: dict[tuple[Kind, Trigger], Kind | Literal["first"]] = {
    ("nobody", Trigger.CUSTOMER_WROTE): FIRST,
    ("nobody", Trigger.CUSTOMER_WROTE_AI_DOWN): "queue",
    ("nobody", Trigger.TOO_MANY_ANSWERS): "queue",
    ("ai", Trigger.CUSTOMER_WROTE_AI_DOWN): "queue",
    ("ai", Trigger.TOO_MANY_ANSWERS): "queue",
    ("ai", Trigger.AI_GAVE_UP): "queue",
    ("ai", Trigger.UNDELIVERED): "queue",
    ("ai", Trigger.AGENT_REPLIED): "agent",
    ("queue", Trigger.AGENT_REPLIED): "agent",
    ("nobody", Trigger.AGENT_REPLIED): "agent",
}


def kind_of(holder: Holder) -> Kind:
    match holder:
        case Ai():
            return "ai"
        case Queue():
            return "queue"
        case Agent():
            return "agent"
        case Nobody():
            return "nobody"


def next_kind(holder: Holder, trigger: Trigger) -> Kind | Literal["first"]:
    return TRANSITIONS.get((kind_of(holder), trigger), kind_of(holder))
