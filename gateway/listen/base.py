"""What every listener works with: its limits, its trouble, and the post from which it hands on what it hears.

Rule: a listener acknowledges nothing before `Post.deliver` has returned.
Rule: a listener raises Trouble for whatever keeps it from hearing; its keeper waits and calls it again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol, TypeVar

from msgspec import Meta, Struct

from adapters.base import CallContext, Dials, ImapSource, PullSource, RawInbound, SocketModeSource, Source
from gateway.clock import Clock, Ids
from gateway.credentials import Credentials
from gateway.directory import Mounted
from gateway.store import cursors
from gateway.store.cursors import Lease, Step
from gateway.store.store import Store, StoreUnavailable
from gateway.wake import Bell, Wake

T = TypeVar("T")

DISK_LOOK_S = 1.0
OURS = ("store_unavailable", "disk_full")
"""Trouble that is not the source's."""

Positive = Annotated[int, Meta(ge=1)]


class ListenSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    lease_ms: Annotated[Positive, Meta(description="Another node listens in place of one that was silent so long.")] = (
        30_000
    )
    retry_base_ms: Annotated[
        Positive, Meta(description="Wait before a second attempt to reach a source; it doubles each time.")
    ] = 1_000
    retry_max_ms: Annotated[Positive, Meta(description="Longest wait between two attempts.")] = 120_000
    refused_pause_s: Annotated[
        Positive, Meta(description="Wait after refused credentials: who tries too often is locked out.")
    ] = 300
    silent_s: Annotated[
        Positive, Meta(description="Without a sign of life for so long a socket counts as dead, and is reported.")
    ] = 300
    connect_timeout_ms: Annotated[Positive, Meta(description="Time limit until a source has greeted us.")] = 15_000
    command_timeout_ms: Annotated[
        Positive, Meta(description="A mail server that says nothing for so long has no answer any more.")
    ] = 30_000
    socket_heartbeat_s: Annotated[
        Positive, Meta(description="A socket is pinged so often, and is dead when it does not answer.")
    ] = 20
    socket_waiting: Annotated[
        Positive, Meta(description="Envelopes of a socket that wait for their commit; it is not read any further then.")
    ] = 1_000
    socket_frame_bytes: Annotated[Positive, Meta(description="A larger frame ends the socket.")] = 4_194_304
    socket_overlap_s: Annotated[
        Positive, Meta(description="How long a socket that was announced to end is read beside its successor.")
    ] = 30
    pull_timeout_ms: Annotated[Positive, Meta(description="Time limit of one page that is asked for.")] = 60_000
    batch_bytes: Annotated[
        Positive, Meta(description="Bytes of mails that are fetched and stored together; one may be larger.")
    ] = 8_388_608
    batch_messages: Annotated[Positive, Meta(description="The same as a number, also of envelopes of a socket.")] = 64
    header_bytes: Annotated[Positive, Meta(description="What is kept of the header of a mail that is too large.")] = (
        262_144
    )
    rescan_uids: Annotated[
        int, Meta(ge=0, description="So many mails before the last are looked at again: some servers show one late.")
    ] = 20
    ca_file: Annotated[
        str | None, Meta(description="Certificates (PEM) that are trusted besides the system's, for mail servers.")
    ] = None


class Trouble(Exception):
    """Why a source is not heard, as a code. `pause_s`: wait so long before the next attempt; None: by their number."""

    def __init__(self, code: str, pause_s: float | None = None) -> None:
        super().__init__(code)
        self.code, self.pause_s = code, pause_s


class Receives(Protocol):
    """Room 1, as far as a listener knows it."""

    async def receive_from(self, raws: Sequence[RawInbound], step: Step | None = None) -> None: ...


class Parts(Struct, frozen=True, kw_only=True):
    """What the house gives its listeners."""

    store: Store
    receiver: Receives
    credentials: Credentials
    clock: Clock
    ids: Ids
    wake: Wake
    settings: ListenSettings
    owner: str
    """Names this process in leases."""
    disk_full: Callable[[], bool]
    hooks: str
    """The public URL of all endpoints, with a slash at its end."""


