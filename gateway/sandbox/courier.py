"""Carries webhooks from a simulated provider to the gateway, over HTTP, and tells the provider how each was answered.

Rule: the simulator decides what is told and when, and what comes again; here it is only carried.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import aiohttp
from yarl import URL

from adapters.base import Reply, Request
from gateway.clock import Clock
from gateway.observe import lines
from gateway.sandbox.news import News
from gateway.wake import Bell

IDLE_S = 60.0
SOON_S = 0.002

_log = lines("sandbox")


class Delivers(Protocol):
    patience_s: float
    """How long the provider waits for an answer."""

    @property
    def id(self) -> str: ...
    def due(self, now: datetime) -> Sequence[Request]: ...
    def next_due(self) -> datetime | None: ...
    def delivered(self, request: Request, reply: Reply | None, now: datetime) -> None:
        """`reply` None: there was none in time."""
        ...


class Courier:
    def __init__(self, place: Delivers, news: News, clock: Clock) -> None:
        self._place, self._news, self._clock = place, news, clock
        self._bell: Bell = news.bell()

    async def run(self) -> None:
        """Until it is stopped."""
        timeout = aiohttp.ClientTimeout(total=self._place.patience_s)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while not self._news.stopping.is_set():
                for request in self._place.due(self._clock.now()):
                    await self._deliver(session, request)
                await self._bell.wait(self._idle_s())

    async def _deliver(self, session: aiohttp.ClientSession, request: Request) -> None:
        reply = None
        # As it was signed: nothing is written in another way.
        url = URL(request.url, encoded=True)
        try:
            async with session.request(request.method, url, data=request.body or None,
                                       headers=request.headers) as got:  # fmt: skip
                reply = Reply(got.status, dict(got.headers), await got.read())
        except (aiohttp.ClientError, TimeoutError):
            _log.warning("webhook not delivered", endpoint_id=self._place.id)
        self._place.delivered(request, reply, self._clock.now())
        self._news.seen()

    def _idle_s(self) -> float:
        at = self._place.next_due()
        if at is None:
            return IDLE_S
        return min(max((at - self._clock.now()).total_seconds(), 0.0) + SOON_S, IDLE_S)
