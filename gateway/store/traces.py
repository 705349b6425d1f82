"""What `trace` looks for: rows that hold an id, wherever they hold it. For people, who wait: nothing has an index.

Rule: bytes are searched in the database and only ids come back.
"""

from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.bytes import holds
from gateway.store.schema import command, dead, dedupe, intake, parked
from gateway.store.statement import AnyOf, Statement, b
from gateway.store.tx import Tx
from normalizer.ids import ChannelId, CommandId, EnvelopeId, ExternalId


class IntakeTrace(NamedTuple):
    id: int
    endpoint_id: str
    kind: str
    state: int
    attempts: int


class DeadTrace(NamedTuple):
    id: int
    intake_id: int
    idx: int
    reason: str
    at: int
    replayed_at: int | None


class ParkedTrace(NamedTuple):
    id: int
    channel_id: ChannelId
    envelope_id: EnvelopeId
    at: int


class SeenTrace(NamedTuple):
    intake_id: int
    idx: int
    envelope_id: EnvelopeId
    at: int


class CommandTrace(NamedTuple):
    id: CommandId
    kind: str
    state: int
    envelope_id: EnvelopeId | None
    attempts: int
    step: int
    error: str | None
    created_at: int
    done_at: int | None


_INTAKE = Statement(
    lambda d: sa.select(*(intake.c[name] for name in IntakeTrace._fields))
    .where(sa.or_(AnyOf(intake.c.id, "ids"), holds(d, intake.c.raw, "needle")))
    .order_by(intake.c.id),
    "ids", "needle",
)  # fmt: skip
_DEAD = Statement(
    lambda d: sa.select(*(dead.c[name] for name in DeadTrace._fields))
    .where(sa.or_(AnyOf(dead.c.intake_id, "ids"), holds(d, dead.c.raw, "needle")))
    .order_by(dead.c.id),
    "ids", "needle",
)  # fmt: skip
_PARKED = Statement(
    lambda d: (
        sa.select(*(parked.c[name] for name in ParkedTrace._fields))
        .where(parked.c.external_id == b("p_id"))
        .order_by(parked.c.id)
    ),
    "p_id",
)
_SEEN = Statement(
    lambda d: (
        sa.select(*(dedupe.c[name] for name in SeenTrace._fields))
        .where(AnyOf(dedupe.c.envelope_id, "ids"))
        .order_by(dedupe.c.at)
    ),
    "ids",
)
_COMMANDS = Statement(
    lambda d: sa.select(*(command.c[name] for name in CommandTrace._fields))
    .where(sa.or_(AnyOf(command.c.envelope_id, "envelopes"), command.c.id == b("p_id")))
    .order_by(command.c.n),
    "envelopes", "p_id",
)  # fmt: skip


def intake_rows(tx: Tx, ids: set[int], text: str) -> list[IntakeTrace]:
    """Waiting ones with one of the ids, or with the text in what arrived."""
    return [IntakeTrace(*row) for row in tx.rows(_INTAKE, (tx.many(ids), _bytes(text)))]


def dead_rows(tx: Tx, ids: set[int], text: str) -> list[DeadTrace]:
    return [DeadTrace(*row) for row in tx.rows(_DEAD, (tx.many(ids), _bytes(text)))]


def parked_for(tx: Tx, external_id: ExternalId) -> list[ParkedTrace]:
    """What waits for the message with this id of the provider's."""
    return [ParkedTrace(*row) for row in tx.rows(_PARKED, (external_id,))]


def seen(tx: Tx, envelopes: set[EnvelopeId]) -> list[SeenTrace]:
    return [SeenTrace(*row) for row in tx.rows(_SEEN, (tx.many(envelopes),))]


def commands(tx: Tx, envelopes: set[EnvelopeId], id: str) -> list[CommandTrace]:
    return [CommandTrace(*row) for row in tx.rows(_COMMANDS, (tx.many(envelopes), id))]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
