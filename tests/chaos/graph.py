"""The Graph API's side of sends: accepts them, or fails in one of the ways that it has.

Rule: an id that was given stands in the journal before anything of the answer leaves, whatever becomes of the answer.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tests.chaos.journal import Accepted, Journal, Rank, Told
from tests.chaos.plan import ACCESS_TOKEN, Plan

FAULTS = ("refused 131000", "500 without words", "429 channel", "429 recipient", "slow", "cut before", "cut after")
SLOW_S = 0.8
STATUS_DELAY_S = 1.5
"""A status follows at most so much later, and sometimes comes before the send is answered."""
REPEATED, SKIPPED = 0.1, 0.1


class Graph:
    def __init__(
        self, plan: Plan, chance: random.Random, journal: Journal, tell: Callable[[Told, float], None]
    ) -> None:
        self.plan, self.random, self.journal, self.tell = plan, chance, journal, tell
        self.by_id: dict[str, Accepted] = {}
        self.well = False
        """Nothing goes wrong any more."""

    async def messages(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {ACCESS_TOKEN}":
            return error(401, 190)
        body = await request.json()
        if body.get("status") == "read":
            self.journal.counts.marks += 1
            return web.json_response({"success": True})
        return await self._send(request, request.match_info["number"], body)

    async def _send(self, request: web.Request, number: str, body: dict[str, Any]) -> web.StreamResponse:
        ill = not self.well and self.random.random() < self.plan.faults
        fault = self.random.choice(FAULTS) if ill else ""
        if fault:
            self.journal.counts.faults[fault] = self.journal.counts.faults.get(fault, 0) + 1
        match fault:
            case "refused 131000":
                return error(500, 131000)
            case "500 without words":
                return web.Response(status=500, text="<html>oops</html>", content_type="text/html")
            case "429 channel":
                return error(429, 130429, {"Retry-After": "1"})
            case "429 recipient":
                return error(400, 131056)
            case "cut before":
                return cut(request)
            case _:
                pass
        accepted = self._accept(number, body)
        await asyncio.sleep(SLOW_S if fault == "slow" else self.random.uniform(0, 0.03))
        if fault == "cut after":
            accepted.answered = False
            return cut(request)
        return web.json_response({
            "messaging_product": "whatsapp",
            "contacts": [{"input": accepted.customer, "wa_id": accepted.customer}],
            "messages": [{"id": accepted.id}],
        })  # fmt: skip

    def _accept(self, number: str, body: dict[str, Any]) -> Accepted:
        accepted = Accepted(
            id=f"wamid.out.{len(self.journal.accepted)}",
            customer=body["to"],
            number=number,
            text=body["text"]["body"],
            key=body["biz_opaque_callback_data"],
            at=time.monotonic(),
        )
        self.journal.accepted.append(accepted)
        self.by_id[accepted.id] = accepted
        self._statuses(accepted.id)
        return accepted

    def _statuses(self, target: str) -> None:
        """In any order, some twice, and `delivered` or `read` not always."""
        statuses: tuple[Rank, ...] = ("sent", "delivered", "read")
        for status in statuses:
            if status != "sent" and self.random.random() < SKIPPED:
                continue
            for _ in range(1 + (self.random.random() < REPEATED)):
                early = self.random.random() < 0.2
                self.tell(Told(target=target, status=status), 0.0 if early else self.random.uniform(0, STATUS_DELAY_S))


def error(status: int, code: int, headers: dict[str, str] | None = None) -> web.Response:
    answer = {"error": {"message": "no", "type": "OAuthException", "code": code, "fbtrace_id": "x"}}
    return web.json_response(answer, status=status, headers=headers)


def cut(request: web.Request) -> web.StreamResponse:
    """The connection goes without a word."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
