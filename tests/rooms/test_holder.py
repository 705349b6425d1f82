"""Promise 8: an answer of the AI that was made before a person took over is never sent."""

from __future__ import annotations

import asyncio

from gateway.engines.base import EngineRefused
from gateway.store.schema import DONE, SUPERSEDED
from normalizer.envelope import Text
from normalizer.ids import AgentId
from router.conversation import Agent, Ai, Nobody, Queue
from router.events import AgentReplied
from tests.rooms.engine import Says, Waits
from tests.rooms.graph import refused
from tests.rooms.world import World, text


async def test_a_takeover_between_the_decision_and_the_sending(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.take_over()
    await world.run()
    assert (world.graph.texts, world.states()) == ([], [SUPERSEDED])


async def test_a_takeover_while_the_send_waits_for_its_next_try(world: World) -> None:
    world.graph.then(refused(503, 131016))
    await world.post(text("in.1"))
    await world.run()
    await world.take_over()
    world.clock.advance(60)
    await world.run()
    assert (len(world.graph.sent), world.states()) == (1, [SUPERSEDED])


async def test_a_takeover_while_the_engine_thinks(world: World) -> None:
    gate = asyncio.Event()
    world.engine.then(Waits(gate, Says("too late")))
    await world.post(text("in.1"))
    asking = asyncio.create_task(world.performer.drain())
    await world.engine.asked(1)
    await world.take_over()
    gate.set()
    await asking
    await world.run()
    assert (world.graph.texts, world.commands("send")) == ([], [])
    assert (await world.conversation()).holder == Agent(AgentId("ann"))


async def test_an_engine_that_gives_up_takes_nothing_from_the_agent(world: World) -> None:
    gate = asyncio.Event()
    world.engine.then(Waits(gate, EngineRefused("no")))
    await world.post(text("in.1"))
    asking = asyncio.create_task(world.performer.drain())
    await world.engine.asked(1)
    await world.take_over()
    gate.set()
    await asking
    await world.run()
    assert (await world.conversation()).holder == Agent(AgentId("ann"))
    assert world.graph.texts == []


async def test_agents_own_replies_go_out_whoever_holds(world: World) -> None:
    await world.post(text("in.1"))
    await world.take_over()
    await world.reply("I am here")
    await world.take_over(Queue("other"))
    await world.run()
    assert (world.graph.texts, world.states()) == (["I am here"], [DONE])


async def test_an_agents_reply_takes_over_and_withholds_the_answer(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.reply("let me")
    await world.run()
    assert (world.graph.texts, sorted(world.states())) == (["let me"], [DONE, SUPERSEDED])


async def test_a_programs_message_takes_nothing_over(world: World) -> None:
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.reply("your parcel left", system=True)
    await world.run()
    assert sorted(world.graph.texts) == ["re: hello", "your parcel left"]
    assert (await world.conversation()).holder == Ai()


async def test_the_rest_of_a_long_answer_stays_when_a_person_takes_over(world: World) -> None:
    world.engine.then(Says(f"{'a' * 4000} {'b' * 4000}"))
    await world.post(text("in.1"))
    await world.run()
    await world.take_over()
    world.clock.advance(10)
    await world.run()
    assert (len(world.graph.sent), world.states()) == (1, [SUPERSEDED])


async def test_given_back_to_the_ai_it_is_asked_anew(world: World) -> None:
    await world.post(text("in.1"))
    await world.take_over()
    await world.run()
    await world.take_over(Ai())
    await world.run()
    assert world.graph.texts == ["re: hello"]


async def test_one_question_at_a_time_and_nothing_unanswered(world: World) -> None:
    gate = asyncio.Event()
    world.engine.then(Waits(gate, Says("one")))
    await world.post(text("in.1", "a"))
    asking = asyncio.create_task(world.performer.drain())
    await world.engine.asked(1)
    await world.post(text("in.2", "b"))
    await world.post(text("in.3", "c"))
    assert len(world.commands("ask_ai")) == 1
    gate.set()
    await asking
    await world.run()
    assert world.graph.texts == ["one", "re: c"]
    assert [turn.unanswered for turn in world.engine.turns] == [("a",), ()] or len(world.engine.turns) == 2
    one = await world.conversation()
    assert (one.asked, one.answered >= one.last_in, one.due_at) == (None, True, None)


async def test_nobody_holds_what_was_closed_until_the_customer_writes(world: World) -> None:
    await world.post(text("in.1"))
    await world.run()
    await world.take_over(Nobody())
    assert (await world.conversation()).due_at is None
    await world.post(text("in.2", "again"))
    await world.run()
    assert world.graph.texts == ["re: hello", "re: again"]


async def test_an_older_epoch_is_a_conflict(world: World) -> None:
    await world.post(text("in.1"))
    before = await world.conversation()
    await world.take_over()
    await world.take_over(Queue("late"), conversation=before)
    assert (await world.conversation()).holder == Agent(AgentId("ann"))


async def test_an_answer_that_nobody_can_hear_is_refused(world: World) -> None:
    """Only the business itself wrote so far, elsewhere: there is no leg to answer over."""
    world.desk.observed = True
    await world.frame("s1", id="1", text="hi")
    one = await world.conversation()
    fact = AgentReplied(conversation_id=one.id, agent_id=AgentId("ann"), parts=(Text("hello?"),), key="k")
    waiting = asyncio.create_task(world.receiver.enter(fact, one.id, outcome_ms=20_000))
    while not waiting.done():
        await world.processor.drain()
        await asyncio.sleep(0)
    outcome = waiting.result()
    assert outcome is not None
    assert outcome.error == "no_leg"
