"""What somebody waits for is settled by the commit that stores it; room 2 need not even run."""

from __future__ import annotations

import asyncio

import pytest

from adapters.base import Outcome
from gateway.process.prepare import Item
from gateway.process.settle import Rules, settle
from gateway.store.intake import INTAKE_ADD
from gateway.store.schema import DONE
from gateway.store.tx import Tx
from tests.rooms import line
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.talk import CALLER, says
from tests.rooms.world import World

PATIENCE_S = 10


@pytest.fixture
async def world(sqlite_world: World) -> World:
    """Room 2 has looked into the table once: from now on it knows what waits there."""
    await sqlite_world.processor.drain()
    return sqlite_world


async def hears(world: World, id: str, session: str = CALLER) -> Outcome | None:
    raw = world.frame_of(session, line.ENDPOINT, id=id, text=id)
    return await asyncio.wait_for(world.receiver.receive(raw, outcome_ms=20_000), PATIENCE_S)


async def handed(world: World, rows: int) -> None:
    """So many are in the hands of room 2."""
    async with asyncio.timeout(PATIENCE_S):
        while len(world.processor._hands) < rows:  # noqa: ASYNC110  because a room tells nobody
            await asyncio.sleep(0)


async def test_it_has_its_outcome_with_the_commit(world: World) -> None:
    outcome = await hears(world, "1")
    assert outcome is not None
    assert [placed.seq for placed in outcome.placed] == [1]
    assert await world.talk() == ["customer: 1"]
    assert [done.items[0].kind for done in world.processed[-1:]] == ["message"]


async def test_a_repeat_is_told_where_the_first_one_stands(world: World) -> None:
    first, again = await hears(world, "1"), await hears(world, "1")
    assert first is not None
    assert again is not None
    assert (again.placed[0].envelope_id, again.placed[0].duplicate) == (first.placed[0].envelope_id, True)


async def test_so_is_the_answer_that_re_enters(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."))
    await says(world, "1", "?")
    await world.performer._round()
    await world.performer._finish()
    assert (ear.heard, await world.talk()) == (["One."], ["customer: ?", "ai: One."])
    assert (world.states("ask_ai"), world.states("send")) == ([DONE], [DONE])


async def test_what_can_not_be_settled_so_is_settled_as_usual_and_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(tx: Tx, items: list[Item], rules: Rules) -> None:
        settle(tx, items, rules)
        raise ZeroDivisionError

    with monkeypatch.context() as once:
        once.setattr("gateway.process.settle", half)
        hearing = asyncio.create_task(hears(world, "1"))
        await handed(world, 1)
    assert await world.conversations() == []
    await world.processor.drain()
    assert await hearing is not None
    assert await world.talk() == ["customer: 1"]


async def test_what_was_found_in_the_table_goes_first(world: World) -> None:
    """Nobody had told of it, and it is in the hands of room 2 now."""
    row = world.receiver._row(world.frame_of("s1", line.ENDPOINT, id="1", text="1"))
    await world.store.write(lambda tx: tx.run_many(INTAKE_ADD, [row]))
    world.wake.intake.ring()
    await world.processor._look()
    hearing = asyncio.create_task(hears(world, "2"))
    await handed(world, 2)
    await world.processor.drain()
    await hearing
    assert [item.row.lane for done in world.processed for item in done.items] == ["s1", CALLER]
