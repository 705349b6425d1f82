"""What room 1 has just committed, handed to room 2 under a lease of its own: no claim, and nothing is read back.

Rule: only where one process serves, on its one writer thread (SQLite): nobody else claims, and what is known here of a
      lane stays true until this thread writes again.
Rule: a lane is handed over only while nothing of it waits in the table: else what is new would overtake what is old.
Rule: what was handed over and is lost is like a claim that is lost: it comes again when its lease is over.
"""

from collections.abc import Callable, Iterable

from msgspec import Struct

from gateway.store import intake
from gateway.store.intake import Claimed, IntakeRow
from gateway.store.tx import Tx

Arrived = IntakeRow | Claimed


class Taker(Struct, frozen=True, kw_only=True):
    """Who gets the rows."""

    owner: str
    lease_ms: int
    takes: Callable[[Arrived], bool]
    """Whether he wants such rows at all."""
    has_room: Callable[[], bool]
    """Whether he can hold more; else they wait in the table. Both are called on the writer's thread."""
    give: Callable[[list[Claimed]], None]
    """Called on the loop, in the order of the commits."""


class Handover:
    """For the writer's thread."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self.give = taker.give
        self._waiting: set[str] | None = None
        """Lanes of which something may wait in the table. None: any."""

    def add(self, tx: Tx, rows: list[IntakeRow]) -> list[Claimed]:
        """Stores them all. Those that he gets come back, to be given once they are committed."""
        handed: list[IntakeRow] = []
        waiting: list[IntakeRow] = []
        has_room = self._taker.has_room()
        for row in rows:
            if has_room and self._is_free(row):
                handed.append(row)
            else:
                waiting.append(row)
                self.waits([row])
        intake.add_new(tx, waiting)
        return intake.add_leased(tx, handed, self._taker.owner, tx.now() + self._taker.lease_ms)

    def _is_free(self, row: IntakeRow) -> bool:
        return self._waiting is not None and row.lane not in self._waiting and self._taker.takes(row)

    def waits(self, rows: Iterable[Arrived]) -> None:
        """These are in the table from now on, or back in it. To be told before the commit that puts them there."""
        if self._waiting is not None:
            self._waiting.update(row.lane for row in rows if self._taker.takes(row))

    @property
    def is_sure(self) -> bool:
        """Nothing waits in the table that could have been handed over."""
        return self._waiting is not None and not self._waiting

    def found(self, lanes: Iterable[str]) -> None:
        """Something waits in the table of these lanes, and of no others."""
        self._waiting = set(lanes)
