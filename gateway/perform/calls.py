"""The calls themselves: what an adapter wants done, carried out by the transport. Nothing is decided or stored here."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from adapters.base import (
    CallContext,
    Capabilities,
    Fetched,
    Fetches,
    Finds,
    Flow,
    LegView,
    MediaFailed,
    PushCall,
    Refused,
    Reply,
    SendContext,
    SendError,
    Sent,
    Wire,
)
from gateway.credentials import Credentials
from gateway.directory import Directory, Mounted, from_ms
from gateway.perform.begin import Ready
from gateway.store.threads import LegRow
from gateway.wake import Met, Wake
from normalizer.address import parse_address
from normalizer.envelope import Envelope, MediaRef, Receipt, Status, media_parts
from normalizer.ids import ChannelId, EnvelopeId, ExternalId, LegId

NO_CHANNEL = Capabilities()
STATUS = {Met.LISTENER: 200, Met.NOBODY: 204, Met.DEAF: 410}
"""The answer to a push."""
Links = Callable[[MediaRef], str]
"""A public, signed, short-lived URL of stored bytes."""


class Calls(Struct, frozen=True, kw_only=True):
    directory: Directory
    credentials: Credentials
    wake: Wake
    links: Links
    hooks: str
    """Where endpoints are called: the public URL of all of them, with a slash at its end."""
    limit_ms: int
    """Of everything that one step does; shorter than a lease."""
    refusal: Callable[[ChannelId], SendError | None] = lambda channel: None
    """Why nothing goes out on a channel that stands still."""

    def mounted(self, channel: ChannelId | None) -> tuple[Mounted, str | None]:
        """Raises Refused for a channel that is not configured any more, and what one that stands still says."""
        found = self.directory.of(channel) if channel is not None else None
        if channel is None or found is None:
            raise Refused("the channel is not configured any more")
        if error := self.refusal(channel):
            raise error
        return found[0], found[1].account

    def capabilities(self, channel: ChannelId | None) -> Capabilities:
        found = self.directory.of(channel) if channel is not None else None
        return NO_CHANNEL if found is None else found[0].adapter.capabilities

    def finds(self, channel: ChannelId | None) -> bool:
        """Whether `find` may be called."""
        found = self.directory.of(channel) if channel is not None else None
        return found is not None and hasattr(found[0].adapter, "find")

    async def send(self, ready: Ready, now: datetime) -> Sent:
        """One step of a message. Raises SendError."""
        mounted, account = self.mounted(ready.held.channel_id)
        context = self._context(ready, mounted, account, now)
        line = _line(ready, now) if mounted.adapter.capabilities.live else None
        return await self._run(mounted, mounted.adapter.send(ready.envelope, context), ready.leg.id, line)

    async def find(self, ready: Ready, now: datetime) -> Sequence[ExternalId]:
        """Ids at the provider that may be the step in doubt. Raises SendError."""
        mounted, account = self.mounted(ready.held.channel_id)
        adapter: Any = mounted.adapter
        finder: Finds = adapter
        flow = finder.find(ready.envelope, self._context(ready, mounted, account, now), from_ms(ready.held.created_at))
        return await self.credentials.run(flow, mounted, timeout_ms=self.limit_ms)

    def _context(self, ready: Ready, mounted: Mounted, account: str | None, now: datetime) -> SendContext:
        return SendContext(
            now=now,
            account=account,
            hook_url=self.hooks + mounted.id,
            leg=_view(ready.leg, ready.before),
            echo_key=f"{ready.held.id}:{ready.held.step}",
            attempt=ready.held.attempts,
            step=ready.held.step,
            reply_to=ready.reply_to,
            media_urls=self._media_urls(ready.envelope),
        )

    async def mark(
        self, channel: ChannelId | None, leg: LegRow, external_id: ExternalId, typing: bool, now: datetime
    ) -> None:
        """Tells that a message was read. Raises SendError."""
        mounted, account = self.mounted(channel)
        envelope = Envelope(
            id=EnvelopeId(""),
            direction="out",
            channel_type=mounted.type,
            endpoint_id=mounted.id,
            account=account,
            author="system",
            occurred_at=now,
            body=Receipt(status=Status.READ, target=external_id, typing=typing),
        )
        context = SendContext(now=now, account=account, hook_url=self.hooks + mounted.id, leg=_view(leg), echo_key="")
        await self._run(mounted, mounted.adapter.send(envelope, context), leg.id)

    async def fetch(self, channel: ChannelId | None, media: MediaRef, now: datetime) -> Fetched:
        """The bytes of a part, into the media store. Raises SendError."""
        mounted, account = self.mounted(channel)
        adapter: object = mounted.adapter
        if not hasattr(adapter, "fetch"):
            raise MediaFailed("the channel gives no media")
        fetcher: Fetches = adapter
        flow = fetcher.fetch(media, CallContext(now=now, account=account, hook_url=self.hooks + mounted.id))
        return await self.credentials.run(flow, mounted, timeout_ms=self.limit_ms)

    async def _run(self, mounted: Mounted, flow: Flow[Sent], leg: LegId, line: Wire | None = None) -> Sent:
        async def push(call: PushCall) -> Reply:
            return Reply(STATUS[self.wake.leg(leg, call.frame, line)])

        return await self.credentials.run(flow, mounted, timeout_ms=self.limit_ms, push=push)

    def _media_urls(self, envelope: Envelope) -> Mapping[str, str]:
        stored = [part.media for _, part in media_parts(envelope.body) if part.media.stored is not None]
        return {media.stored: self.links(media) for media in stored if media.stored is not None}


def _line(ready: Ready, now: datetime) -> Wire:
    """As sockets will read it; where others have followed it its own number is a lower one."""
    return Wire(seq=ready.leg.wire_head, envelope=replace(ready.envelope, seq=ready.seq), at=now)


def _view(leg: LegRow, before: tuple[ExternalId, ...] = ()) -> LegView:
    return LegView(
        address=parse_address(leg.address),
        native_thread=leg.native_thread,
        window_until=None if leg.window_until is None else from_ms(leg.window_until),
        last_inbound=None if leg.last_inbound is None else ExternalId(leg.last_inbound),
        subject=leg.subject,
        before=before,
    )
