"""Keys over a real socket that breaks."""

from pathlib import Path

from normalizer.envelope import ChoiceMade
from normalizer.ids import AgentId, ChannelId
from router.events import AgentReplied
from tests.adapters.twilio_voice.telephones import Telephones, telephones
from tests.gateway.house import PATIENCE_S


async def _press(them: Telephones, digits: str) -> None:
    id = (await them.conversation()).id
    fact = AgentReplied(conversation_id=id, agent_id=AgentId("ann"), parts=(ChoiceMade(digits, digits),), key=digits)
    await them.place.core.receiver.enter(fact, id)


async def test_keys_are_not_pressed_again_when_the_line_comes_back(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("one", 1)
        await _press(them, "1w2#")
        await them.until(lambda: line.relay.digits_sent == ["1w2#"])
        await them.settled("send")
        line.socket.transport.abort()
        await them.until(lambda: line.relay.ended is not None)
        await them.settle(20)
        again = await them.dial()
        await them.replies("two")
        await them.until(lambda: again.relay.cycles[-1:] == ["two"])
        assert (again.relay.cycles, again.relay.digits_sent) == (["one", "two"], [])
        assert them.complaints == []


async def test_keys_for_a_line_that_was_just_lost_are_pressed_when_it_comes_back(tmp_path: Path) -> None:
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("one", 1)
        line.socket.transport.abort()
        await them.until(lambda: line.relay.ended is not None)
        await _press(them, "3")
        await them.settle(20)
        again = await them.dial()
        await again.ready()
        await them.until(lambda: again.relay.digits_sent == ["3"])
        await them.settled("send")
        assert again.relay.digits_sent == ["3"]


async def test_keys_are_pressed_once_although_their_send_is_not_over_when_the_line_breaks(tmp_path: Path) -> None:
    """Its limits keep it waiting, or the process ends before it knows: they went out all the same."""
    async with telephones(tmp_path) as them:
        await them.ring()
        line = await them.dial()
        await line.says("one", 1)
        await them.settled("send")
        limiter, clock = them.place.house.performer._limiter, them.place.core.clock
        limiter.penalize(ChannelId("line"), None, clock.monotonic() + PATIENCE_S)
        await _press(them, "1w2#")
        await them.until(lambda: line.relay.digits_sent == ["1w2#"])
        line.socket.transport.abort()
        await them.until(lambda: line.relay.ended is not None)
        await them.settle(20)
        again = await them.dial()
        await them.replies("two")
        await them.until(lambda: again.relay.cycles[-1:] == ["two"])
        assert again.relay.digits_sent == []
