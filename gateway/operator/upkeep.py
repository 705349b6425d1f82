"""Bringing the database to this version, and deleting what the retention settings no longer keep."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa
from msgspec import Struct

from gateway.clock import Clock
from gateway.commands import Failed
from gateway.media import MediaStore, Swept
from gateway.operator.house import connected, opened
from gateway.settings import Config
from gateway.store import files, retention
from gateway.store.migrate import HEAD, DatabaseTooNew, upgrade
from gateway.store.retention import Kind
from gateway.store.store import Store, StoreUnavailable

DAY_MS = 86_400_000
BATCH = 500
"""Rows that one transaction changes: the gateway waits for it."""


class Pruned(Struct, frozen=True, kw_only=True):
    what: str
    count: int
    bytes: int | None = None


def migrate(config: Config) -> str:
    """The revision that the database is at now."""
    Path(config.store.data_dir).mkdir(parents=True, exist_ok=True)
    with connected(config) as store:
        try:
            upgrade(store.engine)
        except DatabaseTooNew as error:
            raise Failed(str(error)) from None
        except sa.exc.OperationalError as error:
            raise StoreUnavailable(type(error).__name__) from error
    return HEAD


def prune(config: Config, *, dry_run: bool = False, clock: Clock | None = None) -> list[Pruned]:
    """What was deleted, or would be. Kinds of which nothing was old enough are left out."""
    clock = clock or Clock()
    due = _due(config)
    with opened(config, clock) as store:
        done = [
            Pruned(what=kind.name, count=_walk(store, kind, store.now() - days * DAY_MS, dry_run)) for kind, days in due
        ]
        done += _media(config, store, clock, dry_run)
    return [one for one in done if one.count]


def _due(config: Config) -> list[tuple[Kind, int]]:
    raw, seen = config.rooms.raw_retention_days, config.rooms.dedupe_retention_days
    finished = config.rooms.finished_retention_days
    wanted = [
        (retention.RAW, raw),
        (retention.REPLAYED, raw),
        (retention.KEYS, seen),
        (retention.COMMANDS, finished),
        (retention.ANSWERED_ROWS, finished),
    ]
    return [(kind, days) for kind, days in wanted if days is not None]


def _walk(store: Store, kind: Kind, before: int, dry_run: bool) -> int:
    after, count = kind.first, 0
    while found := _found(store, kind, after, before):
        after = found[-1]
        count += len(found) if dry_run else _changed(store, kind, found)
    return count


def _found(store: Store, kind: Kind, after: object, before: int) -> list[object]:
    return store.read_now(lambda tx: retention.find(tx, kind, after, before, BATCH))


def _changed(store: Store, kind: Kind, found: Sequence[object]) -> int:
    return store.write_now(lambda tx: retention.change(tx, kind, found))


# --- files --------------------------------------------------------------------------------------------------------


def _media(config: Config, store: Store, clock: Clock, dry_run: bool) -> list[Pruned]:
    """Files that no message uses. Uses are counted anew before: a file goes only if no message names it."""
    age_s = config.media.unused_ttl_s
    _recount(store)
    media = MediaStore(Path(config.store.data_dir), config.media, clock)
    try:
        swept = asyncio.run(_sweep(media, store, age_s, dry_run))
    finally:
        media.close()
    records = _walk(store, retention.FILES, store.now() - age_s * 1000, dry_run)
    return [
        Pruned(what="files that no message uses", count=swept.files, bytes=swept.bytes),
        Pruned(what=retention.FILES.name, count=records),
    ]


async def _sweep(media: MediaStore, store: Store, age_s: int, dry_run: bool) -> Swept:
    unused = 0

    def keep(names: Sequence[str]) -> set[str]:
        nonlocal unused
        used = store.read_now(lambda tx: files.used(tx, names))
        unused += len(set(names) - used)
        return set(names) if dry_run else used

    swept = await media.sweep(keep, age_s)
    return Swept(unused, 0) if dry_run else swept


def _recount(store: Store) -> None:
    after = retention.FIRST_TEXT
    while True:
        following, uses = _uses(store, after)
        if uses:
            _use(store, uses)
        if following is None:
            return
        after = following


def _uses(store: Store, after: str) -> tuple[str | None, list[retention.Use]]:
    return store.read_now(lambda tx: retention.uses(tx, after, BATCH))


def _use(store: Store, uses: list[retention.Use]) -> None:
    store.write_now(lambda tx: files.use(tx, uses))
