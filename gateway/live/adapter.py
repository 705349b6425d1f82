"""The adapter of a live channel, as this package sees it.

Rule: everything that differs between live channels is asked of their adapters; no module here knows one of them.
"""

from typing import Protocol, cast

from adapters.base import Adapter, Lives, Streams
from gateway.directory import Mounted


class Live(Adapter, Lives, Protocol):
    """Both sides of the contract."""


class Streaming(Live, Streams, Protocol):
    """One whose lines are heard while they are written."""


def live_adapter(mounted: Mounted) -> Live | None:
    """None: the channel has no sockets."""
    return cast(Live, mounted.adapter) if mounted.adapter.capabilities.live else None
