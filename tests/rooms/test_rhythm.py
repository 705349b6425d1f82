"""How room 2 keeps time: webhooks are gathered, and what somebody waits for is settled beside them."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from gateway.process.prepare import Item
from gateway.store import handover
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


@pytest.fixture
def handed(paced: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Prompts come to room 2 like everything else, as they do when many come together."""
    monkeypatch.setattr(handover, "AT_ONCE", 0)
    return paced


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


async def test_who_waits_for_an_answer_goes_first(handed: World) -> None:
    paced = handed
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


def lanes(world: World) -> set[str]:
    return {item.row.lane for done in world.processed for item in done.items}


async def until(world: World, lane: str) -> None:
    """Something of this lane was settled."""
    async with asyncio.timeout(PATIENCE_S):
        while lane not in lanes(world):  # noqa: ASYNC110  because a room tells nobody
            await asyncio.sleep(0)


async def test_no_call_waits_for_webhooks_that_are_being_settled(
    handed: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    paced = handed
    settle_all, may_go = paced.processor._settle, asyncio.Event()

    async def slowly(items: list[Item]) -> None:
        if items[0].row.lane == "wa":
            await may_go.wait()
        await settle_all(items)

    monkeypatch.setattr(paced.processor, "_settle", slowly)
    running = asyncio.create_task(paced.processor.run())
    await webhook(paced, "1")
    await paced.receiver.receive(paced.frame_of("s1", id="c1", text="hello"))
    await until(paced, "s1")
    assert lanes(paced) == {"s1"}
    may_go.set()
    await until(paced, "wa")
    paced.processor.stop()
    await asyncio.wait_for(running, PATIENCE_S)


@pytest.mark.parametrize("at_once", [0, 8])
async def test_webhooks_go_on_while_calls_speak_without_a_pause(
    paced: World, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    monkeypatch.setattr(handover, "AT_ONCE", at_once)

    async def speak() -> None:
        for number in range(10_000):
            await paced.receiver.receive(paced.frame_of("s1", id=f"c{number}", text="hello"))

    running, speaking = asyncio.create_task(paced.processor.run()), asyncio.create_task(speak())
    await until(paced, "s1")
    await webhook(paced, "1")
    await until(paced, "wa")
    assert not speaking.done()
    speaking.cancel()
    paced.processor.stop()
    await asyncio.wait_for(running, PATIENCE_S)
    assert paced.table("intake", "id") == []


async def test_a_room_that_runs_gathers_and_stops_with_nothing_left(paced: World) -> None:
    await webhook(paced, "1")
    running = asyncio.create_task(paced.processor.run())
    while not paced.processed or not paced.processed[-1].items:  # noqa: ASYNC110  because a room tells nobody
        await asyncio.sleep(0)
    await webhook(paced, "2")
    paced.processor.stop()
    await asyncio.wait_for(running, PATIENCE_S)
    assert paced.table("intake", "id") == []
