"""A transaction as the operations see it."""

from __future__ import annotations

import pytest

from gateway.clock import FrozenClock
from gateway.store import intake
from gateway.store.store import OffsetClock, Store, open_store
from gateway.store.tx import Tx
from tests.store.rows import dead_row


def test_counts_rows_and_values(store: Store) -> None:
    def work(tx: Tx) -> tuple[int, int, object, object]:
        added = tx.run_many(intake._DEAD_ADD, [dead_row(id) for id in range(1, 6)])
        touched = tx.run(intake._DEAD_REPLAYED, (9, 3))
        return added, touched, tx.scalar(intake._DEAD_COUNT), tx.first(intake._DEAD_GET, (99,))

    assert store.write_now(work) == (5, 1, 4, None)
    assert store.write_now(lambda tx: tx.run_many(intake._DEAD_ADD, [])) == 0


def test_now_is_the_stores_clock(store: Store, clock: FrozenClock) -> None:
    before = store.read_now(lambda tx: tx.now())
    assert before == store.now()
    clock.advance(2.5)
    assert store.read_now(lambda tx: tx.now()) == before + 2_500


def test_nodes_with_different_clocks_agree_on_the_time(postgres_store_url: str) -> None:
    """Leases are by the database server's clock: one node's clock that is an hour ahead takes nobody's work."""
    clocks = FrozenClock(), FrozenClock()
    clocks[1].step(3_600)
    stores = [open_store(postgres_store_url, clock) for clock in clocks]
    assert abs(stores[0].now() - stores[1].now()) < 60_000
    for store in stores:
        store.close_now()


def test_an_offset_moves_a_clock() -> None:
    clock = FrozenClock()
    assert OffsetClock(clock, -5).now_ms() == clock.now_ms() - 5


def test_only_sqlite_is_alone_while_it_writes(store: Store) -> None:
    assert store.write_now(lambda tx: tx.is_alone) == (store.database.name == "sqlite")


def test_what_a_transaction_did_before_it_failed_is_undone(store: Store) -> None:
    def half(tx: Tx) -> None:
        intake.bury(tx, [dead_row(1)])
        raise LookupError

    with pytest.raises(LookupError):
        store.write_now(half)
    assert store.read_now(intake.count_dead) == 0
