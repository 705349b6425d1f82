"""Which channel an envelope belongs to, and times as the store has them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from adapters.base import ChannelSpec
from gateway.directory import Directory, Mounted, from_ms, to_ms
from normalizer.ids import ChannelId, EndpointId
from tests.rooms.desk import Desk


def mounted(id: str, *channels: tuple[str, str | None]) -> Mounted:
    specs = tuple(ChannelSpec(ChannelId(name), account) for name, account in channels)
    return Mounted(id=EndpointId(id), type="desk", adapter=Desk(), channels=specs, credentials={})


ONE = mounted("one", ("one", "111"))
TWO = mounted("two", ("a", "1"), ("b", "2"))
ANY = mounted("any", ("any", None))
DIRECTORY = Directory([ONE, TWO, ANY])


def channel(endpoint: str, account: str | None) -> str | None:
    return DIRECTORY.channel_for(EndpointId(endpoint), account)


def test_an_account_is_looked_for_among_the_endpoints_own() -> None:
    assert (channel("one", "111"), channel("two", "1"), channel("two", "2")) == ("one", "a", "b")
    assert (channel("two", "111"), channel("one", "1"), channel("any", "1")) == (None, None, None)


def test_without_an_account_only_one_channel_can_be_meant() -> None:
    assert (channel("one", None), channel("two", None), channel("any", None)) == ("one", None, "any")


def test_a_channel_that_was_taken_out_is_nobodys() -> None:
    assert DIRECTORY.of(ChannelId("b")) == (TWO, TWO.channels[1])
    assert DIRECTORY.of(ChannelId("gone")) is None


@given(st.integers(0, 4_000_000_000_000))
def test_milliseconds_and_instants_are_the_same(ms: int) -> None:
    assert to_ms(from_ms(ms)) == ms


def test_an_instant_is_the_same_in_every_zone() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert to_ms(noon) == to_ms(noon.astimezone(timezone(timedelta(hours=9)))) == 1_767_268_800_000
