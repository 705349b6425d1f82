"""The rooms' lines: one for each item, written many at a time. The hot path's way past structlog, under its rules.

Rule: the keys are fixed when the log is made, and checked against the list that every line is held to.
Rule: values are ids, numbers and codes of ours; nothing from a payload gets here.
Rule: what is waiting is written within `FLUSH_S`, and when the log is closed.
"""

import asyncio
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TextIO

import msgspec

from gateway.observe import FIELDS, lines

FLUSH_S = 0.2
MOST = 256
"""Lines that are kept back at most."""

_encode = msgspec.json.Encoder().encode


class ItemLog:
    """`add` takes the values in the order of `keys`. On a terminal the lines go the usual, slower way."""

    def __init__(
        self, room: str, event: str, keys: Sequence[str], stream: TextIO | None, now: Callable[[], datetime]
    ) -> None:
        """`stream`: for JSON lines; None: structlog's own way."""
        unknown = [key for key in keys if key not in FIELDS]
        assert not unknown, f"keys that no line may have: {unknown}"
        self._room, self._event, self._keys = room, event, tuple(keys)
        self._stream, self._now, self._slow = stream, now, lines(room)
        self._waiting: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, *values: Any) -> None:
        fields = {key: value for key, value in zip(self._keys, values, strict=True) if value is not None}
        if self._stream is None:
            self._slow.info(self._event, **fields)
            return
        fields |= {"room": self._room, "event": self._event, "level": "info", "timestamp": self._now()}
        self._waiting.append(_encode(fields))
        if len(self._waiting) >= MOST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._stream is not None:
            self._waiting.append(b"")
            self._stream.write(b"\n".join(self._waiting).decode())
            self._stream.flush()
            self._waiting = []


def stream_for(level: str, form: str, stream: TextIO = sys.stdout) -> TextIO | None:
    """Where JSON lines go; None when the configured way is another one, or says less."""
    fast = level in ("debug", "info") and (form == "json" or (form == "auto" and not stream.isatty()))
    return stream if fast else None
