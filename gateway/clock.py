"""Time and chance: the only place that reads a clock or draws a random number.

Everything else gets a `Clock` and an `Ids` (or just their values), so that a whole run can be replayed.

Rule: `now` may step (NTP, people); `monotonic` may not. Durations are measured with `monotonic` alone.
Rule: what must not be guessed (`uuid`, `token`) is drawn from the system's generator, 128 bits or more.
"""

import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Lock

from normalizer.ids import IntakeId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FROZEN_START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

NODE_BITS = 12
COUNTER_BITS = 8
MS_SHIFT = NODE_BITS + COUNTER_BITS
POOL_BYTES = 1024
"""Randomness is fetched from the system in pieces of this size."""


class Clock:
    """`now_ns` counts from 1970, `steady` from anywhere, in seconds."""

    def __init__(self, now_ns: Callable[[], int] = time.time_ns, steady: Callable[[], float] = time.monotonic) -> None:
        self._now_ns = now_ns
        self._steady = steady

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=self._now_ns() // 1000)

    def now_ms(self) -> int:
        return self._now_ns() // 1_000_000

    def monotonic(self) -> float:
        return self._steady()


class Ids:
    """Draws ids. One for each process; safe to share between threads."""

    def __init__(
        self,
        clock: Clock,
        *,
        node: int | None = None,
        above: int = 0,
        random_bytes: Callable[[int], bytes] = secrets.token_bytes,
    ) -> None:
        """`node`: a number that no other running process has; drawn when None.

        `above`: the highest intake id that the store knows, so that the order also survives a restart after the
        clock stepped back.
        """
        drawn = int.from_bytes(random_bytes(2), "big") if node is None else node
        self._node = (drawn % (1 << NODE_BITS)) << COUNTER_BITS
        self._clock = clock
        self._source, self._pool, self._pool_lock = random_bytes, b"", Lock()
        # The millisecond of `above` is taken as full: its counter may be another process's.
        self._last = above | ((1 << MS_SHIFT) - 1) if above else -1
        self._lock = Lock()

    def intake(self) -> IntakeId:
        """63 bits: milliseconds, the process, a counter. Each is above the one before, whatever the clock does.

        More than 256 in a millisecond, or a clock that went back, borrow from the milliseconds to come.
        """
        with self._lock:
            fresh = (self._clock.now_ms() << MS_SHIFT) | self._node
            self._last = fresh if fresh > self._last else self._next()
            return IntakeId(self._last)

    def _next(self) -> int:
        counter = (1 << COUNTER_BITS) - 1
        if self._last & counter != counter:
            return self._last + 1
        return (((self._last >> MS_SHIFT) + 1) << MS_SHIFT) | self._node

    def _random_bytes(self, count: int) -> bytes:
        """From the system's generator, fetched in larger pieces: a system call for each id costs more than the id."""
        with self._pool_lock:
            if len(self._pool) < count:
                self._pool = self._source(max(POOL_BYTES, count))
            drawn, self._pool = self._pool[:count], self._pool[count:]
            return drawn

    def uuid(self) -> str:
        """128 random bits, as 32 hexadecimal digits."""
        return self._random_bytes(16).hex()

    def token(self) -> bytes:
        """256 random bits, for keys and secrets."""
        return self._random_bytes(32)

    def new(self, prefix: str) -> str:
        """Looks like `normalizer.ids.derive`, but is drawn: `prefix_`, 12 digits of the time in ms, 20 of chance.

        What grows with time is added at an index's end, where its neighbours were added a moment ago.
        """
        return f"{prefix}_{self._clock.now_ms():012x}{self._random_bytes(10).hex()}"

    def fraction(self) -> float:
        """Between 0 and 1, 1 excluded: the jitter of a back-off."""
        return (int.from_bytes(self._random_bytes(7), "big") >> 3) / (1 << 53)


class FrozenClock(Clock):
    """Stands still until it is told otherwise. For tests and replays."""

    def __init__(self, start: datetime = FROZEN_START) -> None:
        self._ns = (start - EPOCH) // timedelta(microseconds=1) * 1000
        self._s = 1000.0
        super().__init__(lambda: self._ns, lambda: self._s)

    def advance(self, seconds: float) -> None:
        """Time passes."""
        assert seconds >= 0, "time does not go back; `step` the clock instead"
        self._ns += round(seconds * 1e9)
        self._s += seconds

    def step(self, seconds: float) -> None:
        """The clock is set, forwards or back; no time passes."""
        self._ns += round(seconds * 1e9)


class CountingIds(Ids):
    """1, 2, 3 ... For tests and replays: the same run draws the same ids, and they can be read."""

    def __init__(self) -> None:
        super().__init__(FrozenClock(), node=0)
        self._numbers = count(1)

    def intake(self) -> IntakeId:
        return IntakeId(next(self._numbers))

    def uuid(self) -> str:
        return f"{next(self._numbers):032x}"

    def token(self) -> bytes:
        return next(self._numbers).to_bytes(32, "big")

    def new(self, prefix: str) -> str:
        return f"{prefix}_{next(self._numbers)}"

    def fraction(self) -> float:
        return 0.5
