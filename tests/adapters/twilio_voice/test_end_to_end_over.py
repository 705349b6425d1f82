"""Sockets that linger: the call is over, or the session is, and the connection does not know yet."""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway.store.reads import page
from normalizer import codec
from normalizer.envelope import ChoiceMade, Status, plain_text
from normalizer.ids import AgentId
from router.conversation import Queue
from router.events import AgentReplied
from tests.adapters.twilio_voice.telephones import Telephones, telephones
from tests.gateway.house import PATIENCE_S


async def _press(them: Telephones, digits: str) -> None:
    id = (await them.conversation()).id
    fact = AgentReplied(conversation_id=id, agent_id=AgentId("ann"), parts=(ChoiceMade(digits, digits),), key=digits)
    await them.place.core.receiver.enter(fact, id)


async def _heard(them: Telephones) -> list[str]:
    id = (await them.conversation()).id
    shown = await them.place.core.store.read(lambda tx: page(tx, id, 0, 99))
    return [plain_text(codec.decode(one.row.content).body) for one in shown if one.row.direction == "in"]


async def test_after_the_end_of_a_call_nothing_is_heard_on_its_socket(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        call = await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        call.hangs_up(them.now)
        await them.settle()
        await them.replies("Are you still there?")
        await them.settled("send")
        assert line.relay.cycles == ["hello"]
        assert (await them.said())[-1] == ("Are you still there?", Status.FAILED)


async def test_after_the_end_of_a_session_what_is_said_waits_for_the_next_one(tmp_path: Path) -> None:
    """Its connection was lost without a word: the company says so, and we are the last to notice."""
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        line.relay.lost()
        await them.settle(20)
        await _press(them, "3")
        await them.replies("One moment.")
        again = await them.dial()
        await them.settled("send")
        await them.until(lambda: again.relay.cycles[-1:] == ["One moment."])
        assert (line.relay.cycles, line.relay.digits_sent) == (["hello"], [])
        assert again.relay.digits_sent == ["3"]
        assert {status for _, status in await them.said()} == {Status.SENT}


async def test_after_our_own_end_nothing_more_is_heard(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        await them.give(Queue("default"))
        await them.until(lambda: line.relay.ended is not None)
        await them.interject("It takes five minutes.")
        await them.settled("send")
        assert (await them.said())[-1] == ("It takes five minutes.", Status.FAILED)


async def test_the_end_of_another_call_ends_nothing(tmp_path: Path) -> None:
    """It is told late: the same person is on the line again."""
    async with telephones(tmp_path) as them:
        call = await them.ring()
        await (await them.dial()).says("one", 1)
        call.hangs_up(them.now)
        late = them.twilio.due(them.now)
        await them.ring()
        line = await them.dial()
        await line.says("two", 1)
        for request in late:
            await them.place.call(them.here(request))
        await them.replies("Three.")
        await them.until(lambda: line.relay.cycles[-1:] == ["Three."])
        await them.settled("send")
        assert (await them.said())[-1] == ("Three.", Status.SENT)


async def test_what_the_caller_said_last_is_kept_although_his_end_came_before_it(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        call = await them.ring()
        line = await them.dial()
        await line.says("hello", 1)
        last = line.relay.says("and thank you")
        call.hangs_up(them.now)
        await them.settle()
        await line.send(*last)
        async with asyncio.timeout(PATIENCE_S):
            while "and thank you" not in await _heard(them):
                pass
