"""A ticket says whose call it is, and nobody else can write one."""

from datetime import timedelta

import pytest

from adapters.twilio_voice.ticket import MAX_CHARS, Tickets, peek, ticket
from normalizer.address import Address, Scheme
from normalizer.envelope import Evidence
from normalizer.ids import EndpointId
from tests.kit.cases import NOW

WHO = Address(Scheme.TEL, "+15550001111")
TICKET = ticket("CA1", WHO, Evidence.CLAIMED, NOW, since=NOW - timedelta(seconds=5), outward=True)
OURS = Tickets(("one", "two"), EndpointId("a"))
GOOD = OURS.sign(TICKET)


def test_it_comes_back_as_it_was() -> None:
    found = OURS.read(GOOD)
    assert found == TICKET
    assert (found.who, found.sureness, found.issued_at) == (WHO, Evidence.CLAIMED, NOW)
    assert (NOW - found.since_at, found.outward) == (timedelta(seconds=5), True)


def test_it_fits_into_a_parameter() -> None:
    longest = Address(Scheme.SIP, "a" * 100 + "@" + "b" * 60)
    assert len(OURS.sign(ticket("CA" + "0" * 32, longest, Evidence.VERIFIED, NOW))) <= MAX_CHARS


def test_without_a_beginning_it_begins_now() -> None:
    assert ticket("CA1", WHO, Evidence.CHANNEL, NOW).since_at == NOW


def test_a_replaced_secret_still_reads() -> None:
    assert Tickets(("new", "one"), EndpointId("a")).read(GOOD) == TICKET
    assert Tickets(("new",), EndpointId("a")).read(GOOD) is None


def test_another_endpoint_reads_nothing() -> None:
    assert Tickets(("one",), EndpointId("b")).read(GOOD) is None


@pytest.mark.parametrize(
    "text",
    ["", ".", "x", GOOD[:-1], GOOD + "A", "A" + GOOD, GOOD.partition(".")[0], GOOD.partition(".")[0] + ".",
     GOOD.replace(".", "..", 1), GOOD.upper(), "é" * 20, GOOD + "=" * MAX_CHARS, "." + GOOD.partition(".")[2]],
)  # fmt: skip
def test_whatever_else_is_none(text: str) -> None:
    assert OURS.read(text) is None


@pytest.mark.parametrize("text", ["", "x", "AAAA", "W10", "e30", "é", "\x00"])
def test_peek_never_raises(text: str) -> None:
    assert peek(text) is None


def test_peek_refuses_values_that_are_none() -> None:
    """Signed or not: an unknown scheme, an unknown level, a time beyond the calendar."""
    for changed in ({"address": "pigeon:1"}, {"address": "tel:"}, {"evidence": 9}, {"issued": 2**62}):
        fields = {name: getattr(TICKET, name) for name in TICKET.__struct_fields__}
        assert peek(OURS.sign(type(TICKET)(**{**fields, **changed}))) is None
