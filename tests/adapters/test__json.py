"""Reading JSON that bends its own rules."""

import msgspec
import pytest

from adapters._json import Reader, prune


class Thing(msgspec.Struct):
    name: str | None = None
    size: int | None = None


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"name":"a","size":1}', (Thing("a", 1), ())),
        (b'{"name":5,"size":1}', (Thing(None, 1), ("name",))),
        (b'{"name":[],"size":{}}', (Thing(), ("name", "size"))),
        (b'{"other":[]}', (Thing(), ())),
        (b"5", (None, ())),
        (b"{", (None, ())),
        (b'{"name":' + b"[" * 5000 + b"]" * 5000 + b"}", (None, ())),
    ],
)
def test_reader(data: bytes, want: tuple[Thing | None, tuple[str, ...]]) -> None:
    """A key of another type is left out and named; what is no object is None."""
    assert Reader(Thing).read(data) == want


@pytest.mark.parametrize(
    ("data", "want"),
    [
        (b'{"a":[1,[2,[3]]],"b":{"c":{"d":4}}}', b'{"a":[1,null],"b":{"c":null}}'),
        (b'["[[[[", {"]":"\\"[["}]', b'["[[[[", {"]":"\\"[["}]'),
        (b"[]", b"[]"),
        (b"5", b"5"),
    ],
)
def test_prune(data: bytes, want: bytes) -> None:
    """Below two levels there is nothing; brackets in text are text."""
    assert prune(data, 2) == want


def test_prune_of_a_megabyte_of_brackets_is_fast() -> None:
    """It does not recurse and does not repeat itself."""
    assert len(prune(b"[" * 500_000 + b"]" * 500_000, 64)) == 64 * 2 + 4
