"""Intake: raw inbound not yet processed, facts that re-enter, and the dead.

Rule: an intake id grows with the time the row is due: the primary key is the order of work, and timers wait in it.
Rule: a claim is a lease with an epoch; whoever lost it can write nothing, and a lane has one owner at a time.
Rule: what was done is not done again under the same claim: a commit may have been one though nobody heard of it.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import ANSWERED, WAITING, claimant, dead, intake
from gateway.store.statement import AnyOf, Statement, b, insert
from gateway.store.tx import Tx
from normalizer.ids import EndpointId, IntakeId


class IntakeRow(NamedTuple):
    """As room 1 hands it to the store."""

    id: IntakeId
    endpoint_id: EndpointId
    lane: str
    kind: str
    """`raw` or `fact`."""
    raw: bytes
    wants_outcome: bool = False


class Claimed(NamedTuple):
    """As room 2 holds it under a lease."""

    id: IntakeId
    endpoint_id: EndpointId
    lane: str
    kind: str
    raw: bytes
    attempts: int
    epoch: int
    next_index: int
    wants_outcome: bool


Claim = tuple[IntakeId, int]
"""A row and the epoch under which somebody has it."""


def is_prompt(row: IntakeRow | Claimed) -> bool:
    """A fact of ours, or from a session of its own: somebody may wait for it."""
    return row.lane != row.endpoint_id


class Leased(NamedTuple):
    """A row that is claimed from the start."""

    id: IntakeId
    endpoint_id: EndpointId
    lane: str
    kind: str
    raw: bytes
    wants_outcome: bool
    owner: str
    leased_until: int
    epoch: int = 1

    def claimed(self) -> "Claimed":
        return Claimed(self.id, self.endpoint_id, self.lane, self.kind, self.raw, 0, self.epoch, 0, self.wants_outcome)


class Dead(NamedTuple):
    id: int
    intake_id: IntakeId
    idx: int
    endpoint_id: EndpointId
    lane: str
    kind: str
    reason: str
    detail: str
    raw: bytes
    at: int


INTAKE_ADD = insert(intake, "id", "endpoint_id", "lane", "kind", "raw", "wants_outcome")
_ADD_LEASED = insert(intake, *Leased._fields)
INTAKE_ADD_ONCE = insert(intake, "id", "endpoint_id", "lane", "kind", "raw", "wants_outcome", ignore=True)

_TOUCH = Statement(
    lambda d: (
        d.insert(claimant)
        .values(queue=b("queue"), epoch=1)
        .on_conflict_do_update(index_elements=["queue"], set_={"epoch": claimant.c.epoch + 1})
    ),
    "queue",
)
"""Puts the claims of several nodes one after the other."""

_BUSY = Statement(
    lambda d: sa.select(intake.c.lane).distinct().where(
        intake.c.leased_until > b("now"), intake.c.leased_until > sa.literal_column("0")
    ),
    "now",
)  # fmt: skip
"""Lanes with work under way, here or elsewhere: what comes after it in the lane waits for it."""

_CLAIM = Statement(
    lambda d: sa.update(intake)
    .values(owner=b("p_owner"), leased_until=b("until"), epoch=intake.c.epoch + 1)
    .where(
        intake.c.id.in_(
            sa.select(intake.c.id)
            .where(
                intake.c.id <= b("upto"),
                intake.c.state == sa.literal_column(str(WAITING)),
                intake.c.leased_until <= b("now"),
                sa.not_(AnyOf(intake.c.lane, "busy")),
            )
            .order_by(intake.c.id)
            .limit(b("most"))
            .scalar_subquery()
        )
    )
    .returning(*(intake.c[name] for name in Claimed._fields)),
    "p_owner", "until", "upto", "now", "busy", "most",
)  # fmt: skip

_LEFT = Statement(
    lambda d: sa.select(sa.func.max(intake.c.id), intake.c.endpoint_id, intake.c.lane, intake.c.kind)
    .where(
        intake.c.id <= b("upto"), intake.c.state == sa.literal_column(str(WAITING)), intake.c.leased_until <= b("now")
    )
    .group_by(intake.c.endpoint_id, intake.c.lane, intake.c.kind),
    "upto", "now",
)  # fmt: skip

_FENCE = (intake.c.id == b("p_id"), intake.c.epoch == b("p_epoch"))
_FINISH = Statement(lambda d: sa.delete(intake).where(*_FENCE), "p_id", "p_epoch")
_ANSWER = Statement(
    lambda d: sa.update(intake).values(state=ANSWERED, outcome=b("p_outcome"), leased_until=0).where(
        *_FENCE, intake.c.state == sa.literal_column(str(WAITING))
    ),
    "p_outcome", "p_id", "p_epoch",
)  # fmt: skip
_PROGRESS = Statement(
    lambda d: sa.update(intake).values(next_index=b("p_next")).where(*_FENCE, intake.c.next_index < b("p_next")),
    "p_next", "p_id", "p_epoch",
)  # fmt: skip
_FAIL = Statement(
    lambda d: sa.update(intake).values(attempts=intake.c.attempts + 1, leased_until=0).where(*_FENCE), "p_id", "p_epoch"
)
_RELEASE = Statement(lambda d: sa.update(intake).values(leased_until=0).where(*_FENCE), "p_id", "p_epoch")
_VOID = Statement(
    lambda d: sa.update(intake).values(leased_until=0).where(intake.c.leased_until > sa.literal_column("0"))
)
_OUTCOME = Statement(
    lambda d: sa.select(intake.c.outcome).where(intake.c.id == b("p_id"), intake.c.state == ANSWERED), "p_id"
)
_SWEEP = Statement(lambda d: sa.delete(intake).where(intake.c.id < b("before"), intake.c.state == ANSWERED), "before")
_DEPTH = Statement(lambda d: sa.select(sa.func.count()).select_from(intake).where(intake.c.state == WAITING))
_NEXT = Statement(lambda d: sa.select(sa.func.min(intake.c.id)).where(intake.c.state == WAITING))

_DEAD_ADD = insert(dead, *Dead._fields)
_DEAD_LIST = Statement(
    lambda d: sa.select(*(dead.c[name] for name in Dead._fields), dead.c.replayed_at)
    .where(dead.c.id > b("after"), dead.c.replayed_at.is_(None))
    .order_by(dead.c.id)
    .limit(b("most")),
    "after", "most",
)  # fmt: skip
_DEAD_GET = Statement(
    lambda d: sa.select(*(dead.c[name] for name in Dead._fields)).where(dead.c.id == b("p_id")), "p_id"
)
_DEAD_REPLAYED = Statement(
    lambda d: sa.update(dead).values(replayed_at=b("at")).where(dead.c.id == b("p_id"), dead.c.replayed_at.is_(None)),
    "at", "p_id",
)  # fmt: skip
_DEAD_COUNT = Statement(lambda d: sa.select(sa.func.count()).select_from(dead).where(dead.c.replayed_at.is_(None)))


class LostClaim(Exception):
    """The lease ran out and somebody else has the row: nothing of this transaction may stay."""


def claim(tx: Tx, owner: str, *, upto: int, lease_ms: int, most: int) -> list[Claimed]:
    """The next rows that are due (`id <= upto`), in their order, from lanes of which nobody holds a row, we included:
    what a transaction of ours dropped comes again when its lease is over, and nothing of its lane before it.
    """
    if not tx.is_alone:
        tx.run(_TOUCH, ("intake",))
    now = tx.now()
    busy = [row[0] for row in tx.rows(_BUSY, (now,))]
    rows = tx.rows(_CLAIM, (owner, now + lease_ms, upto, now, tx.many(busy), most))
    return sorted((Claimed(*row) for row in rows), key=lambda row: row.id)


def left(tx: Tx, upto: int) -> list[IntakeRow]:
    """What waits for a claim, a row for each lane (without its bytes). It looks at every row."""
    return [IntakeRow(id, endpoint, lane, kind, b"") for id, endpoint, lane, kind in tx.rows(_LEFT, (upto, tx.now()))]


def finish(tx: Tx, rows: list[Claim]) -> None:
    """The rows are done. Raises LostClaim."""
    fenced(tx.run_many(_FINISH, rows), len(rows))
    tx.settled += rows


def answer(tx: Tx, row: IntakeId, epoch: int, outcome: bytes) -> None:
    """Done, and kept for a while with what came of it."""
    fenced(tx.run(_ANSWER, (outcome, row, epoch)), 1)
    tx.settled.append((row, epoch))


def progress(tx: Tx, row: IntakeId, epoch: int, next_index: int) -> None:
    fenced(tx.run(_PROGRESS, (next_index, row, epoch)), 1)


def fail(tx: Tx, row: IntakeId, epoch: int) -> None:
    """Counts a failure of the row's own and gives it back."""
    tx.run(_FAIL, (row, epoch))


