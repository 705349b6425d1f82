"""The look before an answer's first sentence: when the one that came with its turn will do, and when it will not."""

from __future__ import annotations

import asyncio
import threading

import pytest

from gateway.engines.base import Turn
from gateway.perform import stream
from gateway.store.outbox import Held
from gateway.store.reads import asked_about
from gateway.store.tx import Tx
from normalizer.ids import ConversationId
from router.commands import AskAi
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.talk import PATIENCE_S, says, speaking
from tests.rooms.world import World


async def test_an_engine_that_answers_at_once_needs_no_second_look(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that came with the turn is a moment old."""
    monkeypatch.setattr(stream, "FRESH_S", 60.0)
    monkeypatch.setattr(stream, "asked_about", lambda *_: pytest.fail("looked again"))
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."))
    await says(world, "1", "?")
    await world.run()
    assert ear.heard == ["One."]


@pytest.mark.parametrize(("fresh_s", "rings"), [(0.0, False), (60.0, True)])
async def test_one_that_took_its_time_does_and_so_does_one_after_a_takeover(
    world: World, monkeypatch: pytest.MonkeyPatch, fresh_s: float, rings: bool
) -> None:
    monkeypatch.setattr(stream, "FRESH_S", fresh_s)
    monkeypatch.setattr(stream, "LOOK_S", 60.0)
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes(gate, "One."))
    await says(world, "1", "?")
    async with speaking(world):
        if not rings:
            world.wake.streams.look = lambda conversation: None  # type: ignore[method-assign]
        await world.take_over()
        gate.set()
    assert (ear.heard, await world.talk()) == ([], ["customer: ?"])


async def test_a_takeover_while_the_turn_is_read_makes_that_look_an_old_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ring was heard before the turn was here, and what it asks for takes its time."""
    monkeypatch.setattr(stream, "FRESH_S", 60.0)
    looks, gate, asker = list[str](), threading.Event(), world.performer._asker
    assert asker is not None
    turn = asker.turn

    def slowly(tx: Tx, id: ConversationId) -> tuple[int, int | None] | None:
        looks.append(id)
        assert len(looks) > 1 or gate.wait(PATIENCE_S)
        return asked_about(tx, id)

    async def late(held: Held, command: AskAi) -> tuple[Turn, bool]:
        found = await turn(held, command)
        await world.take_over()
        async with asyncio.timeout(PATIENCE_S):
            while not looks:  # noqa: ASYNC110  because whoever watches tells nobody
                await asyncio.sleep(0)
        return found

    monkeypatch.setattr(stream, "asked_about", slowly)
    monkeypatch.setattr(asker, "turn", late)
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One."))
    await says(world, "1", "?")
    try:
        await world.run()
    finally:
        gate.set()
    assert (ear.heard, await world.talk()) == ([], ["customer: ?"])
