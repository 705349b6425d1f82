from __future__ import annotations

from datetime import timedelta
from functools import partial

from gateway.clock import CountingIds, FrozenClock, Ids
from gateway.operator import new_key
from gateway.security import Scope, from_header, is_genuine
from gateway.store import keys
from gateway.store.store import Store


def test_what_is_kept_of_a_key_is_enough_to_check_it(store: Store, clock: FrozenClock) -> None:
    expires = clock.now() + timedelta(days=1)
    token, record = new_key(CountingIds(), clock.now(), "crm", Scope.WRITE, expires)
    store.write_now(lambda tx: keys.add(tx, record))
    kept = store.read_now(lambda tx: keys.get(tx, record.id))
    assert kept == record
    shown = from_header(f"Bearer {token}")
    assert shown is not None
    assert is_genuine(shown, kept, clock.now())
    assert store.read_now(lambda tx: keys.get(tx, "other")) is None


def test_a_revoked_key_is_gone_but_stays_listed(store: Store, clock: FrozenClock) -> None:
    ids = Ids(clock)
    records = [new_key(ids, clock.now(), name, Scope.READ)[1] for name in ("a", "b")]
    for record in records:
        store.write_now(partial(keys.add, record=record))
    clock.advance(1)
    first = records[0].id
    assert [store.write_now(lambda tx: keys.revoke(tx, first)) for _ in range(2)] == [True, False]
    assert store.read_now(lambda tx: keys.get(tx, first)) is None
    assert store.read_now(lambda tx: keys.get(tx, records[1].id)) == records[1]
    listed = {one.record.name: one.revoked_at is None for one in store.read_now(keys.every)}
    assert listed == {"a": False, "b": True}