def release(tx: Tx, rows: Sequence[Claimed]) -> None:
    """Gives rows back that were claimed and not worked on."""
    tx.leave(rows)
    claims = [(row.id, row.epoch) for row in rows]
    tx.run_many(_RELEASE, claims)
    tx.settled += claims


def void_claims(tx: Tx) -> None:
    """At the start of the only process: whatever was claimed is free again."""
    tx.run(_VOID)


def receive(tx: Tx, rows: Sequence[IntakeRow]) -> None:
    """What has arrived: its ids are new."""
    _add(tx, INTAKE_ADD, rows)


def add(tx: Tx, rows: list[IntakeRow]) -> None:
    """Facts that re-enter, in the transaction of what caused them; and what a source gave, in that of its cursor."""
    _add(tx, INTAKE_ADD_ONCE, sorted(rows, key=itemgetter(0)))


def _add(tx: Tx, statement: Statement, rows: Sequence[IntakeRow]) -> None:
    waiting, handed = tx.arrive(rows)
    tx.run_many(statement, waiting)
    tx.run_many(_ADD_LEASED, handed)


def outcome(tx: Tx, row: IntakeId) -> bytes | None:
    found = tx.first(_OUTCOME, (row,))
    return None if found is None else found[0]


def sweep_answered(tx: Tx, before: int) -> int:
    return tx.run(_SWEEP, (before,))


def depth(tx: Tx) -> int:
    return int(tx.scalar(_DEPTH))


def next_id(tx: Tx) -> int | None:
    found = tx.scalar(_NEXT)
    return None if found is None else int(found)


def bury(tx: Tx, dead_rows: list[Dead]) -> None:
    tx.run_many(_DEAD_ADD, dead_rows)


def list_dead(tx: Tx, after: int, most: int) -> list[Dead]:
    return [Dead(*row[:-1]) for row in tx.rows(_DEAD_LIST, (after, most))]


def get_dead(tx: Tx, row: int) -> Dead | None:
    found = tx.first(_DEAD_GET, (row,))
    return None if found is None else Dead(*found)


def mark_replayed(tx: Tx, row: int, at: int) -> bool:
    return tx.run(_DEAD_REPLAYED, (at, row)) == 1


def count_dead(tx: Tx) -> int:
    return int(tx.scalar(_DEAD_COUNT))


def fenced(touched: int, expected: int) -> None:
    if touched != expected:
        raise LostClaim(f"{expected - touched} of {expected} rows are another's by now")
