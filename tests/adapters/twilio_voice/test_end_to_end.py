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
from gateway.store import outbox
from gateway.store.reads import list_conversations, page
from normalizer import codec
from normalizer.envelope import Status, Text, plain_text
from normalizer.ids import AgentId, ChannelId
from router.conversation import Agent, Conversation, Holder, Queue
from router.events import AgentReplied, HolderRequested
from tests.adapters.twilio_voice.simulated import heard
from tests.adapters.twilio_voice.support import ACCOUNT, CALLER, NUMBER, TOKEN
from tests.gateway.house import PATIENCE_S, Place, config, running
from tests.rooms.engine import ScriptedEngine, writes

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


@pytest.mark.parametrize("early", [False, True])
async def test_an_answer_to_the_call_before_is_never_the_first_thing_that_is_heard(tmp_path: Path, early: bool) -> None:
    """Whether it is written when the second call is on the line already, or while it rings."""
    async with telephones(tmp_path) as them:
        engine, gate = them.scripted(), asyncio.Event()
        engine.then(writes(gate, "One. Two. Three"))
        first = await them.ring()
        line = await them.dial()
        await line.send(*line.relay.says("where is my order?"))
        await engine.asked(1)
        first.hangs_up(them.now)
        await line.socket.close()
        await them.settle()
        await them.ring()
        if early:
            gate.set()
            await them.settled("ask_ai")
        line = await them.dial()
        await line.ready()
        gate.set()
        async with asyncio.timeout(PATIENCE_S):
            while not await them.said():
                pass
        await them.settled("send")
        assert await line.says("hello?", 1) == "re: hello?"
        assert (line.relay.cycles, them.complaints) == (["re: hello?"], [])
        assert (await them.said())[0] == ("One. Two. Three", Status.FAILED)


async def test_nor_is_it_in_a_call_turn_by_turn(tmp_path: Path) -> None:
    async with telephones(tmp_path, mode="gather") as them:
        engine, gate = them.scripted(), asyncio.Event()
        engine.then(writes(gate, "One. Two."))
        first = await them.ring()
        first.says("where is my order?", them.now)
        request = them.twilio.due(them.now)[0]
        await them.place.call(them.here(request))
        await engine.asked(1)
        first.hangs_up(them.now)
        await them.settle()
        call = await them.ring()
        gate.set()
        await them.settled("ask_ai")
        call.says("hello?", them.now)
        await them.settle()
        assert heard(call)[1:] == ["re: hello?"]


async def test_who_changes_his_language_is_answered_in_it(tmp_path: Path) -> None:
    """His is heard by the company itself; one that an agent chooses it has to be told."""
    async with telephones(tmp_path) as them:
        them.scripted().then(writes("Hello."), writes("Buenos días."), writes("Otra vez."))
        await them.ring()
        line = await them.dial()
        relay = line.relay
        await line.says("hello", 1)
        assert relay.switched == []
        relay.language = "es-ES"
        await line.says("hola", 2)
        await line.says("¿y?", 3)
        assert (relay.switched, relay.cycles[-1]) == ([{"ttsLanguage": "es-ES"}], "Otra vez.")
        await them.replies("Guten Tag.", locale="de-DE")
        await them.until(lambda: len(relay.cycles) == 4)
        assert relay.switched[1:] == [{"ttsLanguage": "de-DE", "transcriptionLanguage": "de-DE"}]
        assert (relay.language, them.complaints) == ("de-DE", [])


async def test_what_is_said_into_an_answer_is_no_part_of_it(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        engine, gate = them.scripted(), asyncio.Event()
        engine.then(writes("One. Two", gate, "!"))
        await them.ring()
        line = await them.dial()
        await line.send(*line.relay.says("hello?"))
        await them.until(lambda: line.relay.speaking == "One.")
        await them.interject("A word.")
        await them.until(lambda: len(line.relay.cycles) == 2)
        gate.set()
        await them.until(lambda: len(line.relay.cycles) == 3)
        assert [cycle.strip() for cycle in line.relay.cycles] == ["One.", "A word.", "Two!"]
        assert (line.relay.speaking, them.complaints) == ("", [])


async def test_what_was_heard_before_the_session_ended_is_recorded_as_said(tmp_path: Path) -> None:
    """The words on the way to people: by the time that their send is begun nobody is on the line any more."""
    async with telephones(tmp_path) as them:
        engine = them.scripted()
        engine.then(writes(handoff="a person knows better"))
        await them.ring()
        line = await them.dial()
        limiter = them.place.house.performer._limiter
        limiter.penalize(ChannelId("line"), None, them.place.core.clock.monotonic() + 0.2)
        await line.send(*line.relay.says("help"))
        await them.until(lambda: line.relay.ended is not None)
        await line.socket.close()
        await them.settled("send")
        policy = them.place.house.processor._rules.policy
        assert line.relay.cycles == [policy.handoff_text]
        assert await them.said() == [(policy.handoff_text, Status.SENT)]


async def test_what_was_said_while_he_hung_up_was_not_heard(tmp_path: Path) -> None:
    """It crosses his farewell: nobody knows that he had it, so it is nothing that was said."""
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("help", 1)
        await them.settled("send")
        limiter = them.place.house.performer._limiter
        limiter.penalize(ChannelId("line"), None, them.place.core.clock.monotonic() + 0.2)
        await them.interject("One more thing.")
        await them.until(lambda: len(line.relay.cycles) == 2)
        await line.socket.close()
        await them.settled("send")
        assert (await them.said())[-1] == ("One more thing.", Status.FAILED)


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
