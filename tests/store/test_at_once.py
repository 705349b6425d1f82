"""What somebody waits for is settled by the commit that stores it, in its order, or handed over like all else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
import sqlalchemy as sa

from gateway.clock import FrozenClock
from gateway.store import handover, intake
from gateway.store.handover import Handover, Taker
from gateway.store.intake import Claimed
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.store.work import Watch
from tests.store.races import nobody_else_writes
from tests.store.rows import intake_row

LANE = "visitor"
LEASE_MS = 30_000


class Room:
    """Settles what it gets at once, as long as nothing is wrong."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.handed: list[Claimed] = []
        self.log: list[str] = []
        """What was settled by the commit that stored it, and what was told of it on the loop."""
        self.wrong: Exception | None = None
        taker = Taker(owner="me", lease_ms=LEASE_MS, takes=lambda row: True, has_room=lambda: True,
                      give=self.handed.extend, look=lambda: None, settle=self.settle)  # fmt: skip
        made = store.bring_to(taker)
        assert made is not None
        self.handover: Handover = made
        made.found([])

    def settle(self, tx: Tx, rows: list[Claimed]) -> Callable[[], None]:
        intake.add(tx, [intake_row(1_000 + row.id) for row in rows])
        intake.finish(tx, [(row.id, row.epoch) for row in rows])
        if self.wrong is not None:
            raise self.wrong
        ids = [row.id for row in rows]
        self.log.append(f"settled {ids}")
        return lambda: self.log.append(f"told {ids}")

    async def finish(self, *ids: int) -> None:
        done = [(row.id, row.epoch) for row in self.handed if row.id in ids]
        await self.store.write(lambda tx: intake.finish(tx, done))

    def stored(self) -> list[int]:
        with self.store.engine.connect() as connection:
            connection.execution_options(deferred=True)
            return [row[0] for row in connection.exec_driver_sql("SELECT id FROM intake ORDER BY id")]


@pytest.fixture
def room(sqlite_store: Store) -> Room:
    return Room(sqlite_store)


async def says(room: Room, *ids: int, lane: str = LANE) -> None:
    await room.store.receive([intake_row(id, lane) for id in ids])


async def test_it_is_settled_and_told_before_its_sender_hears_that_it_is_kept(room: Room) -> None:
    await says(room, 1)
    assert (room.log, room.stored()) == (["settled [1]", "told [1]"], [1_001])
    assert [row.id for row in room.handed] == [1_001], "what it led to"


async def test_the_commit_counts_for_room_2_as_well(room: Room) -> None:
    commits: list[tuple[str, int]] = []
    room.store.work.watch = Watch(lambda: 7.0, lambda kind, _seconds, items: commits.append((kind, items)))
    await room.store.receive([intake_row(1), intake_row(2, LANE), intake_row(3, "another")])
    await room.finish(1_002, 1_003)
    await room.store.write(lambda tx: intake.add(tx, [intake_row(4, LANE)]))
    assert sorted(commits) == [("process", 1), ("process", 2), ("receive", 3)]


async def test_webhooks_are_handed_over(room: Room) -> None:
    await room.store.receive([intake_row(1), intake_row(2, LANE), intake_row(3)])
    assert (room.log[0], [row.id for row in room.handed]) == ("settled [2]", [1, 3, 1_002])


async def test_so_is_a_fact_that_a_job_adds(room: Room) -> None:
    await room.store.write(lambda tx: intake.add(tx, [intake_row(1, LANE)]))
    assert room.log == ["settled [1]", "told [1]"]


async def test_what_a_job_undoes_was_never_settled(room: Room) -> None:
    def fails(tx: Tx) -> None:
        intake.add(tx, [intake_row(1, LANE)])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await room.store.write(fails)
    await says(room, 2)
    assert (room.log, room.stored()) == (["settled [2]", "told [2]"], [1_002])


async def test_what_fails_is_handed_over_and_nothing_of_the_try_stays(room: Room) -> None:
    room.wrong = ZeroDivisionError()
    await room.store.receive([intake_row(1), intake_row(2, LANE)])
    assert (room.log, room.stored(), [row.id for row in room.handed]) == ([], [1, 2], [1, 2])


async def test_trouble_of_the_database_is_that_of_the_commit(room: Room) -> None:
    room.wrong = sa.exc.OperationalError("", None, Exception("disk I/O error"))
    with pytest.raises(StoreUnavailable):
        await says(room, 1)
    assert (room.stored(), room.handed) == ([], [])
    room.wrong = None
    await says(room, 2)
    assert room.log == ["settled [2]", "told [2]"]


