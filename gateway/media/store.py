"""Files on disk under the SHA-256 of their bytes.

    data_dir/media/ab/cdef...   62 more digits
    data_dir/media/tmp/         being written; what a crash leaves here is swept at the next start
    data_dir/media/.lock        held while a name appears or goes

Rule: a name appears when the bytes under it are whole and on the disk (fsync of file and folder), never before.
Rule: nothing waits on the disk in the event loop.
Rule: use is counted in the database. A file that no row knows yet is young: `sweep` leaves young files alone.
"""

import asyncio
import errno
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager, suppress
from functools import partial
from hashlib import sha256 as new_sha256
from io import FileIO
from pathlib import Path
from threading import Lock
from typing import Annotated, BinaryIO, Literal, TypeVar

from msgspec import Meta, Struct

from gateway.clock import Clock
from gateway.media.types import sniff

T = TypeVar("T")

SHA256 = re.compile(r"[0-9a-f]{64}")
HEAD_BYTES = 4096

DiskState = Literal["ok", "media_stopped", "intake_stopped"]


class MediaError(Exception):
    """Base of what this store refuses. `reason` is a code; no text names a file."""

    reason = "media_error"


class TooLarge(MediaError):
    reason = "too_large"


class Empty(MediaError):
    reason = "empty"


class Stopped(MediaError):
    """The disk is nearly full; later it may go."""

    reason = "media_stopped"


class Missing(MediaError):
    reason = "missing"


class MediaSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_bytes: Annotated[int, Meta(ge=1, description="A larger file is not taken.")] = 104_857_600
    min_free_bytes: Annotated[int, Meta(ge=0, description="With less room the intake answers 503.")] = 268_435_456
    media_min_free_bytes: Annotated[int, Meta(ge=0, description="With less room no file is taken.")] = 1_073_741_824
    temp_max_age_s: Annotated[
        int, Meta(ge=0, description="Unfinished files of a crash are deleted when they are this old.")
    ] = 3_600
    write_bytes: Annotated[int, Meta(ge=4096, description="How much is gathered for one write to disk.")] = 262_144
    io_threads: Annotated[int, Meta(ge=1, description="Threads that read and write files.")] = 4


class Stored(Struct, frozen=True):
    sha256: str
    size: int
    mime: str
    """What the bytes are, see `sniff`."""


class Swept(Struct, frozen=True):
    files: int
    bytes: int


