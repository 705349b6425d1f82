from __future__ import annotations

from functools import partial

import pytest
from msgspec.structs import replace

from gateway.store import effects, intake, outbox, people, reads, threads
from gateway.store.reads import Shown
from gateway.store.schema import DONE, DUE, FAILED, PARKED, SUPERSEDED
from gateway.store.store import Store
from gateway.store.tx import Tx
from normalizer.envelope import RANK, Evidence, Status
from normalizer.identity import Merge
from normalizer.ids import ChannelId, ContactId, ConversationId, EnvelopeId, ExternalId, LegId
from tests.store.rows import contact_row, conversation, dead_row, envelope_row, leg_row, new_command, ref, seen, settled

C1, L1 = ConversationId("c1"), LegId("l1")


def talk(store: Store) -> None:
    """Five entries of one conversation, one of another, and one without a number."""

    def write(tx: Tx) -> None:
        rows = [
            envelope_row(f"e{n}", seq=n, content=b"%d" % n)._replace(wire_seq=n if n != 3 else None)
            for n in range(1, 6)
        ]
        rows[2] = rows[2]._replace(kind="state_change")
        rows[3] = rows[3]._replace(direction="out")
        other = envelope_row("other", conversation="c2", seq=1)._replace(leg_id=LegId("l2"), wire_seq=1)
        threads.add_envelopes(tx, [*reversed(rows), other, envelope_row("receipt", seq=None)._replace(kind="receipt")])

    store.write_now(write)


def ids(rows: list[Shown]) -> list[str]:
    return [one.row.id for one in rows]


def test_a_transcript_is_the_last_messages_up_to_a_number(store: Store) -> None:
    talk(store)
    assert store.read_now(lambda tx: reads.transcript_rows(tx, C1, 5, 9)) == [b"1", b"2", b"4", b"5"]
    assert store.read_now(lambda tx: reads.transcript_rows(tx, C1, 4, 2)) == [b"2", b"4"]
    assert store.read_now(lambda tx: reads.transcript_rows(tx, ConversationId("none"), 9, 9)) == []


def test_a_conversation_is_read_by_pages_from_any_number(store: Store) -> None:
    talk(store)
    assert ids(store.read_now(lambda tx: reads.page(tx, C1, 0, 3))) == ["e1", "e2", "e3"]
    assert ids(store.read_now(lambda tx: reads.page(tx, C1, 3, 3))) == ["e4", "e5"]


def test_a_wire_is_read_in_both_directions(store: Store) -> None:
    talk(store)
    assert ids(store.read_now(lambda tx: reads.wire_after(tx, L1, 1, 9))) == ["e2", "e4", "e5"]
    assert ids(store.read_now(lambda tx: reads.wire_after(tx, L1, 0, 2))) == ["e1", "e2"]
    assert ids(store.read_now(lambda tx: reads.wire_before(tx, L1, 5, 2))) == ["e4", "e2"]


def test_where_a_wire_was_at_a_time(store: Store) -> None:
    talk(store)

    def write(tx: Tx) -> None:
        later = envelope_row("later", seq=9)._replace(wire_seq=9, at=500)
        threads.add_envelopes(tx, [later])

    store.write_now(write)
    found = [store.read_now(lambda tx, at=at: reads.wire_until(tx, L1, at)) for at in (1, 2, 500, 501)]  # type: ignore[misc]
    assert found == [0, 5, 5, 9]
    assert store.read_now(lambda tx: reads.wire_until(tx, LegId("none"), 501)) == 0


def test_what_the_ai_is_asked_about(store: Store) -> None:
    def write(tx: Tx) -> None:
        threads.add_conversations(tx, [replace(conversation("c1"), epoch=3, asked=7), conversation("c2")], 1)

    store.write_now(write)
    assert store.read_now(lambda tx: reads.asked_about(tx, C1)) == (3, 7)
    assert store.read_now(lambda tx: reads.asked_about(tx, ConversationId("c2"))) == (0, None)
    assert store.read_now(lambda tx: reads.asked_about(tx, ConversationId("c3"))) is None


def test_events_of_a_call_are_read_with_what_was_said(store: Store) -> None:
    event = envelope_row("e1", content=b"event")._replace(kind="call_event")
    store.write_now(lambda tx: threads.add_envelopes(tx, [event]))
    assert store.read_now(lambda tx: reads.transcript_rows(tx, C1, 5, 9)) == [b"event"]


def test_what_was_sent_shows_what_became_of_it(store: Store) -> None:
    talk(store)

    def fourth() -> tuple[Status | None, str | None]:
        (shown,) = store.read_now(lambda tx: reads.page(tx, C1, 3, 1))
        return shown.status, shown.error

    assert fourth() == (None, None)
    store.write_now(lambda tx: outbox.add(tx, [new_command(1, envelope="e4")]))
    assert fourth() == (None, None)
    own = [(*ref(part), EnvelopeId("e4"), RANK[Status.SENT], 1) for part in ("p1", "p2")]
    store.write_now(lambda tx: effects.own(tx, own))
    store.write_now(lambda tx: effects.raise_ranks(tx, [(RANK[Status.READ], None, *ref("p1"))]))
    assert fourth() == (Status.SENT, None), "a message is as far as its slowest part"
    store.write_now(lambda tx: effects.raise_ranks(tx, [(RANK[Status.FAILED], "131026", *ref("p2"))]))
    assert fourth() == (Status.FAILED, "131026")


