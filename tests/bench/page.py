"""docs/benchmarks.md, from what was measured."""

import argparse
import platform
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.load import percentile

if TYPE_CHECKING:
    from tests.bench.__main__ import Figures

HEAD = """# Benchmarks

Written by `make bench`. The gateway is `throughline serve` as it ships (lines at `info`, metrics on), pinned to one
core with all its threads; the load generator is another process on the other core. *Bare* is an aiohttp handler on
uvloop that reads the body and answers 200, pinned to the same core, measured in the same rounds with the same
requests: signed WhatsApp deliveries of one message each, from {customers} customers, 64 connections, one request in
flight on each. The first round of room 2 meets them as new customers. Figures are medians over {rounds} interleaved
rounds of {count} messages, after one to warm up.

Absolute numbers say something about one machine ({machine}, Python {python}); the ratios travel better.
"""

TABLE = """
## {database}

| figure | measured | floor | aim |
|---|---|---|---|
| (a) verified, decoded, durable, acknowledged, of bare | {acked:.2f} | 0.50 | 0.58 |
| (b) the full pipeline, outbox included, processed, of bare | {processed:.2f} | 0.30 | 0.38 |
| (c) open loop at {open_rate:.0f} webhooks/s, answer p50 / p99 | {p50:.1f} / {p99:.1f} ms | reported | p99 <= 5 ms |
| (e) echo: message in, AI answer out over the provider's API | {echo:.0f} messages/s, {missing} missing | report | |

- bare {bare:.0f}/s; acknowledged {acked_rate:.0f}/s; processed {processed_rate:.0f}/s
- CPU of the gateway's process for one message, all rooms: {cpu:.0f} us, of the bare handler: {bare_cpu:.0f} us
- refused requests: {refused}; rows in one commit of room 1: {batch:.1f}
- at the end of the load {left:.0f} rows waited for room 2 (median); at the end of the round {end}
- (c) reached {reached:.0f} webhooks/s; {drained}
"""

FOOT = """
## Idle widget sockets

(d) {sockets} sockets, each with a session and its replay done: **{kib:.1f} KiB** of resident memory each (floor 24,
aim 16).

## What the profile says

Per message the process spends about as much on the loop's thread as on the writer's. On the loop: aiohttp's own
request handling (about a quarter of it), reading the delivery into envelopes, the claim and the rooms' lines. On the
writer: the statements of room 2 (about twelve for a batch, seven of them writing a row for each message, about half of
the writer's time), the decisions between them, and the commits; each message dirties six to seven pages of random keys
(dedupe, provider's id, envelope, place in the conversation, leg, conversation), and SQLite writes each with two calls.
Fewer secondary indexes and ids that grow with time are what would help next. The (b) figure includes performing one
command for each message (somebody who waits is told), and three lines.
"""


def write_page(path: Path, found: "list[Figures]", kib: float, options: argparse.Namespace) -> None:
    text = HEAD.format(customers=2_000, rounds=options.rounds, count=options.count, machine=platform.machine(),
                       python=platform.python_version())  # fmt: skip
    text += "".join(table(figures) for figures in found)
    path.write_text(text + FOOT.format(sockets=options.sockets, kib=kib), encoding="utf-8")


def table(figures: "Figures") -> str:
    rows, median = figures.rounds, statistics.median
    steady = figures.open_loop
    assert steady is not None
    whole = all(one.left_at_end.drained for one in rows)
    return TABLE.format(
        database=figures.database,
        acked=median(one.acked_ratio for one in rows),
        processed=median(one.processed_ratio for one in rows),
        open_rate=figures.open_rate,
        p50=percentile(steady.latencies_ms, 0.5),
        p99=percentile(steady.latencies_ms, 0.99),
        reached=steady.rate,
        drained="all of it was processed afterwards" if figures.open_drained else "NOT all of it was processed",
        echo=figures.echo_per_s,
        missing=figures.echo_missing,
        bare=median(one.bare.rate for one in rows),
        acked_rate=median(one.acked.rate for one in rows),
        processed_rate=median(one.processed_per_s for one in rows),
        cpu=median(one.cpu_us for one in rows),
        bare_cpu=median(one.bare_cpu_us for one in rows),
        refused=sum(one.acked.refused for one in rows) + steady.refused,
        batch=figures.batch,
        left=median(one.left_at_ack.waiting for one in rows),
        end="everything was processed and performed" if whole else "NOT everything was processed",
    )
