"""A disk that keeps what was synced and promises nothing else.

Rule: a sector of 512 bytes is written whole or not at all; nothing else about unsynced writes is certain: neither their
order, nor that one of two files has them, nor that a file is as long as it was made, nor that a new file is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.powercut.trace import Opened, Record, SyncBegun, SyncEnded, Truncated, Written

SECTOR = 512
DIRECTORY = "."


@dataclass
class File:
    synced: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, Written | Truncated]] = field(default_factory=list)
    """With the number of the record, to know what a sync covers."""
    created: int | None = None
    """The record that made it, until its directory was synced after that."""

    def settle(self, before: int) -> None:
        for number, change in self.unsynced:
            if number < before:
                _apply(self.synced, change)
        self.unsynced = [one for one in self.unsynced if one[0] >= before]


class Disk:
    """Takes in a trace, record by record, and says at any moment what a power cut would leave."""

    def __init__(self, files: dict[str, bytes]) -> None:
        """`files`: what was on the disk before the trace began."""
        self._files = {name: File(bytearray(data)) for name, data in files.items()}
        self._syncs: dict[int, int] = {}
        self._count = 0

    def take(self, record: Record) -> None:
        self._count += 1
        match record:
            case Opened(file=name, is_new=is_new):
                if is_new:
                    self._files[name] = File(created=self._count)
            case Written(file=name) | Truncated(file=name):
                self._files[name].unsynced.append((self._count, record))
            case SyncBegun(number=number):
                self._syncs[number] = self._count
            case SyncEnded(file=name, number=number):
                self._settle(name, self._syncs.pop(number))

    def _settle(self, name: str, before: int) -> None:
        if name != DIRECTORY:
            self._files[name].settle(before)
            return
        for file in self._files.values():
            if file.created is not None and file.created < before:
                file.created = None

    def as_it_is(self) -> dict[str, bytes]:
        """The files without any power cut."""
        return {name: _whole(file) for name, file in self._files.items()}

    def after_power_cut(self, random: Random) -> dict[str, bytes]:
        """One of the many states in which the files may be found; each file fares for itself."""
        found = {}
        for name, file in self._files.items():
            if file.created is not None and random.random() < 0.5:
                continue
            found[name] = _cut(file, random)
        return found


def _whole(file: File) -> bytes:
    image = bytearray(file.synced)
    for _, change in file.unsynced:
        _apply(image, change)
    return bytes(image)


def _cut(file: File, random: Random) -> bytes:
    image = bytearray(file.synced)
    changes = [change for _, change in file.unsynced]
    match random.choice(("nothing", "everything", "the first ones", "any")):
        case "everything":
            kept = 1.0
        case "the first ones":
            changes = changes[: random.randint(0, len(changes))]
            torn = changes.pop() if changes else None
            for change in changes:
                _apply(image, change)
            changes, kept = ([torn] if torn is not None else []), 0.5
        case "any":
            kept = random.random()
        case _:
            changes, kept = [], 0.0
    for change in changes:
        _apply_some(image, change, kept, random)
    return bytes(image)


def _apply(image: bytearray, change: Written | Truncated) -> None:
    match change:
        case Truncated(size=size):
            _resize(image, size)
        case Written(at=at, data=data):
            _resize(image, max(len(image), at + len(data)))
            image[at : at + len(data)] = data


def _apply_some(image: bytearray, change: Written | Truncated, kept: float, random: Random) -> None:
    """Each sector of a write is there or not, and the file may be longer without what makes it longer."""
    match change:
        case Truncated():
            if random.random() < kept:
                _apply(image, change)
        case Written(file=name, at=at, data=data):
            if random.random() < kept / 2:
                _resize(image, max(len(image), at + len(data)))
            start = at
            while start < at + len(data):
                end = min((start // SECTOR + 1) * SECTOR, at + len(data))
                if random.random() < kept:
                    _apply(image, Written(name, start, data[start - at : end - at]))
                start = end


def _resize(image: bytearray, size: int) -> None:
    if size < len(image):
        del image[size:]
    else:
        image.extend(bytes(size - len(image)))
