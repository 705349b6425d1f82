"""Promise 2: duplicates have no effect, however late and from wherever they come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.process.prepare import Item
from gateway.process.settle import Done, Rules, settle
from gateway.store import handover, intake
from gateway.store.store import StoreUnavailable
from gateway.store.tx import Tx
from tests.rooms.world import World, text, texts


async def test_twice_in_one_batch(world: World) -> None:
    await world.post(text("in.1"), text("in.1"))
    await world.run()
    assert (await world.talk(), world.graph.texts) == (["customer: hello", "ai: re: hello"], ["re: hello"])
    assert world.dead() == []


async def test_twice_in_two_requests(world: World) -> None:
    for _ in range(2):
        await world.post(text("in.1"), parse=False)
    await world.processor.drain()
    await world.run()
    assert (await world.seqs(), world.graph.texts, world.dead()) == ([1, 2], ["re: hello"], [])


async def test_months_later_and_after_a_restart(world: World) -> None:
    await world.post(text("in.1"))
    await world.run()
    await world.crash()
    world.clock.advance(200 * 86_400)
    await world.post(text("in.1"))
    await world.run()
    assert (await world.seqs(), world.graph.texts, world.dead()) == ([1, 2], ["re: hello"], [])


async def test_the_same_id_on_another_channel_is_another_event(world: World) -> None:
    await world.post(text("in.1"))
    await world.post(text("in.1"), account="106540352242923")
    assert [one for one in await world.talk() if one.startswith("customer")] == ["customer: hello"] * 2


async def test_two_workers_get_the_same_event_at_once(postgres_world: World) -> None:
    world = postgres_world
    others = [world.another_processor(f"other-{number}") for number in range(3)]
    for number in range(40):
        await asyncio.gather(*(world.post(text(f"in.{number}"), parse=False) for _ in range(3)))
    await asyncio.gather(*(one.drain() for one in others))
    await world.processor.drain()
    assert sorted(await world.talk()) == ["customer: hello"] * 40
    assert await world.seqs() == list(range(1, 41))


async def test_a_repeated_frame_hears_what_became_of_the_first(world: World) -> None:
    first = await world.frame("s1", id="1", text="hello")
    again = await world.frame("s1", id="1", text="hello")
    other = await world.frame("s1", id="1", text="something else")
    assert first is not None
    assert again is not None
    assert other is not None
    (one,), (two,), (three,) = first.placed, again.placed, other.placed
    assert (one.duplicate, two.duplicate, three.duplicate) == (False, True, True)
    assert (two.conflict, three.conflict) == (False, True)
    assert {(placed.envelope_id, placed.seq, placed.wire_seq) for placed in (one, two, three)} == {
        (one.envelope_id, 1, 1)
    }


async def test_one_key_of_two_is_enough(world: World) -> None:
    """A provider that has two names for an event may use the one, the other or both."""
    rows = [("a", "b"), ("b", "c"), ("c",), ("d",)]
    for number, keys in enumerate(rows):
        world.desk.keys = keys
        await world.frame("s1", id=str(number), text=str(number))
    assert await world.talk() == ["customer: 0", "customer: 3"]


async def test_an_agents_reply_with_the_same_key_is_one_reply(world: World) -> None:
    await world.post(text("in.1"))
    for said in ("once", "twice"):
        await world.reply(said, key="k1")
    await world.run()
    assert world.graph.texts == ["once"]


async def test_what_died_is_no_duplicate_when_it_comes_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key belongs to an effect: without the one there is not the other."""
    with monkeypatch.context() as patched:
        patched.setattr("gateway.process.settle", _never)
        await world.post(text("in.1"))
    assert world.dead() == [(0, "failed")]
    await world.post(text("in.1"))
    assert await world.talk() == ["customer: hello"]


def _never(tx: Tx, items: list[Item], rules: Rules) -> Done:
    if any(item.envelope is not None for item in items):
        raise ZeroDivisionError
    return settle(tx, items, rules)


async def test_a_worker_that_lost_its_claim_writes_nothing(world: World) -> None:
    """It was paused for longer than its lease; another one has its work by now."""
    await world.post(text("in.1"), parse=False)
    paused = await world.store.write(lambda tx: intake.claim(tx, "paused", upto=2**62, lease_ms=30_000, most=9))
    world.clock.advance(31)
    other = await world.store.write(lambda tx: intake.claim(tx, "other", upto=2**62, lease_ms=30_000, most=9))
    world.processor._claim = lambda tx: paused  # type: ignore[method-assign]
    await world.processor._round()
    assert ([row.epoch for row in other], await world.conversations()) == ([2], [])
    world.clock.advance(31)
    await world.another_processor("third").drain()
    assert await world.talk() == ["customer: hello"]


async def test_a_repeat_in_the_batch_of_the_first_is_told_where_that_stands(world: World) -> None:
    """A visitor who sends again while his first frame still waits gets the same numbers for both."""
    frames = [asyncio.create_task(world.frame("s1", outcome_ms=20_000, id="c1", text="hello")) for _ in range(2)]
    while len(world.table("intake", "id")) < 2:  # noqa: ASYNC110  because the database tells nobody
        await asyncio.sleep(0)
    await world.processor.drain()
    first, second = [outcome.placed[0] for frame in frames if (outcome := await frame) is not None]
    assert (first.duplicate, second.duplicate) == (False, True)
    assert (second.envelope_id, second.seq, second.wire_seq) == (first.envelope_id, 1, 1)


def loses_its_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room 2's next commit succeeds, and nobody hears of it: the connection broke."""
    write, lost = world.store.write, list[str]()

    async def unheard(call: Callable[[Tx], Any], *, room: str | None = None, **more: Any) -> Any:
        done = await write(call, room=room, **more)
        if room == "process" and not lost:
            lost.append(room)
            raise StoreUnavailable("broken")
        return done

    monkeypatch.setattr(world.store, "write", unheard)


@pytest.fixture
async def batches_of_one(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(handover, "AT_ONCE", 0)
    world.process_settings = replace(world.process_settings, batch=1, batch_alone=1, poll_ms=1)
    world.boot()
    await world.processor.drain()
    loses_its_word(world, monkeypatch)
    return world


async def test_an_outcome_that_was_stored_after_all_stays_what_it_is(batches_of_one: World) -> None:
    world = batches_of_one
    await world.store.receive([world.receiver._row(world.frame_of("s1", id="1", text="a"), True)])
    await world.processor.drain()
    assert (await world.talk(), world.dead()) == (["customer: a"], [])


async def test_so_does_half_a_request(batches_of_one: World) -> None:
    world = batches_of_one
    await world.post(*texts("a", "b", "c"))
    assert (await world.talk(), world.dead()) == (["customer: a", "customer: b", "customer: c"], [])
