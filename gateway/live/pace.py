"""How fast frames may come: a sustained rate and a burst, with one number to remember for each socket.

Rule: pure; what is remembered is the time at which the burst is whole again (the generic cell rate algorithm).
"""

from math import ceil
from typing import NamedTuple


class Pace(NamedTuple):
    per_s: float
    burst: int

    def wait_ms(self, whole_at: float, now: float) -> int:
        """How long until one may come; 0: now."""
        return max(0, ceil((whole_at - now - (self.burst - 1) / self.per_s) * 1000))

    def taken(self, whole_at: float, now: float) -> float:
        """What to remember once one has come."""
        return max(whole_at, now) + 1 / self.per_s
