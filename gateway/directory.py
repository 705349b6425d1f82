"""What is mounted: endpoints with their adapters, and the channels they carry. Fixed for the life of the process.

Rule: (endpoint, account) finds the channel, among that endpoint's channels only; an unknown account finds nothing.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import cast

from msgspec import Struct

from adapters.base import Adapter, ChannelSpec, Grant
from normalizer.ids import ChannelId, EndpointId

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Mounted(Struct, frozen=True, kw_only=True):
    """An endpoint in service."""

    id: EndpointId
    type: str
    adapter: Adapter
    channels: tuple[ChannelSpec, ...]
    credentials: Mapping[str, str | Grant]
    """See `gateway.credentials`: of a grant only a token is of use."""

    @property
    def plain(self) -> Mapping[str, str] | None:
        """The credentials, where all of them are secrets that are used as they stand."""
        if any(isinstance(value, Grant) for value in self.credentials.values()):
            return None
        return cast(Mapping[str, str], self.credentials)


class Directory:
    def __init__(self, mounted: Iterable[Mounted]) -> None:
        self.endpoints: dict[EndpointId, Mounted] = {one.id: one for one in mounted}
        self._by_account = {
            (one.id, channel.account): channel.id for one in self.endpoints.values() for channel in one.channels
        }
        self._by_channel = {channel.id: (one, channel) for one in self.endpoints.values() for channel in one.channels}

    def channel_for(self, endpoint: EndpointId, account: str | None) -> ChannelId | None:
        """An envelope without an account belongs to an endpoint's only channel."""
        found = self._by_account.get((endpoint, account))
        if found is None and account is None and len(self.endpoints[endpoint].channels) == 1:
            return self.endpoints[endpoint].channels[0].id
        return found

    def of(self, channel: ChannelId) -> tuple[Mounted, ChannelSpec] | None:
        """None: the channel was taken out of the configuration; what it left behind stays readable."""
        return self._by_channel.get(channel)


def to_ms(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)
