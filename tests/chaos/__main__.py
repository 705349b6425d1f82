"""The whole run: `python -m tests.chaos`. Ends with 1 if any promise was broken.

Without `--database`: SQLite with at least 100 kills and 30,000 messages, then PostgreSQL with at least 20 kills, then
each of the other channels with 20 kills (`python -m tests.chaos.channels`).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import servers
from tests.chaos.audit import Findings, Seen
from tests.chaos.channels import __main__ as channels
from tests.chaos.channels.lines import LINES
from tests.chaos.plan import Database, Plan
from tests.chaos.run import Conductor, Lives

DEFAULTS: dict[Database, tuple[int, int]] = {"sqlite": (100, 30_000), "postgresql": (20, 6_000)}
"""Kills and messages."""
EXAMPLES = 10


@contextmanager
def store_url(database: Database, folder: Path) -> Iterator[str]:
    """A fresh database. PostgreSQL does not fsync here: the process is killed, the machine is not."""
    if database == "sqlite":
        yield f"sqlite:///{folder}/data/throughline.db"
        return
    with servers.postgres_server(durable=False) as server, server.database() as url:
        yield url


def plan_for(
    database: Database,
    url: str,
    folder: Path,
    *,
    kills: int,
    messages: int,
    seed: int,
    per_second: float = 120,
    faults: float = 0.05,
    customers: int = 200,
    visitors: int = 12,
) -> Plan:
    return Plan(
        folder=str(folder),
        database=database,
        url=url,
        gateway_port=servers.free_port(),
        meta_port=servers.free_port(),
        widgets_port=servers.free_port(),
        kills=kills,
        messages=messages,
        visitors=visitors,
        customers=customers,
        per_second=per_second,
        faults=faults,
        seed=seed,
        settle_s=240,
        limit_s=120 + kills * 25 + messages / 25,
    )


def figures(lives: Lives, seen: Seen, found: Findings) -> list[tuple[str, str]]:
    journal, visits = seen.journal, seen.visits
    counts, written = journal.counts, journal.written
    acked = sum(one.acked_at is not None for one in written)
    lost = found.count("lost", "receipt lost", "not answered", "said to be sent, never accepted", "not processed")
    doubled = found.count("stored twice", "receipt stored twice", "doubled", "sent more than twice", "answered twice")
    return [
        ("kills", f"{lives.kills} ({lives.killed_starting} while starting, {lives.killed_draining} while draining)"),
        ("restarts", f"{lives.starts - 1} ({lives.drains} drains begun)"),
        ("messages written", f"{len(written)}"),
        ("  acknowledged", f"{acked}"),
        ("  stored", f"{found.stored}"),
        ("requests", f"{counts.posts} ({counts.redelivered} repeated, {counts.duplicates} again after a 200)"),
        ("  answered otherwise", ", ".join(f"{code}: {n}" for code, n in sorted(counts.refused.items())) or "none"),
        ("answers", f"{found.answers}"),
        ("  sends accepted", f"{len(journal.accepted)}"),
        ("  provider's faults", ", ".join(f"{name}: {n}" for name, n in sorted(counts.faults.items())) or "none"),
        ("  repeated after a doubt", f"{found.doubts}, of them out twice {found.repeated}"),
        ("  parked for a person", f"{found.parked}"),
        ("statuses", f"{len(journal.told)}"),
        ("visitors' messages", f"{sum(len(one.texts) for one in visits)}"),
        ("  acknowledged", f"{sum(len(one.acked) for one in visits)}"),
        ("  stored", f"{found.visited}"),
        ("  sockets opened again", f"{sum(one.reconnects for one in visits)}"),
        ("lost", f"{lost}"),
        ("doubled", f"{doubled}"),
        ("out of order", f"{found.count('out of order', 'sent out of order', 'wrongly numbered')}"),
        ("stuck", f"{found.count('stuck in sending', 'not finished', 'still parked', 'holder')}"),
        ("dead", f"{found.count('dead')}"),
        ("longest start, drain", f"{lives.longest_start_s:.1f} s, {lives.longest_drain_s:.1f} s"),
        ("settled after", f"{lives.settled_s:.1f} s of quiet; the run took {lives.seconds:.0f} s"),
    ]  # fmt: skip


def tell(title: str, lives: Lives, seen: Seen, found: Findings) -> bool:
    """Prints the table. True: nothing is wrong."""
    print(f"== {title}")
    for name, value in figures(lives, seen, found):
        print(f"{name:26} {value}")
    for what, ids in found.wrong.items():
        more = f" and {len(ids) - EXAMPLES} more" if len(ids) > EXAMPLES else ""
        print(f"WRONG  {what}: {len(ids)}: {', '.join(ids[:EXAMPLES])}{more}")
    for text in lives.wrong:
        print(f"WRONG  {text}")
    return not found.wrong and not lives.wrong


def run(database: Database, kills: int, messages: int, seed: int, keep: Path | None) -> bool:
    with tempfile.TemporaryDirectory(prefix="throughline-chaos-") as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with store_url(database, folder) as url:
            plan = plan_for(database, url, folder, kills=kills, messages=messages, seed=seed)
            return tell(f"{database}, seed {seed}", *Conductor(plan).run())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql"])
    parser.add_argument("--kills", type=int)
    parser.add_argument("--messages", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder to keep logs, journals and the SQLite file in")
    chosen = parser.parse_args()
    databases: list[Database] = [chosen.database] if chosen.database else ["sqlite", "postgresql"]
    fine = True
    for database in databases:
        kills, messages = DEFAULTS[database]
        kills, messages = chosen.kills or kills, chosen.messages or messages
        fine = run(database, kills, messages, chosen.seed, chosen.keep and chosen.keep / database) and fine
    if not chosen.database:
        fine = channels.run(sorted(LINES), chosen.kills or channels.KILLS, chosen.seed, chosen.keep) and fine
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
