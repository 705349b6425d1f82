from __future__ import annotations

from functools import partial

import pytest

from gateway.clock import FrozenClock
from gateway.store import outbox
from gateway.store.outbox import Held, NewCommand
from gateway.store.schema import DEAD, DONE, DOUBT, DUE, FAILED, FINAL, PARKED, SENDING, SUPERSEDED
from gateway.store.store import Store
from normalizer.ids import CommandId, EnvelopeId
from tests.store.rows import new_command, settled

LEASE = 10_000
KINDS = ("send", "ask_ai", "notify")


def put(store: Store, *rows: NewCommand) -> None:
    store.write_now(lambda tx: outbox.add(tx, list(rows)))


def take(store: Store, owner: str = "a", *, kinds: tuple[str, ...] = KINDS, most: int = 100) -> list[Held]:
    return store.write_now(lambda tx: outbox.claim(tx, owner, kinds, lease_ms=LEASE, most=most))


def begin(store: Store, *held: Held, due_in: int = 30_000) -> set[int]:
    return store.write_now(lambda tx: outbox.begin(tx, list(held), tx.now() + due_in))


def end(store: Store, held: Held, state: int = DONE, *, due_at: int = 0, error: str | None = None) -> bool:
    done_at = None if state < FINAL else store.now()
    row = settled(held, state, due_at=due_at, error=error, done_at=done_at)
    return store.write_now(lambda tx: outbox.settle(tx, row))


def numbers(held: list[Held]) -> list[int]:
    return [one.n for one in held]


def test_a_command_comes_back_as_it_was_added(store: Store) -> None:
    row = new_command(5, envelope="e1", step=2)._replace(payload=b"\x00payload", fence=None, created_at=77, attempts=1)
    put(store, row)
    (held,) = take(store)
    assert tuple(held) == (
        5, "cmd-5", "send", "c1", "l1", "wa", "e1", b"\x00payload", None, DUE, 1, 2, 0, 0, 1, 77, None,
    )  # fmt: skip


def test_the_same_command_twice_is_one(store: Store) -> None:
    put(store, new_command(1))
    put(store, new_command(9)._replace(id=CommandId("cmd-1")), new_command(2, leg="l2"))
    assert numbers(take(store)) == [1, 2]


def test_two_commands_with_one_number_are_an_error_and_not_a_loss(store: Store) -> None:
    put(store, new_command(1))
    with pytest.raises(Exception, match=r"(?i)unique"):
        put(store, new_command(1)._replace(id=CommandId("another")))


def test_of_each_leg_the_oldest_send_only_and_everything_else_beside_it(store: Store) -> None:
    put(
        store,
        new_command(1, leg="l1"),
        new_command(2, leg="l1"),
        new_command(3, leg="l2"),
        new_command(4, "ask_ai", leg="l1"),
        new_command(5, "notify", leg="l1"),
        new_command(6, leg=None),
        new_command(7, leg=None),
    )
    held = take(store)
    assert numbers(held) == [1, 3, 4, 5, 6, 7]
    assert take(store, "b") == []
    assert end(store, held[0])
    assert numbers(take(store, "b")) == [2]


@pytest.mark.parametrize("state", [DUE, SENDING, DOUBT])
def test_an_earlier_send_that_waits_holds_up_its_leg(store: Store, state: int) -> None:
    put(store, new_command(1), new_command(2))
    (first,) = take(store)
    assert end(store, first, state, due_at=store.now() + 60_000)
    assert take(store) == []


@pytest.mark.parametrize("state", [DONE, SUPERSEDED, FAILED, PARKED, DEAD])
def test_an_earlier_send_that_ended_holds_up_nobody(store: Store, state: int) -> None:
    put(store, new_command(1), new_command(2))
    (first,) = take(store)
    assert end(store, first, state, error="why")
    assert numbers(take(store)) == [2]


