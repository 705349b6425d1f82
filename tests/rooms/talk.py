"""Somebody on the line while room 3 works: what he says, what he hears, and what is kept of it meanwhile."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from gateway.store.spoken import Spoken
from tests.rooms import line
from tests.rooms.world import World

CALLER = "+16505551234"
PATIENCE_S = 20.0
LEG = line.leg(CALLER)


async def says(world: World, id: str, said: str, **frame: Any) -> None:
    await world.frame(CALLER, endpoint=line.ENDPOINT, id=id, text=said, **frame)


async def event(world: World, id: str, what: str, detail: str | None = None, **frame: Any) -> Any:
    return await world.frame(CALLER, endpoint=line.ENDPOINT, id=id, event=what, detail=detail, **frame)


async def wire(world: World) -> list[str]:
    return await world.store.read(lambda tx: line.wire(tx, LEG))


class speaking:
    """Room 3 at work beside the test, until everything is done."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def __aenter__(self) -> None:
        self._working = asyncio.create_task(self._world.performer.drain())
        await self._world.engine.waiting.wait()

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._working
        await self._world.run()


async def kept(world: World, said: Spoken) -> None:
    """Until it is known beside the question."""
    async with asyncio.timeout(PATIENCE_S):
        while said not in await world.store.read(lambda tx: _spoken(world)):
            pass


def _spoken(world: World) -> list[Spoken]:
    rows = world.table("command", "kind", "payload")
    return [msgspec.json.decode(payload, type=Spoken) for kind, payload in rows if kind == "ask_ai"]


async def ends(world: World, working: asyncio.Task[None]) -> None:
    """The process, in the middle of everything."""
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    await world.crash()


async def breaks(world: World) -> None:
    """The breaker's word, settled before anything is asked."""
    world.changes.append((False, "no route"))
    await world._tell_changes()
    await world.processor.drain()
