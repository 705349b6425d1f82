"""What room 1 has committed is room 2's at once, as long as that changes no lane's order."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store import intake
from gateway.store.handover import Handover, Taker
from gateway.store.intake import Claimed, IntakeRow
from gateway.store.store import Store, StoreUnavailable
from normalizer.ids import ConversationId, IntakeId
from normalizer.ids import EndpointId as Endpoint
from tests.store.rows import intake_row

LEASE_MS = 30_000


class Hands:
    """Somebody who takes what has arrived."""

    def __init__(self, store: Store) -> None:
        self.rows: list[Claimed] = []
        self.room = True
        taker = Taker(owner="me", lease_ms=LEASE_MS, takes=lambda row: row.kind == "raw", has_room=lambda: self.room,
                      give=self.rows.extend)  # fmt: skip
        made = store.hand_over(taker)
        assert made is not None
        self.handover: Handover = made

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
    assert await sqlite_store.receive([intake_row(1)])
    assert (hands.ids, free(sqlite_store), hands.handover.is_sure) == ([], [1], False)


async def test_what_is_handed_over_is_leased_and_nobody_elses(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    assert not await sqlite_store.receive([intake_row(1, raw=b"x"), intake_row(2, "s", wants_outcome=True)])
    assert hands.rows == [
        Claimed(IntakeId(1), Endpoint("wa"), "wa", "raw", b"x", 0, 1, 0, False),
        Claimed(IntakeId(2), Endpoint("wa"), "s", "raw", b"raw", 0, 1, 0, True),
    ]
    assert free(sqlite_store) == []
    sqlite_store.write_now(lambda tx: intake.finish(tx, [(row.id, row.epoch) for row in hands.rows]))
    assert sqlite_store.read_now(intake.depth) == 0


async def test_a_lane_of_which_something_waits_is_not_handed_over(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found(["wa"])
    assert await sqlite_store.receive([intake_row(1), intake_row(2, "s")])
    assert (hands.ids, free(sqlite_store)) == ([2], [1])


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


async def test_what_nobody_takes_keeps_nothing_waiting(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    fact = IntakeRow(IntakeId(1), Endpoint(""), ConversationId("cv"), "fact", b"{}")
    assert await sqlite_store.receive([fact])
    assert (hands.ids, hands.handover.is_sure) == ([], True)


@pytest.mark.parametrize("way", ["added by a job", "released"])
async def test_what_gets_into_the_table_another_way_goes_first(sqlite_store: Store, hands: Hands, way: str) -> None:
    hands.handover.found([])
    await sqlite_store.receive([intake_row(1)])
    if way == "released":
        await sqlite_store.write(lambda tx: intake.release(tx, hands.rows))
    else:
        await sqlite_store.write(lambda tx: intake.add(tx, [intake_row(2)]))
    await sqlite_store.receive([intake_row(3)])
    assert hands.ids == [1]


async def test_what_was_not_stored_is_handed_to_nobody(sqlite_store: Store, hands: Hands) -> None:
    hands.handover.found([])
    await sqlite_store.receive([intake_row(1)])
    calls = [sqlite_store.receive([row]) for row in (intake_row(2), intake_row(1), intake_row(3))]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(result) for result in results] == [bool, StoreUnavailable, bool]
    assert hands.ids == [1, 2, 3]


async def test_where_several_processes_write_all_is_claimed(postgres_store: Store) -> None:
    taker = Taker(owner="me", lease_ms=LEASE_MS, takes=lambda row: True, has_room=lambda: True, give=list.clear)
    assert postgres_store.hand_over(taker) is None
    assert await postgres_store.receive([intake_row(1)])
    assert free(postgres_store) == [1]
