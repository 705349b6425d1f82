"""The composition root: makes everything from the configuration, starts the rooms, and stops them in order.

Rule: a room whose loop dies ends the process: limping is worse than stopping. One channel in trouble does not.
Rule: a stop drains: no new requests, sockets told and closed, rooms finish what they claimed, then the store closes.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from hashlib import blake2b
from pathlib import Path

from aiohttp import web

from adapters import REGISTRY
from adapters.base import Rates
from gateway import live
from gateway.clock import MS_SHIFT, Clock, Ids
from gateway.core import Core
from gateway.directory import Directory, Mounted
from gateway.engines.base import Engine
from gateway.engines.builtin import BuiltinConfig, BuiltinEngine
from gateway.engines.echo import EchoEngine
from gateway.itemlog import stream_for
from gateway.levels import levels, show
from gateway.media import MediaLinks, MediaStore
from gateway.observe import Metrics, configure, lines
from gateway.perform import Performer, PerformSettings
from gateway.perform.ask import Asker, AskSettings, Breaker
from gateway.perform.calls import Calls
from gateway.process import Processor, ProcessSettings
from gateway.process.prepare import Preparer
from gateway.process.settle import Rules
from gateway.receive import Receiver
from gateway.report import Report
from gateway.security import subkey
from gateway.settings import Config
from gateway.store import intake, migrate, outbox
from gateway.store.reads import highest_number
from gateway.store.statement import SQLITE
from gateway.store.store import Store, StoreUnavailable, open_store
from gateway.store.tx import Tx
from gateway.store.writer import Watch
from gateway.transport import RateLimiter, RetryPolicy, Transport
from gateway.wake import Wake
from gateway.web import make_app
from normalizer.envelope import MediaRef
from normalizer.ids import ChannelId
from router.events import EngineChanged

DISK_LOOK_S = 1.0
LOOK_S = 5.0
"""How often depths and ages are looked at."""
SWEEP_S = 60.0
ANSWERED_KEPT_MS = 10 * 60_000
"""How long the outcome of a row stays for a caller that comes back for it."""
ENGINE_LANE = "engine"


class House:
    """A running gateway: its core, its rooms, and what they share."""

    def __init__(self, core: Core, processor: Processor, performer: Performer, state: "State") -> None:
        self.core, self.processor, self.performer, self.state = core, processor, performer, state
        self.log = lines("house")

    async def prepare(self) -> None:
        """Before anything is served: tables, claims of a former life, the engine's state."""
        await asyncio.to_thread(migrate.upgrade, self.core.store.engine)
        self.state.migrated = True
        if self.core.store.database is SQLITE:
            await self.core.store.write(intake.void_claims)
            await self.core.store.write(outbox.void_claims)

    async def rooms(self) -> None:
        """Runs until `stop`; whatever dies takes the others with it."""
        await self._engine_is_back()
        async with asyncio.TaskGroup() as group:
            side = [
                group.create_task(self._watch_disk(), name="disk"),
                group.create_task(self._look(), name="look"),
                group.create_task(self._sweep(), name="sweep"),
            ]
            work = [
                group.create_task(self.processor.run(), name="process"),
                group.create_task(self.performer.run(), name="perform"),
            ]
            await asyncio.gather(*work)
            for task in side:
                task.cancel()

    async def _engine_is_back(self) -> None:
        """The breaker does not outlive its process: a new one starts with hope."""
        name = self.core.config.ai.engine
        if not await self.core.store.read(lambda tx: outbox.engine_up(tx, name)):
            key = self.core.ids.uuid()
            fact = EngineChanged(engine=name, up=True, reason="started anew", key=key)
            await self.core.receiver.enter(fact, ENGINE_LANE)

    async def _watch_disk(self) -> None:
        while True:
            self.state.disk = await asyncio.to_thread(self.core.media.disk_state)
            self.core.metrics.disk_free_bytes.set(await asyncio.to_thread(self.core.media.free_bytes))
            await asyncio.sleep(DISK_LOOK_S)

    async def _look(self) -> None:
        """How much waits, and since when."""
        days, metrics = self.core.config.rooms.park_orphan_days, self.core.metrics
        while True:
            metrics.ready.set(self.state.migrated and not self.state.draining and not self.core.disk_full())
            try:
                show(metrics, await self.core.store.read(lambda tx: levels(tx, days)))
            except StoreUnavailable:
                self.log.warning("look put off", error="StoreUnavailable")
            await asyncio.sleep(LOOK_S)

    async def _sweep(self) -> None:
        """What was only kept for callers that waited."""
        while True:
            try:
                await self.core.store.write(_sweep_answered)
            except StoreUnavailable:
                self.log.warning("sweep put off", error="StoreUnavailable")
            await asyncio.sleep(SWEEP_S)


