"""Sessions and the tokens that stand for them. Stateless: the store hears of a session with its first message.

Rule: a token is `<prefix>_<payload>.<mac>`, all base64url; the mac covers the payload as written, so a token has one
spelling.
Rule: keys are derived per endpoint and purpose: a token of one endpoint, or of the other kind, is worth nothing here.
Rule: renewing keeps `issued_at`. It is what an ended session's mark is compared with; a fresh one would bring it back
to life.
"""

import hmac
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from msgspec import Struct

from adapters.base import RawInbound, Unauthentic
from adapters.webchat.config import Config
from adapters.webchat.identity import Identified
from adapters.webchat.wire import SUBPROTOCOL, SessionRequest
from normalizer.address import Address, Scheme
from normalizer.envelope import MediaRef
from normalizer.ids import EndpointId

SESSION_PREFIX = "wst"
ATTACHMENT_PREFIX = "wat"
TOKEN_MAX_CHARS = 2_048
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

P = TypeVar("P", "Session", "Attachment")


class Session(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a session token says. Times are microseconds since 1970, as exact as the store's marks."""

    sid: str
    widget: str
    iat: int
    exp: int
    sub: str | None = None
    """The customer that the session was identified as when the token was issued."""
    proof: str | None = None
    """Digest of what was proved then."""

    @property
    def address(self) -> Address:
        return Address(Scheme.WEB, f"{self.widget}/{self.sid}")

    @property
    def issued_at(self) -> datetime:
        return from_micros(self.iat)

    @property
    def expires_at(self) -> datetime:
        return from_micros(self.exp)


class Attachment(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an attachment id says about an uploaded file."""

    stored: str
    session: str
    """The address value of the session that it belongs to."""
    exp: int
    name: str | None = None
    mime: str | None = None
    size: int | None = None

    @property
    def media(self) -> MediaRef:
        """Nothing of it depends on the upload's time: a second upload of the same file makes the same message."""
        return MediaRef(stored=self.stored, sniffed=self.mime, mime=self.mime, size=self.size, filename=self.name)


class Tokens:
    """Signs and reads the tokens of one endpoint."""

    def __init__(self, config: Config, endpoint_id: EndpointId) -> None:
        self._ttl_us = config.session_ttl_s * 1_000_000
        self._attachment_ttl_us = config.attachment_ttl_s * 1_000_000
        secrets = (config.secret, *config.previous_secrets)
        self._sessions = [_derived(secret, SESSION_PREFIX, endpoint_id) for secret in secrets]
        self._attachments = [_derived(secret, ATTACHMENT_PREFIX, endpoint_id) for secret in secrets]
        self._ids = _derived(config.secret, "session id", endpoint_id)

    def open(self, raw_id: str, widget: str, now: datetime) -> Session:
        """A new session. Its id tells nothing about `raw_id`, which the logs name."""
        digest = hmac.digest(self._ids, raw_id.encode(), "sha256")[:16]
        sid = b32encode(digest).decode("ascii").rstrip("=").lower()
        return Session(sid=sid, widget=widget, iat=micros(now), exp=micros(now) + self._ttl_us)

    def asked(self, request: SessionRequest, raw: RawInbound, widget: str) -> tuple[Session, bool]:
        """The session that POST /session is about, and whether it is an old one."""
        if request.session_token is not None:
            try:
                return self.read(request.session_token, raw.received_at), True
            except Unauthentic:
                pass
        return self.open(raw.id, widget, raw.received_at), False

    def renewed(self, session: Session, now: datetime) -> Session:
        return msgspec.structs.replace(session, exp=micros(now) + self._ttl_us)

    def rotated(self, session: Session, who: Identified, now: datetime) -> Session:
        """After an identity change: a new credential, so that those issued before can be made void."""
        iat = micros(now)
        return msgspec.structs.replace(session, iat=iat, exp=iat + self._ttl_us, sub=who.sub, proof=who.digest)

    def sign(self, session: Session) -> str:
        return _signed(SESSION_PREFIX, session, self._sessions[0])

    def read(self, token: str, now: datetime) -> Session:
        """Raises Unauthentic: forged, of another endpoint, expired."""
        session = _verified(SESSION_PREFIX, token, self._sessions, Session)
        if session is None or micros(now) >= session.exp:
            raise Unauthentic("session token refused")
        return session

    def attach(self, media: MediaRef, session: Session, now: datetime) -> str:
        """The attachment id of a file that was just stored."""
        assert media.stored is not None
        return _signed(
            ATTACHMENT_PREFIX,
            Attachment(
                stored=media.stored,
                session=session.address.value,
                exp=micros(now) + self._attachment_ttl_us,
                name=media.filename,
                mime=media.sniffed or media.mime,
                size=media.size,
            ),
            self._attachments[0],
        )

    def attachment(self, token: str, session_value: str, now: datetime) -> Attachment | None:
        """None: forged, of another session, expired."""
        found = _verified(ATTACHMENT_PREFIX, token, self._attachments, Attachment)
        if found is None or found.session != session_value or micros(now) >= found.exp:
            return None
        return found


def peek_session(raw: RawInbound) -> Session:
    """Who sent what was kept. It was verified before it was stored; by now it may have expired, and keys been rotated.

    Raises ValueError.
    """
    return _payload(_parts(SESSION_PREFIX, bearer(raw) or "")[0], Session)


def peek_attachment(token: str) -> Attachment:
    """Like `peek_session`: `hear` and `verify` let nothing pass that was not signed. Raises ValueError."""
    return _payload(_parts(ATTACHMENT_PREFIX, token)[0], Attachment)


def bearer(raw: RawInbound) -> str | None:
    scheme, _, token = raw.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def offered_token(raw: RawInbound) -> str | None:
    """The token among the subprotocols of a handshake: `v1.chat, t.<token>`."""
    offered = [item.strip() for item in raw.headers.get("sec-websocket-protocol", "").split(",")]
    tokens = [item[2:] for item in offered if item.startswith("t.")]
    return tokens[0] if SUBPROTOCOL in offered and tokens else None


def micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def from_micros(count: int) -> datetime:
    return _EPOCH + timedelta(microseconds=count)


def _derived(secret: str, purpose: str, endpoint_id: str) -> bytes:
    return hmac.digest(secret.encode(), f"webchat\x1f{purpose}\x1f{endpoint_id}".encode(), "sha256")


def _signed(prefix: str, payload: Session | Attachment, key: bytes) -> str:
    text = _b64(msgspec.json.encode(payload))
    return f"{prefix}_{text}.{_mac(text, key)}"


def _verified(prefix: str, token: str, keys: Sequence[bytes], kind: type[P]) -> P | None:
    try:
        text, mac = _parts(prefix, token)
        genuine = any(hmac.compare_digest(mac.encode(), _mac(text, key).encode()) for key in keys)
        return _payload(text, kind) if genuine else None
    except ValueError:
        return None


def _parts(prefix: str, token: str) -> tuple[str, str]:
    found, _, rest = token.partition("_")
    text, dot, mac = rest.partition(".")
    if found != prefix or not dot or len(token) > TOKEN_MAX_CHARS or not token.isascii():
        raise ValueError("not a token")
    return text, mac


def _payload(text: str, kind: type[P]) -> P:
    return msgspec.json.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=kind)


def _mac(text: str, key: bytes) -> str:
    return _b64(hmac.digest(key, text.encode(), "sha256"))


def _b64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode("ascii").rstrip("=")
