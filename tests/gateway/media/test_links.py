"""gateway/media/links.py: one file, until it expires, for whoever has the link."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import FrozenClock
from gateway.media import (
    Granted,
    MediaLinks,
)

KEY = b"k" * 32
HASH = "0f" * 32


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def test_a_link_grants_its_file_until_it_expires(clock: FrozenClock) -> None:
    links = MediaLinks(KEY)
    expires = clock.now() + timedelta(seconds=900)
    path = links.sign(HASH, "grüne katze.png", "image/png", expires)
    assert path.startswith("/media/")
    assert path.endswith("/gr%C3%BCne%20katze.png")
    granted = Granted(HASH, "grüne katze.png", "image/png", int(expires.timestamp()))
    assert links.verify(path, clock.now()) == granted
    clock.advance(899.9)
    assert links.verify(path, clock.now()) == granted
    clock.advance(0.1)
    assert links.verify(path, clock.now()) is None


def test_a_changed_token_grants_nothing(clock: FrozenClock) -> None:
    """Each character of it, but for the last, whose lowest bits may be padding."""
    links = MediaLinks(KEY)
    path = links.sign(HASH, "a.png", "image/png", clock.now() + timedelta(seconds=900))
    prefix, token, name = path[:7], path[7:].partition("/")[0], path.rpartition("/")[2]
    for place in range(len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        assert links.verify(f"{prefix}{token[:place]}{other}{token[place + 1 :]}/{name}", clock.now()) is None


def test_another_key_grants_nothing(clock: FrozenClock) -> None:
    path = MediaLinks(KEY).sign(HASH, "a", "image/png", clock.now() + timedelta(seconds=900))
    assert MediaLinks(b"x" * 32).verify(path, clock.now()) is None


@pytest.mark.parametrize(
    "path", ["", "/", "/media", "/media/", "/media//", "/media/é/x", "/media/====/x", "/media/a/x", "/else/abc/x"]
)
def test_junk_grants_nothing(path: str, clock: FrozenClock) -> None:
    assert MediaLinks(KEY).verify(path, clock.now()) is None


@given(path=st.text(max_size=100))
def test_no_path_raises(path: str) -> None:
    now: Any = FrozenClock().now()
    assert MediaLinks(KEY).verify("/media/" + path, now) is None
