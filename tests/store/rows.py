"""Rows for the store's tests, with everything that a test does not care about filled in."""

from __future__ import annotations

from gateway.store.effects import Parked, Seen
from gateway.store.intake import Dead, IntakeRow
from gateway.store.outbox import Held, NewCommand, Settled
from gateway.store.people import AddressRow, ContactRow
from gateway.store.schema import DUE
from gateway.store.threads import EnvelopeRow, LegRow
from normalizer.ids import (
    ChannelId,
    CommandId,
    ContactId,
    ConversationId,
    EndpointId,
    EnvelopeId,
    ExternalId,
    IntakeId,
    LegId,
    MatchKey,
)
from router.conversation import Conversation

CHANNEL = ChannelId("wa")


def intake_row(id: int, lane: str = "wa", raw: bytes = b"raw", *, wants_outcome: bool = False) -> IntakeRow:
    return IntakeRow(IntakeId(id), EndpointId("wa"), lane, "raw", raw, wants_outcome)


def dead_row(id: int, intake_id: int = 1, idx: int = 0) -> Dead:
    return Dead(id, IntakeId(intake_id), idx, EndpointId("wa"), "wa", "raw", "malformed", "no JSON", b"raw", 5)


def seen(key: str, envelope: str = "e1", intake_id: int = 1, idx: int = 0, at: int = 1) -> Seen:
    return Seen(key, EnvelopeId(envelope), "digest", intake_id, idx, at)


def parked_row(id: int, external: str, at: int = 1) -> Parked:
    return Parked(id, CHANNEL, ExternalId(external), EnvelopeId(f"e{id}"), b"{}", at)


def ref(external: str, channel: str = CHANNEL) -> tuple[ChannelId, ExternalId]:
    return ChannelId(channel), ExternalId(external)


def contact_row(id: str, name: str | None = None) -> ContactRow:
    return ContactRow(ContactId(id), "person", name, 1)


def address_row(key: str, contact: str, evidence: int = 1, at: int = 1) -> AddressRow:
    return AddressRow(MatchKey(key), ContactId(contact), f"whatsapp:{key}", evidence, at)


def conversation(id: str, contact: str | None = None) -> Conversation:
    return Conversation(id=ConversationId(id), contact_id=ContactId(contact or f"contact-of-{id}"))


def leg_row(id: str, conversation: str = "c1", wire_head: int = 0, native_thread: str | None = None) -> LegRow:
    return LegRow(
        id=LegId(id),
        channel_id=CHANNEL,
        key=MatchKey("tel:+4912345"),
        conversation_id=ConversationId(conversation),
        address="whatsapp:4912345",
        native_thread=native_thread,
        window_until=None,
        wire_head=wire_head,
        last_inbound=None,
        valid_from=0,
        read_up_to=0,
    )


def envelope_row(id: str, conversation: str = "c1", seq: int | None = 1, content: bytes = b"{}") -> EnvelopeRow:
    return EnvelopeRow(
        id=EnvelopeId(id),
        conversation_id=ConversationId(conversation),
        seq=seq,
        leg_id=LegId("l1"),
        wire_seq=None,
        channel_id=CHANNEL,
        kind="message",
        direction="in",
        observed=False,
        at=1,
        intake_id=1,
        content=content,
        raw=None,
    )


def new_command(
    n: int, kind: str = "send", leg: str | None = "l1", *, envelope: str | None = None, due_at: int = 0, step: int = 0
) -> NewCommand:
    return NewCommand(
        n=n,
        id=CommandId(f"cmd-{n}"),
        kind=kind,
        conversation_id=ConversationId("c1"),
        leg_id=None if leg is None else LegId(leg),
        channel_id=CHANNEL,
        envelope_id=EnvelopeId(envelope or f"e{n}"),
        payload=b"{}",
        fence=0,
        state=DUE,
        due_at=due_at,
        attempts=0,
        step=step,
        created_at=1,
    )


def settled(
    held: Held, state: int, *, due_at: int = 0, error: str | None = None, done_at: int | None = None
) -> Settled:
    return Settled(state, due_at, held.attempts, held.step, held.doubts, error, done_at, held.n, held.epoch)
