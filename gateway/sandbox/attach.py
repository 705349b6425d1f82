"""Hangs the sandbox beside a gateway that is about to start: its routes, its deliveries, its key for `/v1`.

Rule: what a run leaves for the next one lies in the data folder: the key, the phones' memory.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from aiohttp import web
from msgspec import Struct

from gateway.core import Core
from gateway.sandbox.api import SandboxApi
from gateway.sandbox.keeping import bring_back, keep
from gateway.sandbox.memory import recall, remember
from gateway.sandbox.news import News
from gateway.sandbox.page import pages
from gateway.sandbox.places import PlacesApi
from gateway.sandbox.stage import Stage
from gateway.security import Presented, Scope, allows, from_header, is_genuine, new_token
from gateway.store import keys

if TYPE_CHECKING:
    from gateway.app import House

MEMORY_FILE = "sandbox.memory"
NOTE_FILE = "sandbox.json"
FIRST_CUSTOMER = ("Ana Ribeiro", "351912345678")


class Note(Struct, frozen=True):
    """Where the demo that uses this folder is found, for `throughline simulate` and for scripts."""

    url: str
    token: str


async def attach(house: "House", app: web.Application) -> None:
    core = house.core
    stage = Stage(core)
    token = await _token(core)
    folder = Path(core.config.store.data_dir)
    _write_private(folder / NOTE_FILE, msgspec.json.encode(Note(core.config.public_url, token)))
    api, places = SandboxApi(stage, token), PlacesApi(stage)
    app.router.add_routes([*api.routes(), *api.guarded(places.routes()), *places.provider(), *pages()])
    app.cleanup_ctx.append(_running(stage, folder / MEMORY_FILE))
    app.on_shutdown.append(_stopping(stage.news))


def read_note(folder: Path) -> Note | None:
    """None: no demo has used this folder."""
    try:
        return msgspec.json.decode((folder / NOTE_FILE).read_bytes(), type=Note)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def _running(stage: Stage, path: Path) -> Callable[[web.Application], AsyncIterator[None]]:
    async def running(app: web.Application) -> AsyncIterator[None]:
        phones = stage.host.phones
        recall(phones, path, stage.core.clock.now())
        if not phones.customers:
            phones.add(*FIRST_CUSTOMER)
        stage.met()
        bring_back(stage.places.values(), path.parent)
        async with stage.running():
            yield
        remember(phones, path)
        keep(stage.places.values(), path.parent)

    return running


def _stopping(news: News) -> Callable[[web.Application], Awaitable[None]]:
    async def stopping(app: web.Application) -> None:
        """Requests that wait for news end now, and not when their time is over."""
        news.stop()

    return stopping


async def _token(core: Core) -> str:
    """That of the last run while it is good; clients that were tried out go on working."""
    note = read_note(Path(core.config.store.data_dir))
    shown = from_header(f"Bearer {note.token}") if note is not None else None
    if note is not None and shown is not None and await _is_good(core, shown):
        return note.token
    token, record = new_token(core.ids.token(), core.ids.token(), name="the counter", scope=Scope.ADMIN,
                              created_at=core.clock.now())  # fmt: skip
    await core.store.write(lambda tx: keys.add(tx, record))
    return token


async def _is_good(core: Core, shown: Presented) -> bool:
    record = await core.store.read(lambda tx: keys.get(tx, shown.id))
    return record is not None and is_genuine(shown, record, core.clock.now()) and allows(record, Scope.ADMIN)


def _write_private(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
