"""The other side of a channel: what a simulator is.

Rule: pure and stateful. It refuses what the provider refuses: a closed window, an unknown template, a wrong token.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from adapters.base.inbound import Reply


class Request(Struct, frozen=True, kw_only=True):
    """A request between a simulator and the gateway, in either direction."""

    method: str
    url: str
    headers: Mapping[str, str] = {}
    body: bytes = b""


class Provider(Protocol):
    """A simulator: the same channel from the other side. Pure and stateful; refuses what the provider refuses."""

    def answer(self, request: Request, now: datetime) -> Reply:
        """The provider's API, as the gateway calls it."""
        ...

    def due(self, now: datetime) -> Sequence[Request]:
        """Webhooks that are to be delivered now; undelivered ones come again as the provider would repeat them."""
        ...
