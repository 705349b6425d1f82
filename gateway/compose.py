"""Parts of the house, made from the configuration: rooms, engine, adapters, and what they are told of each other."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from adapters import REGISTRY
from adapters.base import Rates
from gateway.core import Core
from gateway.directory import Directory, Mounted
from gateway.engines.base import Engine
from gateway.engines.builtin import BuiltinConfig, BuiltinEngine
from gateway.engines.echo import EchoEngine
from gateway.heavy import HeavyReader
from gateway.listen import Listeners
from gateway.listen.base import Parts
from gateway.perform import Performer, PerformSettings
from gateway.perform.ask import Asker, AskSettings, Breaker, read_along
from gateway.perform.calls import Calls
from gateway.process import Processor, ProcessSettings
from gateway.process.apart import Apart
from gateway.process.prepare import Preparer
from gateway.process.settle import Done, Rules
from gateway.report import Report
from gateway.security import subkey
from gateway.settings import Config
from gateway.transport import RateLimiter, RetryPolicy
from normalizer.envelope import MediaRef
from normalizer.ids import ChannelId
from router.events import EngineChanged

ENGINE_LANE = "engine"


def heavy_reader(core: Core) -> HeavyReader:
    """For the endpoints whose format is heavy; without one it never starts anything."""
    mounted = core.directory.endpoints
    plans = {one.id: (one.type, one.settings) for one in core.config.endpoints.values()
             if mounted[one.id].adapter.capabilities.heavy}  # fmt: skip
    return HeavyReader(plans, core.config.rooms.parse_timeout_ms)


def processor(core: Core, owner: str, report: Report, reader: HeavyReader) -> Processor:
    config = core.config
    rules = Rules(directory=core.directory, policy=config.router_policy, engine=config.ai.engine, new_id=core.ids.new,
                  new_number=core.ids.intake, owner=owner, lease_ms=config.rooms.lease_ms,
                  along=partial(read_along, most=config.ai.transcript_messages))  # fmt: skip
    settings = ProcessSettings(
        batch=config.rooms.process_batch,
        batch_alone=config.rooms.process_batch_alone,
        gather_ms=config.rooms.process_gather_ms,
        hand_rows=config.rooms.process_hand_rows,
        hand_bytes=config.rooms.process_hand_bytes,
        slice_ms=config.rooms.process_slice_ms,
        lease_ms=config.rooms.lease_ms,
        poll_ms=config.rooms.poll_ms,
        max_attempts=config.rooms.max_attempts,
        max_claims=config.rooms.max_claims,
    )
    preparer = Preparer(core.directory, subkey(config.key, "dedupe"))

    def settled(done: Done) -> None:
        for item in done.items:
            if item.leg is not None and item.envelope is not None:
                core.sockets().stored(item.leg, item.envelope)
        report.processed(done)

    return Processor(core.store, preparer, rules, core.wake, settings, owner, settled,
                     lambda: report.fenced("process"), Apart(reader, core.media, preparer))  # fmt: skip


def performer(core: Core, owner: str, report: Report) -> Performer:
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
    calls = Calls(directory=core.directory, credentials=core.credentials, wake=core.wake, links=_links(core),
                  hooks=f"{config.public_url}/hooks/", limit_ms=config.rooms.lease_ms * 2 // 3,
                  refusal=core.standing.refusal)  # fmt: skip
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
        sentence_max_chars=ai.sentence_max_chars,
    )
    entering: set[asyncio.Task[None]] = set()

    def changed(up: bool, reason: str) -> None:
        report.engine(up, reason)
        fact = EngineChanged(engine=ai.engine, up=up, reason=reason, key=core.ids.uuid())
        task = asyncio.create_task(core.receiver.enter_surely(fact, ENGINE_LANE))
        entering.add(task)
        task.add_done_callback(entering.discard)

    return Asker(core.store, engine, Breaker(settings, core.clock, changed), settings)


def listeners(core: Core, owner: str) -> Listeners:
    parts = Parts(
        store=core.store,
        receiver=core.receiver,
        credentials=core.credentials,
        clock=core.clock,
        ids=core.ids,
        wake=core.wake,
        settings=core.config.listen,
        owner=owner,
        disk_full=core.disk_full,
        hooks=f"{core.config.public_url}/hooks/",
    )
    return Listeners(parts, core.directory.endpoints.values(), core.metrics)


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
