"""What was heard of an answer when the process ended, or the engine was given up, is not lost."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.perform import stream
from gateway.store import spoken
from gateway.store.schema import DONE, SUPERSEDED
from gateway.store.spoken import Spoken
from router.conversation import Ai, Queue
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.talk import PATIENCE_S, breaks, ends, kept, says, wire
from tests.rooms.world import World


async def test_what_was_heard_before_the_end_of_the_process_leads_what_is_heard_after_it(world: World) -> None:
    """Nobody knows what the rest would have been: it is asked once more, and the record has all that was said."""
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."), writes("1. Eins. Zwei."))
    await says(world, "1", "?")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("One."))
    await ends(world, working)
    again = Ear(world.wake.streams)
    await world.run()
    assert (ear.heard, again.heard) == (["One."], ["1. Eins.", " Zwei."])
    assert await world.talk() == ["customer: ?", "ai: One.\n1. Eins. Zwei."]
    assert sum(one.chars for one in again.sentences) == len("One.\n1. Eins. Zwei.")
    assert world.states("send") == [DONE]


async def test_a_whole_answer_is_not_asked_for_again(world: World) -> None:
    """All of it was heard; the process ended before that was told."""
    ear = Ear(world.wake.streams)
    rest = asyncio.Event()
    world.engine.then(writes("One. Two", rest, "."))
    await says(world, "1", "?")
    world.performer._tell = _never_tells  # type: ignore[assignment]
    working = asyncio.create_task(world.performer.drain())
    await kept(world, Spoken("One."))
    rest.set()
    await kept(world, Spoken("One. Two.", whole=True))
    await ends(world, working)
    await world.run()
    assert (ear.heard, len(world.engine.turns)) == (["One.", " Two."], 1)
    assert (await world.talk(), world.states("ask_ai")) == (["customer: ?", "ai: One. Two."], [DONE])


async def _never_tells(*_: Any) -> None:
    await asyncio.Event().wait()


async def test_who_speaks_up_after_the_end_of_the_process_was_heard_after_what_he_heard(world: World) -> None:
    """He asks for something else now; nothing more of the old answer is heard, and it is told how far it came."""
    Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."), writes("Three."))
    await says(world, "1", "?")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("One."))
    await ends(world, working)
    again = Ear(world.wake.streams)
    await says(world, "2", "And?")
    await world.run()
    assert again.heard == ["Three."]
    assert sorted(await world.talk()) == ["ai: One.", "ai: Three.", "customer: ?", "customer: And?"]


async def test_what_was_heard_before_the_end_of_the_process_is_told_though_nobody_is_asked_again(
    world: World,
) -> None:
    """The engine is given up before anybody comes to the question: its beginning is known to the store alone."""
    Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."))
    await says(world, "1", "?")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("One."))
    await ends(world, working)
    await breaks(world)
    await world.run()
    assert await world.talk() == ["customer: ?", "ai: One.", "system: the robot is ill"]
    assert await wire(world) == ["customer: ?", "ai: One.", "system: the robot is ill", "queue"]
    assert ((await world.conversation()).holder, len(world.engine.turns)) == (Queue("default"), 1)


async def test_an_answer_that_was_heard_to_its_end_is_one_though_the_engine_is_given_up(world: World) -> None:
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
    await breaks(world)
    await world.run()
    assert await world.talk() == ["customer: ?", "ai: One. Two."]
    assert ((await world.conversation()).holder, world.states("ask_ai")) == (Ai(), [SUPERSEDED])


async def test_what_somebody_is_saying_when_the_engine_is_given_up_he_tells_himself(world: World) -> None:
    """How far he came is not known to the store before he stops; should he never tell, the question is still there."""
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two."))
    await says(world, "1", "?")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("One."))
    world.performer._tell = _never_tells  # type: ignore[assignment]
    await breaks(world)
    assert await world.talk() == ["customer: ?", "system: the robot is ill"]
    await ends(world, working)
    await world.run()
    assert sorted(await world.talk()) == ["ai: One.", "customer: ?", "system: the robot is ill"]
    assert (ear.heard, len(world.engine.turns)) == (["One."], 1)


async def test_what_is_told_at_once_is_not_kept_before(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_AFTER_S", PATIENCE_S)
    monkeypatch.setattr(spoken, "keep", lambda *_: pytest.fail("a write too many"))
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two."))
    await says(world, "1", "?")
    await world.run()
    assert (ear.heard, await world.talk()) == (["One.", " Two."], ["customer: ?", "ai: One. Two."])


async def test_nothing_waits_for_what_is_kept(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next sentence is heard while the write of the one before it has not come back."""
    monkeypatch.setattr(stream, "KEEP_AFTER_S", 0.0)
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    write, hear = world.store.write, ear._hear

    async def slow(work: Any, **facts: Any) -> Any:
        if getattr(work, "func", None) is spoken.keep:
            await gate.wait()
        return await write(work, **facts)

    async def hear_all(*sentence: Any) -> bool:
        heard = await hear(*sentence)
        if len(ear.heard) == 3:
            gate.set()
        return heard

    world.store.write = slow  # type: ignore[assignment]
    world.wake.streams.shown_by(hear_all)
    world.engine.then(writes("One. Two. Three."))
    await says(world, "1", "?")
    async with asyncio.timeout(PATIENCE_S):
        await world.run()
    assert await world.talk() == ["customer: ?", "ai: One. Two. Three."]
