"""What the tests of the web chat share: one endpoint, requests to it, and a house small enough to read."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec

from adapters.base import (
    Bind,
    Close,
    Keep,
    LegRead,
    LiveSession,
    Outcome,
    Placed,
    RawInbound,
    Relay,
    Reply,
    Request,
    Say,
    Wire,
)
from adapters.webchat import Config, Webchat
from normalizer.envelope import Envelope, Message, Text
from normalizer.ids import EndpointId, EnvelopeId

NOW = datetime(2026, 11, 22, 18, 0, tzinfo=UTC)
SITE = "https://shop.example"
SECRET = "the-signing-secret-of-this-widget"
KEY = "0123456789abcdef0123456789abcdef"
ENDPOINT = EndpointId("web")
PUBLIC = "https://gw.example/hooks/web"


def config(**changes: Any) -> Config:
    fields: dict[str, Any] = {
        "secret": SECRET,
        "widget_key": "w1",
        "allowed_origins": (SITE,),
        "identity_secrets": {"k1": KEY},
    }
    return Config(**(fields | changes))


def build(**changes: Any) -> Webchat:
    return Webchat(ENDPOINT, config(**changes))


def http(
    method: str = "POST",
    path: str = "/session",
    body: Any = None,
    *,
    token: str | None = None,
    id: str = "raw-1",
    now: datetime = NOW,
    headers: dict[str, str] | None = None,
    origin: str | None = SITE,
    query: str = "",
) -> RawInbound:
    found = {"content-type": "application/json"} | ({"origin": origin} if origin else {})
    if token is not None:
        found["authorization"] = f"Bearer {token}"
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return RawInbound(
        id=id,
        endpoint_id=ENDPOINT,
        origin="webhook",
        received_at=now,
        method=method,
        path=path,
        query=query,
        headers=found | (headers or {}),
        body=data,
        public_url=PUBLIC + path,
    )


def live(
    frame: Any = b"",
    *,
    session: str | None = None,
    now: datetime = NOW,
    id: str = "raw-1",
    headers: dict[str, str] | None = None,
    origin: str | None = SITE,
) -> RawInbound:
    data = frame if isinstance(frame, bytes) else json.dumps(frame).encode()
    found = ({"origin": origin} if origin else {}) | (headers or {})
    return RawInbound(
        id=id,
        endpoint_id=ENDPOINT,
        origin="live",
        received_at=now,
        method="GET",
        headers=found,
        body=data,
        session=session,
    )


def problem(status: int, code: str) -> dict[str, Any]:
    """What a refusal says (RFC 9457)."""
    return {"type": f"urn:throughline:{code}", "title": code.replace("_", " "), "status": status, "code": code}


def body(reply: Any) -> Any:
    assert isinstance(reply, Reply)
    return json.loads(reply.body)


def open_session(adapter: Webchat, *, id: str = "raw-1", now: datetime = NOW) -> tuple[str, str]:
    """A new session's token and the value of its address."""
    given = body(adapter.verify(http(id=id, now=now)))
    return given["session_token"], f"{adapter.widget}/{given['session_id']}"


def identity_jwt(*, key: str = KEY, kid: str | None = "k1", now: datetime = NOW, **changes: Any) -> str:
    at = int(now.timestamp())
    claims = {"sub": "u1", "aud": "w1", "iat": at, "exp": at + 3600} | changes
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(claims, key, algorithm="HS256", headers={"kid": kid} if kid else None)


