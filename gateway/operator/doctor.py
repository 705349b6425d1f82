"""What is in order and what is not: configuration, key, disk, database, AI engine, and every channel's provider.

Rule: every check runs, whatever those before it found; none of them changes anything or writes to anybody.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct
from sqlalchemy.exc import DatabaseError

from gateway.api.channels import probe
from gateway.clock import Clock, Ids
from gateway.commands import Failed
from gateway.commands.words import of_the_database
from gateway.credentials import Credentials
from gateway.media import MediaStore
from gateway.operator.house import opened
from gateway.security import key_id
from gateway.settings import Config
from gateway.store.migrate import HEAD
from gateway.store.reads import alive
from gateway.store.store import Store, StoreUnavailable
from gateway.transport import Transport


class Finding(Struct, frozen=True, kw_only=True):
    check: str
    ok: bool
    detail: str


def doctor(config: Config) -> list[Finding]:
    """One finding for each check; several channels are asked at once."""
    return [*(check(config) for check in CHECKS), *_channels(config)]


def _configuration(config: Config) -> Finding:
    return Finding(check="configuration", ok=True, detail=f"in order, {len(config.endpoints)} endpoints")


def _key(config: Config) -> Finding:
    return Finding(check="key", ok=bool(config.key), detail=f"there, id {key_id(config.key)}")


def _data_dir(config: Config) -> Finding:
    folder = Path(config.store.data_dir)
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding(check="data_dir", ok=False, detail=f"{existing} cannot be written to")
    return Finding(check="data_dir", ok=True, detail=f"{folder} can be written to" if existing == folder else
                   f"{folder} will be made")  # fmt: skip


def _disk(config: Config) -> Finding:
    folder = Path(config.store.data_dir)
    free = shutil.disk_usage(next(path for path in (folder, *folder.parents) if path.exists())).free
    media = config.media
    text = f"{free // 1_048_576} MiB free"
    if free < media.min_free_bytes:
        return Finding(check="disk", ok=False, detail=f"{text}: nothing is taken in below `media.min_free_bytes`")
    if free < media.media_min_free_bytes:
        return Finding(check="disk", ok=False, detail=f"{text}: no files below `media.media_min_free_bytes`")
    return Finding(check="disk", ok=True, detail=text)


def _database(config: Config) -> Finding:
    try:
        with opened(config) as store:
            store.read_now(alive)
    except Failed as error:
        return Finding(check="database", ok=False, detail=str(error))
    except (StoreUnavailable, DatabaseError) as error:
        return Finding(check="database", ok=False, detail=of_the_database(error) or type(error).__name__)
    return Finding(check="database", ok=True, detail=f"{store.database.name} answers, revision {HEAD}")


def _engine(config: Config) -> Finding:
    from gateway.compose import make_engine
    from gateway.engines.base import EngineMisconfigured

    try:
        engine = make_engine(config)
    except EngineMisconfigured as error:
        return Finding(check="engine", ok=False, detail=str(error))
    return Finding(check="engine", ok=True, detail="people only" if engine is None else f"{config.ai.engine} starts")


CHECKS: tuple[Callable[[Config], Finding], ...] = (_configuration, _key, _data_dir, _disk, _database, _engine)


# --- channels -----------------------------------------------------------------------------------------------------


def _channels(config: Config) -> list[Finding]:
    return asyncio.run(_probe_all(config)) if config.endpoints else []


async def _probe_all(config: Config) -> list[Finding]:
    from gateway.compose import mount

    clock = Clock()
    asked = [(mounted, channel) for mounted in mount(config) for channel in mounted.channels]
    async with _transport(config, clock) as transport:
        with _store(config) as store:
            credentials = Credentials(store, transport, clock, Ids(clock), config.key, config.credentials)
            answers = await asyncio.gather(
                *(
                    probe(mounted, one.account, credentials, clock, config.api.probe_timeout_ms)
                    for mounted, one in asked
                )
            )
    return [
        Finding(check=f"channel {one.id} ({mounted.type})", ok=health.ok, detail=health.detail)
        for (mounted, one), health in zip(asked, answers, strict=True)
    ]


@contextmanager
def _store(config: Config) -> Iterator[Store | None]:
    """Where tokens are kept. None: there is none, and the check of the database says so."""
    with ExitStack() as stack:
        try:
            store = stack.enter_context(opened(config))
        except (Failed, StoreUnavailable, DatabaseError):
            store = None
        yield store


@asynccontextmanager
async def _transport(config: Config, clock: Clock) -> AsyncIterator[Transport]:
    """With a place for files that nobody else sees: nothing is fetched, and the data stay as they are."""
    with TemporaryDirectory() as folder:
        media = MediaStore(Path(folder), config.media, clock)
        try:
            async with Transport(config.transport, config.guard, media, clock) as transport:
                yield transport
        finally:
            media.close()
