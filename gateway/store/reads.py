"""Reading for rooms, sockets and the API: pages and single things, nothing locked.

Rule: every page has a limit and a cursor that is a stored number or id, never an offset.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa

from gateway.store import effects, outbox, people
from gateway.store.schema import (
    DONE,
    FAILED,
    PARKED,
    SUPERSEDED,
    command,
    conversation,
    dead,
    dedupe,
    envelope,
    external,
    intake,
    leg,
)
from gateway.store.statement import AnyOf, Statement, b
from gateway.store.threads import EnvelopeRow, LegRow, to_conversation
from gateway.store.tx import Tx
from normalizer.envelope import RANK, Status
from normalizer.ids import ChannelId, ContactId, ConversationId, EnvelopeId, ExternalId, LegId
from router.conversation import Conversation

_CONVERSATION = ("id", "contact_id", "holder", "holder_name", "epoch", "head", "asked", "last_in", "answered",
                 "reply_leg", "reason", "next_step", "due_at")  # fmt: skip
_ENVELOPE = tuple(envelope.c[name] for name in EnvelopeRow._fields)

_TRANSCRIPT = Statement(
    lambda d: sa.select(envelope.c.content)
    .where(
        envelope.c.conversation_id == b("p_id"),
        envelope.c.seq.is_not(None),
        envelope.c.seq <= b("p_upto"),
        AnyOf(envelope.c.kind, "kinds"),
        # What was withheld or never went out was not said.
        sa.not_(
            sa.exists().where(
                command.c.envelope_id == envelope.c.id,
                sa.or_(command.c.state == SUPERSEDED, command.c.state == FAILED),
                command.c.kind == sa.literal_column("'send'"),
            )
        ),
    )
    .order_by(envelope.c.seq.desc())
    .limit(b("most")),
    "p_id", "p_upto", "kinds", "most",
)  # fmt: skip
_PAGE = Statement(
    lambda d: sa.select(*_ENVELOPE)
    .where(envelope.c.conversation_id == b("p_id"), envelope.c.seq.is_not(None), envelope.c.seq > b("p_after"))
    .order_by(envelope.c.seq)
    .limit(b("most")),
    "p_id", "p_after", "most",
)  # fmt: skip
_WIRE_AFTER = Statement(
    lambda d: sa.select(*_ENVELOPE)
    .where(envelope.c.leg_id == b("p_leg"), envelope.c.wire_seq.is_not(None), envelope.c.wire_seq > b("p_after"))
    .order_by(envelope.c.wire_seq)
    .limit(b("most")),
    "p_leg", "p_after", "most",
)  # fmt: skip
_WIRE_BEFORE = Statement(
    lambda d: sa.select(*_ENVELOPE)
    .where(envelope.c.leg_id == b("p_leg"), envelope.c.wire_seq.is_not(None), envelope.c.wire_seq < b("p_before"))
    .order_by(envelope.c.wire_seq.desc())
    .limit(b("most")),
    "p_leg", "p_before", "most",
)  # fmt: skip
_WIRE_UNTIL = Statement(
    lambda d: sa.select(envelope.c.wire_seq)
    .where(envelope.c.leg_id == b("p_leg"), envelope.c.wire_seq.is_not(None), envelope.c.at < b("p_at"))
    .order_by(envelope.c.wire_seq.desc())
    .limit(1),
    "p_leg", "p_at",
)  # fmt: skip
_LEG = Statement(lambda d: sa.select(*(leg.c[name] for name in LegRow._fields)).where(leg.c.id == b("p_id")), "p_id")
_LEGS_OF = Statement(
    lambda d: sa.select(*(leg.c[name] for name in LegRow._fields)).where(AnyOf(leg.c.conversation_id, "ids")), "ids"
)
_ONE = Statement(
    lambda d: sa.select(*(conversation.c[name] for name in _CONVERSATION)).where(conversation.c.id == b("p_id")), "p_id"
)
_OF_CONTACT = Statement(
    lambda d: sa.select(*(conversation.c[name] for name in _CONVERSATION)).where(
        AnyOf(conversation.c.contact_id, "ids")
    ),
    "ids",
)
_LIST = Statement(
    lambda d: sa.select(*(conversation.c[name] for name in _CONVERSATION), conversation.c.created_at)
    .where(
        sa.or_(
            conversation.c.created_at < b("p_at"),
            sa.and_(conversation.c.created_at == b("p_at"), conversation.c.id < b("p_before")),
        ),
        AnyOf(conversation.c.holder, "holders"),
    )
    .order_by(conversation.c.created_at.desc(), conversation.c.id.desc())
    .limit(b("most")),
    "p_at", "p_before", "holders", "most",
)  # fmt: skip
_BY_EXTERNAL = Statement(
    lambda d: sa.select(external.c.channel_id, external.c.envelope_id, external.c.rank).where(
        external.c.external_id == b("p_id")
    ),
    "p_id",
)
_COMMANDS_OF = Statement(
    lambda d: sa.select(
        command.c.id, command.c.kind, command.c.state, command.c.attempts, command.c.step, command.c.created_at,
        command.c.done_at, command.c.error,
    ).where(AnyOf(command.c.envelope_id, "ids")),
    "ids",
)  # fmt: skip
_CAUSED = Statement(
    lambda d: sa.select(envelope.c.id, envelope.c.kind, envelope.c.direction, envelope.c.seq, envelope.c.at).where(
        envelope.c.intake_id == b("p_id")
    ),
    "p_id",
)  # fmt: skip
_DEAD_OF = Statement(
    lambda d: sa.select(dead.c.id, dead.c.reason, dead.c.at).where(dead.c.intake_id == b("p_id")), "p_id"
)
_SEEN_OF = Statement(
    lambda d: sa.select(dedupe.c.intake_id, dedupe.c.idx, dedupe.c.at).where(dedupe.c.envelope_id == b("p_id")), "p_id"
)
_ALIVE = Statement(lambda d: sa.select(sa.func.count()).select_from(intake).where(intake.c.id == 0))

_ASKED = Statement(
    lambda d: sa.select(conversation.c.epoch, conversation.c.asked).where(conversation.c.id == b("p_id")), "p_id"
)

TALK = ("message", "unsupported", "call_event")
"""What is said, and what may change how much of it was heard."""


class Shown(NamedTuple):
    """An envelope with what became of it."""

    row: EnvelopeRow
    status: Status | None
    error: str | None


def transcript_rows(tx: Tx, conversation_id: ConversationId, up_to: int, most: int) -> list[bytes]:
    """Contents of the last messages up to a seq, oldest first."""
    return [row[0] for row in reversed(tx.rows(_TRANSCRIPT, (conversation_id, up_to, tx.many(TALK), most)))]


def page(tx: Tx, conversation_id: ConversationId, after: int, most: int) -> list[Shown]:
    return _shown(tx, [EnvelopeRow(*row) for row in tx.rows(_PAGE, (conversation_id, after, most))])


def wire_after(tx: Tx, leg_id: LegId, after: int, most: int) -> list[Shown]:
    """What the leg may see beyond `after`, oldest first."""
    return _shown(tx, [EnvelopeRow(*row) for row in tx.rows(_WIRE_AFTER, (leg_id, after, most))])


def wire_before(tx: Tx, leg_id: LegId, before: int, most: int) -> list[Shown]:
    """Newest first."""
    return _shown(tx, [EnvelopeRow(*row) for row in tx.rows(_WIRE_BEFORE, (leg_id, before, most))])


def wire_until(tx: Tx, leg_id: LegId, at: int) -> int:
    """The number of the leg's last line from before this time; 0: there is none."""
    row = tx.first(_WIRE_UNTIL, (leg_id, at))
    return 0 if row is None else int(row[0])


