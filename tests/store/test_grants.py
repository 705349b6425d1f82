"""Tokens are kept for the grant that they came from, by whoever has the lease to renew them."""

from __future__ import annotations

from gateway.clock import FrozenClock
from gateway.store import grants
from gateway.store.grants import Kept, Place, Row
from gateway.store.store import Store
from normalizer.ids import EndpointId

PLACE = Place(EndpointId("box"), "oauth", "digest")
OTHER = PLACE._replace(digest="of another grant")
KEPT = Kept("k1", b"\x00sealed\xff")


def look(store: Store, place: Place = PLACE) -> Row:
    return store.write_now(lambda tx: grants.look(tx, place))


def lease(store: Store) -> int:
    return store.write_now(lambda tx: grants.lease(tx, PLACE, grants.look(tx, PLACE), 1_000))


def keep(store: Store, epoch: int, kept: Kept = KEPT, place: Place = PLACE) -> bool:
    return store.write_now(lambda tx: grants.keep(tx, place, epoch, kept))


def test_nothing_is_kept_at_first(store: Store) -> None:
    assert look(store) == Row(None, 0, 0)


def test_what_was_renewed_is_kept_and_the_lease_is_over(store: Store) -> None:
    epoch = lease(store)
    assert look(store) == Row(None, store.now() + 1_000, epoch)
    assert keep(store, epoch)
    assert look(store) == Row(KEPT, 0, epoch)


def test_who_lost_the_lease_keeps_nothing(store: Store, clock: FrozenClock) -> None:
    old = lease(store)
    clock.advance(2)
    new = lease(store)
    assert not keep(store, old)
    store.write_now(lambda tx: grants.release(tx, PLACE, old))
    assert look(store) == Row(None, store.now() + 1_000, new)
    assert keep(store, new)


def test_a_renewal_that_failed_gives_the_lease_back(store: Store) -> None:
    epoch = lease(store)
    store.write_now(lambda tx: grants.release(tx, PLACE, epoch))
    assert look(store) == Row(None, 0, epoch)


def test_another_grant_begins_anew(store: Store) -> None:
    keep(store, lease(store))
    assert look(store, OTHER).kept is None
    epoch = store.write_now(lambda tx: grants.lease(tx, OTHER, grants.look(tx, OTHER), 1_000))
    assert keep(store, epoch, Kept("k1", b"new"), OTHER)
    assert look(store).kept is None
    assert look(store, OTHER).kept == Kept("k1", b"new")


def test_a_start_of_the_only_process_voids_leases_and_keeps_tokens(store: Store) -> None:
    keep(store, lease(store))
    epoch = lease(store)
    store.write_now(grants.void_leases)
    assert look(store) == Row(KEPT, 0, epoch)