def test_kinds_number_and_time_of_a_claim(store: Store, clock: FrozenClock) -> None:
    soon = store.now() + 1_000
    put(store, new_command(1, "ask_ai"), new_command(2, leg="l2"), new_command(3, leg="l3", due_at=soon))
    assert take(store, kinds=()) == []
    assert numbers(take(store, kinds=("ask_ai",))) == [1]
    assert numbers(take(store, most=1)) == [2]
    assert take(store) == []
    clock.advance(1)
    assert numbers(take(store)) == [3]


def test_two_owners_never_hold_one_command_until_the_lease_ran_out(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1))
    (first,) = take(store, "a")
    assert take(store, "b") == []
    clock.advance(LEASE / 1000)
    (second,) = take(store, "b")
    assert (first.epoch, second.epoch) == (1, 2)
    assert begin(store, first) == set()
    assert not end(store, first)
    assert begin(store, second) == {1}
    assert end(store, second)


def test_begin_counts_the_attempt_and_sets_a_time_to_ask(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1), new_command(2, leg="l2"))
    held = take(store)
    assert begin(store, *held, due_in=20_000) == {1, 2}
    assert begin(store, *held) == set(), "what is being sent is not begun again"
    clock.advance(LEASE / 1000)
    assert take(store, "b") == [], "nobody looks before the time to ask"
    clock.advance(10)
    assert [(one.state, one.attempts, one.epoch) for one in take(store, "b")] == [(SENDING, 1, 2)] * 2


def test_settling_writes_all_that_it_says(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1))
    (held,) = take(store)
    row = settled(held, DUE, due_at=store.now() + 5_000, error="throttled")._replace(attempts=3, step=1, doubts=2)
    assert store.write_now(lambda tx: outbox.settle(tx, row))
    assert take(store) == []
    clock.advance(5)
    (again,) = take(store, "b")
    assert (again.state, again.attempts, again.step, again.doubts, again.epoch) == (DUE, 3, 1, 2, 2)


def test_what_has_ended_is_settled_no_more(store: Store) -> None:
    put(store, new_command(1))
    (held,) = take(store)
    assert end(store, held, DONE)
    assert not end(store, held, FAILED)
    assert states(store, "e1") == {"e1": (DONE, None)}


def states(store: Store, *envelopes: str) -> dict[EnvelopeId, tuple[int, str | None]]:
    return store.read_now(lambda tx: outbox.of_envelopes(tx, [EnvelopeId(one) for one in envelopes]))


def test_settle_many_writes_those_that_are_still_ours(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1, leg="l1"), new_command(2, leg="l2"))
    first, second = take(store, "a")
    clock.advance(LEASE / 1000)
    retaken = take(store, "b")[0]
    rows = [settled(one, FAILED, error="late", done_at=1) for one in (first, second)]
    store.write_now(lambda tx: outbox.settle_many(tx, [rows[0]._replace(epoch=retaken.epoch), rows[1]]))
    assert states(store, "e1", "e2") == {"e1": (FAILED, "late"), "e2": (DUE, None)}


def test_a_command_given_back_is_due_when_it_was_said(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1))
    (held,) = take(store)
    store.write_now(lambda tx: outbox.give_back(tx, [(tx.now() + 500, held.n, held.epoch)]))
    assert take(store) == []
    clock.advance(0.5)
    (again,) = take(store, "b")
    assert (again.attempts, again.state) == (0, DUE)
    store.write_now(lambda tx: outbox.give_back(tx, [(0, held.n, held.epoch)]))
    assert take(store, "c") == [], "one that was lost is not ours to give"


def test_what_is_being_sent_cannot_be_given_back(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1))
    (held,) = take(store)
    begin(store, held)
    store.write_now(lambda tx: outbox.give_back(tx, [(0, held.n, held.epoch)]))
    clock.advance(LEASE / 1000)
    assert take(store, "b") == []


