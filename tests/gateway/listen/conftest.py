"""A stage on SQLite: what differs between the databases is tested with the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.media import MediaSettings, MediaStore
from gateway.sandbox.imap import ImapServer
from gateway.store.store import Store
from gateway.transport import GuardSettings, Transport, TransportSettings
from tests.gateway.listen.box import PASSWORD, USER, Box
from tests.gateway.listen.kit import Stage
from tests.store.conftest import clock, empty_sqlite, sqlite_store, sqlite_url

__all__ = ["clock", "empty_sqlite", "sqlite_store", "sqlite_url"]


@pytest.fixture
async def stage(sqlite_store: Store, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Stage]:
    media = MediaStore(tmp_path / "files", MediaSettings(min_free_bytes=0, media_min_free_bytes=0), clock)
    async with Transport(TransportSettings(), GuardSettings(), media, clock) as transport:
        yield Stage(sqlite_store, clock, transport)
    media.close()


@pytest.fixture
async def box(stage: Stage, clock: FrozenClock) -> AsyncIterator[Box]:
    server = ImapServer(lambda user, secret: user == USER and secret == PASSWORD, clock.now)
    yield Box(stage, server, await server.start())
    await server.close()