@pytest.mark.parametrize("state", [FAILED, PARKED, SUPERSEDED])
def test_what_never_went_out_has_failed(state: int) -> None:
    assert reads.status_of((state, "why"), []) == (Status.FAILED, "why")


@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.READ])
def test_a_message_of_one_part_is_where_its_part_is(status: Status) -> None:
    assert reads.status_of((DONE, None), [(RANK[status], None)]) == (status, None)
    assert reads.status_of((DUE, None), []) == (None, None)


def test_legs_are_found_by_their_id_and_by_their_conversations(store: Store) -> None:
    legs = [leg_row("l1"), leg_row("l2", "c2"), leg_row("l3")]
    store.write_now(lambda tx: threads.save_legs(tx, legs))
    assert store.read_now(lambda tx: reads.get_leg(tx, LegId("l2"))) == legs[1]
    assert store.read_now(lambda tx: reads.get_leg(tx, LegId("l9"))) is None
    assert sorted(store.read_now(lambda tx: reads.legs_of(tx, [C1]))) == [legs[0], legs[2]]


def test_a_contact_has_the_conversations_of_all_that_it_is_known_to_be(store: Store) -> None:
    def write(tx: Tx) -> None:
        threads.add_conversations(tx, [conversation(f"c{n}", f"p{n}") for n in (1, 2, 3)], 1)
        people.add_contacts(tx, [contact_row(f"p{n}") for n in (1, 2, 3)])
        people.link(tx, Merge(ContactId("p2"), ContactId("p1"), Evidence.VERIFIED, "an agent said so"), 5)

    store.write_now(write)
    assert store.read_now(lambda tx: reads.get_conversation(tx, C1)) == conversation("c1", "p1")
    assert store.read_now(lambda tx: reads.get_conversation(tx, ConversationId("no"))) is None
    found = store.read_now(lambda tx: reads.conversations_of(tx, ContactId("p1")))
    assert sorted(one.id for one in found) == ["c1", "c2"]


def test_conversations_are_listed_newest_first_and_no_page_leaves_one_out(store: Store) -> None:
    for at, names in ((1, "ab"), (2, "cd"), (3, "e")):
        values = [conversation(name) for name in names]
        store.write_now(partial(threads.add_conversations, values=values, at=at))

    def page(before: tuple[int, str]) -> list[tuple[str, int]]:
        holders = ("ai", "queue", "agent", "nobody")
        rows = store.read_now(lambda tx: reads.list_conversations(tx, before, holders, 2))
        return [(one.id, at) for one, at in rows]

    found, rest = list[tuple[str, int]](), page((1 << 62, ""))
    while rest:
        found += rest
        rest = page((rest[-1][1], rest[-1][0]))
    assert found == [("e", 3), ("d", 2), ("c", 2), ("b", 1), ("a", 1)]
    assert store.read_now(lambda tx: reads.list_conversations(tx, (9, ""), ("ai",), 9)) == []


def test_what_touched_an_external_id_can_be_traced(store: Store) -> None:
    def write(tx: Tx) -> None:
        threads.add_envelopes(tx, [envelope_row("e1")._replace(intake_id=7), envelope_row("e2", seq=2)])
        effects.own(tx, [(*ref("x"), EnvelopeId("e1"), 1, 1), (*ref("x", "mail"), EnvelopeId("e2"), 2, 1)])
        effects.claim_keys(tx, [seen("k", "e1", intake_id=7, idx=3, at=9)])
        outbox.add(tx, [new_command(1, envelope="e1")])
        intake.bury(tx, [dead_row(1, intake_id=7)])

    store.write_now(write)
    (held,) = store.write_now(lambda tx: outbox.claim(tx, "a", ["send"], lease_ms=1, most=1))
    store.write_now(lambda tx: outbox.settle(tx, settled(held, FAILED, error="why", done_at=8)))
    assert sorted(store.read_now(lambda tx: reads.find_external(tx, ExternalId("x")))) == [
        (ChannelId("mail"), "e2", 2), (ChannelId("wa"), "e1", 1),
    ]  # fmt: skip
    (command,) = store.read_now(lambda tx: reads.commands_of(tx, [EnvelopeId("e1")]))
    assert (command["id"], command["state"], command["error"], command["done_at"]) == ("cmd-1", FAILED, "why", 8)
    (caused,) = store.read_now(lambda tx: reads.caused_by(tx, 7))
    assert (caused["id"], caused["seq"]) == ("e1", 1)
    assert store.read_now(lambda tx: reads.dead_of(tx, 7)) == [(1, "malformed", 5)]
    assert store.read_now(lambda tx: reads.seen_as(tx, EnvelopeId("e1"))) == [(7, 3, 9)]


def test_the_highest_number_is_that_of_all_tables_that_draw_from_it(store: Store) -> None:
    assert store.read_now(reads.highest_number) == 0
    store.write_now(lambda tx: outbox.add(tx, [new_command(40)]))
    assert store.read_now(reads.highest_number) == 40
    store.write_now(lambda tx: intake.bury(tx, [dead_row(60)]))
    assert store.read_now(reads.highest_number) == 60


def test_a_database_that_answers_is_alive(store: Store) -> None:
    assert store.read_now(reads.alive)
