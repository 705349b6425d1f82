"""What is new in the intake, handed to room 2 under a lease of its own: no claim, and nothing is read back.

Rule: only where one process serves, on its one writer thread (SQLite): nobody else claims, and what is known here of a
      lane stays true until this thread writes again.
Rule: a lane is handed over only while nothing of it waits in the table: else what is new would overtake what is old.
Rule: what was handed over and is lost is like a claim that is lost: it comes again when its lease is over.
Rule: what somebody waits for is settled by the very commit that stores it, as long as nothing like it waits in the
      table, or was handed over before and is not settled yet: prompts are settled in the order in which they came,
      whatever their lanes.
Rule: a claim that is over is none. Should nobody ever tell what became of it, the table is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.clock import MS_SHIFT
from gateway.store.intake import Claim, Claimed, IntakeRow, Leased, is_prompt

if TYPE_CHECKING:
    from gateway.store.tx import Tx

Arrived = IntakeRow | Claimed
AHEAD_MS = 1_000
"""Ids run ahead of the clock in a burst, and after it went back; what is due later than this is for later."""
AT_ONCE = 8
"""No more prompts are settled by the commit that stores them: neighbours wait for it."""


@dataclass(frozen=True, kw_only=True)
class Taker:
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
    settle: Callable[[Tx, list[Claimed]], Callable[[], None]] | None = None
    """Settles rows in the transaction that stores them, on the writer's thread, and gives what is to be called on the
    loop once it is committed. Any error: they are handed over like all others.
    """


class Handover:
    """For the writer's thread."""

    def __init__(self, taker: Taker) -> None:
        self._taker = taker
        self._waiting: set[str] | None = None
        """Lanes of which something may wait in the table. None: any."""
        self._prompts_wait = False
        """Some of these may be prompts."""
        self._unsettled: dict[Claim, int] = {}
        """Of prompts that room 2 has, or had when its claim was lost; until when they hold, the oldest first."""

    def split(self, rows: Sequence[IntakeRow], now: int) -> tuple[list[IntakeRow], list[Leased]]:
        """(those that wait in the table, those that are handed over when they are committed)."""
        self._forget_lapsed(now)
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

    def _forget_lapsed(self, now: int) -> None:
        """Nobody told what became of them: nothing is handed over until it is known again what waits."""
        while self._unsettled and next(iter(self._unsettled.values())) < now:
            del self._unsettled[next(iter(self._unsettled))]
            self._waiting = None

    def waits(self, rows: Iterable[Arrived]) -> None:
        """These are in the table from now on, or back in it. To be told before the commit that puts them there."""
        if self._waiting is not None:
            self._wait(rows)

    @property
    def is_sure(self) -> bool:
        """Nothing waits in the table that could have been handed over."""
        return self._waiting is not None and not self._waiting

    def found(self, rows: Iterable[IntakeRow]) -> None:
        """These wait in the table, or others of their lanes, and nothing else."""
        self._waiting, self._prompts_wait = set(), False
        self._wait(rows)

    def _wait(self, rows: Iterable[Arrived]) -> None:
        assert self._waiting is not None
        taken = [row for row in rows if self._taker.takes(row)]
        self._waiting.update(row.lane for row in taken)
        self._prompts_wait |= any(map(is_prompt, taken))

    def at_once(self, tx: Tx, beside: Sequence[Tx]) -> list[Claimed]:
        """Of what the transaction hands over, what it may settle itself. `beside`: they share its commit."""
        before = {_claim(row) for one in beside for row in one.handed if is_prompt(row)} | self._unsettled.keys()
        if self._prompts_wait or before.difference(tx.settled, *(one.settled for one in beside)):
            return []
        prompts = [row for row in tx.handed if is_prompt(row)]
        return prompts if len(prompts) <= AT_ONCE else []

    def committed(self, tx: Tx) -> None:
        self.gives(tx.handed, tx.now())
        for claim in tx.settled:
            self._unsettled.pop(claim, None)

    def gives(self, rows: Iterable[Claimed], now: int) -> None:
        """Room 2 has these from now on."""
        self._unsettled.update((_claim(row), now + self._taker.lease_ms) for row in rows if is_prompt(row))


def _claim(row: Claimed) -> Claim:
    return row.id, row.epoch
