"""The whole runs: `python -m tests.chaos.channels`, or one with `--channel`. Ends with 1 if any promise was broken."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.channels.every import Played, play
from tests.chaos.channels.lines import LINES
from tests.chaos.channels.run import Outcome, Plan, conduct

KILLS = 20
EXAMPLES = 10
LOST = ("lost", "answer lost", "not answered", "not processed")
DOUBLED = ("stored twice", "doubled", "answered twice", "heard more than twice", "sent by two commands")
STUCK = ("stuck in sending", "not finished", "still parked", "holder")


def figures(outcome: Outcome) -> list[tuple[str, str]]:
    lives, found, record = outcome.lives, outcome.found, outcome.line.record
    return [
        ("kills", f"{lives.kills} ({lives.killed_starting} while starting)"),
        ("messages said", f"{len(record.said)}"),
        ("  taken at once", f"{sum(said.acked_at is not None for said in record.said)}"),
        ("  stored", f"{found.stored} ({found.missing} never taken, and kept by nobody)"),
        ("answers", f"{found.answers}, and {found.together} messages answered with the next"),
        ("  heard", f"{len(record.heard)}, {found.forgotten} right before a kill and not recorded"),
        ("  sent again after a doubt", f"{found.doubts}, of them out twice {found.repeated}"),
        ("  parked for a person", f"{found.parked}"),
        ("receipts taken", f"{sum(len(one.told) for one in record.heard)}"),
        *((f"  {name}", f"{count}") for name, count in sorted(record.counts.items())),
        ("lost", f"{found.count(*LOST)}"),
        ("doubled", f"{found.count(*DOUBLED)}"),
        ("out of order", f"{found.count('out of order', 'wrongly numbered', 'in several conversations')}"),
        ("stuck", f"{found.count(*STUCK)}"),
        ("dead", f"{found.count('dead')}"),
        ("longest start, drain", f"{lives.longest_start_s:.1f} s, {lives.longest_drain_s:.1f} s"),
        ("settled after", f"{lives.settled_s:.1f} s of quiet; the run took {lives.seconds:.0f} s"),
    ]  # fmt: skip


def tell(title: str, outcome: Outcome) -> bool:
    """Prints the table. True: nothing is wrong."""
    print(f"== {title}")
    for name, value in figures(outcome):
        print(f"{name:40} {value}")
    for what, ids in outcome.found.wrong.items():
        more = f" and {len(ids) - EXAMPLES} more" if len(ids) > EXAMPLES else ""
        print(f"WRONG  {what}: {len(ids)}: {', '.join(ids[:EXAMPLES])}{more}")
    for text in outcome.lives.wrong:
        print(f"WRONG  {text}")
    return not outcome.found.wrong and not outcome.lives.wrong


def tell_every(title: str, played: Played) -> bool:
    print(f"== {title}: every type")
    print(f"{'types':40} {len(played.became)}, stored as envelopes {sum(n == 1 for n in played.became.values())}")
    print(f"{'answers heard':40} {len(played.line.record.heard)}, status raised by receipts {played.risen}")
    for text in played.wrong:
        print(f"WRONG  {text}")
    return not played.wrong


def run(channels: Sequence[str], kills: int, seed: int, keep: Path | None = None) -> bool:
    fine = True
    for channel in channels:
        with tempfile.TemporaryDirectory(prefix="throughline-chaos-") as temporary:
            folder = (keep or Path(temporary)) / channel
            every = Plan(folder=folder / "every", kills=0, seed=seed, settle_s=60)
            killed = Plan(folder=folder / "kills", kills=kills, seed=seed)
            fine = tell_every(channel, play(every, LINES[channel])) and fine
            fine = tell(f"{channel}, seed {seed}", conduct(killed, LINES[channel])) and fine
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.channels", description=__doc__)
    parser.add_argument("--channel", choices=sorted(LINES), action="append")
    parser.add_argument("--kills", type=int, default=KILLS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a folder to keep logs and the SQLite files in")
    chosen = parser.parse_args()
    return 0 if run(chosen.channel or sorted(LINES), chosen.kills, chosen.seed, chosen.keep) else 1


if __name__ == "__main__":
    sys.exit(main())
