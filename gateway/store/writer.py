"""Threads that write. Room 1's rows are committed in groups; every other job is one transaction of its own.

Rule: on SQLite one thread serves all rooms and receive goes first; on PostgreSQL receive has a connection of its own.
Rule: nothing is acknowledged before the commit returned, and a commit that failed fails all whom it carried.
Rule: a job that the database could not order (deadlock, serialization) is repeated, never reported.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from itertools import groupby
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store.intake import INTAKE_ADD, IntakeRow
from gateway.store.statement import Database

T = TypeVar("T")
RETRIED_STATES = {"40001", "40P01"}
"""SQLSTATE of serialization failures and deadlocks."""
RETRIES = 10
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
        self, engine: sa.Engine, database: Database, work: "Work", *, intake: bool, jobs: bool, name: str
    ) -> None:
        self._engine, self._database, self._work = engine, database, work
        self._intake, self._jobs = intake, jobs
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        connection: Connection | None = None
        while (taken := self._work.take(self._intake, self._jobs)) is not None:
            rows, job = taken
            try:
                connection = connection or self._engine.connect()
                if rows:
                    self._add(connection, rows)
                if job is not None:
                    self._perform(connection, job)
            except Exception as error:  # noqa: BLE001  because whatever it is, those who wait must hear of it
                _fail(rows, job, error)
                _discard(connection)
                connection = None
        if connection is not None:
            connection.close()

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
            _fail(rows, None, error)

    def _commit(self, connection: Connection, rows: "list[Pending]") -> None:
        values, began = [pending.row for pending in rows], self._work.time()
        transact(connection, lambda connection: INTAKE_ADD.run_many(connection, self._database, values))
        self._work.committed("receive", began, len(rows))
        _tell(rows)

    def _perform(self, connection: Connection, job: "Job") -> None:
        began = self._work.time()
        try:
            result = self._timed(connection, job, began)
        except Exception as error:
            if is_trouble(error):
                raise
            job.done(None, error)
        else:
            job.done(result, None)
            if job.room is not None:
                self._work.committed(job.room, began, job.items)

    def _timed(self, connection: Connection, job: "Job", began: float) -> Any:
        try:
            return transact(connection, job.call)
        finally:
            self._work.rested(began)


class Pending:
    """A row of room 1 and whoever waits for its commit. Rows with the same future are one transaction."""

    __slots__ = ("future", "row")

    def __init__(self, row: IntakeRow, future: "asyncio.Future[None]") -> None:
        self.row, self.future = row, future


class Job:
    """A transaction that somebody waits for. `room` and `items`: for whoever watches commits."""

    def __init__(
        self, call: Callable[[Connection], Any], future: "asyncio.Future[Any]", room: str | None = None, items: int = 1
    ) -> None:
        self.call, self._future, self.room, self.items = call, future, room, items

    def done(self, result: Any, error: Exception | None) -> None:
        _soon(self._future, _settle, [(self._future, result, error)])


class Watch(NamedTuple):
    """Who wants to know how long commits take; called on the writers' threads."""

    monotonic: Callable[[], float]
    committed: Callable[[str, float, int], None]
    """The room, the seconds, the items."""


class Work:
    """What waits to be written, shared by the loop and the writer threads."""

    def __init__(self) -> None:
        self._ready = threading.Condition()
        self._rows: list[Pending] = []
        self._jobs: deque[Job] = deque()
        self._closed = False
        self._jobs_from = 0.0
        """While rows of room 1 wait, no job starts before this time."""
        self.watch: Watch | None = None

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

    def take(self, intake: bool, jobs: bool) -> tuple[list[Pending], Job | None] | None:
        """All rows that wait, and one job. Waits for either; None once closed and empty."""
        with self._ready:
            while not ((intake and self._rows) or (jobs and self._jobs)):
                if self._closed:
                    return None
                self._ready.wait()
            rows: list[Pending] = []
            if intake:
                rows, self._rows = self._rows, []
            turn = jobs and self._jobs and (not rows or self.time() >= self._jobs_from)
            return rows, self._jobs.popleft() if turn else None

    def rested(self, began: float) -> None:
        """A job is over: room 1 has the writer to itself for `RECEIVE_SHARE` times as long as it took."""
        now = self.time()
        self._jobs_from = now + RECEIVE_SHARE * (now - began)


def _settle(results: list[tuple["asyncio.Future[Any]", Any, Exception | None]]) -> None:
    for future, result, error in results:
        if future.done():
            continue
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _soon(future: "asyncio.Future[Any]", call: Callable[..., None], *args: Any) -> None:
    try:
        future.get_loop().call_soon_threadsafe(call, *args)
    except RuntimeError:
        # The loop is closed: nobody waits any more.
        return


def _tell(rows: list[Pending]) -> None:
    _soon(rows[0].future, _settle, [(pending.future, None, None) for pending in rows])


def _fail(rows: list[Pending], job: Job | None, error: Exception) -> None:
    trouble = StoreUnavailable(type(error).__name__)
    trouble.__cause__ = error
    if rows:
        _soon(rows[0].future, _settle, [(pending.future, None, trouble) for pending in rows])
    if job is not None:
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
