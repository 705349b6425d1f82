"""The one write path: what is acknowledged, in which groups, and what those who wait hear when it fails."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.clock import FrozenClock
from gateway.store import intake
from gateway.store.intake import LostClaim
from gateway.store.migrate import upgrade
from gateway.store.store import Store, StoreUnavailable, open_store, sqlite_engine
from gateway.store.tx import Tx
from gateway.store.work import RECEIVE_SHARE, Job, Pending, Watch, Work
from normalizer.ids import IntakeId
from tests.store.conftest import BOTH
from tests.store.races import nobody_else_writes
from tests.store.rows import dead_row, intake_row


def stored(store: Store) -> list[int]:
    with store.engine.connect() as connection:
        connection.execution_options(deferred=True)
        return [row[0] for row in connection.exec_driver_sql("SELECT id FROM intake ORDER BY id")]


async def test_many_that_wait_share_a_commit(store: Store) -> None:
    await store.receive([intake_row(1)])
    commits: list[tuple[str, float, int]] = []
    store.work.watch = Watch(lambda: 7.0, lambda *commit: commits.append(commit))
    with nobody_else_writes(store):
        waiting = [asyncio.ensure_future(store.receive([intake_row(id)])) for id in range(2, 302)]
        await asyncio.wait(waiting, timeout=0.05)
        assert not any(one.done() for one in waiting), "nothing is acknowledged before its commit"
    await asyncio.gather(*waiting)
    assert len(commits) <= 2, "the one that was under way, and all that came meanwhile"
    assert {(room, seconds) for room, seconds, _ in commits} == {("receive", 0.0)}
    assert stored(store) == list(range(1, 302))
    assert sum(items for _, _, items in commits) == 300


async def test_what_is_acknowledged_is_there_for_others(store: Store) -> None:
    """Every row of a call, at the very moment of its acknowledgement."""

    async def receive(call: int) -> None:
        ids = range(call * 100, call * 100 + 20)
        await store.receive([intake_row(id) for id in ids])
        assert set(ids) <= set(stored(store))

    await asyncio.gather(*(receive(call) for call in range(1, 60)))


async def test_nothing_to_receive_is_received(store: Store) -> None:
    await store.receive([])
    assert stored(store) == []


async def test_a_call_that_is_refused_is_refused_whole_and_alone(store: Store) -> None:
    await store.receive([intake_row(1)])
    with nobody_else_writes(store):
        under_way = asyncio.ensure_future(store.receive([intake_row(2)]))
        await asyncio.wait([under_way], timeout=0.05)
        calls = [[intake_row(3), intake_row(4)], [intake_row(5), intake_row(1)], [intake_row(6)]]
        waiting = [asyncio.ensure_future(store.receive(rows)) for rows in calls]
        await asyncio.wait(waiting, timeout=0.05)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [type(None), StoreUnavailable, type(None)]
    assert stored(store) == [1, 2, 3, 4, 6]


async def test_of_a_call_that_is_refused_nothing_is_stored_before_it(store: Store) -> None:
    await store.receive([intake_row(1)])
    for id in range(2, 40):
        with pytest.raises(StoreUnavailable):
            await store.receive([intake_row(id), intake_row(1)])
    assert stored(store) == [1]


async def test_a_write_that_takes_too_long_is_given_up_and_the_next_one_goes(
    store_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    store = open_store(store_url, clock, data_dir=tmp_path, write_timeout_ms=50)
    with nobody_else_writes(store), pytest.raises(StoreUnavailable, match="too long"):
        await store.receive([intake_row(1)])
    await store.write(lambda tx: None)
    store.close_now()
    again = open_store(store_url, clock, data_dir=tmp_path)
    await again.receive([intake_row(2)])
    assert 2 in stored(again)
    again.close_now()


async def test_receive_goes_before_jobs(sqlite_store: Store) -> None:
    """On SQLite, where they share one thread."""
    depths: list[int] = []

    def note(tx: Tx) -> None:
        depths.append(intake.depth(tx))

    def busy(tx: Tx) -> None:
        note(tx)
        begun.set()
        go.wait(30)

    begun, go = threading.Event(), threading.Event()
    first = asyncio.ensure_future(sqlite_store.write(busy))
    await asyncio.to_thread(begun.wait, 30)
    rest = [asyncio.ensure_future(sqlite_store.write(note)) for _ in range(3)]
    rows = [sqlite_store.receive([intake_row(id)]) for id in (1, 2)]
    await asyncio.sleep(0)  # what arrives in one turn of the loop is handed in at its end
    assert sqlite_store.work.intake_waits
    go.set()
    await asyncio.gather(first, *rest, *rows)
    assert depths == [0, 2, 2, 2]
    assert not sqlite_store.work.intake_waits


async def test_a_slow_job_keeps_nobody_from_receiving(postgres_store: Store) -> None:
    """On PostgreSQL, where receive has a connection of its own."""
    go = asyncio.Event()
    loop = asyncio.get_running_loop()
    slow = asyncio.ensure_future(
        postgres_store.write(lambda tx: asyncio.run_coroutine_threadsafe(go.wait(), loop).result(30))
    )
    await asyncio.wait_for(postgres_store.receive([intake_row(1)]), 20)
    assert not slow.done()
    go.set()
    await slow


async def test_a_jobs_own_error_belongs_to_its_caller_and_undoes_its_work(store: Store) -> None:
    def lose(tx: Tx) -> None:
        intake.bury(tx, [dead_row(1)])
        intake.finish(tx, [(IntakeId(404), 1)])

    with pytest.raises(LostClaim):
        await store.write(lose)

    def twice(tx: Tx) -> None:
        intake.bury(tx, [dead_row(2)])
        intake.bury(tx, [dead_row(2)])

    with pytest.raises(sa.exc.IntegrityError):
        await store.write(twice)
    assert await store.read(intake.count_dead) == 0
    assert await store.write(lambda tx: "still here") == "still here"


async def test_whoever_stops_waiting_stops_nobody_else(store: Store) -> None:
    with nobody_else_writes(store):
        impatient = asyncio.ensure_future(store.receive([intake_row(1)]))
        patient = asyncio.ensure_future(store.receive([intake_row(2)]))
        job = asyncio.ensure_future(store.write(intake.depth))
        await asyncio.wait([impatient], timeout=0.05)
        impatient.cancel()
        job.cancel()
    await patient
    assert 2 in stored(store)


async def test_a_closed_store_takes_nothing_and_has_finished_what_it_took(
    store_url: str, clock: FrozenClock, tmp_path: Path
) -> None:
    store = open_store(store_url, clock, data_dir=tmp_path)
    waiting = [asyncio.ensure_future(store.receive([intake_row(id)])) for id in range(1, 50)]
    await asyncio.wait(waiting, timeout=0)
    await store.close()
    await asyncio.gather(*waiting)
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.receive([intake_row(99)])
    with pytest.raises(StoreUnavailable, match="closed"):
        await store.write(lambda tx: None)
    again = open_store(store_url, clock, data_dir=tmp_path)
    assert stored(again) == list(range(1, 50))
    again.close_now()


async def test_reading_waits_for_no_writer(store: Store) -> None:
    await store.receive([intake_row(1)])
    with nobody_else_writes(store) as writer:
        writer.exec_driver_sql("DELETE FROM intake")
        assert await asyncio.wait_for(store.read(intake.depth), 20) == 1


# -- trouble ------------------------------------------------------------------------------------------------------


@pytest.fixture(params=BOTH)
def own_store(request: pytest.FixtureRequest, clock: FrozenClock, tmp_path: Path) -> Iterator[Store]:
    """A store on a database of its own, which the test may break."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/own.db"
        engine = sqlite_engine(url)
    else:
        url = request.getfixturevalue("postgres_db")
        engine = sa.create_engine(url)
    upgrade(engine)
    engine.dispose()
    opened = open_store(url, clock, data_dir=tmp_path)
    yield opened
    opened.close_now()


