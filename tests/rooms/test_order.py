"""Promise 3: one customer's messages stay in order; one customer's trouble is nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import exc

from adapters.base import Malformed
from gateway import process
from gateway.process.settle import settle as real
from gateway.store.tx import Tx
from tests.rooms.world import ENDPOINT, World, text, texts
from tests.store.races import Running, until_blocked

BOB, EVE = "16505550001", "16505550002"


async def said(world: World) -> dict[str, list[str]]:
    """By the conversation's first word."""
    talks = [await world.talk(one) for one in await world.conversations()]
    lines = [[line.removeprefix("customer: ") for line in talk if line.startswith("customer")] for talk in talks]
    return {one[0][0]: one for one in lines if one}


async def test_across_updates_and_requests(world: World) -> None:
    await world.post(*texts("a1", "a2", sender=BOB), *texts("b1", sender=EVE), parse=False)
    await world.post(*texts("a3", sender=BOB), *texts("b2", "b3", sender=EVE), parse=False)
    await world.processor.drain()
    assert await said(world) == {"a": ["a1", "a2", "a3"], "b": ["b1", "b2", "b3"]}


async def test_a_request_with_a_thousand_updates_over_many_transactions(world: World) -> None:
    ids = [f"a{number:04}" for number in range(1000)]
    await world.post(*texts(*ids))
    assert (await said(world))["a"] == ids
    assert await world.seqs() == list(range(1, 1001))
    assert world.table("intake", "id") == []
    assert len(world.processed) == 16


async def test_a_crash_in_the_middle_of_a_request(world: World) -> None:
    """What was committed stays, what was not comes again, nothing comes twice."""
    ids = [f"a{number:04}" for number in range(1000)]
    await world.post(*texts(*ids), parse=False)
    with pytest.raises(Died):
        await _die_after(world, 5).drain()
    assert world.table("intake", "next_index") == [(5 * 64,)]
    await world.start_anew()
    await world.processor.drain()
    assert (await said(world))["a"] == ids
    assert (await world.seqs(), world.dead()) == (list(range(1, 1001)), [])


class Died(BaseException):
    """The process ends here."""


def _die_after(world: World, batches: int) -> process.Processor:
    processor, done = world.processor, 0
    settle = processor._settle_part

    async def counted(part: list[Any]) -> Any:
        nonlocal done
        if done == batches:
            raise Died
        done += 1
        return await settle(part)

    processor._settle_part = counted  # type: ignore[method-assign]
    return processor


async def test_an_item_that_fails_does_not_stop_nor_reorder_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_on(monkeypatch, "a2", RuntimeError("no"))
    await world.post(*texts("a1", "a2", "a3", sender=BOB), *texts("b1", sender=EVE))
    await world.post(*texts("a4", sender=BOB))
    assert await said(world) == {"a": ["a1", "a3", "a4"], "b": ["b1"]}
    assert world.dead() == [(1, "failed")]


