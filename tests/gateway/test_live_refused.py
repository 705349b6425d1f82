"""Live sockets and who may have one: origins, tokens, first frames; and frames that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from gateway.live import sockets_of
from tests.gateway.house import ENDPOINT, SITE, Tab, config, running

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
            assert (answer.status, (await answer.json(content_type=None))["code"]) == (404, "unknown_endpoint")
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
