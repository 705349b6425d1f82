"""What the API and the operator's commands look at across conversations: queues, the dead, what is stuck, links.

Rule: nothing here locks, and every page has a limit and a cursor that is a stored number or id, never an offset.
Rule: what was given up is listed without its bytes: a page of it would otherwise weigh hundreds of megabytes.
"""

from typing import NamedTuple

import sqlalchemy as sa

from gateway.store import people
from gateway.store.schema import (
    DEAD,
    DONE,
    DOUBT,
    DUE,
    FAILED,
    FINAL,
    PARKED,
    SENDING,
    SUPERSEDED,
    command,
    contact,
    conversation,
    dead,
    parked,
)  # fmt: skip
from gateway.store.statement import AnyOf, Statement, b
from gateway.store.tx import Tx
from normalizer.ids import ChannelId, CommandId, ContactId, ConversationId, EnvelopeId, ExternalId

STUCK = (FAILED, PARKED, DEAD)
"""States of a command that ended without success: a person may decide to try it again."""

STATES = {
    DUE: "due", SENDING: "sending", DOUBT: "doubt", DONE: "done", SUPERSEDED: "superseded", FAILED: "failed",
    PARKED: "parked", DEAD: "dead",
}  # fmt: skip
"""States of a command, in words."""

MS_SHIFT = 20
"""The numbers of intake rows and commands are a time in milliseconds above this many bits."""


class QueueRow(NamedTuple):
    name: str
    waiting: int
    oldest_due: int | None


class DeadRow(NamedTuple):
    id: int
    intake_id: int
    idx: int
    endpoint_id: str
    kind: str
    reason: str
    detail: str
    at: int


class StuckRow(NamedTuple):
    n: int
    id: CommandId
    kind: str
    state: int
    conversation_id: ConversationId
    channel_id: ChannelId | None
    envelope_id: EnvelopeId | None
    attempts: int
    error: str | None
    at: int


class OrphanRow(NamedTuple):
    id: int
    channel_id: ChannelId
    external_id: ExternalId
    envelope_id: EnvelopeId
    at: int


class LinkRow(NamedTuple):
    """`child` is known to be `parent`."""

    child: ContactId
    parent: ContactId
    evidence: int
    reason: str
    at: int


class FailureRow(NamedTuple):
    command_id: CommandId
    kind: str
    state: int
    error: str
    at: int


_QUEUES = Statement(
    lambda d: (
        sa.select(conversation.c.holder_name, sa.func.count(), sa.func.min(conversation.c.due_at))
        .where(conversation.c.holder == "queue")
        .group_by(conversation.c.holder_name)
        .order_by(conversation.c.holder_name)
    )
)
_BEGAN = Statement(
    lambda d: sa.select(conversation.c.created_at, conversation.c.updated_at).where(conversation.c.id == b("p_id")),
    "p_id",
)
_DEAD_PAGE = Statement(
    lambda d: sa.select(*(dead.c[name] for name in DeadRow._fields))
    .where(dead.c.id > b("after"), dead.c.replayed_at.is_(None))
    .order_by(dead.c.id)
    .limit(b("most")),
    "after", "most",
)  # fmt: skip
_STUCK_PAGE = Statement(
    lambda d: sa.select(
        *(command.c[name] for name in StuckRow._fields[:-1]), sa.func.coalesce(command.c.done_at, command.c.created_at)
    )
    # Marks are a courtesy: one that failed is nobody's work.
    .where(command.c.n > b("after"), AnyOf(command.c.state, "states"), command.c.kind != "mark")
    .order_by(command.c.n)
    .limit(b("most")),
    "after", "states", "most",
)  # fmt: skip
_ORPHAN_PAGE = Statement(
    lambda d: sa.select(*(parked.c[name] for name in OrphanRow._fields))
    .where(parked.c.id > b("after"), parked.c.at < b("before"))
    .order_by(parked.c.id)
    .limit(b("most")),
    "after", "before", "most",
)  # fmt: skip
_PARKED_COUNT = Statement(
    lambda d: sa.select(
        sa.func.count(), sa.func.coalesce(sa.func.sum(sa.case((parked.c.at < b("before"), 1), else_=0)), 0)
    ).select_from(parked),
    "before",
)
_LINK_COLUMNS = (contact.c.id, contact.c.parent_id, contact.c.link_evidence, contact.c.link_reason, contact.c.linked_at)
_LINKS = Statement(
    lambda d: (
        sa.select(*_LINK_COLUMNS)
        .where(AnyOf(contact.c.id, "ids"), contact.c.parent_id.is_not(None))
        .order_by(contact.c.id)
    ),
    "ids",
)
_WAITING = Statement(
    lambda d: (
        sa.select(command.c.kind, sa.func.count())
        .where(command.c.state < sa.literal_column(str(FINAL)), command.c.channel_id == b("p_channel"))
        .group_by(command.c.kind)
        .order_by(command.c.kind)
    ),
    "p_channel",
)
_FAILURES = Statement(
    lambda d: sa.select(
        command.c.id, command.c.kind, command.c.state, command.c.error,
        sa.func.coalesce(command.c.done_at, command.c.created_at),
    )
    .where(command.c.n > b("after"), command.c.channel_id == b("p_channel"), command.c.error.is_not(None))
    .order_by(command.c.n.desc())
    .limit(b("most")),
    "after", "p_channel", "most",
)  # fmt: skip


