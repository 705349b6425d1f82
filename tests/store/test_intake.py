from __future__ import annotations

import pytest

from gateway.clock import FrozenClock
from gateway.store import intake, outbox
from gateway.store.intake import Claimed, LostClaim
from gateway.store.store import Store
from gateway.store.tx import Tx
from normalizer.ids import IntakeId
from tests.store.rows import dead_row, intake_row

LEASE = 10_000
FAR = 1 << 62


def put(store: Store, *rows: intake.IntakeRow) -> None:
    store.write_now(lambda tx: intake.add(tx, list(rows)))


def take(store: Store, owner: str = "a", *, upto: int = FAR, most: int = 100) -> list[Claimed]:
    return store.write_now(lambda tx: intake.claim(tx, owner, upto=upto, lease_ms=LEASE, most=most))


def ids(rows: list[Claimed]) -> list[int]:
    return [row.id for row in rows]


def test_a_claim_brings_the_row_as_it_was_put(store: Store) -> None:
    put(store, intake_row(7, "lane", b"\x00\xff raw", wants_outcome=True))
    (row,) = take(store)
    assert row == (7, "wa", "lane", "raw", b"\x00\xff raw", 0, 1, 0, True)


def test_rows_come_in_the_order_of_their_ids_and_no_more_than_asked_for(store: Store) -> None:
    put(store, *(intake_row(id, f"lane-{id}") for id in (5, 3, 9, 1)))
    assert ids(take(store, most=3)) == [1, 3, 5]
    assert ids(take(store, most=3)) == [9]
    assert take(store) == []


def test_a_row_that_is_not_due_waits(store: Store) -> None:
    put(store, intake_row(10, "x"), intake_row(20, "y"))
    assert ids(take(store, upto=10)) == [10]
    assert ids(take(store, upto=19)) == []
    assert ids(take(store, upto=20)) == [20]


def test_a_lane_has_one_owner_and_other_lanes_go_on(store: Store) -> None:
    put(store, intake_row(1, "x"), intake_row(2, "y"), intake_row(3, "x"), intake_row(4, "z"))
    (first,) = take(store, "a", most=1)
    assert ids(take(store, "b")) == [2, 4]
    assert take(store, "a") == [], "not even who holds a row takes what comes after it"
    store.write_now(lambda tx: intake.finish(tx, [(first.id, first.epoch)]))
    assert ids(take(store, "a")) == [3]


def test_what_a_worker_dropped_comes_back_before_the_rest_of_its_lane(store: Store, clock: FrozenClock) -> None:
    put(store, intake_row(1, "x"), intake_row(2, "x"), intake_row(3, "y"))
    take(store, "a", most=1)
    assert ids(take(store, "a")) == [3]
    clock.advance(LEASE / 1000)
    assert ids(take(store, "a", upto=2)) == [1, 2]


def test_looking_for_work_writes_nothing_where_one_process_is_alone(sqlite_store: Store) -> None:
    def changes(tx: Tx) -> int:
        intake.claim(tx, "a", upto=FAR, lease_ms=LEASE, most=9)
        outbox.claim(tx, "a", ["send"], lease_ms=LEASE, most=9)
        return int(tx._connection.exec_driver_sql("SELECT total_changes()").scalar_one())

    assert sqlite_store.write_now(changes) == 0


def test_a_lane_is_free_again_when_its_rows_are_done(store: Store) -> None:
    put(store, intake_row(1, "x"), intake_row(2, "x"))
    (first,) = take(store, "a", most=1)
    assert take(store, "b") == []
    store.write_now(lambda tx: intake.finish(tx, [(first.id, first.epoch)]))
    assert ids(take(store, "b")) == [2]


def test_a_lease_that_ran_out_is_taken_over_under_the_next_epoch(store: Store, clock: FrozenClock) -> None:
    put(store, intake_row(1))
    (held,) = take(store, "a")
    clock.advance(LEASE / 1000 - 0.001)
    assert take(store, "b") == []
    clock.advance(0.001)
    (taken,) = take(store, "b")
    assert (held.epoch, taken.epoch) == (1, 2)


