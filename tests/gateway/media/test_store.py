"""gateway/media/store.py: whole or not at all, named by content, swept when old and unused."""

import asyncio
import errno
import hashlib
import os
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from gateway.clock import FrozenClock
from gateway.media import (
    Empty,
    MediaSettings,
    MediaStore,
    Missing,
    Stopped,
    Stored,
    TooLarge,
)
from gateway.media.store import Incoming

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(50)


class Disk:
    free = 10**12


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def media(tmp_path: Path, clock: FrozenClock, disk: Disk) -> Iterator[MediaStore]:
    settings = MediaSettings(
        max_bytes=1_000_000, min_free_bytes=1000, media_min_free_bytes=5000, temp_max_age_s=60, write_bytes=4096
    )
    store = MediaStore(tmp_path, settings, clock, free_bytes=lambda: disk.free)
    yield store
    store.close()


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def name_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def files(root: Path) -> set[str]:
    return {
        str(path.relative_to(root / "media")) for path in root.rglob("*") if path.is_file() and path.name != ".lock"
    }


# --- store --------------------------------------------------------------------------------------------------------


async def test_bytes_are_stored_under_their_hash(media: MediaStore, tmp_path: Path) -> None:
    data = PNG + bytes(20_000)
    stored = await media.put(stream(data[:10], data[10:9000], b"", data[9000:]))
    assert stored == Stored(name_of(data), len(data), "image/png")
    with await media.open(stored.sha256) as file:
        assert file.read() == data
    assert files(tmp_path) == {f"{stored.sha256[:2]}/{stored.sha256[2:]}"}


async def test_the_same_bytes_are_stored_once(media: MediaStore, tmp_path: Path) -> None:
    assert await media.put(stream(PNG)) == await media.put(stream(PNG[:20], PNG[20:]))
    assert len(files(tmp_path)) == 1


async def test_a_name_appears_when_its_bytes_are_on_the_disk(
    media: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Order: file synced, renamed, folder synced."""
    done: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def seen_fsync(handle: int) -> None:
        fsync(handle)
        done.append("folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")

    def seen_replace(path: Path, target: Path) -> Path:
        done.append("rename")
        return replace(path, target)

    await media.put(stream(PNG))
    path = media.path(name_of(PNG))
    path.unlink()
    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    await media.put(stream(PNG))
    assert done == ["file", "rename", "folder"]
    path.unlink()
    path.parent.rmdir()
    done.clear()
    await media.put(stream(PNG))
    assert done == ["file", "folder", "rename", "folder"]


@pytest.mark.parametrize("chunks", [(bytes(100),), (bytes(60), bytes(40)), (b"x",) * 100])
async def test_the_limit_is_allowed(media: MediaStore, chunks: tuple[bytes, ...]) -> None:
    assert (await media.put(stream(*chunks), max_bytes=100)).size == 100


@pytest.mark.parametrize("chunks", [(bytes(101),), (bytes(60), bytes(41)), (b"x",) * 101])
async def test_one_byte_more_is_not_and_leaves_nothing(
    media: MediaStore, tmp_path: Path, chunks: tuple[bytes, ...]
) -> None:
    with pytest.raises(TooLarge):
        await media.put(stream(*chunks), max_bytes=100)
    assert files(tmp_path) == set()


async def test_too_much_is_noticed_while_it_comes(media: MediaStore, tmp_path: Path) -> None:
    """Also after something was written; and an endless stream ends."""

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(5000)

    with pytest.raises(TooLarge):
        await media.put(endless())
    assert files(tmp_path) == set()


async def test_the_callers_limit_does_not_lift_the_settings(media: MediaStore) -> None:
    with pytest.raises(TooLarge):
        await media.put(stream(bytes(1_000_001)), max_bytes=10**9)


@pytest.mark.parametrize("chunks", [(), (b"",)])
async def test_nothing_is_not_stored(media: MediaStore, tmp_path: Path, chunks: tuple[bytes, ...]) -> None:
    with pytest.raises(Empty):
        await media.put(stream(*chunks))
    assert files(tmp_path) == set()


async def test_a_stream_that_breaks_leaves_nothing(media: MediaStore, tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(10_000)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await media.put(broken())
    assert files(tmp_path) == set()


async def test_a_cancelled_put_leaves_nothing(media: MediaStore, tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield bytes(10_000)
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(media.put(stuck()))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert files(tmp_path) == set()


async def test_cancelling_waits_for_the_thread_that_writes(
    media: MediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is not closed under it."""
    loop, writing, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    write, ended = Incoming.write, []

    def slow_write(incoming: Incoming, piece: bytes) -> None:
        loop.call_soon_threadsafe(writing.set)
        go_on.wait(10)
        write(incoming, piece)
        ended.append(True)

    monkeypatch.setattr(Incoming, "write", slow_write)
    task = asyncio.create_task(media.put(stream(PNG)))
    await writing.wait()
    task.cancel()
    loop.call_soon(go_on.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]
    assert files(tmp_path) == set()


async def test_delete_tells_whether_there_was_something(media: MediaStore) -> None:
    stored = await media.put(stream(PNG))
    assert await media.delete(stored.sha256) is True
    assert await media.delete(stored.sha256) is False
    with pytest.raises(Missing):
        await media.open(stored.sha256)


@pytest.mark.parametrize(
    "name", ["", "..", "../../etc/passwd", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", "/" + "a" * 63]
)
async def test_what_is_no_hash_is_no_file(media: MediaStore, name: str) -> None:
    with pytest.raises(Missing):
        await media.open(name)
    with pytest.raises(Missing):
        await media.delete(name)


# --- room on the disk ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (5000, "ok"),
        (4999, "media_stopped"),
        (1000, "media_stopped"),
        (999, "intake_stopped"),
        (0, "intake_stopped"),
    ],
)
def test_media_stop_first_then_the_intake(media: MediaStore, disk: Disk, free: int, state: str) -> None:
    disk.free = free
    assert media.disk_state() == state


