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
from tests.chaos.audit import Findings, Seen, audit, read
from tests.chaos.journal import Progress
from tests.chaos.plan import Plan
from tests.chaos.process import Process

STARTING, DRAINED = 0.15, 0.06
"""Share of lives that end before they can serve, and by SIGTERM."""
POLL_S, LOOK_S = 0.25, 0.03
WORK = 1.5
"""What a message makes of work on the average: it is received, and every other one is answered by itself."""
LIFE_LIMIT_S = 20.0


class Lives(Struct):
    """What was done to the gateway."""

    starts: int = 0
    kills: int = 0
    killed_starting: int = 0
    drains: int = 0
    killed_draining: int = 0
    longest_start_s: float = 0.0
    longest_drain_s: float = 0.0
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
        self.outside: dict[str, Process] = {}
        """The simulators, by their control addresses."""

    @property
    def late(self) -> bool:
        return time.monotonic() - self.started > self.plan.limit_s

    def run(self) -> tuple[Lives, Seen, Findings]:
        self.plan.save()
        process.configure(self.plan)
        with process.meta(self.plan) as meta, process.widgets(self.plan) as widgets:
            self.outside = {self.plan.meta_url: meta, self.plan.widgets_url: widgets}
            for url, simulator in self.outside.items():
                if process.until_ready(simulator, f"{url}/progress") is None:
                    raise Failed(f"a simulator does not start:\n{simulator.tail()}")
            while self.lives.kills < self.plan.kills and not self.late and not self.lives.wrong:
                self._life()
            self._last_life()
        self.lives.seconds = time.monotonic() - self.started
        seen = read(self.plan)
        return self.lives, seen, audit(self.plan, seen)

    # --- lives ----------------------------------------------------------------------------------------------------

    def _life(self) -> None:
        with self._start() as gateway:
            if self.random.random() < STARTING:
                time.sleep(self.random.uniform(0, max(0.3, self.lives.longest_start_s * 0.7)))
                self.lives.killed_starting += 1
                self._kill(gateway)
                return
            self._until_ready(gateway)
            self._until_worked(gateway)
            if gateway.ended is not None:
                self.lives.wrong.append(f"the gateway ended by itself with {gateway.ended}:\n{gateway.tail()}")
            elif self.random.random() < DRAINED:
                self._drain(gateway)
            else:
                self._kill(gateway)

    def _until_worked(self, gateway: Process) -> None:
        """A life is as long as its work, however slow the machine: so much is received and sent in it, then the end
        comes at any moment."""
        limit = time.monotonic() + LIFE_LIMIT_S
        goal = self._worked() + self.random.uniform(0, 2 * WORK * self.plan.messages / self.plan.kills)
        while gateway.ended is None and self._worked() < goal and time.monotonic() < limit:
            time.sleep(LOOK_S)
        time.sleep(self.random.uniform(0, 2 * LOOK_S))

    def _worked(self) -> int:
        progress = self._progress(self.plan.meta_url)
        return progress.acked + progress.accepted

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
        self._drained(gateway)

    def _drained(self, gateway: Process) -> None:
        began = time.monotonic()
        code = gateway.wait(process.STOP_LIMIT_S)
        self.lives.longest_drain_s = max(self.lives.longest_drain_s, time.monotonic() - began)
        if code != 0:
            self.lives.wrong.append(f"a drain ended with {code}:\n{gateway.tail()}")

    # --- the end --------------------------------------------------------------------------------------------------

    def _last_life(self) -> None:
        with self._start() as gateway:
            self._until_ready(gateway)
            while self._progress(self.plan.meta_url).acked < self.plan.messages and not self.late:
                time.sleep(POLL_S)
                if gateway.ended is not None:
                    break
            self._tell("stop")
            self._settle(gateway)
            self._tell("end")
            gateway.terminate()
            self._drained(gateway)

    def _settle(self, gateway: Process) -> None:
        """Until everything is acknowledged and the rooms have nothing to do, twice in a row."""
        began, calm = time.monotonic(), 0
        engine = sa.create_engine(self.plan.url, poolclass=sa.NullPool)
        while calm < 2 and time.monotonic() - began < self.plan.settle_s and gateway.ended is None:
            time.sleep(POLL_S)
            busy = sum(self._progress(url).waiting for url in self.outside) + _open(engine)
            calm = 0 if busy else calm + 1
        self.lives.settled_s = time.monotonic() - began
        if gateway.ended is not None:
            self.lives.wrong.append(f"the gateway ended by itself with {gateway.ended}:\n{gateway.tail()}")

    def _tell(self, what: str) -> None:
        for url in self.outside:
            process.ask(f"{url}/{what}", "POST")

    def _progress(self, url: str) -> Progress:
        found = process.ask(f"{url}/progress")
        if found is None:
            raise Failed(f"a simulator has stopped ({self.outside[url].ended}):\n{self.outside[url].tail()}")
        return msgspec.json.decode(found, type=Progress)


def _open(engine: sa.Engine) -> int:
    """Rows that a room still has to do something about."""
    with engine.connect() as connection:
        waiting = connection.execute(sa.select(sa.func.count()).where(intake.c.state == WAITING)).scalar_one()
        active = connection.execute(sa.select(sa.func.count()).where(command.c.state < FINAL)).scalar_one()
    return int(waiting) + int(active)
