"""Live sockets on the real rooms: what a visitor may rely on, whatever happens in between."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from gateway.live import sockets_of
from gateway.store import handover, intake
from tests.gateway.house import ENDPOINT, FAST, Place, Tab, config, running


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
            room_2.setattr(place.house.processor, "_next_prompts", list)
            room_2.setattr(handover, "AT_ONCE", 0)
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


async def test_a_frame_that_is_shown_once_reaches_who_is_there(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as place:
        tab, other = await place.tab(), await place.tab()
        await sockets_of(place.core).flash(place.leg_of(tab.visitor), b'{"t":"typing","on":true}')
        await tab.frame("typing")
        await other.say("hello", "c1")
        await other.seen(2)
        assert not [frame for frame in other.frames if frame["t"] == "typing" and "from" not in frame], "ours alone"
