"""Room 1: it returns after the commit or raises, and there is no third case."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.base import Outcome, RawInbound
from gateway.clock import CountingIds, FrozenClock
from gateway.receive import Receiver
from gateway.store import cursors, intake
from gateway.store.cursors import Lease, Step
from gateway.store.handover import Taker
from gateway.store.intake import LostClaim
from gateway.store.store import Store, StoreUnavailable, open_store
from gateway.wake import Wake
from normalizer.ids import ConversationId, EndpointId, IntakeId
from router.conversation import Ai
from router.events import HolderRequested
from tests.store.conftest import clock, empty_sqlite, sqlite_store, sqlite_url
from tests.store.races import nobody_else_writes

__all__ = ["clock", "empty_sqlite", "sqlite_store", "sqlite_url"]


def raw(session: str | None = None) -> RawInbound:
    return RawInbound(id="r", endpoint_id=EndpointId("wa"), origin="webhook", received_at=FrozenClock().now(),
                      session=session, body=b"\x00\xff")  # fmt: skip


def listening(store: Store) -> Wake:
    """Who is woken by what is new in the intake, as room 2 is."""
    wake = Wake()
    wake.intake.looks()
    store.bring_to(Taker(owner="n", lease_ms=1, takes=lambda row: False, has_room=lambda: False, give=list.clear,
                         look=wake.intake.ring))  # fmt: skip
    return wake


def claimed(store: Store) -> list[intake.Claimed]:
    return store.write_now(lambda tx: intake.claim(tx, "n", upto=2**62, lease_ms=1, most=9))


async def test_what_came_is_kept_byte_for_byte_in_its_lane(sqlite_store: Store) -> None:
    receiver = Receiver(sqlite_store, CountingIds(), Wake())
    assert await receiver.receive(raw()) is None
    assert await receiver.receive(raw("s1")) is None
    one, two = claimed(sqlite_store)
    assert (one.lane, two.lane, one.endpoint_id, one.kind) == ("wa", "s1", "wa", "raw")
    assert b"\x00\xff" in one.raw


async def test_a_fact_of_ours_goes_the_same_way(sqlite_store: Store) -> None:
    fact = HolderRequested(conversation_id=ConversationId("cv"), holder=Ai(), expected_epoch=1, by="ann", key="k")
    await Receiver(sqlite_store, CountingIds(), Wake()).enter(fact, "cv")
    (row,) = claimed(sqlite_store)
    assert (row.lane, row.kind, row.wants_outcome) == ("cv", "fact", False)


async def test_room_2_is_woken_and_the_outcome_comes_back(sqlite_store: Store) -> None:
    wake = listening(sqlite_store)
    waiting = asyncio.create_task(Receiver(sqlite_store, CountingIds(), wake).receive(raw(), outcome_ms=20_000))
    await wake.intake.wait(20)
    (row,) = claimed(sqlite_store)
    assert row.wants_outcome
    wake.outcome(row.id, Outcome(error="x"))
    assert await waiting == Outcome(error="x")
    wake.outcome(row.id, Outcome())  # nobody waits any more, which is nobody's trouble


async def test_an_outcome_that_takes_too_long_is_none(sqlite_store: Store) -> None:
    assert await Receiver(sqlite_store, CountingIds(), Wake()).receive(raw(), outcome_ms=1) is None
    assert len(claimed(sqlite_store)) == 1


async def test_trouble_of_the_database_is_raised(sqlite_url: str, clock: FrozenClock, tmp_path: Path) -> None:
    store = open_store(sqlite_url, clock, data_dir=tmp_path, write_timeout_ms=50)
    wake = Wake()
    try:
        with nobody_else_writes(store), pytest.raises(StoreUnavailable):
            await Receiver(store, CountingIds(), wake).receive(raw(), outcome_ms=5)
        assert wake.expect(IntakeId(1)).cancel()
    finally:
        store.close_now()


# --- sources ----------------------------------------------------------------------------------------------------------


def dialled(*bodies: bytes) -> list[RawInbound]:
    return [replace(raw(), id=f"r{n}", origin="dialled", body=body) for n, body in enumerate(bodies)]


def lease_of(store: Store) -> Lease:
    lease = store.write_now(lambda tx: cursors.take(tx, EndpointId("wa"), "inbox", "n1", 30_000))
    assert lease is not None
    return lease


async def test_what_a_source_gave_and_its_cursor_are_one_transaction(sqlite_store: Store) -> None:
    wake = listening(sqlite_store)
    lease = lease_of(sqlite_store)
    await Receiver(sqlite_store, CountingIds(), wake).receive_from(dialled(b"1", b"2"), Step(lease, None, "c1"))
    assert await wake.intake.wait(0)
    assert [b"1" in row.raw or b"2" in row.raw for row in claimed(sqlite_store)] == [True, True]
    assert sqlite_store.read_now(lambda tx: cursors.cursor_of(tx, lease)) == "c1"


@pytest.mark.parametrize("wrong", ["lease", "cursor"])
async def test_who_lost_the_source_keeps_neither(sqlite_store: Store, wrong: str) -> None:
    lease, wake = lease_of(sqlite_store), listening(sqlite_store)
    step = Step(lease._replace(epoch=0), None, "c1") if wrong == "lease" else Step(lease, "c0", "c1")
    with pytest.raises(LostClaim):
        await Receiver(sqlite_store, CountingIds(), wake).receive_from(dialled(b"1"), step)
    assert claimed(sqlite_store) == []
    assert sqlite_store.read_now(lambda tx: cursors.cursor_of(tx, lease)) is None
    assert not await wake.intake.wait(0)


async def test_a_source_without_a_cursor_goes_the_way_of_requests(sqlite_store: Store) -> None:
    receiver = Receiver(sqlite_store, CountingIds(), Wake())
    await receiver.receive_from(dialled(b"1", b"2", b"3"))
    await receiver.receive_from([])
    rows = claimed(sqlite_store)
    assert [row.lane for row in rows] == ["wa"] * 3


async def test_a_cursor_alone_wakes_nobody(sqlite_store: Store) -> None:
    wake, lease = listening(sqlite_store), lease_of(sqlite_store)
    await Receiver(sqlite_store, CountingIds(), wake).receive_from([], Step(lease, None, "c1"))
    assert not await wake.intake.wait(0)
    assert sqlite_store.read_now(lambda tx: cursors.cursor_of(tx, lease)) == "c1"
