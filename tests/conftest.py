"""Fixtures that every test may use: real servers on loopback, and a browser.

What is missing on this machine is skipped with its reason; THROUGHLINE_REQUIRE_SERVERS=1 makes it a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import servers
from tests.gateway.transport.kit import self_signed

# Helpers outside test modules explain their asserts, too.
pytest.register_assert_rewrite("tests.kit")

MARKERS = {
    "postgres_server": "postgres", "redis_server": "redis", "chromium_path": "browser", "dovecot_server": "dovecot",
}  # fmt: skip
"""A test that uses the fixture carries the marker: `-m "not postgres"` needs no label by hand."""

BROWSER_PATIENCE_MS = 40_000
"""How long a page may take to show what is expected: the machine may be busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for fixture, marker in MARKERS.items():
            if fixture in getattr(item, "fixturenames", ()):
                item.add_marker(marker)


@contextmanager
def needs(what: str) -> Iterator[None]:
    """Turn a missing program into a skip, or into a failure where the machine is required to have it."""
    try:
        yield
    except servers.Unavailable as missing:
        reason = f"needs {what}: {missing}"
        if os.environ.get("THROUGHLINE_REQUIRE_SERVERS") == "1":
            raise pytest.fail.Exception(reason, pytrace=False) from None
        raise pytest.skip.Exception(reason) from None


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.Postgres]:
    """One PostgreSQL server for the whole run. No test cuts the power, so it does not fsync."""
    with needs("PostgreSQL"), servers.postgres_server(durable=False) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: servers.Postgres) -> str:
    """The SQLAlchemy URL of that server's `postgres` database."""
    return postgres_server.url


@pytest.fixture
def postgres_db(postgres_server: servers.Postgres) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh database; dropped after the test, whoever is still connected."""
    with postgres_server.database() as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[servers.Redis]:
    """One Redis server for the whole run."""
    with needs("Redis"), servers.redis_server() as server:
        yield server


@pytest.fixture(scope="session")
def redis_url(redis_server: servers.Redis) -> str:
    """The URL of that server, with whatever earlier tests left in it."""
    return redis_server.url


@pytest.fixture
def redis_db(redis_server: servers.Redis) -> Iterator[str]:
    """The URL of that server, emptied after the test."""
    yield redis_server.url
    redis_server.clear()


@pytest.fixture(scope="session")
def dovecot_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the mail server, for those who are told to trust it."""
    folder = tmp_path_factory.mktemp("dovecot")
    self_signed(folder)
    return folder / "both.pem"


@pytest.fixture(scope="session")
def dovecot_server(dovecot_certificate: Path) -> Iterator[servers.Dovecot]:
    """One Dovecot for the whole run."""
    with needs("Dovecot"), servers.dovecot_server(dovecot_certificate) as server:
        yield server


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """The browser for playwright: `launch(executable_path=..., args=servers.chromium_arguments())`."""
    from playwright.async_api import expect

    # Here alone: it holds for every test of the process, in whatever order they run.
    expect.set_options(timeout=BROWSER_PATIENCE_MS)
    with needs("a browser"):
        return servers.find_chromium()
