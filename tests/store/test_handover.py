"""What room 1 has committed is room 2's at once, as long as that changes no lane's order."""

from __future__ import annotations

import asyncio

import pytest

from gateway.clock import MS_SHIFT
from gateway.store import intake
from gateway.store.handover import AHEAD_MS, Handover, Taker
from gateway.store.intake import Claimed
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from normalizer.ids import EndpointId as Endpoint
from normalizer.ids import IntakeId
from tests.store.rows import intake_row

LEASE_MS = 30_000


class Hands:
    """Somebody who takes what has arrived."""

    def __init__(self, store: Store) -> None:
        self.rows: list[Claimed] = []
        self.looks = 0
        self.room = True
        taker = Taker(owner="me", lease_ms=LEASE_MS, takes=lambda row: row.endpoint_id != "heavy",
                      has_room=lambda: self.room, give=self.rows.extend, look=self._look)  # fmt: skip
        made = store.bring_to(taker)
        assert made is not None
        self.handover: Handover = made

    def _look(self) -> None:
        self.looks += 1

    @property
    def ids(self) -> list[int]:
        return [row.id for row in self.rows]


@pytest.fixture
def hands(sqlite_store: Store) -> Hands:
    return Hands(sqlite_store)


def free(store: Store) -> list[int]:
    """What anybody may claim."""
    return [row.id for row in store.write_now(lambda tx: intake.claim(tx, "other", upto=2**62, lease_ms=1, most=9))]


async def test_nothing_is_handed_over_before_somebody_knows_what_waits(sqlite_store: Store, hands: Hands) -> None:
    await sqlite_store.receive([intake_row(1)])
    assert (hands.ids, hands.looks, free(sqlite_store), hands.handover.is_sure) == ([], 1, [1], False)


async def test_what_is_handed_over_is_leased_and_nobody_elses(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    await sqlite_store.receive([intake_row(1, raw=b"x"), intake_row(2, "s", wants_outcome=True)])
    assert hands.rows == [
        Claimed(IntakeId(1), Endpoint("wa"), "wa", "raw", b"x", 0, 1, 0, False),
        Claimed(IntakeId(2), Endpoint("wa"), "s", "raw", b"raw", 0, 1, 0, True),
    ]
    assert (free(sqlite_store), hands.looks) == ([], 0)
    sqlite_store.write_now(lambda tx: intake.finish(tx, [(row.id, row.epoch) for row in hands.rows]))
    assert sqlite_store.read_now(intake.depth) == 0


async def test_what_a_job_adds_is_handed_over_when_it_is_committed(sqlite_store: Store, hands: Hands) -> None:
    def fails(tx: Tx) -> None:
        intake.add(tx, [intake_row(2)])
        raise ZeroDivisionError

    hands.handover.found([])
    await sqlite_store.write(lambda tx: intake.add(tx, [intake_row(1)]))
    with pytest.raises(ZeroDivisionError):
        await sqlite_store.write(fails)
    assert (hands.ids, hands.looks, free(sqlite_store)) == ([1], 0, [])


async def test_a_lane_of_which_something_waits_is_not_handed_over(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([intake_row(0)])
    await sqlite_store.receive([intake_row(1), intake_row(2, "s")])
    assert (hands.ids, hands.looks, free(sqlite_store)) == ([2], 1, [1])


async def test_without_room_it_waits_and_so_does_what_comes_after_it(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    hands.room = False
    await sqlite_store.receive([intake_row(1)])
    hands.room = True
    await sqlite_store.receive([intake_row(2), intake_row(3, "s")])
    assert (hands.ids, hands.handover.is_sure) == ([3], False)
    hands.handover.found([])
    await sqlite_store.receive([intake_row(4)])
    assert (hands.ids, hands.handover.is_sure) == ([3, 4], True)


async def test_what_can_not_be_handed_over_keeps_nothing_waiting(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([intake_row(0)._replace(endpoint_id=Endpoint("heavy"), lane="heavy")])
    assert hands.handover.is_sure
    await sqlite_store.receive([intake_row(1, "heavy")._replace(endpoint_id=Endpoint("heavy"))])
    assert (hands.ids, hands.looks, hands.handover.is_sure) == ([], 1, True)


async def test_what_is_for_later_waits_in_the_table(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    later = (sqlite_store.now() + AHEAD_MS + 1) << MS_SHIFT
    await sqlite_store.receive([intake_row(later)])
    assert (hands.ids, hands.looks) == ([], 1)


async def test_what_is_given_back_goes_before_what_comes_after_it(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    await sqlite_store.receive([intake_row(1)])
    await sqlite_store.write(lambda tx: intake.release(tx, hands.rows))
    await sqlite_store.receive([intake_row(3)])
    assert (hands.ids, hands.looks) == ([1], 2)


async def test_what_was_not_stored_is_handed_to_nobody(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    await sqlite_store.receive([intake_row(1)])
    calls = [sqlite_store.receive([row]) for row in (intake_row(2), intake_row(1), intake_row(3))]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreUnavailable, type(None)]
    assert hands.ids == [1, 2, 3]


async def test_where_several_processes_write_all_is_claimed(postgres_store: Store) -> None:
    looks: list[int] = []
    taker = Taker(owner="me", lease_ms=LEASE_MS, takes=lambda row: True, has_room=lambda: True, give=list.clear,
                  look=lambda: looks.append(1))  # fmt: skip
    assert postgres_store.bring_to(taker) is None
    await postgres_store.receive([intake_row(1)])
    await postgres_store.write(lambda tx: intake.add(tx, [intake_row(2)]))
    await postgres_store.write(lambda tx: None)
    assert (free(postgres_store), len(looks)) == ([1, 2], 2)


def test_what_is_left_is_a_row_for_each_lane(store: Store) -> None:
    rows = [intake_row(1), intake_row(2), intake_row(3, "s"), intake_row(9, "later")]
    store.write_now(lambda tx: intake.add(tx, rows))
    store.write_now(lambda tx: intake.claim(tx, "me", upto=1, lease_ms=LEASE_MS, most=9))
    left = store.read_now(lambda tx: intake.left(tx, 8))
    assert sorted((row.id, row.lane, row.raw) for row in left) == [(2, "wa", b""), (3, "s", b"")]
