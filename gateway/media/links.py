"""Signed, short-lived links to stored files, for providers that fetch what we send, and for browsers.

    /media/{token}/{name}      token = base64url(HMAC-SHA256 + fields)

Rule: the token alone counts. The name after it is for people and for providers that look at extensions.
Rule: a link grants one file until it expires; there is nothing to revoke, so it is short-lived.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from hashlib import blake2b
from urllib.parse import quote

import msgspec
from msgspec import Struct

from gateway.media.types import safe_name

PREFIX = "/media/"
SIGNATURE_BYTES = 32


class Granted(Struct, frozen=True):
    sha256: str
    name: str
    mime: str
    expires: int
    """Seconds since 1970."""


class Fields(Struct, frozen=True, array_like=True):
    digest: bytes
    name: str
    mime: str
    expires: int


class MediaLinks:
    def __init__(self, key: bytes) -> None:
        """`key` may serve other purposes, too: ours is derived from it."""
        self._key = blake2b(key=key[:64], person=b"media links", digest_size=32).digest()

    def sign(self, sha256: str, name: str, mime: str, expires: datetime) -> str:
        """The path, to be put behind the public URL."""
        clean = safe_name(name) or "file"
        # Rounded down: a link is never good for longer than was asked.
        fields = msgspec.msgpack.encode(Fields(bytes.fromhex(sha256), clean, mime, int(expires.timestamp())))
        token = urlsafe_b64encode(self._signature(fields) + fields).decode("ascii").rstrip("=")
        return f"{PREFIX}{token}/{quote(clean, safe='')}"

    def verify(self, path: str, now: datetime) -> Granted | None:
        """None: not ours, changed, or expired. Takes the path as it came or decoded; raises nothing, whatever comes."""
        token = path.removeprefix(PREFIX).partition("/")[0]
        if not path.startswith(PREFIX) or not token.isascii():
            return None
        try:
            signed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except ValueError:
            return None
        signature, encoded = signed[:SIGNATURE_BYTES], signed[SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(encoded)):
            return None
        fields = msgspec.msgpack.decode(encoded, type=Fields)
        if now.timestamp() >= fields.expires:
            return None
        return Granted(fields.digest.hex(), fields.name, fields.mime, fields.expires)

    def _signature(self, encoded: bytes) -> bytes:
        return hmac.digest(self._key, encoded, "sha256")
