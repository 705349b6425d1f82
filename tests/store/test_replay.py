from __future__ import annotations

from functools import partial
from itertools import count

import pytest

from gateway.clock import FrozenClock
from gateway.store import intake, outbox
from gateway.store.intake import Dead
from gateway.store.overview import dead_page, stuck_page
from gateway.store.replay import NothingLeft, replay, revive
from gateway.store.schema import DONE, FAILED
from gateway.store.store import Store
from normalizer.ids import CommandId, EndpointId, IntakeId
from tests.store.rows import intake_row, new_command, settled

NUMBERS = 1_000


def bury(store: Store, *rows: Dead) -> None:
    store.write_now(lambda tx: intake.bury(tx, list(rows)))


def dead_row(id: int, intake_id: int, idx: int = 0, raw: bytes = b"raw") -> Dead:
    return Dead(id, IntakeId(intake_id), idx, EndpointId("wa"), "lane", "raw", "malformed", "", raw, 5)


def again(store: Store, id: int, first: int = NUMBERS) -> int:
    drawn = count(first)
    return store.write_now(lambda tx: replay(tx, id, lambda: IntakeId(next(drawn))))


def waiting(store: Store) -> list[tuple[int, str, str, bytes]]:
    rows = store.write_now(lambda tx: intake.claim(tx, "me", upto=2**62, lease_ms=1, most=10))
    return [(row.id, row.lane, row.kind, row.raw) for row in rows]


def test_the_same_bytes_enter_again_as_a_new_row(store: Store) -> None:
    bury(store, dead_row(7, intake_id=1))
    assert again(store, 7) == 1
    assert waiting(store) == [(NUMBERS, "lane", "raw", b"raw")]
    assert store.read_now(lambda tx: dead_page(tx, -1, 10)) == []


def test_what_died_of_one_request_goes_together_and_once(store: Store) -> None:
    bury(store, dead_row(7, 1, 0), dead_row(8, 1, 4, raw=b""), dead_row(9, 2, raw=b"other"))
    assert again(store, 8) == 2
    assert again(store, 7) == 0
    assert [raw for *_, raw in waiting(store)] == [b"raw"]
    assert [row.id for row in store.read_now(lambda tx: dead_page(tx, -1, 10))] == [9]


def test_a_number_in_use_is_not_taken_twice(store: Store) -> None:
    store.write_now(lambda tx: intake.add(tx, [intake_row(NUMBERS, raw=b"first")]))
    bury(store, dead_row(7, 1))
    again(store, 7)
    assert [(id, raw) for id, _, _, raw in waiting(store)] == [(NUMBERS, b"first"), (NUMBERS + 1, b"raw")]


def test_nobody_is_raised_who_is_not_dead_or_has_nothing_left(store: Store) -> None:
    bury(store, dead_row(7, 1, raw=b""))
    with pytest.raises(KeyError):
        again(store, 6)
    with pytest.raises(NothingLeft):
        again(store, 7)
    assert [row.id for row in store.read_now(lambda tx: dead_page(tx, -1, 10))] == [7]


def test_only_a_stuck_command_is_revived(store: Store, clock: FrozenClock) -> None:
    store.write_now(lambda tx: outbox.add(tx, [new_command(n, leg=f"l{n}") for n in (1, 2, 3)]))
    held = store.write_now(lambda tx: outbox.claim(tx, "me", ["send"], lease_ms=10, most=2))
    states = zip(held, (FAILED, DONE), strict=True)
    store.write_now(lambda tx: outbox.settle_many(tx, [settled(one, state, done_at=1) for one, state in states]))
    assert [row.n for row in store.read_now(lambda tx: stuck_page(tx, 0, 10))] == [1]
    revived = [store.write_now(partial(revive, command_id=CommandId(f"cmd-{n}"))) for n in (1, 2, 3, 4)]
    assert revived == [True, False, False, False]
    assert store.read_now(lambda tx: stuck_page(tx, 0, 10)) == []
