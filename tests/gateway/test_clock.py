"""gateway/clock.py: time that is told, ids that never go back."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clock import COUNTER_BITS, MS_SHIFT, Clock, CountingIds, FrozenClock, Ids
from normalizer.ids import IntakeId


def test_now_is_exact_to_the_microsecond_and_aware() -> None:
    clock = Clock(now_ns=lambda: 1_767_323_045_123_456_789)
    assert clock.now() == datetime(2026, 1, 2, 3, 4, 5, 123_456, tzinfo=UTC)
    assert clock.now_ms() == 1_767_323_045_123


def test_the_real_clock_tells_the_time() -> None:
    clock = Clock()
    before = datetime.now(UTC)
    assert before - timedelta(seconds=1) <= clock.now() <= datetime.now(UTC) + timedelta(seconds=1)
    first = clock.monotonic()
    assert clock.monotonic() >= first


def test_a_frozen_clock_moves_when_told() -> None:
    clock = FrozenClock(datetime(2026, 5, 1, tzinfo=UTC))
    start = clock.monotonic()
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (datetime(2026, 5, 1, 0, 0, 1, 500_000, tzinfo=UTC), start + 1.5)
    clock.step(-3600)
    assert (clock.now().hour, clock.monotonic()) == (23, start + 1.5)


def test_a_frozen_clock_does_not_pass_backwards() -> None:
    with pytest.raises(AssertionError):
        FrozenClock().advance(-1)


def test_intake_ids_hold_time_process_and_counter() -> None:
    clock = FrozenClock()
    ids = Ids(clock, node=5)
    assert ids.intake() == clock.now_ms() << MS_SHIFT | 5 << COUNTER_BITS
    assert ids.intake() == clock.now_ms() << MS_SHIFT | 5 << COUNTER_BITS | 1


@given(steps=st.lists(st.floats(-5000, 5000), max_size=20), burst=st.integers(1, 600), node=st.integers(0, 4095))
def test_intake_ids_increase_whatever_the_clock_does(steps: list[float], burst: int, node: int) -> None:
    clock = FrozenClock()
    ids = Ids(clock, node=node)
    drawn = [ids.intake() for _ in range(burst)]
    for step in steps:
        clock.step(step)
        drawn += [ids.intake(), ids.intake()]
    assert all(a < b for a, b in pairwise(drawn))
    assert {number >> COUNTER_BITS & 0xFFF for number in drawn} == {node}
    assert max(drawn) < 1 << 63


def test_intake_ids_start_above_what_the_store_knows() -> None:
    """The clock stepped back while we were down."""
    clock = FrozenClock()
    last = Ids(clock, node=9).intake()
    clock.step(-60)
    first = Ids(clock, node=3, above=last).intake()
    assert first > last
    assert first >> COUNTER_BITS & 0xFFF == 3


def test_processes_of_the_same_moment_draw_different_ids() -> None:
    clock = FrozenClock()
    one, other = Ids(clock, node=1), Ids(clock, node=2)
    assert not {one.intake() for _ in range(300)} & {other.intake() for _ in range(300)}


def test_threads_share_ids() -> None:
    ids = Ids(FrozenClock(), node=1)
    drawn: list[IntakeId] = []
    threads = [Thread(target=lambda: drawn.extend([ids.intake() for _ in range(2000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(drawn)) == 8000


def test_drawn_ids_have_128_bits() -> None:
    ids = Ids(Clock())
    assert len({ids.uuid() for _ in range(100)}) == 100
    assert len(bytes.fromhex(ids.uuid())) == 16
    assert len(ids.token()) == 32
    assert len(ids.new("cmd").removeprefix("cmd_")) == 32
    assert ids.new("cmd") != ids.new("cmd")


@pytest.mark.parametrize(
    ("drawn", "fraction"), [(b"\0" * 7, 0.0), (b"\x80" + b"\0" * 6, 0.5), (b"\xff" * 7, 1 - 2**-53)]
)
def test_a_fraction_is_at_least_0_and_below_1(drawn: bytes, fraction: float) -> None:
    assert Ids(Clock(), node=0, random_bytes=lambda size: drawn).fraction() == fraction


def test_counting_ids_can_be_read_and_repeat() -> None:
    ids = CountingIds()
    assert [ids.intake(), ids.new("cmd"), ids.uuid(), ids.token(), ids.fraction()] == [
        1,
        "cmd_2",
        "00000000000000000000000000000003",
        (4).to_bytes(32, "big"),
        0.5,
    ]
