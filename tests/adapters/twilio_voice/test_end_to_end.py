"""Calls through a gateway that runs: its own HTTP server, sockets and store, and the simulated telephone company."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from adapters.twilio_voice.simulator_doing import Dialling, Gathering, RecordingIt, Relaying
from normalizer.envelope import Status
from normalizer.ids import AgentId, ChannelId
from router.conversation import Agent, Queue
from tests.adapters.twilio_voice.simulated import heard
from tests.adapters.twilio_voice.support import CALLER
from tests.adapters.twilio_voice.telephones import telephones
from tests.gateway.house import PATIENCE_S
from tests.rooms.engine import writes


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
