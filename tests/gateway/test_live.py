"""Live sockets on the real rooms: what a visitor may rely on, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import socket as sockets
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from adapters.base import LiveLimits
from gateway.live import sockets_of
from gateway.live.pace import Pace
from gateway.store import intake
from tests.gateway.house import ENDPOINT, FAST, SITE, Place, Tab, config, running


async def test_a_message_is_acknowledged_shown_and_answered(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        ack = await tab.frame("ack", cid="c1")
        frames = await tab.seen(2)
        assert tab.texts == ["hello", "hello"]
        assert [frame["from"]["kind"] for frame in frames] == ["visitor", "bot"]
        assert (ack["seq"], ack["dup"]) == (1, False)
        assert tab.visitor.audit() == []


# --- nothing lost, nothing twice ----------------------------------------------------------------------------------


async def test_what_was_stored_before_the_ack_got_lost_is_a_duplicate_of_itself(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        visitor = await place.session()
        deaf = Tab(visitor, deaf=True)
        await deaf.dial()
        visitor.state = "live"
        await deaf.say("once", "c1")
        watcher = await place.tab(place.visitor(visitor.token))
        await watcher.seen(2)
        deaf.socket.transport.abort()
        visitor.closed()
        tab = Tab(visitor)
        await tab.dial()
        ack = await tab.frame("ack", cid="c1")
        assert ack["dup"] is True
        assert (ack["id"], ack["seq"]) == (next(frame["id"] for frame in watcher.frames if frame["t"] == "msg"), 1)
        assert tab.texts == ["once", "once"]
        assert watcher.visitor.audit() == tab.visitor.audit() == []


async def test_a_duplicate_is_known_after_a_restart(tmp_path: Path) -> None:
    frame = json.dumps({"t": "msg", "cid": "c1", "type": "text", "text": "once"}).encode()
    async with running(config(tmp_path)) as place:
        first = await place.tab()
        await first.say("once", "c1")
        told = await first.frame("ack", cid="c1")
        await first.seen(2)
    async with running(config(tmp_path)) as place:
        again = await place.tab(place.visitor(first.visitor.token))
        await again.send(frame)
        ack = await again.frame("ack", cid="c1")
        assert (ack["id"], ack["seq"], ack["dup"]) == (told["id"], told["seq"], True)
        assert again.texts == ["once", "once"]


async def test_a_cid_with_other_content_is_a_conflict(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("this", "c1")
        await tab.frame("ack", cid="c1")
        await tab.send(b'{"t":"msg","cid":"c1","type":"text","text":"that"}')
        nack = await tab.frame("nack", cid="c1")
        assert (nack["code"], nack["retryable"]) == ("cid_conflict", False)
        await tab.seen(2)
        assert tab.texts == ["this", "this"]


async def test_a_restart_in_the_middle_is_a_reconnect_and_nothing_more(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=FAST) as place:
        tab = await place.tab()
        for n in range(40):
            await tab.say(f"m{n}", f"c{n}")
        await tab.seen(11)
        await place.kill()
        assert await tab.closed() == 1006
    visitor = tab.visitor
    async with running(config(tmp_path), limits=FAST) as place:
        visitor.ws_url = place.visitor().ws_url
        tab = Tab(visitor)
        await tab.dial()
        await tab.until(lambda: all(said.acked and said.shown for said in visitor.said.values()))
        assert visitor.audit() == []
        assert own(tab) == [f"m{n}" for n in range(40)]


def own(tab: Tab) -> list[str]:
    """What the visitor himself said, as it stands on the wire."""
    shown = [frame for _, frame in sorted(tab.visitor.shown.items()) if frame["t"] == "msg"]
    return [frame["content"]["text"] for frame in shown if frame["from"]["kind"] == "visitor"]


async def test_what_we_wrote_meanwhile_is_there_on_resume(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        await tab.seen(2)
        await tab.hang_up()
        watcher = await place.another_tab(tab)
        await place.write(tab.visitor, "are you there?", "we have news")
        await watcher.seen(4)
        again = await place.tab(tab.visitor)
        assert [frame["t"] for frame in again.frames] == ["ready", "msg", "msg", "synced"]
        assert sorted(again.texts[2:]) == ["are you there?", "we have news"]
        assert tab.visitor.audit() == []


async def test_two_tabs_see_one_order(tmp_path: Path) -> None:
    async with running(config(tmp_path), limits=FAST) as place:
        one = await place.tab()
        two = await place.another_tab(one)
        for n in range(25):
            await asyncio.gather(one.say(f"one {n}", f"a{n}"), two.say(f"two {n}", f"b{n}"))
        await one.until(lambda: len(own(one)) == 50)
        await two.until(lambda: len(own(two)) == 50)
        count = min(len(one.visitor.shown), len(two.visitor.shown))
        assert [frame["id"] for frame in await one.seen(count)] == [frame["id"] for frame in await two.seen(count)]
        assert one.visitor.audit() == two.visitor.audit() == []


async def test_messages_committed_during_the_replay_come_once_and_in_order(tmp_path: Path) -> None:
    """More than a page is stored, and more is being written while tabs bind."""
    async with running(config(tmp_path), limits=FAST) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        await tab.seen(2)
        await place.put(tab.visitor, *(f"before {n}" for n in range(120)))
        writing = asyncio.create_task(place.put(tab.visitor, *(f"during {n}" for n in range(120)), together=1))
        others = [await place.another_tab(tab) for _ in range(4)]
        await writing
        for one in (tab, *others):
            await one.seen(242)
            assert one.visitor.audit() == []
            assert one.texts == tab.texts
        assert len(set(tab.texts)) == 241


async def test_a_wake_up_that_was_lost_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("hello", "c1")
        await tab.seen(2)
        monkeypatch.setattr(place.core.wake, "leg", lambda leg: None)
        await place.put(tab.visitor, "unheard of")
        assert len(tab.visitor.shown) == 2
        await sockets_of(place.core).poll()
        assert (await tab.seen(3))[2]["content"] == {"text": "unheard of"}


# --- who may ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", ["https://evil.example", "null", None])
async def test_a_foreign_origin_is_told_so_by_a_close_code(tmp_path: Path, origin: str | None) -> None:
    async with running(config(tmp_path)) as place:
        tab = Tab(place.visitor("wst_x.y", origin=origin))
        await tab.dial()
        assert await tab.closed() == 4403


async def test_native_apps_may_be_let_in_without_an_origin(tmp_path: Path) -> None:
    async with running(config(tmp_path, webchat={"allow_no_origin": True})) as place:
        session = await place.session()
        tab = await place.tab(place.visitor(session.token, origin=None))
        assert tab.visitor.state == "live"


async def test_a_forged_token_is_refused(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        token = (await place.session()).token
        assert token is not None
        tab = Tab(place.visitor(token[:-1] + ("A" if token[-1] != "A" else "B")))
        await tab.dial()
        assert await tab.closed() == 4401


async def test_the_token_may_stand_among_the_subprotocols(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        visitor = await place.session()
        offered = [Subprotocol("v1.chat"), Subprotocol(f"t.{visitor.token}")]
        async with connect(visitor.ws_url, additional_headers={"origin": SITE}, subprotocols=offered) as socket:
            assert socket.subprotocol == "v1.chat"
            await socket.send('{"t":"hello","v":1}')
            assert json.loads(await socket.recv())["t"] == "ready"


async def test_who_says_no_hello_is_closed(tmp_path: Path) -> None:
    async with running(config(tmp_path, webchat={"hello_ms": 30})) as place:
        tab = Tab(await place.session())
        asked = tab.visitor.handshake()
        tab._socket = await connect(asked.url, additional_headers=dict(asked.headers), compression=None)
        tab.listen()
        assert await tab.closed() == 4401


async def test_a_first_frame_that_is_no_hello_is_closed(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = Tab(await place.session(), deaf=True)
        asked = tab.visitor.handshake()
        tab._socket = await connect(asked.url, additional_headers=dict(asked.headers), compression=None)
        await tab.send(b'{"t":"msg","cid":"c1","type":"text","text":"hello"}')
        tab.listen()
        assert await tab.closed() == 4400


async def test_an_ended_session_closes_its_sockets_and_binds_no_more(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        await tab.say("bye", "c1")
        await tab.seen(2)
        assert (await place.call(tab.visitor.leave_request())).status == 204
        await sockets_of(place.core).poll()
        assert await tab.closed() == 4410
        again = Tab(place.visitor(tab.visitor.token))
        await again.dial()
        assert await again.closed() == 4410
        assert again.frames == []


async def test_another_session_sees_nothing_of_it(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        one, two = await place.tab(), await place.tab()
        await one.say("secret", "c1")
        await one.seen(2)
        await two.say("mine", "c1")
        await two.seen(2)
        assert two.texts == ["mine", "mine"]
        assert (await two.frame("ack", cid="c1"))["dup"] is False


async def test_an_unknown_endpoint_and_a_plain_get_are_refused(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        async with place.http.get(f"{place.url}/live/nobody") as answer:
            assert answer.status == 404
        async with place.http.get(f"{place.url}/live/{ENDPOINT}", headers={"origin": SITE}) as answer:
            assert (answer.status, answer.headers["upgrade"]) == (426, "websocket")


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [
    "no json", "[]", '{"t":"nothing we know"}', '{"t":"msg","cid":"c1","type":"text"}', '{"t":"msg"', '{"cid":1}',
    "[" * 20_000, '{"t":"msg","cid":"c1","type":"text","text":' + "[" * 5_000 + "]" * 5_000 + "}",
])  # fmt: skip
async def test_a_frame_that_is_none_is_told_and_harms_nobody(tmp_path: Path, frame: str) -> None:
    async with running(config(tmp_path)) as place:
        tab, other = await place.tab(), await place.tab()
        await tab.send(frame.encode())
        assert (await tab.frame("nack"))["code"] == "bad_frame"
        for one in (tab, other):
            await one.say("still here", "c9")
            assert (await one.frame("ack", cid="c9"))["seq"] == 1


async def test_frames_that_are_too_big_or_binary_end_their_own_socket(tmp_path: Path) -> None:
    async with running(config(tmp_path, webchat={"frame_max_bytes": 65_536})) as place:
        big, binary, other = await place.tab(), await place.tab(), await place.tab()
        await big.send(b'{"t":"ping","x":"' + b"x" * 65_536 + b'"}')
        await binary.socket.send(b"\x00\x01")
        assert (await big.closed(), await binary.closed()) == (1009, 1003)
        await other.say("still here", "c1")
        await other.seen(2)


async def test_a_frame_at_the_limit_is_heard(tmp_path: Path) -> None:
    async with running(config(tmp_path, webchat={"frame_max_bytes": 65_536})) as place:
        tab = await place.tab()
        frame = b'{"t":"ping","x":"'
        await tab.send(frame + b"x" * (65_536 - len(frame) - 2) + b'"}')
        assert await tab.frame("pong")


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
    async with running(config(tmp_path, server={"socket_idle_ms": 60})) as place:
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


# --- trouble and the end ------------------------------------------------------------------------------------------


class Blocked:
    """Holds the writer of the store until it is let go."""

    def __init__(self, place: Place) -> None:
        self._place, self._go, self._held = place, threading.Event(), threading.Event()

    async def __aenter__(self) -> Blocked:
        self._job = asyncio.create_task(self._place.core.store.write(lambda tx: self._hold()))
        await asyncio.to_thread(self._held.wait)
        return self

    def _hold(self) -> None:
        self._held.set()
        self._go.wait()

    async def __aexit__(self, *_: Any) -> None:
        self._go.set()
        await self._job


async def test_a_ping_does_not_wait_for_a_commit(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        async with Blocked(place):
            await tab.say("slow", "c1")
            await tab.send(b'{"t":"ping"}')
            await tab.frame("pong")
            assert not [frame for frame in tab.frames if frame["t"] == "ack"]
        await tab.frame("ack", cid="c1")


async def test_what_is_safe_and_not_settled_in_time_is_a_nack_that_may_be_repeated(tmp_path: Path) -> None:
    async with running(config(tmp_path, server={"frame_outcome_ms": 50}), limits=FAST) as place:
        tab = await place.tab()
        with pytest.MonkeyPatch.context() as room_2:
            room_2.setattr(place.house.processor, "_next", list)
            await tab.say("later", "c1")
            nack = await tab.frame("nack", cid="c1")
        assert (nack["code"], nack["retryable"]) == ("unavailable", True)
        assert await place.core.store.read(intake.depth) == 1


async def test_trouble_of_the_database_is_a_nack_that_may_be_repeated(tmp_path: Path) -> None:
    settings = config(tmp_path, server={"write_timeout_ms": 50, "frame_outcome_ms": 50})
    async with running(settings, limits=FAST) as place:
        tab = await place.tab()
        async with Blocked(place):
            await tab.say("later", "c1")
            nack = await tab.frame("nack", cid="c1")
            assert (nack["code"], nack["retryable"]) == ("unavailable", True)
        await tab.seen(2)
        for frame in tab.visitor.retry():
            await tab.send(frame)
        assert (await tab.frame("ack", cid="c1"))["dup"] is True
        assert tab.texts == ["later", "later"]


async def test_a_stop_says_farewell_and_closes_everything(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tabs = [await place.tab() for _ in range(5)]
        unbound = Tab(await place.session())
        asked = unbound.visitor.handshake()
        unbound._socket = await connect(asked.url, additional_headers=dict(asked.headers), compression=None)
        unbound.listen()
        await tabs[0].say("last words", "c1")
        await place.stop()
        for tab in tabs:
            assert await tab.closed() == 1001
            assert tab.visitor.reconnect_after_ms is not None
            assert 2_000 <= tab.visitor.reconnect_after_ms <= 4_000
        assert await unbound.closed() == 1001
        assert not sockets_of(place.core)._all
        with pytest.raises(InvalidStatus) as refused:
            await Tab(place.visitor("wst_x.y")).dial()
        assert refused.value.response.status_code == 503


async def test_an_adapter_that_fails_ends_its_socket_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(config(tmp_path)) as place:
        tab, other = await place.tab(), await place.tab()
        adapter: Any = place.mounted.adapter
        heard = adapter.hear

        def failing(raw: Any) -> Any:
            if b"boom" in raw.body:
                raise RuntimeError("boom")
            return heard(raw)

        monkeypatch.setattr(adapter, "hear", failing)
        await tab.send(b'{"t":"ping","boom":1}')
        assert await tab.closed() == 1011
        await other.say("still here", "c1")
        await other.seen(2)
        assert place.core.metrics.adapter_errors.labels(ENDPOINT, "hear")._value.get() == 1


async def test_sockets_are_counted(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab = await place.tab()
        gauge = place.core.metrics.live_sockets.labels(ENDPOINT)
        assert gauge._value.get() == 1
        await tab.hang_up()
        await gone(place)
        assert gauge._value.get() == 0
        assert not sockets_of(place.core)._legs


async def test_a_frame_that_is_shown_once_reaches_who_is_there(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab, other = await place.tab(), await place.tab()
        await sockets_of(place.core).flash(place.leg_of(tab.visitor), b'{"t":"typing","on":true}')
        await tab.frame("typing")
        await other.say("hello", "c1")
        await other.seen(2)
        assert not [frame for frame in other.frames if frame["t"] == "typing" and "from" not in frame], "ours alone"
