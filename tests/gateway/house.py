"""A gateway for tests: the real composition on a temporary SQLite store, one web chat endpoint, the echo engine,
served on a free port of loopback; and tabs, which are the pure visitor behind a real socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.base import LiveLimits, Reply, Request
from adapters.webchat.simulator import Visitor
from gateway import live
from gateway.app import House, serving
from gateway.config import build
from gateway.core import Core
from gateway.directory import Mounted, to_ms
from gateway.live import sockets_of
from gateway.settings import Config
from gateway.store import threads
from gateway.store.reads import get_leg
from gateway.store.threads import EnvelopeRow, LegRow
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.envelope import Envelope, Message, Text
from normalizer.ids import AgentId, EndpointId, EnvelopeId, LegId, MatchKey, leg_id
from router.events import AgentReplied
from tests.gateway.settings_kit import KEY

SITE = "https://shop.example"
ENDPOINT = "web"
WIDGET = "w1"
JWT_KEY = "0123456789abcdef0123456789abcdef"
FAST = LiveLimits(messages_per_s=10_000, messages_burst=10_000, frames_per_s=10_000, frames_burst=10_000)
PATIENCE_S = 20.0
"""No test waits for time to pass, only for what must come; this is when it gives up."""
PATIENT = {"write_timeout_ms": 20_000, "call_outcome_ms": 5_000, "frame_outcome_ms": 5_000}
"""The gateway's own: a machine that others keep busy is not what a test asks about. Outcomes end sooner, because tests
kill the room that they are waited for from.
"""


def config(folder: Path, *, server: dict[str, Any] | None = None, webchat: dict[str, Any] | None = None,
           sections: dict[str, Any] | None = None) -> Config:  # fmt: skip
    endpoint = {
        "type": "webchat", "secret": "s" * 40, "widget_key": WIDGET, "allowed_origins": [SITE],
        "identity_secrets": {"k1": JWT_KEY},
    }  # fmt: skip
    tree = {
        "key": KEY,
        "server": {"port": 0, **PATIENT, **(server or {})},
        "store": {"data_dir": str(folder)},
        "media": {"min_free_bytes": 0, "media_min_free_bytes": 0},
        "ai": {"engine": "echo"},
        "endpoints": {ENDPOINT: endpoint | (webchat or {})},
    }
    return build(tree | (sections or {}), folder, {})


class Place:
    """A gateway that runs, and how to speak to it."""

    def __init__(self, house: House, url: str, http: aiohttp.ClientSession) -> None:
        self.house, self.url, self.http = house, url, http
        self.rooms = asyncio.create_task(house.rooms(), name="rooms")

    @property
    def core(self) -> Core:
        return self.house.core

    @property
    def mounted(self) -> Mounted:
        return self.core.directory.endpoints[EndpointId(ENDPOINT)]

    def visitor(self, token: str | None = None, *, origin: str | None = SITE) -> Visitor:
        return Visitor(base_url=self.url, endpoint=ENDPOINT, origin=origin, widget_key=WIDGET, token=token)

    async def call(self, request: Request) -> Reply:
        async with self.http.request(request.method, request.url, headers=request.headers, data=request.body) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read())

    async def session(self) -> Visitor:
        """A visitor with a session, and no socket yet."""
        visitor = self.visitor()
        assert visitor.session_given(await self.call(visitor.session_request()))
        visitor.ws_url = self.visitor().ws_url
        return visitor

    async def tab(self, visitor: Visitor | None = None) -> Tab:
        """A live one, of a new session or this visitor's."""
        tab = Tab(visitor or await self.session())
        await tab.dial()
        await tab.until(lambda: tab.visitor.state == "live")
        return tab

    async def another_tab(self, tab: Tab) -> Tab:
        """In the same browser, opened with nothing seen."""
        other = self.visitor(tab.visitor.token)
        return await self.tab(other)

    def leg_of(self, visitor: Visitor) -> LegId:
        payload = (visitor.token or "").partition("_")[2].partition(".")[0]
        fields = json.loads(_unpadded(payload))
        channel = self.mounted.channels[0].id
        return leg_id(channel, MatchKey(f"web:{fields['widget']}/{fields['sid']}"), None)

    async def write(self, visitor: Visitor, *texts: str) -> None:
        """Our side writes to this visitor, who has written before."""
        row = await self.core.store.read(lambda tx: get_leg(tx, self.leg_of(visitor)))
        assert row is not None
        facts = [
            AgentReplied(conversation_id=row.conversation_id, agent_id=AgentId("a1"), parts=(Text(text),),
                         key=self.core.ids.uuid(), system=True)
            for text in texts
        ]  # fmt: skip
        await asyncio.gather(*(self.core.receiver.enter(fact, row.conversation_id) for fact in facts))

    async def put(self, visitor: Visitor, *texts: str, together: int = 20) -> None:
        """Lines of ours straight onto his wire, as room 3 numbers them, in transactions of so many."""
        leg = self.leg_of(visitor)
        for place in range(0, len(texts), together):
            part = texts[place : place + together]
            await self.core.store.write(partial(self._add, leg=leg, texts=part))
            self.core.wake.leg(leg)

    def _add(self, tx: Tx, leg: LegId, texts: tuple[str, ...]) -> None:
        row = threads.lock_legs(tx, [leg])[leg]
        threads.add_envelopes(tx, [self._line(row, row.wire_head + n, text) for n, text in enumerate(texts, 1)])
        threads.save_legs(tx, [row._replace(wire_head=row.wire_head + len(texts))])

    def _line(self, leg: LegRow, wire_seq: int, text: str) -> EnvelopeRow:
        now = self.core.clock.now()
        envelope = Envelope(
            id=EnvelopeId(self.core.ids.new("env")),
            direction="out",
            channel_type="webchat",
            endpoint_id=self.mounted.id,
            author="ai",
            occurred_at=now,
            body=Message(parts=(Text(text),)),
        )
        return EnvelopeRow(
            id=envelope.id,
            conversation_id=leg.conversation_id,
            seq=None,
            leg_id=leg.id,
            wire_seq=wire_seq,
            channel_id=leg.channel_id,
            kind="message",
            direction="out",
            observed=False,
            at=to_ms(now),
            intake_id=0,
            content=codec.encode(envelope),
            raw=None,
        )

    async def stop(self) -> None:
        """As SIGTERM does it."""
        self.house.state.draining = True
        await live.close_all(self.core)
        self.house.processor.stop()
        self.house.performer.stop()
        await self.rooms

    async def kill(self) -> None:
        """As far as one process can: everything stops where it stands and nobody says goodbye."""
        self.rooms.cancel()
        for socket in list(sockets_of(self.core)._all):
            socket._transport.abort()
        await asyncio.wait([self.rooms])