def queues(tx: Tx) -> list[QueueRow]:
    """Those in which somebody waits."""
    return [QueueRow(*row) for row in tx.rows(_QUEUES)]


def began(tx: Tx, conversation_id: ConversationId) -> tuple[int, int] | None:
    """When it began and when it last changed."""
    row = tx.first(_BEGAN, (conversation_id,))
    return None if row is None else (row[0], row[1])


def dead_page(tx: Tx, after: int, most: int) -> list[DeadRow]:
    """What could not be processed and was not replayed, oldest first."""
    return [DeadRow(*row) for row in tx.rows(_DEAD_PAGE, (after, most))]


def stuck_page(tx: Tx, after: int, most: int) -> list[StuckRow]:
    return [StuckRow(*row) for row in tx.rows(_STUCK_PAGE, (after, tx.many(STUCK), most))]


def orphan_page(tx: Tx, after: int, before: int, most: int) -> list[OrphanRow]:
    """Side events that were parked before `before` and whose message never came."""
    return [OrphanRow(*row) for row in tx.rows(_ORPHAN_PAGE, (after, before, most))]


def count_parked(tx: Tx, before: int) -> tuple[int, int]:
    """Side events that wait for their message, and those of them that were parked before `before`."""
    row = tx.first(_PARKED_COUNT, (before,))
    assert row is not None, "a count has one row"
    return int(row[0]), int(row[1])


def links_of_family(tx: Tx, contact_id: ContactId) -> list[LinkRow]:
    """Every link among the contact and those that are known to be the same person."""
    return [LinkRow(*row) for row in tx.rows(_LINKS, (tx.many(whole_family(tx, contact_id)),))]


def whole_family(tx: Tx, contact_id: ContactId) -> list[ContactId]:
    """All contacts that are known to be one person, the one at the top first."""
    top, seen = contact_id, {contact_id}
    while (found := people.get_contact(tx, top)) is not None and found[1] is not None and found[1] not in seen:
        top = found[1]
        seen.add(top)
    return people.family(tx, top)


def waiting_of(tx: Tx, channel: ChannelId) -> dict[str, int]:
    """Commands of a channel that are not performed yet, by their kind."""
    return {row[0]: row[1] for row in tx.rows(_WAITING, (channel,))}


def failures_of(tx: Tx, channel: ChannelId, since: int, most: int) -> list[FailureRow]:
    """The last ones of commands that were decided after `since` (milliseconds), newest first."""
    return [FailureRow(*row) for row in tx.rows(_FAILURES, (since << MS_SHIFT, channel, most))]