def _sweep_answered(tx: Tx) -> int:
    return intake.sweep_answered(tx, (tx.now() - ANSWERED_KEPT_MS) << MS_SHIFT)


class State:
    """What changes in the life of a process, for those who ask."""

    def __init__(self) -> None:
        self.draining = False
        self.migrated = False
        self.disk = "ok"


@asynccontextmanager
async def open_house(config: Config, *, clock: Clock | None = None) -> AsyncIterator[House]:
    """Everything made and connected, nothing running yet."""
    async with AsyncExitStack() as stack:
        clock = clock or Clock()
        data_dir = Path(config.store.data_dir)
        store = open_store(
            config.store.url,
            clock,
            data_dir=data_dir,
            writers=config.store.writers,
            readers=config.store.readers,
            write_timeout_ms=config.server.write_timeout_ms,
        )
        stack.push_async_callback(store.close)
        media = MediaStore(data_dir, config.media, clock)
        stack.callback(media.close)
        transport = await stack.enter_async_context(Transport(config.transport, config.guard, media, clock))
        house = _compose(config, clock, store, media, transport)
        stack.callback(house.core.report.close)
        yield house


def _compose(config: Config, clock: Clock, store: Store, media: MediaStore, transport: Transport) -> House:
    state, wake, metrics = State(), Wake(), Metrics()
    ids = Ids(clock, above=_highest(store))
    directory = Directory(mount(config))
    links = MediaLinks(subkey(config.key, "media links"))
    peer_key = subkey(config.key, "peers")
    made: list[live.Sockets] = []
    report = Report(metrics, clock, stream_for(config.log.level, config.log.format))
    metrics.engine_up.set(1)
    store.work.watch = Watch(clock.monotonic, report.committed)
    core = Core(
        config=config,
        clock=clock,
        ids=ids,
        store=store,
        directory=directory,
        wake=wake,
        receiver=Receiver(store, ids, wake),
        media=media,
        links=links,
        transport=transport,
        metrics=metrics,
        report=report,
        sockets=lambda: made[0],
        draining=lambda: state.draining,
        migrated=lambda: state.migrated,
        disk_full=lambda: state.disk == "intake_stopped",
        peer_digest=lambda peer: blake2b(peer.encode(), key=peer_key, digest_size=8).hexdigest(),
    )
    made.append(live.Sockets(core))
    owner = ids.new("node")
    return House(core, _processor(core, owner, report), _performer(core, owner, report), state)


def _processor(core: Core, owner: str, report: Report) -> Processor:
    config = core.config
    rules = Rules(directory=core.directory, policy=config.router_policy, engine=config.ai.engine, new_id=core.ids.new,
                  new_number=core.ids.intake, owner=owner, lease_ms=config.rooms.lease_ms)  # fmt: skip
    settings = ProcessSettings(
        batch=config.rooms.process_batch,
        batch_alone=config.rooms.process_batch_alone,
        slice_ms=config.rooms.process_slice_ms,
        lease_ms=config.rooms.lease_ms,
        poll_ms=config.rooms.poll_ms,
        max_attempts=config.rooms.max_attempts,
        max_claims=config.rooms.max_claims,
    )
    preparer = Preparer(core.directory, subkey(config.key, "dedupe"))
    return Processor(core.store, preparer, rules, core.wake, settings, owner, report.processed,
                     lambda: report.fenced("process"))  # fmt: skip


