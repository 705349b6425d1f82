"""One listens to a source; its cursor moves under that lease alone, and never from anywhere but where it was."""

from __future__ import annotations

import pytest

from gateway.clock import FrozenClock
from gateway.store import cursors
from gateway.store.cursors import Lease, SourceRow, Step
from gateway.store.intake import LostClaim
from gateway.store.store import Store
from normalizer.ids import EndpointId
from tests.store.races import Running

BOX = EndpointId("box")


def take(store: Store, owner: str = "n1", name: str = "inbox") -> Lease | None:
    return store.write_now(lambda tx: cursors.take(tx, BOX, name, owner, 1_000))


def taken(store: Store, owner: str = "n1") -> Lease:
    lease = take(store, owner)
    assert lease is not None
    return lease


def move(store: Store, lease: Lease, before: str | None, after: str) -> None:
    store.write_now(lambda tx: cursors.move(tx, Step(lease, before, after)))


def cursor(store: Store, lease: Lease) -> str | None:
    return store.read_now(lambda tx: cursors.cursor_of(tx, lease))


def test_one_listens_until_the_lease_is_over(store: Store, clock: FrozenClock) -> None:
    first = taken(store)
    assert take(store, "n2") is None
    assert take(store, "n1") is None, "not twice in one process, either"
    clock.advance(0.999)
    assert take(store, "n2") is None
    clock.advance(0.001)
    second = taken(store, "n2")
    assert second.epoch == first.epoch + 1


def test_sources_are_apart(store: Store) -> None:
    assert take(store) is not None
    assert take(store, name="socket") is not None


def test_a_renewal_keeps_it_and_says_how_it_is(store: Store, clock: FrozenClock) -> None:
    lease = taken(store)
    clock.advance(0.9)
    store.write_now(lambda tx: cursors.renew(tx, lease, 1_000, 77, "bye"))
    clock.advance(0.9)
    assert take(store, "n2") is None
    assert store.read_now(cursors.every) == [SourceRow(BOX, "inbox", "n1", store.now() + 100, 77, "bye")]


def test_what_was_given_back_is_free(store: Store) -> None:
    lease = taken(store)
    store.write_now(lambda tx: cursors.release(tx, lease))
    other = taken(store, "n2")
    store.write_now(lambda tx: cursors.release(tx, lease))
    assert take(store, "n3") is None, "an old lease gives nothing back"
    assert other.epoch > lease.epoch


def test_a_start_of_the_only_process_voids_all(store: Store) -> None:
    taken(store)
    store.write_now(cursors.void_leases)
    assert take(store, "n2") is not None


def test_a_cursor_moves_step_by_step(store: Store) -> None:
    lease = taken(store)
    assert cursor(store, lease) is None
    move(store, lease, None, "1:5:0")
    move(store, lease, "1:5:0", "1:9:0")
    move(store, lease, "1:9:0", "1:9:0")
    assert cursor(store, lease) == "1:9:0"


@pytest.mark.parametrize("before", [None, "1:4:0", ""])
def test_it_moves_from_where_it_is_and_from_nowhere_else(store: Store, before: str | None) -> None:
    lease = taken(store)
    move(store, lease, None, "1:5:0")
    with pytest.raises(LostClaim):
        move(store, lease, before, "1:6:0")
    assert cursor(store, lease) == "1:5:0"


def test_who_lost_the_lease_moves_and_renews_nothing(store: Store, clock: FrozenClock) -> None:
    old = taken(store)
    clock.advance(1)
    new = taken(store, "n2")
    with pytest.raises(LostClaim):
        move(store, old, None, "1:5:0")
    with pytest.raises(LostClaim):
        store.write_now(lambda tx: cursors.renew(tx, old, 1_000, 1, None))
    move(store, new, None, "1:6:0")
    assert cursor(store, old) == "1:6:0"


def test_a_lapsed_lease_that_nobody_took_still_writes(store: Store, clock: FrozenClock) -> None:
    lease = taken(store)
    clock.advance(99)
    move(store, lease, None, "1:5:0")
    assert cursor(store, lease) == "1:5:0"


def test_of_two_who_ask_at_once_one_gets_it(store: Store) -> None:
    lease = taken(store)
    store.write_now(lambda tx: cursors.release(tx, lease))
    first = Running(store, lambda tx: cursors.take(tx, BOX, "inbox", "n1", 1_000), paused=True)
    second = Running(store, lambda tx: cursors.take(tx, BOX, "inbox", "n2", 1_000))
    assert first.commit() is not None
    assert second.result() is None
