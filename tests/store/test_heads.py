from __future__ import annotations

from gateway.store import threads
from gateway.store.heads import Head, heads
from gateway.store.store import Store
from normalizer.ids import LegId
from tests.store.rows import leg_row


def test_the_wires_of_many_legs_are_looked_at_together(store: Store) -> None:
    legs = [leg_row(f"l{n}", wire_head=n)._replace(valid_from=10 * n) for n in range(1, 5)]
    store.write_now(lambda tx: threads.save_legs(tx, legs))
    wanted = [LegId("l1"), LegId("l3"), LegId("unknown")]
    assert sorted(store.read_now(lambda tx: heads(tx, wanted))) == [Head(LegId("l1"), 1, 10), Head(LegId("l3"), 3, 30)]
    assert store.read_now(lambda tx: heads(tx, [])) == []
