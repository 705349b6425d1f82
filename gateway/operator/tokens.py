"""API keys: made, listed, revoked.

Rule: a key is shown once, when it is made; the store keeps what is needed to check it and nothing else.
"""

from datetime import datetime, timedelta

from msgspec import Struct

from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.operator.house import opened
from gateway.security import ID_BYTES, Scope, TokenRecord, new_token
from gateway.settings import Config
from gateway.store import keys


class Token(Struct, frozen=True, kw_only=True):
    id: str
    name: str
    scope: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


def new_key(
    ids: Ids, now: datetime, name: str, scope: Scope, expires_at: datetime | None = None
) -> tuple[str, TokenRecord]:
    """The key's text and what to keep of it."""
    return new_token(ids.token()[:ID_BYTES], ids.token(), name=name, scope=scope, created_at=now, expires_at=expires_at)


def create_token(config: Config, name: str, scope: Scope, days: int | None = None) -> str:
    """`days`: how long it is valid; None: until it is revoked."""
    if not name.strip():
        raise Failed("A key needs a name: who uses it")
    clock = Clock()
    now = clock.now()
    token, record = new_key(Ids(clock), now, name, scope, None if days is None else now + timedelta(days=days))
    with opened(config) as store:
        store.write_now(lambda tx: keys.add(tx, record))
    return token


def list_tokens(config: Config) -> list[Token]:
    with opened(config) as store:
        found = store.read_now(keys.every)
    return [
        Token(
            id=one.record.id,
            name=one.record.name,
            scope=one.record.scope.name.lower(),
            created_at=one.record.created_at,
            expires_at=one.record.expires_at,
            revoked_at=one.revoked_at,
        )
        for one in found
    ]


def revoke_token(config: Config, id: str) -> bool:
    """By its id, or by the key itself. False: there is none, or it was revoked before. It holds within seconds."""
    prefix, _, rest = id.partition("_")
    known = rest.partition("_")[0] if prefix == "tl" and rest else id
    with opened(config) as store:
        return store.write_now(lambda tx: keys.revoke(tx, known))
