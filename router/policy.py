"""What the operator decided beforehand, as one value that `decide` reads."""

from typing import Literal

from msgspec import Struct


class Policy(Struct, frozen=True, kw_only=True):
    first_holder: Literal["ai", "queue"] = "ai"
    default_queue: str = "default"
    min_confidence: float = 0.5
    """Below it an AI answer is not sent and a person is asked instead."""
    handoff_text: str = "I am passing you on to a colleague, who will answer here."
    engine_down_text: str = "Our assistant is not available right now. A colleague will answer you here."
    ai_deadline_ms: int = 8_000
    queue_due_ms: int = 15 * 60_000
    """How soon somebody should look at a conversation that waits in a queue or with an agent."""
    mark_read: bool = True
    """Tell the customer that we read the message, and that an answer is being written, where the channel can."""
