from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from gateway.store import effects, intake, outbox, overview, people, threads
from gateway.store.overview import DeadRow, QueueRow
from gateway.store.schema import DEAD, DONE, FAILED, PARKED, SUPERSEDED
from gateway.store.store import Store
from normalizer.envelope import Evidence
from normalizer.identity import Merge
from normalizer.ids import ContactId, ConversationId
from router.conversation import Ai, Conversation, Queue
from tests.store.rows import CHANNEL, contact_row, conversation, dead_row, new_command, parked_row, settled


def test_queues_count_who_waits_in_them(store: Store) -> None:
    def waits(id: str, queue: str, due: int | None) -> Conversation:
        return replace(conversation(id), holder=Queue(queue), due_at=due)

    rows = [waits("c1", "b", 9), waits("c2", "b", 7), waits("c3", "a", None), replace(conversation("c4"), holder=Ai())]
    store.write_now(lambda tx: threads.add_conversations(tx, rows, 1))
    assert store.read_now(overview.queues) == [QueueRow("a", 1, None), QueueRow("b", 2, 7)]


def test_a_conversation_tells_when_it_began_and_changed(store: Store) -> None:
    value = conversation("c1")
    store.write_now(lambda tx: threads.add_conversations(tx, [value], 5))
    store.write_now(lambda tx: threads.save(tx, [replace(value, head=1)], 8))
    assert store.read_now(lambda tx: overview.began(tx, value.id)) == (5, 8)
    assert store.read_now(lambda tx: overview.began(tx, ConversationId("other"))) is None


def test_the_dead_come_in_pages_without_those_that_were_replayed(store: Store) -> None:
    store.write_now(lambda tx: intake.bury(tx, [dead_row(id, intake_id=id) for id in (1, 2, 3, 4)]))
    store.write_now(lambda tx: intake.mark_replayed(tx, 2, 9))
    page = store.read_now(lambda tx: overview.dead_page(tx, -1, 2))
    assert page[0] == DeadRow(1, 1, 0, "wa", "raw", "malformed", "no JSON", 5)
    assert [row.id for row in page] == [1, 3]
    assert [row.id for row in store.read_now(lambda tx: overview.dead_page(tx, 3, 2))] == [4]


def end(store: Store, states: dict[int, int], error: str | None = "boom") -> None:
    held = store.write_now(lambda tx: outbox.claim(tx, "me", ["send", "mark"], lease_ms=10, most=50))
    ended = [settled(one, states[one.n], error=error, done_at=one.n) for one in held if one.n in states]
    store.write_now(lambda tx: outbox.settle_many(tx, ended))


def test_stuck_is_what_a_person_may_try_again(store: Store) -> None:
    rows = [*(new_command(n, leg=f"l{n}") for n in range(1, 7)), new_command(7, "mark", leg="l7")]
    store.write_now(lambda tx: outbox.add(tx, rows))
    end(store, {1: FAILED, 2: DONE, 3: PARKED, 4: SUPERSEDED, 5: DEAD, 7: FAILED})
    found = store.read_now(lambda tx: overview.stuck_page(tx, 0, 10))
    assert [(row.n, row.state, row.error, row.at) for row in found] == [
        (1, FAILED, "boom", 1), (3, PARKED, "boom", 3), (5, DEAD, "boom", 5),
    ]  # fmt: skip
    assert [row.n for row in store.read_now(lambda tx: overview.stuck_page(tx, 1, 1))] == [3]


def test_orphans_are_the_old_ones_page_by_page(store: Store) -> None:
    rows = [parked_row(id, f"x{id}", at=at) for id, at in ((1, 10), (2, 99), (3, 10), (4, 10))]
    store.write_now(lambda tx: effects.park(tx, rows))
    assert [row.id for row in store.read_now(lambda tx: overview.orphan_page(tx, -1, 50, 2))] == [1, 3]
    assert [row.id for row in store.read_now(lambda tx: overview.orphan_page(tx, 3, 50, 2))] == [4]


def test_a_family_is_the_same_whoever_of_it_is_asked(store: Store) -> None:
    store.write_now(lambda tx: people.add_contacts(tx, [contact_row(id) for id in ("a", "b", "c", "d")]))
    for child, parent in (("b", "a"), ("c", "b")):
        merge = Merge(ContactId(child), ContactId(parent), Evidence.VERIFIED, "why")
        store.write_now(partial(people.link, merge=merge, at=7))
    for id in ("a", "b", "c"):
        family = store.read_now(partial(overview.whole_family, contact_id=ContactId(id)))
        assert (family[0], sorted(family)) == ("a", ["a", "b", "c"])
        links = store.read_now(partial(overview.links_of_family, contact_id=ContactId(id)))
        assert [(one.child, one.parent, one.evidence, one.reason, one.at) for one in links] == [
            ("b", "a", 3, "why", 7), ("c", "b", 3, "why", 7),
        ]  # fmt: skip
    assert store.read_now(lambda tx: overview.whole_family(tx, ContactId("d"))) == ["d"]


def test_a_channel_tells_what_waits_and_what_failed_lately(store: Store) -> None:
    numbers = [(time << overview.MS_SHIFT) + 1 for time in (10, 20, 30, 40)]
    store.write_now(lambda tx: outbox.add(tx, [new_command(n, leg=f"l{n}") for n in numbers]))
    end(store, dict(zip(numbers[:3], (FAILED, FAILED, PARKED), strict=True)))
    assert store.read_now(lambda tx: overview.waiting_of(tx, CHANNEL)) == {"send": 1}
    found = store.read_now(lambda tx: overview.failures_of(tx, CHANNEL, 20, 10))
    assert [(row.command_id, row.state) for row in found] == [
        (f"cmd-{numbers[2]}", PARKED), (f"cmd-{numbers[1]}", FAILED),
    ]  # fmt: skip
    assert len(store.read_now(lambda tx: overview.failures_of(tx, CHANNEL, 0, 1))) == 1
    assert store.read_now(lambda tx: overview.failures_of(tx, CHANNEL, 40, 10)) == []


def test_parked_ones_are_counted_and_those_that_wait_too_long(store: Store) -> None:
    assert store.read_now(lambda tx: overview.count_parked(tx, 5)) == (0, 0)
    store.write_now(lambda tx: effects.park(tx, [parked_row(1, "a", 4), parked_row(2, "b", 5), parked_row(3, "c", 6)]))
    assert store.read_now(lambda tx: overview.count_parked(tx, 5)) == (3, 1)
