"""How room 2 keeps time: webhooks are gathered, and what somebody waits for is not."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gateway.wake import IntakeBell
from tests.rooms.world import World, text

GATHER_MS, PATIENCE_S = 1000, 20


async def test_a_look_is_due_once_for_each_ring_and_a_nudge_asks_for_none() -> None:
    bell = IntakeBell()
    assert (bell.looks(), bell.looks()) == (True, False)
    bell.nudge(is_prompt=False)
    assert (await bell.wait(0), await bell.prompt.wait(0), bell.looks()) == (True, False, False)
    bell.ring()
    assert (await bell.wait(0), await bell.prompt.wait(0), bell.looks()) == (True, True, True)
    bell.nudge(is_prompt=True)
    assert (await bell.prompt.wait(0), bell.looks()) == (True, False)
    bell.look_again()
    assert (await bell.prompt.wait(0), bell.looks()) == (False, True)


@pytest.fixture
async def paced(sqlite_world: World) -> World:
    """Its clock stands: what is gathered stays so until it is moved on."""
    world = sqlite_world
    await world.processor.drain()
    world.process_settings = replace(world.process_settings, gather_ms=GATHER_MS, batch=3)
    world.boot()
    await world.processor.drain()
    return world


async def settled(world: World) -> list[list[str]]:
    """What the rounds until the next rest have settled."""
    before = len(world.processed)
    while await world.processor._round():
        pass
    return [[item.kind for item in done.items] for done in world.processed[before:]]


async def webhook(world: World, id: str) -> None:
    await world.post(text(id), parse=False)


async def test_the_first_webhook_waits_for_nobody_and_the_next_ones_for_each_other(paced: World) -> None:
    await webhook(paced, "1")
    assert await settled(paced) == [["message"]]
    await webhook(paced, "2")
    await webhook(paced, "3")
    assert await settled(paced) == []
    paced.clock.advance(GATHER_MS / 1000)
    assert await settled(paced) == [["message", "message"]]


async def test_a_clock_that_goes_back_keeps_nobody_waiting(paced: World) -> None:
    await webhook(paced, "1")
    await settled(paced)
    paced.clock.step(-3600)
    await webhook(paced, "2")
    assert await settled(paced) == [["message"]]


async def test_a_batch_is_enough(paced: World) -> None:
    await webhook(paced, "0")
    await settled(paced)
    for number in (1, 2, 3):
        await webhook(paced, f"{number}")
    assert await settled(paced) == [["message"] * 3]


async def test_who_waits_for_an_answer_goes_first(paced: World) -> None:
    await webhook(paced, "1")
    await settled(paced)
    await webhook(paced, "2")
    await asyncio.wait_for(paced.take_over(), PATIENCE_S)
    assert paced.table("intake", "id") == [], "a drain waits for nothing"
    await webhook(paced, "3")
    paced.clock.advance(GATHER_MS / 1000)
    frame = asyncio.create_task(paced.receiver.receive(paced.frame_of("s1", id="c1", text="hello")))
    await asyncio.wait_for(frame, PATIENCE_S)
    assert await settled(paced) == [["message"], ["message"]]
    first, second = (done.items[0].row.lane for done in paced.processed[-2:])
    assert (first, second) == ("s1", "wa")


async def test_webhooks_that_wait_too_long_go_before_all(paced: World) -> None:
    await webhook(paced, "1")
    await settled(paced)
    await webhook(paced, "2")
    paced.clock.advance(10 * GATHER_MS / 1000)
    await paced.receiver.receive(paced.frame_of("s1", id="c1", text="hello"))
    assert len(await settled(paced)) == 2
    assert [done.items[0].row.lane for done in paced.processed[-2:]] == ["wa", "s1"]


async def test_neither_keeps_the_other_waiting_for_ever(paced: World) -> None:
    for number in range(7):
        await webhook(paced, f"{number}")
    paced.clock.advance(10 * GATHER_MS / 1000)
    for number in range(2):
        await paced.receiver.receive(paced.frame_of("s1", id=f"c{number}", text="hello"))
    assert [len(kinds) for kinds in await settled(paced)] == [3, 2, 4]
    assert [done.items[0].row.lane for done in paced.processed[-3:]] == ["wa", "s1", "wa"]


async def test_a_room_that_runs_gathers_and_stops_with_nothing_left(paced: World) -> None:
    await webhook(paced, "1")
    running = asyncio.create_task(paced.processor.run())
    while not paced.processed or not paced.processed[-1].items:  # noqa: ASYNC110  because a room tells nobody
        await asyncio.sleep(0)
    await webhook(paced, "2")
    paced.processor.stop()
    await asyncio.wait_for(running, PATIENCE_S)
    assert paced.table("intake", "id") == []
