"""Questions for an AI that does not exist: people take over, and what somebody has heard is told in any case."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.store.schema import DONE
from gateway.store.spoken import Spoken
from router.conversation import Ai, Queue
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.talk import ends, kept, says, wire
from tests.rooms.world import POLICY, World, text

DOWN = POLICY.engine_down_text


def without_engine(world: World) -> None:
    """The operator has taken it out of the settings between two lives."""
    world.performer._asker = world.performer._speaker = None


async def test_whoever_waits_for_it_is_served_by_people(world: World) -> None:
    without_engine(world)
    await world.post(text("in.1"))
    await world.run()
    one = await world.conversation()
    assert (one.holder, one.next_step, one.asked) == (Queue("default"), "a person answers", None)
    assert (world.graph.texts, world.states("ask_ai")) == ([DOWN], [DONE])
    assert "no AI engine" in one.reason


async def test_what_was_heard_of_it_is_told(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."))
    await says(world, "1", "?")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("One."))
    await ends(world, working)
    without_engine(world)
    await world.run()
    assert await world.talk() == ["customer: ?", "ai: One.", f"system: {DOWN}"]
    assert await wire(world) == ["customer: ?", "ai: One.", f"system: {DOWN}", "queue"]
    assert ((await world.conversation()).holder, ear.heard) == (Queue("default"), ["One."])


async def test_what_was_heard_to_its_end_is_an_answer(world: World) -> None:
    Ear(world.wake.streams)
    rest = asyncio.Event()
    world.engine.then(writes("One. Two", rest, "."))
    await says(world, "1", "?")
    world.performer._tell = _never_tells  # type: ignore[assignment]
    working = asyncio.create_task(world.performer.drain())
    await kept(world, Spoken("One."))
    rest.set()
    await kept(world, Spoken("One. Two.", whole=True))
    await ends(world, working)
    without_engine(world)
    await world.run()
    assert (await world.talk(), (await world.conversation()).holder) == (["customer: ?", "ai: One. Two."], Ai())


async def _never_tells(*_: Any) -> None:
    await asyncio.Event().wait()


async def test_an_engine_with_a_defect_is_given_up_in_the_end(world: World) -> None:
    """Tried again for as long as its command is; then nobody waits for it any more."""
    world.engine.then(*[writes(RuntimeError("a defect"))] * 20)
    await world.post(text("in.1"))
    for _ in range(20):
        await world.run()
        world.clock.advance(60)
    one = await world.conversation()
    assert (one.holder, world.states("ask_ai")) == (Queue("default"), [DONE])
