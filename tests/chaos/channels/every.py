"""The run without kills: every type of what a channel can bring, one after the other, and what became of each.

Rule: a scene is over when its envelope is stored, or its limit is; the next one begins then.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from msgspec import Struct

from gateway.store import schema
from normalizer import codec
from normalizer.envelope import RANK, Envelope
from tests import servers
from tests.chaos.channels.audit import Findings, audit
from tests.chaos.channels.line import Line, Open, Scene
from tests.chaos.channels.run import Plan, configure, place_for, started, stop, until_ready, until_sources
from tests.chaos.process import Process
from tests.chaos.run import Lives

SCENE_S = 15.0
LOOK_S = 0.05


class Played(Struct, frozen=True):
    line: Line
    lives: Lives
    found: Findings
    became: dict[str, int]
    """How many envelopes each scene became. It must be one."""
    risen: int
    """Messages of ours whose status a receipt raised."""

    @property
    def wrong(self) -> list[str]:
        """What was broken, in words."""
        found = [f"{what}: {', '.join(ids)}" for what, ids in self.found.wrong.items()]
        return self.lives.wrong + found + [f"{name}: {n} envelopes" for name, n in self.became.items() if n != 1]


def play(plan: Plan, open_: Open) -> Played:
    port = servers.free_port()
    place = place_for(plan, port, trouble=False)
    line = open_(place)
    configure(plan, line, place, port)
    lives = Lives(wrong=[])

    async def run() -> dict[str, int]:
        async with line.running(), started(plan, lives) as gateway:
            await until_ready(gateway, place, lives)
            await until_sources(plan, line)
            became = await _play_all(plan.url, gateway, line.scenes())
            await _settle(plan, line, gateway)
            await stop(gateway, lives)
        return became

    became = asyncio.run(run())
    told = [one for one in line.record.heard if one.told and one.id is not None]
    ranks = _ranks(plan.url)
    risen = sum(ranks.get(one.id or "", 0) == max(RANK[status] for status in one.told) for one in told)
    return Played(line, lives, audit(plan.url, line.record), became, risen)


async def _play_all(url: str, gateway: Process, scenes: Sequence[Scene]) -> dict[str, int]:
    became: dict[str, int] = {}
    waiting: list[tuple[Scene, set[str]]] = []
    for scene in scenes:
        before = set(await asyncio.to_thread(_envelopes, url))
        scene.play()
        if scene.slow:
            waiting.append((scene, before))
        else:
            became[scene.name] = await _found(url, gateway, scene, before)
    return became | {scene.name: await _found(url, gateway, scene, before) for scene, before in waiting}


async def _found(url: str, gateway: Process, scene: Scene, before: Collection[str]) -> int:
    """How many envelopes it became."""
    end = time.monotonic() + SCENE_S
    found = 0
    while not found and time.monotonic() < end and gateway.ended is None:
        await asyncio.sleep(LOOK_S)
        stored = await asyncio.to_thread(_envelopes, url)
        found = sum(scene.becomes(one) for id, one in stored.items() if id not in before)
    return found


async def _settle(plan: Plan, line: Line, gateway: Process) -> None:
    """Until nothing is on its way and nothing is missing or wrong."""
    end = time.monotonic() + plan.settle_s
    while time.monotonic() < end and gateway.ended is None:
        await asyncio.sleep(LOOK_S)
        if not line.waiting and not (await asyncio.to_thread(audit, plan.url, line.record)).wrong:
            return


def _envelopes(url: str) -> dict[str, Envelope]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.envelope.c.id, schema.envelope.c.content))
        return {row.id: codec.decode(row.content) for row in rows}


def _ranks(url: str) -> dict[str, int]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(schema.external.c.external_id, schema.external.c.rank))
        return {row.external_id: row.rank for row in rows}
