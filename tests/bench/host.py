"""What others on the same host took from this machine meanwhile: figures measured beside a neighbour say so."""

import os
import time
from pathlib import Path

STAT = Path("/proc/stat")
STEAL = 8
"""The column of `cpu` that counts the time in which we wanted to run and the host ran others (proc(5))."""


class Neighbours:
    """From here on."""

    def __init__(self) -> None:
        self._stolen, self._began = _stolen_s(), time.monotonic()

    @property
    def share(self) -> float | None:
        """Of the time of all cores. None: this system does not tell."""
        if self._stolen is None:
            return None
        cores = os.cpu_count() or 1
        return ((_stolen_s() or 0.0) - self._stolen) / (cores * (time.monotonic() - self._began))


def _stolen_s() -> float | None:
    try:
        columns = STAT.read_text().splitlines()[0].split()
        return int(columns[STEAL]) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError, ValueError):
        return None