def test_at_the_start_of_the_only_process_what_was_held_is_looked_at_now(store: Store) -> None:
    put(store, new_command(1, leg="l1"), new_command(2, leg="l2"), new_command(3, leg="l3", due_at=store.now() + 9_000))
    first, _second = take(store)
    begin(store, first)
    store.write_now(outbox.void_claims)
    assert [(one.n, one.state) for one in take(store, "after")] == [(1, SENDING), (2, DUE)]


def test_an_echo_hurries_what_is_in_doubt_and_nothing_else(store: Store) -> None:
    put(store, new_command(1, leg="l1"), new_command(2, leg="l2"))
    doubtful, sending = take(store)
    later = store.now() + 60_000
    end(store, doubtful, DOUBT, due_at=later)
    begin(store, sending)
    for number in (1, 2):
        found = store.write_now(partial(outbox.echo, command_id=CommandId(f"cmd-{number}"), step=0))
        assert found == (f"e{number}", "wa")
    (again,) = take(store, "b")
    assert (again.n, again.state, again.echoed) == (1, DOUBT, 1)


@pytest.mark.parametrize("state", [DOUBT, PARKED])
def test_an_echo_that_came_first_leaves_nothing_to_wait_for(store: Store, state: int) -> None:
    """Who held it knew nothing of the echo, which came during the call, or between his claim and his doubt."""
    put(store, new_command(1), new_command(2, leg="l2", step=1))
    told, other = take(store)
    begin(store, told, other)
    for number in (1, 2):
        assert store.write_now(partial(outbox.echo, command_id=CommandId(f"cmd-{number}"), step=0)) is not None
    for held in (told, other):
        end(store, held, state, due_at=store.now() + 20_000)
    assert [(held.n, held.state, held.echoed) for held in take(store)] == [(1, DOUBT, 1)]


def test_an_echo_wakes_what_is_parked_for_that_step_and_nothing_that_is_over(store: Store) -> None:
    states = (PARKED, PARKED, DONE, FAILED, SUPERSEDED, DEAD)
    put(store, *(new_command(n, leg=f"l{n}", step=int(n == 2)) for n in range(1, 7)))
    for held, state in zip(take(store), states, strict=True):
        end(store, held, state)
    for n in range(1, 7):
        store.write_now(partial(outbox.echo, command_id=CommandId(f"cmd-{n}"), step=0))
    assert [(held.n, held.state, held.echoed) for held in take(store)] == [(1, DOUBT, 1)]


def test_echoes_count_the_furthest_step(store: Store) -> None:
    put(store, new_command(1))
    for step in (2, 0, 1):
        store.write_now(partial(outbox.echo, command_id=CommandId("cmd-1"), step=step))
    (held,) = take(store)
    assert held.echoed == 3


def test_an_echo_of_nothing_of_ours(store: Store) -> None:
    put(store, new_command(1)._replace(envelope_id=None))
    assert store.write_now(lambda tx: outbox.echo(tx, CommandId("unknown"), 0)) is None
    assert store.write_now(lambda tx: outbox.echo(tx, CommandId("cmd-1"), 0)) is None


def test_the_next_part_follows_the_delivery_of_the_one_before(store: Store) -> None:
    later = store.now() + 3_000
    put(store, new_command(1, leg="l1", step=1, due_at=later), new_command(2, leg="l2", step=0, due_at=later))
    store.write_now(lambda tx: outbox.follow(tx, [EnvelopeId("e1"), EnvelopeId("e2"), EnvelopeId("e9")]))
    assert numbers(take(store)) == [1]


def test_of_an_envelope_its_send_counts(store: Store) -> None:
    put(store, new_command(1, envelope="e1"), new_command(2, "notify", envelope="e1"), new_command(3, envelope="e3"))
    assert states(store, "e1", "e2") == {"e1": (DUE, None)}