class MediaStore:
    """`free_bytes` is asked for the room on the disk; a test may say anything."""

    def __init__(
        self,
        data_dir: Path,
        settings: MediaSettings,
        clock: Clock,
        free_bytes: Callable[[], int] | None = None,
    ) -> None:
        self._root = data_dir / "media"
        self._temp = self._root / "tmp"
        self._settings = settings
        self._clock = clock
        self.free_bytes = free_bytes or (lambda: shutil.disk_usage(self._root).free)
        self._temp.mkdir(parents=True, exist_ok=True)
        self._pool = ThreadPoolExecutor(settings.io_threads, thread_name_prefix="media")
        self._lock_file = os.open(self._root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._lock = Lock()

    def close(self) -> None:
        self._pool.shutdown()
        os.close(self._lock_file)

    def disk_state(self) -> DiskState:
        """Media stop first, then the intake."""
        free = self.free_bytes()
        if free < self._settings.min_free_bytes:
            return "intake_stopped"
        return "media_stopped" if free < self._settings.media_min_free_bytes else "ok"

    async def put(
        self, stream: AsyncIterable[bytes], *, max_bytes: int | None = None, declared: str | None = None
    ) -> Stored:
        """Whole or not at all. Raises TooLarge, Empty, Stopped, and whatever `stream` raises.

        `declared` is the sender's word for the type; it decides only between types that look alike.
        """
        limit = min(max_bytes or self._settings.max_bytes, self._settings.max_bytes)
        incoming = Incoming(self._temp)
        try:
            async with aclosing(gathered(stream, limit, self._settings.write_bytes)) as pieces:
                async for piece in pieces:
                    await self._in_thread(partial(self._write, incoming, piece))
            if not incoming.size:
                raise Empty
            return await self._in_thread(partial(self._publish, incoming, declared))
        finally:
            await self._in_thread(incoming.discard)

    def path(self, sha256: str) -> Path:
        """Where the bytes are, or would be. Raises Missing for what is not a name."""
        if SHA256.fullmatch(sha256) is None:
            raise Missing
        return self._root / sha256[:2] / sha256[2:]

    async def open(self, sha256: str) -> BinaryIO:
        """For reading; the caller closes it. Raises Missing."""
        path = self.path(sha256)
        try:
            return await self._in_thread(lambda: path.open("rb"))
        except FileNotFoundError:
            raise Missing from None

    async def delete(self, sha256: str) -> bool:
        """False: there was no such file. For erasure; what is merely unused goes by `sweep`."""
        return await self._in_thread(partial(self._unlink, self.path(sha256), None)) is not None

    async def sweep(self, keep: Callable[[Sequence[str]], set[str]], older_than_s: float, batch: int = 500) -> Swept:
        """Deletes files that are older and that `keep` does not return. `keep` is called in a thread."""
        return await self._in_thread(partial(self._sweep, keep, self._clock.now().timestamp() - older_than_s, batch))

    async def sweep_temp(self) -> Swept:
        """At the start: what a crash left unfinished."""
        before = self._clock.now().timestamp() - self._settings.temp_max_age_s
        return await self._in_thread(partial(self._sweep_temp, before))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """A cancelled caller waits for it too: nobody may close a file under a thread that writes to it."""
        future = asyncio.get_running_loop().run_in_executor(self._pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            future.exception()
            raise

    def _write(self, incoming: "Incoming", piece: bytes) -> None:
        if self.disk_state() != "ok":
            raise Stopped
        with full_disk_is_stopped():
            incoming.write(piece)

    def _publish(self, incoming: "Incoming", declared: str | None) -> Stored:
        stored = Stored(incoming.digest.hexdigest(), incoming.size, sniff(incoming.head, declared))
        path = self.path(stored.sha256)
        with full_disk_is_stopped():
            incoming.sync()
            if not path.parent.exists():
                path.parent.mkdir(exist_ok=True)
                sync_folder(self._root)
            with self._names():
                # Also over the same bytes: that makes the file young again, so no sweep takes it from under us.
                incoming.rename(path, self._clock.now().timestamp())
            sync_folder(path.parent)
        return stored

    def _unlink(self, path: Path, before: float | None) -> int | None:
        """The size of what was deleted. The age is read under the lock: the same bytes may have come again."""
        with self._names(), suppress(FileNotFoundError):
            found = path.stat()
            if before is None or found.st_mtime < before:
                path.unlink()
                return found.st_size
        return None

    def _sweep(self, keep: Callable[[Sequence[str]], set[str]], before: float, batch: int) -> Swept:
        sizes = []
        for names in batches(self._old_names(before), batch):
            unused = sorted(set(names) - keep(names))
            sizes += [self._unlink(self.path(name), before) for name in unused]
        deleted = [size for size in sizes if size is not None]
        return Swept(len(deleted), sum(deleted))

    def _old_names(self, before: float) -> Iterator[str]:
        for folder in sorted(self._root.glob("[0-9a-f][0-9a-f]")):
            for entry in os.scandir(folder):
                name = folder.name + entry.name
                with suppress(FileNotFoundError):
                    if SHA256.fullmatch(name) and entry.stat().st_mtime < before:
                        yield name

    def _sweep_temp(self, before: float) -> Swept:
        sizes = [self._unlink(path, before) for path in self._temp.iterdir()]
        deleted = [size for size in sizes if size is not None]
        return Swept(len(deleted), sum(deleted))

    @contextmanager
    def _names(self) -> Iterator[None]:
        """Held while a name appears or goes: between threads by the lock, between processes (`prune`) by the file's."""
        with self._lock:
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)


class Incoming:
    """A file that is being written; it has no name yet that anybody could ask for. It begins with its first byte."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: FileIO | None = None
        self._path: Path | None = None
        self.digest = new_sha256()
        self.size = 0
        self.head = b""

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        file = self._file or self._create()
        while rest:
            rest = rest[file.write(rest) :]
        self.digest.update(piece)
        self.size += len(piece)
        if len(self.head) < HEAD_BYTES:
            self.head = (self.head + piece[:HEAD_BYTES])[:HEAD_BYTES]

    def _create(self) -> FileIO:
        handle, name = tempfile.mkstemp(dir=self._folder)
        self._path = Path(name)
        self._file = FileIO(handle, "wb")
        return self._file

    def sync(self) -> None:
        assert self._file is not None
        os.fsync(self._file.fileno())

    def rename(self, path: Path, now: float) -> None:
        assert self._path is not None
        os.utime(self._path, (now, now))
        self._path.replace(path)
        self._path = None

    def discard(self) -> None:
        """Closes it; unless it was renamed, it is gone."""
        if self._file is not None:
            self._file.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)


async def gathered(stream: AsyncIterable[bytes], limit: int, piece_bytes: int) -> AsyncGenerator[bytes, None]:
    """Larger pieces. Raises TooLarge as soon as more than `limit` has come."""
    waiting: list[bytes] = []
    held = total = 0
    async for chunk in stream:
        total += len(chunk)
        if total > limit:
            raise TooLarge
        waiting.append(chunk)
        held += len(chunk)
        if held >= piece_bytes:
            yield b"".join(waiting)
            waiting, held = [], 0
    if held:
        yield b"".join(waiting)


def batches(names: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for name in names:
        batch.append(name)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


@contextmanager
def full_disk_is_stopped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Stopped from error
        raise


def sync_folder(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
