"""The load generator: raw sockets on uvloop, one request in flight on each connection. Speaks just enough HTTP/1.1.

Rule: bounded in count; it ends by itself. It measures the time from writing a request to the end of its answer.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import cast

from msgspec import Struct


class Load(Struct, frozen=True):
    count: int
    refused: int
    seconds: float
    latencies_ms: tuple[float, ...] = ()

    @property
    def rate(self) -> float:
        return self.count / self.seconds


class Connection(asyncio.Protocol):
    """One keep-alive connection; `answered` is called with the status of each answer."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.waiter: asyncio.Future[int] | None = None
        self._buffer = b""
        self.answer = b""
        """The body of the last answer."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's own class, which is no subclass.
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = self._buffer.lower().find(b"content-length:", 0, end)
        size = int(self._buffer[length + 15 : self._buffer.find(b"\r", length)]) if length >= 0 else 0
        if len(self._buffer) < end + 4 + size:
            return
        status = int(self._buffer[9:12])
        self.answer, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_exception(ConnectionError("the server closed"))

    async def exchange(self, request: bytes) -> int:
        assert self.transport is not None
        self.waiter = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiter


async def connect(port: int, count: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]


async def closed_loop(port: int, requests: Sequence[bytes], connections: int = 64) -> Load:
    """As fast as the answers come."""
    opened = await connect(port, connections)
    work, refused, latencies = iter(requests), 0, []

    async def one(connection: Connection, work: Iterator[bytes]) -> None:
        nonlocal refused
        for request in work:
            started = time.perf_counter()
            status = await connection.exchange(request)
            latencies.append((time.perf_counter() - started) * 1000)
            refused += status != 200

    began = time.perf_counter()
    await asyncio.gather(*(one(connection, work) for connection in opened))
    seconds = time.perf_counter() - began
    _close(opened)
    return Load(len(requests), refused, seconds, tuple(latencies))


async def open_loop(port: int, requests: Sequence[bytes], per_second: float, connections: int = 256) -> Load:
    """At a fixed rate, whatever the answers do; an answer's time counts from the moment the request was due."""
    free = await connect(port, connections)
    opened, loop = list(free), asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    refused, latencies = 0, []
    waiting: asyncio.Queue[Connection] = asyncio.Queue()
    for connection in free:
        waiting.put_nowait(connection)

    async def one(connection: Connection, request: bytes, due: float) -> None:
        nonlocal refused
        refused += await connection.exchange(request) != 200
        latencies.append((loop.time() - due) * 1000)
        waiting.put_nowait(connection)

    began = loop.time()
    for number, request in enumerate(requests):
        due = began + number / per_second
        if due > loop.time():
            await asyncio.sleep(due - loop.time())
        tasks.append(asyncio.create_task(one(await waiting.get(), request, due)))
    await asyncio.gather(*tasks)
    seconds = loop.time() - began
    _close(opened)
    return Load(len(requests), refused, seconds, tuple(latencies))


def _close(opened: Sequence[Connection]) -> None:
    for connection in opened:
        if connection.transport is not None:
            connection.transport.close()


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
