"""The disk of the simulation keeps what it promised, and may lose everything else."""

from __future__ import annotations

from random import Random

from tests.powercut.disk import SECTOR, Disk
from tests.powercut.trace import Opened, Record, SyncBegun, SyncEnded, Truncated, Written

OLD, NEW, NEWER = (bytes([value]) * (2 * SECTOR) for value in b"onN")


def fates(*records: Record, before: dict[str, bytes] | None = None) -> list[dict[str, bytes]]:
    disk = Disk({"db": OLD} if before is None else before)
    for record in records:
        disk.take(record)
    random = Random(7)
    return [disk.after_power_cut(random) for _ in range(300)]


def images(*records: Record) -> set[bytes]:
    return {found["db"] for found in fates(*records)}


def test_what_was_synced_is_there_whatever_happens() -> None:
    assert images(Written("db", 0, NEW), SyncBegun("db", 1), SyncEnded("db", 1)) == {NEW}


def test_what_was_not_synced_is_there_or_not_sector_by_sector() -> None:
    old, new = OLD[:SECTOR], NEW[:SECTOR]
    assert images(Written("db", 0, NEW)) == {old + old, new + new, old + new, new + old}


def test_a_sync_covers_what_was_written_before_it_began() -> None:
    found = images(SyncBegun("db", 1), Written("db", 0, NEW), SyncEnded("db", 1))
    assert {OLD, NEW} <= found


def test_a_sync_that_did_not_end_promises_nothing() -> None:
    assert {OLD, NEW} <= images(Written("db", 0, NEW), SyncBegun("db", 1))


def test_a_sync_of_one_file_promises_nothing_about_another() -> None:
    before = {"db": OLD, "wal": OLD}
    found = fates(
        Written("db", 0, NEW), Written("wal", 0, NEW), SyncBegun("wal", 1), SyncEnded("wal", 1), before=before
    )
    assert {one["wal"] for one in found} == {NEW}
    assert {OLD, NEW} <= {one["db"] for one in found}


def test_a_later_write_may_be_there_without_an_earlier_one_and_the_other_way_round() -> None:
    found = images(Written("db", 0, NEW), Written("db", 0, NEWER))
    assert {OLD, NEW, NEWER} <= found
    found = images(Written("db", 0, NEW[:SECTOR]), Written("db", SECTOR, NEWER[:SECTOR]))
    assert OLD[:SECTOR] + NEWER[:SECTOR] in found
    assert NEW[:SECTOR] + OLD[:SECTOR] in found


def test_a_file_may_be_longer_without_what_made_it_longer() -> None:
    sizes = {len(one) for one in images(Written("db", len(OLD), NEW))}
    assert sizes == {2 * SECTOR, 3 * SECTOR, 4 * SECTOR}
    assert OLD + bytes(2 * SECTOR) in images(Written("db", len(OLD), NEW))


def test_a_truncation_is_there_once_it_is_synced() -> None:
    assert images(Truncated("db", 5)) == {OLD, OLD[:5]}
    assert images(Truncated("db", 5), SyncBegun("db", 1), SyncEnded("db", 1)) == {OLD[:5]}


def test_a_new_file_may_be_missing_until_its_directory_is_synced() -> None:
    made: list[Record] = [Opened("wal", True), Written("wal", 0, NEW), SyncBegun("wal", 1), SyncEnded("wal", 1)]
    assert {"wal" in found for found in fates(*made)} == {True, False}
    assert {"wal" in found for found in fates(*made, SyncBegun(".", 2), SyncEnded(".", 2))} == {True}


def test_without_a_cut_everything_is_there() -> None:
    disk = Disk({"db": OLD})
    for record in (Written("db", 0, NEW), Truncated("db", SECTOR), Written("db", SECTOR + 4, b"x")):
        disk.take(record)
    assert disk.as_it_is() == {"db": NEW[:SECTOR] + bytes(4) + b"x"}
