"""Channels and queues: does the provider take our credentials, what waits, what failed, who waits for an agent.

Rule: a provider is asked at most once in `health_cache_ms`, however many people look.
"""

import asyncio

from msgspec.structs import replace

from adapters.base import CallContext, Health, Probes, SendError
from gateway.api import shapes, views
from gateway.api.base import Answer, Api, Asked, Remembered
from gateway.api.problems import Problem
from gateway.clock import Clock
from gateway.credentials import Credentials
from gateway.directory import Mounted, from_ms
from gateway.listen.base import ListenSettings, silent_after_s, sources_of
from gateway.standing import Alarm
from gateway.store import cursors, overview
from gateway.store.cursors import SourceRow
from gateway.store.overview import FailureRow, QueueRow
from gateway.store.tx import Tx
from normalizer.ids import ChannelId


async def health(api: Api, asked: Asked[None, None]) -> Answer:
    channel = ChannelId(asked.path["id"])
    found = api.core.directory.of(channel)
    if found is None:
        raise Problem("not_found")
    async with api.probing.setdefault(channel, asyncio.Lock()):
        known = api.health.get(channel)
        now = api.core.clock.monotonic()
        if known is None or now - known.at >= api.settings.health_cache_ms / 1000:
            known = api.health[channel] = Remembered(now, await _health(api, channel, found[0], found[1].account))
    return Answer(_alarmed(known.health, api.core.standing.alarm(channel)))


def _alarmed(health: shapes.ChannelHealth, alarm: Alarm | None) -> shapes.ChannelHealth:
    """An alarm is shown at once, whatever is remembered."""
    if alarm is None:
        return health
    view = shapes.AlarmView(code=alarm.code, reason=alarm.reason, since=alarm.since)
    return replace(health, ok=False, alarm=view)


async def _health(api: Api, channel: ChannelId, mounted: Mounted, account: str | None) -> shapes.ChannelHealth:
    core, settings = api.core, api.settings
    probed = await probe(mounted, account, core.credentials, core.clock, settings.probe_timeout_ms)
    since = core.store.now() - settings.failures_window_ms

    def look(tx: Tx) -> tuple[dict[str, int], list[FailureRow], list[SourceRow]]:
        failures = overview.failures_of(tx, channel, since, settings.failures_shown)
        return overview.waiting_of(tx, channel), failures, cursors.every(tx)

    waiting, failures, rows = await core.store.read(look)
    heard = heard_of(mounted, rows, core.store.now(), core.config.listen)
    return shapes.ChannelHealth(
        channel_id=channel,
        endpoint_id=mounted.id,
        type=mounted.type,
        ok=probed.ok and all(source.ok for source in heard),
        detail=probed.detail,
        checked_at=core.clock.now(),
        sources=heard,
        waiting=waiting,
        failures=tuple(views.failure(row) for row in failures),
    )


def heard_of(
    mounted: Mounted, rows: list[SourceRow], now: int, settings: ListenSettings
) -> tuple[shapes.SourceView, ...]:
    """A source that nobody has heard yet is not well, either."""
    known = {row.name: row for row in rows if row.endpoint_id == mounted.id}
    views = []
    for source in sources_of(mounted):
        row = known.get(source.name)
        heard, trouble = (None, None) if row is None else (row.heard_at, row.trouble)
        fresh = heard is not None and now - heard <= silent_after_s(source, settings) * 1000
        at = None if heard is None else from_ms(heard)
        views.append(shapes.SourceView(name=source.name, ok=fresh and trouble is None, heard_at=at, trouble=trouble))
    return tuple(views)


async def probe(
    mounted: Mounted, account: str | None, credentials: Credentials, clock: Clock, timeout_ms: int
) -> Health:
    """What the provider says about our credentials and address. Raises nothing."""
    adapter: object = mounted.adapter
    if not hasattr(adapter, "probe"):
        return Health(ok=True, detail="there is nobody to ask")
    prober: Probes = adapter
    flow = prober.probe(CallContext(now=clock.now(), account=account))
    try:
        return await credentials.run(flow, mounted, timeout_ms=timeout_ms)
    except SendError as error:
        return Health(ok=False, detail=" ".join(filter(None, (error.code, error.provider_code, error.text))))


async def queues(api: Api, asked: Asked[None, None]) -> Answer:
    """The default queue is always among them."""
    found = {row.name: row for row in await api.core.store.read(overview.queues)}
    default = api.core.config.policy.default_queue
    rows = {default: QueueRow(default, 0, None)} | found
    items = (
        shapes.QueueView(
            name=row.name,
            waiting=row.waiting,
            oldest_due=None if row.oldest_due is None else from_ms(row.oldest_due),
        )
        for _, row in sorted(rows.items())
    )
    return Answer(shapes.QueueList(items=tuple(items)))
