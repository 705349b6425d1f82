"""What is deleted when its time is over. One step at a time, each a short transaction: the gateway runs meanwhile.

Rule: what is not done is never deleted: the unreplayed dead, waiting rows, commands that a person may still look at.
Rule: a step looks first, without a lock, and then changes by key what it has seen.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from gateway.store.bytes import holds
from gateway.store.schema import (
    ANSWERED,
    DONE,
    FINAL,
    SUPERSEDED,
    command,
    dead,
    dedupe,
    envelope,
    intake,
    media,
    media_use,
)
from gateway.store.statement import AnyOf, Statement, b
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import media_parts
from normalizer.ids import EnvelopeId

MS_SHIFT = 20
FIRST_NUMBER, FIRST_TEXT = -1, ""

_STORED = b'"stored":"'
"""How the encoded form of a message shows that it uses a file of ours."""


class Kind(NamedTuple):
    """One kind of row: how its old ones are found, in the order of their keys, and what is done to them."""

    name: str
    find: Statement
    """(after this key, before this time in milliseconds, most) -> keys."""
    change: Statement
    """(keys)."""
    first: Any
    numbered: bool = False
    """Its age is told by its number, which begins with a time in milliseconds."""


def _kind(
    name: str, key: sa.Column[Any], first: Any, change: Callable[[], Any], *old: Any, numbered: bool = False
) -> Kind:
    find = Statement(
        lambda d: sa.select(key).where(key > b("after"), *old).order_by(key).limit(b("most")),
        "after", "before", "most",
    )  # fmt: skip
    return Kind(name, find, Statement(lambda d: change().where(AnyOf(key, "keys")), "keys"), first, numbered)


RAW = _kind(
    "what providers sent, byte for byte", envelope.c.id, FIRST_TEXT,
    lambda: sa.update(envelope).values(raw=None),
    # By its arrival: when it was written is what its sender says.
    envelope.c.intake_id < b("before"), envelope.c.raw.is_not(None),
    numbered=True,
)  # fmt: skip
REPLAYED = _kind(
    "dead letters that were replayed", dead.c.id, FIRST_NUMBER,
    lambda: sa.delete(dead),
    dead.c.replayed_at < b("before"),
)  # fmt: skip
KEYS = _kind(
    "keys of events that were seen", dedupe.c.key, FIRST_TEXT,
    lambda: sa.delete(dedupe),
    dedupe.c.at < b("before"),
)  # fmt: skip
COMMANDS = _kind(
    "finished commands", command.c.n, FIRST_NUMBER,
    lambda: sa.delete(command),
    command.c.done_at < b("before"),
    # A superseded send is why its message shows as failed.
    sa.or_(
        command.c.state == DONE,
        sa.and_(command.c.state == SUPERSEDED, command.c.kind != "send"),
        sa.and_(command.c.state >= FINAL, command.c.kind == "mark"),
    ),
)  # fmt: skip
ANSWERED_ROWS = _kind(
    "outcomes that nobody fetched", intake.c.id, FIRST_NUMBER,
    lambda: sa.delete(intake),
    intake.c.id < b("before"), intake.c.state == ANSWERED,
    numbered=True,
)  # fmt: skip
FILES = _kind(
    "records of files that no message uses", media.c.sha256, FIRST_TEXT,
    lambda: sa.delete(media),
    media.c.created_at < b("before"),
    sa.not_(sa.exists().where(media_use.c.sha256 == media.c.sha256)),
)  # fmt: skip


def find(tx: Tx, kind: Kind, after: Any, before: int, most: int) -> list[Any]:
    limit = before << MS_SHIFT if kind.numbered else before
    return [row[0] for row in tx.rows(kind.find, (after, limit, most))]


def change(tx: Tx, kind: Kind, keys: Sequence[Any]) -> int:
    return tx.run(kind.change, (tx.many(keys),))


# --- files --------------------------------------------------------------------------------------------------------

_WITH_FILES = Statement(
    lambda d: sa.select(envelope.c.id, envelope.c.content)
    .where(envelope.c.id > b("after"), holds(d, envelope.c.content, "needle"))
    .order_by(envelope.c.id)
    .limit(b("most")),
    "after", "needle", "most",
)  # fmt: skip


Use = tuple[str, EnvelopeId, int]
"""A file, the message, and which part of it."""


def uses(tx: Tx, after: str, most: int) -> tuple[str | None, list[Use]]:
    """What messages say about the files that they use, and the key to go on from (None: that was all)."""
    rows = tx.rows(_WITH_FILES, (after, _STORED, most))
    found = [use for id, content in rows for use in _uses_of(EnvelopeId(id), bytes(content))]
    return (rows[-1][0] if rows else None), found


def _uses_of(id: EnvelopeId, content: bytes) -> list[Use]:
    parts = media_parts(codec.decode(content).body)
    return [(part.media.stored, id, place) for place, part in parts if part.media.stored is not None]
