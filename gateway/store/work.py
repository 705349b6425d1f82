"""What waits to be written: rows of room 1 and jobs, shared by the loop and the writer threads.

Rule: while people talk to us, webhooks wait a little for each other: a commit costs the same for one as for ten, and
takes its time from those who wait for an answer.
Rule: who waits hears of it on the loop, after the commit, and room 2 before him: a call waits for that one.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, NamedTuple

from gateway.store.handover import Handover, Taker
from gateway.store.intake import IntakeRow, is_prompt
from gateway.store.tx import Tx

SHORT_ITEMS = 8
"""A job of no more items may share a commit with others, and with rows of room 1."""
TOGETHER = 8
"""So many of them."""
RECEIVE_SHARE = 2.0
"""Under load room 1 has the writer for so many times as long as the other rooms."""
GATHER_ROWS = 64
"""Rows that are not gathered any longer."""
TALK_S = 5.0
"""So long after somebody said something we take it that he goes on."""


class StoreUnavailable(Exception):
    """The database did not take it (in time). Nothing is known to be stored."""


class Pending:
    """A row of room 1 and whoever waits for its commit. Rows with the same future are one transaction."""

    __slots__ = ("future", "row")

    def __init__(self, row: IntakeRow, future: "asyncio.Future[None]") -> None:
        self.row, self.future = row, future


class Job:
    """Work that somebody waits for. `room` and `items`: for whoever watches commits. `is_prompt`: it goes before all
    others, and before rows that wait. `then`: called with its result on the writer's thread, before the next commit.
    """

    def __init__(
        self, call: Callable[[Tx], Any], future: "asyncio.Future[Any]", room: str | None = None, items: int = 1,
        then: Callable[[Any], None] | None = None, is_prompt: bool = False,
    ) -> None:  # fmt: skip
        self.call, self._future, self.room, self.items, self.then = call, future, room, items, then
        self.is_prompt = is_prompt
        self.tx: Tx | None = None
        """Of the latest try."""

    @property
    def is_short(self) -> bool:
        """It may share a commit. What is to be told of a commit has one of its own."""
        return self.items <= SHORT_ITEMS and self.then is None

    def done(self, result: Any, error: Exception | None, taker: Taker | None = None) -> None:
        tx = self.tx if error is None else None
        soon(self._future, settle, [(self._future, result, error)], taker, tx)


class Watch(NamedTuple):
    """Who wants to know how long commits take; called on the writers' threads."""

    monotonic: Callable[[], float]
    committed: Callable[[str, float, int], None]
    """The room, the seconds, the items."""


class Work:
    """`together`: how many jobs may share a commit. `gather_s`: while people talk to us, webhooks are committed no
    sooner than so long after those before them.
    """

    def __init__(self, together: int = 1, gather_s: float = 0.0) -> None:
        self._together, self._gather_s = together, gather_s
        self._ready = threading.Condition()
        self._rows: list[Pending] = []
        self._jobs: deque[Job] = deque()
        self._closed = False
        self._rows_from = self._talk_until = 0.0
        """No sooner are rows taken, unless somebody waits for one of them; and how long they are gathered at all."""
        self._jobs_from = 0.0
        """While rows of room 1 wait, no job has its turn before this time. Prompts need none, and short ones ride along
        with the rows.
        """
        self._is_turn = True
        """Of what was taken last."""
        self.watch: Watch | None = None
        self.taker: Taker | None = None
        self.handover: Handover | None = None

    @property
    def intake_waits(self) -> bool:
        """Rows of room 1 wait for nothing but a writer."""
        return self._are_due()

    def add_rows(self, rows: list[Pending]) -> None:
        """All at once, so that no commit takes some and leaves the others to the next."""
        with self._ready:
            if self._closed:
                raise StoreUnavailable("closed")
            before = len(self._rows)
            self._rows += rows
            if any(is_prompt(pending.row) for pending in rows):
                self._rows_from, self._talk_until = 0.0, self.time() + TALK_S
                self._ready.notify_all()
            elif not before or before < GATHER_ROWS <= len(self._rows):
                self._ready.notify_all()

    def add_job(self, job: Job) -> None:
        with self._ready:
            if self._closed:
                raise StoreUnavailable("closed")
            if job.is_prompt:
                self._jobs.appendleft(job)
            else:
                self._jobs.append(job)
            self._ready.notify_all()

    def close(self) -> None:
        with self._ready:
            self._closed = True
            self._ready.notify_all()

    def time(self) -> float:
        return 0.0 if self.watch is None else self.watch.monotonic()

    def committed(self, room: str, began: float, items: int) -> None:
        if self.watch is not None:
            self.watch.committed(room, self.watch.monotonic() - began, items)

    def put_back(self, jobs: list[Job]) -> None:
        with self._ready:
            self._jobs.extendleft(reversed(jobs))
            self._ready.notify_all()

    def take(self, intake: bool, jobs: bool) -> tuple[list[Pending], list[Job]] | None:
        """All rows that wait, and the next jobs. Waits for either; None once closed and empty."""
        with self._ready:
            while not ((intake and self._are_due()) or (jobs and self._jobs)):
                if self._closed:
                    return None
                self._wait(for_rows=intake and bool(self._rows))
            rows = self._taken_rows() if intake and self._are_due() else []
            if not jobs or not self._jobs:
                return rows, []
            self._is_turn = not rows or self.time() >= self._jobs_from
            return rows, self._next() if self._is_turn or self._jobs[0].is_prompt else self._riding()

    def _wait(self, *, for_rows: bool) -> None:
        if not self._ready.wait(self._rows_from - self.time() if for_rows else None):
            self._rows_from = 0.0

    def _are_due(self) -> bool:
        """Rows of room 1."""
        is_early = self.time() < self._rows_from and len(self._rows) < GATHER_ROWS
        return bool(self._rows) and (self._closed or not is_early)

    def _taken_rows(self) -> list[Pending]:
        rows, self._rows = self._rows, []
        now = self.time()
        self._rows_from = now + self._gather_s if now < self._talk_until else 0.0
        return rows

    def _next(self) -> list[Job]:
        found = [self._jobs.popleft()]
        while found[-1].is_short and len(found) < self._together and self._jobs and self._jobs[0].is_short:
            found.append(self._jobs.popleft())
        return found

    def _riding(self) -> list[Job]:
        """What is short costs hardly more than the commit that the rows need anyway."""
        found = list(islice((job for job in self._jobs if job.is_short), self._together))
        for job in found:
            self._jobs.remove(job)
        return found

    def rested(self, began: float) -> None:
        """Jobs whose turn it was are over: room 1 has the writer for `RECEIVE_SHARE` times as long as they took."""
        if not self._is_turn:
            return
        now = self.time()
        self._jobs_from = now + RECEIVE_SHARE * (now - began)


def settle(
    results: list[tuple["asyncio.Future[Any]", Any, Exception | None]], taker: Taker | None = None, tx: Tx | None = None
) -> None:
    """`tx` was committed. Room 2 goes first: a call waits for that one."""
    try:
        if taker is not None and tx is not None:
            _tell(taker, tx)
    finally:
        for future, result, error in results:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _tell(taker: Taker, tx: Tx) -> None:
    if tx.handed:
        taker.give(tx.handed)
    if tx.left:
        taker.look()
    if tx.then is not None:
        tx.then()


def soon(future: "asyncio.Future[Any]", call: Callable[..., None], *args: Any) -> None:
    try:
        future.get_loop().call_soon_threadsafe(call, *args)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return
