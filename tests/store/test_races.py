"""What must hold when two nodes meet on PostgreSQL. (SQLite has one writer: there nobody meets.)"""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial

import msgspec
import pytest

from gateway.clock import FrozenClock
from gateway.store import effects, intake, outbox, people, threads
from gateway.store.schema import DONE
from gateway.store.store import Store, open_store
from gateway.store.tx import Tx
from gateway.store.work import StoreUnavailable
from gateway.store.writer import RETRIES
from normalizer.ids import ContactId, ConversationId, EnvelopeId, MatchKey
from tests.store.races import Running, until_blocked
from tests.store.rows import (
    address_row,
    contact_row,
    conversation,
    intake_row,
    leg_row,
    new_command,
    parked_row,
    ref,
    seen,
    settled,
)


@pytest.fixture
def nodes(postgres_store_url: str, clock: FrozenClock) -> Iterator[tuple[Store, Store]]:
    """Two programs on one database."""
    opened = open_store(postgres_store_url, clock), open_store(postgres_store_url, clock)
    yield opened
    for store in opened:
        store.close_now()


def in_threads(*works: object) -> None:
    errors: list[BaseException] = []

    def run(work: object) -> None:
        try:
            work()  # type: ignore[operator]
        except BaseException as error:  # noqa: BLE001  because the test's own thread raises it again
            errors.append(error)

    running = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]


def test_claimers_share_the_work_and_a_lane_is_one_nodes_at_a_time(nodes: tuple[Store, Store]) -> None:
    rows = [intake_row(id, f"lane-{id % 13}") for id in range(1, 401)]
    nodes[0].write_now(lambda tx: intake.add(tx, rows))
    held: dict[str, tuple[str, int]] = {}
    done: dict[str, list[int]] = defaultdict(list)
    guard = threading.Lock()

    def work(store: Store, owner: str) -> None:
        for _ in range(4_000):
            claimed = store.write_now(lambda tx: intake.claim(tx, owner, upto=1000, lease_ms=60_000, most=9))
            with guard:
                for row in claimed:
                    owner_now, count = held.get(row.lane, (owner, 0))
                    assert owner_now == owner, "two nodes work on one lane"
                    held[row.lane] = owner, count + 1
                    done[row.lane].append(row.id)
                for row in claimed:
                    count = held[row.lane][1] - 1
                    held[row.lane] = owner, count
                    if count == 0:
                        del held[row.lane]
            store.write_now(partial(intake.finish, rows=[(row.id, row.epoch) for row in claimed]))
            with guard:
                if sum(map(len, done.values())) >= len(rows):
                    return

    in_threads(lambda: work(nodes[0], "a"), lambda: work(nodes[1], "b"))
    assert sorted(id for ids in done.values() for id in ids) == [row.id for row in rows]
    assert all(ids == sorted(ids) for ids in done.values())


def test_senders_share_the_work_and_a_legs_sends_follow_each_other(nodes: tuple[Store, Store]) -> None:
    rows = [new_command(n, leg=f"l{n % 7}") for n in range(1, 201)]
    nodes[0].write_now(lambda tx: outbox.add(tx, rows))
    busy: set[str | None] = set()
    done: dict[str | None, list[int]] = defaultdict(list)
    guard = threading.Lock()

    def work(store: Store, owner: str) -> None:
        for _ in range(4_000):
            held = store.write_now(lambda tx: outbox.claim(tx, owner, ("send",), lease_ms=60_000, most=3))
            with guard:
                for one in held:
                    assert one.leg_id not in busy, "two sends of one leg at once"
                    busy.add(one.leg_id)
                    done[one.leg_id].append(one.n)
                busy.difference_update(one.leg_id for one in held)
            ends = [settled(one, DONE, done_at=1) for one in held]
            store.write_now(partial(outbox.settle_many, rows=ends))
            with guard:
                if sum(map(len, done.values())) >= len(rows):
                    return

    in_threads(lambda: work(nodes[0], "a"), lambda: work(nodes[1], "b"))
    assert sorted(n for numbers in done.values() for n in numbers) == [row.n for row in rows]
    assert all(numbers == sorted(numbers) for numbers in done.values())


def test_a_claimer_waits_for_the_one_before_and_takes_what_it_left(nodes: tuple[Store, Store]) -> None:
    nodes[0].write_now(lambda tx: intake.add(tx, [intake_row(1, "x"), intake_row(2, "x"), intake_row(3, "y")]))
    first = Running(nodes[0], lambda tx: intake.claim(tx, "a", upto=9, lease_ms=9_000, most=1), paused=True)
    second = Running(nodes[1], lambda tx: intake.claim(tx, "b", upto=9, lease_ms=9_000, most=9))
    until_blocked(nodes[0].engine)
    assert [row.id for row in first.commit()] == [1]
    assert [row.id for row in second.result()] == [3]


