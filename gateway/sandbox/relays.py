"""The sockets of simulated calls: the telephone company dials the gateway, speaks and listens.

Rule: the simulator says what is sent and what an incoming frame means; here is only the wire.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

import aiohttp
from yarl import URL

from adapters.twilio_voice.simulator import Twilio
from adapters.twilio_voice.simulator_relay import Relay
from gateway.clock import Clock
from gateway.sandbox.news import News

CONNECT_S = 5.0
Frames = asyncio.Queue[str | None]
"""None: it is over, and the socket is closed."""


class Relays:
    def __init__(self, simulator: Twilio, news: News, clock: Clock) -> None:
        self._simulator, self._news, self._clock = simulator, news, clock
        self._frames: dict[str, Frames] = {}
        """By session: what is to be sent."""
        self._sockets: dict[str, asyncio.Task[None]] = {}

    def open(self) -> None:
        """A socket for each session that wants one."""
        for relay in self._simulator.sockets():
            if relay.sid not in self._sockets:
                task = self._sockets[relay.sid] = asyncio.create_task(self._run(relay), name="relay")
                task.add_done_callback(partial(self._closed, relay.sid))

    def _closed(self, session: str, task: "asyncio.Task[None]") -> None:
        del self._sockets[session]
        self._news.changed()

    def end(self, relay: Relay) -> None:
        """The call is over, and its socket with it."""
        if queue := self._frames.get(relay.sid):
            queue.put_nowait(None)

    def send(self, relay: Relay, frames: Sequence[str]) -> None:
        """To nobody, when there is no socket."""
        queue = self._frames.get(relay.sid)
        for frame in frames:
            if queue is not None:
                queue.put_nowait(frame)

    def lose(self, relay: Relay) -> None:
        """It breaks."""
        relay.lost()
        if task := self._sockets.get(relay.sid):
            task.cancel()

    async def close(self) -> None:
        tasks = list(self._sockets.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, relay: Relay) -> None:
        connected = False
        try:
            async with aiohttp.ClientSession() as session:
                async with asyncio.timeout(CONNECT_S):
                    socket = await self._dialled(session, relay)
                connected = True
                async with socket:
                    await self._talk(relay, socket)
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass  # the session has failed, as it does at the provider
        finally:
            relay.lost(connected=connected)
            self._frames.pop(relay.sid, None)

    async def _dialled(self, session: aiohttp.ClientSession, relay: Relay) -> aiohttp.ClientWebSocketResponse:
        request = relay.handshake()
        headers = {name: value for name, value in request.headers.items() if name != "upgrade"}
        return await session.ws_connect(URL(request.url, encoded=True), headers=headers)

    async def _talk(self, relay: Relay, socket: aiohttp.ClientWebSocketResponse) -> None:
        queue = self._frames[relay.sid] = Frames()
        self.send(relay, relay.opened(self._clock.now()))
        self._news.seen()
        speaking = asyncio.create_task(_speak(queue, socket))
        try:
            async for message in socket:
                relay.take(message.data, self._clock.now())
                self._news.seen()
                if relay.ended is not None:
                    return
        finally:
            speaking.cancel()


async def _speak(queue: Frames, socket: aiohttp.ClientWebSocketResponse) -> None:
    while (frame := await queue.get()) is not None:
        await socket.send_str(frame)
    await socket.close()
