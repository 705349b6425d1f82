from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from gateway.store.migrate import HEAD, DatabaseTooNew, current, is_current, upgrade
from gateway.store.schema import metadata
from gateway.store.store import sqlite_engine
from tests.servers import Postgres
from tests.store.conftest import BOTH


@pytest.fixture(params=BOTH)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[sa.Engine]:
    """A database with nothing in it."""
    if request.param == "sqlite":
        made = sqlite_engine(f"sqlite:///{tmp_path}/new.db")
    else:
        made = sa.create_engine(request.getfixturevalue("postgres_db"))
    yield made
    made.dispose()


def test_an_empty_database_gets_the_schema_and_nothing_else(engine: sa.Engine) -> None:
    upgrade(engine)
    with engine.connect() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def definitions(engine: sa.Engine) -> set[str]:
    """Every table and index in the database's own words."""
    query = (
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"
        if engine.dialect.name == "sqlite"
        else "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
        "SELECT table_name || ' ' || ordinal_position || ' ' || column_name || ' ' || data_type || is_nullable || "
        "coalesce(column_default, '') FROM information_schema.columns WHERE table_schema = 'public'"
    )
    with engine.connect() as connection:
        found = [" ".join(row[0].split()) for row in connection.exec_driver_sql(query)]
        return {one for one in found if "alembic_version" not in one}


def test_migrations_write_what_the_schema_says_word_by_word(
    engine: sa.Engine, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    upgrade(engine)
    migrated = definitions(engine)
    assert any("WHERE" in one for one in migrated)
    if engine.dialect.name == "sqlite":
        other = sqlite_engine(f"sqlite:///{tmp_path}/other.db")
        metadata.create_all(other)
        assert definitions(other) == migrated
        other.dispose()
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    with server.database() as url:
        other = sa.create_engine(url)
        metadata.create_all(other)
        assert definitions(other) == migrated
        other.dispose()


def test_a_second_upgrade_changes_nothing(engine: sa.Engine) -> None:
    assert current(engine) is None
    assert not is_current(engine)
    upgrade(engine)
    before = definitions(engine)
    upgrade(engine)
    assert definitions(engine) == before
    assert current(engine) == HEAD
    assert is_current(engine)


def test_programs_that_start_together_upgrade_once(engine: sa.Engine) -> None:
    errors: list[Exception] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait()
        try:
            upgrade(engine)
        except Exception as error:  # noqa: BLE001  because the test wants whatever it was
            errors.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert is_current(engine)


def test_a_database_of_the_future_is_left_alone(engine: sa.Engine) -> None:
    upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    before = definitions(engine)
    with pytest.raises(DatabaseTooNew, match=r"migration 9999, this program knows up to"):
        upgrade(engine)
    assert definitions(engine) == before
    assert current(engine) == "9999"
    assert not is_current(engine)


def test_an_upgrade_that_fails_leaves_nothing_behind(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE parked (id INTEGER)")
    before = definitions(engine)
    with pytest.raises(sa.exc.DBAPIError):
        upgrade(engine)
    assert definitions(engine) == before
    assert current(engine) is None


def test_the_newest_script_is_the_one_that_readiness_asks_for() -> None:
    folder = Path(__file__).parents[2] / "gateway" / "store" / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [HEAD]
