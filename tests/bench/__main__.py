"""`python -m tests.bench`: measures, prints, and writes docs/benchmarks.md.

Rule: ratios within a round, medians over rounds; absolute times say something about this machine only.
Rule: one configuration for all figures; nothing is switched on or off for a measurement. Bounded, ends by itself.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import uvloop
from msgspec import Struct
from msgspec.structs import replace

from tests.bench import wire
from tests.bench.database import Counts, Database
from tests.bench.graph import Graph
from tests.bench.load import Connection, Load, closed_loop, connect, open_loop
from tests.bench.page import write_page
from tests.bench.servers import LOAD_CORE, bare, cpu_s, gateway, rss_bytes
from tests.bench.sockets import open_idle
from tests.servers import postgres_server

DRAIN_S = 120
DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "benchmarks.md"


class Round(Struct, frozen=True):
    bare: Load
    acked: Load
    processed_per_s: float
    left_at_ack: Counts
    left_at_end: Counts
    bare_cpu_us: float
    cpu_us: float
    """CPU of the gateway's process for one message, all rooms included."""

    @property
    def acked_ratio(self) -> float:
        return self.acked.rate / self.bare.rate

    @property
    def processed_ratio(self) -> float:
        return self.processed_per_s / self.bare.rate


class Figures(Struct, frozen=True):
    database: str
    rounds: list[Round]
    open_loop: Load | None = None
    open_rate: float = 0.0
    open_drained: bool = True
    echo_per_s: float = 0.0
    echo_missing: int = 0
    echo_count: int = 0
    batch: float = 0.0
    """Rows in one commit of room 1, on average."""


async def drained(database: Database, inbound: int) -> Counts:
    """Until everything is processed and performed; what is left when the time is up is part of the result."""
    until = time.monotonic() + DRAIN_S
    while True:
        counts = database.counts()
        if (counts.drained and counts.inbound >= inbound) or time.monotonic() > until:
            return counts
        await asyncio.sleep(0.02)


async def one_round(
    number: int, count: int, ours: tuple[int, int], theirs: tuple[int, int], database: Database
) -> Round:
    requests = list(wire.requests("/hooks/wa", f"R{number}x{os.getpid()}x", count))
    began_bare = cpu_s(theirs[0])
    plain = await closed_loop(theirs[1], requests)
    bare_cpu = cpu_s(theirs[0]) - began_bare
    before, began_cpu = database.counts().inbound, cpu_s(ours[0])
    began = time.perf_counter()
    acked = await closed_loop(ours[1], requests)
    at_ack = database.counts()
    at_end = await drained(database, before + count)
    seconds = time.perf_counter() - began
    return Round(
        bare=plain,
        acked=acked,
        processed_per_s=(at_end.inbound - before) / seconds,
        left_at_ack=at_ack,
        left_at_end=at_end,
        bare_cpu_us=bare_cpu / count * 1e6,
        cpu_us=(cpu_s(ours[0]) - began_cpu) / count * 1e6,
    )


async def inbound(name: str, folder: Path, url: str | None, options: argparse.Namespace) -> Figures:
    with bare() as theirs, gateway(folder, url) as ours:
        database = Database(folder, url)
        rounds = [
            await one_round(number, options.count, ours, theirs, database) for number in range(options.rounds + 1)
        ]
        rounds = rounds[1:]  # the first one warms up: statements are compiled, caches filled
        total = int(options.open_rate * options.open_s)
        requests = list(wire.requests("/hooks/wa", f"O{os.getpid()}x", total))
        before = database.counts().inbound
        steady = await open_loop(ours[1], requests, options.open_rate)
        left = await drained(database, before + total)
        batch = await _batch(ours[1])
        database.close()
    return Figures(database=name, rounds=rounds, open_loop=steady, open_rate=options.open_rate,
                   open_drained=left.drained and left.inbound >= before + total, batch=batch)  # fmt: skip


