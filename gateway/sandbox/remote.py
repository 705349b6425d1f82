"""Scripts a running demo from a shell: what `throughline simulate` and `throughline demo` say and do.

Rule: it uses the same HTTP as everybody else; the demo does not know who asks.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from msgspec import Struct

from adapters.base import Reply, Request
from adapters.webchat.simulator import Visitor
from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.sandbox.attach import read_note

TIMEOUT_S = 30
POLL_S = 10
QUIET_S = 1
"""After an answer: when nothing more comes so long, it was all."""
GUEST = ("Sam Shell", "447700900123")

Show = Callable[[str], None]


class Script(Struct, frozen=True, kw_only=True):
    """What a customer does: writes `text` so many times, then waits for answers."""

    endpoint: str
    text: str
    sender: str | None
    count: int
    wait_s: float


def simulate(script: Script, data_dir: Path, url: str | None, show: Show) -> None:
    """`show` gets a line for each message of either side. Raises Failed."""
    note = read_note(data_dir.expanduser())
    base = url or (note.url if note else None)
    if base is None:
        raise Failed(f"no demo has run in {data_dir}; start one with `throughline demo`, or name it with --url")
    try:
        asyncio.run(_run(script, base.rstrip("/"), show))
    except aiohttp.ClientConnectionError:
        raise Failed(f"no demo answers at {base}; start one with `throughline demo`") from None


async def _run(script: Script, base: str, show: Show) -> None:
    async with Caller.open(base) as caller:
        state = await caller.json("GET", "/sandbox/api")
        if script.endpoint == state["endpoint"]:
            await _phone(caller, script, show)
        elif script.endpoint == state["site"]:
            await _visitor(caller, script, show)
        else:
            known = ", ".join(filter(None, (state["endpoint"], state["site"])))
            raise Failed(f"the demo has no endpoint {script.endpoint}; known: {known}")


class Caller:
    def __init__(self, session: aiohttp.ClientSession, base: str) -> None:
        self.session, self.base = session, base

    @classmethod
    @asynccontextmanager
    async def open(cls, base: str) -> AsyncIterator["Caller"]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as session:
            yield cls(session, base)

    async def json(self, method: str, path: str, body: Any = None) -> Any:
        """Raises Failed for a refusal, in its own words."""
        async with self.session.request(method, self.base + path, json=body) as answer:
            data = await answer.read()
        if answer.status >= 400:
            raise Failed(_why(answer.status, data))
        return msgspec.json.decode(data)

    async def do(self, request: Request) -> Reply:
        async with self.session.request(
            request.method, request.url, data=request.body or None, headers=request.headers
        ) as answer:
            return Reply(answer.status, dict(answer.headers), await answer.read())


def _why(status: int, data: bytes) -> str:
    try:
        problem = msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError:
        return f"the demo answered {status}"
    return f"the demo answered {status}: {problem.get('detail') or problem.get('title')}"


# --- a telephone --------------------------------------------------------------------------------------------------


async def _phone(caller: Caller, script: Script, show: Show) -> None:
    name, phone = GUEST if script.sender is None else ("Guest", script.sender)
    known = {one["phone"] for one in (await caller.json("GET", "/sandbox/api"))["phones"]}
    digits = "".join(filter(str.isdecimal, phone))
    if digits not in known:
        digits = (await caller.json("POST", "/sandbox/api/phones", {"name": name, "phone": phone}))["phone"]
    path = f"/sandbox/api/phones/{digits}"
    seen = {one["id"] for one in (await caller.json("GET", path))["messages"]}
    for _ in range(script.count):
        await caller.json("POST", f"{path}/messages", {"type": "text", "text": script.text})
        show(f"> {script.text}")
    await _until(script.wait_s, _answers_on(caller, path, seen, show))


async def _answers_on(caller: Caller, path: str, seen: set[str], show: Show) -> None:
    """Until there was an answer and then silence."""
    version, answered = -1, False
    while True:
        screen = await caller.json("GET", f"{path}?after={version}&wait_s={QUIET_S if answered else POLL_S}")
        fresh = [one for one in screen["messages"] if not one["mine"] and one["id"] not in seen]
        for one in fresh:
            seen.add(one["id"])
            show(f"< {one['content'].get('text') or one['content']['kind']}")
        if fresh:
            await caller.json("POST", f"{path}/read")
        if answered and screen["version"] == version:
            return
        version, answered = screen["version"], answered or bool(fresh)


# --- a visitor ----------------------------------------------------------------------------------------------------


async def _visitor(caller: Caller, script: Script, show: Show) -> None:
    """A new one each time: a shell keeps no session."""
    ids = Ids(Clock())
    visitor = Visitor(base_url=caller.base, endpoint=script.endpoint, origin=caller.base, widget_key=script.endpoint)
    if not visitor.session_given(await caller.do(visitor.session_request())):
        raise Failed("the gateway gave no session")
    for _ in range(script.count):
        visitor.say(script.text, ids.uuid())
        await _post(caller, visitor)
        show(f"> {script.text}")
    await _until(script.wait_s, _answers_to(caller, visitor, show))


async def _post(caller: Caller, visitor: Visitor) -> None:
    """Again and again while it comes too fast."""
    while (request := visitor.post_request()) is not None:
        reply = await caller.do(request)
        if reply.status == 429:
            await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))
        elif reply.status not in (200, 201):
            raise Failed(_why(reply.status, reply.body))
        else:
            visitor.posted(reply)


async def _answers_to(caller: Caller, visitor: Visitor, show: Show) -> None:
    """Until there was an answer and then silence."""
    seen, answered = 0, False
    while True:
        visitor.polled(await caller.do(visitor.poll_request(QUIET_S if answered else POLL_S)))
        fresh = [visitor.shown[seq] for seq in sorted(visitor.shown) if seq > seen]
        for frame in fresh:
            seen = frame["seq"]
            if frame["t"] == "msg" and frame["from"]["kind"] != "visitor":
                answered = True
                show(f"< {frame['content'].get('text') or frame['type']}")
        if answered and not fresh:
            return


async def _until(wait_s: float, listening: Any) -> None:
    if wait_s <= 0:
        listening.close()
        return
    try:
        async with asyncio.timeout(wait_s):
            await listening
    except TimeoutError:
        return
