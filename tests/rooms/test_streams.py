"""Answers that are heard while they are written: what leaves, what never does, and what is recorded of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import msgspec
import pytest

from adapters.base import Capabilities, Wire
from gateway.engines.base import EngineUnavailable
from gateway.perform import Performer, PerformSettings
from gateway.perform.stream import Speaker
from gateway.store import outbox, spoken
from gateway.store.schema import DONE, SUPERSEDED
from gateway.store.spoken import Spoken
from gateway.store.store import StoreUnavailable
from gateway.wake import Met
from normalizer import codec
from normalizer.envelope import Message, Status
from normalizer.ids import AgentId, LegId
from router.conversation import Agent, Ai, Queue
from tests.rooms import line
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.world import World, text

CALLER = "+16505551234"
PATIENCE_S = 20.0
LEG = line.leg(CALLER)


async def says(world: World, id: str, said: str, **frame: Any) -> None:
    await world.frame(CALLER, endpoint=line.ENDPOINT, id=id, text=said, **frame)


async def event(world: World, id: str, what: str, detail: str | None = None, **frame: Any) -> Any:
    return await world.frame(CALLER, endpoint=line.ENDPOINT, id=id, event=what, detail=detail, **frame)


async def wire(world: World) -> list[str]:
    return await world.store.read(lambda tx: line.wire(tx, LEG))


class speaking:
    """Room 3 at work beside the test, until everything is done."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __aenter__(self) -> None:
        self._working = asyncio.create_task(self._world.performer.drain())
        await self._world.engine.waiting.wait()

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._working
        await self._world.run()


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
    working = asyncio.create_task(world.performer.drain())
    await world.engine.waiting.wait()
    ear.deaf = True
    gate.set()
    await world.performer._finish()
    await working
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


# --- the end of the process ---------------------------------------------------------------------------------------


async def kept(world: World, said: Spoken) -> None:
    """Until it is known beside the question."""
    async with asyncio.timeout(PATIENCE_S):
        while said not in await world.store.read(lambda tx: _spoken(world)):
            pass


def _spoken(world: World) -> list[Spoken]:
    rows = world.table("command", "kind", "payload")
    return [msgspec.json.decode(payload, type=Spoken) for kind, payload in rows if kind == "ask_ai"]


async def ends(world: World, working: asyncio.Task[None]) -> None:
    """The process, in the middle of everything."""
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await world.crash()


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
    world.engine.then(writes("One. Two."))
    await says(world, "1", "?")
    world.performer._tell = _never_tells  # type: ignore[assignment]
    working = asyncio.create_task(world.performer.drain())
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
    world.engine.then(writes("One. Two."))
    await says(world, "1", "?")
    world.performer._tell = _never_tells  # type: ignore[assignment]
    working = asyncio.create_task(world.performer.drain())
    await kept(world, Spoken("One. Two.", whole=True))
    await ends(world, working)
    await breaks(world)
    await world.run()
    assert await world.talk() == ["customer: ?", "ai: One. Two."]
    assert ((await world.conversation()).holder, world.states("ask_ai")) == (Ai(), [SUPERSEDED])


async def breaks(world: World) -> None:
    """The breaker's word, settled before anything is asked."""
    world.changes.append((False, "no route"))
    await world._tell_changes()
    await world.processor.drain()


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


async def test_nothing_waits_for_what_is_kept(world: World) -> None:
    """The next sentence is heard while the write of the one before it has not come back."""
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


# --- the caller ---------------------------------------------------------------------------------------------------


async def test_a_second_turn_takes_the_place_of_the_first(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes("One. Two", asyncio.Event(), "."), writes("Three."))
    await says(world, "1", "?")
    async with speaking(world):
        await says(world, "2", "No, wait!")
    assert ear.heard == ["One.", "Three."]
    assert [one.first for one in ear.sentences] == [True, True]
    assert sorted(await world.talk()) == ["ai: One.", "ai: Three.", "customer: ?", "customer: No, wait!"]
    assert [turn.question for turn in world.engine.turns] == ["?", "No, wait!"]
    one = await world.conversation()
    assert (one.asked, one.answered >= one.last_in, one.due_at) == (None, True, None)


