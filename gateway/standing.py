"""Channels that stand still: their provider takes nothing from us any more, until somebody does something about it.

It tells so itself (a notice about the account: the app was removed, a token was taken back), or it says so when it is
asked: every channel is asked now and then, and at once when it refused a send.

Rule: it is an alarm at once, as a line, in the metrics and in the channel's health.
Rule: what a provider told is believed until it is well when asked; until then nothing is sent, and every send says why.
Rule: this is what one process knows. It outlives no restart: whoever starts asks all.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from msgspec import Struct

from adapters.base import ChannelBlocked, CredentialsRefused, Health, SendError
from gateway.clock import Clock
from gateway.directory import Directory, Mounted
from gateway.observe import Metrics, lines
from normalizer.envelope import Envelope, Failure, Unsupported
from normalizer.ids import ChannelId

Ask = Callable[[Mounted, str | None], Awaitable[Health]]
"""What the provider of this account says about our credentials and address."""

STOPS: dict[str, type[SendError]] = {one.code: one for one in (CredentialsRefused, ChannelBlocked)}
FIRST_S = 10.0
"""After the start: others have more urgent work until then."""
AGAIN_S = 60.0
"""How often a channel that stands still is asked; not sooner after a notice, which may be ahead of what it tells of."""
TICK_S = 1.0
PROBE = "probe"
"""The reason of an alarm that came of asking."""


class Alarm(Struct, frozen=True, kw_only=True):
    code: str
    """Of the error catalogue; `not_well` when that is all that is known."""
    reason: str
    """The provider's name for it, or `probe`."""
    text: str
    """For the operator; no secrets."""
    since: datetime

    @property
    def is_told(self) -> bool:
        return self.reason != PROBE


class Standing:
    def __init__(self, directory: Directory, ask: Ask, clock: Clock, metrics: Metrics, every_s: float) -> None:
        self._directory, self._ask, self._clock, self._metrics = directory, ask, clock, metrics
        self._every_s, self._log = every_s, lines("standing")
        self._alarms: dict[ChannelId, Alarm] = {}
        self._next: dict[ChannelId, float] = {}
        for mounted in directory.endpoints.values():
            for channel in mounted.channels:
                self._next[channel.id] = clock.monotonic() + FIRST_S
                metrics.channel_up.labels(channel.id).set(1)

    def alarm(self, channel: ChannelId) -> Alarm | None:
        return self._alarms.get(channel)

    def refusal(self, channel: ChannelId) -> SendError | None:
        """What a send is told in place of a call. None: it may be tried."""
        alarm = self._alarms.get(channel)
        if alarm is None or not alarm.is_told:
            return None
        return STOPS[alarm.code](alarm.text, provider_code=alarm.reason)

    # --- what others saw ----------------------------------------------------------------------------------------------

    def noticed(self, envelope: Envelope) -> None:
        """Something that is no turn of a customer's; with a failure in it, the provider tells of the account."""
        body, channel = envelope.body, envelope.channel_id
        if not isinstance(body, Unsupported) or body.visible or channel is None:
            return
        for failure in body.failures:
            self._metrics.notices.labels(channel, failure.code).inc()
            self._log.warning("notice", channel_id=channel, code=failure.code, reason=body.what)
        self._told(channel, body.what, [failure for failure in body.failures if failure.code in STOPS])

    def refused(self, channel: ChannelId) -> None:
        """It did not take a send: it is asked what is wrong, unless that is known."""
        if channel in self._next and channel not in self._alarms:
            self._next[channel] = self._clock.monotonic()

    def _told(self, channel: ChannelId, what: str, failures: Sequence[Failure]) -> None:
        if failures and channel in self._next:
            self._raise(channel, failures[0].code, what, failures[0].text)
            self._next[channel] = self._clock.monotonic() + AGAIN_S

    # --- asking -------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(TICK_S)

    async def look(self) -> None:
        """Asks those whose turn it is."""
        now = self._clock.monotonic()
        due = [channel for channel, at in self._next.items() if at <= now]
        await asyncio.gather(*map(self._look_at, due))

    async def _look_at(self, channel: ChannelId) -> None:
        found, known = self._directory.of(channel), self._alarms.get(channel)
        assert found is not None, "the directory does not change"
        health = await self._health(found[0], found[1].account)
        if self._alarms.get(channel) is not known:
            return  # a notice came meanwhile, and says more than this answer
        if health.ok:
            self._clear(channel)
        elif known is None:
            self._raise(channel, "not_well", PROBE, health.detail)
        pause = AGAIN_S if channel in self._alarms else self._every_s
        self._next[channel] = self._clock.monotonic() + pause

    async def _health(self, mounted: Mounted, account: str | None) -> Health:
        try:
            return await self._ask(mounted, account)
        except Exception as error:  # noqa: BLE001  because one channel's trouble is nobody else's
            return Health(ok=False, detail=f"asking failed: {type(error).__name__}")

    def _raise(self, channel: ChannelId, code: str, reason: str, text: str) -> None:
        known = self._alarms.get(channel)
        since = known.since if known is not None else self._clock.now()
        self._alarms[channel] = Alarm(code=code, reason=reason, text=text, since=since)
        self._metrics.channel_up.labels(channel).set(0)
        self._log.error("channel stands still", channel_id=channel, code=code, reason=reason)

    def _clear(self, channel: ChannelId) -> None:
        if self._alarms.pop(channel, None) is not None:
            self._metrics.channel_up.labels(channel).set(1)
            self._log.info("channel is well again", channel_id=channel)
