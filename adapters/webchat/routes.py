"""The calls beside the socket: who may make them, and what they are answered.

Rule: every answer to an allowed origin carries its CORS headers, refusals included, else the widget can not tell 401
from a broken line. CORS protects no socket: a handshake's Origin is checked as well.
Rule: `Origin: null` is nobody: any sandboxed frame and any file can send it.
"""

from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import Struct

from adapters.base import Forbidden, LegRead, LegUpload, Outcome, Placed, RawInbound, Reply, Unauthentic, problem
from adapters.webchat import identity
from adapters.webchat.config import Config
from adapters.webchat.session import Session, bearer
from adapters.webchat.wire import Ack, Limits, Nack, NackCode, nack

PREFLIGHT_MAX_AGE_S = 7_200
PAGE_MAX = 100
PAGE_DEFAULT = 50

METHODS = {
    "/session": ("POST", "DELETE"),
    "/history": ("GET",),
    "/events": ("GET",),
    "/messages": ("POST",),
    "/uploads": ("POST",),
    "/identify": ("POST",),
}

STATUS: dict[NackCode, int] = {
    "bad_frame": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "too_long": 413,
    "rate_limited": 429,
    "unsupported_type": 422,
    "attachment_unknown": 422,
    "cid_conflict": 409,
    "conversation_closed": 409,
    "unavailable": 503,
    "internal": 503,
}

ERRORS: dict[str, NackCode] = {
    "malformed": "bad_frame",
    "conflict": "cid_conflict",
    "ended": "unauthenticated",
    "identity_taken": "forbidden",
    "conversation_closed": "conversation_closed",
    "late": "unavailable",
}
"""What room 2 made of it, in the client's words; anything else is `internal`."""

UPLOAD_ERRORS: dict[str, tuple[int, str]] = {
    "too_large": (413, "too_large"),
    "type_refused": (415, "type_refused"),
    "empty": (422, "empty"),
    "ended": (401, "unauthenticated"),
}


class Look(Struct, frozen=True, omit_defaults=True):
    title: str
    greeting: str | None
    colour: str


class SessionReply(Struct, frozen=True, kw_only=True):
    session_token: str
    session_id: str
    cursor: int | None
    ws_url: str
    expires_at: datetime
    renewed: bool
    identified: bool
    server_time: datetime
    limits: Limits
    file_types: tuple[str, ...]
    ui: Look


class UploadReply(Struct, frozen=True):
    attachment_id: str
    name: str | None
    size: int | None
    mime: str | None


# --- origins ------------------------------------------------------------------------------------------------------


def check_origin(raw: RawInbound, config: Config) -> None:
    """Raises Forbidden."""
    origin = origin_of(raw)
    if origin is None and config.allow_no_origin:
        return
    if origin not in config.allowed_origins:
        raise Forbidden("origin refused")


def origin_of(raw: RawInbound) -> str | None:
    """A GET to the page's own origin carries no Origin; browsers say so in a header that scripts can not set."""
    origin = raw.headers.get("origin")
    if origin is None and raw.method == "GET" and raw.headers.get("sec-fetch-site") == "same-origin":
        parts = urlsplit(raw.public_url)
        return f"{parts.scheme}://{parts.netloc}"
    return origin


def cors(raw: RawInbound, config: Config) -> dict[str, str]:
    """Headers of every answer to this caller."""
    origin = raw.headers.get("origin")
    if origin is None or origin not in config.allowed_origins:
        return {"vary": "Origin"}
    return {"vary": "Origin", "access-control-allow-origin": origin, "access-control-expose-headers": "retry-after"}


def preflight(raw: RawInbound, config: Config) -> Reply:
    methods = METHODS.get(raw.path, ())
    headers = {
        "access-control-allow-methods": ", ".join(methods),
        "access-control-allow-headers": "authorization, content-type",
        "access-control-max-age": str(PREFLIGHT_MAX_AGE_S),
    }
    return Reply(204 if methods else 404, cors(raw, config) | headers)


# --- reading ------------------------------------------------------------------------------------------------------