class Post:
    """One source as its listener has it, for as long as the lease lasts. `memory` outlives the connection."""

    def __init__(self, parts: Parts, mounted: Mounted, name: str, lease: Lease) -> None:
        self.parts, self.mounted, self.name, self.lease = parts, mounted, name, lease
        self.settings = parts.settings
        self.cursor: str | None = None
        self.heard_at: int | None = None
        self.is_well = False
        self.changed = Bell()
        """There is something to tell of it before the next renewal."""
        self._trouble: str | None = None
        self.memory: dict[str, Any] = {}

    @property
    def trouble(self) -> str | None:
        """Why it is not heard now."""
        return self._trouble

    @trouble.setter
    def trouble(self, code: str | None) -> None:
        if code != self._trouble:
            self._trouble = code
            self.changed.ring()

    def heard(self) -> None:
        """The source gave a sign of life."""
        self.heard_at = self.parts.store.now()

    def established(self) -> None:
        """It is heard: whatever was wrong is over."""
        self.heard()
        if not self.is_well:
            self.changed.ring()
        self.is_well, self.trouble = True, None

    async def find_cursor(self) -> str | None:
        """How far it is read. Asked at the start of every session, behind what is being written: a commit may have been
        cut off from its answer.
        """
        self.cursor = await self._surely(lambda: self.parts.store.write(lambda tx: cursors.cursor_of(tx, self.lease)))
        return self.cursor

    async def deliver(self, raws: Sequence[RawInbound], cursor: str | None = None) -> None:
        """Kept when it returns; while the store is in trouble it waits. Raises LostClaim."""
        step = None if cursor is None else Step(self.lease, self.cursor, cursor)
        while self.parts.disk_full():
            self.trouble = "disk_full"
            await asyncio.sleep(DISK_LOOK_S)
        await self._surely(lambda: self.parts.receiver.receive_from(raws, step))
        self.cursor = self.cursor if cursor is None else cursor

    async def _surely(self, attempt: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                found = await attempt()
            except StoreUnavailable:
                failures += 1
                self.trouble = "store_unavailable"
                await asyncio.sleep(self.pause_s(failures))
            else:
                self.trouble = None if self.trouble in OURS else self.trouble
                return found

    def pause_s(self, failures: int) -> float:
        """Doubles with each failure; the latter half of it is drawn, so that those who failed together part."""
        settings = self.settings
        longest = min(settings.retry_max_ms, settings.retry_base_ms * 2.0 ** min(failures - 1, 30)) / 1000
        return longest * (0.5 + self.parts.ids.fraction() / 2)

    def raw(
        self,
        origin: Literal["dialled", "pulled"],
        body: bytes,
        *,
        method: str = "POST",
        path: str = "",
        headers: Mapping[str, str],
    ) -> RawInbound:
        return RawInbound(
            id=self.parts.ids.uuid(),
            endpoint_id=self.mounted.id,
            origin=origin,
            received_at=self.parts.clock.now(),
            method=method,
            path=path,
            headers={name.lower(): value for name, value in headers.items()},
            body=body,
        )

    def context(self) -> CallContext:
        """An endpoint of one channel speaks for its account."""
        channels = self.mounted.channels
        account = channels[0].account if len(channels) == 1 else None
        return CallContext(now=self.parts.clock.now(), account=account, hook_url=self.parts.hooks + self.mounted.id)


def sources_of(mounted: Mounted) -> tuple[Source, ...]:
    """Empty: its provider calls us."""
    adapter: object = mounted.adapter
    if not hasattr(adapter, "sources"):
        return ()
    dials: Dials = adapter
    return dials.sources


def silent_after_s(source: Source, settings: ListenSettings) -> float:
    """Nothing heard for so long is an alarm."""
    match source:
        case ImapSource():
            return source.silent_s
        case SocketModeSource():
            return settings.silent_s
        case PullSource():
            return 2 * source.every_s + settings.silent_s
