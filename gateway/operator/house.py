"""The store as a command sees it: beside a gateway that may be running, for a moment, without its lock."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.settings import Config
from gateway.store import migrate
from gateway.store.reads import highest_number
from gateway.store.store import Store, StoreUnavailable, open_store

MIGRATE = "run `throughline migrate`, or start the gateway once"


@contextmanager
def opened(config: Config, clock: Clock | None = None) -> Iterator[Store]:
    """A migrated store. Raises Failed when it is not there, StoreUnavailable when it does not answer."""
    path = sqlite_file(config)
    if path is not None and not path.exists():
        raise Failed(f"There is no database at {path}: {MIGRATE}")
    with connected(config, clock) as store:
        if not migrated(store):
            raise Failed(f"The database has not this version's tables: {MIGRATE}")
        yield store


@contextmanager
def connected(config: Config, clock: Clock | None = None) -> Iterator[Store]:
    """Whatever state it is in; on SQLite it is made where it is missing."""
    store = open_store(
        config.store.url, clock or Clock(), data_dir=Path(config.store.data_dir), writers=1, readers=1,
        write_timeout_ms=config.server.write_timeout_ms, serving=False,
    )  # fmt: skip
    try:
        yield store
    finally:
        store.close_now()


def migrated(store: Store) -> bool:
    try:
        return migrate.is_current(store.engine)
    except sa.exc.OperationalError as error:
        raise StoreUnavailable(type(error).__name__) from error


def sqlite_file(config: Config) -> Path | None:
    """None: the database is no file of ours."""
    url = sa.make_url(config.store.url)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def new_ids(store: Store, clock: Clock | None = None) -> Ids:
    """Numbers above all that the store knows."""
    return Ids(clock or Clock(), above=store.read_now(highest_number))