def _unpadded(text: str) -> bytes:
    from base64 import urlsafe_b64decode

    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


@asynccontextmanager
async def running(settings: Config, *, limits: LiveLimits | None = None) -> AsyncIterator[Place]:
    async with serving(settings) as (house, url), aiohttp.ClientSession() as http:
        place = Place(house, url, http)
        if limits is not None:
            place.mounted.adapter.limits = limits  # type: ignore[attr-defined]  # because adapters may have some
        try:
            yield place
        finally:
            if not place.rooms.done():
                await place.stop()


async def soon(done: Callable[[], bool]) -> None:
    """For what announces itself to nobody."""
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110  because there is no event for it
            await asyncio.sleep(0)


class Tab:
    """A visitor's socket. A task reads it; whoever waits for something is woken by every frame."""

    def __init__(self, visitor: Visitor, *, deaf: bool = False) -> None:
        self.visitor = visitor
        self.frames: list[dict[str, Any]] = []
        self.closed_with: int | None = None
        self._deaf = deaf
        self._news = asyncio.Event()
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def socket(self) -> ClientConnection:
        assert self._socket is not None
        return self._socket

    async def dial(self, **options: Any) -> None:
        asked = self.visitor.handshake()
        self.closed_with = None
        self._socket = await connect(asked.url, additional_headers=dict(asked.headers), compression=None, **options)
        for frame in self.visitor.opened():
            with suppress(ConnectionClosed):
                await self.send(frame)
        if not self._deaf:
            self.listen()

    def listen(self) -> None:
        self._reading = asyncio.create_task(self._read(), name="tab")

    async def _read(self) -> None:
        try:
            while True:
                data = await self.socket.recv()
                assert isinstance(data, str)
                self.frames.append(json.loads(data))
                for answer in self.visitor.take(data.encode()):
                    await self.send(answer)
                self._news.set()
        except ConnectionClosed as closed:
            self.closed_with = closed.rcvd.code if closed.rcvd is not None else 1006
            self.visitor.closed()
            self._news.set()

    async def send(self, frame: bytes) -> None:
        await self.socket.send(frame.decode())

    async def say(self, text: str, cid: str) -> None:
        for frame in self.visitor.say(text, cid):
            await self.send(frame)

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def closed(self) -> int:
        await self.until(lambda: self.closed_with is not None)
        assert self.closed_with is not None
        return self.closed_with

    async def seen(self, count: int) -> list[dict[str, Any]]:
        """The numbered frames, once there are so many."""
        await self.until(lambda: len(self.visitor.shown) >= count)
        return [self.visitor.shown[seq] for seq in sorted(self.visitor.shown)]

    async def frame(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first one like this, whenever it came."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found[:] = [one for one in self.frames if one["t"] == kind and fields.items() <= one.items()]
            return bool(found)

        await self.until(look)
        return found[0]

    async def hang_up(self) -> None:
        await self.socket.close()
        if self._reading is not None:
            await self._reading

    @property
    def texts(self) -> list[str]:
        shown = self.visitor.shown
        return [shown[seq]["content"]["text"] for seq in sorted(shown) if shown[seq]["t"] == "msg"]
