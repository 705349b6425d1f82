"""Conducts one run: starts everything, kills the gateway so often, lets the rest be finished, stops, and audits.

A life of the gateway ends in one of three ways, drawn for each: killed while it starts, killed under load, or stopped
with SIGTERM, which drains (and sometimes is killed while it does).
"""

from __future__ import annotations

import random
import time

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from gateway.store.schema import FINAL, WAITING, command, intake
from tests.chaos import process
from tests.chaos.audit import Findings, audit
from tests.chaos.journal import Journal, Progress
from tests.chaos.plan import Plan
from tests.chaos.process import Process

STARTING, DRAINED = 0.15, 0.06
"""Share of lives that end before they can serve, and by SIGTERM."""
LIFE_S = {"sqlite": 2.0, "postgresql": 5.0}
"""Longest life under load. On PostgreSQL the leases of the life before must lapse first."""
POLL_S = 0.25


class Lives(Struct):
    """What was done to the gateway."""

    starts: int = 0
    kills: int = 0
    killed_starting: int = 0
    drains: int = 0
    killed_draining: int = 0
    longest_start_s: float = 0.0
    settled_s: float = 0.0
    seconds: float = 0.0
    wrong: list[str] = []


class Failed(Exception):
    """The run itself could not be carried out."""


class Conductor:
    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.random = random.Random(plan.seed)
        self.lives = Lives(wrong=[])
        self.started = time.monotonic()

    @property
    def late(self) -> bool:
        return time.monotonic() - self.started > self.plan.limit_s

    def run(self) -> tuple[Lives, Journal, Findings]:
        self.plan.save()
        process.configure(self.plan)
        with process.meta(self.plan) as meta:
            if process.until_ready(meta, f"{self.plan.meta_url}/progress") is None:
                raise Failed(f"the simulated provider does not start:\n{meta.tail()}")
            while self.lives.kills < self.plan.kills and not self.late and not self.lives.wrong:
                self._life()
            self._last_life(meta)
        self.lives.seconds = time.monotonic() - self.started
        journal = msgspec.json.decode(self.plan.journal.read_bytes(), type=Journal)
        return self.lives, journal, audit(self.plan, journal)

    # --- lives ----------------------------------------------------------------------------------------------------

    def _life(self) -> None:
        with self._start() as gateway:
            if self.random.random() < STARTING:
                time.sleep(self.random.uniform(0, max(0.3, self.lives.longest_start_s * 0.7)))
                self.lives.killed_starting += 1
                self._kill(gateway)
                return
            self._until_ready(gateway)
            time.sleep(self.random.uniform(0, LIFE_S[self.plan.database]))
            if gateway.ended is not None:
                self.lives.wrong.append(f"the gateway ended by itself with {gateway.ended}:\n{gateway.tail()}")
            elif self.random.random() < DRAINED:
                self._drain(gateway)
            else:
                self._kill(gateway)

    def _start(self) -> Process:
        self.lives.starts += 1
        return process.gateway(self.plan)

    def _until_ready(self, gateway: Process) -> None:
        took = process.until_ready(gateway, f"{self.plan.gateway_url}/readyz")
        if took is None:
            self.lives.wrong.append(f"the gateway does not start ({gateway.ended}):\n{gateway.tail()}")
        else:
            self.lives.longest_start_s = max(self.lives.longest_start_s, took)

    def _kill(self, gateway: Process) -> None:
        gateway.kill()
        self.lives.kills += 1

    def _drain(self, gateway: Process) -> None:
        gateway.terminate()
        self.lives.drains += 1
        if self.random.random() < 0.4:
            time.sleep(self.random.uniform(0, 0.3))
            self.lives.killed_draining += 1
            self._kill(gateway)
            return
        code = gateway.wait(process.STOP_LIMIT_S)
        if code != 0:
            self.lives.wrong.append(f"a drain ended with {code}:\n{gateway.tail()}")

    # --- the end --------------------------------------------------------------------------------------------------

    def _last_life(self, meta: Process) -> None:
        with self._start() as gateway:
            self._until_ready(gateway)
            while self._progress(meta).acked < self.plan.messages and not self.late and gateway.ended is None:
                time.sleep(POLL_S)
            process.ask(f"{self.plan.meta_url}/stop", "POST")
            self._settle(meta, gateway)
            process.ask(f"{self.plan.meta_url}/end", "POST")
            gateway.terminate()
            if gateway.wait(process.STOP_LIMIT_S) != 0:
                self.lives.wrong.append(f"the last stop ended with {gateway.ended}:\n{gateway.tail()}")

    def _settle(self, meta: Process, gateway: Process) -> None:
        """Until everything is acknowledged and the rooms have nothing to do, twice in a row."""
        began, calm = time.monotonic(), 0
        engine = sa.create_engine(self.plan.url, poolclass=sa.NullPool)
        while calm < 2 and time.monotonic() - began < self.plan.settle_s and gateway.ended is None:
            time.sleep(POLL_S)
            busy = self._progress(meta).waiting + _open(engine)
            calm = 0 if busy else calm + 1
        self.lives.settled_s = time.monotonic() - began
        if gateway.ended is not None:
            self.lives.wrong.append(f"the gateway ended by itself with {gateway.ended}:\n{gateway.tail()}")

    def _progress(self, meta: Process) -> Progress:
        found = process.ask(f"{self.plan.meta_url}/progress")
        if found is None:
            raise Failed(f"the simulated provider has stopped ({meta.ended}):\n{meta.tail()}")
        return msgspec.json.decode(found, type=Progress)


def _open(engine: sa.Engine) -> int:
    """Rows that a room still has to do something about."""
    with engine.connect() as connection:
        waiting = connection.execute(sa.select(sa.func.count()).where(intake.c.state == WAITING)).scalar_one()
        active = connection.execute(sa.select(sa.func.count()).where(command.c.state < FINAL)).scalar_one()
    return int(waiting) + int(active)
