"""How fast we call, and when we call again. Decisions only: nobody waits here.

A limit is a token bucket kept as one number, the time at which the bucket will be full again. The provider's
"80 a second" is meant for every second, so the burst that we allow ourselves is taken off the refill: any window of
one second holds 80, not 80 plus a burst.

Rule: bulk (campaigns, digests) never delays a reply: it leaves a token in every bucket that can hold two, and while
      replies wait on a channel none of it goes out there.
Rule: `now` is `Clock.monotonic()` for the limiter, and a datetime for `next_attempt`, whose result is stored.
Rule: memory is bounded. A recipient whose bucket is full again is forgotten, and nothing is lost by that.
"""

import math
from collections.abc import Callable
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Annotated

from msgspec import Meta, Struct

from adapters.base import Rates, SendError
from normalizer.ids import ChannelId

EPSILON_S = 1e-9


class RateSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    burst_ms: Annotated[
        int,
        Meta(ge=0, le=500, description="What a quiet channel may save up; it is taken off its lasting speed."),
    ] = 50
    reply_hold_ms: Annotated[
        int, Meta(ge=0, description="How long bulk stays back after the turn of a reply that had to wait.")
    ] = 250
    spread_ms: Annotated[
        int, Meta(ge=0, description="Those who must wait are spread over the time to come, at most this far.")
    ] = 60_000
    max_pairs: Annotated[
        int, Meta(ge=1, description="Recipients that are remembered; beyond it the least busy are forgotten.")
    ] = 200_000


class Bucket:
    """`full_at`: when it is full again. `interval`: seconds for one token. `size`: most tokens."""

    __slots__ = ("blocked_until", "full_at", "interval", "size")

    def __init__(self, interval: float, size: int) -> None:
        self.interval = interval
        self.size = size
        self.full_at = -math.inf
        self.blocked_until = -math.inf

    def free_at(self, reserve: int) -> float:
        """When one token may be taken so that `reserve` are left, as far as the bucket can hold so many."""
        spare = max(self.size - 1 - reserve, 0)
        return max(self.full_at - spare * self.interval, self.blocked_until)

    def take(self, now: float) -> None:
        self.full_at = max(self.full_at, now) + self.interval

    @property
    def busy_until(self) -> float:
        return max(self.full_at, self.blocked_until)


class Channel:
    """The bucket of all recipients (None: no limit), and who waits for it."""

    __slots__ = ("blocked_until", "bucket", "bulk_turn", "reply_hold", "reply_turn")

    def __init__(self, bucket: Bucket | None) -> None:
        self.bucket = bucket
        self.blocked_until = -math.inf
        self.reply_hold = -math.inf
        self.reply_turn = -math.inf
        self.bulk_turn = -math.inf

    def free_at(self, bulk: bool) -> float:
        bucket = self.bucket.free_at(1 if bulk else 0) if self.bucket else -math.inf
        return max(bucket, self.blocked_until, self.reply_hold if bulk else -math.inf)


def channel_bucket(per_second: float, burst_ms: int) -> Bucket:
    """No window of one second (of `1/per_second`, for slower ones) holds more than `per_second`, rounded up."""
    size = max(1, int(per_second * burst_ms / 1000))
    return Bucket(1 / (per_second - (size - 1)), size)


