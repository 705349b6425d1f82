"""How much waits and since when: what the gauges of `/metrics` show, looked at now and then.

Rule: one read transaction for all of it, and statements that an index answers.
"""

from typing import NamedTuple

from gateway.clock import MS_SHIFT
from gateway.observe import Metrics
from gateway.store import intake, outbox
from gateway.store.overview import count_parked
from gateway.store.tx import Tx

DAY_MS = 86_400_000


class Levels(NamedTuple):
    intake: int
    intake_age_ms: int
    outbox: int
    outbox_age_ms: int
    parked: int
    orphans: int


def levels(tx: Tx, orphan_days: int) -> Levels:
    """A timer is due when it is due: until then it waits, and is not late."""
    now, oldest, due = tx.now(), intake.next_id(tx), outbox.next_due(tx)
    parked, orphans = count_parked(tx, now - orphan_days * DAY_MS)
    return Levels(
        intake=intake.depth(tx),
        intake_age_ms=0 if oldest is None else max(0, now - (oldest >> MS_SHIFT)),
        outbox=sum(outbox.depth(tx).values()),
        outbox_age_ms=0 if due is None else max(0, now - due),
        parked=parked,
        orphans=orphans,
    )


def show(metrics: Metrics, found: Levels) -> None:
    metrics.intake_depth.set(found.intake)
    metrics.intake_age_seconds.set(found.intake_age_ms / 1000)
    metrics.outbox_depth.set(found.outbox)
    metrics.outbox_age_seconds.set(found.outbox_age_ms / 1000)
    metrics.parked.set(found.parked)
    metrics.orphans.set(found.orphans)
