"""Sockets that a provider opens for us: kept in order, acknowledged after the commit and where they came from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from adapters.base import Auth, CredentialsRefused, Reply, SendError, SocketModeSource, Throttled, Unavailable
from gateway.listen import socket_mode
from gateway.listen.base import Trouble
from gateway.listen.socket_mode import opened
from tests.gateway.listen.kit import Stage, until
from tests.gateway.provider import Answer, Provider

TOKEN = "xapp-1"


class Socket:
    """One connection as the provider has it."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection
        self.acked: list[str] = []

    async def say(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def event(self, id: str, kind: str = "events_api", **more: Any) -> None:
        await self.say(envelope_id=id, type=kind, payload={"event_id": id}, accepts_response_payload=False, **more)

    async def read(self) -> None:
        with suppress(ConnectionClosed):
            async for message in self.connection:
                self.acked.append(json.loads(message)["envelope_id"])


class Workspace:
    """Opens sockets on request, and says hello."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.sockets: list[Socket] = []
        self.hello = True
        self.http = Provider()
        self._server: Server | None = None

    async def start(self) -> None:
        await self.http.__aenter__()
        self._server = await serve(self._serve, "127.0.0.1", 0, ping_interval=None)
        port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/link?ticket=t"
        self.http.usual = Answer(body=json.dumps({"ok": True, "url": self.url}).encode())
        auth = Auth("app_token")
        self.source = SocketModeSource(name="socket", open_url=self.http.url("/api/open"), auth=auth)
        self.mounted = self.stage.mounted(self.source, app_token=TOKEN)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        await self.http.__aexit__(None, None, None)

    async def _serve(self, connection: ServerConnection) -> None:
        socket = Socket(connection)
        if self.hello:
            await socket.say(type="hello", num_connections=1)
        self.sockets.append(socket)
        await socket.read()

    def kept(self) -> Any:
        return self.stage.kept(self.mounted, self.source)

    async def open(self, count: int = 1) -> Socket:
        """The newest of so many."""
        await until(lambda: len(self.sockets) >= count)
        return self.sockets[count - 1]

    async def trouble(self) -> Exception:
        """What one session ends with."""
        post = await self.stage.post(self.mounted, "socket")
        with pytest.raises((Trouble, SendError)) as ended:
            async with asyncio.timeout(20):
                await socket_mode.listen(post, self.source)
        return ended.value


@pytest.fixture
async def workspace(stage: Stage) -> AsyncIterator[Workspace]:
    made = Workspace(stage)
    await made.start()
    yield made
    await made.close()


async def test_an_envelope_is_acknowledged_after_its_commit(workspace: Workspace, stage: Stage) -> None:
    stage.room.hold = asyncio.Event()
    async with workspace.kept():
        socket = await workspace.open()
        await socket.event("e1")
        await socket.event("e2", "interactive", retry_attempt=1, retry_reason="timeout")
        await asyncio.wait_for(asyncio.shield(_looked(socket)), 20)
        assert (socket.acked, stage.room.raws) == ([], [])
        stage.room.hold.set()
        await until(lambda: socket.acked == ["e1", "e2"])
    first, second = stage.stored()
    assert (first.body, first.method, first.origin) == (b'{"event_id": "e1"}', "POST", "dialled")
    assert first.headers == {"content-type": "application/json", "x-socket-type": "events_api"}
    assert second.headers["x-socket-type"] == "interactive"
    assert second.headers["x-socket-retry"] == "1"


async def _looked(socket: Socket) -> None:
    """The other side has read all that was said: it answers a ping behind it."""
    await (await socket.connection.ping())


async def test_the_socket_is_asked_for_with_the_token(workspace: Workspace) -> None:
    async with workspace.kept():
        await workspace.open()
    (call,) = workspace.http.calls
    assert (call.method, call.path, call.headers["authorization"]) == ("POST", "/api/open", f"Bearer {TOKEN}")


async def test_many_keep_their_order(workspace: Workspace, stage: Stage) -> None:
    ids = [f"e{n}" for n in range(500)]
    async with workspace.kept():
        socket = await workspace.open()
        for id in ids:
            await socket.event(id)
        await until(lambda: len(socket.acked) == 500)
    assert socket.acked == ids
    assert [json.loads(raw.body)["event_id"] for raw in stage.stored()] == ids
    assert max(map(len, stage.room.batches)) <= stage.settings.batch_messages


async def test_while_the_store_is_in_trouble_nothing_is_acknowledged(workspace: Workspace, stage: Stage) -> None:
    stage.room.fail = 3
    async with workspace.kept():
        socket = await workspace.open()
        await socket.event("e1")
        await until(lambda: socket.acked == ["e1"])
    assert (stage.room.fail, len(stage.stored())) == (0, 1)


async def test_told_in_time_the_next_socket_is_open_before_the_first_one_ends(
    workspace: Workspace, stage: Stage
) -> None:
    async with workspace.kept() as keeper:
        first = await workspace.open()
        stage.room.hold = asyncio.Event()
        await first.event("in flight")
        await first.say(type="disconnect", reason="warning", debug_info={})
        second = await workspace.open(2)
        await first.event("late")
        await second.event("on the next")
        stage.room.hold.set()
        await until(lambda: len(stage.room.raws) == 3)
        await until(lambda: (sorted(first.acked), second.acked) == (["in flight", "late"], ["on the next"]))
        await first.connection.close()
        await second.event("after")
        await until(lambda: second.acked == ["on the next", "after"])
        assert keeper.post is not None
        assert keeper.post.trouble is None
    assert len(workspace.sockets) == 2


async def test_a_socket_that_was_announced_to_end_is_not_read_for_ever(workspace: Workspace, stage: Stage) -> None:
    stage.set(socket_overlap_s=1)
    async with workspace.kept():
        first = await workspace.open()
        await first.say(type="disconnect", reason="refresh_requested")
        await workspace.open(2)
        await asyncio.wait_for(first.connection.wait_closed(), 20)
        assert len(workspace.sockets) == 2


async def test_a_socket_that_ends_without_a_word_is_replaced(workspace: Workspace, stage: Stage) -> None:
    async with workspace.kept():
        first = await workspace.open()
        await first.connection.close()
        second = await workspace.open(2)
        await second.event("e1")
        await until(lambda: second.acked == ["e1"])


@pytest.mark.parametrize(
    ("reason", "pause"), [("link_disabled", 300), ("too_many_websockets", None), ("something_new", None)]
)
async def test_told_to_go_it_goes(workspace: Workspace, stage: Stage, reason: str, pause: float | None) -> None:
    async def tell() -> None:
        await (await workspace.open()).say(type="disconnect", reason=reason)

    telling = asyncio.create_task(tell())
    trouble = await workspace.trouble()
    await telling
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.pause_s) == (reason, pause)


async def test_frames_that_say_nothing_are_passed_over(workspace: Workspace, stage: Stage) -> None:
    async with workspace.kept():
        socket = await workspace.open()
        for junk in ("", "ping", "[]", "null", '{"type":7}', "[" * 100_000, '{"type":"unheard of"}'):
            await socket.connection.send(junk)
        await socket.connection.send(b"\x00\xff")
        await socket.event('strange "id" \\ é')
        await until(lambda: socket.acked == ['strange "id" \\ é'])
    assert len(stage.stored()) == 1


@pytest.mark.parametrize(
    "odd",
    [{"retry_attempt": "1"}, {"retry_attempt": None}, {"retry_attempt": True}, {"reason": None}, {"reason": 7},
     {"type": None}, {"type": 7}, {"type": {"a": 1}}],
)  # fmt: skip
async def test_an_envelope_that_is_odd_beside_its_payload_is_kept(
    workspace: Workspace, stage: Stage, odd: dict[str, Any]
) -> None:
    """What is not acknowledged comes again and again, and then is lost."""
    async with workspace.kept():
        socket = await workspace.open()
        await socket.say(**{"envelope_id": "e1", "type": "events_api", "payload": {"event_id": "e1"}, **odd})
        await until(lambda: socket.acked == ["e1"])
    (raw,) = stage.stored()
    assert raw.body == b'{"event_id": "e1"}'
    assert raw.headers["x-socket-type"] == ("" if "type" in odd else "events_api")
    assert "x-socket-retry" not in raw.headers


@pytest.mark.parametrize("odd", [{}, {"reason": None}, {"reason": 7}])
async def test_told_to_go_without_a_reason_it_goes(workspace: Workspace, odd: dict[str, Any]) -> None:
    async def tell() -> None:
        await (await workspace.open()).say(type="disconnect", **odd)

    telling = asyncio.create_task(tell())
    trouble = await workspace.trouble()
    await telling
    assert isinstance(trouble, Trouble)
    assert trouble.code == "hung_up"


async def test_an_envelope_without_a_payload_is_kept_as_it_is(workspace: Workspace, stage: Stage) -> None:
    async with workspace.kept():
        socket = await workspace.open()
        await socket.say(envelope_id="e1", type="of tomorrow")
        await until(lambda: socket.acked == ["e1"])
    (raw,) = stage.stored()
    assert (raw.body, raw.headers["x-socket-type"]) == (b"null", "of tomorrow")


async def test_a_ping_is_answered_and_a_pong_is_a_sign_of_life(workspace: Workspace, stage: Stage) -> None:
    async with workspace.kept() as keeper:
        socket = await workspace.open()
        await until(lambda: keeper.post is not None and keeper.post.heard_at is not None)
        stage.clock.advance(60)
        await (await socket.connection.ping())
        assert keeper.post is not None
        assert keeper.post.heard_at == stage.store.now()


async def test_nobody_there(workspace: Workspace) -> None:
    await workspace.close()
    trouble = await workspace.trouble()
    assert isinstance(trouble, SendError)
    assert trouble.code == "not_reached"


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ftp://x/", "wss://127.0.0.1:1/x"])
async def test_an_address_that_is_none(workspace: Workspace, url: str) -> None:
    workspace.http.usual = Answer(body=json.dumps({"ok": True, "url": url}).encode())
    trouble = await workspace.trouble()
    assert isinstance(trouble, Trouble)
    assert trouble.code == ("not_reached" if url.startswith("wss") else "bad_url")


async def test_without_encryption_only_where_the_request_had_none(workspace: Workspace) -> None:
    assert socket_mode.is_allowed("ws://x/", "http://y/")
    assert socket_mode.is_allowed("wss://x/", "http://y/")
    assert socket_mode.is_allowed("wss://x/", "https://y/")
    assert not socket_mode.is_allowed("ws://x/", "https://y/")


@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (Reply(200, {}, b'{"ok":false,"error":"invalid_auth"}'), CredentialsRefused, "invalid_auth"),
        (
            Reply(200, {}, b'{"ok":false,"error":"missing_scope"}'),
            CredentialsRefused,
            "missing_scope",
        ),
        (Reply(401, {}, b""), CredentialsRefused, "401"),
        (Reply(200, {}, b'{"ok":false,"error":"internal_error"}'), Unavailable, "internal_error"),
        (Reply(200, {}, b'{"ok":true}'), Unavailable, "200"),
        (Reply(200, {}, b"<html>"), Unavailable, "200"),
        (Reply(503, {}, b"["), Unavailable, "503"),
        (Reply(200, {}, b'{"ok":false,"error":"a b; c"}'), CredentialsRefused, "200"),
    ],
)
def test_a_request_that_is_refused(reply: Reply, error: type[SendError], code: str) -> None:
    with pytest.raises(error) as refused:
        opened(reply)
    assert refused.value.provider_code == code


@pytest.mark.parametrize(
    ("reply", "wait"),
    [
        (Reply(429, {"retry-after": "30"}, b""), 30),
        (Reply(200, {}, b'{"ok":false,"error":"ratelimited"}'), None),
        (Reply(429, {"retry-after": "soon"}, b'{"ok":false,"error":"ratelimited"}'), None),
    ],
)
def test_a_request_too_many(reply: Reply, wait: float | None) -> None:
    with pytest.raises(Throttled) as refused:
        opened(reply)
    assert refused.value.retry_after_s == wait
