"""The frames of the web chat, both ways, and the only reader of what a client sends.

Rule: unknown fields are ignored, so that an older server and a newer widget understand each other, and the reverse.
Rule: the `read_` functions raise BadFrame and nothing else, whatever the bytes are.
"""

import json
import re
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct, field

from normalizer.codec import clean

T = TypeVar("T")

SUBPROTOCOL = "v1.chat"
VERSION = 1
TYPING_TTL_MS = 6_000

CLOSE_TOO_BIG = 1009
CLOSE_BAD_FRAME = 4400
CLOSE_UNAUTHENTICATED = 4401

NackCode = Literal[
    "bad_frame", "unauthenticated", "forbidden", "too_long", "rate_limited", "unsupported_type",
    "attachment_unknown", "cid_conflict", "conversation_closed", "unavailable", "internal",
]  # fmt: skip
RETRYABLE: frozenset[NackCode] = frozenset({"rate_limited", "unavailable", "internal"})

_CID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
Cid = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Seq = Annotated[int, Meta(ge=0, le=2**53)]

# --- from the client ----------------------------------------------------------------------------------------------


class Hello(Struct, frozen=True, tag_field="t", tag="hello"):
    v: int = VERSION
    token: str | None = None
    """None: it stood among the subprotocols of the handshake."""
    resume_from: Seq | None = None


class ReplyChoice(Struct, frozen=True):
    to: Name
    id: Name
    title: str | None = None


class PageSeen(Struct, frozen=True):
    url: str
    title: str | None = None
    referrer: str | None = None


class Msg(Struct, frozen=True, tag_field="t", tag="msg"):
    cid: Cid
    type: str
    text: str | None = None
    attachment_id: str | None = None
    reply: ReplyChoice | None = None
    reply_to: Name | None = None
    locale: str | None = None
    page: PageSeen | None = None


class Read(Struct, frozen=True, tag_field="t", tag="read"):
    seq: Seq


class TypingSeen(Struct, frozen=True, tag_field="t", tag="typing"):
    on: bool = True


class Ping(Struct, frozen=True, tag_field="t", tag="ping"):
    pass


class Pong(Struct, frozen=True, tag_field="t", tag="pong"):
    pass


ClientFrame = Hello | Msg | Read | TypingSeen | Ping | Pong


class Proof(Struct, frozen=True, kw_only=True):
    """What a request brings to say who the visitor is: the body of POST /identify."""

    identity_jwt: str | None = None
    user_id: str | None = None
    user_hash: str | None = None

    @property
    def given(self) -> bool:
        return self.identity_jwt is not None or self.user_hash is not None


class SessionRequest(Proof, frozen=True, kw_only=True):
    """The body of POST /session."""

    widget_key: str | None = None
    session_token: str | None = None


class BadFrame(ValueError):
    """Not a frame of ours. `cid` is there when it could be made out."""

    def __init__(self, cid: str | None = None) -> None:
        super().__init__("not a frame")
        self.cid = cid


class _Head(Struct, frozen=True):
    cid: Any = None


_frames: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)
_messages = msgspec.json.Decoder(Msg)
_proofs = msgspec.json.Decoder(Proof)
_session_requests = msgspec.json.Decoder(SessionRequest)


def read_frame(body: bytes) -> ClientFrame:
    return _decoded(body, _frames)


def read_posted(body: bytes) -> Msg | Read:
    """The body of POST /messages, where `t` may be left out."""
    try:
        return _decoded(body, _messages)
    except BadFrame:
        frame = _decoded(body, _frames)
        if isinstance(frame, Read):
            return frame
        raise


def read_proof(body: bytes) -> Proof:
    return _decoded(body, _proofs)


def read_session_request(body: bytes) -> SessionRequest:
    return _decoded(body or b"{}", _session_requests)


