"""Outbox: commands not yet performed.

Rule: the sends of one leg follow each other; everything else runs beside them.
Rule: `sending` is committed before the call, with the holder's epoch checked in the same transaction.
Rule: every state below FINAL has a due time, so that nothing is forgotten.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import DOUBT, DUE, FINAL, PARKED, SENDING, SUPERSEDED, claimant, command, engine
from gateway.store.statement import AnyOf, Statement, b
from gateway.store.tx import Tx
from normalizer.ids import ChannelId, CommandId, ConversationId, EnvelopeId, LegId

_ACTIVE: sa.ColumnClause[int] = sa.literal_column(f"{FINAL}")
_SEND: sa.ColumnClause[str] = sa.literal_column("'send'")


class NewCommand(NamedTuple):
    n: int
    id: CommandId
    kind: str
    conversation_id: ConversationId
    leg_id: LegId | None
    channel_id: ChannelId | None
    envelope_id: EnvelopeId | None
    payload: bytes
    fence: int | None
    """The holder's epoch that it was decided under; None: it is sent whoever holds."""
    state: int
    due_at: int
    attempts: int
    step: int
    created_at: int
    owner: str | None = None
    """Who starts it when this transaction has committed; others find it by the lease."""
    leased_until: int = 0
    epoch: int = 0
    done_at: int | None = None
    """Set: nothing is left to do for it."""


class Question(NamedTuple):
    """What an engine is asked, and what is asked of it."""

    rows: list[bytes]
    """The contents of the conversation's last lines, oldest first."""
    asked: tuple[int, int | None] | None
    """The holder's epoch, and the seq up to which the AI is asked about the conversation; of questions in speech."""
    at: int
    """When it was read, in milliseconds."""


class Held(NamedTuple):
    """A command under a lease of ours."""

    n: int
    id: CommandId
    kind: str
    conversation_id: ConversationId
    leg_id: LegId | None
    channel_id: ChannelId | None
    envelope_id: EnvelopeId | None
    payload: bytes
    fence: int | None
    state: int
    attempts: int
    step: int
    doubts: int
    echoed: int
    """How many of its steps the provider's receipts have named."""
    epoch: int
    created_at: int
    question: Question | None = None
    """What a question asks, where the commit that asks it has read that along."""


_HELD = tuple(name for name in Held._fields if name not in Held._field_defaults)
"""What the table has of it."""


class Waiting(NamedTuple):
    """A question to the AI that has no answer yet."""

    id: CommandId
    conversation_id: ConversationId
    leg_id: LegId | None
    fence: int | None
    payload: bytes
    leased_until: int


class Settled(NamedTuple):
    """What becomes of a command that we held."""

    state: int
    due_at: int
    attempts: int
    step: int
    doubts: int
    error: str | None
    done_at: int | None
    n: int
    epoch: int


_ADD = Statement(
    lambda d: d.insert(command)
    .values({name: b(name) for name in NewCommand._fields})
    .on_conflict_do_nothing(index_elements=["id"]),
    *NewCommand._fields,
)  # fmt: skip
"""A command that is there already is left alone; a number that another one has is an error, not a loss."""
_TOUCH = Statement(
    lambda d: (
        d.insert(claimant)
        .values(queue="command", epoch=1)
        .on_conflict_do_update(index_elements=["queue"], set_={"epoch": claimant.c.epoch + 1})
    )
)