class House:
    """Three rooms in sixty lines of memory: enough to let visitors talk to the real adapter."""

    def __init__(self, adapter: Webchat) -> None:
        self.adapter = adapter
        self.lines: dict[str, list[Wire]] = {}
        self.seen: dict[str, tuple[Placed, Any]] = {}
        self.now = NOW
        self.count = 0
        self.typed: list[Envelope] = []

    def next_raw(self) -> str:
        self.count += 1
        self.now += timedelta(milliseconds=7)
        return f"raw-{self.count}"

    def call(self, request: Request) -> Reply:
        path, _, query = request.url.removeprefix(PUBLIC).partition("?")
        raw = RawInbound(
            id=self.next_raw(),
            endpoint_id=ENDPOINT,
            origin="webhook",
            received_at=self.now,
            method=request.method,
            path=path,
            query=query,
            headers=dict(request.headers),
            body=request.body,
            public_url=PUBLIC + path,
        )
        verdict = self.adapter.verify(raw)
        match verdict:
            case None:
                return self.adapter.respond(raw, self.process(raw))
            case Reply():
                return verdict
            case LegRead(address=address, after=after, limit=limit):
                lines = [line for line in self.wire(address.value) if line.seq > (after or 0)]
                return self.adapter.page(raw, verdict, lines[:limit], len(lines) > limit, len(self.wire(address.value)))
            case _:
                raise AssertionError(verdict)

    def wire(self, leg: str) -> list[Wire]:
        return self.lines.setdefault(leg, [])

    def process(self, raw: RawInbound) -> Outcome:
        (envelope,) = self.adapter.parse(raw)
        key = envelope.dedupe_keys[0] if envelope.dedupe_keys else raw.id
        if key in self.seen:
            placed, stored = self.seen[key]
            same = stored == envelope.body
            return Outcome((msgspec.structs.replace(placed, duplicate=True, conflict=not same),))
        assert envelope.party.address is not None
        seq = self.show(envelope.party.address.value, envelope) if isinstance(envelope.body, Message) else None
        placed = Placed(envelope.id, wire_seq=seq, at=self.now)
        self.seen[key] = (placed, envelope.body)
        return Outcome((placed,))

    def show(self, leg: str, envelope: Envelope) -> int:
        lines = self.wire(leg)
        lines.append(Wire(seq=len(lines) + 1, envelope=envelope, at=self.now))
        return len(lines)

    def write(self, leg: str, text: str) -> None:
        self.show(leg, outbound(Message(parts=(Text(text),)), id=f"env_{len(self.wire(leg))}"))


class Tab:
    """A socket between a visitor and the house; frames that it holds back are lost when it breaks."""

    def __init__(self, house: House, visitor: Any) -> None:
        self.house, self.visitor = house, visitor
        self.session: str | None = None
        self.cursor = 0
        self.closed: int | None = None
        for frame in visitor.opened():
            self.send(frame)

    def send(self, frame: bytes, *, lose_answer: bool = False) -> None:
        raw = live(frame, session=self.session, now=self.house.now, id=self.house.next_raw())
        heard = self.house.adapter.hear(raw)
        match heard:
            case Keep():
                answer = self.house.adapter.respond(raw, self.house.process(raw)).body
                if not lose_answer:
                    self.deliver(answer)
            case Say(frame=answer):
                self.deliver(answer)
            case Relay(envelope=envelope):
                self.house.typed.append(envelope)
            case Close(code=code):
                self.closed = code
            case Bind():
                self.bind(heard)

    def bind(self, bound: Bind) -> None:
        self.session, self.cursor = bound.address.value, bound.resume_from or 0
        head = len(self.house.wire(self.session))
        seen = LiveSession(address=bound.address, conversation_id="c1", head=head)
        for frame in self.house.adapter.greet(seen, self.house.now):
            self.deliver(frame)
        self.wake()
        self.deliver(self.house.adapter.synced(head))

    def wake(self) -> None:
        assert self.session is not None
        while self.cursor < len(self.house.wire(self.session)):
            line = self.house.wire(self.session)[self.cursor]
            self.cursor += 1
            self.deliver(self.house.adapter.show(line) or b"")

    def deliver(self, frame: bytes) -> None:
        for answer in self.visitor.take(frame) if frame else ():
            self.send(answer)


def outbound(what: Any, *, id: str = "env_out", author: Any = "ai") -> Envelope:
    return Envelope(
        id=EnvelopeId(id),
        direction="out",
        channel_type="webchat",
        endpoint_id=ENDPOINT,
        account="w1",
        author=author,
        occurred_at=NOW,
        body=what,
    )
