"""What outlives a restart."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from gateway.sandbox import memory as module
from gateway.sandbox.memory import recall, remember
from gateway.sandbox.phones import Phones, SayText
from tests.sandbox.test_phones import NOW, Life


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sandbox.memory"


def again(path: Path) -> Life:
    """The next run."""
    life = Life()
    life.phones.customers.clear()
    life.simulator.world.customers.clear()
    recall(life.phones, path, life.now)
    life.ana = life.phones.get("351912345678")
    return life


def test_the_screen_is_the_same_again(path: Path) -> None:
    life = Life()
    said = life.say(SayText("hi"))
    life.text("hello")
    file = life.phones.file(life.ana, "image", b"bytes", "image/png", life.now)
    life.phones.delivered({said.id, file.id})
    life.simulator.world.read.append(said.id)
    remember(life.phones, path)
    after = again(path)
    assert after.lines == life.lines
    assert [media.data for media in after.simulator.world.media.values()] == [b"bytes"]
    assert after.text("the window is still open")


def test_what_was_not_taken_is_sent_again(path: Path) -> None:
    life = Life()
    life.say(SayText("hi"))
    remember(life.phones, path)
    after = again(path)
    assert [one["text"]["body"] for one in after.updates()] == ["hi"]
    assert [line.tick for line in after.lines] == ["sent"]


def test_the_newest_files_are_kept(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_FILES_BYTES", 5)
    life = Life()
    for data in (b"old", b"new", b"er"):
        life.simulator.world.received(data, "image/png", NOW)
    remember(life.phones, path)
    assert [media.data for media in again(path).simulator.world.media.values()] == [b"new", b"er"]


@pytest.mark.parametrize("data", [None, b"", b"\xc1", msgspec.msgpack.encode({"v": 1})])
def test_without_a_readable_memory_it_begins_anew(path: Path, data: bytes | None) -> None:
    if data is not None:
        path.write_bytes(data)
    phones = Phones(Life().simulator)
    recall(phones, path, NOW)
    assert phones.customers == {}