async def test_a_group_that_fails_fails_all_whom_it_carried(own_store: Store) -> None:
    with nobody_else_writes(own_store) as other:
        waiting = [asyncio.ensure_future(own_store.receive([intake_row(id)])) for id in range(1, 60)]
        await asyncio.wait(waiting, timeout=0.05)
        other.exec_driver_sql("ALTER TABLE intake RENAME TO away")
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    with own_store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE away RENAME TO intake")
    await own_store.receive([intake_row(100)])
    assert stored(own_store) == [100]


async def test_a_full_disk_refuses_and_keeps_what_it_acknowledged(sqlite_store: Store) -> None:
    sa.event.listen(
        sqlite_store.engine, "connect", lambda connection, _: connection.execute("PRAGMA max_page_count=100")
    )
    acknowledged: list[int] = []
    for id in range(1, 40):
        try:
            await sqlite_store.receive([intake_row(id, raw=bytes(8_192))])
        except StoreUnavailable:
            continue
        acknowledged.append(id)
    assert 0 < len(acknowledged) < 39
    assert stored(sqlite_store) == acknowledged
    with pytest.raises(StoreUnavailable):
        await sqlite_store.write(lambda tx: intake.add(tx, [intake_row(200, raw=bytes(8_192 * 60))]))
    with pytest.raises(StoreUnavailable):
        sqlite_store.write_now(lambda tx: intake.add(tx, [intake_row(200, raw=bytes(8_192 * 60))]))
    sqlite_store.write_now(lambda tx: tx._connection.exec_driver_sql("DELETE FROM intake"))
    await sqlite_store.receive([intake_row(300, raw=bytes(8_192))])
    assert stored(sqlite_store) == [300]


