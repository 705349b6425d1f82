"""Sources that we dial or ask: who listens to one, how far it is read, and when it was last heard.

Rule: one node listens to a source. Its cursor is written under the epoch of its lease, in the transaction of what was
      read, and only from where that listener found it: nobody moves it back.
"""

from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.intake import LostClaim
from gateway.store.schema import source
from gateway.store.statement import Statement, b
from gateway.store.tx import Tx
from normalizer.ids import EndpointId


class Lease(NamedTuple):
    """The right to listen."""

    endpoint_id: EndpointId
    name: str
    epoch: int


class Step(NamedTuple):
    """A cursor on its way. `before` is what its listener believes it to be."""

    lease: Lease
    before: str | None
    after: str


class SourceRow(NamedTuple):
    endpoint_id: EndpointId
    name: str
    owner: str | None
    leased_until: int
    heard_at: int | None
    trouble: str | None


_KEY = (source.c.endpoint_id == b("p_endpoint"), source.c.name == b("p_name"))
_FENCE = (*_KEY, source.c.epoch == b("p_epoch"))

_TOUCH = Statement(
    lambda d: d.insert(source).values(endpoint_id=b("p_endpoint"), name=b("p_name")).on_conflict_do_nothing(),
    "p_endpoint", "p_name",
)  # fmt: skip
_TAKE = Statement(
    lambda d: sa.update(source)
    .values(owner=b("p_owner"), leased_until=b("p_until"), epoch=source.c.epoch + 1)
    .where(*_KEY, source.c.leased_until <= b("p_now"))
    .returning(source.c.epoch),
    "p_owner", "p_until", "p_endpoint", "p_name", "p_now",
)  # fmt: skip
_RENEW = Statement(
    lambda d: sa.update(source)
    .values(leased_until=b("p_until"), heard_at=b("p_heard"), trouble=b("p_trouble"))
    .where(*_FENCE),
    "p_until", "p_heard", "p_trouble", "p_endpoint", "p_name", "p_epoch",
)  # fmt: skip
_RELEASE = Statement(
    lambda d: sa.update(source).values(leased_until=0, owner=None).where(*_FENCE), "p_endpoint", "p_name", "p_epoch"
)
_CURSOR = Statement(lambda d: sa.select(source.c.cursor).where(*_KEY), "p_endpoint", "p_name")
_MOVE = Statement(
    lambda d: sa.update(source)
    .values(cursor=b("p_after"))
    .where(*_FENCE, source.c.cursor.is_not_distinct_from(b("p_before"))),
    "p_after", "p_endpoint", "p_name", "p_epoch", "p_before",
)  # fmt: skip
_VOID = Statement(lambda d: sa.update(source).values(leased_until=0))
_ALL = Statement(
    lambda d: sa.select(*(source.c[name] for name in SourceRow._fields)).order_by(source.c.endpoint_id, source.c.name)
)


def take(tx: Tx, endpoint: EndpointId, name: str, owner: str, lease_ms: int) -> Lease | None:
    """None: somebody else listens."""
    now = tx.now()
    tx.run(_TOUCH, (endpoint, name))
    row = tx.first(_TAKE, (owner, now + lease_ms, endpoint, name, now))
    return None if row is None else Lease(endpoint, name, row[0])


def renew(tx: Tx, lease: Lease, lease_ms: int, heard_at: int | None, trouble: str | None) -> None:
    """Raises LostClaim."""
    if tx.run(_RENEW, (tx.now() + lease_ms, heard_at, trouble, *lease)) != 1:
        raise LostClaim(f"{lease.endpoint_id}/{lease.name} is heard by another")


def release(tx: Tx, lease: Lease) -> None:
    tx.run(_RELEASE, lease)


def cursor_of(tx: Tx, lease: Lease) -> str | None:
    row = tx.first(_CURSOR, (lease.endpoint_id, lease.name))
    return None if row is None else row[0]


def move(tx: Tx, step: Step) -> None:
    """Raises LostClaim: another listener has the source, or has moved its cursor."""
    if tx.run(_MOVE, (step.after, *step.lease, step.before)) != 1:
        raise LostClaim(f"{step.lease.endpoint_id}/{step.lease.name} is read by another")


def void_leases(tx: Tx) -> None:
    """At the start of the only process: nobody listens yet."""
    tx.run(_VOID)


def every(tx: Tx) -> list[SourceRow]:
    """Also of endpoints that are not configured any more."""
    return [SourceRow(*row) for row in tx.rows(_ALL)]
