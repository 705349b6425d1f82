"""What makes an effect happen once, in its time: dedupe keys, the provider's ids and their states, parked side events.

Rule: a dedupe key is written in the transaction of the effect, never before, and compared by what is stored.
Rule: a message and its side events meet on one row of `external`: each touches it first, so one waits for the other.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import dedupe, envelope, external, parked
from gateway.store.statement import AnyOf, Statement, b, insert
from gateway.store.tx import Tx
from normalizer.envelope import RANK, Receipt, Status
from normalizer.ids import ChannelId, ConversationId, EnvelopeId, ExternalId, LegId


class Seen(NamedTuple):
    key: str
    envelope_id: EnvelopeId
    digest: str
    intake_id: int
    idx: int
    at: int


class ExternalRow(NamedTuple):
    channel_id: ChannelId
    external_id: ExternalId
    envelope_id: EnvelopeId | None
    rank: int
    failure: str | None


class Parked(NamedTuple):
    id: int
    channel_id: ChannelId
    external_id: ExternalId
    envelope_id: EnvelopeId
    content: bytes
    at: int


Ref = tuple[ChannelId, ExternalId]
Rank = tuple[int, str | None, ChannelId, ExternalId]
"""(rank, failure, channel, external id)"""
_FAILED = RANK[Status.FAILED]

_SEEN_ADD = insert(dedupe, *Seen._fields, ignore=True)
_SEEN = Statement(
    lambda d: sa.select(*(dedupe.c[name] for name in Seen._fields)).where(AnyOf(dedupe.c.key, "keys")), "keys"
)
_SEEN_PRUNE = Statement(lambda d: sa.delete(dedupe).where(dedupe.c.at < b("before")), "before")

_TOUCH = Statement(
    lambda d: d.insert(external)
    .values(channel_id=b("channel_id"), external_id=b("external_id"), rank=0, at=b("at"))
    .on_conflict_do_update(index_elements=["channel_id", "external_id"], set_={"at": external.c.at}),
    "channel_id", "external_id", "at",
)  # fmt: skip
_OWN = Statement(
    lambda d: (
        stmt := d.insert(external).values(
            {name: b(name) for name in ("channel_id", "external_id", "envelope_id", "rank", "at")}
        )
    ).on_conflict_do_update(
        index_elements=["channel_id", "external_id"],
        set_={
            "envelope_id": sa.func.coalesce(external.c.envelope_id, stmt.excluded.envelope_id),
            "rank": sa.case((external.c.rank < stmt.excluded.rank, stmt.excluded.rank), else_=external.c.rank),
        },
    ),
    "channel_id", "external_id", "envelope_id", "rank", "at",
)  # fmt: skip
_GET = Statement(
    lambda d: sa.select(*(external.c[name] for name in ExternalRow._fields)).where(
        AnyOf(external.c.channel_id, "channels"), AnyOf(external.c.external_id, "ids")
    ),
    "channels", "ids",
)  # fmt: skip
_RAISE = Statement(
    lambda d: sa.update(external)
    .values(rank=b("p_rank"), failure=b("p_failure"))
    .where(external.c.channel_id == b("p_channel"), external.c.external_id == b("p_external"))
    .where(external.c.rank < b("p_rank")),
    "p_rank", "p_failure", "p_channel", "p_external",
)  # fmt: skip
_OF_ENVELOPES = Statement(
    lambda d: sa.select(*(external.c[name] for name in ExternalRow._fields)).where(
        AnyOf(external.c.envelope_id, "ids")
    ),
    "ids",
)
_SAID_BEFORE = Statement(
    lambda d: sa.select(external.c.external_id)
    .join_from(envelope, external, envelope.c.id == external.c.envelope_id)
    .where(
        envelope.c.conversation_id == b("conversation"), envelope.c.seq < b("seq"), envelope.c.leg_id == b("leg"),
        envelope.c.kind == sa.literal_column("'message'"), external.c.channel_id == envelope.c.channel_id,
    )
    .order_by(envelope.c.seq.desc())
    .limit(b("most")),
    "conversation", "seq", "leg", "most",
)  # fmt: skip
_PARK = insert(parked, *Parked._fields)
_PARKED = Statement(
    lambda d: sa.select(*(parked.c[name] for name in Parked._fields))
    .where(AnyOf(parked.c.channel_id, "channels"), AnyOf(parked.c.external_id, "ids"))
    .order_by(parked.c.id),
    "channels", "ids",
)  # fmt: skip
_UNPARK = Statement(lambda d: sa.delete(parked).where(parked.c.id == b("p_id")), "p_id")
_ORPHANS = Statement(
    lambda d: sa.select(*(parked.c[name] for name in Parked._fields))
    .where(parked.c.at < b("before"))
    .order_by(parked.c.id)
    .limit(b("most")),
    "before", "most",
)  # fmt: skip


def claim_keys(tx: Tx, rows: list[Seen]) -> dict[str, Seen]:
    """Writes the keys that are new, of each the first, and says for every key who has it."""
    tx.run_many(_SEEN_ADD, sorted(rows, key=itemgetter(0)))
    return {row[0]: Seen(*row) for row in tx.rows(_SEEN, (tx.many(row.key for row in rows),))}


def prune_keys(tx: Tx, before: int) -> int:
    return tx.run(_SEEN_PRUNE, (before,))


def touch(tx: Tx, refs: Iterable[Ref], at: int) -> dict[Ref, ExternalRow]:
    """Locks the rows of side events' targets (making them where they are missing) and reads them."""
    rows = sorted(set(refs))
    tx.run_many(_TOUCH, [(*ref, at) for ref in rows])
    return get(tx, rows)


