"""Which stored bytes there are, and which envelopes use them; the bytes themselves are `media.py`'s."""

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import media, media_use
from gateway.store.statement import AnyOf, Statement, b, insert
from gateway.store.tx import Tx
from normalizer.ids import EnvelopeId


class FileRow(NamedTuple):
    sha256: str
    size: int
    mime: str
    created_at: int


_ADD = insert(media, *FileRow._fields, ignore=True)
_USE = insert(media_use, "sha256", "envelope_id", "place", ignore=True)
_GET = Statement(
    lambda d: sa.select(*(media.c[name] for name in FileRow._fields)).where(media.c.sha256 == b("sha")), "sha"
)
_USED = Statement(lambda d: sa.select(media_use.c.sha256).distinct().where(AnyOf(media_use.c.sha256, "shas")), "shas")
_FORGET = Statement(lambda d: sa.delete(media).where(media.c.sha256 == b("sha")), "sha")


def add(tx: Tx, rows: list[FileRow]) -> None:
    tx.run_many(_ADD, rows)


def use(tx: Tx, rows: list[tuple[str, EnvelopeId, int]]) -> None:
    """(bytes, envelope, which part of it)."""
    tx.run_many(_USE, rows)


def get(tx: Tx, sha256: str) -> FileRow | None:
    row = tx.first(_GET, (sha256,))
    return None if row is None else FileRow(*row)


def used(tx: Tx, names: Iterable[str]) -> set[str]:
    """Those among them that some envelope uses."""
    return {row[0] for row in tx.rows(_USED, (tx.many(names),))}


def forget(tx: Tx, names: Iterable[str]) -> None:
    tx.run_many(_FORGET, [(name,) for name in names])
