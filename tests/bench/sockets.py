"""Idle widget sockets, opened with as little as a client can be made of."""

import asyncio
import base64
import json
import os
from typing import cast

from tests.bench.load import Connection, connect
from tests.bench.servers import ORIGIN

TOGETHER = 50


class Idle(asyncio.Protocol):
    """Upgrades, says hello, and then only listens; answers pings."""

    def __init__(self, token: str) -> None:
        self._token, self._upgraded = token, False
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self.transport.write(
            f"GET /live/site HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nOrigin: {ORIGIN}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded and b"\r\n\r\n" in self._buffer:
            assert self._buffer.startswith(b"HTTP/1.1 101"), self._buffer[:200]
            self._upgraded = True
            self._send(1, json.dumps({"t": "hello", "v": 1, "token": self._token}).encode())
        if b'"synced"' in self._buffer and not self.ready.done():
            self.ready.set_result(None)
            self._buffer = b""
        if self.ready.done():
            if data[:1] == b"\x89":
                self._send(10, data[2:])
            self._buffer = b""

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionError("closed before it was ready"))

    def _send(self, opcode: int, payload: bytes) -> None:
        """A masked frame (RFC 6455 §5.3) with a mask of zeros, which changes nothing."""
        size = bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
        self.transport.write(bytes([0x80 | opcode]) + size + bytes(4) + payload)


async def open_idle(port: int, count: int) -> list[Idle]:
    opened: list[Idle] = []
    (http,) = await connect(port, 1)
    loop = asyncio.get_running_loop()
    for _ in range(0, count, TOGETHER):
        tokens = [await _token(http) for _ in range(min(TOGETHER, count - len(opened)))]
        pairs = [await loop.create_connection(lambda token=token: Idle(token), "127.0.0.1", port) for token in tokens]  # type: ignore[misc]  # because mypy does not see the default
        batch = [protocol for _, protocol in pairs]
        await asyncio.gather(*(protocol.ready for protocol in batch))
        opened += batch
    return opened


async def _token(http: Connection) -> str:
    body = b'{"widget_key":"site"}'
    head = (
        f"POST /hooks/site/session HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: {ORIGIN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    status = await http.exchange(head.encode() + body)
    assert status == 201, f"no session: {status}"
    return str(json.loads(http.answer)["session_token"])
