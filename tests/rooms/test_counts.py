"""What the rooms did is counted as what it was: by the metrics, from what the rooms report."""

from __future__ import annotations

import asyncio

from gateway.engines.base import EngineUnavailable
from gateway.observe import Metrics
from gateway.report import Report
from normalizer.envelope import Template
from tests.gateway.provider import HangUp
from tests.rooms.engine import Says, Waits
from tests.rooms.graph import refused
from tests.rooms.world import World, text


def shown(world: World) -> set[str]:
    """The lines of `/metrics` that are not zero, after all that has happened."""
    metrics = Metrics()
    report = Report(metrics, world.clock, None)
    for done in world.processed:
        report.processed(done)
    for performed in world.performed:
        report.performed(performed)
    lines = metrics.render().decode().splitlines()
    counted = (line for line in lines if line[:1] != "#" and "_created" not in line and not line.endswith(" 0.0"))
    return {line.removeprefix("throughline_") for line in counted}


async def test_an_answer_and_its_sending(sqlite_world: World) -> None:
    await sqlite_world.post(text("in.1"))
    await sqlite_world.run()
    expected = {
        'answers_total{outcome="answered"} 1.0', "answer_seconds_count 1.0",
        'sends_total{channel="wa",outcome="sent"} 1.0', 'send_seconds_count{channel="wa"} 1.0',
    }  # fmt: skip
    lines = shown(sqlite_world)
    assert expected <= lines
    assert not any(line.startswith(("retries", "dead", "late", "handoffs", "duplicates")) for line in lines)


async def test_a_repeat_is_a_duplicate(sqlite_world: World) -> None:
    await sqlite_world.post(text("in.1"))
    await sqlite_world.post(text("in.1"))
    assert 'duplicates_total{channel="wa"} 1.0' in shown(sqlite_world)


async def test_why_conversations_go_to_people(sqlite_world: World) -> None:
    world = sqlite_world
    world.engine.then(
        Says("perhaps", confidence=0.1), Says("", handoff="a person is asked for"), EngineUnavailable("no")
    )
    for number in range(3):
        await world.post(text(f"in.{number}", sender=f"1650555000{number}"))
        await world.run()
    await world.post(text("in.3", sender="16505550003"))
    await world.take_over(conversation=(await world.conversations())[0])
    assert {
        'handoffs_total{reason="unsure"} 1.0', 'handoffs_total{reason="gave_up"} 2.0',
        'answers_total{outcome="gave_up"} 2.0',
    } <= shown(world)  # fmt: skip


async def test_a_takeover_is_a_handoff_and_what_the_ai_then_says_is_late(sqlite_world: World) -> None:
    world, gate = sqlite_world, asyncio.Event()
    world.engine.then(Waits(gate, Says("too late")))
    await world.post(text("in.1"))
    asking = asyncio.create_task(world.performer.drain())
    await world.engine.asked(1)
    await world.take_over()
    gate.set()
    await asking
    await world.run()
    assert {'handoffs_total{reason="taken_over"} 1.0', "late_answers_total 1.0"} <= shown(world)


async def test_an_answer_that_waited_to_be_sent_is_late_too(sqlite_world: World) -> None:
    world = sqlite_world
    await world.post(text("in.1"))
    await world.answer_ai()
    await world.take_over()
    await world.run()
    assert {'sends_total{channel="wa",outcome="superseded"} 1.0', "late_answers_total 1.0"} <= shown(world)


async def test_a_refused_call_is_a_retry_or_the_end(sqlite_world: World) -> None:
    world = sqlite_world
    world.graph.then(refused(503, 131016), refused(400, 131047))
    await world.post(text("in.1"))
    await world.run()
    assert 'retries_total{room="perform"} 1.0' in shown(world)
    world.clock.advance(60)
    await world.run()
    assert 'dead_total{reason="window_closed",room="perform"} 1.0' in shown(world)


async def test_a_template_in_doubt_is_given_to_a_person(sqlite_world: World) -> None:
    world = sqlite_world
    await world.post(text("in.1"))
    await world.run()
    world.graph.then(HangUp())
    await world.reply("", Template("your_code", "en"))
    await world.run()
    world.clock.advance(600)
    await world.run()
    assert 'dead_total{reason="doubt",room="perform"} 1.0' in shown(world)


async def test_a_claim_that_was_lost_is_counted(sqlite_world: World) -> None:
    world, lost = sqlite_world, []
    world.processor._fenced = lambda: lost.append(1)
    settle_all, other = world.processor._settle, world.another_processor("other")

    async def late(batch: list[object]) -> None:
        """Meanwhile the lease lapses, and somebody else does the work."""
        world.processor._settle = settle_all  # type: ignore[method-assign]
        world.clock.advance(world.process_settings.lease_ms / 1000 + 1)
        await other.drain()
        await settle_all(batch)  # type: ignore[arg-type]

    world.processor._settle = late  # type: ignore[method-assign,assignment]
    await world.post(text("in.1"))
    assert lost == [1]
    assert await world.talk() == ["customer: hello"]
