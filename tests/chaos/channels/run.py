"""Conducts one run of one line: starts the gateway, kills it so often, lets the rest be finished, stops, and audits.

Rule: every wait ends by what it waits for or by a limit; only the gateway that was started here is ended here.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from msgspec import Struct

from gateway.store import schema
from tests import servers
from tests.chaos import process
from tests.chaos.channels.audit import Findings, audit
from tests.chaos.channels.crowd import Crowd
from tests.chaos.channels.line import Line, Open, Place, until
from tests.chaos.plan import KEY
from tests.chaos.process import Process
from tests.chaos.run import LIFE_LIMIT_S, STARTING, Lives

CALM_S = 0.5
SOURCES_S = 60.0
AFTER_S = 0.1
"""How long after its work a life goes on at most."""


class Plan(Struct, frozen=True, kw_only=True):
    """What a run does."""

    folder: Path
    kills: int
    seed: int
    work: int = 12
    """Messages said and answers heard in one life, on the average."""
    settle_s: float = 150.0
    """How long all that was said may take to be finished, once nobody says anything more."""
    limit_s: float = 900.0
    """The whole run up to then."""
    patient: bool = True
    """False: a send may be in doubt at the end, for that takes as long as its channel waits for an echo; and nothing
    happens whose end takes a minute."""

    @property
    def url(self) -> str:
        return f"sqlite:///{self.folder}/data/throughline.db"


class Outcome(Struct, frozen=True):
    line: Line
    lives: Lives
    found: Findings


def place_for(plan: Plan, gateway_port: int, *, trouble: bool) -> Place:
    return Place(
        gateway_url=f"http://127.0.0.1:{gateway_port}",
        port=servers.free_port(),
        random=random.Random(plan.seed),
        trouble=trouble,
        patient=plan.patient,
    )


def configure(plan: Plan, line: Line, place: Place, port: int) -> None:
    """JSON is YAML, too. What differs from the defaults lets a run wait less, or lets it call this machine."""
    tree: dict[str, dict[str, Any]] = {
        "server": {"port": port},
        "store": {"data_dir": str(plan.folder / "data"), "url": plan.url},
        "rooms": {"max_attempts": 10, "retry_max_ms": 4_000},
        "ai": {"engine": "echo"},
        "media": {"min_free_bytes": 0, "media_min_free_bytes": 0},
        "guard": {"allow_networks": ["127.0.0.0/8"], "allow_http": True, "allow_ports": [place.port]},
        "listen": {"retry_base_ms": 100, "retry_max_ms": 1_000},
        "log": {"level": "warning", "format": "json"},
    }
    for section, more in line.sections().items():
        tree.setdefault(section, {}).update(more)
    text = json.dumps({"key": KEY, **tree, "endpoints": line.endpoints()}, indent=1)
    plan.folder.mkdir(parents=True, exist_ok=True)
    (plan.folder / "gateway.yaml").write_text(text)


def conduct(plan: Plan, open_: Open) -> Outcome:
    """A run with kills and trouble."""
    port = servers.free_port()
    place = place_for(plan, port, trouble=True)
    line = open_(place)
    configure(plan, line, place, port)
    return asyncio.run(Conductor(plan, line, place).run())


class Conductor:
    def __init__(self, plan: Plan, line: Line, place: Place) -> None:
        self.plan, self.line, self.place = plan, line, place
        self.random = random.Random(plan.seed + 1)
        self.crowd = Crowd(line, place)
        self.lives = Lives(wrong=[])
        self.started = time.monotonic()

    @property
    def late(self) -> bool:
        return time.monotonic() - self.started > self.plan.limit_s

    async def run(self) -> Outcome:
        async with self.line.running():
            await self._install()
            people = asyncio.create_task(self.crowd.run())
            try:
                while self.lives.kills < self.plan.kills and not self.late and not self.lives.wrong:
                    await self._life()
                await self._last_life()
            finally:
                people.cancel()
                await asyncio.gather(people, return_exceptions=True)
        self.lives.seconds = time.monotonic() - self.started
        return Outcome(self.line, self.lives, audit(self.plan.url, self.line.record, patient=self.plan.patient))

    async def _install(self) -> None:
        """Nobody writes to what was never there."""
        async with started(self.plan, self.lives) as gateway:
            await until_ready(gateway, self.place, self.lives)
            await until_sources(self.plan, self.line)
            await stop(gateway, self.lives)

    # --- lives --------------------------------------------------------------------------------------------------------

    async def _life(self) -> None:
        async with started(self.plan, self.lives) as gateway:
            if self.random.random() < STARTING:
                await asyncio.sleep(self.random.uniform(0, max(0.3, self.lives.longest_start_s * 0.9)))
                self.lives.killed_starting += 1
            else:
                await until_ready(gateway, self.place, self.lives)
                await self._until_worked(gateway, self.random.uniform(0, 2 * self.plan.work))
                await asyncio.sleep(self.random.uniform(0, AFTER_S))
            if gateway.ended is not None:
                self.lives.wrong.append(f"the gateway ended by itself with {gateway.ended}:\n{gateway.tail()}")
            self.lives.kills += 1
            self.line.record.killed.append(time.monotonic())

    async def _until_worked(self, gateway: Process, work: float) -> None:
        """A life is as long as its work, however slow the machine is."""
        goal = self._worked() + work
        await until(lambda: gateway.ended is not None or self._worked() >= goal, LIFE_LIMIT_S)

    def _worked(self) -> int:
        return len(self.line.record.said) + len(self.line.record.heard)

    async def _last_life(self) -> None:
        async with started(self.plan, self.lives) as gateway:
            await until_ready(gateway, self.place, self.lives)
            await self._until_worked(gateway, self.plan.work)
            self.crowd.stop()
            self.line.calm()
            await self._settle(gateway)
            await stop(gateway, self.lives)

    async def _settle(self, gateway: Process) -> None:
        """Until nothing is on its way and nothing is missing or wrong, twice in a row."""
        began, calm = time.monotonic(), 0
        while calm < 2 and time.monotonic() - began < self.plan.settle_s and gateway.ended is None:
            await asyncio.sleep(CALM_S)
            busy = self.line.waiting or await asyncio.to_thread(self._unfinished)
            calm = 0 if busy else calm + 1
        self.lives.settled_s = time.monotonic() - began

    def _unfinished(self) -> bool:
        return bool(audit(self.plan.url, self.line.record, patient=self.plan.patient).wrong)


# --- one life ---------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def started(plan: Plan, lives: Lives) -> AsyncIterator[Process]:
    """A gateway, killed at the end whatever happens."""
    lives.starts += 1
    gateway = process.serve(plan.folder)  # on this thread: it ends with the one that started it
    try:
        yield gateway
    finally:
        await asyncio.to_thread(gateway.kill)


async def until_ready(gateway: Process, place: Place, lives: Lives) -> None:
    took = await asyncio.to_thread(process.until_ready, gateway, f"{place.gateway_url}/readyz")
    if took is None:
        lives.wrong.append(f"the gateway does not start ({gateway.ended}):\n{gateway.tail()}")
    else:
        lives.longest_start_s = max(lives.longest_start_s, took)


async def until_sources(plan: Plan, line: Line) -> None:
    """Until each has begun, so that it misses nothing from here on."""
    await until(lambda: _begun(plan.url) >= line.sources, SOURCES_S)


def _begun(url: str) -> int:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        begun = sa.select(sa.func.count()).select_from(schema.source).where(schema.source.c.cursor.is_not(None))
        return int(connection.execute(begun).scalar_one())


async def stop(gateway: Process, lives: Lives) -> None:
    """SIGTERM, which drains."""
    began = time.monotonic()
    if gateway.ended is None:
        gateway.terminate()
    code = await asyncio.to_thread(gateway.wait, process.STOP_LIMIT_S)
    lives.drains += 1
    lives.longest_drain_s = time.monotonic() - began
    if code != 0:
        lives.wrong.append(f"a drain ended with {code}:\n{gateway.tail()}")
