"""The short form of the run, on both databases. `make chaos` is the whole of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.__main__ import plan_for, tell
from tests.chaos.run import Conductor


@pytest.mark.timeout(600)
def test_kills_on_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/data/throughline.db"
    plan = plan_for("sqlite", url, tmp_path, kills=6, messages=1_500, seed=11, per_second=300)
    lives, seen, found = Conductor(plan).run()
    assert tell("sqlite", lives, seen, found), (lives.wrong, found.wrong)
    assert (lives.kills, found.stored) == (6, len(seen.journal.written))
    assert found.stored >= 1_500
    assert seen.journal.accepted
    assert seen.journal.counts.redelivered > 0


@pytest.mark.timeout(600)
def test_kills_on_postgresql(tmp_path: Path, postgres_db: str) -> None:
    plan = plan_for("postgresql", postgres_db, tmp_path, kills=3, messages=400, seed=12, per_second=200)
    lives, seen, found = Conductor(plan).run()
    assert tell("postgresql", lives, seen, found), (lives.wrong, found.wrong)
    assert (lives.kills, found.stored) == (3, len(seen.journal.written))
