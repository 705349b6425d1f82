"""Promise 11: when the AI engine is down people are served, and know it."""

from __future__ import annotations

import asyncio

import pytest

from gateway.engines.base import EngineUnavailable
from gateway.perform.ask import AskSettings
from gateway.store import outbox
from gateway.store.schema import DONE, FINAL
from router.conversation import Ai, Queue
from tests.rooms.engine import Says, Waits
from tests.rooms.world import ENGINE, POLICY, World, text

DOWN, HANDOFF = POLICY.engine_down_text, POLICY.handoff_text
PEOPLE = [f"1650555{number:04}" for number in range(9)]


def person(number: int, id: str | None = None) -> dict[str, object]:
    return text(id or f"in.{number}", sender=PEOPLE[number])


async def down(world: World, failures: int = 5) -> None:
    """So many questions in a row go wrong."""
    world.engine.then(*[EngineUnavailable("no route")] * failures)
    for number in range(failures):
        await world.post(person(number))
        await world.run()


async def test_one_failure_costs_one_conversation_its_answer_and_no_more(world: World) -> None:
    await down(world, 1)
    await world.post(person(1))
    await world.run()
    holders = [one.holder for one in await world.conversations()]
    assert sorted(world.graph.texts) == sorted([HANDOFF, "re: hello"])
    assert (holders.count(Ai()), holders.count(Queue("default"))) == (1, 1)
    assert await world.store.read(lambda tx: outbox.engine_up(tx, ENGINE))


async def test_one_slow_call_alone_does_not_open_the_breaker(world: World) -> None:
    world.with_policy(ai_deadline_ms=300)
    world.engine.then(Waits(asyncio.Event()))
    await world.post(person(0))
    await world.run()
    world.with_policy(ai_deadline_ms=8_000)
    await world.post(person(1))
    await world.run()
    assert (world.graph.texts, world.breaker.open) == ([HANDOFF, "re: hello"], False)


async def test_failures_in_a_row_open_it_and_a_success_between_them_does_not(world: World) -> None:
    for _ in range(3):
        world.engine.then(*[EngineUnavailable("no")] * 4, Says("well"))
        for number in range(5):
            await world.post(person(number, f"in.{world.ids.uuid()}"))
            await world.run()
            await world.take_over(Ai(), (await world.conversations())[0])
    assert not world.breaker.open


async def test_whoever_waits_is_served_when_it_opens(world: World) -> None:
    """Two wait for an answer that will not come; the others' failures open the breaker."""
    gate = asyncio.Event()
    world.ask_settings = AskSettings(breaker_failures=2)
    world.boot()
    world.engine.then(Waits(gate), Waits(gate), EngineUnavailable("no"), EngineUnavailable("no"))
    for number in (0, 1):
        await world.post(person(number))
        await _start(world)
        await world.engine.asked(number + 1)
    for number in (2, 3):
        await world.post(person(number))
        await _start(world)
        while world.breaker._failures < number - 1:
            running = [task for task in world.performer._tasks if not task.done()]
            await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    await world._tell_changes()
    await world.processor.drain()
    assert {one.holder for one in await world.conversations()} == {Queue("default")}
    assert [row.state >= FINAL for row in world.commands("ask_ai")] == [True] * 4
    gate.set()
    await world.run()
    assert sorted(world.graph.texts) == sorted([DOWN] * 3 + [HANDOFF])


async def _start(world: World) -> None:
    await world.performer._round()
    await asyncio.sleep(0)


async def test_while_it_is_down_new_messages_go_straight_to_the_queue(world: World) -> None:
    await down(world)
    asked = len(world.engine.turns)
    await world.post(person(7))
    await world.run()
    assert len(world.engine.turns) == asked
    assert world.graph.texts[-1] == DOWN
    one = next(one for one in await world.conversations() if one.last_in and one.reason == "the AI engine is down")
    assert (one.holder, one.due_at is not None, bool(one.next_step)) == (Queue("default"), True, True)


async def test_the_customer_is_told_once(world: World) -> None:
    await down(world)
    before = len(world.graph.texts)
    for number in range(3):
        await world.post(person(7, f"again.{number}"))
        await world.run()
    assert world.graph.texts[before:] == [DOWN]


async def test_who_was_with_the_ai_is_told_too(world: World) -> None:
    await world.post(person(8))
    await world.run()
    await down(world)
    await world.post(person(8, "again"))
    await world.run()
    assert world.graph.texts[-1] == DOWN


async def test_after_a_rest_it_is_tried_again(world: World) -> None:
    await down(world)
    world.clock.advance(31)
    await world.run()
    await world.post(person(7))
    await world.run()
    assert world.graph.texts[-1] == "re: hello"


async def test_a_failure_after_the_rest_opens_it_at_once(world: World) -> None:
    await down(world)
    world.clock.advance(31)
    await world.run()
    world.engine.then(EngineUnavailable("still no"))
    await world.post(person(6))
    await world.run()
    assert world.breaker.open
    await world.post(person(7))
    await world.run()
    assert world.graph.texts[-1] == DOWN


async def test_an_unsure_engine_hands_off_with_its_reason(world: World) -> None:
    world.engine.then(Says("maybe", confidence=0.1))
    await world.post(person(0))
    await world.run()
    one = await world.conversation()
    assert (world.graph.texts, one.holder, "unsure" in one.reason) == ([HANDOFF], Queue("default"), True)


async def test_a_question_that_was_interrupted_is_asked_again(world: World) -> None:
    gate = asyncio.Event()
    world.engine.then(Waits(gate))
    await world.post(person(0))
    await _start(world)
    await world.engine.asked(1)
    await world.crash()
    await world.run()
    assert (world.graph.texts, world.states("ask_ai")) == (["re: hello"], [DONE])


async def test_an_answer_and_its_outcome_stand_or_fall_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fact could not be written: then the question is not done either, and is asked again."""
    with monkeypatch.context() as patched:
        patched.setattr("gateway.perform.outcome.fact_row", _broken)
        await world.post(person(0))
        await world.run()
    assert [row.state < FINAL for row in world.commands("ask_ai")] == [True]
    world.clock.advance(60)
    await world.run()
    assert world.graph.texts == ["re: hello"]


def _broken(*_: object) -> None:
    raise RuntimeError("no")
