"""Promise 6, after a stop: what a provider told while room 2 was behind counts before anything is sent again."""

from __future__ import annotations

from gateway.store import schema
from tests.rooms.graph import refused
from tests.rooms.world import World, status, text

WAIT_S = 25
"""Longer than a doubt waits for its echo."""


async def test_a_doubt_hears_what_waits_in_the_intake_before_it_sends_again(world: World) -> None:
    command = await world.send_in_doubt()
    await world.post(status("out.1", "delivered", echo=f"{command}:0"), parse=False)
    await world.crash()
    world.clock.advance(WAIT_S)
    await world.performer.drain()
    assert (world.states(), len(world.graph.sent)) == ([schema.DOUBT], 1)
    await world.processor.drain()
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([schema.DONE], 1)


async def test_a_doubt_that_nobody_told_about_is_sent_again(world: World) -> None:
    await world.send_in_doubt()
    await world.post(text("in.2", sender="16505550000"), parse=False)
    world.clock.advance(WAIT_S)
    await world.performer.drain()
    assert len(world.graph.sent) == 1
    await world.processor.drain()
    world.clock.advance(1)
    await world.run()
    assert world.states() == [schema.DONE] * 2
    assert sorted(world.graph.texts) == ["re: hello"] * 3


async def test_a_receipt_that_comes_between_two_calls_prevents_the_second(world: World) -> None:
    command = await world.send_in_doubt()
    world.graph.then(refused(500, 131000))
    world.clock.advance(WAIT_S)
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([schema.DUE], 2)
    await world.post(status("out.1", "delivered", echo=f"{command}:0"))
    world.clock.advance(WAIT_S)
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([schema.DONE], 2)


async def test_a_send_that_waits_for_another_one_keeps_nobody_busy(world: World) -> None:
    """It is due, and can not be claimed: looking for it again at once would find the same."""
    await world.send_in_doubt()
    await world.post(text("in.2"))
    await world.run()
    assert world.states() == [schema.DOUBT, schema.DUE]
    assert world.performer._pause_s() >= 0.1
