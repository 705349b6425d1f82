"""SQLite's own duties in `store.py`: how connections are opened, who may serve, and what becomes of the WAL."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from gateway.clock import FrozenClock
from gateway.store import intake
from gateway.store.store import Checkpointer, DataDirLocked, Store, open_store, sqlite_engine
from gateway.store.tx import Tx
from tests.store.rows import intake_row

PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "wal_autocheckpoint": 0, "temp_store": 2}


def pragmas(connection: sa.Connection) -> dict[str, Any]:
    return {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in PRAGMAS}


def test_every_connection_is_durable(sqlite_url: str) -> None:
    engine = sqlite_engine(sqlite_url, readers=4)
    connections = [engine.connect().execution_options(deferred=True) for _ in range(8)]
    assert [pragmas(connection) for connection in connections] == [PRAGMAS] * 8
    for connection in connections:
        connection.close()
    engine.dispose()


async def test_the_connections_that_are_used_are_durable(sqlite_store: Store) -> None:
    def look(tx: Tx) -> dict[str, Any]:
        return pragmas(tx._connection)

    assert await sqlite_store.write(look) == PRAGMAS
    assert await sqlite_store.read(look) == PRAGMAS
    assert sqlite_store.write_now(look) == PRAGMAS


class Deaf(sqlite3.Connection):
    """Takes no notice when it is told to be durable."""

    ignored = ""

    def cursor(self, *args: Any) -> Any:
        return super().cursor(_DeafCursor)


class _DeafCursor(sqlite3.Cursor):
    def execute(self, sql: str, parameters: Any = ()) -> Any:
        return super().execute("SELECT 1" if sql.startswith(Deaf.ignored) else sql, parameters)


@pytest.mark.parametrize("ignored", ["PRAGMA synchronous=", "PRAGMA journal_mode="])
def test_a_connection_that_is_not_durable_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ignored: str
) -> None:
    monkeypatch.setattr(Deaf, "ignored", ignored)
    plain = sqlite3.connect(tmp_path / "x.db", factory=Deaf)
    if ignored.startswith("PRAGMA synchronous"):
        plain.executescript("PRAGMA synchronous=NORMAL")
    engine = sqlite_engine(f"sqlite:///{tmp_path}/x.db")
    sa.event.listen(engine, "do_connect", lambda *_: plain)
    with pytest.raises(RuntimeError, match=r"journal_mode=\w+, synchronous=\w+; WAL and FULL"):
        engine.connect()
    plain.close()


def test_threads_that_open_a_new_database_together_do_not_stumble(tmp_path: Path) -> None:
    engine = sqlite_engine(f"sqlite:///{tmp_path}/new.db", readers=6)
    together, errors = threading.Barrier(8), []

    def opened() -> None:
        together.wait()
        try:
            with engine.begin() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS t (x)")
        except sa.exc.DBAPIError as error:
            errors.append(error)

    running = [threading.Thread(target=opened) for _ in range(8)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    engine.dispose()
    assert errors == []


def test_one_process_serves_a_data_directory(sqlite_url: str, clock: FrozenClock, tmp_path: Path) -> None:
    first = open_store(sqlite_url, clock, data_dir=tmp_path)
    with pytest.raises(DataDirLocked, match=str(tmp_path)):
        open_store(sqlite_url, clock, data_dir=tmp_path)
    beside = open_store(sqlite_url, clock, data_dir=tmp_path, serving=False)
    assert beside.read_now(intake.depth) == 0
    beside.close_now()
    first.close_now()
    open_store(sqlite_url, clock, data_dir=tmp_path).close_now()


# -- the WAL ------------------------------------------------------------------------------------------------------


class Bench:
    """A database whose WAL the test moves by hand."""

    def __init__(self, url: str, limit_pages: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Checkpointer, "LIMIT_PAGES", limit_pages)
        self.engine = sqlite_engine(url)
        self.checkpointer = Checkpointer(self.engine)
        self.path = Path(url.removeprefix("sqlite:///"))
        self._next = 0

    def write(self, pages: int = 20) -> None:
        with self.engine.begin() as connection:
            self._next += 1
            connection.exec_driver_sql(
                "INSERT INTO intake (id, endpoint_id, lane, kind, raw) VALUES (?, '', '', '', ?)",
                (self._next, bytes(4096 * pages)),
            )
            connection.exec_driver_sql("DELETE FROM intake WHERE id < ?", (self._next - 3,))

    def reader(self) -> sa.Connection:
        """A transaction that has seen the database as it is now, and keeps it so."""
        connection = self.engine.connect().execution_options(deferred=True)
        connection.exec_driver_sql("SELECT count(*) FROM intake").scalar_one()
        return connection

    @property
    def wal_bytes(self) -> int:
        return self.path.with_name(self.path.name + "-wal").stat().st_size

    def ids_in_the_file_alone(self, tmp_path: Path) -> list[int]:
        """What is in the database without its WAL."""
        alone = tmp_path / "alone.db"
        alone.write_bytes(self.path.read_bytes())
        with sqlite3.connect(alone) as connection:
            return [row[0] for row in connection.execute("SELECT id FROM intake ORDER BY id")]


def test_a_round_moves_the_wal_into_the_database(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(sqlite_url, 10_000, monkeypatch)
    bench.write()
    bench.write()
    assert bench.ids_in_the_file_alone(tmp_path) == [], "no commit pays for a checkpoint"
    bench.checkpointer.round()
    assert bench.ids_in_the_file_alone(tmp_path) == [1, 2]
    bench.engine.dispose()


def test_readers_that_follow_each_other_do_not_let_the_wal_grow_for_ever(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(sqlite_url, 60, monkeypatch)
    reader = bench.reader()
    for _ in range(40):
        bench.write()
        before, reader = reader, bench.reader()
        before.close()
        waited_for = bench.checkpointer._over
        round_ = threading.Thread(target=bench.checkpointer.round)
        round_.start()
        if waited_for:
            reader.close()
        round_.join()
        if waited_for:
            reader = bench.reader()
    assert bench.wal_bytes < 40 * 20 * 4096 / 3
    reader.close()
    bench.engine.dispose()


def test_a_reader_that_stays_keeps_writers_waiting_for_a_moment_only(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Checkpointer, "RESTART_WAIT_MS", 1)
    bench = Bench(sqlite_url, 5, monkeypatch)
    reader = bench.reader()
    tried = []
    for _ in range(4):
        bench.write()
        tried.append(bench.checkpointer._over)
        bench.checkpointer.round()
    assert tried == [False, True, False, True], "every other round, and each ends"
    with bench.engine.connect() as connection:
        connection.execution_options(deferred=True)
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() == 5_000
    reader.close()
    bench.engine.dispose()


async def test_the_checkpointer_runs_beside_a_serving_store(
    sqlite_url: str, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rounds = threading.Semaphore(0)
    round_ = Checkpointer.round

    def counted(self: Checkpointer) -> None:
        round_(self)
        rounds.release()

    monkeypatch.setattr(Checkpointer, "PAUSE_S", 0.001)
    monkeypatch.setattr(Checkpointer, "round", counted)
    store = open_store(sqlite_url, clock, data_dir=tmp_path)
    await store.receive([intake_row(1)])
    while rounds.acquire(blocking=False):
        pass
    # The first may have begun before the commit; the second has not.
    assert rounds.acquire(timeout=30)
    assert rounds.acquire(timeout=30)
    alone = tmp_path / "alone.db"
    alone.write_bytes((tmp_path / "gateway.db").read_bytes())
    with sqlite3.connect(alone) as connection:
        assert connection.execute("SELECT id FROM intake").fetchall() == [(1,)]
    connection.close()
    store.close_now()
