"""Threads that write. Room 1's rows are committed in groups. Short jobs share a commit, and stand or fall each by
itself; every other job is one transaction of its own.

Rule: on SQLite one thread serves all rooms and receive goes first; on PostgreSQL receive has a connection of its own,
and jobs share nothing: one would keep the locks of another.
Rule: nothing is acknowledged before the commit returned, and a commit that failed fails all whom it carried.
Rule: a job that the database could not order (deadlock, serialization) is repeated, never reported.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from itertools import groupby, islice
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store import intake
from gateway.store.handover import Handover, Taker
from gateway.store.intake import IntakeRow
from gateway.store.tx import Tx

T = TypeVar("T")
RETRIED_STATES = {"40001", "40P01"}
"""SQLSTATE of serialization failures and deadlocks."""
RETRIES = 10
SHORT_ITEMS = 8
"""A job of no more items may share a commit with others, and with rows of room 1."""
TOGETHER = 8
"""So many of them."""
RECEIVE_SHARE = 2.0
"""Under load room 1 has the writer for so many times as long as the other rooms."""


class StoreUnavailable(Exception):
    """The database did not take it (in time). Nothing is known to be stored."""


def transact(connection: Connection, call: Callable[[Connection], T]) -> T:
    """One transaction, repeated from its start when the database could not put it in an order with others."""
    for _ in range(RETRIES - 1):
        try:
            with connection.begin():
                return call(connection)
        except sa.exc.DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) not in RETRIED_STATES:
                raise
    with connection.begin():
        return call(connection)


def is_trouble(error: Exception) -> bool:
    """The database's own trouble, which the next one meets too; not an error of what was asked of it."""
    return isinstance(error, sa.exc.OperationalError) or (
        isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
    )


class Writer:
    """One thread with one connection. `intake` and `jobs` tell which of the two kinds of work it takes."""

    def __init__(
        self, engine: sa.Engine, begun: Callable[[Connection], Tx], work: "Work", *, intake: bool, jobs: bool, name: str
    ) -> None:
        self._engine, self._begun, self._work = engine, begun, work
        self._intake, self._jobs = intake, jobs
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        connection: Connection | None = None
        while (taken := self._work.take(self._intake, self._jobs)) is not None:
            rows, jobs = taken
            try:
                connection = connection or self._engine.connect()
                self._write(connection, rows, jobs)
            except Exception as error:  # noqa: BLE001  because whatever it is, those who wait must hear of it
                _fail(rows, jobs, error)
                _discard(connection)
                connection = None
        if connection is not None:
            connection.close()

    def _write(self, connection: Connection, rows: "list[Pending]", jobs: "list[Job]") -> None:
        if len(jobs) > 1 or (rows and jobs and jobs[0].is_short):
            self._together(connection, rows, jobs)
            return
        if rows:
            self._add(connection, rows)
        for job in jobs:
            self._perform(connection, job)

    def _together(self, connection: Connection, rows: "list[Pending]", jobs: "list[Job]") -> None:
        """One commit for all of them."""
        began = self._work.time()
        try:
            tx, ended = transact(connection, lambda connection: self._all(connection, rows, jobs))
        except RowsRefused:
            self._work.put_back(jobs)
            jobs.clear()
            self._add(connection, rows)
            return
        finally:
            self._work.rested(began)
        if rows:
            self._work.committed("receive", began, len(rows))
            self._tell(rows, tx)
        for job, result, error in ended:
            self._ended(job, result, error, began)

    def _all(self, connection: Connection, rows: "list[Pending]", jobs: "list[Job]") -> "tuple[Tx, list[Ended]]":
        """The rows come first: when they are refused no job has begun."""
        try:
            tx = self._store(connection, rows)
        except Exception as error:
            if is_trouble(error):
                raise
            raise RowsRefused from error
        return tx, [self._shielded(connection, job) for job in jobs]

    def _shielded(self, connection: Connection, job: "Job") -> "Ended":
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            ended: Ended = job, self._call(connection, job), None
        except Exception as error:
            if is_trouble(error):
                raise
            connection.exec_driver_sql("ROLLBACK TO job")
            ended = job, None, error
        connection.exec_driver_sql("RELEASE job")
        return ended

    def _add(self, connection: Connection, rows: "list[Pending]") -> None:
        try:
            self._commit(connection, rows)
        except Exception as error:
            if is_trouble(error) or len(calls := _calls(rows)) == 1:
                raise
            for call in calls:
                self._add_alone(connection, call)

    def _add_alone(self, connection: Connection, rows: "list[Pending]") -> None:
        """What the SQL refused in company: the neighbours of a row that cannot be stored are not lost with it."""
        try:
            self._commit(connection, rows)
        except Exception as error:
            if is_trouble(error):
                raise
            _fail(rows, [], error)

    def _commit(self, connection: Connection, rows: "list[Pending]") -> None:
        began = self._work.time()
        tx = transact(connection, lambda connection: self._store(connection, rows))
        self._work.committed("receive", began, len(rows))
        self._tell(rows, tx)

    def _store(self, connection: Connection, rows: "list[Pending]") -> Tx:
        tx = self._begun(connection)
        intake.receive(tx, [pending.row for pending in rows])
        return tx

    def _tell(self, rows: "list[Pending]", tx: Tx) -> None:
        _soon(rows[0].future, _settle, [(pending.future, None, None) for pending in rows], self._work.taker, tx)

    def _perform(self, connection: Connection, job: "Job") -> None:
        began, result, refused = self._work.time(), None, None
        try:
            result = transact(connection, lambda connection: self._call(connection, job))
        except Exception as error:
            if is_trouble(error):
                raise
            refused = error
        finally:
            self._work.rested(began)
        self._ended(job, result, refused, began)

    def _call(self, connection: Connection, job: "Job") -> Any:
        job.tx = self._begun(connection)
        return job.call(job.tx)

    def _ended(self, job: "Job", result: Any, error: Exception | None, began: float) -> None:
        if error is None and job.then is not None:
            job.then(result)
        job.done(result, error, self._work.taker)
        if error is None and job.room is not None:
            self._work.committed(job.room, began, job.items)


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
        _soon(self._future, _settle, [(self._future, result, error)], taker, tx)


