"""Who the site says that its visitor is: a short-lived HS256 token (RFC 7519), or the older hash of a user id.

Rule: refuse what is out of the ordinary. A token has one spelling: no padding, nothing behind its end, no key twice.
Rule: time is the request's arrival, never the wall clock, so that `verify` and `parse` can not differ.
Rule: a hash is static and works from any browser for ever: it is only as good as the channel, and vouches for nothing
else.
"""

import hmac
import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any

import jwt
from msgspec import Struct

from adapters.base import Unauthentic
from adapters.webchat.config import Config
from adapters.webchat.wire import Proof
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Evidence

LIFETIME_MAX_S = 86_400
SKEW_S = 60
TOKEN_MAX_CHARS = 8_192
SUB_MAX_CHARS = 255
NAME_MAX_CHARS = 200
_LATEST = 100_000_000_000
"""Seconds since 1970; beyond the year 5000 something is wrong."""

_SEGMENT = re.compile(r"[A-Za-z0-9_-]+\Z")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}\Z")
_MAIL = re.compile(r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,255}\Z")
_SIGNATURE_ONLY = {
    "verify_signature": True, "verify_exp": False, "verify_nbf": False, "verify_iat": False,
    "verify_aud": False, "verify_iss": False, "verify_sub": False, "verify_jti": False,
}  # fmt: skip


class Identified(Struct, frozen=True):
    sub: str
    claims: tuple[AddressClaim, ...]
    name: str | None = None

    @property
    def digest(self) -> str:
        """The same proof again changes nothing, and need not be kept."""
        return urlsafe_b64encode(sha256(repr(self).encode()).digest()[:12]).decode("ascii")


def check(proof: Proof, config: Config, widget: str, now: datetime) -> Identified:
    """Raises Unauthentic."""
    try:
        if proof.identity_jwt is not None:
            _check_jwt(proof.identity_jwt, config, widget, now.timestamp())
        else:
            _check_hash(proof, config)
        return read(proof, widget)
    except (ValueError, RecursionError, jwt.PyJWTError) as error:
        raise Unauthentic(f"identity refused: {type(error).__name__}") from None


def read(proof: Proof, widget: str) -> Identified:
    """What a proof says that was checked before it was kept. Raises ValueError."""
    if proof.identity_jwt is None:
        sub = _sub(proof.user_id)
        return Identified(sub, (_person(widget, sub, Evidence.CHANNEL),))
    claims = _json(_segments(proof.identity_jwt)[1])
    sub, name = _sub(claims.get("sub")), claims.get("name")
    return Identified(
        sub,
        (_person(widget, sub, Evidence.VERIFIED), *_reachable(claims)),
        name[:NAME_MAX_CHARS] if isinstance(name, str) and name.strip() else None,
    )


def _check_jwt(token: str, config: Config, widget: str, now: float) -> None:
    header, claims, _ = _segments(token)
    key = _key(_json(header), config.identity_secrets)
    jwt.decode(token, key, algorithms=["HS256"], options=_SIGNATURE_ONLY)  # type: ignore[arg-type]
    _check_times(_json(claims), now)
    audience = _json(claims).get("aud")
    if audience not in (widget, [widget]):
        raise ValueError("aud")


def _segments(token: str) -> tuple[str, str, str]:
    parts = token.split(".")
    if len(token) > TOKEN_MAX_CHARS or len(parts) != 3 or not all(map(_canonical, parts)):
        raise ValueError("not a compact token")
    return parts[0], parts[1], parts[2]


def _canonical(segment: str) -> bool:
    """The one way to write these bytes: base64url has spare bits at its end, which could spell a token differently."""
    return bool(_SEGMENT.match(segment)) and urlsafe_b64encode(_bytes(segment)).decode().rstrip("=") == segment


def _bytes(segment: str) -> bytes:
    return urlsafe_b64decode(segment + "=" * (-len(segment) % 4))


def _json(segment: str) -> dict[str, Any]:
    value = json.loads(_bytes(segment).decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(text: str) -> Any:
    raise ValueError(text)


def _key(header: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    if header.get("alg") != "HS256" or header.get("typ", "JWT") != "JWT" or "crit" in header:
        raise ValueError("header")
    kid = header.get("kid", next(iter(secrets)) if len(secrets) == 1 else None)
    if not isinstance(kid, str) or kid not in secrets:
        raise ValueError("kid")
    return secrets[kid]


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires = _instant(claims.get("exp"))
    if not now <= expires <= now + LIFETIME_MAX_S:
        raise ValueError("exp")
    for name in ("iat", "nbf"):
        if name in claims and _instant(claims[name]) > now + SKEW_S:
            raise ValueError(name)


def _instant(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise ValueError("not a time")
    return value


def _sub(value: Any) -> str:
    """Nothing that cleaning could change later: two customers must never become one."""
    if not isinstance(value, str) or not 1 <= len(value) <= SUB_MAX_CHARS:
        raise ValueError("sub")
    if not value.isprintable() or value != value.strip():
        raise ValueError("sub")
    return value


def _person(widget: str, sub: str, evidence: Evidence) -> AddressClaim:
    return AddressClaim(Address(Scheme.WEB, f"{widget}/user/{sub}"), evidence)


def _reachable(claims: Mapping[str, Any]) -> Iterator[AddressClaim]:
    """Addresses that the site vouches for; one that is not well-formed is left out, the customer still gets in."""
    email, phone = claims.get("email"), claims.get("phone")
    if isinstance(email, str) and email.isprintable() and _MAIL.match(email):
        yield AddressClaim(Address(Scheme.MAILTO, email), _level(claims.get("email_verified")))
    if isinstance(phone, str) and _PHONE.match(number := re.sub(r"[ ().-]", "", phone)):
        yield AddressClaim(Address(Scheme.TEL, number), _level(claims.get("phone_verified")))


def _level(verified: Any) -> Evidence:
    return Evidence.VERIFIED if verified in (None, True) else Evidence.CLAIMED


def _check_hash(proof: Proof, config: Config) -> None:
    if config.user_hash_secret is None or proof.user_hash is None:
        raise ValueError("user_hash")
    expected = hmac.digest(config.user_hash_secret.encode(), _sub(proof.user_id).encode(), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), proof.user_hash.encode("utf-8", "surrogatepass")):
        raise ValueError("user_hash")
