"""A fake provider, a media store whose disk may be full, and transports that are closed after the test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.media import MediaSettings, MediaStore
from tests.gateway.provider import Provider
from tests.gateway.transport.kit import Disk, Made


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def media(tmp_path: Path, disk: Disk) -> Iterator[MediaStore]:
    store = MediaStore(tmp_path, MediaSettings(), FrozenClock(), free_bytes=lambda: disk.free)
    yield store
    store.close()


@pytest.fixture
async def make(media: MediaStore) -> AsyncIterator[Made]:
    made = Made(media)
    yield made
    for transport in made.open:
        await transport.__aexit__()
