"""What tests of listeners share: a store, room 1 as it is and what it was given, sources and secrets of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from msgspec.structs import replace

from adapters.base import (
    CallContext,
    ChannelSpec,
    Flow,
    Grant,
    HttpCall,
    Pulled,
    RawInbound,
    Source,
)
from gateway.clock import CountingIds, FrozenClock
from gateway.credentials import Credentials, CredentialSettings
from gateway.directory import Mounted
from gateway.listen import listen_to
from gateway.listen.base import ListenSettings, Parts, Post
from gateway.listen.keeper import Keeper
from gateway.receive import Receiver
from gateway.store import cursors, intake
from gateway.store.cursors import Lease, Step
from gateway.store.store import Store, StoreUnavailable
from gateway.transport import Transport
from gateway.wake import Wake
from normalizer.ids import ChannelId, EndpointId
from tests.rooms.desk import Desk

ENDPOINT = EndpointId("box")
PATIENCE_S = 20.0
SETTINGS = ListenSettings(
    retry_base_ms=1, retry_max_ms=5, connect_timeout_ms=5_000, command_timeout_ms=5_000, rescan_uids=0
)


class Dialler(Desk):
    """An adapter with sources; its `pull` gives pages from a script."""

    def __init__(self, *sources: Source) -> None:
        super().__init__()
        self.sources = sources
        self.pages: deque[Pulled | Exception] = deque()
        self.asked: list[tuple[str, str | None, CallContext]] = []
        self.url = ""
        """Asked once for each page, where there is one."""

    def pull(self, name: str, cursor: str | None, ctx: CallContext) -> Flow[Pulled]:
        self.asked.append((name, cursor, ctx))
        if self.url:
            yield HttpCall(method="GET", url=self.url)
        page = self.pages.popleft() if self.pages else Pulled(items=(), cursor=cursor or "")
        if isinstance(page, Exception):
            raise page
        return page


class Tokens(Credentials):
    """Gives out secrets in their order; the last one stays. Knows which were refused."""

    def __init__(self, inner: Stage, *secrets: str) -> None:
        super().__init__(inner.store, inner.transport, inner.clock, inner.ids, "k" * 43, CredentialSettings())
        self.secrets = deque(secrets)
        self.refusals: list[str] = []

    async def secret(self, mounted: Mounted, name: str) -> str:
        return self.secrets[0]

    def refused(self, mounted: Mounted, secrets: Mapping[str, str]) -> None:
        self.refusals += secrets.values()
        if len(self.secrets) > 1:
            self.secrets.popleft()


class Room:
    """Room 1, and what it was given. `fail` so many times the store is in trouble first."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.batches: list[list[RawInbound]] = []
        self.fail = 0
        self.hold: asyncio.Event | None = None
        """The next commit waits for it."""

    async def receive_from(self, raws: Sequence[RawInbound], step: Step | None = None) -> None:
        if self.hold is not None:
            await self.hold.wait()
        if self.fail > 0:
            self.fail -= 1
            raise StoreUnavailable("as the test wants it")
        await self._receiver.receive_from(raws, step)
        self.batches.append(list(raws))

    @property
    def raws(self) -> list[RawInbound]:
        return [raw for batch in self.batches for raw in batch]

    @property
    def bodies(self) -> list[bytes]:
        return [raw.body for raw in self.raws]


class Stage:
    def __init__(self, store: Store, clock: FrozenClock, transport: Transport) -> None:
        self.store, self.clock, self.transport = store, clock, transport
        self.ids, self.wake = CountingIds(), Wake()
        self.room = Room(Receiver(store, self.ids, self.wake))
        self.settings = SETTINGS
        self.is_full = False
        self.credentials = Credentials(store, transport, clock, self.ids, "k" * 43, CredentialSettings())
        self.lives = 0

    def set(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    @property
    def parts(self) -> Parts:
        return Parts(store=self.store, receiver=self.room, credentials=self.credentials, clock=self.clock, ids=self.ids,
                     wake=self.wake, settings=self.settings, owner=f"node-{self.lives}",
                     disk_full=lambda: self.is_full, hooks="https://gateway.example/hooks/")  # fmt: skip

    def mounted(self, *sources: Source, **credentials: str | Grant) -> Mounted:
        return Mounted(id=ENDPOINT, type="desk", adapter=Dialler(*sources), credentials=credentials,
                       channels=(ChannelSpec(ChannelId("box"), "box@shop.example"),))  # fmt: skip

    async def post(self, mounted: Mounted, name: str) -> Post:
        """As a keeper makes it, for a listener that the test calls itself."""
        await self.store.write(cursors.void_leases)
        lease = await self.store.write(lambda tx: cursors.take(tx, mounted.id, name, "test", 30_000))
        assert lease is not None
        return Post(self.parts, mounted, name, lease)

    @asynccontextmanager
    async def kept(self, mounted: Mounted, source: Source) -> AsyncIterator[Keeper]:
        """Its keeper runs for the length of the block, like that of a process that has just started."""
        self.lives += 1
        keeper = Keeper(self.parts, mounted, source, listen_to(source))
        running = asyncio.create_task(keeper.run())
        try:
            yield keeper
            if running.done():
                running.result()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def cursor(self, name: str) -> str | None:
        return await self.store.read(lambda tx: cursors.cursor_of(tx, Lease(ENDPOINT, name, 0)))

    def stored(self) -> list[RawInbound]:
        """What is in the intake, in its order."""
        rows = self.store.write_now(lambda tx: intake.claim(tx, "test", upto=2**62, lease_ms=1, most=10_000))
        return [msgspec.msgpack.decode(row.raw, type=RawInbound) for row in rows]


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not done():  # noqa: ASYNC110  because a server's state has no event
            await asyncio.sleep(0.002)