def _performer(core: Core, owner: str, report: Report) -> Performer:
    config = core.config
    retry = RetryPolicy(max_attempts=config.rooms.max_attempts, base_ms=config.rooms.retry_base_ms,
                        cap_ms=config.rooms.retry_max_ms)  # fmt: skip
    settings = PerformSettings(
        concurrency=config.rooms.perform_concurrency,
        lease_ms=config.rooms.lease_ms,
        poll_ms=config.rooms.poll_ms,
        ordered_wait_ms=config.rooms.ordered_wait_ms,
        throttle_max_s=config.rooms.throttle_max_s,
        retry=retry,
    )
    calls = Calls(directory=core.directory, transport=core.transport, wake=core.wake, links=_links(core),
                  limit_ms=config.rooms.lease_ms * 2 // 3)  # fmt: skip
    limiter = RateLimiter(lambda channel: rates_of(config, core.directory, channel), config.rates)
    return Performer(core.store, calls, _asker(core, report), limiter, core.clock, core.ids, core.wake, settings, owner,
                     report.performed)  # fmt: skip


def _asker(core: Core, report: Report) -> Asker | None:
    engine = make_engine(core.config)
    if engine is None:
        return None
    ai = core.config.ai
    settings = AskSettings(
        transcript_messages=ai.transcript_messages,
        breaker_failures=ai.breaker_failures,
        breaker_reset_ms=ai.breaker_reset_ms,
    )
    entering: set[asyncio.Task[None]] = set()

    def changed(up: bool, reason: str) -> None:
        report.engine(up, reason)
        fact = EngineChanged(engine=ai.engine, up=up, reason=reason, key=core.ids.uuid())
        task = asyncio.create_task(core.receiver.enter_surely(fact, ENGINE_LANE))
        entering.add(task)
        task.add_done_callback(entering.discard)

    return Asker(core.store, engine, Breaker(settings, core.clock, changed), settings)


def make_engine(config: Config) -> Engine | None:
    match config.ai.engine:
        case "builtin":
            return BuiltinEngine(
                BuiltinConfig(
                    sources=config.ai.sources,
                    min_confidence=config.ai.min_confidence,
                    question_max_chars=config.ai.question_max_chars,
                    answer_max_sentences=config.ai.answer_max_sentences,
                )
            )
        case "echo":
            return EchoEngine()
        case "none":
            return None


def mount(config: Config) -> list[Mounted]:
    """Every configured endpoint with its adapter."""
    return [
        Mounted(
            id=one.id,
            type=one.type,
            adapter=REGISTRY[one.type].build(one.id, one.settings),
            channels=one.channels,
            credentials=one.settings.credentials(),
        )
        for one in config.endpoints.values()
    ]


def _links(core: Core) -> Callable[[MediaRef], str]:
    def link(media: MediaRef) -> str:
        assert media.stored is not None
        expires = core.clock.now() + timedelta(seconds=core.config.media.url_ttl_s)
        name, mime = media.filename or "file", media.sniffed or "application/octet-stream"
        return core.config.public_url + core.links.sign(media.stored, name, mime, expires)

    return link


def rates_of(config: Config, directory: Directory, channel: ChannelId) -> Rates:
    """What the provider is known to allow, with what the operator set instead."""
    found, own = directory.of(channel), config.transport.channels.get(channel)
    known = found[0].adapter.capabilities.rates if found is not None else Rates()
    if own is None:
        return known
    return Rates(
        per_second=own.per_second or known.per_second,
        pair_per_second=own.pair_per_second or known.pair_per_second,
        pair_burst=own.pair_burst or known.pair_burst,
    )


def _highest(store: Store) -> int:
    """Numbers go on above those of a former life, whatever the clock did meanwhile."""
    if not migrate.is_current(store.engine):
        return 0
    return store.read_now(highest_number)


# --- serving ------------------------------------------------------------------------------------------------------

Extra = Callable[[House, web.Application], Awaitable[None]]
"""Hangs something beside the gateway before it starts (the sandbox)."""


def run(config: Config, *, sandbox: bool = False, ready: Callable[[str], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; raises what ended a room."""
    import uvloop

    configure(config.log.level, config.log.format)
    uvloop.run(serve(config, extra=_sandbox() if sandbox else None, ready=ready))


def _sandbox() -> Extra:
    from gateway.sandbox import attach

    return attach


async def serve(config: Config, *, extra: Extra | None = None, ready: Callable[[str], None] | None = None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serving(config, extra=extra) as (house, url):
        house.log.info("listening", port=int(url.rpartition(":")[2]))
        if ready is not None:
            ready(url)
        rooms = asyncio.create_task(house.rooms(), name="rooms")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait({rooms, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await _drain(house, rooms)
        stopped.cancel()


@asynccontextmanager
async def serving(config: Config, *, extra: Extra | None = None) -> AsyncIterator[tuple[House, str]]:
    """The HTTP side, up; the rooms are the caller's to run."""
    async with open_house(config) as house:
        await house.prepare()
        app = make_app(house.core)
        if extra is not None:
            await extra(house, app)
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=config.server.drain_timeout_ms / 1000
        )
        await runner.setup()
        site = web.TCPSite(runner, config.server.host, config.server.port, backlog=2048, reuse_port=False)
        await site.start()
        try:
            yield house, _url_of(runner, config)
        finally:
            house.state.draining = True
            await live.close_all(house.core)
            await runner.cleanup()


def _url_of(runner: web.AppRunner, config: Config) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://{host}:{port}"


async def _drain(house: House, rooms: "asyncio.Task[None]") -> None:
    """Requests first, then the rooms: what was acknowledged last may still be processed."""
    house.state.draining = True
    house.log.info("draining")
    await live.close_all(house.core)
    house.processor.stop()
    house.performer.stop()
    try:
        async with asyncio.timeout(house.core.config.server.drain_timeout_ms / 1000):
            await rooms
    except TimeoutError:
        house.log.warning("stopped before all was finished")
