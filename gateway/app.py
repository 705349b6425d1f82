"""The composition root: makes everything from the configuration, starts the rooms, and stops them in order.

Rule: a room whose loop dies ends the process: limping is worse than stopping. One channel in trouble does not.
Rule: a stop drains: no new requests, sockets told and closed, rooms finish what they claimed, then the store closes.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path

from aiohttp import web

from gateway import live
from gateway.api.channels import probe
from gateway.clock import MS_SHIFT, Clock, Ids
from gateway.compose import ENGINE_LANE, heavy_reader, listeners, mount, performer, processor
from gateway.core import Core
from gateway.credentials import Credentials
from gateway.directory import Directory
from gateway.heavy import HeavyReader
from gateway.itemlog import stream_for
from gateway.levels import levels, show
from gateway.listen import Listeners
from gateway.media import MediaLinks, MediaStore
from gateway.observe import Metrics, configure, lines
from gateway.perform import Performer
from gateway.process import Processor
from gateway.receive import Receiver
from gateway.report import Report
from gateway.security import subkey
from gateway.settings import Config
from gateway.standing import Standing
from gateway.store import cursors, grants, intake, migrate, outbox
from gateway.store.reads import highest_number
from gateway.store.statement import SQLITE
from gateway.store.store import Store, StoreUnavailable, open_store
from gateway.store.tx import Tx
from gateway.store.work import Watch
from gateway.transport import Transport
from gateway.wake import Wake
from gateway.web import make_app
from router.events import EngineChanged

DISK_LOOK_S = 1.0
LOOK_S = 5.0
"""How often depths and ages are looked at."""
SWEEP_S = 60.0
ANSWERED_KEPT_MS = 10 * 60_000
"""How long the outcome of a row stays for a caller that comes back for it."""


class House:
    """A running gateway: its core, its rooms, and what they share."""

    def __init__(
        self, core: Core, processor: Processor, performer: Performer, listeners: Listeners, reader: HeavyReader,
        state: "State",
    ) -> None:  # fmt: skip
        self.core, self.processor, self.performer, self.listeners = core, processor, performer, listeners
        self.reader, self.state = reader, state
        self.log = lines("house")

    async def prepare(self) -> None:
        """Before anything is served: tables, claims of a former life, the engine's state."""
        await asyncio.to_thread(migrate.upgrade, self.core.store.engine)
        self.state.migrated = True
        if self.core.store.database is SQLITE:
            await self.core.store.write(intake.void_claims)
            await self.core.store.write(outbox.void_claims)
            await self.core.store.write(cursors.void_leases)
            await self.core.store.write(grants.void_leases)

    async def rooms(self) -> None:
        """Runs until `stop`; whatever dies takes the others with it."""
        await self._engine_is_back()
        async with asyncio.TaskGroup() as group:
            side = [
                group.create_task(self._watch_disk(), name="disk"),
                group.create_task(self._look(), name="look"),
                group.create_task(self._sweep(), name="sweep"),
                group.create_task(self.listeners.run(), name="listen"),
                group.create_task(self.core.standing.run(), name="standing"),
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
            gather_ms=config.rooms.receive_gather_ms,
        )
        stack.push_async_callback(store.close)
        media = MediaStore(data_dir, config.media, clock)
        stack.callback(media.close)
        transport = await stack.enter_async_context(Transport(config.transport, config.guard, media, clock))
        house = _compose(config, clock, store, media, transport)
        stack.callback(house.core.report.close)
        stack.push_async_callback(house.reader.close)
        yield house


def _compose(config: Config, clock: Clock, store: Store, media: MediaStore, transport: Transport) -> House:
    state, wake, metrics = State(), Wake(), Metrics()
    ids = Ids(clock, above=_highest(store))
    directory = Directory(mount(config))
    links = MediaLinks(subkey(config.key, "media links"))
    peer_key = subkey(config.key, "peers")
    made: list[live.Sockets] = []
    credentials = Credentials(store, transport, clock, ids, config.key, config.credentials)
    ask = partial(probe, credentials=credentials, clock=clock, timeout_ms=config.api.probe_timeout_ms)
    standing = Standing(directory, ask, clock, metrics, config.api.probe_every_s)
    report = Report(metrics, clock, stream_for(config.log.level, config.log.format), standing)
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
        credentials=credentials,
        metrics=metrics,
        report=report,
        standing=standing,
        sockets=lambda: made[0],
        large_bodies=asyncio.Semaphore(config.server.max_large_bodies),
        draining=lambda: state.draining,
        migrated=lambda: state.migrated,
        disk_full=lambda: state.disk == "intake_stopped",
        silent=lambda: heard.silent,
        peer_digest=lambda peer: blake2b(peer.encode(), key=peer_key, digest_size=8).hexdigest(),
    )
    made.append(live.Sockets(core))
    owner = ids.new("node")
    reader = heavy_reader(core)
    rooms = processor(core, owner, report, reader), performer(core, owner, report)
    heard = listeners(core, owner)
    return House(core, *rooms, heard, reader, state)


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
    """Listeners and requests first, then the rooms: what was acknowledged last may still be processed."""
    house.state.draining = True
    house.log.info("draining")
    await house.listeners.stop()
    await live.close_all(house.core)
    house.processor.stop()
    house.performer.stop()
    try:
        async with asyncio.timeout(house.core.config.server.drain_timeout_ms / 1000):
            await rooms
    except TimeoutError:
        house.log.warning("stopped before all was finished")
