"""API keys and the keys that are derived from the installation's own. Pure; randomness comes as an argument.

A token is shown once, when it is made: `tl_<id>_<secret>`. The store keeps its id and a digest. The secret
has 256 random bits, so a plain digest is enough: there is nothing to guess, and a slow hash would only slow us down.

Rule: secrets and digests are compared in constant time, and an unknown id costs as much as a known one.
Rule: a scope implies those below it: admin > write > read.
"""

import hmac
from base64 import b32encode, urlsafe_b64encode
from datetime import datetime
from enum import IntEnum
from hashlib import blake2b, sha256

from msgspec import Struct

PREFIX = "tl"
SECRET_BYTES = 32
ID_BYTES = 10
MAX_TOKEN_CHARS = 128
_NOBODY = bytes(32)


class Scope(IntEnum):
    READ = 1
    WRITE = 2
    ADMIN = 3

    @classmethod
    def named(cls, name: str) -> "Scope":
        """Raises ValueError, which names the scopes there are."""
        try:
            return cls[name.upper()]
        except KeyError:
            raise ValueError(f"unknown scope; known: {', '.join(scope.name.lower() for scope in cls)}") from None


class TokenRecord(Struct, frozen=True, kw_only=True):
    """What the store keeps of a token; of no use to whoever reads it."""

    id: str
    digest: bytes
    name: str
    """Who uses it, for the operator."""
    scope: Scope
    created_at: datetime
    expires_at: datetime | None = None


class Presented(Struct, frozen=True):
    """What a caller showed, not yet believed."""

    id: str
    secret: str

    def __repr__(self) -> str:
        return f"Presented(id={self.id!r}, secret=***)"


def new_token(
    id_bytes: bytes,
    secret: bytes,
    *,
    name: str,
    scope: Scope,
    created_at: datetime,
    expires_at: datetime | None = None,
) -> tuple[str, TokenRecord]:
    """The token's text, for its user alone, and the record to keep. `id_bytes` and `secret` are random."""
    assert len(id_bytes) >= ID_BYTES, "an id must not come twice"
    assert len(secret) >= SECRET_BYTES, "a secret must not be guessed"
    shown = Presented(_base32(id_bytes[:ID_BYTES]), _base32(secret))
    record = TokenRecord(
        id=shown.id, digest=_digest(shown), name=name, scope=scope, created_at=created_at, expires_at=expires_at
    )
    return f"{PREFIX}_{shown.id}_{shown.secret}", record


def from_header(authorization: str | None) -> Presented | None:
    """The token in an `Authorization: Bearer` header (RFC 6750 §2.1); None when there is none that could be ours."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or len(token) > MAX_TOKEN_CHARS:
        return None
    prefix, _, rest = token.strip().partition("_")
    id, _, secret = rest.partition("_")
    if prefix != PREFIX or not id or not secret or not token.isascii():
        return None
    return Presented(id, secret)


def is_genuine(shown: Presented, record: TokenRecord | None, now: datetime) -> bool:
    """Whether `shown` is the token that `record` was kept for (None: the store knows no such id), and still good."""
    same = hmac.compare_digest(_digest(shown), record.digest if record else _NOBODY)
    if record is None or not same or not hmac.compare_digest(shown.id, record.id):
        return False
    return record.expires_at is None or now < record.expires_at


def allows(record: TokenRecord, needed: Scope) -> bool:
    return record.scope >= needed


def subkey(key: str, purpose: str) -> bytes:
    """A key for one purpose alone, so that what leaks from one use tells nothing about another."""
    return blake2b(purpose.encode(), key=_root(key), digest_size=32, person=b"throughline").digest()


def key_id(key: str) -> str:
    """Names a key beside what it encrypted, and tells nothing about it."""
    return _base32(subkey(key, "key id")[:5])


def new_key(secret: bytes) -> str:
    """The text of an installation's key; `secret` is random."""
    assert len(secret) >= SECRET_BYTES, "a key must not be guessed"
    return urlsafe_b64encode(secret).decode("ascii").rstrip("=")


NONCE_BYTES = 12


def seal(key: bytes, plain: bytes, nonce: bytes, place: str) -> bytes:
    """Encrypted and authenticated (AES-256-GCM). `key` is a subkey, `nonce` random and used once; only at the same
    `place` it can be opened again.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    assert len(nonce) == NONCE_BYTES, "GCM's own length"
    return nonce + AESGCM(key).encrypt(nonce, plain, place.encode())


def unseal(key: bytes, sealed: bytes, place: str) -> bytes:
    """Raises ValueError for what this key did not seal at this place."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
    except InvalidTag:
        raise ValueError("sealed with another key, or elsewhere") from None


def _root(key: str) -> bytes:
    return sha256(key.encode()).digest()


def _digest(shown: Presented) -> bytes:
    return sha256(f"{shown.id}_{shown.secret}".encode()).digest()


def _base32(data: bytes) -> str:
    return b32encode(data).decode("ascii").rstrip("=").lower()
