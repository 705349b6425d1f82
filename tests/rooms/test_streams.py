"""Answers that are heard while they are written: what leaves, what never does, and what is recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from gateway.engines.base import EngineUnavailable
from gateway.perform import Performer, PerformSettings
from gateway.perform.stream import Speaker
from gateway.store import outbox
from gateway.store.schema import DONE, SUPERSEDED
from gateway.store.spoken import Spoken
from gateway.store.store import StoreUnavailable
from normalizer import codec
from normalizer.envelope import Message, Status
from normalizer.ids import AgentId
from router.conversation import Agent, Ai, Queue
from tests.rooms import line
from tests.rooms.engine import Writes, writes
from tests.rooms.line import Ear
from tests.rooms.talk import CALLER, breaks, ends, kept, says, speaking, wire
from tests.rooms.world import World


async def test_sentences_are_heard_one_by_one_and_recorded_once(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("Let me check. It", " left today.", "\nAnything else?"))
    await says(world, "1", "Where is it?")
    await world.run()
    assert ear.heard == ["Let me check.", " It left today.", "\nAnything else?"]
    assert [one.first for one in ear.sentences] == [True, False, False]
    assert await world.talk() == [
        "customer: Where is it?",
        "ai: Let me check. It left today.\nAnything else?",
    ]
    (shown,) = [one for one in await world.shown() if one.row.direction == "out"]
    assert (shown.status, shown.row.wire_seq, shown.row.id) == (Status.SENT, 2, ear.sentences[0].id)
    assert (world.states("send"), world.states("ask_ai")) == ([DONE], [DONE])
    assert sum(one.chars for one in ear.sentences) == len("Let me check. It left today.\nAnything else?")
    one = await world.conversation()
    assert (one.asked, one.due_at, one.answered >= one.last_in) == (None, None, True)


async def test_a_sentence_is_heard_before_the_next_one_is_written(world: World) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", " Two", gate, "!"))
    await says(world, "1", "?")
    async with speaking(world):
        assert ear.heard == ["One."]
        gate.set()
    assert ear.heard == ["One.", " Two!"]


async def test_without_a_word_on_how_sure_it_is_nothing_is_heard_before_the_end(world: World) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two.", sure=None))
    await says(world, "1", "?")
    async with speaking(world):
        assert ear.heard == []
        gate.set()
    assert ear.heard == ["One.", " Two."]


@pytest.mark.parametrize("sure", [None, 0.4])
async def test_an_unsure_answer_is_never_heard(world: World, sure: float | None) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("Perhaps.", sure=sure, confidence=0.4))
    await says(world, "1", "?")
    await world.run()
    assert (ear.heard, (await world.conversation()).holder) == ([], Queue("default"))
    assert await world.talk() == ["customer: ?", "system: a colleague answers"]


async def test_where_nobody_listens_the_answer_goes_like_any_other(world: World) -> None:
    Ear(world.wake.streams).deaf = True
    world.engine.then(writes("One. Two."))
    await says(world, "1", "?")
    await world.run()
    assert await wire(world) == ["customer: ?", "ai: One. Two."]
    assert world.states("send") == [DONE]


async def test_who_hangs_up_in_the_middle_finds_the_rest_later(world: World) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two."))
    await says(world, "1", "?")
    async with speaking(world):
        ear.deaf = True
        gate.set()
    assert await wire(world) == ["customer: ?", "ai: One.", "ai: Two."]
    assert [one.row.id for one in await world.shown()][1] == ear.sentences[0].id


async def test_while_the_store_is_away_nothing_is_heard_and_nothing_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two."))
    await says(world, "1", "?")
    async with speaking(world):
        monkeypatch.setattr("gateway.perform.stream.asked_about", _away)
        gate.set()
    monkeypatch.undo()
    await world.run()
    assert (ear.heard, await world.talk()) == (["One."], ["customer: ?", "ai: One.", "ai: Two."])


def _away(*_: object) -> None:
    raise StoreUnavailable("away")


# --- other holders ----------------------------------------------------------------------------------------------------


async def test_a_takeover_stops_it_in_the_middle_of_a_sentence(world: World) -> None:
    """The engine would go on for ever: its gate never opens. The ring of room 2's commit ends it."""
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."))
    await says(world, "1", "?")
    async with speaking(world):
        await world.take_over()
    assert ear.heard == ["One."]
    assert await world.talk() == ["customer: ?", "ai: One."]
    assert (await world.conversation()).holder == Agent(AgentId("ann"))
    assert (world.states("send"), await world.statuses()) == ([DONE], ["sent"])
    assert (await wire(world))[-1] == "ai: One."


