"""What is new in the intake, handed to room 2 under a lease of its own: no claim, and nothing is read back.

Rule: only where one process serves, on its one writer thread (SQLite): nobody else claims, and what is known here of a
      lane stays true until this thread writes again.
Rule: a lane is handed over only while nothing of it waits in the table: else what is new would overtake what is old.
Rule: what was handed over and is lost is like a claim that is lost: it comes again when its lease is over.
"""

from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct

from gateway.clock import MS_SHIFT
from gateway.store.intake import Claimed, IntakeRow, Leased

Arrived = IntakeRow | Claimed
AHEAD_MS = 1_000
"""Ids run ahead of the clock in a burst, and after it went back; what is due later than this is for later."""


class Taker(Struct, frozen=True, kw_only=True):
    """Room 2, to the store."""

    owner: str
    lease_ms: int
    takes: Callable[[Arrived], bool]
    """Whether such rows can be handed to it at all."""
    has_room: Callable[[], bool]
    """Whether it can hold more; else they wait in the table. Both are called on the writer's thread."""
    give: Callable[[list[Claimed]], None]
    look: Callable[[], None]
    """Something waits in the table. Both are called on the loop, after the commit and in the order of the commits."""


class Handover:
    """For the writer's thread."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._waiting: set[str] | None = None
        """Lanes of which something may wait in the table. None: any."""

    def split(self, rows: Sequence[IntakeRow], now: int) -> tuple[list[IntakeRow], list[Leased]]:
        """(those that wait in the table, those that are handed over when they are committed)."""
        waiting: list[IntakeRow] = []
        handed: list[Leased] = []
        has_room, until = self._taker.has_room(), now + self._taker.lease_ms
        for row in rows:
            if has_room and self._is_free(row, now):
                handed.append(Leased(*row, self._taker.owner, until))
            else:
                waiting.append(row)
                self.waits([row])
        return waiting, handed

    def _is_free(self, row: IntakeRow, now: int) -> bool:
        return (
            self._waiting is not None
            and row.lane not in self._waiting
            and self._taker.takes(row)
            and row.id >> MS_SHIFT <= now + AHEAD_MS
        )

    def waits(self, rows: Iterable[Arrived]) -> None:
        """These are in the table from now on, or back in it. To be told before the commit that puts them there."""
        if self._waiting is not None:
            self._waiting.update(row.lane for row in rows if self._taker.takes(row))

    @property
    def is_sure(self) -> bool:
        """Nothing waits in the table that could have been handed over."""
        return self._waiting is not None and not self._waiting

    def found(self, rows: Iterable[IntakeRow]) -> None:
        """These wait in the table, or others of their lanes, and nothing else."""
        self._waiting = {row.lane for row in rows if self._taker.takes(row)}
