"""What comes in, and what is answered to it.

Rule: a RawInbound is what arrived, byte for byte. Only the gateway says where it came from.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import Struct

from normalizer.envelope import Instant
from normalizer.ids import EndpointId, EnvelopeId


class RawInbound(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What arrived, byte for byte, with the facts that only the gateway knows."""

    id: str
    """Unique and unguessable (at least 128 bits of randomness)."""
    endpoint_id: EndpointId
    origin: Literal["webhook", "live", "dialled", "pulled"]
    received_at: Instant
    method: str = "POST"
    path: str = ""
    """Below the endpoint's own path; empty or starts with `/`."""
    query: str = ""
    headers: dict[str, str] = {}
    """Names in lower case; several of one name are joined by `, `."""
    body: bytes = b""
    session: str | None = None
    """Live only: the leg's address value that the socket was bound to."""
    public_url: str = ""
    """The URL that the caller used, as configured (never taken from headers)."""
    peer: str = ""
    """A keyed digest of the caller's network address; for limits, not for people."""


class Placed(Struct, frozen=True, omit_defaults=True):
    """What room 2 made of one envelope of the row."""

    envelope_id: EnvelopeId
    seq: int | None = None
    wire_seq: int | None = None
    at: Instant | None = None
    duplicate: bool = False
    conflict: bool = False
    """A duplicate by its key with other content."""
    conversation_id: str | None = None


class Outcome(Struct, frozen=True, omit_defaults=True):
    """What room 2 stored on the intake row, for channels that answer with it."""

    placed: tuple[Placed, ...] = ()
    error: str | None = None
    """Why nothing came of it: `malformed`, `unknown_account`, `conflict`, `identity_taken` ... Of a live frame also
    `late`: it is safe, and what comes of it was not known in time.
    """
    holder: str | None = None
    """Who must answer now: `ai`, `queue`, `agent` or `nobody`; None: no conversation was touched."""


class Reply(Struct, frozen=True):
    """An answer over HTTP, in either direction; on a live socket `body` is the frame (empty: no frame)."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b""


def problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> Reply:
    """A refusal that programs can read (RFC 9457): its type is the code."""
    told = {"type": f"urn:throughline:{code}", "title": code.replace("_", " "), "status": status, "code": code}
    return Reply(status, {"content-type": "application/problem+json", **(headers or {})}, msgspec.json.encode(told))


class Carried(Struct, frozen=True, kw_only=True):
    """A file that came inside of the raw itself (a mail's attachment)."""

    ref: str
    """The `external_id` that `parse` gave the part's MediaRef."""
    data: bytes
    mime: str | None = None
    """As its sender says."""
