"""Turns for the tests of engines."""

from datetime import UTC, datetime, timedelta
from typing import Literal

from gateway.engines.base import Turn, Utterance
from normalizer.ids import ConversationId

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
Said = tuple[Literal["customer", "ai", "agent"], str]


def turn(*texts: str | Said) -> Turn:
    """A turn of these texts, one second apart; a bare text is the customer's."""
    said: list[Said] = [("customer", text) if isinstance(text, str) else text for text in texts]
    transcript = tuple(
        Utterance(author, text, START + timedelta(seconds=place)) for place, (author, text) in enumerate(said)
    )
    return Turn(conversation_id=ConversationId("conv_1"), transcript=transcript, deadline_ms=1_000)