class RateLimiter:
    """Not shared between threads. `rates` tells what a channel's provider allows."""

    def __init__(self, rates: Callable[[ChannelId], Rates], settings: RateSettings) -> None:
        self._rates = rates
        self._settings = settings
        self._channels: dict[ChannelId, Channel] = {}
        self._pairs: dict[tuple[ChannelId, str], Bucket] = {}
        self._sweep_at = min(1024, settings.max_pairs)

    def admit(self, channel: ChannelId, recipient: str, now: float, bulk: bool = False) -> float | None:
        """None: send it, its tokens are taken. Else come back in so many seconds; nothing was taken.

        Those who must wait for the channel are told different times, so that they do not all come back at once.
        """
        self._make_room(now)
        state, pair = self._channel(channel), self._pair(channel, recipient)
        pair_free = pair.free_at(1 if bulk else 0) if pair else -math.inf
        channel_free = state.free_at(bulk)
        if max(pair_free, channel_free) > now + EPSILON_S:
            return max(pair_free, self._turn(state, channel_free, now, bulk)) - now
        if state.bucket:
            state.bucket.take(now)
        if pair:
            pair.take(now)
            self._pairs[channel, recipient] = pair
        return None

    def penalize(self, channel: ChannelId, recipient: str | None, until: float) -> None:
        """The provider told us to slow down: nothing to the recipient (None: on the channel) before `until`."""
        if recipient is None:
            state = self._channel(channel)
            state.blocked_until = max(state.blocked_until, until)
        else:
            pair = self._pair(channel, recipient) or Bucket(0.0, 1)
            pair.blocked_until = max(pair.blocked_until, until)
            self._pairs[channel, recipient] = pair

    def __len__(self) -> int:
        """Recipients that are remembered."""
        return len(self._pairs)

    def _turn(self, state: Channel, free: float, now: float, bulk: bool) -> float:
        """The next turn on the channel that nobody else was told, at most `spread_ms` after the first possible one.

        Who waits for the recipient's bucket alone takes no turn.
        """
        if free <= now + EPSILON_S:
            return now
        interval = state.bucket.interval if state.bucket else 0.0
        latest = free + self._settings.spread_ms / 1000
        if bulk:
            state.bulk_turn = min(max(free, state.bulk_turn + interval), latest)
            return state.bulk_turn
        state.reply_turn = min(max(free, state.reply_turn + interval), latest)
        state.reply_hold = max(state.reply_hold, state.reply_turn + self._settings.reply_hold_ms / 1000)
        return state.reply_turn

    def _channel(self, channel: ChannelId) -> Channel:
        state = self._channels.get(channel)
        if state is None:
            per_second = self._rates(channel).per_second
            state = Channel(channel_bucket(per_second, self._settings.burst_ms) if per_second else None)
            self._channels[channel] = state
        return state

    def _pair(self, channel: ChannelId, recipient: str) -> Bucket | None:
        """Not remembered before something is taken from it."""
        known = self._pairs.get((channel, recipient))
        if known is not None:
            return known
        rates = self._rates(channel)
        return Bucket(1 / rates.pair_per_second, rates.pair_burst) if rates.pair_per_second else None

    def _make_room(self, now: float) -> None:
        """Swept when it has doubled, so that a sweep costs each message next to nothing."""
        if len(self._pairs) < self._sweep_at:
            return
        self._pairs = {key: pair for key, pair in self._pairs.items() if pair.busy_until > now}
        most = self._settings.max_pairs
        if len(self._pairs) >= most:
            surplus = len(self._pairs) - most + 1 + most // 10
            for key, _ in nsmallest(surplus, self._pairs.items(), key=lambda item: item[1].busy_until):
                del self._pairs[key]
        self._sweep_at = min(max(1024, 2 * len(self._pairs)), most)


class RetryPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    max_attempts: Annotated[int, Meta(ge=1, description="Calls in all, the first one included.")] = 5
    max_age_s: Annotated[float, Meta(gt=0, description="After it nobody wants the message any more.")] = 86_400.0
    base_ms: Annotated[int, Meta(ge=1, description="Longest wait before the second call; it doubles.")] = 1_000
    cap_ms: Annotated[int, Meta(ge=1, description="Longest wait that we choose ourselves.")] = 300_000
    repeat_uncertain: Annotated[
        bool, Meta(description="Call again although it may have happened. Only for what has no outside effect.")
    ] = False


def next_attempt(
    error: SendError, attempts: int, now: datetime, policy: RetryPolicy, jitter: float, *, since: datetime
) -> datetime | None:
    """When to call again after `attempts` calls since `since`; None: never. `jitter` is drawn from [0, 1).

    The whole wait is drawn, so that callers who failed together do not come back together. A provider's Retry-After
    is a floor, not a replacement.
    """
    hopeless = not error.retryable or not (error.certain or policy.repeat_uncertain)
    if hopeless or attempts >= policy.max_attempts:
        return None
    wait_s = jitter * min(policy.cap_ms, policy.base_ms * 2 ** min(attempts - 1, 40)) / 1000
    wait_s += _floor_s(error.retry_after_s)
    left_s = policy.max_age_s - (now - since).total_seconds()
    return now + timedelta(seconds=wait_s) if wait_s <= left_s else None


def _floor_s(retry_after_s: float | None) -> float:
    """What a provider says may be anything; infinity is beyond every age, nonsense is no wish at all."""
    if retry_after_s is None or math.isnan(retry_after_s):
        return 0.0
    return max(retry_after_s, 0.0)