async def test_so_does_one_on_another_node_that_rings_nobody_here(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."))
    await says(world, "1", "?")
    async with speaking(world):
        world.wake.streams.look = lambda conversation: None  # type: ignore[method-assign]
        await world.take_over()
    assert (ear.heard, await world.talk()) == (["One."], ["customer: ?", "ai: One."])


async def test_a_takeover_between_two_sentences_is_found_in_the_store_alone(world: World) -> None:
    """Both sentences are there already; a person takes over while the first one is being said. Nothing rings."""
    ear = Ear(world.wake.streams)
    world.wake.streams.look = lambda conversation: None  # type: ignore[method-assign]
    await says(world, "1", "?")
    world.engine.then(writes("One. Two. Three."))
    _after_each(world, ear, world.take_over())
    await world.run()
    assert ear.heard == ["One."]
    assert await world.talk() == ["customer: ?", "ai: One."]


def _after_each(world: World, ear: Ear, first: Coroutine[Any, Any, None]) -> None:
    hear, todo = ear._hear, [first]

    async def hear_then(*sentence: Any) -> bool:
        heard = await hear(*sentence)
        if todo:
            await todo.pop()
        return heard

    world.wake.streams.shown_by(hear_then)


async def test_before_anything_was_heard_a_takeover_leaves_no_trace(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes(asyncio.Event(), "One."))
    await says(world, "1", "?")
    async with speaking(world):
        await world.take_over()
    assert (ear.heard, await world.talk(), world.states("ask_ai")) == ([], ["customer: ?"], [SUPERSEDED])
    assert world.states("send") == []


async def test_a_rest_that_was_not_heard_is_fenced(world: World) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two."))
    await says(world, "1", "?")
    await world.performer._round()
    await world.engine.waiting.wait()
    ear.deaf = True
    gate.set()
    await world.performer._finish()
    await world.processor.drain()
    await world.take_over()
    await world.run()
    assert (await wire(world))[:2] == ["customer: ?", "ai: One."]
    assert "ai: Two." not in await wire(world)
    assert sorted(world.states("send")) == [DONE, SUPERSEDED]


async def test_an_engine_that_breaks_off_is_heard_so_far_and_hands_over(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", EngineUnavailable("gone")))
    await says(world, "1", "?")
    await world.run()
    assert (ear.heard, (await world.conversation()).holder) == (["One."], Queue("default"))
    assert await world.talk() == ["customer: ?", "ai: One.", "system: a colleague answers"]
    assert await wire(world) == ["customer: ?", "ai: One.", "system: a colleague answers", "queue"]
    assert (world.breaker._failures, world.states("ask_ai")) == (1, [DONE])


@pytest.mark.parametrize("broken", [RuntimeError("a defect"), TimeoutError()])
async def test_a_question_that_was_heard_of_is_never_asked_again(world: World, broken: Exception) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One.", broken))
    await says(world, "1", "?")
    await world.run()
    world.clock.advance(60)
    await world.run()
    assert (ear.heard, len(world.engine.turns)) == (["One."], 1)
    assert await world.talk() == ["customer: ?", "ai: One.", "system: a colleague answers"]


async def test_an_engine_without_an_end_and_one_that_has_doubts_at_the_end(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One.", end=False))
    await says(world, "1", "?")
    await world.run()
    await world.take_over(Ai())
    world.engine.then(writes("Two.", handoff="a person knows better"))
    await says(world, "2", "??")
    await world.run()
    assert ear.heard == ["One.", "Two."]
    assert (await world.conversation()).reason == "a person knows better"


async def test_a_guard_sees_every_sentence_and_ends_the_answer(world: World) -> None:
    ear, seen = Ear(world.wake.streams), []

    def hides(sentence: str) -> str | None:
        seen.append(sentence)
        return None if "secret" in sentence else sentence.replace("[NAME]", "Kim Example")

    world.performer._speaker = Speaker(world.store, _asker(world.performer), world.wake.streams, (hides,))
    world.engine.then(writes("Hello [NAME]. A secret. More."))
    await says(world, "1", "?")
    await world.run()
    assert (ear.heard, seen) == (["Hello Kim Example."], ["Hello [NAME].", " A secret."])
    assert await world.talk() == ["customer: ?", "ai: Hello [NAME].", "system: a colleague answers"]
    assert ear.sentences[0].chars == len("Hello [NAME].")
    assert "withheld" in (await world.conversation()).reason


def _asker(performer: Performer) -> Any:
    return performer._asker


async def test_what_was_heard_is_recorded_also_when_the_engine_was_given_up_meanwhile(world: World) -> None:
    """The breaker ended the question in the outbox; what this one had heard already is known only here."""
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One.", gate, " Two."))
    await says(world, "1", "?")
    async with speaking(world):
        world.changes.append((False, "no route"))
        await world._tell_changes()
        await world.processor.drain()
        gate.set()
    assert ear.heard == ["One."]
    assert sorted(await world.talk()) == ["ai: One.", "customer: ?", "system: the robot is ill"]


# --- languages --------------------------------------------------------------------------------------------------------


async def languages(world: World) -> list[str | None]:
    """Of what was said by us, in its order."""
    envelopes = [codec.decode(one.row.content) for one in await world.shown()]
    return [one.locale for one in envelopes if one.direction == "out" and isinstance(one.body, Message)]


async def test_an_answer_is_in_the_language_of_its_turn(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("Uno. Dos."))
    await says(world, "1", "?", locale="es-ES")
    await world.run()
    await says(world, "2", "??")
    await world.run()
    assert [one.locale for one in ear.sentences] == ["es-ES", "es-ES", None]
    assert (await languages(world), world.engine.turns[0].locale) == (["es-ES", None], "es-ES")


async def test_so_is_what_was_heard_before_the_engine_was_given_up(world: World) -> None:
    Ear(world.wake.streams)
    world.engine.then(writes("Uno. Dos", asyncio.Event(), "."))
    await says(world, "1", "?", locale="es-ES")
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    await kept(world, Spoken("Uno."))
    await ends(world, working)
    await breaks(world)
    assert await languages(world) == ["es-ES", None]


async def test_who_writes_says_which_language_it_is_or_it_is_that_of_the_last_turn(world: World) -> None:
    await says(world, "1", "?", locale="de-DE")
    await says(world, "2", "?", locale="es-ES")
    await world.run()
    await world.reply("Hola")
    await world.reply("Hallo", locale="de-DE")
    await world.reply("Update", system=True)
    await world.run()
    assert (await languages(world))[-3:] == ["es-ES", "de-DE", None]


async def test_the_turn_and_its_answer_may_be_settled_together(world: World) -> None:
    """What is read is not written yet."""
    await says(world, "1", "?", locale="de-DE")
    await world.run()
    raw = world.frame_of(CALLER, line.ENDPOINT, id="2", text="?", locale="es-ES")
    turn = asyncio.create_task(world.receiver.receive(raw, outcome_ms=20_000))
    await asyncio.sleep(0)
    await world.reply("Hola")
    await turn
    assert (await languages(world))[-1] == "es-ES"


# --- beginning --------------------------------------------------------------------------------------------------------


async def test_what_room_2_has_just_committed_starts_at_once_as_far_as_there_is_room(world: World) -> None:
    world.perform_settings = PerformSettings(concurrency=2)
    world.boot()
    for number in range(3):
        await world.frame(f"+1650555000{number}", endpoint=line.ENDPOINT, id=str(number), text="?")
    held = await world.store.write(lambda tx: outbox.claim(tx, "node", ["ask_ai"], lease_ms=30_000, most=64))
    world.performer._running = True
    world.performer._hand(held)
    assert (len(world.performer._tasks), len(world.performer._handed)) == (2, 1)
    await world.run()
    assert world.states("ask_ai") == [DONE] * 3


@pytest.mark.parametrize(
    ("engine", "is_looked"),
    [(writes("One."), False), (writes(RuntimeError("a defect")), True)],
    ids=["answered", "again"],
)
async def test_an_answer_makes_nothing_due_and_what_is_tried_again_does(
    world: World, engine: Writes, is_looked: bool
) -> None:
    """A look into the outbox is a transaction, and somebody is on the line."""
    Ear(world.wake.streams)
    world.engine.then(engine)
    await says(world, "1", "?")
    held = await world.store.write(lambda tx: outbox.claim(tx, "node", ["ask_ai"], lease_ms=30_000, most=64))
    world.performer._running = True
    await world.wake.outbox.wait(0)
    world.performer._hand(held)
    await asyncio.gather(*world.performer._tasks)
    await asyncio.sleep(0)
    assert await world.wake.outbox.wait(0) is is_looked


async def test_who_stops_starts_nothing_more(world: World) -> None:
    await says(world, "1", "?")
    held = await world.store.write(lambda tx: outbox.claim(tx, "node", ["ask_ai"], lease_ms=30_000, most=64))
    world.performer._running = True
    world.performer.stop()
    world.performer._hand(held)
    assert (len(world.performer._tasks), len(world.performer._handed)) == (0, 1)
