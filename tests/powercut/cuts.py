"""One recorded run, cut at many moments; each state that is found is judged with the real store."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store.migrate import upgrade
from gateway.store.store import Store, StoreUnavailable, open_store, sqlite_engine
from tests.powercut.disk import Disk
from tests.powercut.trace import Record, SyncEnded, Written, record
from tests.powercut.workload import DATABASE
from tests.store.rows import intake_row

ACKS = "acks"
WAL, MEMORY = f"{DATABASE}-wal", f"{DATABASE}-shm"


@dataclass
class Run:
    """A trace, and the files before and after it."""

    records: list[Record]
    before: dict[str, bytes]
    after: dict[str, bytes]

    def count(self) -> Counter[str]:
        """Syncs of each file."""
        return Counter(one.file for one in self.records if isinstance(one, SyncEnded))


@dataclass
class Verdict:
    cuts: int = 0
    acknowledged: int = 0
    """Rows, summed over all cuts."""
    lost: int = 0
    losing_cuts: int = 0
    broken: list[str] = field(default_factory=list)
    """Anything else that is wrong: a database that does not open, half of a transaction."""

    def __str__(self) -> str:
        looked_for = f"{self.cuts} cuts, {self.acknowledged} acknowledged rows looked for"
        return f"{looked_for}, {self.lost} lost in {self.losing_cuts} cuts" + "".join(
            f"\n  {one}" for one in self.broken[:10]
        )


def run_workload(library: Path, seed: int, pragma: str | None = None) -> Run:
    folder = Path(tempfile.mkdtemp(prefix="throughline-powercut-"))
    try:
        data_dir = folder / "data"
        data_dir.mkdir()
        engine = sqlite_engine(f"sqlite:///{data_dir / DATABASE}")
        upgrade(engine)
        engine.dispose()
        before = _files(data_dir)
        command = [
            sys.executable,
            "-m",
            "tests.powercut.workload",
            str(data_dir),
            str(seed),
            *([pragma] if pragma else []),
        ]
        records = record(library, data_dir, folder / "log", command)
        return Run(records, before, _files(data_dir))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _files(data_dir: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data_dir.iterdir() if path.name != MEMORY}


def judge(run: Run, cuts: int, seed: int) -> Verdict:
    """Half of the cuts come right after an acknowledgement, the others anywhere."""
    random, verdict = Random(seed), Verdict()
    after_acks = [place for place, one in enumerate(run.records, 1) if isinstance(one, Written) and one.file == ACKS]
    places = random.choices(after_acks, k=cuts // 2)
    places += [random.randint(0, len(run.records)) for _ in range(cuts - len(places))]
    disk, acks, taken = Disk(run.before), b"", 0
    for place in sorted(places):
        for one in run.records[taken:place]:
            disk.take(one)
            if isinstance(one, Written) and one.file == ACKS:
                acks += one.data
        taken = place
        _judge_one(disk.after_power_cut(random), acks.decode(), place, verdict)
    return verdict


def _judge_one(files: dict[str, bytes], acks: str, place: int, verdict: Verdict) -> None:
    lines = [line.split() for line in acks.splitlines()]
    received = {int(id) for kind, id in lines if kind == "r"}
    processed = {int(id) for kind, id in lines if kind == "p"}
    verdict.cuts += 1
    verdict.acknowledged += len(received) + len(processed)
    with tempfile.TemporaryDirectory(prefix="throughline-cut-") as folder:
        for name in (DATABASE, WAL):
            if name in files:
                (Path(folder) / name).write_bytes(files[name])
        try:
            waiting, envelopes, commands = _open(Path(folder))
        except (sa.exc.DBAPIError, StoreUnavailable, AssertionError) as error:
            verdict.broken.append(f"cut at {place}: {error}")
            return
    lost = len(received - waiting - envelopes) + len(processed - envelopes)
    verdict.lost += lost
    verdict.losing_cuts += lost > 0
    if envelopes != commands or envelopes & waiting:
        verdict.broken.append(f"cut at {place}: half of a transaction")


def _open(folder: Path) -> tuple[set[int], set[int], set[int]]:
    """Intake, envelopes and commands, by number, as the store finds them; and it goes on from there."""
    store = open_store(f"sqlite:///{folder / DATABASE}", Clock(), data_dir=folder, readers=1, write_timeout_ms=30_000)
    try:
        found = _ids(store, "id", "intake"), _ids(store, "seq", "envelope"), _ids(store, "n", "command")
        check = _all(store, "PRAGMA integrity_check")
        assert check == ["ok"], check
        asyncio.run(_receive(store))
        assert 1 << 40 in _ids(store, "id", "intake")
        return found
    finally:
        store.close_now()


async def _receive(store: Store) -> None:
    await store.receive([intake_row(1 << 40)])


def _ids(store: Store, column: str, table: str) -> set[int]:
    return set(_all(store, f"SELECT {column} FROM {table}"))


def _all(store: Store, query: str) -> list[Any]:
    with store.engine.connect() as connection:
        connection.execution_options(deferred=True)
        return [row[0] for row in connection.exec_driver_sql(query)]
