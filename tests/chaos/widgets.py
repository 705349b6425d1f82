"""Visitors with the widget, as a process: `python -m tests.chaos.widgets PLAN`.

Each has a session and one tab, says something now and then, connects again whenever the socket goes, resumes, and
repeats what was not acknowledged. What the protocol promises is checked by the visitor itself, frame by frame.
"""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Iterable

import aiohttp
import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from adapters.base import Reply, Request
from adapters.webchat.simulator import Visitor
from tests.chaos.control import Control, listen
from tests.chaos.journal import Progress, Visit, Visits
from tests.chaos.plan import SITE, WEB, WIDGET, Plan, load

SAYS_EVERY_S = (0.3, 2.0)
OUTBOX_MAX = 5
"""Nobody types on for ever into a page that does not answer."""
SILENCE_S = 5.0
"""After so long without a frame a message that is under way is sent again, as the protocol has it."""
PAUSE_S = (0.05, 0.4)
HANDSHAKE_LIMIT_S = 5.0


class Tab:
    def __init__(self, name: str, plan: Plan, chance: random.Random, control: Control) -> None:
        self.name, self.random, self.control = name, chance, control
        self.visitor = Visitor(base_url=plan.gateway_url, endpoint=WEB, origin=SITE, widget_key=WIDGET)
        self.texts: dict[str, str] = {}
        self.reconnects = 0
        self._socket: ClientConnection | None = None

    async def live(self, http: aiohttp.ClientSession) -> None:
        while not self.control.ending:
            try:
                if self.visitor.token is None:
                    await self._session(http)
                async with asyncio.timeout(HANDSHAKE_LIMIT_S):
                    asked = self.visitor.handshake()
                    socket = await connect(asked.url, additional_headers=dict(asked.headers), compression=None)
                async with socket:
                    await self._listen(socket)
            except (OSError, TimeoutError, aiohttp.ClientError, WebSocketException, InvalidHandshake):
                self.reconnects += 1
            self._socket = None
            self.visitor.closed()
            await asyncio.sleep(self.random.uniform(*PAUSE_S))

    async def _session(self, http: aiohttp.ClientSession) -> None:
        reply = await call(http, self.visitor.session_request())
        if not self.visitor.session_given(reply):
            raise TimeoutError

    async def _listen(self, socket: ClientConnection) -> None:
        await self._send(socket, self.visitor.opened())
        self._socket = socket
        while not self.control.ending:
            try:
                async with asyncio.timeout(SILENCE_S):
                    data = await socket.recv(decode=False)
            except TimeoutError:
                await self._send(socket, self.visitor.retry())
                continue
            await self._send(socket, self.visitor.take(data))

    async def speak(self) -> None:
        while not self.control.stopping:
            await asyncio.sleep(self.random.uniform(*SAYS_EVERY_S))
            if self.visitor.token is None or sum(not said.acked for said in self.visitor.said.values()) >= OUTBOX_MAX:
                continue
            cid = f"{self.name}-{len(self.texts) + 1}"
            self.texts[cid] = f"{self.name} #{len(self.texts) + 1}"
            frames = self.visitor.say(self.texts[cid], cid)
            if self._socket is not None:
                try:
                    await self._send(self._socket, frames)
                except (OSError, WebSocketException):
                    continue

    async def _send(self, socket: ClientConnection, frames: Iterable[bytes]) -> None:
        for frame in frames:
            await socket.send(frame.decode())

    @property
    def waiting(self) -> int:
        """What it still waits for: acknowledgements, its own words on the wire, the answer to its last message."""
        said = list(self.visitor.said.values())
        open_ = sum(not (one.acked and one.shown) and one.refused is None for one in said)
        last = self.texts[said[-1].cid] if said else None
        return open_ + (last is not None and last not in self.answers)

    @property
    def answers(self) -> list[str]:
        shown = (self.visitor.shown[seq] for seq in sorted(self.visitor.shown))
        return [
            frame["content"]["text"] for frame in shown if frame["t"] == "msg" and frame["from"]["kind"] != "visitor"
        ]

    def visit(self) -> Visit:
        said = self.visitor.said.values()
        return Visit(
            name=self.name,
            texts=[self.texts[one.cid] for one in said],
            acked=[self.texts[one.cid] for one in said if one.acked],
            refused=[f"{one.cid} {one.refused}" for one in said if one.refused is not None],
            answers=self.answers,
            violations=self.visitor.audit(),
            reconnects=self.reconnects,
        )


async def call(http: aiohttp.ClientSession, request: Request) -> Reply:
    async with http.request(request.method, request.url, headers=request.headers, data=request.body) as answer:
        return Reply(answer.status, dict(answer.headers), await answer.read())


class Visitors:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.control = Control(self._progress, self._write)
        self.tabs = [Tab(f"v{n}", plan, random.Random(plan.seed + n), self.control) for n in range(plan.visitors)]

    def _progress(self) -> Progress:
        said = [one for tab in self.tabs for one in tab.visitor.said.values()]
        return Progress(written=len(said), acked=sum(one.acked for one in said),
                        waiting=sum(tab.waiting for tab in self.tabs), accepted=0)  # fmt: skip

    def _write(self) -> None:
        self.plan.visits.write_bytes(msgspec.json.encode(Visits(visits=[tab.visit() for tab in self.tabs])))

    async def run(self) -> None:
        runner = await listen(self.control.app(), self.plan.widgets_port)
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=HANDSHAKE_LIMIT_S)) as http:
            lives = [asyncio.create_task(work) for tab in self.tabs for work in (tab.live(http), tab.speak())]
            await asyncio.wait(lives, timeout=self.plan.limit_s, return_when=asyncio.FIRST_EXCEPTION)
            for task in lives:
                if task.done():
                    task.result()
                task.cancel()
        await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(Visitors(load(sys.argv[1])).run())