def own(tx: Tx, rows: list[tuple[ChannelId, ExternalId, EnvelopeId, int, int]]) -> None:
    """(channel, external id, envelope, rank, at): the envelope behind a provider's id is known now."""
    tx.run_many(_OWN, sorted(rows, key=itemgetter(0, 1)))


def get(tx: Tx, refs: Iterable[Ref]) -> dict[Ref, ExternalRow]:
    wanted = set(refs)
    channels, ids = {ref[0] for ref in wanted}, {ref[1] for ref in wanted}
    found = (ExternalRow(*row) for row in tx.rows(_GET, (tx.many(channels), tx.many(ids))))
    return {(row.channel_id, row.external_id): row for row in found if (row.channel_id, row.external_id) in wanted}


def raise_ranks(tx: Tx, rows: list[Rank]) -> None:
    """A lower rank than the stored one changes nothing."""
    tx.run_many(_RAISE, sorted(rows, key=lambda row: (row[2], row[3], row[0])))


def failed_by(ranks: Iterable[Rank], before: Mapping[Ref, ExternalRow]) -> dict[Ref, str]:
    """What fails by these and had not failed before, with the reason; `before` was read under the lock. What they
    themselves contradict is none."""
    highest: dict[Ref, tuple[int, str]] = {}
    for rank, failure, channel, id in ranks:
        known = highest.get((channel, id), (0, ""))
        highest[channel, id] = max(known, (rank, failure or Status.FAILED.value))
    fresh = {ref for ref, row in before.items() if row.rank < _FAILED}
    return {ref: why for ref, (rank, why) in highest.items() if rank == _FAILED and ref in fresh}


def of_envelopes(tx: Tx, ids: Iterable[EnvelopeId]) -> list[ExternalRow]:
    return [ExternalRow(*row) for row in tx.rows(_OF_ENVELOPES, (tx.many(ids),))]


def said_before(tx: Tx, conversation: ConversationId, leg: LegId, seq: int, most: int) -> tuple[ExternalId, ...]:
    """Of the last messages over the leg before this place, the oldest first."""
    return tuple(row[0] for row in reversed(tx.rows(_SAID_BEFORE, (conversation, seq, leg, most))))


def park(tx: Tx, rows: list[Parked]) -> None:
    tx.run_many(_PARK, rows)


def unpark(tx: Tx, refs: Iterable[Ref]) -> list[Parked]:
    """Takes out what waited for these messages, oldest first."""
    wanted = set(refs)
    channels, ids = {ref[0] for ref in wanted}, {ref[1] for ref in wanted}
    rows = [Parked(*row) for row in tx.rows(_PARKED, (tx.many(channels), tx.many(ids)))]
    rows = [row for row in rows if (row.channel_id, row.external_id) in wanted]
    tx.run_many(_UNPARK, [(row.id,) for row in rows])
    return rows


def orphans(tx: Tx, before: int, most: int) -> list[Parked]:
    """Side events whose message never came."""
    return [Parked(*row) for row in tx.rows(_ORPHANS, (before, most))]


def failure_text(receipt: Receipt) -> str | None:
    """As it is stored beside the rank: our code and the provider's, no text of anybody's."""
    if receipt.status is not Status.FAILED or receipt.failure is None:
        return None
    return f"{receipt.failure.code} {receipt.failure.provider_code or ''}".strip()
