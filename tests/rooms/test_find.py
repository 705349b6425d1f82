"""Promise 6, where the provider has a list of what it took: a send in doubt is looked for before it is repeated."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.base import Flow, HttpCall, Reply, SendContext, Unavailable
from gateway.directory import Directory, from_ms
from gateway.store.schema import DONE, DOUBT, PARKED
from normalizer.envelope import Envelope, Instant, Template, Text
from normalizer.ids import ExternalId
from tests.gateway.provider import Answer, HangUp, Silent, Slow
from tests.rooms.world import ENDPOINT, World, status, text

WAIT_S = 21
"""Longer than a doubt waits for its echo."""
TEMPLATE = Template("your_code", "en")


class Listing:
    """The channel of the other tests, whose provider can be asked for what it took."""

    def __init__(self, adapter: Any, url: str) -> None:
        self._adapter, self._url = adapter, url
        self.asked: list[tuple[Envelope, SendContext, Instant]] = []
        self.broken = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)

    def find(self, message: Envelope, ctx: SendContext, since: Instant) -> Flow[Sequence[ExternalId]]:
        self.asked.append((message, ctx, since))
        if self.broken:
            raise ZeroDivisionError
        reply: Reply = yield HttpCall(method="GET", url=self._url)
        if reply.status != 200:
            raise Unavailable(f"status {reply.status}")
        return [ExternalId(id) for id in json.loads(reply.body)]


def listed(*ids: str) -> Answer:
    return Answer(body=json.dumps(ids).encode())


@pytest.fixture
def listing(world: World) -> Listing:
    known = world.directory.endpoints
    found = Listing(known[ENDPOINT].adapter, world.graph.url("/list"))
    world.directory = Directory({**known, ENDPOINT: replace(known[ENDPOINT], adapter=found)}.values())
    world.boot()
    return found


async def wait(world: World) -> None:
    world.clock.advance(WAIT_S)
    await world.run()


async def test_what_is_found_is_not_sent_again(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(listed("out.7"))
    await wait(world)
    assert (world.states(), world.graph.texts, await world.statuses()) == ([DONE], ["re: hello"], ["sent"])


async def test_the_id_that_was_found_is_the_messages(world: World, listing: Listing) -> None:
    """A receipt without our key, which came when nobody knew whose it was, is applied."""
    await world.send_in_doubt()
    await world.post(status("out.7", "delivered"))
    world.graph.then(listed("out.7"))
    await wait(world)
    assert await world.statuses() == ["delivered"]
    await world.post(status("out.7", "read"))
    assert await world.statuses() == ["read"]


async def test_the_adapter_is_told_what_the_call_was_told(world: World, listing: Listing) -> None:
    command = await world.send_in_doubt()
    ((created_at,),) = [row[:1] for row in world.table("command", "created_at", "kind") if row[1] == "send"]
    await wait(world)
    ((message, ctx, since),) = listing.asked[:1]
    assert (message.direction, ctx.echo_key, ctx.step, ctx.account) == ("out", f"{command}:0", 0, "106540352242922")
    assert (ctx.now, since) == (world.clock.now(), from_ms(created_at))


async def test_what_is_not_in_the_list_is_sent_once_more(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(listed())
    await wait(world)
    assert (world.states(), world.graph.texts) == ([DONE], ["re: hello"] * 2)


async def test_an_equal_text_that_is_another_messages_is_not_taken_for_it(world: World, listing: Listing) -> None:
    """The customer was told the same a moment ago: that one's id is known, and it is his answer to the first."""
    await world.post(text("in.0"))
    await world.run()
    world.graph.then(HangUp())
    await world.post(text("in.1"))
    await world.run()
    world.graph.then(listed("out.1"))
    await wait(world)
    assert (world.states(), world.graph.texts) == ([DONE, DONE], ["re: hello"] * 3)


async def test_of_several_equal_texts_the_one_that_nobody_has_is_taken(world: World, listing: Listing) -> None:
    await world.post(text("in.0"))
    await world.run()
    world.graph.then(HangUp())
    await world.post(text("in.1"))
    await world.run()
    world.graph.then(listed("out.1", "out.7", "out.8"))
    await wait(world)
    assert (world.states(), world.graph.texts) == ([DONE, DONE], ["re: hello"] * 2)
    owned = {row[0] for row in world.table("external", "external_id", "envelope_id") if row[1]}
    assert owned & {"out.1", "out.7", "out.8"} == {"out.1", "out.7"}


