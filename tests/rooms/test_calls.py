"""What a call is in its conversation: turns, interruptions, who is on the line, and machines."""

from __future__ import annotations

import asyncio

import pytest

from adapters.base import Capabilities, Wire
from gateway.store import outbox
from gateway.store.schema import DONE, SUPERSEDED
from gateway.wake import Met
from normalizer.ids import LegId
from router.conversation import Ai, Queue
from tests.rooms.engine import writes
from tests.rooms.line import Ear
from tests.rooms.talk import LEG, event, says, speaking, wire
from tests.rooms.world import World, text

# --- the caller -------------------------------------------------------------------------------------------------------


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


# --- what a call is in its conversation -------------------------------------------------------------------------------


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


# --- machines ---------------------------------------------------------------------------------------------------------


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
