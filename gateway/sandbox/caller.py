"""Who scripts a running demo from a shell: what is to be done, and the HTTP that it is done by.

Rule: it uses the same HTTP as everybody else; the demo does not know who asks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from adapters.base import Reply, Request
from gateway.commands import Failed

TIMEOUT_S = 30
POLL_S = 10
QUIET_S = 1
"""After an answer: when nothing more comes so long, it was all."""
GUEST = ("Sam Shell", "447700900123")

Show = Callable[[str], None]
"""Gets a line for each message of either side."""


class Script(Struct, frozen=True, kw_only=True):
    """What a customer does: writes `text` so many times, then waits for answers. Before that the switches are set."""

    endpoint: str
    text: str | None
    sender: str | None
    count: int
    wait_s: float
    switches: tuple[str, ...] = ()
    """`name=value`, `faults=one,other`, or `usual`."""


class Caller:
    def __init__(self, session: aiohttp.ClientSession, base: str, show: Show) -> None:
        self.session, self.base, self.show = session, base, show

    @classmethod
    @asynccontextmanager
    async def open(cls, base: str, show: Show) -> AsyncIterator["Caller"]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            yield cls(session, base, show)

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Raises Failed for a refusal, in its own words."""
        async with self.session.request(method, self.base + path, json=body) as answer:
            data = await answer.read()
        if answer.status >= 400:
            raise Failed(why(answer.status, data))
        return msgspec.json.decode(data)

    async def do(self, request: Request) -> Reply:
        async with self.session.request(
            request.method, request.url, data=request.body or None, headers=request.headers
        ) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read())

    async def phone(self, script: Script) -> str:
        """The digits of who writes; somebody new gets a phone."""
        name, phone = GUEST if script.sender is None else ("Guest", script.sender)
        known = {one["phone"] for one in (await self.json("GET", "/sandbox/api"))["phones"]}
        digits = "".join(filter(str.isdecimal, phone))
        if digits not in known:
            digits = (await self.json("POST", "/sandbox/api/phones", {"name": name, "phone": phone}))["phone"]
        return digits


def why(status: int, data: bytes) -> str:
    try:
        problem = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return f"the demo answered {status}"
    return f"the demo answered {status}: {problem.get('detail') or problem.get('title')}"


async def until(wait_s: float, listening: Any) -> None:
    if wait_s <= 0:
        listening.close()
        return
    try:
        async with asyncio.timeout(wait_s):
            await listening
    except TimeoutError:
        return
