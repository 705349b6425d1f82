"""The rooms on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.media import MediaSettings, MediaStore
from gateway.store.store import Store
from gateway.transport import GuardSettings, Transport, TransportSettings
from tests.rooms.graph import Graph
from tests.rooms.world import World
from tests.store.conftest import (
    clock,
    empty_sqlite,
    postgres_store,
    postgres_store_url,
    shared_postgres,
    sqlite_store,
    sqlite_url,
    store,
    store_url,
)

__all__ = [
    "clock", "empty_sqlite", "postgres_store", "postgres_store_url", "shared_postgres", "sqlite_store", "sqlite_url",
    "store", "store_url",
]  # fmt: skip


@pytest.fixture
async def graph() -> AsyncIterator[Graph]:
    running = Graph()
    async with running:
        yield running


@pytest.fixture
async def transport(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Transport]:
    settings = MediaSettings(min_free_bytes=0, media_min_free_bytes=0)
    media = MediaStore(tmp_path / "files", settings, clock)
    async with Transport(TransportSettings(), GuardSettings(), media, clock) as made:
        yield made
    media.close()


@pytest.fixture
def world(store: Store, clock: FrozenClock, graph: Graph, transport: Transport) -> World:
    return World(store, clock, graph, transport)


@pytest.fixture
def postgres_world(postgres_store: Store, clock: FrozenClock, graph: Graph, transport: Transport) -> World:
    return World(postgres_store, clock, graph, transport)


@pytest.fixture
def sqlite_world(sqlite_store: Store, clock: FrozenClock, graph: Graph, transport: Transport) -> World:
    return World(sqlite_store, clock, graph, transport)
