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

_encode_lines = msgspec.json.Encoder().encode_lines


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
        head: list[tuple[str, Any]] = [("timestamp", datetime), ("level", str), ("room", str), ("event", str)]
        fields = [(key, Any, None) for key in keys]
        self._line = msgspec.defstruct("Line", [*head, *fields], frozen=True, omit_defaults=True)
        self._waiting: list[msgspec.Struct] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, *values: Any) -> None:
        if self._stream is None:
            said = zip(self._keys, values, strict=True)
            self._slow.info(self._event, **{key: value for key, value in said if value is not None})
            return
        self._waiting.append(self._line(self._now(), "info", self._room, self._event, *values))
        if len(self._waiting) >= MOST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting and self._stream is not None:
            self._stream.write(_encode_lines(self._waiting).decode())
            self._stream.flush()
            self._waiting = []


def stream_for(level: str, form: str, stream: TextIO = sys.stdout) -> TextIO | None:
    """Where JSON lines go; None when the configured way is another one, or says less."""
    fast = level in ("debug", "info") and (form == "json" or (form == "auto" and not stream.isatty()))
    return stream if fast else None
