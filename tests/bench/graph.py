"""The provider's side of the echo figure: accepts sends over raw HTTP/1.1 and says who got what."""

import asyncio
import json
from collections.abc import Callable
from itertools import count
from typing import cast


class Graph:
    """`sent(recipient, text)` is called for every accepted message; read receipts are only answered."""

    def __init__(self, sent: Callable[[str, str], None]) -> None:
        self.sent, self.numbers = sent, count(1)
        self.calls = 0

    async def start(self) -> tuple[asyncio.Server, int]:
        server = await asyncio.get_running_loop().create_server(lambda: _Peer(self), "127.0.0.1", 0, backlog=512)
        return server, int(server.sockets[0].getsockname()[1])

    def answer(self, body: bytes) -> bytes:
        self.calls += 1
        if not body:
            return b"{}"  # asked whether it is well
        call = json.loads(body)
        if call.get("status") == "read":
            return b'{"success":true}'
        self.sent(call["to"], call["text"]["body"])
        number = next(self.numbers)
        return json.dumps({
            "messaging_product": "whatsapp",
            "contacts": [{"input": call["to"], "wa_id": call["to"]}],
            "messages": [{"id": f"wamid.OUT{number:012d}"}],
        }).encode()  # fmt: skip


class _Peer(asyncio.Protocol):
    def __init__(self, graph: Graph) -> None:
        self._graph, self._buffer = graph, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].partition(b"\r")[0]) if place >= 0 else 0
            if len(self._buffer) < end + 4 + size:
                return
            body, self._buffer = self._buffer[end + 4 : end + 4 + size], self._buffer[end + 4 + size :]
            answer = self._graph.answer(body)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer)
                + answer
            )
