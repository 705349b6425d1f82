"""One suite, both databases: every test that takes `store` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.clock import FrozenClock
from gateway.store.migrate import upgrade
from gateway.store.schema import metadata
from gateway.store.store import Store, open_store, sqlite_engine
from tests import servers

BOTH = [pytest.param("sqlite"), pytest.param("postgresql", marks=pytest.mark.postgres)]

EMPTIED = "; ".join(f"DELETE FROM {table.name}" for table in metadata.sorted_tables)
"""In one exchange with the server."""
PATIENCE_MS = 20_000
"""A disk that others keep busy is not what a test asks about."""


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated database without rows, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "gateway.db"
    engine = sqlite_engine(f"sqlite:///{path}")
    upgrade(engine)
    engine.dispose()
    return path


@pytest.fixture(scope="session")
def shared_postgres(postgres_server: servers.Postgres) -> Iterator[sa.Engine]:
    """A migrated database, emptied for each test. Its connection is kept: a new one costs more than most tests do."""
    with postgres_server.database() as url:
        engine = sa.create_engine(url, pool_pre_ping=True)  # a test may have cut everybody off
        upgrade(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def sqlite_url(empty_sqlite: Path, tmp_path: Path) -> str:
    path = tmp_path / "gateway.db"
    shutil.copy(empty_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgres_store_url(shared_postgres: sa.Engine) -> str:
    with shared_postgres.begin() as connection:
        connection.exec_driver_sql(EMPTIED)
    return shared_postgres.url.render_as_string(hide_password=False)


@pytest.fixture(params=BOTH)
def store_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database of either kind."""
    url: str = request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_store_url")
    return url


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(store_url: str, clock: FrozenClock, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(store_url, clock, data_dir=tmp_path, write_timeout_ms=PATIENCE_MS)
    yield opened
    opened.close_now()


@pytest.fixture
def postgres_store(postgres_store_url: str, clock: FrozenClock) -> Iterator[Store]:
    opened = open_store(postgres_store_url, clock, write_timeout_ms=PATIENCE_MS)
    yield opened
    opened.close_now()


@pytest.fixture
def sqlite_store(sqlite_url: str, clock: FrozenClock, tmp_path: Path) -> Iterator[Store]:
    opened = open_store(sqlite_url, clock, data_dir=tmp_path, write_timeout_ms=PATIENCE_MS)
    yield opened
    opened.close_now()