def _decoded(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    try:
        body.decode()
        return decoder.decode(body)
    except msgspec.ValidationError:
        raise BadFrame(_cid_of(body)) from None
    except msgspec.DecodeError:
        return _mended(body, decoder)
    except (RecursionError, UnicodeDecodeError):
        raise BadFrame from None


def _mended(body: bytes, decoder: "msgspec.json.Decoder[T]") -> T:
    """Browsers cut texts inside a surrogate pair; such a message is mended rather than refused for ever."""
    try:
        mended = msgspec.json.encode(clean(json.loads(body, parse_constant=_no_constant)))
    except (ValueError, RecursionError):
        raise BadFrame from None
    try:
        return decoder.decode(mended)
    except msgspec.ValidationError:
        raise BadFrame(_cid_of(mended)) from None
    except (msgspec.DecodeError, RecursionError):
        raise BadFrame from None


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _cid_of(body: bytes) -> str | None:
    try:
        cid = msgspec.json.decode(body, type=_Head).cid
    except (msgspec.DecodeError, RecursionError):
        return None
    return cid if isinstance(cid, str) and _CID.match(cid) else None


# --- from the server ----------------------------------------------------------------------------------------------


class From(Struct, frozen=True, omit_defaults=True):
    kind: Literal["bot", "agent", "system", "visitor"]
    name: str | None = None


class Limits(Struct, frozen=True):
    text: int
    file: int
    frame: int


class Ready(Struct, frozen=True, kw_only=True, tag_field="t", tag="ready", omit_defaults=True):
    v: int
    session_id: str
    conversation_id: str | None = None
    seq: int
    oldest: int
    server_time: datetime
    limits: Limits
    features: tuple[str, ...]


class Ack(Struct, frozen=True, kw_only=True, tag_field="t", tag="ack", omit_defaults=True):
    cid: str
    id: str
    seq: int | None = None
    ts: datetime
    dup: bool


class Nack(Struct, frozen=True, kw_only=True, tag_field="t", tag="nack", omit_defaults=True):
    cid: str | None = None
    code: NackCode
    retryable: bool
    retry_after_ms: int | None = None


class MsgShown(Struct, frozen=True, kw_only=True, tag_field="t", tag="msg", omit_defaults=True):
    seq: int
    id: str
    sender: From = field(name="from")
    type: str
    content: dict[str, Any]
    ts: datetime
    cid: str | None = None
    reply_to: str | None = None
    status: str | None = None


class Upd(Struct, frozen=True, kw_only=True, tag_field="t", tag="upd", omit_defaults=True):
    seq: int | None = None
    id: str
    type: str
    content: dict[str, Any]
    final: bool
    ts: datetime


class Del(Struct, frozen=True, kw_only=True, tag_field="t", tag="del"):
    seq: int
    id: str
    ts: datetime


class Conv(Struct, frozen=True, kw_only=True, tag_field="t", tag="conv", omit_defaults=True):
    seq: int
    state: str
    name: str | None = None
    ts: datetime


class ReadShown(Struct, frozen=True, kw_only=True, tag_field="t", tag="read", omit_defaults=True):
    seq: int
    up_to: int | None = None
    id: str | None = None
    ts: datetime


class Skip(Struct, frozen=True, tag_field="t", tag="skip"):
    """Something that is not for this eye took a number; without this frame the client would see a gap."""

    seq: int


class TypingShown(Struct, frozen=True, kw_only=True, tag_field="t", tag="typing"):
    on: bool
    ttl_ms: int
    sender: From = field(name="from")


class Synced(Struct, frozen=True, tag_field="t", tag="synced"):
    seq: int


class CloseSoon(Struct, frozen=True, tag_field="t", tag="close_soon"):
    reconnect_after_ms: int


ServerFrame = (
    Ready | Ack | Nack | MsgShown | Upd | Del | Conv | ReadShown | Skip | TypingShown | Synced | CloseSoon | Ping | Pong
)

_encoder = msgspec.json.Encoder()


def encode(frame: ServerFrame) -> bytes:
    return _encoder.encode(frame)


def nack(code: NackCode, cid: str | None = None, retry_after_ms: int | None = None) -> Nack:
    return Nack(cid=cid, code=code, retryable=code in RETRYABLE, retry_after_ms=retry_after_ms)
