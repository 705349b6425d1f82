"""Running a program under the shim, and reading what it noted."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.servers import Unavailable

HEAD = struct.Struct("=IIqQ")
OPENED, WRITTEN, TRUNCATED, SYNC_BEGUN, SYNC_ENDED, UNLINKED, UNKNOWN = range(1, 8)


@dataclass(frozen=True)
class Opened:
    file: str
    is_new: bool


@dataclass(frozen=True)
class Written:
    file: str
    at: int
    data: bytes


@dataclass(frozen=True)
class Truncated:
    file: str
    size: int


@dataclass(frozen=True)
class SyncBegun:
    file: str
    number: int


@dataclass(frozen=True)
class SyncEnded:
    """What was written to the file (a directory: created in it) before the sync of that number began is on the disk."""

    file: str
    number: int


Record = Opened | Written | Truncated | SyncBegun | SyncEnded


class NoModel(Exception):
    """The program did something to its files that the simulation knows nothing of."""


def shim(folder: Path) -> Path:
    """The compiled shim. Raises Unavailable."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if sys.platform != "linux":
        raise Unavailable("the shim is written for Linux")
    if compiler is None:
        raise Unavailable("there is no C compiler (Debian: apt-get install gcc libc6-dev)")
    library = folder / "shim.so"
    source = Path(__file__).with_name("shim.c")
    made = subprocess.run(
        [compiler, "-O1", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        raise Unavailable(f"the shim does not compile here (Debian: apt-get install libc6-dev): {made.stderr.strip()}")
    return library


def record(library: Path, data_dir: Path, log: Path, command: Sequence[str]) -> list[Record]:
    """Everything that a program did to the files of `data_dir`, in order. Paths are relative to it."""
    environment = os.environ | {"LD_PRELOAD": str(library), "TRACE_DIR": str(data_dir), "TRACE_LOG": str(log)}
    root = str(Path(__file__).parents[2])
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise RuntimeError(f"{command} ended with {done.returncode}:\n{done.stderr}")
    return list(_read(log.read_bytes(), data_dir))


def _read(log: bytes, data_dir: Path) -> Iterator[Record]:
    place, files = 0, dict[int, str]()
    while place < len(log):
        kind, fd, number, size = HEAD.unpack_from(log, place)
        place += HEAD.size
        data = log[place : place + size]
        place += size
        if kind == OPENED:
            files[fd] = _relative(data, data_dir)
            yield Opened(files[fd], bool(number))
        elif kind == WRITTEN:
            yield Written(files[fd], number, data)
        elif kind == TRUNCATED:
            yield Truncated(files[fd], number)
        elif kind == SYNC_BEGUN:
            yield SyncBegun(files[fd], number)
        elif kind == SYNC_ENDED:
            yield SyncEnded(files[fd], number)
        else:
            raise NoModel(f"{'unlink' if kind == UNLINKED else 'call'} {data.decode()}")


def _relative(path: bytes, data_dir: Path) -> str:
    return str(Path(os.fsdecode(path)).relative_to(data_dir))
