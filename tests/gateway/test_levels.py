"""What the gauges show: how much waits, and how late the oldest of it is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.clock import MS_SHIFT, FrozenClock
from gateway.levels import DAY_MS, Levels, levels, show
from gateway.observe import Metrics
from gateway.store import effects, intake, outbox
from gateway.store.migrate import upgrade
from gateway.store.store import Store, open_store
from tests.store.rows import intake_row, new_command, parked_row

DAYS = 7


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def store(tmp_path: Path, clock: FrozenClock) -> Iterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/db", clock, data_dir=tmp_path, readers=1)
    upgrade(made.engine)
    yield made
    made.close_now()


def looked(store: Store) -> Levels:
    return store.read_now(lambda tx: levels(tx, DAYS))


def test_where_nothing_waits_nothing_is_late(store: Store) -> None:
    assert looked(store) == Levels(0, 0, 0, 0, 0, 0)


def test_an_inbound_is_late_from_its_arrival_on(store: Store, clock: FrozenClock) -> None:
    rows = [intake_row((clock.now_ms() + later) << MS_SHIFT) for later in (0, 1_000)]
    store.write_now(lambda tx: intake.add(tx, rows))
    clock.advance(3)
    assert looked(store)[:2] == (2, 3_000)


def test_a_timer_is_not_late_before_its_time(store: Store, clock: FrozenClock) -> None:
    row = intake_row((clock.now_ms() + 60_000) << MS_SHIFT)
    store.write_now(lambda tx: intake.add(tx, [row]))
    assert looked(store)[:2] == (1, 0)


def test_a_command_is_late_from_its_due_time_on(store: Store, clock: FrozenClock) -> None:
    command = new_command(1)._replace(due_at=clock.now_ms())
    store.write_now(lambda tx: outbox.add(tx, [command]))
    clock.advance(2)
    assert looked(store)[2:4] == (1, 2_000)


def test_what_is_parked_too_long_is_an_orphan(store: Store, clock: FrozenClock) -> None:
    now = clock.now_ms()
    rows = [
        parked_row(1, "a", now - DAYS * DAY_MS - 1),
        parked_row(2, "b", now - DAYS * DAY_MS),
        parked_row(3, "c", now),
    ]
    store.write_now(lambda tx: effects.park(tx, rows))
    assert looked(store)[4:] == (3, 1)


def test_they_are_shown_in_seconds() -> None:
    metrics = Metrics()
    show(metrics, Levels(1, 2_500, 3, 4_000, 5, 6))
    shown = metrics.render().decode()
    for line in ("intake_depth 1.0", "intake_age_seconds 2.5", "outbox_depth 3.0", "outbox_age_seconds 4.0",
                 "parked 5.0", "orphans 6.0"):  # fmt: skip
        assert f"\nthroughline_{line}\n" in shown
