"""The program whose power is cut: the real store, with rooms 1 and 2 at work, and a checkpointer that has much to do.

    python -m tests.powercut.workload DATA_DIR SEED [PRAGMA]

It notes in `acks` what was acknowledged: `r ID` a row of room 1, `p ID` what room 2 made of it. A PRAGMA is given to
every connection after the store has prepared it. It ends like a killed program: nothing is closed.
"""

from __future__ import annotations

import asyncio
import os
import sys
from functools import partial
from pathlib import Path
from random import Random

import sqlalchemy as sa

from gateway.clock import Clock
from gateway.store import intake, outbox, threads
from gateway.store.intake import Claimed
from gateway.store.store import Checkpointer, Store, open_store
from gateway.store.tx import Tx
from tests.store.rows import envelope_row, intake_row, new_command

DATABASE = "gateway.db"
CLIENTS, BURSTS, CALLS = 12, 4, 4
"""Room 1's callers, and how often each of them calls in each burst."""


class Acks:
    def __init__(self, data_dir: Path) -> None:
        self._file = os.open(data_dir / "acks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(self, kind: str, *ids: int) -> None:
        os.write(self._file, "".join(f"{kind} {id}\n" for id in ids).encode())


async def client(store: Store, acks: Acks, random: Random, number: int, burst: int) -> None:
    for call in range(burst * CALLS, (burst + 1) * CALLS):
        first = (call * CLIENTS + number) * 4 + 1
        ids = range(first, first + random.choice((1, 1, 1, 3)))
        size = random.choice((50, 800, 6_000))
        await store.receive([intake_row(id, f"lane-{number}", random.randbytes(size)) for id in ids])
        acks.say("r", *ids)


def process(tx: Tx, rows: list[Claimed]) -> None:
    threads.add_envelopes(tx, [envelope_row(f"e{row.id}", seq=row.id, content=row.raw) for row in rows])
    outbox.add(tx, [new_command(row.id, leg=f"l{row.id}") for row in rows])
    intake.finish(tx, [(row.id, row.epoch) for row in rows])


async def room_2(store: Store, acks: Acks, clients: asyncio.Future[list[None]]) -> None:
    while True:
        last = clients.done()
        rows = await store.write(partial(intake.claim, owner="here", upto=1 << 62, lease_ms=60_000, most=7))
        if rows:
            await store.write(partial(process, rows=rows))
            acks.say("p", *(row.id for row in rows))
        elif last:
            return
        await store.read(intake.depth)


def checkpoint(store: Store) -> None:
    """All of the WAL is in the database, so that the next write begins it anew; also where the checkpointer is slow."""
    with store.engine.connect() as connection:
        pragma = connection.connection.cursor()
        while True:
            busy, pages, moved = pragma.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if not busy and pages == moved:
                return


async def run(data_dir: Path, seed: int, pragma: str | None) -> None:
    # As in production, but so often that a short run has many checkpoints and begins its WAL anew.
    Checkpointer.PAUSE_S, Checkpointer.LIMIT_PAGES = 0.01, 150
    store = open_store(f"sqlite:///{data_dir / DATABASE}", Clock(), data_dir=data_dir, write_timeout_ms=60_000)
    if pragma is not None:
        sa.event.listen(store.engine, "connect", lambda connection, _: connection.execute(pragma))
    acks, random = Acks(data_dir), Random(seed)
    for burst in range(BURSTS):
        clients = asyncio.gather(*(client(store, acks, random, number, burst) for number in range(CLIENTS)))
        await room_2(store, acks, clients)
        await clients
        await asyncio.to_thread(checkpoint, store)


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
    os._exit(0)
