"""What an engine needs for a question in speech is read by the commit that asks it, and used while that is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from gateway.perform import ask, stream
from gateway.perform.ask import read_along, read_question
from gateway.perform.stream import FRESH_S
from gateway.process import Processor
from gateway.process.prepare import Preparer
from gateway.process.settle import Rules
from gateway.store import schema
from gateway.store.outbox import Held
from gateway.store.reads import asked_about
from normalizer.ids import ConversationId
from router.conversation import Ai
from tests.rooms import line
from tests.rooms.engine import Waits, writes
from tests.rooms.line import Ear
from tests.rooms.talk import PATIENCE_S, says
from tests.rooms.world import ENGINE, KEY, World, text

OWNER = "node-a"


@pytest.fixture
async def world(sqlite_world: World) -> AsyncIterator[World]:
    """Room 3 starts what room 2 commits, beside the test."""
    world = sqlite_world
    rules = Rules(directory=world.directory, policy=world.policy, engine=ENGINE, new_id=world.ids.new,
                  new_number=world.ids.intake, owner=OWNER, along=partial(read_along, most=40))  # fmt: skip
    preparer = Preparer(world.directory, KEY)
    world.wake._starters.clear()
    world.processor = Processor(world.store, preparer, rules, world.wake, world.process_settings, OWNER,
                                world.processed.append)  # fmt: skip
    world.performer = world.another_performer(OWNER)
    await world.processor.drain()
    working = asyncio.create_task(world.performer.run())
    yield world
    world.performer.stop()
    await working


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Questions that were read by themselves, not along with their commit."""
    found: list[str] = []

    def read(tx: Any, held: Held, command: Any, most: int) -> Any:
        if not tx.handed and not tx.settled:
            found.append(held.id)
        return read_question(tx, held, command, most)

    monkeypatch.setattr(ask, "read_question", read)
    return found


def meanwhile(world: World, happens: Callable[[], None]) -> None:
    """After the question was handed to room 3, and before that has begun with it."""
    (start,) = world.wake._starters

    def started(held: list[Held]) -> None:
        start(held)
        if any(one.kind == "ask_ai" for one in held):
            happens()

    world.wake._starters[:] = [started]


async def asked(world: World, times: int = 1) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await world.engine.asked(times)


async def over(world: World) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while world.performer._tasks or world.performer._handed:  # noqa: ASYNC110  because a room tells nobody
            await asyncio.sleep(0)


async def test_a_question_in_speech_needs_no_read_of_its_own(world: World, reads: list[str]) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."), writes("Two."))
    await says(world, "1", "first?")
    await asked(world)
    await over(world)
    await says(world, "2", "second?")
    await asked(world, 2)
    await over(world)
    assert (ear.heard, reads) == (["One.", "Two."], [])
    assert [(one.author, one.text) for one in world.engine.turns[1].transcript] == [
        ("customer", "first?"), ("ai", "One."), ("customer", "second?"),
    ]  # fmt: skip


async def test_what_happened_since_is_read(world: World, reads: list[str]) -> None:
    """A person took over, and the ring came before anybody listened for it."""

    def takeover() -> None:
        with world.store.engine.begin() as connection:
            connection.execute(sa.update(schema.conversation).values(epoch=schema.conversation.c.epoch + 1))
        world.wake.streams.look(ConversationId("whichever"))

    meanwhile(world, takeover)
    ear = Ear(world.wake.streams)
    await says(world, "1", "?")
    await over(world)
    assert (ear.heard, len(reads), world.engine.turns) == ([], 1, [])


@pytest.mark.parametrize(("later_s", "times"), [(FRESH_S / 2, 0), (FRESH_S * 2, 1), (-1.0, 1)])
async def test_what_was_read_some_time_ago_is_read_again(
    world: World, reads: list[str], later_s: float, times: int
) -> None:
    meanwhile(world, lambda: world.clock.step(later_s))
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."))
    await says(world, "1", "?")
    await asked(world)
    await over(world)
    assert (ear.heard, len(reads)) == (["One."], times)


@pytest.mark.parametrize(("later_s", "looks"), [(0.0, 0), (5.0, 1)])
async def test_the_look_that_came_along_is_as_old_as_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, later_s: float, looks: int
) -> None:
    """What it was read with counts from then, not from when somebody began to write."""
    looked: list[str] = []

    def look(tx: Any, id: ConversationId) -> Any:
        looked.append(id)
        return asked_about(tx, id)

    monkeypatch.setattr(stream, "FRESH_S", 5.0)
    monkeypatch.setattr(stream, "LOOK_S", 60.0)
    monkeypatch.setattr(stream, "asked_about", look)
    meanwhile(world, lambda: world.clock.step(later_s))
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."))
    await says(world, "1", "?")
    await asked(world)
    await over(world)
    assert (ear.heard, len(looked)) == (["One."], looks)


async def test_who_waited_for_room_is_read_again(world: World, reads: list[str]) -> None:
    world.performer._settings = replace(world.performer._settings, concurrency=1)
    world.wake.streams.look = lambda conversation: None  # type: ignore[method-assign]
    gate, ear = asyncio.Event(), Ear(world.wake.streams)
    world.engine.then(Waits(gate), writes("Two."))
    await says(world, "1", "?")
    await asked(world)
    await world.frame("+16505550009", endpoint=line.ENDPOINT, id="2", text="?")
    gate.set()
    await asked(world, 2)
    await over(world)
    assert ("Two." in ear.heard, len(reads)) == (True, 1)


async def test_a_question_in_writing_is_not_read_along(world: World, reads: list[str]) -> None:
    """Nobody is on the line: the commit is not to take longer for it."""
    await world.post(text("in.1"))
    await world.processor.drain()
    await asked(world)
    await over(world)
    await world.take_over()
    await world.take_over(Ai())
    await world.post(text("in.2"))
    await world.take_over()
    await world.take_over(Ai())
    await over(world)
    assert len(reads) == len(world.engine.turns) > 1