Ended = tuple[Job, Any, Exception | None]
"""A job, what it gave, or why its work was undone."""


class RowsRefused(Exception):
    """The database did not take one of the rows: they go alone."""


class Watch(NamedTuple):
    """Who wants to know how long commits take; called on the writers' threads."""

    monotonic: Callable[[], float]
    committed: Callable[[str, float, int], None]
    """The room, the seconds, the items."""


class Work:
    """What waits to be written, shared by the loop and the writer threads. `together`: how many jobs may share a
    commit.
    """

    def __init__(self, together: int = 1) -> None:
        self._together = together
        self._ready = threading.Condition()
        self._rows: list[Pending] = []
        self._jobs: deque[Job] = deque()
        self._closed = False
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
        return bool(self._rows)

    def add_rows(self, rows: list[Pending]) -> None:
        """All at once, so that no commit takes some and leaves the others to the next."""
        with self._ready:
            if self._closed:
                raise StoreUnavailable("closed")
            if not self._rows:
                self._ready.notify_all()
            self._rows += rows

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
            while not ((intake and self._rows) or (jobs and self._jobs)):
                if self._closed:
                    return None
                self._ready.wait()
            rows: list[Pending] = []
            if intake:
                rows, self._rows = self._rows, []
            if not jobs or not self._jobs:
                return rows, []
            self._is_turn = not rows or self.time() >= self._jobs_from
            return rows, self._next() if self._is_turn or self._jobs[0].is_prompt else self._riding()

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


def _settle(
    results: list[tuple["asyncio.Future[Any]", Any, Exception | None]], taker: Taker | None = None, tx: Tx | None = None
) -> None:
    """`tx` was committed."""
    for future, result, error in results:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)
    if taker is not None and tx is not None:
        if tx.handed:
            taker.give(tx.handed)
        if tx.left:
            taker.look()


def _soon(future: "asyncio.Future[Any]", call: Callable[..., None], *args: Any) -> None:
    try:
        future.get_loop().call_soon_threadsafe(call, *args)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def _fail(rows: list[Pending], jobs: list[Job], error: Exception) -> None:
    trouble = StoreUnavailable(type(error).__name__)
    trouble.__cause__ = error
    if rows:
        _soon(rows[0].future, _settle, [(pending.future, None, trouble) for pending in rows])
    for job in jobs:
        job.done(None, trouble)


def _calls(rows: list[Pending]) -> list[list[Pending]]:
    """The rows of each `receive`, which stand together."""
    return [list(call) for _, call in groupby(rows, key=lambda pending: id(pending.future))]


def _discard(connection: Connection | None) -> None:
    """After trouble the next piece of work gets a new connection."""
    if connection is not None:
        try:
            connection.invalidate()
            connection.close()
        except Exception:  # noqa: BLE001  because it is being thrown away
            return