_earlier = command.alias("earlier")
_CLAIM = Statement(
    lambda d: sa.update(command)
    .values(owner=b("p_owner"), leased_until=b("until"), epoch=command.c.epoch + 1)
    .where(
        command.c.n.in_(
            sa.select(command.c.n)
            .where(
                command.c.state < _ACTIVE,
                command.c.due_at <= b("now"),
                command.c.leased_until <= b("now"),
                AnyOf(command.c.kind, "kinds"),
                sa.or_(
                    command.c.kind != _SEND,
                    sa.not_(
                        sa.exists().where(
                            _earlier.c.leg_id == command.c.leg_id,
                            _earlier.c.n < command.c.n,
                            _earlier.c.state < _ACTIVE,
                            _earlier.c.kind == _SEND,
                        )
                    ),
                ),
            )
            .order_by(command.c.n)
            .limit(b("most"))
            .scalar_subquery()
        )
    )
    .returning(*(command.c[name] for name in _HELD)),
    "p_owner", "until", "now", "kinds", "most",
)  # fmt: skip
_SENDING = Statement(
    lambda d: sa.update(command)
    .values(state=SENDING, attempts=b("p_attempts"), due_at=b("p_due"))
    .where(command.c.n == b("p_n"), command.c.epoch == b("p_epoch"), command.c.state == DUE),
    "p_attempts", "p_due", "p_n", "p_epoch",
)  # fmt: skip
_TOLD = sa.and_(sa.or_(b("p_state") == DOUBT, b("p_state") == PARKED), command.c.echoed > b("p_step"))
"""An echo that came while the command was held, of which its holder knew nothing: there is nothing to wait for, and
nothing for a person to look at.
"""
_SETTLED = (
    sa.update(command)
    .values({name: b(f"p_{name}") for name in Settled._fields[:-2]} | {"leased_until": 0})
    .values(
        state=sa.case((_TOLD, sa.literal_column(str(DOUBT))), else_=b("p_state")),
        due_at=sa.case((_TOLD, command.c.created_at), else_=b("p_due_at")),
        done_at=sa.case((_TOLD, sa.cast(sa.null(), sa.BigInteger)), else_=b("p_done_at")),
    )
    .where(command.c.n == b("p_n"), command.c.epoch == b("p_epoch"), command.c.state < _ACTIVE)
)
_SETTLE = Statement(lambda d: _SETTLED, *(f"p_{name}" for name in Settled._fields))
_GIVE_UP = Statement(lambda d: _SETTLED.returning(command.c.state), *(f"p_{name}" for name in Settled._fields))
_RELEASE = Statement(
    lambda d: sa.update(command)
    .values(leased_until=0, due_at=b("p_due"))
    .where(command.c.n == b("p_n"), command.c.epoch == b("p_epoch"), command.c.state == DUE),
    "p_due", "p_n", "p_epoch",
)  # fmt: skip
_VOID = Statement(
    lambda d: sa.update(command).values(leased_until=0, due_at=b("p_now")).where(
        command.c.state < _ACTIVE, command.c.leased_until > 0
    ),
    "p_now",
)  # fmt: skip
_DECIDED = sa.and_(command.c.state == PARKED, command.c.step < b("p_steps"))
"""A person was to decide whether it went out, and now the provider has told."""
_ECHO = Statement(
    lambda d: sa.update(command)
    .values(
        echoed=sa.case((command.c.echoed < b("p_steps"), b("p_steps")), else_=command.c.echoed),
        state=sa.case((_DECIDED, sa.literal_column(str(DOUBT))), else_=command.c.state),
        due_at=sa.case((sa.or_(command.c.state == DOUBT, _DECIDED), b("p_now")), else_=command.c.due_at),
        done_at=sa.case((_DECIDED, sa.cast(sa.null(), sa.BigInteger)), else_=command.c.done_at),
    )
    .where(command.c.id == b("p_id"))
    .returning(command.c.envelope_id, command.c.channel_id),
    "p_steps", "p_now", "p_id",
)  # fmt: skip
_FOLLOW = Statement(
    lambda d: sa.update(command)
    .values(due_at=b("p_now"))
    .where(command.c.envelope_id == b("p_envelope"), command.c.state == DUE)
    .where(command.c.step > 0, command.c.due_at > b("p_now")),
    "p_now", "p_envelope",
)  # fmt: skip
_OF_ENVELOPES = Statement(
    lambda d: sa.select(command.c.envelope_id, command.c.state, command.c.error).where(
        AnyOf(command.c.envelope_id, "ids"), command.c.kind == _SEND
    ),
    "ids",
)
_WAITING_AI = Statement(
    lambda d: sa.select(*(command.c[name] for name in Waiting._fields)).where(
        command.c.state < _ACTIVE, command.c.kind == "ask_ai"
    )
)
_END_AI = Statement(
    lambda d: sa.update(command)
    .values(state=SUPERSEDED, done_at=b("p_now"), error=b("p_error"), leased_until=0)
    .where(command.c.id == b("p_id"), command.c.state < _ACTIVE),
    "p_now", "p_error", "p_id",
)  # fmt: skip
_NEXT_DUE = Statement(
    lambda d: sa.select(
        sa.func.min(
            sa.case((command.c.leased_until > command.c.due_at, command.c.leased_until), else_=command.c.due_at)
        )
    ).where(command.c.state < _ACTIVE)
)
_DEPTH = Statement(
    lambda d: sa.select(command.c.kind, sa.func.count()).where(command.c.state < _ACTIVE).group_by(command.c.kind)
)
_PRUNE = Statement(
    lambda d: sa.delete(command).where(command.c.state >= _ACTIVE, command.c.done_at < b("before")), "before"
)
_STUCK = Statement(
    lambda d: sa.select(*(command.c[name] for name in (*_HELD, "error"))).where(
        AnyOf(command.c.state, "states"), command.c.n > b("after")
    ).order_by(command.c.n).limit(b("most")),
    "states", "after", "most",
)  # fmt: skip
_REVIVE = Statement(
    lambda d: sa.update(command)
    .values(state=DUE, due_at=b("p_now"), attempts=0, doubts=0, error=None, done_at=None, epoch=command.c.epoch + 1)
    .where(command.c.id == b("p_id"), AnyOf(command.c.state, "states")),
    "p_now", "p_id", "states",
)  # fmt: skip