def _shown(tx: Tx, rows: list[EnvelopeRow]) -> list[Shown]:
    sent = [row.id for row in rows if row.direction == "out"]
    if not sent:
        return [Shown(row, None, None) for row in rows]
    states = outbox.of_envelopes(tx, sent)
    ranks: dict[EnvelopeId, list[tuple[int, str | None]]] = {}
    for one in effects.of_envelopes(tx, sent):
        if one.envelope_id is not None:
            ranks.setdefault(one.envelope_id, []).append((one.rank, one.failure))
    return [Shown(row, *status_of(states.get(row.id), ranks.get(row.id, []))) for row in rows]


def status_of(
    sent: tuple[int, str | None] | None, parts: list[tuple[int, str | None]]
) -> tuple[Status | None, str | None]:
    """Of a whole message: as far as its slowest part; failed when one of them failed or it never went out."""
    if sent is not None and sent[0] in (FAILED, PARKED, SUPERSEDED):
        return Status.FAILED, sent[1]
    if not parts:
        return (Status.SENT if sent is not None and sent[0] == DONE else None), None
    failed = next((failure for rank, failure in parts if rank == RANK[Status.FAILED]), None)
    if any(rank == RANK[Status.FAILED] for rank, _ in parts):
        return Status.FAILED, failed
    lowest = min(rank for rank, _ in parts)
    return next((status for status, rank in RANK.items() if rank == lowest), None), None


