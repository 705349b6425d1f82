"""The store: opens the database, owns its threads, and runs operations in transactions.

Rule: SQLite runs WAL with `synchronous=FULL` on every connection, read back when it is opened: with NORMAL a power cut
loses what was acknowledged.
Rule: SQLite is one serving process, kept so by a lock on `data_dir`.
Rule: the WAL is checkpointed by its own thread, so that no commit pays for it.
"""

import asyncio
import fcntl
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from gateway.store.handover import Handover, Taker
from gateway.store.intake import IntakeRow
from gateway.store.statement import POSTGRESQL, SQLITE, Database
from gateway.store.tx import Tx
from gateway.store.work import TOGETHER, Job, Pending, StoreUnavailable, Work
from gateway.store.writer import Writer, transact

T = TypeVar("T")
BUSY_TIMEOUT_S = 5
"""How long a connection waits for SQLite's one place to write, which another process may have."""


class ClockLike(Protocol):
    def now_ms(self) -> int: ...


class DataDirLocked(Exception):
    """Another process serves this data directory."""


class Store:
    """Made by `open_store`. `write` is one transaction on a writer thread, `read` one on a reader thread."""

    def __init__(self, engine: sa.Engine, database: Database, clock: ClockLike, *, writers: int, readers: int,
                 write_timeout_ms: int, gather_ms: int, lock: IO[str] | None) -> None:  # fmt: skip
        self.engine, self.database = engine, database
        self.work = Work(TOGETHER if database is SQLITE else 1, gather_ms / 1000)
        self._arrived: list[Pending] = []
        self._clock, self._lock, self._timeout = clock, lock, write_timeout_ms / 1000
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._writers = _writers(engine, database, self._tx, self.work, writers)
        self._checkpointer = Checkpointer(engine) if database is SQLITE else None
        for writer in self._writers:
            writer.thread.start()
        if self._checkpointer is not None:
            self._checkpointer.start()

    def now(self) -> int:
        """The store's clock, in milliseconds since 1970."""
        return self._clock.now_ms()

    def bring_to(self, taker: Taker) -> Handover | None:
        """From now on he gets, or hears of, what is new in the intake. None: several processes may write here, so that
        nothing is handed over and all is claimed.
        """
        self.work.taker = taker
        self.work.handover = Handover(taker) if self.database is SQLITE else None
        return self.work.handover

    def receive(self, rows: list[IntakeRow]) -> "asyncio.Future[None]":
        """Room 1's commit: all rows or none. StoreUnavailable: it failed, or is not known to have succeeded in time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not rows:
            future.set_result(None)
            return future
        if not self._arrived:
            loop.call_soon(self._hand_in, loop)
        self._arrived += [Pending(row, future) for row in rows]
        return future

    def _hand_in(self, loop: asyncio.AbstractEventLoop) -> None:
        """What arrived in one turn of the loop goes to the writer together: one lock, one wake-up, one commit."""
        rows, self._arrived = self._arrived, []
        futures = [pending.future for pending in rows]
        try:
            self.work.add_rows(rows)
        except StoreUnavailable as error:
            _expire(futures, error)
        else:
            # One timer for all of them: it is not taken back, and finds nothing to do.
            loop.call_later(self._timeout, _expire, futures, StoreUnavailable("the write took too long"))

    async def write(
        self, call: Callable[[Tx], T], *, room: str | None = None, items: int = 1,
        then: Callable[[T], None] | None = None, is_prompt: bool = False,
    ) -> T:  # fmt: skip
        """`room`: it is a batch of this room, of so many items. `then`, `is_prompt`: as of `Job`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.work.add_job(Job(call, future, room, items, then, is_prompt))
        return await future

    async def read(self, call: Callable[[Tx], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_now, call)

    def read_now(self, call: Callable[[Tx], T]) -> T:
        """`read` for those who have a thread of their own."""
        try:
            with self.engine.connect() as connection:
                connection.execution_options(deferred=True)
                with connection.begin():
                    return call(self._tx(connection))
        except sa.exc.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error

    def write_now(self, call: Callable[[Tx], T]) -> T:
        """`write` for commands that run without a loop."""
        try:
            with self.engine.connect() as connection:
                return transact(connection, lambda connection: call(self._tx(connection)))
        except sa.exc.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error

    async def close(self) -> None:
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Waits for what was handed in, then lets go of the database."""
        self.work.close()
        for writer in self._writers:
            writer.thread.join()
        if self._checkpointer is not None:
            self._checkpointer.stop()
        self._readers.shutdown()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()

    def _tx(self, connection: Connection) -> Tx:
        return Tx(connection, self.database, self.now, self.work.handover)


def _expire(futures: list["asyncio.Future[None]"], error: StoreUnavailable) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)


class OffsetClock:
    """The database server's clock, as our own plus what it was ahead when we asked."""

    def __init__(self, clock: ClockLike, offset_ms: int) -> None:
        self._clock, self._offset = clock, offset_ms

    def now_ms(self) -> int:
        return self._clock.now_ms() + self._offset


class Checkpointer:
    """Moves the WAL into the database beside the writers, every `PAUSE_S` seconds."""

    PAUSE_S = 0.5
    LIMIT_PAGES = 16_384
    """64 MiB: beyond it the WAL is begun anew, with writers waiting."""
    RESTART_WAIT_MS = 200
    """How long that may keep writers waiting for readers; after it the next round but one tries again."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine, self._stopped = engine, threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, name="store-checkpoint", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self.PAUSE_S):
            try:
                self.round()
            except (sa.exc.DBAPIError, sqlite3.Error):
                # A full disk or the like: writers meet it too and say so; the next round tries again.
                continue

    def round(self) -> None:
        """Moves what it can. Readers that overlap keep the WAL growing: then it waits for them."""
        mode, self._over = ("RESTART" if self._over else "PASSIVE"), False
        with self._engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={self.RESTART_WAIT_MS}")
            try:
                busy, pages, _moved = cursor.execute(f"PRAGMA wal_checkpoint({mode})").fetchone()
            finally:
                cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}")
                cursor.close()
        self._over = pages > self.LIMIT_PAGES and not (mode == "RESTART" and busy)


def open_store(url: str, clock: ClockLike, *, data_dir: Path | None = None, writers: int = 4, readers: int = 4,
               write_timeout_ms: int = 1_500, gather_ms: int = 20, serving: bool = True) -> Store:  # fmt: skip
    """`serving`: take the lock on `data_dir` (SQLite). `gather_ms`: of Work. Raises DataDirLocked, StoreUnavailable."""
    if not url.startswith("sqlite"):
        engine = sa.create_engine(url, pool_size=writers + readers + 2, pool_pre_ping=False)
        offset = _server_offset(engine, clock)
        return Store(engine, POSTGRESQL, OffsetClock(clock, offset), writers=writers, readers=readers,
                     write_timeout_ms=write_timeout_ms, gather_ms=gather_ms, lock=None)  # fmt: skip
    lock = _lock(data_dir) if serving and data_dir is not None else None
    engine = sqlite_engine(url, readers)
    return Store(engine, SQLITE, clock, writers=1, readers=readers, write_timeout_ms=write_timeout_ms,
                 gather_ms=gather_ms, lock=lock)  # fmt: skip


def sqlite_engine(url: str, readers: int = 4) -> sa.Engine:
    engine = sa.create_engine(
        url, pool_size=readers + 4, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_S}
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    sa.event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "wal_autocheckpoint=0",
                   "temp_store=MEMORY", "cache_size=-32000", "mmap_size=268435456"):  # fmt: skip
        cursor.execute(f"PRAGMA {pragma}")
    mode, level = (cursor.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous"))
    cursor.close()
    if (mode, level) != ("wal", 2) and mode != "memory":
        raise RuntimeError(
            f"SQLite runs with journal_mode={mode}, synchronous={level}; WAL and FULL are what keeps promises"
        )


def _begin_sqlite(connection: Connection) -> None:
    """Python's own BEGIN is deferred, and a deferred writer can lose an update. Readers say that they only read."""
    deferred = connection.get_execution_options().get("deferred", False)
    connection.exec_driver_sql("BEGIN" if deferred else "BEGIN IMMEDIATE")


def _writers(
    engine: sa.Engine, database: Database, begun: Callable[[Connection], Tx], work: Work, jobs: int
) -> list[Writer]:
    if database is SQLITE:
        return [Writer(engine, begun, work, intake=True, jobs=True, name="store-write")]
    receive = Writer(engine, begun, work, intake=True, jobs=False, name="store-receive")
    return [
        receive,
        *(Writer(engine, begun, work, intake=False, jobs=True, name=f"store-write-{n}") for n in range(jobs)),
    ]


def _lock(data_dir: Path) -> IO[str]:
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = (data_dir / "serving.lock").open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise DataDirLocked(f"{data_dir} is served by another process") from error
    return handle


def _server_offset(engine: sa.Engine, clock: ClockLike) -> int:
    try:
        with engine.connect() as connection:
            server = connection.exec_driver_sql(
                "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint"
            ).scalar_one()
    except sa.exc.OperationalError as error:
        raise StoreUnavailable("the database does not answer") from error
    return int(server) - clock.now_ms()


__all__ = ["Checkpointer", "DataDirLocked", "OffsetClock", "Store", "StoreUnavailable", "open_store", "sqlite_engine"]
