"""Two transactions at once, in an order that the test decides: nothing here depends on time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import sqlalchemy as sa

from gateway.store.store import Store
from gateway.store.tx import Tx

T = TypeVar("T")
LIMIT_S = 30.0


class Running(Generic[T]):
    """A transaction in a thread of its own. `paused` ones stop before they commit until they are told to go on."""

    def __init__(self, store: Store, call: Callable[[Tx], T], *, paused: bool = False) -> None:
        self._store, self._call = store, call
        self._there, self._go = threading.Event(), threading.Event()
        self._fail = False
        self._result: T | None = None
        self._error: BaseException | None = None
        if not paused:
            self._go.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        if paused:
            assert self._there.wait(LIMIT_S), "it never came to its end"

    def _run(self) -> None:
        try:
            self._result = self._store.write_now(self._body)
        except BaseException as error:  # noqa: BLE001  because the test's thread raises it again
            self._error = error

    def _body(self, tx: Tx) -> T:
        result = self._call(tx)
        self._there.set()
        assert self._go.wait(LIMIT_S)
        if self._fail:
            raise Undone
        return result

    def commit(self) -> T:
        self._go.set()
        return self.result()

    def roll_back(self) -> None:
        self._fail = True
        self._go.set()
        try:
            self.result()
        except Undone:
            return

    def result(self) -> T:
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive(), "it hangs"
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]  # because T may be None


class Undone(Exception):
    """Rolled back because the test wants it so."""


def until_blocked(engine: sa.Engine) -> None:
    """Returns when some transaction of this PostgreSQL database waits for another."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for _ in range(100_000):
            if connection.exec_driver_sql(query).scalar_one():
                return
    raise AssertionError("nobody waits for anybody")


@contextmanager
def nobody_else_writes(store: Store) -> Iterator[sa.Connection]:
    """Another program that keeps the database's intake to itself for the length of a block."""
    with store.engine.connect() as connection, connection.begin():
        if store.database.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE intake, command IN EXCLUSIVE MODE")
        yield connection
