"""Answers on their way from the engine to a socket, in a gateway that runs; and the board where both meet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.store.reads import get_leg, list_conversations
from gateway.streams import Sentence, Stream, Streams
from normalizer.ids import AgentId, ConversationId, EnvelopeId, LegId
from router.conversation import Agent
from router.events import HolderRequested
from tests.gateway import phone
from tests.gateway.house import Place, config, running
from tests.gateway.phone import Caller
from tests.rooms.engine import ScriptedEngine, writes

LEG, ID, TALK = LegId("leg"), EnvelopeId("e"), ConversationId("cv")


class Called:
    def __init__(self, place: Place) -> None:
        self.place, self.phone, self.engine = place, phone.install(place.core), ScriptedEngine()
        asker = place.house.performer._asker
        assert asker is not None
        asker.engine = self.engine

    async def caller(self, number: str = "+16505551234") -> Caller:
        return await (await Caller(self.place.url, number).dial()).ready()

    async def take_over(self) -> None:
        store = self.place.core.store
        ((one, _),) = await store.read(lambda tx: list_conversations(tx, (2**62, ""), ["ai"], 9))
        fact = HolderRequested(conversation_id=one.id, holder=Agent(AgentId("ann")), expected_epoch=one.epoch, by="ann",
                               key="k")  # fmt: skip
        await self.place.core.receiver.enter(fact, one.id)


@asynccontextmanager
async def called(folder: Path) -> AsyncIterator[Called]:
    async with running(config(folder)) as place:
        yield Called(place)


async def test_sentences_are_spoken_and_the_line_ends_the_cycle(tmp_path: Path) -> None:
    async with called(tmp_path) as it:
        gate = asyncio.Event()
        it.engine.then(writes("One. Two", gate, "!"))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: caller.spoken == [["One."]])
        gate.set()
        assert await caller.cycles(1) == [["One.", " Two!", ""]]
        assert [frame["first"] for frame in caller.frames if "first" in frame] == [True, False]
        assert it.phone.streamed == [len("One. Two!")]


async def test_a_takeover_ends_the_cycle_while_the_engine_still_writes(tmp_path: Path) -> None:
    async with called(tmp_path) as it:
        it.engine.then(writes("One. Two", asyncio.Event(), "!"))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: caller.spoken == [["One."]])
        await it.take_over()
        assert await caller.cycles(1) == [["One.", ""]]
        await caller.until(lambda: {"type": "state", "state": "agent"} in caller.frames)


async def test_who_speaks_in_between_is_recorded_after_what_he_had_heard(tmp_path: Path) -> None:
    """The order is that of the talk: question, as much of the answer as was heard, what the caller said to it."""
    async with called(tmp_path) as it:
        it.engine.then(writes("One. Two", asyncio.Event(), "!"), writes("Three."))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: caller.spoken == [["One."]])
        await caller.send(event="interrupted", detail="On")
        await caller.say("Wait!")
        assert await caller.cycles(2) == [["One.", ""], ["Three.", ""]]
        said = [(line.author, line.text) for line in it.engine.turns[-1].transcript]
        assert said == [("customer", "Hello?"), ("ai", "On [interrupted]"), ("customer", "Wait!")]


async def test_an_interruption_stops_the_answer_before_anything_is_stored(tmp_path: Path) -> None:
    """Room 2 hears of it last: the socket is here, and so is the writer."""
    async with called(tmp_path) as it:
        it.engine.then(writes("One. Two", asyncio.Event(), "!"))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: caller.spoken == [["One."]])
        (stream,) = it.place.core.wake.streams.heard(await _leg(it))
        it.place.core.wake.streams.look = lambda conversation: None  # type: ignore[method-assign]
        it.place.house.processor._settle = _never  # type: ignore[method-assign]
        await caller.send(event="interrupted", detail="On")
        async with asyncio.timeout(phone.PATIENCE_S):
            await stream.over.wait()
        assert (stream.cut, caller.spoken) == (True, [["One."]])


async def _never(batch: object) -> None:
    return None


async def _leg(it: Called) -> LegId:
    legs = list(it.place.core.sockets()._legs)
    row = await it.place.core.store.read(lambda tx: get_leg(tx, legs[0]))
    assert row is not None
    return row.id


async def test_one_who_joins_in_the_middle_hears_the_whole_line(tmp_path: Path) -> None:
    async with called(tmp_path) as it:
        gate = asyncio.Event()
        it.engine.then(writes("One.", gate, " Two!"))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: caller.spoken == [["One."]])
        late = await it.caller()
        gate.set()
        assert await caller.cycles(1) == [["One.", " Two!", ""]]
        assert await late.cycles(1) == [["One. Two!"]]


async def test_a_socket_that_breaks_costs_the_others_nothing(tmp_path: Path) -> None:
    async with called(tmp_path) as it:
        it.phone.partial = _broken  # type: ignore[method-assign]
        it.engine.then(writes("One."))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: {"type": "closed"} in caller.frames)
        again = await it.caller()
        assert await again.cycles(1) == [["One."]]


def _broken(text: str, first: bool) -> bytes:
    raise RuntimeError("a defect")


async def test_what_is_said_about_a_change_is_heard_before_it(tmp_path: Path) -> None:
    """The change may end the call."""
    async with called(tmp_path) as it:
        it.engine.then(writes(handoff="ask a person"))
        caller = await it.caller()
        await caller.say("Hello?")
        await caller.until(lambda: {"type": "state", "state": "queue"} in caller.frames)
        assert [frame["type"] for frame in caller.frames] == ["synced", "text", "state"]


# --- the board ----------------------------------------------------------------------------------------------------


async def test_without_anybody_to_show_it_nothing_is_heard() -> None:
    streams, stream = Streams(), Stream(TALK, LEG, ID)
    assert not await streams.show(stream, "One.", 4)
    streams.shown_by(_hears)
    assert not await streams.show(Stream(TALK, None, ID), "One.", 4)
    assert not stream.said


async def _hears(leg: LegId, sentence: Sentence) -> bool:
    return True


async def test_only_what_was_heard_of_can_be_interrupted() -> None:
    streams = Streams()
    streams.shown_by(_hears)
    with streams.opened(Stream(TALK, LEG, ID)) as stream, streams.opened(Stream(TALK, LEG, ID)) as other:
        streams.cut(LEG)
        assert not stream.cut
        assert await streams.show(stream, "One.", 4)
        streams.cut(LegId("other"))
        assert (streams.heard(LEG), stream.cut) == ([stream], False)
        streams.cut(LEG)
        assert (stream.cut, other.cut, stream.bell.is_set(), other.bell.is_set()) == (True, False, True, False)
        assert not await streams.show(stream, " Two.", 5)
        streams.look(TALK)
        assert other.bell.is_set()
    assert stream.over.is_set()
    assert streams.heard(LEG) == []
