"""OAuth 2.0 tokens as they are kept, sealed, and the lease of whoever renews them.

Rule: one renewal at a time on all nodes; what it brought is written under the epoch of its lease.
Rule: what was kept for another grant (the operator gave a new one) is as good as nothing.
"""

from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import credential
from gateway.store.statement import Statement, b
from gateway.store.tx import Tx
from normalizer.ids import EndpointId


class Place(NamedTuple):
    """Names one grant of an endpoint; `digest` is of what the operator wrote down."""

    endpoint_id: EndpointId
    name: str
    digest: str


class Kept(NamedTuple):
    key_id: str
    sealed: bytes


class Row(NamedTuple):
    """As it stands: what is kept for this very grant, and until when somebody renews it."""

    kept: Kept | None
    leased_until: int
    epoch: int


_KEY = (credential.c.endpoint_id == b("p_endpoint"), credential.c.name == b("p_name"))

_TOUCH = Statement(
    lambda d: (
        d.insert(credential)
        .values(endpoint_id=b("p_endpoint"), name=b("p_name"), grant_digest=b("p_digest"), updated_at=b("p_now"))
        .on_conflict_do_nothing()
    ),
    "p_endpoint", "p_name", "p_digest", "p_now",
)  # fmt: skip
_GET = Statement(
    lambda d: sa.select(*(credential.c[name] for name in ("grant_digest", "key_id", "sealed", "leased_until", "epoch")))
    .where(*_KEY)
    .with_for_update(),
    "p_endpoint", "p_name",
)  # fmt: skip
_LEASE = Statement(
    lambda d: sa.update(credential).values(leased_until=b("p_until"), epoch=credential.c.epoch + 1).where(*_KEY),
    "p_until", "p_endpoint", "p_name",
)  # fmt: skip
_KEEP = Statement(
    lambda d: sa.update(credential)
    .values(grant_digest=b("p_digest"), key_id=b("p_key"), sealed=b("p_sealed"), updated_at=b("p_now"), leased_until=0)
    .where(*_KEY, credential.c.epoch == b("p_epoch")),
    "p_digest", "p_key", "p_sealed", "p_now", "p_endpoint", "p_name", "p_epoch",
)  # fmt: skip
_RELEASE = Statement(
    lambda d: sa.update(credential).values(leased_until=0).where(*_KEY, credential.c.epoch == b("p_epoch")),
    "p_endpoint", "p_name", "p_epoch",
)  # fmt: skip
_VOID = Statement(lambda d: sa.update(credential).values(leased_until=0))


def look(tx: Tx, place: Place) -> Row:
    """Locked until the transaction ends."""
    tx.run(_TOUCH, (*place, tx.now()))
    row = tx.first(_GET, (place.endpoint_id, place.name))
    assert row is not None, "it was touched"
    digest, key_id, sealed, leased_until, epoch = row
    kept = Kept(key_id, bytes(sealed)) if sealed is not None and digest == place.digest else None
    return Row(kept, leased_until, epoch)


def lease(tx: Tx, place: Place, row: Row, lease_ms: int) -> int:
    """The epoch under which what was renewed may be written."""
    tx.run(_LEASE, (tx.now() + lease_ms, place.endpoint_id, place.name))
    return row.epoch + 1


def keep(tx: Tx, place: Place, epoch: int, kept: Kept) -> bool:
    """False: somebody else has the lease by now; nothing was written."""
    values = (place.digest, kept.key_id, kept.sealed, tx.now())
    return tx.run(_KEEP, (*values, place.endpoint_id, place.name, epoch)) == 1


def release(tx: Tx, place: Place, epoch: int) -> None:
    """Nothing came of it."""
    tx.run(_RELEASE, (place.endpoint_id, place.name, epoch))


def void_leases(tx: Tx) -> None:
    """At the start of the only process."""
    tx.run(_VOID)