async def test_nothing_goes_before_what_was_handed_over(room: Room) -> None:
    """Whatever its lane: an answer that was cut short is stored before what the caller says then."""
    room.wrong = ZeroDivisionError()
    await says(room, 1)
    room.wrong = None
    await says(room, 2, lane="another")
    assert (room.log, [row.id for row in room.handed]) == ([], [1, 2])
    await room.finish(1)
    await says(room, 3, lane="a third")
    assert room.log == []
    await room.finish(2, 3)
    await says(room, 4)
    assert room.log == ["settled [4]", "told [4]"]


async def test_nor_before_what_shares_its_commit(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", 1)
    with nobody_else_writes(room.store):
        waiting = [
            asyncio.ensure_future(room.store.write(lambda tx: None)),
            asyncio.ensure_future(room.store.receive([intake_row(1, LANE), intake_row(2, LANE)])),
            asyncio.ensure_future(room.store.write(lambda tx: intake.add(tx, [intake_row(3, "another")]))),
        ]
        await asyncio.wait(waiting, timeout=0.05)
    await asyncio.gather(*waiting)
    assert (room.log, [row.id for row in room.handed]) == ([], [1, 2, 3])


async def test_many_are_handed_over(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", 2)
    await says(room, 1, 2)
    await says(room, 3, 4, 5)
    assert (room.log, [row.id for row in room.handed if row.id < 1_000]) == (
        ["settled [1, 2]", "told [1, 2]"],
        [3, 4, 5],
    )


async def test_what_was_found_in_the_table_goes_first_too(room: Room) -> None:
    found = [Claimed(*intake_row(1, LANE)[:5], 0, 1, 0, False)]
    room.handover.gives(found, room.store.now())
    await says(room, 2)
    assert room.log == []
    await room.store.write(lambda tx: intake.release(tx, [*found, *room.handed]))
    room.handover.found([])
    await says(room, 3)
    assert room.log == ["settled [3]", "told [3]"]


async def test_what_waits_in_the_table_goes_first_too(room: Room) -> None:
    """Whatever its lane: it was given back, and nobody has looked yet."""
    room.wrong = ZeroDivisionError()
    await says(room, 1)
    room.wrong = None
    await room.store.write(lambda tx: intake.release(tx, room.handed))
    await says(room, 2, lane="another")
    assert (room.log, [row.id for row in room.handed]) == ([], [1, 2])


async def test_and_what_waits_from_the_same_commit_on(room: Room) -> None:
    room.handover.waits([intake_row(0, LANE)])
    await room.store.receive([intake_row(1, LANE), intake_row(2, "another")])
    assert (room.log, [row.id for row in room.handed]) == ([], [2])


async def test_and_what_a_look_left_there(room: Room) -> None:
    room.handover.found([intake_row(0, LANE)])
    await says(room, 1, lane="another")
    assert (room.log, [row.id for row in room.handed]) == ([], [1])


async def test_webhooks_that_wait_are_nobodys_turn(room: Room) -> None:
    room.handover.waits([intake_row(0)])
    await says(room, 1)
    assert room.log == ["settled [1]", "told [1]"]


async def test_who_gives_a_lost_claim_back_does_not_give_back_the_new_one(room: Room) -> None:
    old = Claimed(*intake_row(1, LANE)[:5], 0, 1, 0, False)
    new = old._replace(epoch=2)
    room.handover.gives([old], room.store.now())
    room.handover.gives([new], room.store.now())
    await room.store.write(lambda tx: intake.release(tx, [old]))
    room.handover.found([])
    await says(room, 2)
    assert room.log == []
    await room.store.write(lambda tx: intake.release(tx, [new, *room.handed]))
    room.handover.found([])
    await says(room, 3)
    assert room.log == ["settled [3]", "told [3]"]


async def test_a_claim_that_nobody_told_the_end_of_holds_up_nothing_for_ever(room: Room, clock: FrozenClock) -> None:
    """Until it is over it may be settled any time; then the table knows."""
    room.handover.gives([Claimed(*intake_row(1, LANE)[:5], 0, 1, 0, False)], room.store.now())
    clock.advance(LEASE_MS / 1000)
    await says(room, 2, lane="another")
    clock.advance(0.001)
    await says(room, 3, lane="a third")
    assert (room.log, [row.id for row in room.handed], room.handover.is_sure) == ([], [2], False)
    await room.finish(2)
    room.handover.found([])
    await says(room, 4)
    assert room.log == ["settled [4]", "told [4]"]
