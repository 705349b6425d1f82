"""A fake HTTP provider on loopback: records what it is asked, and is slow, wrong or silent on demand.

It reads HTTP with its own few lines, so that it sees exactly what was sent and can break off anywhere.

    async with Provider() as provider:
        provider.then(Answer(500), Silent(), HangUp())      # one for each request; afterwards `usual`
        ... provider.url("/v1/messages") ...
        assert provider.calls == [...]
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import NamedTuple


class Seen(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


class Answer(NamedTuple):
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes = b"{}"
    chunked: bool = False
    """No Content-Length; the body in chunks of 1000 bytes."""
    cut: int | None = None
    """Hangs up after so many bytes of the body."""


class Slow(NamedTuple):
    """Answers when the test opens the gate."""

    gate: asyncio.Event
    answer: Answer = Answer()


class Silent(NamedTuple):
    """Reads the request and never answers."""


class HangUp(NamedTuple):
    """Reads the request and closes the connection."""


class Raw(NamedTuple):
    """Answers with these bytes and closes."""

    data: bytes


Behaviour = Answer | Slow | Silent | HangUp | Raw
OK = Answer()


class Provider:
    def __init__(
        self, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None, usual: Behaviour = OK
    ) -> None:
        self.host = host
        self.port = port
        self.usual = usual
        self.calls: list[Seen] = []
        self.connections = 0
        self.open_now = 0
        self.open_most = 0
        self._tls = tls
        self._script: deque[Behaviour] = deque()
        self._came = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def then(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    def url(self, path: str = "/", host: str | None = None) -> str:
        return f"{'https' if self._tls else 'http'}://{host or self.host}:{self.port}{path}"

    async def came(self, calls: int) -> None:
        """Returns when so many requests were read."""
        async with self._came:
            await self._came.wait_for(lambda: len(self.calls) >= calls)

    async def __aenter__(self) -> "Provider":
        self._server = await asyncio.start_server(self._accept, self.host, self.port, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open_now += 1
        self.open_most = max(self.open_most, self.open_now)
        try:
            while await self._exchange(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the caller hung up
        finally:
            self.open_now -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. False: the connection is over."""
        first = await reader.readexactly(1)
        if first == b"\x16":
            return False  # a TLS handshake
        head = first + await reader.readuntil(b"\r\n\r\n")
        method, path, headers = parse_head(head)
        body = await read_body(reader, headers)
        async with self._came:
            self.calls.append(Seen(method, path, headers, body))
            self._came.notify_all()
        behaviour = self._script.popleft() if self._script else self.usual
        match behaviour:
            case Answer():
                return await send(writer, behaviour)
            case Slow(gate, answer):
                await gate.wait()
                return await send(writer, answer)
            case Silent():
                await reader.read()
                return False
            case HangUp():
                return False
            case Raw(data):
                writer.write(data)
                await writer.drain()
                return False


def parse_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    return method, path, {name.lower(): value.strip() for name, _, value in pairs}


async def read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(headers.get("content-length", "0")))
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


async def send(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    length = "Transfer-Encoding: chunked" if answer.chunked else f"Content-Length: {len(answer.body)}"
    lines = [f"HTTP/1.1 {answer.status} Whatever", length, *(f"{k}: {v}" for k, v in answer.headers.items())]
    writer.write("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n")
    body = answer.body if answer.cut is None else answer.body[: answer.cut]
    if answer.chunked:
        for start in range(0, len(body), 1000):
            piece = body[start : start + 1000]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        writer.write(b"" if answer.cut is not None else b"0\r\n\r\n")
    else:
        writer.write(body)
    await writer.drain()
    return answer.cut is None


def multipart(call: Seen) -> dict[str, tuple[str, bytes]]:
    """The parts of a form by name: their headers as text, and their bytes."""
    boundary = call.headers["content-type"].partition("boundary=")[2].strip('"').encode()
    parts = {}
    for piece in call.body.split(b"--" + boundary)[1:-1]:
        head, _, body = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        text = head.decode()
        parts[text.partition('name="')[2].partition('"')[0]] = (text, body.removesuffix(b"\r\n"))
    return parts
