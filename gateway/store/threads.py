"""Conversations, their legs, and the envelopes in them.

Rule: conversations are locked in the order of their ids and then read, then legs; a decision reads nothing unlocked.
Rule: `seq` counts a conversation, `wire_seq` a leg; both are given out under these locks only.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import Any, NamedTuple

import sqlalchemy as sa

from gateway.store.schema import conversation, envelope, leg
from gateway.store.statement import AnyOf, Statement, b, insert
from gateway.store.tx import Tx
from normalizer.ids import AgentId, ChannelId, ContactId, ConversationId, EnvelopeId, LegId, MatchKey
from router.conversation import Agent, Ai, Conversation, Holder, Nobody, Queue, kind_of

_COLUMNS = (
    "id", "contact_id", "holder", "holder_name", "epoch", "head", "asked", "last_in", "answered", "reply_leg",
    "reason", "next_step", "due_at",
)  # fmt: skip
_CHANGING = _COLUMNS[2:]


class LegRow(NamedTuple):
    id: LegId
    channel_id: ChannelId
    key: MatchKey
    conversation_id: ConversationId
    address: str
    native_thread: str | None
    window_until: int | None
    wire_head: int
    last_inbound: str | None
    valid_from: int
    """Credentials of a live leg that were issued before are void."""
    read_up_to: int
    subject: str | None = None
    """Of the last message that came in over it."""


class EnvelopeRow(NamedTuple):
    id: EnvelopeId
    conversation_id: ConversationId | None
    seq: int | None
    leg_id: LegId | None
    wire_seq: int | None
    channel_id: ChannelId | None
    kind: str
    direction: str
    observed: bool
    at: int
    intake_id: int
    content: bytes
    raw: bytes | None


_ADD = Statement(
    lambda d: d.insert(conversation)
    .values({name: b(name) for name in (*_COLUMNS, "created_at", "updated_at")})
    .on_conflict_do_nothing(),
    *_COLUMNS, "created_at", "updated_at",
)  # fmt: skip
_LOCK_OF = Statement(
    lambda d: (
        sa.select(*(conversation.c[name] for name in _COLUMNS))
        .where(AnyOf(conversation.c.contact_id, "ids"))
        .order_by(conversation.c.id)
        .with_for_update()
    ),
    "ids",
)
_LOCK = Statement(
    lambda d: (
        sa.select(*(conversation.c[name] for name in _COLUMNS))
        .where(AnyOf(conversation.c.id, "ids"))
        .order_by(conversation.c.id)
        .with_for_update()
    ),
    "ids",
)
_SAVE = Statement(
    lambda d: sa.update(conversation)
    .values({name: b(f"p_{name}") for name in (*_CHANGING, "updated_at")})
    .where(conversation.c.id == b("p_id")),
    *(f"p_{name}" for name in (*_CHANGING, "updated_at")), "p_id",
)  # fmt: skip
_LEGS = Statement(
    lambda d: (
        sa.select(*(leg.c[name] for name in LegRow._fields))
        .where(AnyOf(leg.c.id, "ids"))
        .order_by(leg.c.id)
        .with_for_update()
    ),
    "ids",
)
_LEG_SAVE = Statement(
    lambda d: (stmt := d.insert(leg).values({name: b(name) for name in LegRow._fields})).on_conflict_do_update(
        index_elements=["id"],
        set_={
            name: stmt.excluded[name]
            for name in (
                "native_thread",
                "window_until",
                "wire_head",
                "last_inbound",
                "valid_from",
                "read_up_to",
                "subject",
            )
        },
    ),
    *LegRow._fields,
)
_ENVELOPE_ADD = insert(envelope, *EnvelopeRow._fields)
_ENVELOPES = Statement(
    lambda d: sa.select(*(envelope.c[name] for name in EnvelopeRow._fields)).where(AnyOf(envelope.c.id, "ids")), "ids"
)
_CONTENT = Statement(
    lambda d: sa.update(envelope).values(content=b("p_content")).where(envelope.c.id == b("p_id")), "p_content", "p_id"
)
_WIRE = Statement(
    lambda d: sa.update(envelope)
    .values(wire_seq=b("p_wire"))
    .where(envelope.c.id == b("p_id"), envelope.c.wire_seq.is_(None)),
    "p_wire", "p_id",
)  # fmt: skip


def to_conversation(row: tuple[Any, ...]) -> Conversation:
    """From the columns in the order of `_COLUMNS`."""
    id, contact, holder, name, epoch, head, asked, last_in, answered, reply_leg, reason, next_step, due_at = row
    return Conversation(
        id=id,
        contact_id=contact,
        holder=_holder(holder, name),
        epoch=epoch,
        head=head,
        asked=asked,
        last_in=last_in,
        answered=answered,
        reply_leg=reply_leg,
        reason=reason,
        next_step=next_step,
        due_at=due_at,
    )


def _holder(kind: str, name: str | None) -> Holder:
    match kind:
        case "ai":
            return Ai()
        case "queue":
            return Queue(str(name))
        case "agent":
            return Agent(AgentId(str(name)))
        case _:
            return Nobody()


def _holder_name(holder: Holder) -> str | None:
    match holder:
        case Queue(name=name):
            return name
        case Agent(agent_id=agent):
            return agent
        case Ai() | Nobody():
            return None


def _changing(value: Conversation) -> tuple[object, ...]:
    return (kind_of(value.holder), _holder_name(value.holder), value.epoch, value.head, value.asked, value.last_in,
            value.answered, value.reply_leg, value.reason, value.next_step, value.due_at)  # fmt: skip


def add_conversations(tx: Tx, values: list[Conversation], at: int) -> None:
    """Those that are there already are left alone."""
    rows = sorted(values, key=lambda value: value.id)
    tx.run_many(_ADD, [(value.id, value.contact_id, *_changing(value), at, at) for value in rows])


def lock_of_contacts(tx: Tx, contacts: Iterable[ContactId]) -> dict[ContactId, Conversation]:
    rows = tx.rows(_LOCK_OF, (tx.many(contacts),))
    return {value.contact_id: value for value in (to_conversation(row) for row in rows)}


def lock(tx: Tx, ids: Iterable[ConversationId]) -> dict[ConversationId, Conversation]:
    rows = tx.rows(_LOCK, (tx.many(ids),))
    return {value.id: value for value in (to_conversation(row) for row in rows)}


def save(tx: Tx, values: Iterable[Conversation], at: int) -> None:
    tx.run_many(_SAVE, [(*_changing(value), at, value.id) for value in values])


def lock_legs(tx: Tx, ids: Iterable[LegId]) -> dict[LegId, LegRow]:
    return {row[0]: LegRow(*row) for row in tx.rows(_LEGS, (tx.many(ids),))}


def save_legs(tx: Tx, rows: Iterable[LegRow]) -> None:
    """New ones are added; of known ones what changes is written."""
    tx.run_many(_LEG_SAVE, sorted(rows, key=itemgetter(0)))


def add_envelopes(tx: Tx, rows: list[EnvelopeRow]) -> None:
    tx.run_many(_ENVELOPE_ADD, rows)


def get_envelopes(tx: Tx, ids: Iterable[EnvelopeId]) -> dict[EnvelopeId, EnvelopeRow]:
    return {row[0]: EnvelopeRow(*row) for row in tx.rows(_ENVELOPES, (tx.many(ids),))}


def replace_content(tx: Tx, rows: list[tuple[bytes, EnvelopeId]]) -> None:
    tx.run_many(_CONTENT, rows)


def number_wires(tx: Tx, rows: list[tuple[int, EnvelopeId]]) -> None:
    """What has a number on its leg keeps it."""
    tx.run_many(_WIRE, rows)
