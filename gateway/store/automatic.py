"""How much machines of ours have said to somebody lately: two machines that answer each other would never stop.

Rule: read under the conversation's lock, and only for channels that set a limit.
"""

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from gateway.store.schema import envelope
from gateway.store.statement import Statement, b
from gateway.store.tx import Tx
from normalizer.ids import ConversationId, LegId

LAST = 1_000
"""Entries of the conversation that are looked at, counted from its end."""

_SAID = Statement(
    lambda d: sa.select(envelope.c.content).where(
        envelope.c.conversation_id == b("p_id"),
        envelope.c.seq.is_not(None),
        envelope.c.seq > b("p_after"),
        envelope.c.leg_id == b("p_leg"),
        envelope.c.direction == "out",
        envelope.c.kind == "message",
        envelope.c.at > b("p_since"),
    ),
    "p_id", "p_after", "p_leg", "p_since",
)  # fmt: skip


class _Written(Struct):
    """As much of an envelope as is looked at."""

    author: str = "customer"


_written = msgspec.json.Decoder(_Written).decode


def said_automatically(tx: Tx, conversation: ConversationId, head: int, leg: LegId, since: int) -> int:
    """Messages of the AI's and of programs of ours over this leg since then; `head`: the conversation's."""
    rows = tx.rows(_SAID, (conversation, head - LAST, leg, since))
    return sum(_written(row[0]).author in ("ai", "system") for row in rows)
