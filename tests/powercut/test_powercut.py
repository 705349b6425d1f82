"""Promise: a power cut loses nothing that was acknowledged. With a weaker setting it does, and this harness sees it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import needs
from tests.powercut.__main__ import judge_all
from tests.powercut.cuts import ACKS, WAL, Run, judge, run_workload
from tests.powercut.disk import Disk
from tests.powercut.trace import Written, shim
from tests.powercut.workload import DATABASE

CUTS = 60
NORMAL = "PRAGMA synchronous=NORMAL"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with needs("a C compiler"):
        return shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="module")
def ours(library: Path) -> Run:
    """The product as it is."""
    return run_workload(library, seed=1)


def test_the_trace_holds_everything_that_was_written(ours: Run) -> None:
    disk = Disk(ours.before)
    for record in ours.records:
        disk.take(record)
    files = disk.as_it_is()
    assert {name: files[name] for name in (DATABASE, WAL, ACKS)} == {
        name: ours.after[name] for name in (DATABASE, WAL, ACKS)
    }


def test_the_run_has_commits_checkpoints_and_a_wal_that_was_begun_anew(ours: Run) -> None:
    syncs = ours.count()
    assert syncs[WAL] > 60, "room 2 alone, one batch after the other"
    assert syncs[DATABASE] > 2, "each is a checkpoint"
    heads = [one for one in ours.records if isinstance(one, Written) and one.file == WAL and one.at == 0]
    assert len(heads) > 2, "the WAL's head is written each time that it begins"


def test_a_power_cut_loses_nothing_that_was_acknowledged(ours: Run) -> None:
    verdict = judge(ours, CUTS, seed=1)
    assert (verdict.cuts, verdict.lost, verdict.broken) == (CUTS, 0, [])
    assert verdict.acknowledged > CUTS * 50


def test_the_harness_sees_what_a_weaker_setting_loses(library: Path) -> None:
    verdict = judge(run_workload(library, seed=1, pragma=NORMAL), CUTS, seed=1)
    assert verdict.lost > 0
    assert verdict.losing_cuts > CUTS / 10


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_thousand_cuts(library: Path) -> None:
    verdict = judge_all(library, 1000, 1, None)
    assert (verdict.cuts, verdict.lost, verdict.broken) == (1000, 0, [])
    assert judge_all(library, 1000, 1, NORMAL).lost > 0