async def test_a_list_that_can_not_be_read_now_is_read_later(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(Answer(503), HangUp())
    await wait(world)
    assert (world.states(), len(world.graph.sent), len(listing.asked)) == ([DOUBT], 1, 1)
    await wait(world)
    assert (world.states(), len(world.graph.sent), len(listing.asked)) == ([DOUBT], 1, 2)
    world.graph.then(listed("out.7"))
    await wait(world)
    assert (world.states(), len(world.graph.sent)) == ([DONE], 1)


async def test_a_list_that_can_never_be_read_does_not_hold_the_leg_for_ever(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(*[Answer(503)] * 9)
    for _ in range(20):
        world.clock.advance(300)
        await world.run()
    assert (world.states(), world.graph.texts, len(listing.asked)) == ([DONE], ["re: hello"] * 2, 9)


async def test_an_adapter_that_falls_over_costs_no_more_than_the_look(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    listing.broken = True
    await wait(world)
    assert (world.states(), world.graph.texts) == ([DONE], ["re: hello"] * 2)


async def _template_in_doubt(world: World) -> None:
    await world.post(text("in.1"))
    await world.take_over()
    world.graph.then(HangUp())
    await world.reply("", TEMPLATE)
    await world.run()


async def test_what_must_not_go_out_twice_needs_nobody_when_it_is_found(world: World, listing: Listing) -> None:
    await _template_in_doubt(world)
    world.graph.then(listed("out.7"))
    await wait(world)
    assert (world.states(), len(world.graph.sent)) == ([DONE], 1)


async def test_what_must_not_go_out_twice_is_a_persons_when_it_is_not_found(world: World, listing: Listing) -> None:
    """The list may be late."""
    await _template_in_doubt(world)
    world.graph.then(listed())
    await wait(world)
    assert (world.states(), len(world.graph.sent)) == ([PARKED], 1)


async def test_the_second_doubt_is_looked_for_too(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(listed(), HangUp(), listed("out.7"))
    await wait(world)
    assert world.states() == [DOUBT]
    await wait(world)
    assert (world.states(), len(world.graph.sent)) == ([DONE], 2)


async def test_the_next_part_follows_what_was_found(world: World, listing: Listing) -> None:
    await world.post(text("in.1"))
    await world.take_over()
    world.graph.then(HangUp())
    await world.reply("", Text("one"), Text("two"))
    await world.run()
    world.graph.then(listed("out.7"))
    await wait(world)
    assert (world.graph.texts, world.states()) == (["one", "two"], [DONE])


async def test_who_was_told_by_an_echo_does_not_look(world: World, listing: Listing) -> None:
    command = await world.send_in_doubt()
    await world.post(status("out.1", "delivered", echo=f"{command}:0"))
    await wait(world)
    assert (world.states(), listing.asked) == ([DONE], [])


async def test_nobody_looks_while_room_2_has_yet_to_read_what_came(world: World, listing: Listing) -> None:
    command = await world.send_in_doubt()
    await world.post(status("out.1", "delivered", echo=f"{command}:0"), parse=False)
    world.clock.advance(WAIT_S)
    await world.performer.drain()
    assert (world.states(), listing.asked) == ([DOUBT], [])


async def test_an_echo_that_comes_while_the_list_is_read_counts(world: World, listing: Listing) -> None:
    command = await world.send_in_doubt()
    gate = asyncio.Event()
    world.graph.then(Slow(gate, listed()))
    world.clock.advance(WAIT_S)
    looking = asyncio.create_task(world.performer.drain())
    await world.graph.came(2)
    await world.post(status("out.7", "delivered", echo=f"{command}:0"))
    gate.set()
    await looking
    await world.run()
    assert (world.states(), len(world.graph.sent)) == ([DONE], 1)


async def test_a_look_that_was_cut_off_is_done_again(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    world.graph.then(Silent())
    world.clock.advance(WAIT_S)
    looking = asyncio.create_task(world.performer.drain())
    await world.graph.came(2)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    await world.crash()
    world.graph.then(listed("out.7"))
    await world.run()
    assert (world.states(), len(world.graph.sent), len(listing.asked)) == ([DONE], 1, 2)


async def test_while_one_is_looked_for_its_leg_waits_and_others_do_not(world: World, listing: Listing) -> None:
    await world.send_in_doubt()
    gate = asyncio.Event()
    world.graph.then(Slow(gate, listed("out.7")))
    world.clock.advance(WAIT_S)
    looking = asyncio.create_task(world.performer.drain())
    await world.graph.came(2)
    await world.post(text("in.2", "me too"))
    await world.post(text("in.3", "and me", sender="16505550000"))
    beside = world.another_performer("beside")
    await beside.drain()
    await world.processor.drain()
    await beside.drain()
    assert world.graph.texts == ["re: hello", "re: and me"]
    gate.set()
    await looking
    await world.run()
    assert (world.graph.texts[2:], world.states()) == (["re: me too"], [DONE] * 3)