_ENGINE = Statement(lambda d: sa.select(engine.c.up).where(engine.c.name == b("p_name")), "p_name")
_ENGINE_SET = Statement(
    lambda d: (
        stmt := d.insert(engine).values({name: b(name) for name in ("name", "up", "since", "reason")})
    ).on_conflict_do_update(
        index_elements=["name"], set_={name: stmt.excluded[name] for name in ("up", "since", "reason")}
    ),
    "name", "up", "since", "reason",
)  # fmt: skip


def add(tx: Tx, rows: list[NewCommand]) -> None:
    tx.run_many(_ADD, sorted(rows, key=itemgetter(0)))


def claim(tx: Tx, owner: str, kinds: Iterable[str], *, lease_ms: int, most: int) -> list[Held]:
    """What is due, oldest first; of each leg at most its oldest send."""
    if not tx.is_alone:
        tx.run(_TOUCH)
    now = tx.now()
    rows = tx.rows(_CLAIM, (owner, now + lease_ms, now, tx.many(kinds), most))
    return sorted((Held(*row) for row in rows), key=lambda held: held.n)


def begin(tx: Tx, held: list[Held], due_at: int) -> set[int]:
    """Sets `sending`; the numbers of those that are still ours. `due_at`: when to ask what became of them."""
    return {one.n for one in held if tx.run(_SENDING, (one.attempts + 1, due_at, one.n, one.epoch)) == 1}


def settle(tx: Tx, settled: Settled) -> bool:
    """False: it was not ours any more, or had ended."""
    return tx.run(_SETTLE, settled) == 1


def give_up(tx: Tx, settled: Settled) -> bool:
    """False: it was not ours any more, or had ended, or an echo has told meanwhile what became of it."""
    row = tx.first(_GIVE_UP, settled)
    return row is not None and row[0] == settled.state


def settle_many(tx: Tx, rows: list[Settled]) -> None:
    tx.run_many(_SETTLE, rows)


def give_back(tx: Tx, rows: list[tuple[int, int, int]]) -> None:
    """(due at, n, epoch): claimed and not begun."""
    tx.run_many(_RELEASE, rows)


def void_claims(tx: Tx) -> None:
    """At the start of the only process: nobody holds anything, and what was being sent is to be looked at now."""
    tx.run(_VOID, (tx.now(),))


def echo(tx: Tx, command_id: CommandId, step: int) -> tuple[EnvelopeId, ChannelId] | None:
    """A receipt names the command: this step of it is out. Its envelope and channel."""
    row = tx.first(_ECHO, (step + 1, tx.now(), command_id))
    return None if row is None or row[0] is None else (EnvelopeId(row[0]), ChannelId(row[1]))


def follow(tx: Tx, envelopes: Iterable[EnvelopeId]) -> None:
    """The step before arrived: the next one need not wait."""
    now = tx.now()
    tx.run_many(_FOLLOW, [(now, envelope) for envelope in envelopes])


def of_envelopes(tx: Tx, ids: Iterable[EnvelopeId]) -> dict[EnvelopeId, tuple[int, str | None]]:
    """State and error of the send of each."""
    return {EnvelopeId(row[0]): (row[1], row[2]) for row in tx.rows(_OF_ENVELOPES, (tx.many(ids),))}


def waiting_for_ai(tx: Tx) -> list[Waiting]:
    return [Waiting(*row) for row in tx.rows(_WAITING_AI)]


def end_ai(tx: Tx, ids: Iterable[CommandId], error: str) -> None:
    now = tx.now()
    tx.run_many(_END_AI, [(now, error, one) for one in ids])


def started(new: NewCommand) -> Held:
    """A command that was added under a lease of ours, as if it had been claimed."""
    return Held(new.n, new.id, new.kind, new.conversation_id, new.leg_id, new.channel_id, new.envelope_id, new.payload,
                new.fence, new.state, new.attempts, new.step, 0, 0, new.epoch, new.created_at)  # fmt: skip


def next_due(tx: Tx) -> int | None:
    found = tx.scalar(_NEXT_DUE)
    return None if found is None else int(found)


def depth(tx: Tx) -> dict[str, int]:
    return {row[0]: row[1] for row in tx.rows(_DEPTH)}


def prune(tx: Tx, before: int) -> int:
    return tx.run(_PRUNE, (before,))


def stuck(tx: Tx, states: Iterable[int], after: int, most: int) -> list[tuple[Held, str | None]]:
    """Ended without success, for a person to look at."""
    return [(Held(*row[:-1]), row[-1]) for row in tx.rows(_STUCK, (tx.many(states), after, most))]


def revive(tx: Tx, command_id: CommandId, states: Iterable[int]) -> bool:
    """A person decided that it is to be tried once more; who held it before has no say in it."""
    return tx.run(_REVIVE, (tx.now(), command_id, tx.many(states))) == 1


def engine_up(tx: Tx, name: str) -> bool:
    found = tx.first(_ENGINE, (name,))
    return True if found is None else bool(found[0])


def set_engine(tx: Tx, name: str, up: bool, reason: str) -> None:
    tx.run(_ENGINE_SET, (name, up, tx.now(), reason))
