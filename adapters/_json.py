"""Reading a provider's JSON that bends its own rules.

Rule: what can not be read harms itself only. A key of an unexpected shape is left out of its object, and who asks
learns what was left out.
"""

import re
from typing import Generic, TypeVar

import msgspec
from msgspec import Raw

from adapters.base import Malformed, RawInbound
from normalizer import codec

T = TypeVar("T")

MAX_DEPTH = 64
"""Levels of JSON that are read when a body is nested too deeply to be read whole."""

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)
_object = msgspec.json.Decoder(dict[str, Raw])


class Reader(Generic[T]):
    """Decodes one struct whose fields are all optional."""

    def __init__(self, type: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(type)

    def read(self, data: bytes | Raw) -> tuple[T | None, tuple[str, ...]]:
        """The struct and the keys that were left out; None when the data is no object at all."""
        try:
            return self._decoder.decode(data), ()
        except (msgspec.DecodeError, RecursionError):
            return self._salvage(data)

    def _salvage(self, data: bytes | Raw) -> tuple[T | None, tuple[str, ...]]:
        try:
            fields = _object.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return None, ()
        good = {key: value for key, value in fields.items() if self._fits(key, value)}
        left_out = tuple(key for key in fields if key not in good)
        return self._decoder.decode(msgspec.json.encode(good)), left_out

    def _fits(self, key: str, value: Raw) -> bool:
        try:
            self._decoder.decode(msgspec.json.encode({key: value}))
        except (msgspec.DecodeError, RecursionError):
            return False
        return True


def body_of(raw: RawInbound, type: type[T]) -> T:
    """The outermost object of a request. Raises Malformed."""
    data = _valid_utf8(raw.body)
    try:
        return codec.loads(data, type)
    except msgspec.ValidationError as error:
        raise Malformed(f"the body is not what is documented: {error}") from None
    except msgspec.DecodeError:
        pass
    try:
        return codec.loads(prune(data, MAX_DEPTH), type)
    except msgspec.DecodeError as error:
        raise Malformed(f"the body is not what is documented: {error}") from None


def _valid_utf8(data: bytes) -> bytes:
    if data.isascii():
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace").encode()
    return data


def prune(data: bytes, depth: int) -> bytes:
    """JSON with everything below `depth` levels replaced by null, whatever its nesting; not recursive."""
    kept, start, level = bytearray(), 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            level += 1
            if level == depth + 1:
                kept += data[start : token.start()] + b"null"
        elif token[0] in b"]}":
            level -= 1
            if level == depth:
                start = token.end()
    return bytes(kept + data[start:]) if level <= depth else bytes(kept)
