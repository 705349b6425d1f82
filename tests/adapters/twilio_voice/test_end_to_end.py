"""Calls through a gateway that runs: its own HTTP server, sockets and store, and the simulated telephone company."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from adapters.base import Request
from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Dialling, Gathering, RecordingIt, Relaying
from adapters.twilio_voice.simulator_relay import Relay
from gateway.store.reads import list_conversations
from normalizer.ids import AgentId
from router.conversation import Agent, Holder, Queue
from router.events import HolderRequested
from tests.adapters.twilio_voice.simulated import heard
from tests.adapters.twilio_voice.support import ACCOUNT, CALLER, NUMBER, TOKEN
from tests.gateway.house import PATIENCE_S, Place, config, running

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
                reply = await self.place.call(self._here(request))
                self.twilio.answered(request, reply, self.now)

    def _here(self, request: Request) -> Request:
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

    async def says(self, text: str, cycles: int) -> str:
        """What is answered to it."""
        await self.send(*self.relay.says(text))
        await self._telephones.until(lambda: len(self.relay.cycles) >= cycles)
        return self.relay.cycles[-1]


@asynccontextmanager
async def telephones(folder: Path, **settings: Any) -> AsyncIterator[Telephones]:
    line = {"type": "twilio_voice", "account_sid": ACCOUNT, "auth_tokens": [TOKEN], "number": NUMBER,
            "human_number": "+15559990000", **settings}  # fmt: skip
    served = config(folder, server={"public_url": PUBLIC}, sections={"endpoints": {"line": line}})
    async with running(served) as place:
        them = Telephones(place)
        try:
            yield them
        finally:
            await them.close()


@pytest.mark.parametrize(("caller", "attested"), [(CALLER, True), (CALLER, False), ("anonymous", True)])
async def test_a_caller_talks_with_the_ai(tmp_path: Path, caller: str, attested: bool) -> None:
    """Whoever it is: the answer comes over the socket of the leg that the question came from."""
    async with telephones(tmp_path) as them:
        call = await them.ring(caller, attested=attested)
        line = await them.dial()
        assert await line.says("where is my order?", 1) == "where is my order?"
        assert await line.says("thank you", 2) == "thank you"
        call.hangs_up(them.now)
        await them.settle()
        assert (call.status, them.complaints) == ("completed", [])


async def test_a_second_call_hears_nothing_of_the_first(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        first = await them.ring()
        await (await them.dial()).says("one", 1)
        first.hangs_up(them.now)
        await them.settle()
        second = await them.ring()
        line = await them.dial()
        assert await line.says("two", 1) == "two"
        assert heard(second)[1:] == ["two"]


async def test_people_take_over_and_the_call_goes_on_to_them(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        call = await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        await them.give(Queue("default"))
        await them.until(lambda: line.relay.ended is not None)
        await them.settle()
        assert isinstance(call.doing, Dialling)
        call.colleague("no-answer", them.now)
        await them.settle()
        assert isinstance(call.doing, RecordingIt)
        again = await them.ring()
        assert isinstance(again.doing, Dialling)
        assert them.complaints == []


async def test_an_agent_who_types_stays_on_the_line(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        call = await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        await them.give(Agent(AgentId("ann")))
        await line.send(*line.relay.presses("1"))
        assert line.relay.ended is None
        assert isinstance(call.doing, Relaying)


async def test_a_line_that_is_lost_comes_back(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("one", 1)
        line.socket.transport.abort()
        await them.until(lambda: line.relay.ended is not None)
        await them.settle(20)
        again = await them.dial()
        await again.send(*again.relay.says("two"))
        await them.until(lambda: again.relay.cycles[-1:] == ["two"])
        # Said a moment before the line was lost: better twice than never.
        assert again.relay.cycles == ["one", "two"]
        assert them.complaints == []


async def test_a_forged_socket_is_refused(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        await them.ring()
        (relay,) = them.twilio.sockets()
        url = relay.url.replace("wss://gateway.example.org", them.place.url.replace("http://", "ws://"))
        async with connect(url, additional_headers={"X-Twilio-Signature": "A" * 27 + "="}) as socket:
            with pytest.raises(ConnectionClosed):
                await socket.recv()


async def test_a_call_turn_by_turn(tmp_path: Path) -> None:
    async with telephones(tmp_path, mode="gather") as them:
        call = await them.ring()
        assert isinstance(call.doing, Gathering)
        call.says("where is my order?", them.now)
        await them.settle()
        assert heard(call)[-1] == "where is my order?"
        call.presses("42", them.now)
        await them.settle()
        assert heard(call)[-1] == "42"
        await them.give(Queue("default"))
        call.says("and now?", them.now)
        await them.settle()
        assert isinstance(call.doing, Dialling)
        assert them.complaints == []
