"""API keys as they are kept: enough to check a token, of no use to whoever reads it.

Rule: a key is never deleted; a revoked one keeps its name, so that people can see what it was.
"""

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from gateway.directory import from_ms, to_ms
from gateway.security import Scope, TokenRecord
from gateway.store.schema import api_key
from gateway.store.statement import Statement, b, insert
from gateway.store.tx import Tx


class Listed(NamedTuple):
    record: TokenRecord
    revoked_at: datetime | None


_COLUMNS = ("id", "digest", "name", "scope", "created_at", "expires_at")
_ADD = insert(api_key, *_COLUMNS)
_GET = Statement(
    lambda d: sa.select(*(api_key.c[name] for name in _COLUMNS)).where(
        api_key.c.id == b("p_id"), api_key.c.revoked_at.is_(None)
    ),
    "p_id",
)
_ALL = Statement(
    lambda d: sa.select(*(api_key.c[name] for name in _COLUMNS), api_key.c.revoked_at).order_by(
        api_key.c.created_at, api_key.c.id
    )
)
_REVOKE = Statement(
    lambda d: sa.update(api_key)
    .values(revoked_at=b("p_at"))
    .where(api_key.c.id == b("p_id"), api_key.c.revoked_at.is_(None)),
    "p_at", "p_id",
)  # fmt: skip


def add(tx: Tx, record: TokenRecord) -> None:
    expires = None if record.expires_at is None else to_ms(record.expires_at)
    tx.run(_ADD, (record.id, record.digest, record.name, int(record.scope), to_ms(record.created_at), expires))


def get(tx: Tx, id: str) -> TokenRecord | None:
    """None: nobody has it, or it was revoked. Whether it has expired is for whoever knows the time."""
    row = tx.first(_GET, (id,))
    return None if row is None else _record(row)


def every(tx: Tx) -> list[Listed]:
    """Oldest first, the revoked ones too."""
    return [Listed(_record(row[:-1]), None if row[-1] is None else from_ms(row[-1])) for row in tx.rows(_ALL)]


def revoke(tx: Tx, id: str) -> bool:
    """False: there is none, or it was revoked before."""
    return tx.run(_REVOKE, (tx.now(), id)) == 1


def _record(row: tuple[object, ...]) -> TokenRecord:
    id, digest, name, scope, created, expires = row
    assert isinstance(digest, bytes | memoryview)
    assert isinstance(scope, int)
    assert isinstance(created, int)
    assert expires is None or isinstance(expires, int)
    return TokenRecord(
        id=str(id),
        digest=bytes(digest),
        name=str(name),
        scope=Scope(scope),
        created_at=from_ms(created),
        expires_at=None if expires is None else from_ms(expires),
    )
