"""Puts what was given up back to work: the dead into the intake, stuck commands into the outbox.

Rule: a replay is a new row with the same bytes; what of it had its effect already is a duplicate and has none again.
Rule: a request is replayed whole and once, and all that died of it is marked: what dies again is listed again.
"""

from collections.abc import Callable

import sqlalchemy as sa

from gateway.store import outbox
from gateway.store.intake import INTAKE_ADD_ONCE, IntakeRow, get_dead
from gateway.store.overview import STUCK
from gateway.store.schema import dead
from gateway.store.statement import Statement, b
from gateway.store.tx import Tx
from normalizer.ids import CommandId, IntakeId

_RAW = Statement(
    lambda d: (
        sa.select(dead.c.raw)
        .where(dead.c.intake_id == b("p_intake"), sa.func.length(dead.c.raw) > sa.literal_column("0"))
        .order_by(dead.c.id)
        .limit(sa.literal_column("1"))
    ),
    "p_intake",
)
"""One of the rows that came from a request holds it; the others would only repeat it."""
_WAITING = Statement(
    lambda d: sa.select(dead.c.id)
    .where(dead.c.id == b("p_id"), dead.c.replayed_at.is_(None))
    .with_for_update(),
    "p_id",
)  # fmt: skip
_REPLAYED = Statement(
    lambda d: sa.update(dead)
    .values(replayed_at=b("p_at"))
    .where(dead.c.intake_id == b("p_intake"), dead.c.replayed_at.is_(None)),
    "p_at", "p_intake",
)  # fmt: skip


class NothingLeft(Exception):
    """The bytes are gone: they were deleted by a retention rule."""


def replay(tx: Tx, dead_id: int, new_number: Callable[[], IntakeId]) -> int:
    """How many of the dead went back to work: this one and those of the same request. 0: it was replayed before.

    Raises KeyError for an id that nobody knows, and NothingLeft.
    """
    found = get_dead(tx, dead_id)
    if found is None:
        raise KeyError(dead_id)
    if tx.first(_WAITING, (dead_id,)) is None:
        return 0
    raw = tx.first(_RAW, (found.intake_id,))
    if raw is None:
        raise NothingLeft
    row = IntakeRow(new_number(), found.endpoint_id, found.lane, found.kind, raw[0])
    tx.leave([row])
    while tx.run(INTAKE_ADD_ONCE, row) != 1:
        row = row._replace(id=new_number())
    return tx.run(_REPLAYED, (tx.now(), found.intake_id))


def revive(tx: Tx, command_id: CommandId) -> bool:
    """False: there is no such command, or it is not stuck."""
    return outbox.revive(tx, command_id, STUCK)