LATE = {
    "finish": lambda tx, row: intake.finish(tx, [(row.id, row.epoch)]),
    "answer": lambda tx, row: intake.answer(tx, row.id, row.epoch, b"late"),
    "progress": lambda tx, row: intake.progress(tx, row.id, row.epoch, 64),
}


@pytest.mark.parametrize("write", LATE)
def test_who_lost_the_claim_writes_nothing(store: Store, clock: FrozenClock, write: str) -> None:
    put(store, intake_row(1), intake_row(2))
    lost, _ = take(store, "a")
    clock.advance(LEASE / 1000)
    taken, _ = take(store, "b")

    def late(tx: Tx) -> None:
        intake.bury(tx, [dead_row(1)])
        LATE[write](tx, lost)

    with pytest.raises(LostClaim):
        store.write_now(late)
    assert store.read_now(intake.count_dead) == 0
    assert store.read_now(lambda tx: intake.outcome(tx, lost.id)) is None
    store.write_now(lambda tx: intake.finish(tx, [(taken.id, taken.epoch)]))


def test_one_lost_row_of_many_undoes_them_all(store: Store) -> None:
    put(store, intake_row(1), intake_row(2), intake_row(3))
    rows = [(row.id, row.epoch) for row in take(store)]
    with pytest.raises(LostClaim, match="1 of 3"):
        store.write_now(lambda tx: intake.finish(tx, [*rows[:2], (rows[2][0], rows[2][1] + 1)]))
    assert store.read_now(intake.depth) == 3
    store.write_now(lambda tx: intake.finish(tx, rows))
    assert store.read_now(intake.depth) == 0


def test_a_failure_is_counted_and_the_row_is_free_at_once(store: Store) -> None:
    put(store, intake_row(1))
    (row,) = take(store, "a")
    store.write_now(lambda tx: intake.fail(tx, row.id, row.epoch))
    (again,) = take(store, "b")
    assert (again.attempts, again.epoch) == (1, 2)
    # Whoever failed before holds nothing any more.
    store.write_now(lambda tx: intake.fail(tx, row.id, row.epoch))
    assert take(store, "c") == []


def test_a_released_row_counts_no_failure(store: Store) -> None:
    put(store, intake_row(1), intake_row(2))
    rows = take(store, "a")
    store.write_now(lambda tx: intake.release(tx, rows))
    again = take(store, "b")
    assert [(row.id, row.attempts, row.epoch) for row in again] == [(1, 0, 2), (2, 0, 2)]
    # A release that comes late takes nothing from the new owner.
    store.write_now(lambda tx: intake.release(tx, rows))
    assert take(store, "c") == []


def test_at_the_start_of_the_only_process_all_claims_are_void(store: Store) -> None:
    put(store, intake_row(1, "x"), intake_row(2, "y"))
    assert len(take(store, "before")) == 2
    store.write_now(intake.void_claims)
    assert ids(take(store, "after")) == [1, 2]


def test_progress_within_a_row_outlives_its_worker(store: Store, clock: FrozenClock) -> None:
    put(store, intake_row(1))
    (row,) = take(store, "a")
    store.write_now(lambda tx: intake.progress(tx, row.id, row.epoch, 64))
    clock.advance(LEASE / 1000)
    (again,) = take(store, "b")
    assert again.next_index == 64


def test_an_answered_row_keeps_its_outcome_until_it_is_swept(store: Store) -> None:
    put(store, intake_row(1, wants_outcome=True), intake_row(2), intake_row(3))
    first, second, _third = take(store)
    assert store.read_now(lambda tx: intake.outcome(tx, first.id)) is None
    store.write_now(lambda tx: intake.answer(tx, first.id, first.epoch, b"pong"))
    store.write_now(lambda tx: intake.answer(tx, second.id, second.epoch, b"later"))
    assert store.read_now(lambda tx: intake.outcome(tx, first.id)) == b"pong"
    assert take(store, "b") == []
    assert store.write_now(lambda tx: intake.sweep_answered(tx, 2)) == 1
    assert store.read_now(lambda tx: intake.outcome(tx, first.id)) is None
    assert store.read_now(lambda tx: intake.outcome(tx, second.id)) == b"later"