async def test_trouble_of_the_database_is_nobodys_failure(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trouble = exc.OperationalError("", None, Exception("the server went away"))
    _fail_on(monkeypatch, "a2", trouble, times=7)
    world.process_settings = process.ProcessSettings(poll_ms=1)
    world.boot()
    await world.post(*texts("a1", "a2", "a3", sender=BOB))
    assert (await said(world), world.dead()) == ({"a": ["a1", "a2", "a3"]}, [])


def _fail_on(monkeypatch: pytest.MonkeyPatch, word: str, error: Exception, times: int = 10**9) -> None:
    left = times

    def settle(tx: Tx, items: list[Any], rules: Any) -> Any:
        nonlocal left
        done = real(tx, items, rules)
        if left and any(word.encode() in item.content for item in items):
            left -= 1
            raise error
        return done

    monkeypatch.setattr("gateway.process.settle", settle)


async def test_what_cannot_be_read_dies_beside_its_neighbours(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.post(*texts("a1"), parse=False)
    await world.receiver.receive(world.raw(b"[1, 2"))
    await world.post(*texts("a2"))
    assert (await said(world), world.dead()) == ({"a": ["a1", "a2"]}, [(0, "malformed")])


async def test_an_adapter_that_breaks_costs_no_message(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = world.directory.endpoints[ENDPOINT].adapter
    monkeypatch.setattr(adapter, "parse", _raise(ZeroDivisionError()))
    await world.post(text("in.1"))
    assert world.dead() == [(0, "adapter_error")]
    (raw,) = world.table("dead", "raw")[0]
    assert b"in.1" in raw


def _raise(error: Exception) -> Any:
    def parse(raw: object) -> None:
        raise error

    return parse


async def test_malformed_is_kept_with_its_bytes(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.directory.endpoints[ENDPOINT].adapter, "parse", _raise(Malformed("odd")))
    await world.post(text("in.1"))
    assert world.dead() == [(0, "malformed")]


async def test_a_row_that_kills_whoever_takes_it_is_buried(world: World) -> None:
    world.process_settings = process.ProcessSettings(max_claims=3)
    world.boot()
    await world.post(*texts("a1"), parse=False)
    for _ in range(3):
        with pytest.raises(Died):
            await _die_after(world, 0).drain()
        await world.start_anew()
    await world.processor.drain()
    assert (world.dead(), world.table("intake", "id")) == ([(0, "claimed_too_often")], [])


async def test_workers_of_several_nodes_keep_the_order(postgres_world: World) -> None:
    """A lane has one owner at a time, and a conversation that two lanes reach has one lock."""
    world = postgres_world
    workers = [world.processor, *(world.another_processor(f"other-{number}") for number in range(3))]
    for number in range(60):
        await world.post(text(f"a{number:03}", f"a{number:03}"), parse=False)
        await world.post(text(f"b{number:03}", f"b{number:03}"), account="106540352242923", parse=False)
        await asyncio.gather(*(worker._round() for worker in workers))
    await world.processor.drain()
    world.clock.advance(31)
    await world.processor.drain()
    (one,) = await world.conversations()
    lines = [line.removeprefix("customer: ") for line in await world.talk(one) if line.startswith("customer")]
    assert sorted(lines) == sorted(f"{lane}{number:03}" for lane in "ab" for number in range(60))
    assert [line for line in lines if line[0] == "a"] == [f"a{number:03}" for number in range(60)]
    seqs = await world.seqs(one)
    assert seqs == list(range(1, len(seqs) + 1))


async def test_two_lanes_that_meet_in_a_conversation_wait_for_each_other(postgres_world: World) -> None:
    """The customer's message and an agent's reply, on two nodes at once: each has a place of its own."""
    world = postgres_world
    await world.post(*texts("a1"))
    await world.post(*texts("a2"), parse=False)
    rows = await world.store.write(world.processor._claim)
    items = [item for row in rows for item in world.processor._preparer.items(row)]
    message = Running(world.store, lambda tx: real(tx, items, world.processor._rules), paused=True)
    world.processor = world.another_processor("other")
    reply = asyncio.create_task(world.reply("here"))
    await asyncio.to_thread(until_blocked, world.store.engine)
    await asyncio.to_thread(message.commit)
    await reply
    assert await world.talk() == ["customer: a1", "customer: a2", "agent: here"]
    assert await world.seqs() == [1, 2, 3, 4]
    assert (await world.conversation()).head == 4


async def test_a_worker_that_lost_one_row_leaves_the_rest_of_its_claim(postgres_world: World) -> None:
    """What comes later in the lane may not overtake what was lost."""
    world = postgres_world
    await world.post(*texts("a1"), parse=False)
    await world.post(*texts("a2"), parse=False)
    rows = await world.store.write(world.processor._claim)
    assert len(rows) == 2
    # Each row is a transaction of its own.
    world.processor._settings = process.ProcessSettings(batch=1, batch_alone=1)
    with world.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intake SET epoch = epoch + 1 WHERE id = (SELECT min(id) FROM intake)")
    claims = iter([rows])
    world.processor._claim = lambda tx: next(claims, [])  # type: ignore[method-assign]
    for _ in rows:
        await world.processor._round()
    assert await world.conversations() == []
    world.clock.advance(31)
    await world.another_processor("other").drain()
    assert (await said(world))["a"] == ["a1", "a2"]
