"""Ids as addresses, and times that are text."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.slack import wire
from adapters.slack.people import address, instant, is_direct, message_id, order, party, place_of, writer
from normalizer.envelope import Party
from tests.kit.cases import NOW


def test_addresses() -> None:
    """A team, a slash, an id; what can be none of these is none."""
    assert str(address("T1", "U1")) == "slack:T1/U1"
    assert str(address(None, "U1")) == "slack:-/U1"
    for team, id in (("T1", None), ("T1", ""), ("T1", "U/1"), ("T 1", "U1"), ("T1", "U" * 65)):
        assert address(team, id) is None


def test_a_party_without_an_id_has_no_claim() -> None:
    assert party("T1", None) == Party()
    assert party("T1", "U1", "", "").name is None


@pytest.mark.parametrize(
    ("facts", "team"),
    [
        ({"user_team": "T2", "source_team": "T3", "team": "T4"}, "T2"),
        ({"source_team": "T3", "team": "T4"}, "T3"),
        ({"team": "T4"}, "T4"),
        ({}, "T9"),
    ],
)
def test_whose_the_writer_is(facts: dict[str, Any], team: str) -> None:
    """The most specific fact counts."""
    found = writer(wire.Event(user="U1", **facts), "T9", "T1").address
    assert str(found) == f"slack:{team}/U1"


def test_ids_of_messages() -> None:
    """There and back; a ts is never a number."""
    assert message_id("C1", "1764000000.000100") == "C1:1764000000.000100"
    assert place_of("C1:1764000000.000100") == ("C1", "1764000000.000100")
    for channel, ts in ((None, "1.1"), ("C1", None), ("C1", ""), ("C:1", "1764000000.000100"), ("C1", "x y")):
        assert message_id(channel, ts) is None
    for odd in ("file:F1", "C1:", "C1", ":1764000000.000100", "C1:yesterday"):
        assert place_of(odd) is None


def test_order_keeps_every_digit() -> None:
    """Two messages of one microsecond apart, which a float would hold for one."""
    first, second = "1764000000.999999", "1764000001.000000"
    assert order(first) < order(second)
    assert order("9999999999.000001") < order("9999999999.000002")
    assert order("x") == order("") == (0, 0)
    assert order("1764000000.1") == order("1764000000.100000")


def test_instant() -> None:
    """To the microsecond; what is no time is the time of arrival."""
    assert instant("1764000000.000100", NOW) == datetime(2025, 11, 24, 16, 0, 0, 100, tzinfo=UTC)
    for odd in (None, "", "now", "1e9.0", "0000000000.000000", "-1764000000.000100"):
        assert instant(odd, NOW) == NOW


def test_what_is_direct() -> None:
    assert is_direct("D1", "im")
    assert is_direct("D1")
    assert is_direct("X1", "app_home")
    assert not is_direct("C1")
    assert not is_direct("D1", "channel")
