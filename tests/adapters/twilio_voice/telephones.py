"""Telephones at a running gateway: the provider's side over real HTTP and real sockets, and the lines that talk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.base import Request
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_relay import Relay
from gateway.store import outbox
from gateway.store.reads import list_conversations, page
from normalizer import codec
from normalizer.envelope import Status, Text, plain_text
from normalizer.ids import AgentId
from router.conversation import Conversation, Holder
from router.events import AgentReplied, HolderRequested
from tests.adapters.twilio_voice.support import ACCOUNT, CALLER, NUMBER, TOKEN
from tests.gateway.house import PATIENCE_S, Place, config, running
from tests.rooms.engine import ScriptedEngine

PUBLIC = "https://gateway.example.org"


class Telephones:
    """The telephone company and its lines into the gateway."""

    def __init__(self, place: Place) -> None:
        ids = (str(number) for number in count(1000))
        self.place = place
        self.twilio = Twilio(account_sid=ACCOUNT, auth_token=TOKEN, number=NUMBER, voice_url=f"{PUBLIC}/hooks/line",
                             ids=ids, status_url=f"{PUBLIC}/hooks/line/status")  # fmt: skip
        self.ahead = timedelta(0)
        self._lines: list[ClientConnection] = []
        self._readers: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    @property
    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def ring(self, caller: str = CALLER, **facts: Any) -> Call:
        call = self.twilio.ring(caller, self.now, **facts)
        await self.settle()
        return call

    async def settle(self, seconds: float = 0) -> None:
        """`seconds`: of the telephone company's own time."""
        self.ahead += timedelta(seconds=seconds)
        while requests := self.twilio.due(self.now):
            for request in requests:
                reply = await self.place.call(self.here(request))
                self.twilio.answered(request, reply, self.now)

    def here(self, request: Request) -> Request:
        return replace(request, url=request.url.replace(PUBLIC, self.place.url))

    async def dial(self) -> Line:
        (relay,) = self.twilio.sockets()
        asked = relay.handshake()
        url = asked.url.replace("wss://gateway.example.org", self.place.url.replace("http://", "ws://"))
        signed = {"X-Twilio-Signature": asked.headers["x-twilio-signature"]}
        line = Line(self, relay, await connect(url, additional_headers=signed, compression=None))
        await line.send(*relay.opened(self.now))
        self._readers.append(asyncio.create_task(line.read(), name="line"))
        self._lines.append(line.socket)
        return line

    async def until(self, done: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not done():
                self._news.clear()
                await self._news.wait()

    def ring_bell(self) -> None:
        self._news.set()

    async def give(self, holder: Holder) -> None:
        """The console decides who answers the only conversation."""
        store = self.place.core.store
        ((one, _),) = await store.read(lambda tx: list_conversations(tx, (2**62, ""), ["ai", "queue", "agent"], 9))
        fact = HolderRequested(conversation_id=one.id, holder=holder, expected_epoch=one.epoch, by="ann",
                               key=self.place.core.ids.uuid())  # fmt: skip
        await self.place.core.receiver.enter(fact, one.id)

    def scripted(self) -> ScriptedEngine:
        """An AI that says what the test wants."""
        asker = self.place.house.performer._asker
        assert asker is not None
        asker.engine = engine = ScriptedEngine()
        return engine

    async def conversation(self) -> Conversation:
        """The only one."""
        store = self.place.core.store
        holders = ["ai", "queue", "agent", "nobody"]
        ((one, _),) = await store.read(lambda tx: list_conversations(tx, (2**62, ""), holders, 9))
        return one

    async def interject(self, text: str) -> None:
        """A program of ours writes, whoever else is speaking."""
        await self.replies(text, system=True)

    async def replies(self, text: str, **facts: Any) -> None:
        id = (await self.conversation()).id
        fact = AgentReplied(conversation_id=id, agent_id=AgentId("ann"), parts=(Text(text),), key=text, **facts)
        await self.place.core.receiver.enter(fact, id)

    async def settled(self, kind: str) -> None:
        """Until no command of this kind is waiting."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.place.core.store.read(outbox.depth)).get(kind):
                pass

    async def said(self) -> list[tuple[str, Status | None]]:
        """What stands in the conversation as ours, and what became of it."""
        id = (await self.conversation()).id
        shown = await self.place.core.store.read(lambda tx: page(tx, id, 0, 99))
        ours = [(plain_text(codec.decode(one.row.content).body), one.status) for one in shown
                if one.row.direction == "out"]  # fmt: skip
        return [one for one in ours if one[0]]

    async def close(self) -> None:
        for socket in self._lines:
            await socket.close()
        await asyncio.gather(*self._readers)

    @property
    def complaints(self) -> list[str]:
        return [f"{one.code} {one.text}" for one in self.twilio.world.complaints]


class Line:
    """A relay and its socket."""

    def __init__(self, telephones: Telephones, relay: Relay, socket: ClientConnection) -> None:
        self._telephones, self.relay, self.socket = telephones, relay, socket

    async def send(self, *frames: str) -> None:
        for frame in frames:
            await self.socket.send(frame)

    async def read(self) -> None:
        try:
            while True:
                self.relay.take(await self.socket.recv(), self._telephones.now)
                self._telephones.ring_bell()
        except ConnectionClosed:
            self.relay.lost()
            self._telephones.ring_bell()

    async def ready(self) -> None:
        """Until its gateway has heard who it is."""
        sockets = self._telephones.place.core.sockets()
        async with asyncio.timeout(PATIENCE_S):
            while not any(one.synced for one in sockets._all):
                await self._telephones.place.core.store.read(lambda tx: tx.now())

    async def says(self, text: str, cycles: int) -> str:
        """What is answered to it."""
        await self.send(*self.relay.says(text))
        await self._telephones.until(lambda: len(self.relay.cycles) >= cycles)
        return self.relay.cycles[-1]


@asynccontextmanager
async def telephones(folder: Path, **settings: Any) -> AsyncIterator[Telephones]:
    line = {"type": "twilio_voice", "account_sid": ACCOUNT, "auth_tokens": [TOKEN], "number": NUMBER,
            "human_number": "+15559990000", "api_url": "http://127.0.0.1:1", **settings}  # fmt: skip
    served = config(folder, server={"public_url": PUBLIC}, sections={"endpoints": {"line": line}})
    async with running(served) as place:
        them = Telephones(place)
        try:
            yield them
        finally:
            await them.close()