def test_when_the_ai_is_down_its_commands_end(store: Store) -> None:
    put(store, new_command(1, "ask_ai"), new_command(2, "ask_ai")._replace(fence=4), new_command(3))
    waiting = store.read_now(outbox.waiting_for_ai)
    assert sorted(waiting) == [("cmd-1", "c1", "l1", 0, b"{}", 0), ("cmd-2", "c1", "l1", 4, b"{}", 0)]
    first, _second = take(store, kinds=("ask_ai",))
    store.write_now(lambda tx: outbox.end_ai(tx, [row[0] for row in waiting], "the engine is down"))
    assert store.read_now(outbox.waiting_for_ai) == []
    assert not end(store, first), "an answer that was on its way is not taken"


def test_the_next_time_that_something_is_due(store: Store) -> None:
    assert store.read_now(outbox.next_due) is None
    now = store.now()
    put(store, new_command(1, due_at=now), new_command(2, leg="l2", due_at=now + 90_000))
    assert store.read_now(outbox.next_due) == now
    (held,) = take(store)
    assert store.read_now(outbox.next_due) == now + LEASE
    end(store, held)
    assert store.read_now(outbox.next_due) == now + 90_000


def test_depth_counts_by_kind_what_has_not_ended(store: Store) -> None:
    put(store, new_command(1), new_command(2), new_command(3, "ask_ai"), new_command(4, "notify"))
    end(store, take(store, kinds=("notify",))[0])
    assert store.read_now(outbox.depth) == {"send": 2, "ask_ai": 1}


def test_pruning_takes_what_ended_long_ago(store: Store, clock: FrozenClock) -> None:
    put(store, new_command(1, leg="l1"), new_command(2, leg="l2"), new_command(3, leg="l3"))
    first, second, _ = take(store)
    end(store, first)
    clock.advance(1)
    end(store, second)
    assert store.write_now(lambda tx: outbox.prune(tx, tx.now())) == 1
    assert states(store, "e1", "e2", "e3") == {"e2": (DONE, None), "e3": (DUE, None)}


def test_what_ended_badly_is_listed_by_pages(store: Store) -> None:
    put(store, *(new_command(n, leg=f"l{n}") for n in (1, 2, 3)))
    for held, state in zip(take(store), (FAILED, DONE, DEAD), strict=True):
        end(store, held, state, error="why")
    bad = (FAILED, DEAD, PARKED)
    found = store.read_now(lambda tx: outbox.stuck(tx, bad, 0, 9))
    assert [(held.n, held.state, error) for held, error in found] == [(1, FAILED, "why"), (3, DEAD, "why")]
    assert [held.n for held, _ in store.read_now(lambda tx: outbox.stuck(tx, bad, 1, 9))] == [3]
    assert [held.n for held, _ in store.read_now(lambda tx: outbox.stuck(tx, bad, 0, 1))] == [1]


def test_a_revived_command_starts_over_and_its_last_holder_has_no_say(store: Store) -> None:
    put(store, new_command(1), new_command(2, leg="l2"))
    held, other = take(store)
    begin(store, held)
    end(store, held, PARKED, error="in doubt")
    end(store, other, DONE)

    def revive(id: str) -> bool:
        return store.write_now(lambda tx: outbox.revive(tx, CommandId(id), (PARKED, FAILED, DEAD)))

    assert revive("cmd-1")
    assert not revive("cmd-1")
    assert not revive("cmd-2")
    assert not revive("cmd-9")
    assert not end(store, held, FAILED), "it was settled under an epoch that is over"
    (again,) = take(store)
    assert (again.n, again.state, again.attempts, again.doubts) == (1, DUE, 0, 0)


def test_the_engines_health_is_remembered(store: Store) -> None:
    def up(name: str) -> bool:
        return store.read_now(lambda tx: outbox.engine_up(tx, name))

    assert up("builtin")
    store.write_now(lambda tx: outbox.set_engine(tx, "builtin", False, "10 timeouts"))
    assert not up("builtin")
    assert up("other")
    store.write_now(lambda tx: outbox.set_engine(tx, "builtin", True, "answers again"))
    assert up("builtin")
