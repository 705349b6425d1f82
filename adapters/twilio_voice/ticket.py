"""Whose a call is, as a short signed text: it travels through the provider's hands and comes back.

Rule: a ticket is `<payload>.<mac>`, both base64url; the mac covers the payload as written. It names an address and a
call and opens nothing by itself: whoever brings it has to be the provider (its signature) as well.
Rule: what is kept is read again without keys (`peek`): keys may have been rotated in between.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from normalizer.address import Address, parse_address
from normalizer.envelope import Evidence
from normalizer.ids import EndpointId

MAX_CHARS = 500
"""Of a `<Parameter>`'s value."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


class Ticket(Struct, frozen=True, array_like=True):
    """Times are milliseconds since 1970."""

    call: str
    """Empty: of a call that we are about to place; whoever answers it may use it."""
    address: str
    evidence: int
    issued: int
    since: int
    """From when on what is said belongs to this call."""
    outward: bool = False
    """We called."""

    @property
    def who(self) -> Address:
        return parse_address(self.address)

    @property
    def sureness(self) -> Evidence:
        return Evidence(self.evidence)

    @property
    def issued_at(self) -> datetime:
        return _EPOCH + self.issued * _MS

    @property
    def since_at(self) -> datetime:
        return _EPOCH + self.since * _MS


def ticket(call: str, address: Address, evidence: Evidence, now: datetime, *, since: datetime | None = None,
           outward: bool = False) -> Ticket:  # fmt: skip
    return Ticket(call, str(address), int(evidence), _ms(now), _ms(since or now), outward)


class Tickets:
    """Signs and reads those of one endpoint, under any of several secrets, so that a secret can be replaced."""

    def __init__(self, secrets: Sequence[str], endpoint_id: EndpointId) -> None:
        purpose = f"call ticket\x1f{endpoint_id}".encode()
        self._keys = [hmac.digest(secret.encode(), purpose, "sha256") for secret in secrets]

    def sign(self, ticket: Ticket) -> str:
        payload = _b64(msgspec.json.encode(ticket))
        return f"{payload}.{_mac(payload, self._keys[0])}"

    def read(self, text: str) -> Ticket | None:
        """None: forged, or of another endpoint."""
        payload, _, mac = text.partition(".")
        if len(text) > MAX_CHARS or not text.isascii():
            return None
        genuine = any(hmac.compare_digest(mac, _mac(payload, key)) for key in self._keys)
        return peek(text) if genuine else None


def peek(text: str) -> Ticket | None:
    """Of what was verified before it was kept. None: not a ticket."""
    payload = text.partition(".")[0]
    try:
        found = msgspec.json.decode(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=Ticket)
        found.who, found.sureness, found.issued_at, found.since_at  # noqa: B018  raises for values that are none
    except (ValueError, OverflowError):
        return None
    return found


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // _MS


def _mac(payload: str, key: bytes) -> str:
    return _b64(hmac.digest(key, payload.encode(), "sha256")[:16])


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