async def test_after_the_server_cut_the_connections_the_next_one_is_new(postgres_store: Store) -> None:
    await postgres_store.receive([intake_row(1)])
    await postgres_store.write(lambda tx: None)
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with postgres_store.engine.connect() as connection:
        connection.exec_driver_sql(cut)
    with pytest.raises(StoreUnavailable):
        await postgres_store.receive([intake_row(2)])
    await postgres_store.receive([intake_row(3)])
    assert stored(postgres_store) == [1, 3]


async def test_reading_and_writing_from_the_command_line_says_so_too(own_store: Store) -> None:
    with own_store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE intake RENAME TO away")
    expected = StoreUnavailable if own_store.database.name == "sqlite" else sa.exc.ProgrammingError
    with pytest.raises(expected):
        own_store.write_now(intake.depth)
    with pytest.raises(expected):
        own_store.read_now(intake.depth)


# --- jobs that share a commit -----------------------------------------------------------------------------------------


class Commits:
    """How many there were."""

    def __init__(self, store: Store) -> None:
        self.count = 0
        sa.event.listen(store.engine, "commit", self._one)

    def _one(self, _connection: object) -> None:
        self.count += 1


async def behind(
    store: Store, *calls: Callable[[Tx], object], items: int = 1, rows: Sequence[int] = ()
) -> list[object]:
    """What comes of these when all of them wait for the writer at once."""
    begun, go = threading.Event(), threading.Event()

    def busy(tx: Tx) -> None:
        begun.set()
        go.wait(30)

    first = asyncio.ensure_future(store.write(busy, items=99))
    await asyncio.to_thread(begun.wait, 30)
    jobs = [asyncio.ensure_future(store.write(call, items=items)) for call in calls]
    received = [store.receive([intake_row(id)]) for id in rows]
    await asyncio.sleep(0)
    go.set()
    await first
    return await asyncio.gather(*jobs, *received, return_exceptions=True)


def adding(id: int) -> Callable[[Tx], object]:
    return lambda tx: intake.add(tx, [intake_row(id)])


def refused(tx: Tx) -> None:
    intake.add(tx, [intake_row(66)])
    raise ZeroDivisionError


