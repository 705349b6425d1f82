"""Promises 4 and 5: what comes before its message waits for it, and a status never goes backwards."""

from __future__ import annotations

import asyncio
from itertools import permutations
from typing import Any

import pytest

from gateway.perform.outcome import own_sent
from gateway.store import effects
from normalizer.ids import ChannelId, ExternalId
from tests.gateway.provider import Slow
from tests.rooms.graph import accepted
from tests.rooms.world import World, reaction, status, text
from tests.store.races import Running, until_blocked

STATES = ("sent", "delivered", "read", "failed")


def edit(target: str, body: str) -> dict[str, Any]:
    message = {"type": "text", "text": {"body": body}}
    return {"from": "16505551234", "id": f"edit-{target}", "timestamp": "1749416392", "type": "edit",
            "edit": {"original_message_id": target, "message": message}}  # fmt: skip


def revoke(target: str) -> dict[str, Any]:
    return {"from": "16505551234", "id": f"revoke-{target}", "timestamp": "1749416392", "type": "revoke",
            "revoke": {"original_message_id": target}}  # fmt: skip


def change(kind: str, target: str = "in.1") -> dict[str, Any]:
    return edit(target, "corrected") if kind == "edit" else revoke(target)


AFTER = {"edit": ["customer: corrected"], "revoke": ["customer: "]}


