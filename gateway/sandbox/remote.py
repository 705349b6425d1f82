"""Scripts a running demo from a shell: what `throughline simulate` does.

Rule: it uses the same HTTP as everybody else; the demo does not know who asks.
"""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from adapters.webchat.simulator import Visitor
from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.sandbox.attach import read_note
from gateway.sandbox.caller import POLL_S, QUIET_S, Caller, Script, Show, until, why
from gateway.sandbox.remote_places import switch, write


def simulate(script: Script, data_dir: Path, url: str | None, show: Show) -> None:
    """`show` gets a line for each message of either side. Raises Failed."""
    note = read_note(data_dir.expanduser())
    base = url or (note.url if note else None)
    if base is None:
        raise Failed(f"no demo has run in {data_dir}; start one with `throughline demo`, or name it with --url")
    try:
        asyncio.run(_run(script, base.rstrip("/"), show))
    except (aiohttp.ClientError, TimeoutError, msgspec.DecodeError):
        # Nobody is there, or somebody who is no demo.
        raise Failed(f"no demo answers at {base}; start one with `throughline demo`") from None


async def _run(script: Script, base: str, show: Show) -> None:
    async with Caller.open(base, show) as caller:
        state = await caller.json("GET", "/sandbox/api")
        places = {one["card"]["id"]: one for one in state["places"]}
        if script.endpoint not in (*places, state["site"]):
            known = ", ".join(filter(None, (*places, state["site"])))
            raise Failed(f"the demo has no endpoint {script.endpoint}; known: {known}")
        if script.endpoint in places:
            await switch(caller, script, places[script.endpoint])
        elif script.switches:
            raise Failed(f"{script.endpoint} has nothing to switch")
        if script.text is not None:
            await _write(caller, script, script.text, state)


async def _write(caller: Caller, script: Script, text: str, state: Any) -> None:
    if script.endpoint == state["endpoint"]:
        await _phone(caller, script, text)
    elif script.endpoint == state["site"]:
        await _visitor(caller, script, text)
    else:
        place = next(one["card"] for one in state["places"] if one["card"]["id"] == script.endpoint)
        await write(caller, script, text, place)


# --- a telephone --------------------------------------------------------------------------------------------------


async def _phone(caller: Caller, script: Script, text: str) -> None:
    digits, show = await caller.phone(script), caller.show
    path = f"/sandbox/api/phones/{digits}"
    seen = {one["id"] for one in (await caller.json("GET", path))["messages"]}
    for _ in range(script.count):
        await caller.json("POST", f"{path}/messages", {"type": "text", "text": text})
        show(f"> {text}")
    await until(script.wait_s, _answers_on(caller, path, seen, show))


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


async def _visitor(caller: Caller, script: Script, text: str) -> None:
    """A new one each time: a shell keeps no session."""
    ids = Ids(Clock())
    visitor = Visitor(base_url=caller.base, endpoint=script.endpoint, origin=caller.base, widget_key=script.endpoint)
    if not visitor.session_given(await caller.do(visitor.session_request())):
        raise Failed("the gateway gave no session")
    for _ in range(script.count):
        visitor.say(text, ids.uuid())
        await _post(caller, visitor)
        caller.show(f"> {text}")
    await until(script.wait_s, _answers_to(caller, visitor, caller.show))


async def _post(caller: Caller, visitor: Visitor) -> None:
    """Again and again while it comes too fast."""
    while (request := visitor.post_request()) is not None:
        reply = await caller.do(request)
        if reply.status == 429:
            await asyncio.sleep(float(reply.headers.get("Retry-After", 1)))
        elif reply.status not in (200, 201):
            raise Failed(why(reply.status, reply.body))
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
