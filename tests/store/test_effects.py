from __future__ import annotations

from functools import partial
from itertools import permutations

import pytest

from gateway.store import effects
from gateway.store.effects import ExternalRow, Seen
from gateway.store.store import Store
from gateway.store.tx import Tx
from normalizer.envelope import RANK, Status
from normalizer.ids import EnvelopeId
from tests.store.rows import CHANNEL, parked_row, ref, seen


def claim(store: Store, *rows: Seen) -> dict[str, Seen]:
    return store.write_now(lambda tx: effects.claim_keys(tx, list(rows)))


def test_the_first_has_the_key_and_everybody_learns_who_it_is(store: Store) -> None:
    assert claim(store, seen("k1", "e1")) == {"k1": seen("k1", "e1")}
    later = claim(store, seen("k1", "e9", intake_id=2), seen("k2", "e2", intake_id=2))
    assert later == {"k1": seen("k1", "e1"), "k2": seen("k2", "e2", intake_id=2)}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_one_batch_the_first_has_the_key(store: Store, order: tuple[int, int]) -> None:
    twins = [seen("k", "e-a", idx=4), seen("k", "e-b", idx=3)]
    assert claim(store, *(twins[place] for place in order)) == {"k": twins[order[0]]}


def test_a_key_of_a_transaction_that_failed_is_free(store: Store) -> None:
    def fail(tx: Tx) -> None:
        effects.claim_keys(tx, [seen("k", "e1")])
        raise LookupError

    with pytest.raises(LookupError):
        store.write_now(fail)
    assert claim(store, seen("k", "e2"))["k"].envelope_id == "e2"


def test_keys_are_pruned_by_age(store: Store) -> None:
    claim(store, seen("old", at=9), seen("young", at=10))
    assert store.write_now(lambda tx: effects.prune_keys(tx, 10)) == 1
    assert claim(store, seen("old", "e5", at=20), seen("young", "e5", at=20))["young"].at == 10


def test_nothing_is_claimed_by_nobody(store: Store) -> None:
    assert claim(store) == {}


def touch(store: Store, *ids: str) -> dict[effects.Ref, ExternalRow]:
    return store.write_now(lambda tx: effects.touch(tx, [ref(id) for id in ids], 1))


def own(store: Store, id: str, envelope: str, rank: int = 1) -> None:
    store.write_now(lambda tx: effects.own(tx, [(*ref(id), EnvelopeId(envelope), rank, 2)]))


def state(store: Store, id: str) -> tuple[EnvelopeId | None, int, str | None] | None:
    row = store.read_now(lambda tx: effects.get(tx, [ref(id)])).get(ref(id))
    return None if row is None else (row.envelope_id, row.rank, row.failure)


def test_touching_makes_the_rows_that_are_missing_and_changes_no_other(store: Store) -> None:
    own(store, "x", "e1", rank=2)
    assert touch(store, "y", "x", "y") == {
        ref("x"): ExternalRow(*ref("x"), EnvelopeId("e1"), 2, None),
        ref("y"): ExternalRow(*ref("y"), None, 0, None),
    }


def test_the_first_envelope_owns_the_id_whether_it_was_touched_before_or_not(store: Store) -> None:
    touch(store, "x")
    own(store, "x", "e1")
    own(store, "x", "e2", rank=0)
    assert state(store, "x") == ("e1", 1, None)


def test_the_same_id_on_two_channels_is_two_things(store: Store) -> None:
    store.write_now(lambda tx: effects.touch(tx, [ref("x", "a"), ref("y", "b")], 1))
    wanted = [ref("x", "a"), ref("x", "b"), ref("y", "a"), ref("y", "b")]
    assert set(store.read_now(lambda tx: effects.get(tx, wanted))) == {ref("x", "a"), ref("y", "b")}


STATUS = {status: (RANK[status], "131026" if status is Status.FAILED else None) for status in Status}
ORDERS = [order for size in (2, 3, 4, 5) for order in permutations(STATUS, size)]


def test_every_order_of_statuses_ends_in_the_same_state(store: Store) -> None:
    """All orders of all subsets, each on a message of its own, in as few transactions as there are places."""
    rows = {order: ref("/".join(order)) for order in ORDERS}
    store.write_now(lambda tx: effects.touch(tx, rows.values(), 1))
    for place in range(len(STATUS)):
        step = [(*STATUS[order[place]], *row) for order, row in rows.items() if place < len(order)]
        store.write_now(partial(effects.raise_ranks, rows=step))
    ends = store.read_now(lambda tx: effects.get(tx, rows.values()))
    for order, row in rows.items():
        assert (ends[row].rank, ends[row].failure) == max(STATUS[status] for status in order), order


def test_statuses_of_one_batch_end_where_they_would_one_by_one(store: Store) -> None:
    for n, order in enumerate(permutations((Status.SENT, Status.DELIVERED, Status.FAILED))):
        touch(store, f"m{n}")
        batch = [(*STATUS[name], *ref(f"m{n}")) for name in order]
        store.write_now(partial(effects.raise_ranks, rows=batch))
        assert state(store, f"m{n}") == (None, RANK[Status.DELIVERED], None), "what arrived somewhere has not failed"


def test_a_receipt_before_the_message_is_not_undone_by_it(store: Store) -> None:
    touch(store, "x")
    store.write_now(lambda tx: effects.raise_ranks(tx, [(3, None, *ref("x"))]))
    own(store, "x", "e1", rank=1)
    assert state(store, "x") == ("e1", 3, None)


def test_the_parts_of_an_envelope_are_found_by_it(store: Store) -> None:
    for id, envelope in (("p1", "e1"), ("p2", "e1"), ("p3", "e2")):
        own(store, id, envelope)
    found = store.read_now(lambda tx: effects.of_envelopes(tx, [EnvelopeId("e1")]))
    assert sorted(row.external_id for row in found) == ["p1", "p2"]


def test_what_waited_for_a_message_is_taken_out_once_oldest_first(store: Store) -> None:
    rows = [parked_row(3, "x"), parked_row(1, "x"), parked_row(2, "y")]
    store.write_now(lambda tx: effects.park(tx, rows))
    assert store.write_now(lambda tx: effects.unpark(tx, [ref("x"), ref("z")])) == [rows[1], rows[0]]
    assert store.write_now(lambda tx: effects.unpark(tx, [ref("x")])) == []
    assert store.write_now(lambda tx: effects.unpark(tx, [ref("y")])) == [rows[2]]


def test_unparking_leaves_the_same_id_of_another_channel_alone(store: Store) -> None:
    rows = [parked_row(1, "x"), parked_row(2, "y")._replace(channel_id=ref("y", "other")[0])]
    store.write_now(lambda tx: effects.park(tx, rows))
    assert store.write_now(lambda tx: effects.unpark(tx, [ref("y", CHANNEL), ref("x", "other")])) == []
    assert store.write_now(lambda tx: effects.unpark(tx, [ref("x"), ref("y", "other")])) == rows


def test_orphans_are_those_that_waited_too_long(store: Store) -> None:
    rows = [parked_row(1, "x", at=5), parked_row(2, "y", at=6), parked_row(3, "z", at=7)]
    store.write_now(lambda tx: effects.park(tx, rows))
    assert store.read_now(lambda tx: effects.orphans(tx, 7, 9)) == rows[:2]
    assert store.read_now(lambda tx: effects.orphans(tx, 7, 1)) == rows[:1]