def test_a_fact_that_re_enters_twice_is_there_once(store: Store) -> None:
    put(store, intake_row(1, raw=b"first"))
    put(store, intake_row(1, raw=b"second"), intake_row(2))
    assert [(row.id, row.raw) for row in take(store)] == [(1, b"first"), (2, b"raw")]


def test_depth_and_next_look_at_what_waits_only(store: Store) -> None:
    assert store.read_now(intake.next_id) is None
    assert store.read_now(intake.depth) == 0
    put(store, intake_row(5), intake_row(8))
    (row,) = take(store, upto=5)
    assert store.read_now(intake.next_id) == 5
    store.write_now(lambda tx: intake.answer(tx, row.id, row.epoch, b""))
    assert store.read_now(intake.next_id) == 8
    assert store.read_now(intake.depth) == 1


def test_the_dead_are_listed_by_pages_found_and_replayed_once(store: Store) -> None:
    rows = [dead_row(id) for id in (1, 2, 3)]
    store.write_now(lambda tx: intake.bury(tx, rows))
    assert store.read_now(lambda tx: intake.list_dead(tx, 0, 2)) == rows[:2]
    assert store.read_now(lambda tx: intake.list_dead(tx, 2, 2)) == rows[2:]
    assert store.read_now(lambda tx: intake.get_dead(tx, 2)) == rows[1]
    assert store.read_now(lambda tx: intake.get_dead(tx, 9)) is None
    assert store.read_now(intake.count_dead) == 3
    assert store.write_now(lambda tx: intake.mark_replayed(tx, 2, 50))
    assert not store.write_now(lambda tx: intake.mark_replayed(tx, 2, 60))
    assert not store.write_now(lambda tx: intake.mark_replayed(tx, 9, 60))
    assert store.read_now(lambda tx: intake.list_dead(tx, 0, 9)) == [rows[0], rows[2]]
    assert store.read_now(intake.count_dead) == 2


def test_empty_lists_are_no_trouble(store: Store) -> None:
    def nothing(tx: Tx) -> None:
        intake.add(tx, [])
        intake.finish(tx, [])
        intake.release(tx, [])
        intake.bury(tx, [])

    store.write_now(nothing)
    assert take(store, most=0) == []


def test_a_thousand_rows_are_claimed_and_finished_at_once(store: Store) -> None:
    put(store, *(intake_row(id, f"lane-{id % 7}") for id in range(1, 1001)))
    rows = take(store, most=1000)
    assert ids(rows) == list(range(1, 1001))
    store.write_now(lambda tx: intake.finish(tx, [(IntakeId(row.id), row.epoch) for row in rows]))
    assert store.read_now(intake.depth) == 0


def test_what_is_answered_is_not_answered_again(store: Store) -> None:
    """As by somebody who never heard that he did."""
    put(store, intake_row(1, wants_outcome=True))
    (row,) = take(store)
    store.write_now(lambda tx: intake.answer(tx, row.id, row.epoch, b"first"))
    with pytest.raises(LostClaim):
        store.write_now(lambda tx: intake.answer(tx, row.id, row.epoch, b"second"))
    assert store.read_now(lambda tx: intake.outcome(tx, row.id)) == b"first"


def test_progress_is_made_once(store: Store) -> None:
    put(store, intake_row(1))
    (row,) = take(store)
    store.write_now(lambda tx: intake.progress(tx, row.id, row.epoch, 2))
    with pytest.raises(LostClaim):
        store.write_now(lambda tx: intake.progress(tx, row.id, row.epoch, 2))
    store.write_now(lambda tx: intake.progress(tx, row.id, row.epoch, 3))