@pytest.mark.parametrize("commits", [True, False])
def test_of_two_transactions_with_one_key_the_second_waits_for_the_first(
    nodes: tuple[Store, Store], commits: bool
) -> None:
    first = Running(nodes[0], lambda tx: effects.claim_keys(tx, [seen("k", "e1"), seen("a", "e1")]), paused=True)
    second = Running(nodes[1], lambda tx: effects.claim_keys(tx, [seen("b", "e2"), seen("k", "e2")]))
    until_blocked(nodes[0].engine)
    if commits:
        first.commit()
    else:
        first.roll_back()
    winner = "e1" if commits else "e2"
    assert {key: row.envelope_id for key, row in second.result().items()} == {"k": winner, "b": "e2"}


def test_one_address_at_two_nodes_is_one_contact(nodes: tuple[Store, Store]) -> None:
    def arrive(tx: Tx, contact: str) -> ContactId:
        owner = people.add_addresses(tx, [address_row("tel:1", contact)])[MatchKey("tel:1")]
        if owner == contact:
            people.add_contacts(tx, [contact_row(contact)])
        return owner

    first = Running(nodes[0], lambda tx: arrive(tx, "p1"), paused=True)
    second = Running(nodes[1], lambda tx: arrive(tx, "p2"))
    until_blocked(nodes[0].engine)
    assert (first.commit(), second.result()) == ("p1", "p1")
    assert nodes[0].read_now(lambda tx: people.holders(tx, [MatchKey("tel:1")])) == {"tel:1": "p1"}
    assert nodes[0].read_now(lambda tx: people.get_contact(tx, ContactId("p2"))) is None


def test_a_conversation_is_read_after_its_lock(nodes: tuple[Store, Store]) -> None:
    wanted = [ConversationId("c2"), ConversationId("c1")]
    nodes[0].write_now(lambda tx: threads.add_conversations(tx, [conversation(id) for id in wanted], 1))

    def number(tx: Tx) -> list[int]:
        found = threads.lock(tx, wanted)
        threads.save(tx, [msgspec.structs.replace(one, head=one.head + 1) for one in found.values()], 2)
        return [one.head for one in found.values()]

    first = Running(nodes[0], number, paused=True)
    second = Running(nodes[1], number)
    until_blocked(nodes[0].engine)
    assert first.commit() == [0, 0]
    assert second.result() == [1, 1]


def test_the_conversations_of_contacts_are_locked_too(nodes: tuple[Store, Store]) -> None:
    nodes[0].write_now(lambda tx: threads.add_conversations(tx, [conversation("c1", "p1")], 1))
    first = Running(nodes[0], lambda tx: threads.lock_of_contacts(tx, [ContactId("p1")]), paused=True)
    second = Running(nodes[1], lambda tx: threads.lock(tx, [ConversationId("c1")]))
    until_blocked(nodes[0].engine)
    first.commit()
    assert list(second.result()) == ["c1"]


# -- the receipt race: whoever is second applies ----------------------------------------------------------------


def message(tx: Tx) -> str:
    effects.own(tx, [(*ref("x"), EnvelopeId("e1"), 1, 1)])
    waited = effects.unpark(tx, [ref("x")])
    effects.raise_ranks(tx, [(3, None, one.channel_id, one.external_id) for one in waited])
    return "applied" if waited else "nothing waited"


def receipt(tx: Tx) -> str:
    if effects.touch(tx, [ref("x")], 1)[ref("x")].envelope_id is None:
        effects.park(tx, [parked_row(1, "x")])
        return "parked"
    effects.raise_ranks(tx, [(3, None, *ref("x"))])
    return "applied"


@pytest.mark.parametrize(
    ("first", "second", "results"),
    [(message, receipt, ("nothing waited", "applied")), (receipt, message, ("parked", "applied"))],
    ids=["message first", "receipt first"],
)
def test_of_a_message_and_its_receipt_the_second_applies(
    nodes: tuple[Store, Store], first: object, second: object, results: tuple[str, str]
) -> None:
    one: Running[str] = Running(nodes[0], first, paused=True)  # type: ignore[arg-type]
    other: Running[str] = Running(nodes[1], second)  # type: ignore[arg-type]
    until_blocked(nodes[0].engine)
    assert (one.commit(), other.result()) == results
    row = nodes[0].read_now(lambda tx: effects.get(tx, [ref("x")]))[ref("x")]
    assert (row.envelope_id, row.rank) == ("e1", 3)
    assert nodes[0].write_now(lambda tx: effects.unpark(tx, [ref("x")])) == []


# -- what the database could not order ----------------------------------------------------------------------------


