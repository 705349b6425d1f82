"""Rows that room 1 hands to room 2: nothing is claimed, nothing is lost, and no order changes."""

from __future__ import annotations

import sqlalchemy as sa
from msgspec.structs import replace

from gateway.process import LEASE_SHARE
from gateway.store import schema
from gateway.store.intake import Claimed
from gateway.store.statement import SQLITE
from gateway.store.tx import Tx
from tests.rooms.world import LEASE_S, World, text


async def said(world: World) -> list[str]:
    return [line.removeprefix("customer: ") for line in await world.talk()]


async def test_what_is_handed_over_is_never_claimed(world: World) -> None:
    await world.processor.drain()
    claims: list[Tx] = []
    claim = world.processor._claim

    def counted(tx: Tx) -> list[Claimed]:
        claims.append(tx)
        return claim(tx)

    world.processor._claim = counted  # type: ignore[method-assign]
    await world.post(text("in.1", "a"), parse=False)
    await world.processor._round()
    assert await said(world) == ["a"]
    assert bool(claims) is (world.store.database is not SQLITE)


async def test_more_than_it_can_hold_waits_in_the_table_and_comes_in_its_order(world: World) -> None:
    world.process_settings = replace(world.process_settings, hand_rows=2)
    world.boot()
    await world.processor.drain()
    for number in range(7):
        await world.post(text(f"in.{number}", f"{number}"), parse=False)
    await world.processor.drain()
    assert await said(world) == [f"{number}" for number in range(7)]
    await world.post(text("in.7", "7"))
    assert world.table("intake", "id") == []


async def test_a_claim_that_is_lost_takes_all_that_was_handed_over_with_it(world: World) -> None:
    """Another one has the first row by now: what came after it may not go before it."""
    await world.processor.drain()
    for number in range(3):
        await world.post(text(f"in.{number}", f"{number}"), parse=False)
    first = min(id for (id,) in world.table("intake", "id"))
    stolen = sa.update(schema.intake).where(schema.intake.c.id == first).values(epoch=9, leased_until=2**60)
    with world.store.engine.begin() as connection:
        connection.execute(stolen)
    world.process_settings = replace(world.process_settings, batch_alone=1)
    await world.processor._round()
    await world.processor._round()
    assert await world.conversations() == []
    with world.store.engine.begin() as connection:
        connection.execute(stolen.values(leased_until=0))
    await world.processor.drain()
    assert await said(world) == ["0", "1", "2"]


async def test_what_waited_too_long_goes_back_before_its_lease_is_over(world: World) -> None:
    await world.processor.drain()
    await world.post(text("in.1", "a"), parse=False)
    world.clock.advance(LEASE_S * LEASE_SHARE + 1)
    await world.post(text("in.2", "b"), parse=False)
    await world.processor.drain()
    assert await said(world) == ["a", "b"]
    assert world.table("intake", "id") == []


async def test_a_new_life_finds_what_the_last_one_had_in_its_hands(world: World) -> None:
    await world.processor.drain()
    await world.post(text("in.1", "a"), parse=False)
    await world.start_anew()
    await world.post(text("in.2", "b"))
    assert await said(world) == ["a", "b"]