def get_leg(tx: Tx, leg_id: LegId) -> LegRow | None:
    row = tx.first(_LEG, (leg_id,))
    return None if row is None else LegRow(*row)


def legs_of(tx: Tx, conversations: Iterable[ConversationId]) -> list[LegRow]:
    return [LegRow(*row) for row in tx.rows(_LEGS_OF, (tx.many(conversations),))]


def get_conversation(tx: Tx, conversation_id: ConversationId) -> Conversation | None:
    row = tx.first(_ONE, (conversation_id,))
    return None if row is None else to_conversation(row)


def asked_about(tx: Tx, conversation_id: ConversationId) -> tuple[int, int | None] | None:
    """The holder's epoch, and the seq up to which the AI is asked about it."""
    row = tx.first(_ASKED, (conversation_id,))
    return None if row is None else (row[0], row[1])


def conversations_of(tx: Tx, contact: ContactId) -> list[Conversation]:
    """The contact's own and those of contacts that are linked to it."""
    return [to_conversation(row) for row in tx.rows(_OF_CONTACT, (tx.many(people.family(tx, contact)),))]


def list_conversations(
    tx: Tx, before: tuple[int, str], holders: Iterable[str], most: int
) -> list[tuple[Conversation, int]]:
    """Newest first, with the time that each began; `before`: (created at, id) of the last one of the page before."""
    rows = tx.rows(_LIST, (*before, tx.many(holders), most))
    return [(to_conversation(row[:-1]), row[-1]) for row in rows]


def find_external(tx: Tx, external_id: ExternalId) -> list[tuple[ChannelId, EnvelopeId | None, int]]:
    return [(ChannelId(row[0]), row[1], row[2]) for row in tx.rows(_BY_EXTERNAL, (external_id,))]


def commands_of(tx: Tx, envelopes: Iterable[EnvelopeId]) -> list[dict[str, Any]]:
    names = ("id", "kind", "state", "attempts", "step", "created_at", "done_at", "error")
    return [dict(zip(names, row, strict=True)) for row in tx.rows(_COMMANDS_OF, (tx.many(envelopes),))]


def caused_by(tx: Tx, intake_id: int) -> list[dict[str, Any]]:
    """Everything that one intake row became."""
    names = ("id", "kind", "direction", "seq", "at")
    return [dict(zip(names, row, strict=True)) for row in tx.rows(_CAUSED, (intake_id,))]


def dead_of(tx: Tx, intake_id: int) -> list[tuple[int, str, int]]:
    return [(row[0], row[1], row[2]) for row in tx.rows(_DEAD_OF, (intake_id,))]


def seen_as(tx: Tx, envelope_id: EnvelopeId) -> list[tuple[int, int, int]]:
    """(intake row, index in it, when) of the first time that the event came."""
    return [(row[0], row[1], row[2]) for row in tx.rows(_SEEN_OF, (envelope_id,))]


def alive(tx: Tx) -> bool:
    """The database answers and has our tables."""
    return bool(tx.scalar(_ALIVE) == 0)


_HIGHEST = Statement(
    lambda d: sa.select(
        sa.select(sa.func.max(intake.c.id)).scalar_subquery(),
        sa.select(sa.func.max(command.c.n)).scalar_subquery(),
        sa.select(sa.func.max(dead.c.id)).scalar_subquery(),
    )
)


def highest_number(tx: Tx) -> int:
    """Of all that were drawn as intake ids are."""
    return max((number or 0 for number in tx.rows(_HIGHEST)[0]), default=0)