def test_the_real_disk_has_room(tmp_path: Path, clock: FrozenClock) -> None:
    store = MediaStore(tmp_path, MediaSettings(), clock)
    found = os.statvfs(tmp_path)
    assert abs(store.free_bytes() - found.f_bavail * found.f_frsize) < 2**30
    store.close()


async def test_no_file_is_taken_when_media_are_stopped(media: MediaStore, disk: Disk, tmp_path: Path) -> None:
    disk.free = 4999
    with pytest.raises(Stopped):
        await media.put(stream(PNG))
    assert files(tmp_path) == set()


async def test_a_disk_that_fills_while_writing_stops_the_file(
    media: MediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(incoming: Incoming) -> None:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(Incoming, "sync", full)
    with pytest.raises(Stopped):
        await media.put(stream(PNG))
    assert files(tmp_path) == set()


async def test_other_trouble_with_the_disk_is_not_hidden(
    media: MediaStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(incoming: Incoming) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(Incoming, "sync", broken)
    with pytest.raises(OSError, match="broken"):
        await media.put(stream(PNG))
    assert files(tmp_path) == set()


# --- sweeping -----------------------------------------------------------------------------------------------------


async def test_sweep_deletes_what_is_old_and_unused(media: MediaStore, clock: FrozenClock) -> None:
    used, unused = await media.put(stream(PNG)), await media.put(stream(JPEG))
    clock.advance(3600)
    young = await media.put(stream(b"young"))
    clock.advance(1)
    asked: list[Sequence[str]] = []

    def keep(names: Sequence[str]) -> set[str]:
        asked.append(names)
        return {used.sha256, "something else"}

    swept = await media.sweep(keep, older_than_s=3600)
    assert (swept.files, swept.bytes) == (1, len(JPEG))
    assert sorted(name for names in asked for name in names) == sorted([used.sha256, unused.sha256])
    assert media.path(used.sha256).exists()
    assert media.path(young.sha256).exists()
    assert not media.path(unused.sha256).exists()


async def test_sweep_asks_in_batches(media: MediaStore, clock: FrozenClock) -> None:
    for number in range(5):
        await media.put(stream(bytes([number])))
    clock.advance(10)
    sizes: list[int] = []

    def keep(names: Sequence[str]) -> set[str]:
        sizes.append(len(names))
        return set()

    assert (await media.sweep(keep, older_than_s=1, batch=2)).files == 5
    assert sizes == [2, 2, 1]


async def test_bytes_that_come_again_during_a_sweep_stay(media: MediaStore, clock: FrozenClock) -> None:
    """They are put after the database was asked, and before they would have been deleted."""
    stored = await media.put(stream(PNG))
    clock.advance(7200)
    loop = asyncio.get_running_loop()

    def keep(names: Sequence[str]) -> set[str]:
        asyncio.run_coroutine_threadsafe(media.put(stream(PNG)), loop).result(10)
        return set()

    assert (await media.sweep(keep, older_than_s=3600)).files == 0
    assert media.path(stored.sha256).exists()


async def test_the_start_sweeps_what_a_crash_left(media: MediaStore, tmp_path: Path, clock: FrozenClock) -> None:
    stored = await media.put(stream(PNG))
    now = clock.now().timestamp()
    for name, age in (("old", 61), ("being written", 59)):
        path = tmp_path / "media" / "tmp" / name
        path.write_bytes(b"half")
        os.utime(path, (now - age, now - age))
    swept = await media.sweep_temp()
    assert (swept.files, swept.bytes) == (1, 4)
    assert files(tmp_path) == {"tmp/being written", f"{stored.sha256[:2]}/{stored.sha256[2:]}"}