async def test_two_turns_in_a_row_have_one_answer_to_both(world: World) -> None:
    ear = Ear(world.wake.streams)
    world.engine.then(writes(asyncio.Event(), "One."), writes("Both."))
    await says(world, "1", "?")
    async with speaking(world):
        await says(world, "2", "And?")
    assert ear.heard == ["Both."]
    assert world.engine.turns[-1].unanswered == ("?", "And?")
    assert sorted(world.states("ask_ai")) == sorted([SUPERSEDED, DONE])


async def test_an_interruption_stops_what_is_heard_and_shows_how_far(world: World) -> None:
    """The ring of room 2's commit: the frame may have come to another process than the one that hears it first."""
    ear = Ear(world.wake.streams)
    world.engine.then(writes("Let me check. It", asyncio.Event(), "."), writes("Sorry."))
    await says(world, "1", "?")
    async with speaking(world):
        await event(world, "2", "interrupted", "Let me")
    assert ear.heard == ["Let me check."]
    assert (await world.conversation()).asked is None
    await says(world, "3", "Stop. Who are you?")
    await world.run()
    assert [said.text for said in world.engine.turns[-1].transcript][-1] == "Stop. Who are you?"
    assert ear.heard == ["Let me check.", "Sorry."]


async def test_the_engine_reads_only_what_was_heard(world: World) -> None:
    Ear(world.wake.streams)
    world.engine.then(writes("Let me check. It left."), writes("Sorry."))
    await says(world, "1", "?")
    await world.run()
    await event(world, "2", "interrupted", "Let me")
    await says(world, "3", "Stop")
    await world.run()
    assert [said.text for said in world.engine.turns[-1].transcript] == ["?", "Let me [interrupted]", "Stop"]
    assert (await world.talk())[1] == "ai: Let me check. It left."


async def test_an_interruption_of_what_came_before_leaves_the_next_answer_alone(world: World) -> None:
    ear, gate = Ear(world.wake.streams), asyncio.Event()
    world.engine.then(writes("One."), writes(gate, "Two."))
    await says(world, "1", "?")
    await world.run()
    await says(world, "2", "And?")
    async with speaking(world):
        await event(world, "3", "interrupted", "One")
        gate.set()
    assert ear.heard == ["One.", "Two."]


@pytest.mark.parametrize(("there", "status"), [(Met.LISTENER, 200), (Met.DEAF, 410), (Met.NOBODY, 204)])
async def test_a_channel_learns_whom_its_push_met(world: World, there: Met, status: int) -> None:
    lines: list[Wire] = []

    def listens(leg: LegId, frame: bytes, line: Wire | None) -> Met:
        lines.extend([line] if line is not None else [])
        return there if leg == LEG else Met.NOBODY

    world.wake.listen(listens)
    await says(world, "1", "?")
    await world.run()
    assert world.line.pushed == [status]
    assert [(one.seq, one.envelope.seq, one.envelope.author) for one in lines] == [(2, 2, "ai")]


# --- what a call is in its conversation ---------------------------------------------------------------------------


async def test_a_ringing_call_is_in_the_conversation_and_asks_for_nothing(world: World) -> None:
    outcome = await event(world, "1", "ringing")
    one = await world.conversation()
    assert (one.head, one.last_in, one.reply_leg, world.commands()) == (1, 0, LEG, [])
    assert (outcome.holder, outcome.placed[0].conversation_id) == ("ai", one.id)
    await world.reply("Hello?")
    await world.run()
    assert await wire(world) == ["event", "agent: Hello?", "agent"]


