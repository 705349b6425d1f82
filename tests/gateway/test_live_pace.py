"""Live sockets that are too fast, too many, too slow or silent: each is dealt with, and nobody else notices."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus

from adapters.base import LiveLimits
from gateway.live import sockets_of
from gateway.live.pace import Pace
from tests.gateway.house import ENDPOINT, FAST, SITE, Place, Tab, config, running

# --- pace ---------------------------------------------------------------------------------------------------------


def test_a_burst_passes_and_then_the_sustained_rate() -> None:
    pace, whole_at = Pace(per_s=2.0, burst=3), 0.0
    for _ in range(3):
        assert pace.wait_ms(whole_at, 10.0) == 0
        whole_at = pace.taken(whole_at, 10.0)
    assert pace.wait_ms(whole_at, 10.0) == 500
    assert pace.wait_ms(whole_at, 10.499) == 1
    assert pace.wait_ms(whole_at, 10.5) == 0
    assert pace.wait_ms(pace.taken(whole_at, 10.5), 10.5) == 500
    assert pace.wait_ms(whole_at, 1_000.0) == 0


async def test_messages_that_come_too_fast_are_refused_and_may_be_repeated(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=LiveLimits(messages_per_s=0.001, messages_burst=2)) as place:
        tab = await place.tab()
        for n in range(3):
            await tab.send(json.dumps({"t": "msg", "cid": f"c{n}", "type": "text", "text": "x"}).encode())
        nack = await tab.frame("nack", cid="c2")
        assert (nack["code"], nack["retryable"]) == ("rate_limited", True)
        assert 900_000 < nack["retry_after_ms"] <= 1_000_000
        await tab.seen(4)
        assert len(tab.texts) == 4


async def test_a_storm_of_typing_is_dropped_and_stored_nowhere(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=LiveLimits(typing_every_s=1_000)) as place:
        tab = await place.tab()
        for _ in range(50):
            await tab.send(tab.visitor.typing())
        await tab.say("hello", "c1")
        assert (await tab.frame("ack", cid="c1"))["seq"] == 1
        received = place.core.metrics.received
        assert received.labels(ENDPOINT, "relayed")._value.get() == 1
        assert received.labels(ENDPOINT, "limited")._value.get() == 49
        assert received.labels(ENDPOINT, "kept")._value.get() == 1


async def test_far_too_many_frames_close_the_socket(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=LiveLimits(frames_per_s=0.01, frames_burst=5)) as place:
        tab = await place.tab()
        for _ in range(5):
            await tab.send(b'{"t":"ping"}')
        assert await tab.closed() == 4429


async def test_the_oldest_tab_gives_way(tmp_path: Path) -> None:
    async with running(config(tmp_path, server={"max_sockets_per_leg": 2})) as place:
        first = await place.tab()
        second = await place.another_tab(first)
        third = await place.another_tab(first)
        assert await first.closed() == 4409
        await third.say("hello", "c1")
        await second.seen(2)


async def test_more_sockets_than_a_node_takes_are_503(tmp_path: Path) -> None:
    async with running(config(tmp_path, server={"max_sockets": 1})) as place:
        first = await place.tab()
        with pytest.raises(InvalidStatus) as refused:
            await place.tab()
        assert refused.value.response.status_code == 503
        await first.hang_up()
        await gone(place)
        await place.tab()


async def test_one_address_has_so_many_sockets(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=LiveLimits(sockets_per_peer=1)) as place:
        await place.tab()
        with pytest.raises(InvalidStatus):
            await place.tab()


async def gone(place: Place) -> None:
    """Until the server has noticed that all hung up."""
    found = sockets_of(place.core)
    if found._all:
        found._gone.clear()
        await asyncio.wait_for(found._gone.wait(), 20)


# --- slow and silent peers ----------------------------------------------------------------------------------------


async def test_who_reads_too_slowly_is_closed_and_resumes_while_others_go_on(tmp_path: Path) -> None:
    settings = config(tmp_path, server={"socket_buffer_bytes": 65_536, "max_sockets_per_leg": 9})
    async with running(settings, limits=FAST) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        await tab.seen(2)
        slow = Tab(place.visitor(tab.visitor.token))
        small = sockets.socket()
        small.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 4_096)
        small.setblocking(False)
        host, _, port = place.url.removeprefix("http://").partition(":")
        await asyncio.get_running_loop().sock_connect(small, (host, int(port)))
        await slow.dial(sock=small, max_queue=1)
        await slow.until(lambda: slow.visitor.state == "live")
        slow.socket.transport.pause_reading()
        count = 2
        closed = place.core.metrics.live_closed.labels("4408")._value
        while not closed.get():
            await place.put(tab.visitor, *(f"{count + n} " + "x" * 3_900 for n in range(40)))
            count += 40
            await tab.seen(count)
        slow.socket.transport.resume_reading()
        assert await slow.closed() in {4408, 1006}
        assert slow.visitor.audit() == []
        again = await place.tab(slow.visitor)
        assert len(await again.seen(count)) == count
        assert tab.visitor.audit() == again.visitor.audit() == []


async def test_a_replay_goes_at_the_pace_of_its_reader(tmp_path: Path) -> None:
    """Far more than the buffer takes, to somebody who reads one frame after the other."""
    settings = config(tmp_path, server={"socket_buffer_bytes": 16_384})
    async with running(settings, limits=FAST) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        await tab.seen(2)
        await tab.hang_up()
        watcher = await place.tab()
        await place.put(tab.visitor, *(f"{n} " + "x" * 3_900 for n in range(400)))
        late = Tab(place.visitor(tab.visitor.token))
        await late.dial(max_queue=1)
        while len(late.visitor.shown) < 402 or late.visitor.state != "live":
            assert late.closed_with is None
            late._news.clear()
            await asyncio.wait_for(late._news.wait(), 20)
        assert late.visitor.audit() == []
        assert watcher.closed_with is None


async def test_a_peer_that_says_nothing_any_more_is_pinged_and_then_closed(tmp_path: Path) -> None:
    async with running(config(tmp_path, server={"socket_idle_ms": 1_000})) as place:
        alive = await place.tab()
        reader, writer = await handshake(place)
        seen = await reader.read(-1)
        assert b"\x89\x00" in seen
        assert seen.endswith(b"\x88\x08" + (1001).to_bytes(2, "big") + b"silent")
        writer.close()
        await alive.say("still here", "c1")
        await alive.seen(2)


async def handshake(place: Place) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A socket that answers nothing, not even pings."""
    host, _, port = place.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    request = (
        f"GET /live/{ENDPOINT} HTTP/1.1\r\nHost: {host}\r\nOrigin: {SITE}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
    )
    writer.write(request.encode())
    assert b"101" in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


# --- counting -----------------------------------------------------------------------------------------------------


async def test_sockets_are_counted(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        gauge = place.core.metrics.live_sockets.labels(ENDPOINT)
        assert gauge._value.get() == 1
        await tab.hang_up()
        await gone(place)
        assert gauge._value.get() == 0
        assert not sockets_of(place.core)._legs
