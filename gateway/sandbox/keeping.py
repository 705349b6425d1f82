"""What places remember from one run of the demo to the next, each in a file of its own.

Rule: written when the demo stops, beside the gateway's own data; it is a toy's memory and promises nothing.
Rule: what can not be read is as if it had never been; a place that keeps nothing writes nothing.
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.sandbox.place import Place

MAX_BYTES = 50_000_000
"""Of one place; beyond it the place begins anew."""


def keep(places: Iterable[Place], folder: Path) -> None:
    """Either the whole file is new or the old one stays."""
    for place in places:
        memory = place.remember()
        if memory is None:
            continue
        data, path = msgspec.msgpack.encode(memory), _path(folder, place)
        if len(data) > MAX_BYTES:
            path.unlink(missing_ok=True)
            continue
        draft = path.with_suffix(".new")
        draft.write_bytes(data)
        draft.replace(path)


def bring_back(places: Iterable[Place], folder: Path) -> None:
    for place in places:
        if place.Memory is None:
            continue
        try:
            memory = msgspec.msgpack.decode(_path(folder, place).read_bytes(), type=place.Memory)
        except (FileNotFoundError, msgspec.DecodeError):
            continue
        place.recall(memory)


def _path(folder: Path, place: Place) -> Path:
    return folder / f"sandbox.{place.id}.memory"
