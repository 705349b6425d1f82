"""Sockets of calls."""

from __future__ import annotations

import asyncio

from adapters.twilio_voice.simulator_doing import Relaying
from adapters.twilio_voice.simulator_relay import Relay
from gateway.live import sockets_of
from gateway.sandbox.calls import Calls
from tests.sandbox.demo import ANA, Demo, demo


def relay_of(calls: Calls) -> Relay:
    (call,) = calls.simulator.calls.values()
    assert isinstance(call.doing, Relaying)
    return call.doing.relay


async def talking(running: Demo) -> None:
    await running.act("voice", type="ring")
    await running.see("voice", lambda screen: screen["state"] == "talking")


async def test_a_lost_socket_is_the_session_s_end_and_the_next_one_is_another(running: Demo) -> None:
    await talking(running)
    first = (await running.get(f"/sandbox/api/places/voice/people/{ANA}"))["id"]
    await running.act("voice", type="lose")
    screen = await running.see("voice", lambda screen: screen["state"] == "talking")
    assert screen["id"] == first
    assert (await running.ask("GET", "/readyz"))[0] == 200


async def test_who_hangs_up_takes_his_socket_with_him(running: Demo) -> None:
    """Or what is said to him afterwards would count as heard."""
    await talking(running)
    sockets = sockets_of(running.house.core)
    assert len(sockets._all) == 1
    await running.act("voice", type="hang_up")
    async with asyncio.timeout(10):
        await sockets._gone.wait()


async def test_a_gateway_that_is_not_there_fails_the_session() -> None:
    from itertools import count

    from adapters.twilio_voice.simulator import Twilio
    from gateway.clock import Clock
    from gateway.sandbox.news import News
    from gateway.sandbox.relays import Relays
    from tests import servers

    numbers, clock, news = count(1), Clock(), News()
    nowhere = f"127.0.0.1:{servers.free_port()}"
    twilio = Twilio(account_sid="AC1", auth_token="t", number="+442079460152", voice_url=f"http://{nowhere}/hooks/v",
                    ids=(f"{next(numbers):016}" for _ in numbers), plain=True)  # fmt: skip
    call = twilio.ring("+351912345678", clock.now())
    call.status = "in-progress"
    call.play(f'<Response><Connect action="/a"><ConversationRelay url="ws://{nowhere}/live/v"/></Connect></Response>'
              .encode(), clock.now())  # fmt: skip
    relays = Relays(twilio, news, clock)
    (relay,) = twilio.sockets()
    relays.open()
    relays.open()
    async with asyncio.timeout(10):
        version = news.version
        while relay.ended is None:
            version = await news.wait(version, 1)
    await relays.close()
    assert (relay.ended.status, relay.ended.error) == ("failed", 64102)
    relays.send(relay, ["nobody gets it"])
    relays.lose(relay)


async def test_open_calls_do_not_hold_up_the_end(tmp_path: object) -> None:
    from pathlib import Path

    async with demo(Path(str(tmp_path)) / "d") as running:
        await talking(running)
