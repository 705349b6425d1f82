"""What a live adapter offers beyond `Adapter`, and how often its clients may speak.

Rule: everything that differs between live channels is asked here; no module of this package knows one of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol, cast

from msgspec import Struct

from adapters.base import Capabilities, Heard, LegRead, LegUpload, LiveSession, Outcome, RawInbound, Reply, Wire
from gateway.directory import Mounted
from normalizer.envelope import MediaRef


class Limits(Struct, frozen=True, kw_only=True):
    """Of one socket, unless it says otherwise."""

    messages_per_s: float = 1.0
    """Sustained; what comes faster is answered with `limited` and dropped."""
    messages_burst: int = 5
    typing_every_s: float = 3.0
    """What comes faster is dropped."""
    frames_per_s: float = 20.0
    """Of any kind, sustained; beyond it the socket is closed."""
    frames_burst: int = 200
    sockets_per_session: int | None = None
    sockets_per_peer: int | None = None
    """Of one network address; one more is asked to try later."""


DEFAULT = Limits()


class Live(Protocol):
    capabilities: Capabilities
    hello_ms: int
    max_frame_bytes: int
    subprotocols: Sequence[str]

    def headers(self, raw: RawInbound) -> Mapping[str, str]:
        """Belong on every answer to this caller, those of the gateway's own included (CORS)."""
        ...

    def verify(self, raw: RawInbound) -> Reply | LegRead | LegUpload | None: ...

    def respond(self, raw: RawInbound, outcome: Outcome | None) -> Reply: ...

    def hear(self, raw: RawInbound) -> Heard: ...

    def limited(self, raw: RawInbound, retry_after_ms: int) -> bytes | None:
        """What a client is told whose frame came too fast and is dropped. None: nothing."""
        ...

    def greet(self, session: LiveSession, now: datetime) -> Sequence[bytes]: ...

    def show(self, wire: Wire) -> bytes | None: ...

    def synced(self, head: int) -> bytes: ...

    def farewell(self, reconnect_after_ms: int) -> bytes: ...

    def page(self, raw: RawInbound, read: LegRead, wires: Sequence[Wire], more: bool, head: int) -> Reply: ...

    def uploaded(self, raw: RawInbound, media: MediaRef | None, error: str | None) -> Reply: ...


def live_adapter(mounted: Mounted) -> Live | None:
    """None: the channel has no sockets."""
    return cast(Live, mounted.adapter) if mounted.adapter.capabilities.live else None


def limits_of(adapter: Live) -> Limits:
    """The adapter's own `limits` where it has some."""
    found = getattr(adapter, "limits", None)
    return found if isinstance(found, Limits) else DEFAULT
