"""Webhooks on their way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest
from aiohttp import web

from adapters.base import Reply, Request
from gateway.clock import Clock
from gateway.sandbox.courier import IDLE_S, Courier
from gateway.sandbox.news import News
from tests import servers


class Place:
    """One that has what it is given."""

    id, patience_s = "place", 0.5

    def __init__(self, *requests: Request) -> None:
        self.waiting = list(requests)
        self.told: list[tuple[Request, Reply | None]] = []
        self.next: datetime | None = None
        self.done = asyncio.Event()

    def due(self, now: datetime) -> Sequence[Request]:
        found, self.waiting = self.waiting, []
        return found

    def next_due(self) -> datetime | None:
        return self.next

    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        self.told.append((request, reply))
        self.done.set()


@asynccontextmanager
async def gateway() -> AsyncIterator[str]:
    """It answers with the path and query as they stood on the wire."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=202, text=f"{request.method} {request.raw_path} {await request.text()}")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    port = servers.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    yield f"http://127.0.0.1:{port}"
    await runner.cleanup()


async def carried(place: Place) -> Reply | None:
    news = News()
    running = asyncio.create_task(Courier(place, news, Clock()).run())
    async with asyncio.timeout(10):
        await place.done.wait()
    news.stop()
    await running
    return place.told[0][1]


async def test_it_goes_out_letter_by_letter_as_it_was_signed() -> None:
    async with gateway() as url:
        reply = await carried(Place(Request(method="POST", url=f"{url}/hooks/x?echo=cmd_1%3A0", body=b"a=1")))
    assert reply is not None
    assert (reply.status, reply.body) == (202, b"POST /hooks/x?echo=cmd_1%3A0 a=1")


async def test_what_nobody_takes_is_told_as_that() -> None:
    url = f"http://127.0.0.1:{servers.free_port()}/hooks/x"
    assert await carried(Place(Request(method="POST", url=url))) is None


@pytest.mark.parametrize(("after_s", "idle_s"), [(None, IDLE_S), (-5, 0.002), (3600, IDLE_S)])
def test_it_rests_until_something_is_due(after_s: int | None, idle_s: float) -> None:
    clock, place = Clock(), Place()
    place.next = None if after_s is None else clock.now() + timedelta(seconds=after_s)
    assert Courier(place, News(), clock)._idle_s() == pytest.approx(idle_s)
