"""The plumbing of a line whose provider calls webhooks and has a REST API: its simulator, over real HTTP.

Rule: the simulator decides what it accepts, what it tells, when, and what comes again; here it is only carried.
Rule: a call that was accepted is answered a little later, so that many a kill finds it in between.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from aiohttp import web
from yarl import URL

from adapters.base import Reply, Request
from tests.chaos.channels.line import Place, Record

LOOK_S = 0.01
"""How often the simulator is asked what is due."""
HOLD_S = 0.06
"""Longest time from accepting a call to answering it."""
AGAIN, AGAIN_S = 0.1, 2.0
"""Share of webhooks that come once more although they were taken, and how late."""
SLOW_HEADER = "x-simulated-delay-s"


class Hosted(ABC):
    """Base of such a line. It says what its simulator answers, has due, and is told."""

    patience_s = 5.0
    """How long the provider waits for the answer to a webhook."""

    def __init__(self, place: Place) -> None:
        self.place, self.random = place, place.random
        self.trouble = place.trouble
        self.record = Record()
        self.posts: list[Request] = []
        """Webhooks besides those that the simulator has due; each is delivered once."""
        self._carried: set[asyncio.Task[None]] = set()

    # --- to be filled -------------------------------------------------------------------------------------------------

    @abstractmethod
    def answer(self, request: Request, now: datetime) -> Reply:
        """The REST API."""

    @abstractmethod
    def due(self, now: datetime) -> Sequence[Request]:
        """Webhooks."""

    @abstractmethod
    async def _deliver(self, http: aiohttp.ClientSession, request: Request, after_s: float) -> None:
        """Carries one webhook, and tells the simulator what became of it."""

    def routes(self, app: web.Application) -> None:
        """What is not the REST API."""
        return

    # --- carrying -----------------------------------------------------------------------------------------------------

    @property
    def on_the_way(self) -> int:
        return len(self._carried)

    def calm(self) -> None:
        self.trouble = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        app = web.Application(client_max_size=64 * 1024 * 1024)
        self.routes(app)
        app.router.add_route("*", "/{path:.*}", self._called)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", self.place.port).start()
        timeout = aiohttp.ClientTimeout(total=self.patience_s)
        try:
            async with aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as http:
                carrier = asyncio.create_task(self._carry(http))
                try:
                    yield
                finally:
                    for task in [carrier, *self._carried]:
                        task.cancel()
                    ended = await asyncio.gather(carrier, *self._carried, return_exceptions=True)
        finally:
            await runner.cleanup()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _carry(self, http: aiohttp.ClientSession) -> None:
        while True:
            posts, self.posts = self.posts, []
            for request in (*posts, *self.due(datetime.now(UTC))):
                self._start(http, request, 0.0)
            for task in [task for task in self._carried if task.done()]:
                self._carried.discard(task)
                task.result()
            await asyncio.sleep(LOOK_S)

    def _start(self, http: aiohttp.ClientSession, request: Request, after_s: float) -> None:
        self._carried.add(asyncio.create_task(self._deliver(http, request, after_s)))

    # --- called -------------------------------------------------------------------------------------------------------

    async def _called(self, called: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in called.headers.items()}
        url = f"{self.place.url}{called.raw_path}"
        request = Request(method=called.method, url=url, headers=headers, body=await called.read())
        reply = self.answer(request, datetime.now(UTC))
        told = dict(reply.headers)
        if told.pop(SLOW_HEADER, None) == "never":
            return _cut(called)
        if self.trouble:
            await asyncio.sleep(self.random.uniform(0, HOLD_S))
        return web.Response(status=reply.status, headers=told, body=reply.body)


class Repeating(Hosted):
    """Base of a line whose provider looks at nothing of an answer but its status, and repeats what was not taken."""

    @abstractmethod
    def delivered(self, request: Request, status: int, now: datetime) -> None:
        """`status` 0: there was no answer. Sets what is acknowledged in the record."""

    async def _deliver(self, http: aiohttp.ClientSession, request: Request, after_s: float) -> None:
        """`after_s`: it is a repeat of what was taken, and nobody waits for what becomes of it."""
        if after_s:
            await asyncio.sleep(after_s)
        status = await self._post(http, request)
        self.record.counts["webhooks"] += 1
        if status not in (0, 503) and not 200 <= status < 300:
            self.record.wrong.append(f"a webhook that is signed and sound was answered with {status}")
        if after_s:
            self.record.counts["webhooks that came again after a 200"] += 1
            return
        self.delivered(request, status, datetime.now(UTC))
        if not 200 <= status < 300:
            self.record.counts["webhooks that were not taken"] += 1
        elif self.trouble and self.random.random() < AGAIN:
            self._start(http, request, self.random.uniform(0.01, AGAIN_S))

    async def _post(self, http: aiohttp.ClientSession, request: Request) -> int:
        try:
            async with http.request(
                request.method, URL(request.url, encoded=True), data=request.body or None, headers=request.headers
            ) as answer:
                await answer.read()
                return answer.status
        except (aiohttp.ClientError, OSError, TimeoutError):
            return 0


def _cut(called: web.Request) -> web.Response:
    """What is returned reaches nobody."""
    if called.transport is not None:
        called.transport.abort()
    return web.Response(status=500)