def leg_read(raw: RawInbound, session: Session, config: Config) -> LegRead:
    """Raises ValueError for a number that is none."""
    query = {name: values[-1] for name, values in parse_qs(raw.query, max_num_fields=20).items()}
    limit = min(max(_number(query, "limit", PAGE_DEFAULT), 1), PAGE_MAX)
    if raw.path == "/history":
        before = _number(query, "before", 0)
        return LegRead(address=session.address, issued_at=session.issued_at, before=before or None, limit=limit)
    wait = min(_number(query, "wait", 0), config.long_poll_max_s)
    return LegRead(
        address=session.address,
        issued_at=session.issued_at,
        after=_number(query, "after", 0),
        limit=limit,
        wait_ms=wait * 1_000,
    )


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isascii() or not text.isdecimal() or len(text) > 16:
        raise ValueError(name)
    return int(text)


def leg_upload(session: Session, config: Config) -> LegUpload:
    return LegUpload(
        address=session.address,
        issued_at=session.issued_at,
        max_bytes=config.file_max_bytes,
        mimes=frozenset(config.file_types),
    )


# --- answers ------------------------------------------------------------------------------------------------------


def answered(raw: RawInbound, config: Config, status: int, body: Any = None) -> Reply:
    headers = cors(raw, config) | {"cache-control": "no-store"}
    if status in {429, 503}:
        headers["retry-after"] = "1"
    if body is None:
        return Reply(status, headers)
    return Reply(status, headers | {"content-type": "application/json"}, msgspec.json.encode(body))


def refused(raw: RawInbound, config: Config, status: int, code: str) -> Reply:
    return problem(status, code, answered(raw, config, status).headers)


def nacked(raw: RawInbound, config: Config, frame: Nack) -> Reply:
    return answered(raw, config, STATUS[frame.code], frame)


def verdict(cid: str, outcome: Outcome | None, now: datetime) -> Ack | Nack:
    """What the sender of a message is told. No outcome in time: perhaps stored; the repeat will know."""
    if outcome is None:
        return nack("unavailable", cid)
    if (code := trouble(outcome)) is not None:
        return nack(code, cid)
    placed = outcome.placed[0]
    return Ack(cid=cid, id=placed.envelope_id, seq=placed.wire_seq, ts=placed.at or now, dup=placed.duplicate)


def trouble(outcome: Outcome, *, placed: bool = True) -> NackCode | None:
    """`placed` False: of a receipt, which has no place of its own in the conversation."""
    if outcome.error is not None:
        return ERRORS.get(outcome.error, "internal")
    match outcome.placed:
        case (Placed(conflict=True), *_):
            return "cid_conflict"
        case () if placed:
            return "internal"
        case _:
            return None


def session_reply(raw: RawInbound, config: Config, session: Session, token: str, *, renewed: bool) -> SessionReply:
    return SessionReply(
        session_token=token,
        session_id=session.sid,
        cursor=None if renewed else 0,
        ws_url=ws_url(raw),
        expires_at=session.expires_at,
        renewed=renewed,
        identified=session.sub is not None,
        server_time=raw.received_at,
        limits=limits(config),
        file_types=config.file_types,
        ui=Look(config.title, config.greeting, config.colour),
    )


def limits(config: Config) -> Limits:
    return Limits(text=config.text_limit, file=config.file_max_bytes, frame=config.frame_max_bytes)


def ws_url(raw: RawInbound) -> str:
    """Beside the URL that the caller used; relative when that is not known."""
    base, found, _ = raw.public_url.rpartition(f"/hooks/{raw.endpoint_id}")
    if not found:
        base = f"{urlsplit(raw.public_url).scheme}://{urlsplit(raw.public_url).netloc}" if raw.public_url else ""
    scheme, _, rest = base.partition("://")
    path = f"/live/{raw.endpoint_id}"
    return f"{'wss' if scheme == 'https' else 'ws'}://{rest}{path}" if rest else path


def known_token(raw: RawInbound) -> str:
    """Raises Unauthentic."""
    token = bearer(raw)
    if token is None:
        raise Unauthentic("no session token")
    return token


def same_person(session: Session, who: identity.Identified) -> Literal["new", "same", "other"]:
    """What an identity proof means for a session: a first or changed one, a mere repeat, or somebody else's."""
    if session.sub is None:
        return "new"
    if session.sub != who.sub:
        return "other"
    return "same" if session.proof == who.digest else "new"