async def test_the_caller_is_the_customer_who_wrote(world: World) -> None:
    await world.post(text("in.1"))
    await world.run()
    await event(world, "1", "ringing")
    one = await world.conversation()
    assert [row.row.kind for row in await world.shown()] == ["message", "message", "call_event"]
    assert one.reply_leg != LEG


async def test_a_number_that_nobody_vouches_for_is_somebody_else(world: World) -> None:
    await world.post(text("in.1"))
    await event(world, "1", "ringing", claimed=True)
    assert len(await world.conversations()) == 2
    await event(world, "2", "ringing", claimed=True)
    assert len(await world.conversations()) == 2


async def test_who_is_on_the_line_is_told_who_answers(world: World) -> None:
    assert (await event(world, "1", "ringing")).holder == "ai"
    world.changes.append((False, "no route"))
    await world._tell_changes()
    await world.processor.drain()
    assert (await event(world, "2", "ringing")).holder == "queue"
    await world.take_over()
    assert (await event(world, "3", "ringing")).holder == "agent"
    again = await event(world, "3", "ringing")
    assert (again.placed[0].duplicate, again.holder) == (True, "agent")


async def test_a_message_tells_who_holds_it(world: World) -> None:
    outcome = await world.frame("s1", id="1", text="hi")
    assert outcome is not None
    assert outcome.holder == "ai"


# --- machines -----------------------------------------------------------------------------------------------------


async def test_what_a_machine_says_is_kept_and_not_answered(world: World) -> None:
    await says(world, "1", "Leave a message after the tone.", machine=True)
    await world.run()
    assert (await world.talk(), world.commands()) == (["customer: Leave a message after the tone."], [])
    await world.take_over()
    await says(world, "2", "Beep.", machine=True)
    assert [row.kind for row in world.commands()] == ["notify"]


async def test_after_so_many_automatic_answers_in_an_hour_people_take_over(world: World) -> None:
    world.line.capabilities = Capabilities(live=True, states=True, automatic_per_hour=2)
    for number in range(3):
        await says(world, str(number), "ping")
        await world.run()
    one = await world.conversation()
    assert (one.holder, one.reason) == (Queue("default"), "too many automatic answers in an hour")
    assert (await world.talk()).count("ai: re: ping") == 2
    assert not any(said.startswith("system") for said in await world.talk())


async def test_after_an_hour_it_answers_again(world: World) -> None:
    world.line.capabilities = Capabilities(live=True, automatic_per_hour=2)
    for number in range(5):
        await says(world, str(number), "ping")
        await world.run()
        world.clock.advance(1_801)
    assert ((await world.conversation()).holder, len(world.engine.turns)) == (Ai(), 5)


async def test_answers_of_the_same_batch_count(world: World) -> None:
    """The answer before, and the turn that would be one too many, are settled in one transaction."""
    world.line.capabilities = Capabilities(live=True, automatic_per_hour=1)
    await says(world, "1", "ping")
    held = await world.store.write(lambda tx: outbox.claim(tx, "asker", ["ask_ai"], lease_ms=30_000, most=64))
    await world.performer._start(held)
    await world.performer._finish()
    await says(world, "2", "ping")
    assert (await world.conversation()).holder == Queue("default")


async def test_people_are_not_counted(world: World) -> None:
    world.line.capabilities = Capabilities(live=True, automatic_per_hour=1)
    await says(world, "1", "ping", machine=True)
    await world.take_over()
    for number in range(3):
        await world.reply(f"{number}")
    await world.take_over(Ai())
    await says(world, "2", "ping")
    await world.run()
    assert (await world.conversation()).holder == Ai()


# --- beginning ----------------------------------------------------------------------------------------------------


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


async def test_who_stops_starts_nothing_more(world: World) -> None:
    await says(world, "1", "?")
    held = await world.store.write(lambda tx: outbox.claim(tx, "node", ["ask_ai"], lease_ms=30_000, most=64))
    world.performer._running = True
    world.performer.stop()
    world.performer._hand(held)
    assert (len(world.performer._tasks), len(world.performer._handed)) == (0, 1)
