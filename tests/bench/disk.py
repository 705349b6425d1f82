"""`python -m tests.bench.disk MS serve ...`: the gateway as it is, on a disk that takes so much longer for each commit.

Rule: nothing of the product knows of it. Every transaction that writes sleeps once, where its commit is.
"""

import os
import sys
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from gateway.cli import main
from tests.bench.load import percentile


def slow_down(seconds: float) -> None:
    """From here on, in this process."""

    def sleep(connection: Any) -> None:
        if not connection.get_execution_options().get("deferred"):
            time.sleep(seconds)

    sa.event.listen(sa.Engine, "commit", sleep)


def fsync_ms(folder: Path, count: int = 300) -> tuple[float, float]:
    """(p50, p99) of what this disk takes to keep 4 KiB."""
    folder.mkdir(parents=True, exist_ok=True)
    path, took = folder / "fsync.probe", []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(b"x" * 4_096)
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append((time.perf_counter() - began) * 1000)
    path.unlink()
    return percentile(took, 0.5), percentile(took, 0.99)


if __name__ == "__main__":
    slow_down(float(sys.argv[1]) / 1000)
    main(sys.argv[2:], prog_name="throughline")