async def test_short_jobs_share_a_commit_and_one_that_fails_fails_alone(sqlite_store: Store) -> None:
    commits = Commits(sqlite_store)
    results = await behind(sqlite_store, adding(1), refused, adding(2), rows=(3,))
    assert [type(one) for one in results] == [type(None), ZeroDivisionError, type(None), type(None)]
    assert (stored(sqlite_store), commits.count) == ([1, 2, 3], 2)


async def test_rows_that_are_refused_cost_no_job(sqlite_store: Store) -> None:
    await sqlite_store.receive([intake_row(1)])
    results = await behind(sqlite_store, adding(2), rows=(1,))
    assert [type(one) for one in results] == [type(None), StoreUnavailable]
    assert stored(sqlite_store) == [1, 2]


async def test_a_long_job_has_a_commit_of_its_own(sqlite_store: Store) -> None:
    commits = Commits(sqlite_store)
    await behind(sqlite_store, adding(1), adding(2), items=99, rows=(3,))
    assert commits.count == 4


async def test_trouble_of_the_database_is_everybodys_and_nothing_stays(sqlite_store: Store) -> None:
    def troubled(tx: Tx) -> None:
        raise sa.exc.OperationalError("COMMIT", {}, Exception("disk I/O error"))

    results = await behind(sqlite_store, adding(1), troubled, rows=(2,))
    assert [type(one) for one in results] == [StoreUnavailable] * 3
    assert stored(sqlite_store) == []


async def test_while_rows_wait_short_jobs_ride_along_and_put_no_long_one_off() -> None:
    now = 0.0
    work, future = Work(together=2), asyncio.get_running_loop().create_future()
    work.watch = Watch(lambda: now, lambda _room, _seconds, _items: None)
    row = [Pending(intake_row(1), future)]
    first, long = (Job(intake.depth, future, items=99) for _ in range(2))
    a, b, c = (Job(intake.depth, future) for _ in range(3))
    prompt = Job(intake.depth, future, is_prompt=True)
    work.add_job(first)
    assert work.take(intake=True, jobs=True) == ([], [first])
    now = 10.0
    work.rested(began=0.0)
    until = now + RECEIVE_SHARE * 10.0
    for one in (long, a, b, c):
        work.add_job(one)
    for expected in ([a, b], [c], []):
        work.add_rows(row)
        assert work.take(intake=True, jobs=True) == (row, expected)
        now += 1.0
        work.rested(began=now - 1.0)
    work.add_rows(row)
    work.add_job(prompt)
    assert work.take(intake=True, jobs=True) == (row, [prompt])
    work.rested(began=now - 5.0)
    now = until
    work.add_rows(row)
    assert work.take(intake=True, jobs=True) == (row, [long])


async def test_jobs_on_postgresql_share_nothing(postgres_store: Store) -> None:
    commits = Commits(postgres_store)
    await asyncio.gather(*(postgres_store.write(adding(id)) for id in (1, 2, 3)))
    assert commits.count == 3


async def test_what_cannot_wait_goes_before_what_came_first(sqlite_store: Store) -> None:
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()

    def busy(tx: Tx) -> None:
        begun.set()
        go.wait(30)

    first = asyncio.ensure_future(sqlite_store.write(busy))
    await asyncio.to_thread(begun.wait, 30)
    late = asyncio.ensure_future(sqlite_store.write(lambda tx: order.append("any")))
    await asyncio.sleep(0)
    soon = asyncio.ensure_future(sqlite_store.write(lambda tx: order.append("prompt"), is_prompt=True))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, late, soon)
    assert order == ["prompt", "any"]


async def test_what_is_told_of_a_commit_is_told_before_the_next(sqlite_store: Store) -> None:
    told: list[str] = []
    first = sqlite_store.write(lambda tx: "a", then=told.append)
    second = sqlite_store.write(lambda tx: told.append("b"))
    await asyncio.gather(first, second)
    assert told == ["a", "b"]
