from __future__ import annotations

import msgspec
import pytest

from gateway.store import threads
from gateway.store.store import Store
from normalizer.ids import AgentId, ChannelId, ContactId, ConversationId, EnvelopeId, LegId
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue
from tests.store.rows import conversation, envelope_row, leg_row


def put(store: Store, *values: Conversation) -> None:
    store.write_now(lambda tx: threads.add_conversations(tx, list(values), 1))


def get(store: Store, id: str) -> Conversation | None:
    return store.write_now(lambda tx: threads.lock(tx, [ConversationId(id)])).get(ConversationId(id))


@pytest.mark.parametrize("holder", [Ai(), Queue("billing"), Agent(AgentId("ann")), Nobody()], ids=repr)
def test_a_conversation_comes_back_as_it_was_saved(store: Store, holder: Holder) -> None:
    full = Conversation(
        id=ConversationId("c1"),
        contact_id=ContactId("p1"),
        holder=holder,
        epoch=3,
        head=12,
        asked=11,
        last_in=10,
        answered=9,
        reply_leg=LegId("l1"),
        reason="because",
        next_step="a person answers",
        due_at=1_800_000_000_000,
    )
    put(store, full)
    assert get(store, "c1") == full
    changed = msgspec.structs.replace(full, holder=Nobody(), asked=None, reply_leg=None, due_at=None, epoch=4, head=13)
    store.write_now(lambda tx: threads.save(tx, [changed], 2))
    assert get(store, "c1") == changed


def test_a_contact_has_one_conversation(store: Store) -> None:
    put(store, conversation("c1", "p1"))
    put(store, conversation("c2", "p1"), conversation("c3", "p3"))
    found = store.write_now(
        lambda tx: threads.lock_of_contacts(tx, [ContactId("p1"), ContactId("p3"), ContactId("no")])
    )
    assert {contact: value.id for contact, value in found.items()} == {"p1": "c1", "p3": "c3"}
    assert get(store, "c2") is None


def test_a_known_conversation_is_not_overwritten_by_adding_it_again(store: Store) -> None:
    put(store, conversation("c1", "p1"))
    store.write_now(lambda tx: threads.save(tx, [msgspec.structs.replace(conversation("c1", "p1"), head=5)], 2))
    put(store, conversation("c1", "p1"))
    found = get(store, "c1")
    assert found is not None
    assert found.head == 5


def test_locking_gives_the_conversations_in_the_order_of_their_ids(store: Store) -> None:
    wanted = [ConversationId(f"c{n}") for n in (3, 1, 2)]
    for id in wanted:
        put(store, conversation(id))
    assert list(store.write_now(lambda tx: threads.lock(tx, wanted))) == ["c1", "c2", "c3"]


def test_legs_are_added_and_of_known_ones_what_changes_is_written(store: Store) -> None:
    first, second = leg_row("l1"), leg_row("l2", native_thread="T1")
    store.write_now(lambda tx: threads.save_legs(tx, [second, first]))
    moved = first._replace(
        native_thread="T2", window_until=99, wire_head=4, last_inbound="wamid", valid_from=8, read_up_to=3,
        conversation_id=ConversationId("c9"), channel_id=ChannelId("other"), address="whatsapp:other",
    )  # fmt: skip
    store.write_now(lambda tx: threads.save_legs(tx, [moved]))
    found = store.write_now(lambda tx: threads.lock_legs(tx, [LegId("l2"), LegId("l1"), LegId("none")]))
    kept = moved._replace(conversation_id=first.conversation_id, channel_id=first.channel_id, address=first.address)
    assert found == {"l1": kept, "l2": second}
    assert list(found) == ["l1", "l2"]


def test_a_leg_saved_twice_in_one_batch_ends_as_the_later(store: Store) -> None:
    rows = [leg_row("l1", native_thread="T"), leg_row("l1", wire_head=7)]
    store.write_now(lambda tx: threads.save_legs(tx, rows))
    assert store.write_now(lambda tx: threads.lock_legs(tx, [LegId("l1")])) == {"l1": rows[1]}


def test_envelopes_come_back_as_they_were_added(store: Store) -> None:
    full = envelope_row("e1", content=b'{"v":1}')._replace(
        wire_seq=4, observed=True, raw=b"\x00\xff", at=5, intake_id=6
    )
    bare = envelope_row("e2", seq=None)._replace(conversation_id=None, leg_id=None, channel_id=None)
    store.write_now(lambda tx: threads.add_envelopes(tx, [full, bare]))
    wanted = [EnvelopeId("e1"), EnvelopeId("e2"), EnvelopeId("e3")]
    assert store.read_now(lambda tx: threads.get_envelopes(tx, wanted)) == {"e1": full, "e2": bare}
    store.write_now(lambda tx: threads.replace_content(tx, [(b"new", EnvelopeId("e2"))]))
    assert store.read_now(lambda tx: threads.get_envelopes(tx, wanted)) == {
        "e1": full,
        "e2": bare._replace(content=b"new"),
    }


def test_a_number_on_the_wire_is_given_once(store: Store) -> None:
    store.write_now(lambda tx: threads.add_envelopes(tx, [envelope_row("e1"), envelope_row("e2", seq=2)]))
    store.write_now(lambda tx: threads.number_wires(tx, [(1, EnvelopeId("e1"))]))
    store.write_now(lambda tx: threads.number_wires(tx, [(5, EnvelopeId("e1")), (2, EnvelopeId("e2"))]))
    found = store.read_now(lambda tx: threads.get_envelopes(tx, [EnvelopeId("e1"), EnvelopeId("e2")]))
    assert [row.wire_seq for row in found.values()] == [1, 2]


def test_empty_lists_are_no_trouble(store: Store) -> None:
    assert store.write_now(lambda tx: threads.lock(tx, [])) == {}
    assert store.write_now(lambda tx: threads.lock_of_contacts(tx, [])) == {}
    assert store.write_now(lambda tx: threads.lock_legs(tx, [])) == {}
    assert store.write_now(lambda tx: threads.get_envelopes(tx, [])) == {}
    store.write_now(lambda tx: threads.save(tx, [], 1))