@pytest.fixture(params=["edit", "revoke"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("first", ["message", "change"])
async def test_a_change_and_its_message_in_either_order(world: World, kind: str, first: str, batches: int) -> None:
    updates = [text("in.1", "wrogn"), change(kind)][:: 1 if first == "message" else -1]
    if batches == 1:
        await world.post(*updates)
    else:
        for update in updates:
            await world.post(update)
    assert (await world.talk(), world.table("parked", "id")) == (AFTER[kind], [])


async def test_a_change_and_its_message_at_once(postgres_world: World, kind: str) -> None:
    """On two nodes, over two endpoints' lanes: one waits for the other, and whoever is second applies."""
    world = postgres_world
    workers = [world.processor, world.another_processor("other")]
    for number in range(25):
        target = f"in.{number}"
        for update in (text(target, "wrogn"), change(kind, target)):
            await world.post(update, parse=False)
        claimed = await world.store.write(world.processor._claim)
        items = [world.processor._preparer.items(row) for row in claimed]
        await asyncio.gather(*(worker._settle(one) for worker, one in zip(workers, items, strict=True)))
    assert (await world.talk(), world.table("parked", "id")) == (AFTER[kind] * 25, [])
    assert world.deadlocks() == 0


@pytest.mark.parametrize("order", list(permutations(STATES)), ids=" ".join)
async def test_every_order_of_states_ends_alike(world: World, order: tuple[str, ...]) -> None:
    await world.post(text("in.1"))
    await world.run()
    for one in order:
        await world.post(status("out.1", one))
    assert await world.statuses() == ["read"]


@pytest.mark.parametrize("order", list(permutations(("sent", "failed"))), ids=" ".join)
async def test_failed_is_not_forgotten_for_sent(world: World, order: tuple[str, ...]) -> None:
    await world.post(text("in.1"))
    await world.run()
    await world.post(*(status("out.1", one) for one in order))
    assert await world.statuses() == ["failed"]


@pytest.mark.parametrize("order", list(permutations(("delivered", "read", "sent"))), ids=" ".join)
async def test_receipts_before_the_answer_of_the_call(world: World, order: tuple[str, ...]) -> None:
    """The provider's webhooks are faster than its own API."""
    gate = asyncio.Event()
    await world.post(text("in.1"))
    await world.answer_ai()
    world.graph.then(Slow(gate, accepted("out.9")))
    sending = asyncio.create_task(world.performer.drain())
    await world.graph.came(1)
    await world.post(*(status("out.9", one) for one in order))
    assert len(world.table("parked", "id")) == 3
    gate.set()
    await sending
    assert (await world.statuses(), world.table("parked", "id")) == (["read"], [])


async def test_a_receipt_races_the_outcome_of_the_call(postgres_world: World) -> None:
    """Room 2 has the receipt while room 3 writes the id: on one row of `external` one waits for the other."""
    world = postgres_world
    for number in range(1, 31):
        await world.post(text(f"in.{number}"))
        await world.answer_ai()
        await world.receiver.receive(world.raw_of(status(f"out.{number}", "read")))
        await asyncio.gather(world.performer.drain(), world.processor.drain())
    assert (await world.statuses(), world.table("parked", "id")) == (["read"] * 30, [])


async def test_a_receipt_and_the_outcome_of_the_call_wait_for_each_other(postgres_world: World) -> None:
    """Room 3 knows the id and has not committed; the receipt's transaction waits, and then finds the message."""
    world = postgres_world
    await world.post(text("in.1"))
    await world.run()
    (row,) = [row for row in world.table("envelope", "id", "direction") if row[1] == "out"]
    outcome = Running(world.store, lambda tx: own_sent(tx, ChannelId("wa"), row[0], [ExternalId("out.9")]), paused=True)
    await world.post(status("out.9", "read"), parse=False)
    receipt = asyncio.create_task(world.processor.drain())
    await asyncio.to_thread(until_blocked, world.store.engine)
    await asyncio.to_thread(outcome.commit)
    await receipt
    ranks = dict(world.table("external", "external_id", "rank"))
    assert (ranks["out.9"], world.table("parked", "id")) == (4, [])


async def test_a_receipt_with_our_key_completes_the_send(world: World) -> None:
    """The call broke off; the receipt tells that it arrived."""
    command = await world.send_in_doubt()
    await world.post(status("out.7", "delivered", echo=f"{command}:0"))
    await world.run()
    assert (world.graph.texts, world.states(), await world.statuses()) == (["re: hello"], [10], ["delivered"])


async def test_what_waited_for_the_id_is_applied_when_a_receipt_names_it(world: World) -> None:
    command = await world.send_in_doubt()
    await world.post(status("out.7", "read"))
    await world.post(status("out.7", "delivered", echo=f"{command}:0"))
    await world.run()
    assert (await world.statuses(), world.table("parked", "id")) == (["read"], [])


async def test_a_key_that_is_not_ours_does_nothing(world: World) -> None:
    for echo in ("cmd_x:0", "nonsense", ":", "cmd_x:²", "cmd_x:-1", ""):
        await world.post(status("out.7", "delivered", echo=echo))
    assert world.dead() == []


async def test_a_reaction_stays_beside_its_message(world: World) -> None:
    await world.post(text("in.1"))
    await world.run()
    await world.post(reaction("r.1", "out.1"), reaction("r.2", "in.1"))
    kinds = [row[0] for row in world.table("envelope", "kind") if row[0] == "reaction"]
    assert (kinds, world.table("parked", "id"), await world.seqs()) == (["reaction"] * 2, [], [1, 2])


async def test_an_early_reaction_waits_and_then_is_applied(world: World) -> None:
    await world.post(reaction("r.1", "in.1"))
    assert len(world.table("parked", "id")) == 1
    await world.post(text("in.1"))
    assert world.table("parked", "id") == []


async def test_what_waits_too_long_is_an_orphan(world: World) -> None:
    await world.post(status("out.404", "read"))
    world.clock.advance(8 * 86_400)
    week = world.store.now() - 7 * 86_400_000
    found = await world.store.read(lambda tx: effects.orphans(tx, week, 10))
    assert [(one.channel_id, one.external_id) for one in found] == [(ChannelId("wa"), ExternalId("out.404"))]


async def test_a_receipt_makes_nobody_a_customer(world: World) -> None:
    await world.post(status("out.404", "read"))
    assert world.table("conversation", "holder") in ([], [("nobody",)])
    assert world.commands() == []
