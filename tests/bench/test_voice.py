"""The measurement itself works: every turn is answered, beside webhooks, also on a slow disk. No times are asserted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench import host
from tests.bench.disk import fsync_ms
from tests.bench.host import Neighbours
from tests.bench.voice import measure, shown


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway, which is a process of its own: a machine that others keep busy refuses nothing."""
    for limit in ("WRITE_TIMEOUT_MS", "CALL_OUTCOME_MS", "FRAME_OUTCOME_MS"):
        monkeypatch.setenv(f"THROUGHLINE_SERVER__{limit}", "20000")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("commit_ms", [0.0, 2.0])
async def test_every_turn_is_answered_beside_webhooks(tmp_path: Path, commit_ms: float) -> None:
    found = await measure(tmp_path, calls=2, turns=2, every_s=0.2, beside_per_s=20, commit_ms=commit_ms)
    assert (len(found.first), len(found.whole)) == (4, 4)
    assert all(first <= whole for first, whole in zip(found.first, found.whole, strict=True))
    assert found.beside is not None
    assert (found.beside.count, found.beside.refused) == (8, 0)
    assert "4 turns" in shown("run", found)


def test_the_disk_is_asked(tmp_path: Path) -> None:
    half, most = fsync_ms(tmp_path, 5)
    assert 0 < half <= most


@pytest.mark.parametrize(("stat", "taken"), [("cpu  1 2 3 4 5 6 7 {} 0 0\n", True), ("cpu 1 2", False), ("", False)])
def test_what_the_host_took_is_told_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stat: str, taken: bool
) -> None:
    path = tmp_path / "stat"
    monkeypatch.setattr(host, "STAT", path)
    path.write_text(stat.format(100))
    neighbours = Neighbours()
    path.write_text(stat.format(300))
    assert (neighbours.share or 0.0) > 0 if taken else neighbours.share is None