BATCHES: dict[str, Callable[[Tx, list[str], int], object]] = {
    "claim_keys": lambda tx, names, n: effects.claim_keys(tx, [seen(f"{name}/{n}") for name in names]),
    "touch": lambda tx, names, n: effects.touch(tx, [ref(name) for name in names], n),
    "own": lambda tx, names, n: effects.own(tx, [(*ref(name), EnvelopeId("e"), 1, 1) for name in names]),
    "raise_ranks": lambda tx, names, n: effects.raise_ranks(tx, [(n + 2, None, *ref(name)) for name in names]),
    "add_addresses": lambda tx, names, n: people.add_addresses(tx, [address_row(f"{name}/{n}", "p") for name in names]),
    "raise_evidence": lambda tx, names, n: people.raise_evidence(tx, [(n + 2, MatchKey(name)) for name in names]),
    "add_contacts": lambda tx, names, n: people.add_contacts(tx, [contact_row(f"{name}/{n}") for name in names]),
    "add_conversations": lambda tx, names, n: threads.add_conversations(
        tx, [conversation(f"{name}/{n}") for name in names], 1
    ),
    "lock": lambda tx, names, n: threads.lock(tx, [ConversationId(name) for name in names]),
    "save_legs": lambda tx, names, n: threads.save_legs(tx, [leg_row(name) for name in names]),
    "intake.add": lambda tx, names, n: intake.add(tx, [intake_row(int(name) + n * 10_000) for name in names]),
    "outbox.add": lambda tx, names, n: outbox.add(tx, [new_command(int(name) + n * 10_000) for name in names]),
}


@pytest.mark.parametrize("batch", BATCHES)
def test_nodes_that_bring_the_same_rows_in_opposite_orders_do_not_deadlock(
    nodes: tuple[Store, Store], batch: str
) -> None:
    """Every batch is sorted, so nobody waits for somebody who waits for him: no transaction runs twice."""
    names = [f"{n:04}" for n in range(400)]
    nodes[0].write_now(lambda tx: effects.own(tx, [(*ref(name), EnvelopeId("e"), 1, 1) for name in names]))
    nodes[0].write_now(lambda tx: people.add_addresses(tx, [address_row(name, "p") for name in names]))
    nodes[0].write_now(lambda tx: threads.add_conversations(tx, [conversation(name) for name in names], 1))
    rounds, calls, together = 4, [0, 0], threading.Barrier(2)

    def work(side: int) -> None:
        def write(tx: Tx, number: int) -> None:
            calls[side] += 1
            BATCHES[batch](tx, names if side == 0 else names[::-1], number)

        for number in range(rounds):
            together.wait(60)
            nodes[side].write_now(partial(write, number=number))

    in_threads(lambda: work(0), lambda: work(1))
    assert calls == [rounds, rounds]


async def test_a_deadlock_is_repeated_and_nobody_hears_of_it(nodes: tuple[Store, Store]) -> None:
    names = [ConversationId("c1"), ConversationId("c2")]
    nodes[0].write_now(lambda tx: threads.add_conversations(tx, [conversation(id) for id in names], 1))
    both_have_one = threading.Barrier(2)
    attempts = [0, 0]

    def cross(tx: Tx, side: int) -> None:
        attempts[side] += 1
        tx._connection.exec_driver_sql("SET LOCAL deadlock_timeout = '20ms'")
        for place, id in enumerate(names if side == 0 else reversed(names)):
            (found,) = threads.lock(tx, [id]).values()
            threads.save(tx, [msgspec.structs.replace(found, head=found.head + 1)], 2)
            if attempts[side] == 1 and place == 0:
                both_have_one.wait(30)

    await asyncio.gather(nodes[0].write(partial(cross, side=0)), nodes[1].write(partial(cross, side=1)))
    # The one that is repeated may meet the other once more before that one goes on.
    assert sum(attempts) > 2
    found = nodes[0].write_now(lambda tx: threads.lock(tx, names))
    assert [one.head for one in found.values()] == [2, 2]


SERIALIZATION_FAILURE = "DO $$ BEGIN RAISE EXCEPTION 'made' USING ERRCODE = '40001'; END $$"


@pytest.mark.parametrize("way", ["write", "write_now"])
async def test_a_serialization_failure_is_repeated_from_the_start(postgres_store: Store, way: str) -> None:
    attempts: list[int] = []

    def unlucky(tx: Tx) -> str:
        intake.add(tx, [intake_row(len(attempts) + 1)])
        attempts.append(1)
        if len(attempts) < 4:
            tx._connection.exec_driver_sql(SERIALIZATION_FAILURE)
        return "done"

    assert (
        await (
            postgres_store.write(unlucky) if way == "write" else asyncio.to_thread(postgres_store.write_now, unlucky)
        )
        == "done"
    )
    claimed = postgres_store.write_now(lambda tx: intake.claim(tx, "a", upto=99, lease_ms=1, most=9))
    assert [row.id for row in claimed] == [4]


async def test_what_can_never_be_ordered_is_trouble_in_the_end(postgres_store: Store) -> None:
    attempts: list[int] = []

    def hopeless(tx: Tx) -> None:
        attempts.append(1)
        tx._connection.exec_driver_sql(SERIALIZATION_FAILURE)

    with pytest.raises(StoreUnavailable):
        await postgres_store.write(hopeless)
    assert len(attempts) == RETRIES
    assert await postgres_store.write(lambda tx: 1) == 1
