"""The whole run: `python -m tests.powercut --cuts 1000`. Ends with 1 if a row was lost, or if the harness is blind."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.powercut.cuts import Verdict, judge, run_workload
from tests.powercut.trace import shim

PER_RUN = 250
"""So many cuts are made in one recorded run; the next ones get a run of their own."""


def judge_all(library: Path, cuts: int, seed: int, pragma: str | None) -> Verdict:
    whole = Verdict()
    while whole.cuts < cuts:
        run = run_workload(library, seed + whole.cuts, pragma)
        part = judge(run, min(PER_RUN, cuts - whole.cuts), seed + whole.cuts)
        whole = Verdict(
            whole.cuts + part.cuts,
            whole.acknowledged + part.acknowledged,
            whole.lost + part.lost,
            whole.losing_cuts + part.losing_cuts,
            whole.broken + part.broken,
        )
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.powercut", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughline-shim-") as folder:
        library = shim(Path(folder))
        ours = judge_all(library, chosen.cuts, chosen.seed, None)
        print(f"as it is (synchronous=FULL): {ours}")
        weaker = judge_all(library, chosen.cuts, chosen.seed, "PRAGMA synchronous=NORMAL")
        print(f"with synchronous=NORMAL: {weaker}")
    if weaker.lost == 0:
        print("The harness is blind: it sees no loss where there must be one.")
    return 0 if ours.lost == 0 and not ours.broken and weaker.lost > 0 else 1


if __name__ == "__main__":
    raise SystemExit(main())