async def _batch(port: int) -> float:
    """From /metrics: rows over commits of room 1."""
    (http,) = await connect(port, 1)
    await http.exchange(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    values = {}
    for line in http.answer.decode().splitlines():
        for kind in ("sum", "count"):
            if line.startswith(f'throughline_batch_size_{kind}{{room="receive"}}'):
                values[kind] = float(line.rpartition(" ")[2])
    return values.get("sum", 0.0) / max(values.get("count", 0.0), 1.0)


async def echo(folder: Path, url: str | None, count: int, customers: int) -> tuple[float, int]:
    """(messages/s, missing): each customer writes again when the answer to the message before has come."""
    waiting: dict[str, deque[str]] = {}
    answered = asyncio.Event()
    free: asyncio.Queue[str] = asyncio.Queue()
    seen, began = 0, time.perf_counter()

    def sent(recipient: str, text: str) -> None:
        nonlocal seen
        expected = waiting.get(recipient)
        if expected and expected[0] in text:
            expected.popleft()
            seen += 1
            free.put_nowait(recipient)
            if seen == count:
                answered.set()

    server, port = await Graph(sent).start()
    try:
        with gateway(folder, url, engine="echo", graph_port=port) as ours:
            connections = await connect(ours[1], 32)
            idle: asyncio.Queue[Connection] = asyncio.Queue()
            for connection in connections:
                idle.put_nowait(connection)
            for number in range(customers):
                customer = f"4915{number % wire.CUSTOMERS:09d}"
                waiting[customer] = deque()
                free.put_nowait(customer)
            began = time.perf_counter()
            tasks = []
            for number in range(count):
                customer = await asyncio.wait_for(free.get(), DRAIN_S)
                text = f"echo number {number:07d}"
                waiting[customer].append(text)
                body = wire.delivery(f"E{os.getpid()}x{number}x", int(customer[4:]), text)
                connection = await idle.get()

                async def post(connection: Connection, body: bytes) -> None:
                    await connection.exchange(wire.request("/hooks/wa", body))
                    idle.put_nowait(connection)

                tasks.append(asyncio.create_task(post(connection, body)))
            await asyncio.wait_for(answered.wait(), DRAIN_S)
            seconds = time.perf_counter() - began
            await asyncio.gather(*tasks)
    except TimeoutError:
        seconds = time.perf_counter() - began
    finally:
        server.close()
    return seen / seconds, count - seen


async def idle_kib(folder: Path, count: int) -> float:
    """Resident memory for one idle widget socket."""
    with gateway(folder, None) as ours:
        warm = await open_idle(ours[1], 200)
        before = rss_bytes(ours[0])
        opened = await open_idle(ours[1], count)
        grown = rss_bytes(ours[0]) - before
        for one in (*warm, *opened):
            one.transport.close()
    return grown / count / 1024


def shown(figures: Figures) -> str:
    rows = figures.rounds
    acked = statistics.median(one.acked_ratio for one in rows)
    processed = statistics.median(one.processed_ratio for one in rows)
    refused = sum(one.acked.refused for one in rows)
    return (
        f"{figures.database}: acknowledged {acked:.2f} of bare, processed {processed:.2f} of bare, refused {refused}, "
        f"batch {figures.batch:.1f}, echo {figures.echo_per_s:.0f}/s ({figures.echo_missing} missing)"
    )


async def measure(options: argparse.Namespace, folder: Path) -> None:
    os.sched_setaffinity(0, {LOAD_CORE})
    found = [await inbound("SQLite", folder / "sqlite", None, options)]
    rate, missing = await echo(folder / "echo", None, options.echo, options.customers)
    found[0] = _with_echo(found[0], rate, missing, options.echo)
    sys.stdout.write(shown(found[0]) + "\n")
    if options.postgresql:
        with postgres_server() as server:
            with server.database() as url:
                second = await inbound("PostgreSQL", folder / "postgresql", url, options)
            with server.database() as url:
                rate, missing = await echo(folder / "echo-postgresql", url, options.echo // 2, options.customers)
            found.append(_with_echo(second, rate, missing, options.echo // 2))
            sys.stdout.write(shown(found[1]) + "\n")
    kib = await idle_kib(folder / "sockets", options.sockets)
    sys.stdout.write(f"idle widget socket: {kib:.1f} KiB\n")
    if options.write:
        write_page(DOCUMENT, found, kib, options)
        sys.stdout.write(f"wrote {DOCUMENT.name}\n")


def _with_echo(figures: Figures, rate: float, missing: int, count: int) -> Figures:
    return replace(figures, echo_per_s=rate, echo_missing=missing, echo_count=count)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--count", type=int, default=8_000, help="messages in a round")
    parser.add_argument("--open-rate", type=float, default=4_000, help="webhooks a second of the open loop")
    parser.add_argument("--open-s", type=float, default=4)
    parser.add_argument("--echo", type=int, default=6_000)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--sockets", type=int, default=5_000)
    parser.add_argument("--no-postgresql", dest="postgresql", action="store_false")
    parser.add_argument("--no-write", dest="write", action="store_false", help="leave docs/benchmarks.md as it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        uvloop.run(measure(options, Path(folder)))


if __name__ == "__main__":
    main()
