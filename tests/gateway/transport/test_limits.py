"""gateway/transport/limits.py: the laws of the limiter, and the table of the next attempt."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import CredentialsRefused, NoAnswer, NotReached, Rates, Refused, SendError, Throttled, Unavailable
from gateway.transport.limits import RateLimiter, RateSettings, RetryPolicy, next_attempt
from normalizer.ids import ChannelId

WA = ChannelId("wa")
WHATSAPP = Rates(per_second=80, pair_per_second=1 / 6, pair_burst=45)


def limiter(rates: Rates = WHATSAPP, **options: int) -> RateLimiter:
    return RateLimiter(lambda channel: rates, RateSettings(**options))


def most_in_a_window(times: list[float], width: float) -> int:
    return max((sum(1 for t in times if start <= t < start + width) for start in times), default=0)


# --- laws ---------------------------------------------------------------------------------------------------------

Gaps = st.lists(st.floats(0, 0.2), min_size=1, max_size=200)


@settings(max_examples=150, deadline=None)
@given(gaps=Gaps, per_second=st.floats(0.5, 120), bulk=st.booleans(), burst_ms=st.sampled_from([0, 50, 200, 500]))
def test_no_window_holds_more_than_the_channel_may(
    gaps: list[float], per_second: float, bulk: bool, burst_ms: int
) -> None:
    """A second, or for slower channels the time of one message. The gaps let it run empty and full again."""
    limits = limiter(Rates(per_second=per_second), burst_ms=burst_ms)
    now, sent = 1000.0, []
    for number, gap in enumerate(gaps):
        now += gap
        sent += [now for _ in range(3) if limits.admit(WA, f"r{number}", now, bulk) is None]
    width = max(1.0, 1 / per_second)
    assert most_in_a_window(sent, width - 1e-6) <= math.ceil(per_second)


@settings(max_examples=150, deadline=None)
@given(gaps=st.lists(st.floats(0, 15), min_size=1, max_size=120), width=st.floats(0.1, 400))
def test_no_window_holds_more_than_one_recipient_may_get(gaps: list[float], width: float) -> None:
    limits = limiter()
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        sent += [now for _ in range(2) if limits.admit(WA, "r", now) is None]
    assert most_in_a_window(sent, width) <= 45 + width / 6 + 1e-6


Asks = st.lists(st.tuples(st.floats(0, 0.05), st.booleans()), min_size=1, max_size=200)


@settings(max_examples=150, deadline=None)
@given(asks=Asks)
def test_bulk_never_goes_while_a_reply_waits(asks: list[tuple[float, bool]]) -> None:
    """From the moment that a reply is told to wait until its turn, no bulk is admitted on the channel."""
    limits = limiter(Rates(per_second=20))
    now, turn = 0.0, -1.0
    for number, (gap, bulk) in enumerate(asks):
        now += gap
        wait = limits.admit(WA, f"r{number}", now, bulk)
        if bulk:
            assert wait is not None or now >= turn
        elif wait is not None:
            turn = max(turn, now + wait)


@settings(max_examples=150, deadline=None)
@given(asks=Asks)
def test_a_reply_goes_at_once_though_bulk_just_went(asks: list[tuple[float, bool]]) -> None:
    """Bulk alone never empties a bucket that can hold two: the first reply in a while is never refused."""
    limits = limiter(Rates(per_second=80))
    now = 0.0
    for number, (gap, _) in enumerate(asks):
        now += gap
        limits.admit(WA, f"r{number}", now, bulk=True)
    assert limits.admit(WA, "customer", now) is None


@settings(max_examples=100, deadline=None)
@given(asks=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(0, 5)), max_size=100))
def test_whoever_comes_back_when_told_gets_through_in_the_end(asks: list[tuple[float, bool, int]]) -> None:
    limits = limiter(Rates(per_second=10, pair_per_second=1, pair_burst=3))
    now = 0.0
    due = []
    for gap, bulk, recipient in asks:
        now += gap
        due.append((now, bulk, recipient))
    rounds = 0
    while due:
        due.sort()
        now, bulk, recipient = due.pop(0)
        wait = limits.admit(WA, f"r{recipient}", now, bulk)
        if wait is not None:
            assert wait > 0
            due.append((now + wait, bulk, recipient))
        rounds += 1
        assert rounds < 5000
    assert now <= 1000


# --- cases --------------------------------------------------------------------------------------------------------


def test_a_recipient_gets_45_at_once_and_then_one_in_6_seconds() -> None:
    limits = limiter(Rates(pair_per_second=1 / 6, pair_burst=45))
    assert [limits.admit(WA, "r", 0.0) for _ in range(45)] == [None] * 45
    assert limits.admit(WA, "r", 0.0) == pytest.approx(6)
    assert limits.admit(WA, "other", 0.0) is None
    assert limits.admit(WA, "r", 6.0) is None
    assert limits.admit(WA, "r", 6.0) == pytest.approx(6)


def test_a_full_channel_keeps_almost_its_whole_speed() -> None:
    """80 a second with a burst of 4: 77 a second for as long as it takes."""
    limits = limiter(Rates(per_second=80))
    due = [(0.0, number) for number in range(800)]
    last = 0.0
    while due:
        last, number = min(due)
        due.remove((last, number))
        wait = limits.admit(WA, str(number), last)
        if wait is not None:
            due.append((last + wait, number))
    assert 800 / last == pytest.approx(77, rel=0.01)


def test_those_who_wait_are_told_different_times() -> None:
    """Each is asked twice at most: once when refused, once at its turn."""
    limits = limiter(Rates(per_second=1))
    assert limits.admit(WA, "first", 0.0) is None
    assert [limits.admit(WA, f"r{n}", 0.0) for n in range(4)] == [1.0, 2.0, 3.0, 4.0]


def test_waiting_times_stay_within_the_spread() -> None:
    limits = limiter(Rates(per_second=1), spread_ms=2000)
    limits.admit(WA, "first", 0.0)
    assert [limits.admit(WA, f"r{n}", 0.0) for n in range(5)] == [1.0, 2.0, 3.0, 3.0, 3.0]


def test_bulk_stays_back_until_the_waiting_reply_had_its_turn() -> None:
    limits = limiter(Rates(per_second=1), reply_hold_ms=250)
    assert limits.admit(WA, "a", 0.0) is None
    assert limits.admit(WA, "b", 0.5) == 0.5
    assert limits.admit(WA, "c", 1.0, bulk=True) is not None
    assert limits.admit(WA, "b", 1.0) is None
    assert limits.admit(WA, "c", 2.0, bulk=True) is None


def test_a_reply_that_never_came_back_holds_bulk_no_longer_than_told() -> None:
    limits = limiter(Rates(per_second=1), reply_hold_ms=250)
    limits.admit(WA, "a", 0.0)
    limits.admit(WA, "gone", 0.5)
    assert limits.admit(WA, "c", 1.2, bulk=True) == pytest.approx(0.05)
    assert limits.admit(WA, "c", 1.25, bulk=True) is None


def test_a_reply_that_waits_for_its_recipient_does_not_hold_the_channel() -> None:
    limits = limiter(Rates(per_second=10, pair_per_second=0.1))
    assert limits.admit(WA, "r", 0.0) is None
    assert limits.admit(WA, "r", 1.0) == pytest.approx(9)
    assert limits.admit(WA, "bulk", 1.0, bulk=True) is None


def test_no_limit_is_no_limit_and_costs_no_memory() -> None:
    limits = limiter(Rates())
    assert [limits.admit(WA, f"r{n}", 0.0) for n in range(1000)] == [None] * 1000
    assert len(limits) == 0


def test_channels_do_not_share() -> None:
    limits = limiter(Rates(per_second=1))
    assert limits.admit(WA, "r", 0.0) is None
    assert limits.admit(ChannelId("other"), "r", 0.0) is None


@pytest.mark.parametrize("rates", [Rates(), WHATSAPP])
def test_a_penalty_stops_the_recipient_or_the_channel(rates: Rates) -> None:
    limits = limiter(rates)
    limits.penalize(WA, "r", until=10.0)
    limits.penalize(WA, "r", until=5.0)
    assert limits.admit(WA, "r", 4.0) == pytest.approx(6)
    assert limits.admit(WA, "other", 4.0) is None
    limits.penalize(WA, None, until=20.0)
    wait = limits.admit(WA, "other", 10.0)
    assert wait is not None
    assert 10 <= wait <= 10.02
    assert limits.admit(WA, "r", 20.1) is None


def test_recipients_whose_bucket_is_full_again_are_forgotten() -> None:
    limits = limiter(Rates(pair_per_second=1))
    for n in range(5000):
        assert limits.admit(WA, f"r{n}", n * 0.01) is None
    assert len(limits) <= 1024


def test_memory_is_bounded_and_the_busiest_are_remembered() -> None:
    limits = limiter(Rates(pair_per_second=0.001, pair_burst=5), max_pairs=100)
    for _ in range(5):
        limits.admit(WA, "busy", 0.0)
    for n in range(1000):
        limits.admit(WA, f"r{n}", 0.0)
        assert len(limits) <= 100
    assert limits.admit(WA, "busy", 0.0) is not None


# --- next attempt -------------------------------------------------------------------------------------------------

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICY = RetryPolicy(max_attempts=5, max_age_s=600, base_ms=1000, cap_ms=5000)


@pytest.mark.parametrize(
    ("label", "error", "attempts", "jitter", "age_s", "wait_s"),
    [
        ("the whole wait is drawn", NotReached(), 1, 0.0, 0, 0.0),
        ("up to the base at first", NotReached(), 1, 0.5, 0, 0.5),
        ("it doubles", NotReached(), 3, 0.5, 0, 2.0),
        ("up to the cap", NotReached(), 4, 0.5, 0, 2.5),
        ("a busy provider counts like no connection", Unavailable(), 2, 0.5, 0, 1.0),
        ("Retry-After is a floor", Throttled(retry_after_s=30), 1, 0.5, 0, 30.5),
        ("Retry-After may pass our cap", Throttled(retry_after_s=100), 4, 0.0, 0, 100.0),
        ("negative Retry-After is none", Throttled(retry_after_s=-5), 1, 0.5, 0, 0.5),
        ("nonsense as Retry-After is none", Throttled(retry_after_s=math.nan), 1, 0.5, 0, 0.5),
        ("Retry-After beyond the age ends it", Throttled(retry_after_s=601), 1, 0.0, 0, None),
        ("an endless Retry-After ends it", Throttled(retry_after_s=math.inf), 1, 0.0, 0, None),
        ("the last attempt was the last", NotReached(), 5, 0.0, 0, None),
        ("one before may", NotReached(), 4, 0.0, 0, 0.0),
        ("too old", NotReached(), 1, 0.5, 600, None),
        ("just young enough", NotReached(), 1, 0.5, 599.5, 0.5),
        ("what is wrong stays wrong", Refused(), 1, 0.5, 0, None),
        ("credentials are for people", CredentialsRefused(), 1, 0.5, 0, None),
        ("what may have gone out is not called again", NoAnswer(), 1, 0.5, 0, None),
        ("unless we know that it did not", NoAnswer(certain=True), 1, 0.5, 0, 0.5),
    ],
)  # fmt: skip
def test_next_attempt(
    label: str, error: SendError, attempts: int, jitter: float, age_s: float, wait_s: float | None
) -> None:
    got = next_attempt(error, attempts, NOW, POLICY, jitter, since=NOW - timedelta(seconds=age_s))
    assert got == (None if wait_s is None else NOW + timedelta(seconds=wait_s)), label


def test_what_has_no_outside_effect_may_be_repeated_in_doubt() -> None:
    policy = RetryPolicy(repeat_uncertain=True)
    assert next_attempt(NoAnswer(), 1, NOW, policy, 0.5, since=NOW) == NOW + timedelta(milliseconds=500)


def test_many_attempts_do_not_overflow() -> None:
    policy = RetryPolicy(max_attempts=10**9, cap_ms=1000)
    assert next_attempt(NotReached(), 10**6, NOW, policy, 0.5, since=NOW) == NOW + timedelta(milliseconds=500)
