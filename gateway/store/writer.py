"""Threads that write. Room 1's rows are committed in groups. Short jobs share a commit, and stand or fall each by
itself; every other job is one transaction of its own.

Rule: on SQLite one thread serves all rooms and receive goes first; on PostgreSQL receive has a connection of its own,
and jobs share nothing: one would keep the locks of another.
Rule: nothing is acknowledged before the commit returned, and a commit that failed fails all whom it carried.
Rule: a job that the database could not order (deadlock, serialization) is repeated, never reported.
"""

import threading
from collections.abc import Callable
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store import intake
from gateway.store.tx import Tx
from gateway.store.work import Job, Pending, StoreUnavailable, Work, settle, soon

T = TypeVar("T")
RETRIED_STATES = {"40001", "40P01"}
"""SQLSTATE of serialization failures and deadlocks."""
RETRIES = 10


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


Ended = tuple[Job, Any, Exception | None]
"""A job, what it gave, or why its work was undone."""


class RowsRefused(Exception):
    """The database did not take one of the rows: they go alone."""


class Writer:
    """One thread with one connection. `intake` and `jobs` tell which of the two kinds of work it takes."""

    def __init__(
        self, engine: sa.Engine, begun: Callable[[Connection], Tx], work: Work, *, intake: bool, jobs: bool, name: str
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

    def _write(self, connection: Connection, rows: list[Pending], jobs: list[Job]) -> None:
        if len(jobs) > 1 or (rows and jobs and jobs[0].is_short):
            self._together(connection, rows, jobs)
            return
        if rows:
            self._add(connection, rows)
        for job in jobs:
            self._perform(connection, job)

    def _together(self, connection: Connection, rows: list[Pending], jobs: list[Job]) -> None:
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
            self._tell(rows, tx, began)
        for job, result, error in ended:
            self._ended(job, result, error, began)

    def _all(self, connection: Connection, rows: list[Pending], jobs: list[Job]) -> tuple[Tx, list[Ended]]:
        """The rows come first: when they are refused no job has begun."""
        try:
            tx = self._store(connection, rows)
        except Exception as error:
            if is_trouble(error):
                raise
            raise RowsRefused from error
        begun = [tx]
        return tx, [self._shielded(connection, job, begun) for job in jobs]

    def _shielded(self, connection: Connection, job: Job, beside: list[Tx]) -> Ended:
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            ended: Ended = job, self._call(connection, job, beside), None
        except Exception as error:
            if is_trouble(error):
                raise
            connection.exec_driver_sql("ROLLBACK TO job")
            ended = job, None, error
        connection.exec_driver_sql("RELEASE job")
        return ended

    def _add(self, connection: Connection, rows: list[Pending]) -> None:
        try:
            self._commit(connection, rows)
        except Exception as error:
            if is_trouble(error) or len(calls := _calls(rows)) == 1:
                raise
            for call in calls:
                self._add_alone(connection, call)

    def _add_alone(self, connection: Connection, rows: list[Pending]) -> None:
        """What the SQL refused in company: the neighbours of a row that cannot be stored are not lost with it."""
        try:
            self._commit(connection, rows)
        except Exception as error:
            if is_trouble(error):
                raise
            _fail(rows, [], error)

    def _commit(self, connection: Connection, rows: list[Pending]) -> None:
        began = self._work.time()
        tx = transact(connection, lambda connection: self._store(connection, rows))
        self._work.committed("receive", began, len(rows))
        self._tell(rows, tx, began)

    def _store(self, connection: Connection, rows: list[Pending]) -> Tx:
        tx = self._begun(connection)
        intake.receive(tx, [pending.row for pending in rows])
        self._settle_prompts(tx, [])
        return tx

    def _settle_prompts(self, tx: Tx, beside: list[Tx]) -> None:
        """Here and now, where that is possible."""
        taker, handover = self._work.taker, self._work.handover
        if taker is None or taker.settle is None or handover is None:
            return
        try:
            if rows := handover.at_once(tx, beside):
                tx.settle(taker.settle, rows)
        except Exception as error:
            # Room 2 gets them like all others: it tries again, one by one, and says what is wrong.
            if is_trouble(error):
                raise

    def _committed(self, tx: Tx, began: float) -> None:
        if self._work.handover is not None:
            self._work.handover.committed(tx)
        if tx.at_once:
            self._work.committed("process", began, tx.at_once)

    def _tell(self, rows: list[Pending], tx: Tx, began: float) -> None:
        self._committed(tx, began)
        soon(rows[0].future, settle, [(pending.future, None, None) for pending in rows], self._work.taker, tx)

    def _perform(self, connection: Connection, job: Job) -> None:
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

    def _call(self, connection: Connection, job: Job, beside: list[Tx] | None = None) -> Any:
        """`beside`: what shares the commit, it too if it succeeds."""
        beside = [] if beside is None else beside
        job.tx = tx = self._begun(connection)
        result = job.call(tx)
        self._settle_prompts(tx, beside)
        beside.append(tx)
        return result

    def _ended(self, job: Job, result: Any, error: Exception | None, began: float) -> None:
        if error is None and job.tx is not None:
            self._committed(job.tx, began)
        if error is None and job.then is not None:
            job.then(result)
        job.done(result, error, self._work.taker)
        if error is None and job.room is not None:
            self._work.committed(job.room, began, job.items)


def _fail(rows: list[Pending], jobs: list[Job], error: Exception) -> None:
    trouble = StoreUnavailable(type(error).__name__)
    trouble.__cause__ = error
    if rows:
        soon(rows[0].future, settle, [(pending.future, None, trouble) for pending in rows])
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
