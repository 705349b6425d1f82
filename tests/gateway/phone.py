"""A telephone in a gateway that runs: an endpoint with sockets that hears answers while they are written."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.base import (
    Bind,
    ChannelSpec,
    Close,
    Heard,
    Keep,
    LegRead,
    LiveLimits,
    LiveSession,
    Outcome,
    RawInbound,
    Reply,
    Wire,
)
from gateway.core import Core
from gateway.directory import Directory, Mounted
from normalizer.address import Address, Scheme
from normalizer.envelope import CallEvent, Envelope, Evidence, MediaRef, StateChange, plain_text
from normalizer.ids import ChannelId, EndpointId
from tests.rooms.line import CAPABILITIES, Line

PATIENCE_S = 20.0
ENDPOINT = EndpointId("phone")
ACCOUNTS = ("+1000", "+2000")
FAST = LiveLimits(messages_per_s=10_000, messages_burst=10_000, frames_per_s=10_000, frames_burst=10_000)


class Phone(Line):
    """The first frame binds: `number`, and what else a test wants of `Bind`."""

    limits = FAST
    hello_ms = 20_000
    max_frame_bytes = 65_536
    subprotocols: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.capabilities = replace(CAPABILITIES, answers="processed")
        self.notes: list[str | None] = []
        self.streamed: list[int] = []
        self.rings = True

    def hear(self, raw: RawInbound) -> Heard:
        frame = json.loads(raw.body)
        if raw.session is not None:
            return Keep()
        if "number" not in frame:
            return Close(4400)
        since = frame.get("since")
        return Bind(
            address=Address(Scheme.TEL, frame["number"]),
            evidence=Evidence.CLAIMED if frame.get("claimed") else Evidence.CHANNEL,
            issued_at=raw.received_at,
            account=frame.get("account", ACCOUNTS[0]),
            native_thread=frame.get("thread"),
            since=None if since is None else datetime.fromisoformat(since),
            turns=frame.get("turns", ""),
            note=frame.get("note", ""),
            keep=frame.get("keep", False),
        )

    def parse(self, raw: RawInbound) -> Sequence[Envelope]:
        frame = json.loads(raw.body)
        self.notes.append(raw.headers.get("x-session-note"))
        session = raw.session or frame.get("number", "+1")
        (said,) = super().parse(replace(raw, session=session))
        thread = frame.get("thread")
        return [replace(said, account=frame.get("account", ACCOUNTS[0]), native_thread=thread)]

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply:
        if raw.origin == "live":
            return Reply()
        return Reply(200, {"content-type": "application/json"}, json.dumps(outcome and outcome.holder).encode())

    def unavailable(self, raw: RawInbound) -> Reply | None:
        if raw.path == "/broken":
            raise RuntimeError("a defect")
        return Reply(200, {"content-type": "text/xml"}, b"<Sorry/>") if self.rings else None

    def headers(self, raw: RawInbound) -> Mapping[str, str]:
        return {}

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        return b""

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]:
        return ()

    def show(self, line: Wire) -> bytes | None:
        envelope = line.envelope
        if envelope.direction == "in":
            return None
        if isinstance(envelope.body, StateChange):
            return _frame(type="state", state=envelope.body.state)
        self.streamed.append(line.streamed)
        rest = plain_text(envelope.body)[line.streamed :]
        return _frame(type="text", token=rest, last=True) if rest or not line.closed else None

    def partial(self, text: str, first: bool) -> bytes:
        return _frame(type="text", token=text, last=False, first=first)

    def language(self, locale: str, before: str | None, heard: str | None) -> bytes | None:
        return _frame(type="language", to=locale, before=before, heard=heard) if locale != before else None

    def broken_off(self) -> bytes:
        return _frame(type="text", token="", last=True)

    def once(self, envelope: Envelope) -> bool:
        return plain_text(envelope.body).startswith("once")

    def ends(self, envelope: Envelope, note: str) -> bool:
        """Its own end, or that of the call whose name is its note."""
        match envelope.body:
            case CallEvent(event="ended", call=call):
                return call == note
            case StateChange(state="queue"):
                return True
            case _:
                return False

    def synced(self, head: int) -> bytes:
        return _frame(type="synced", head=head)

    def farewell(self, reconnect_after_ms: int) -> bytes:
        return _frame(type="end")

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply:
        return Reply(404)

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> Reply:
        return Reply(404)


def _frame(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def install(core: Core) -> Phone:
    """One endpoint with two numbers, beside those of the configuration."""
    phone = Phone()
    numbers = tuple(ChannelSpec(ChannelId(f"phone{number}"), number) for number in ACCOUNTS)
    mounted = Mounted(id=ENDPOINT, type="phone", adapter=phone, channels=numbers, credentials={})
    both = Directory([*core.directory.endpoints.values(), mounted])
    core.directory.endpoints.update(both.endpoints)
    core.directory._by_account.update(both._by_account)
    core.directory._by_channel.update(both._by_channel)
    return phone


class Caller:
    """One call's socket."""

    def __init__(self, url: str, number: str = "+16505551234") -> None:
        self._url, self.number = url.replace("http", "ws", 1) + f"/live/{ENDPOINT}", number
        self.frames: list[dict[str, Any]] = []
        self._news = asyncio.Event()
        self._count = 0

    async def dial(self, **bind: Any) -> Caller:
        self._socket: ClientConnection = await connect(self._url, compression=None)
        self._reading = asyncio.create_task(self._read())
        await self.send(number=self.number, **bind)
        return self

    async def ready(self) -> Caller:
        await self.until(lambda: any(frame["type"] == "synced" for frame in self.frames))
        return self

    async def _read(self) -> None:
        try:
            while True:
                self.frames.append(json.loads(await self._socket.recv()))
                self._news.set()
        except ConnectionClosed:
            self.frames.append({"type": "closed"})
            self._news.set()

    async def send(self, **frame: Any) -> None:
        self._count += 1
        await self._socket.send(json.dumps({"id": f"{id(self)}.{self._count}", **frame}))

    async def say(self, text: str) -> None:
        await self.send(text=text)

    async def until(self, done: Any) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def cycles(self, count: int) -> list[list[str]]:
        """What was said, once so many talk cycles are closed."""
        await self.until(lambda: sum(frame.get("last", False) for frame in self.frames) >= count)
        return self.spoken

    @property
    def spoken(self) -> list[list[str]]:
        cycles: list[list[str]] = [[]]
        for frame in self.frames:
            if frame["type"] == "text":
                cycles[-1].append(frame["token"])
                if frame["last"]:
                    cycles.append([])
        return [cycle for cycle in cycles if cycle]

    async def hang_up(self) -> None:
        await self._socket.close()
        await self._reading
