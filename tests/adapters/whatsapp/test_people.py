"""Who wrote, and that one person stays one person."""

from datetime import timedelta
from itertools import permutations

import pytest

from adapters.whatsapp import simulator_content as content
from adapters.whatsapp.people import Contacts, is_user_id, person
from adapters.whatsapp.simulator import Meta
from adapters.whatsapp.simulator_world import Customer
from normalizer.address import match_key
from normalizer.envelope import AddressChange, Envelope
from normalizer.ids import MatchKey
from tests.adapters.whatsapp.simulated import meta
from tests.adapters.whatsapp.support import SUBJECT
from tests.kit.cases import NOW


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("16505551234", "16505551234"),
        ("+16505551234", "16505551234"),
        ("+1 (650) 555-1234", "16505551234"),
        ("US.13491208655302741918", "US.13491208655302741918"),
        ("some-id-of-the-future", "some-id-of-the-future"),
        ("", None),
        ("group/1", None),
        ("a\x00b", None),
        ("x" * 257, None),
        ("١٢٣", "١٢٣"),
    ],
)
def test_person(text: str, want: str | None) -> None:
    """Digits for a number however it is written, an id as it is, nothing for what can be neither."""
    address = person(text)
    assert (address.value if address else None) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("US.1", True), ("DE.ENT.1a", True), ("US." + "1" * 128, True), ("US." + "1" * 129, False), ("us.1", False),
        ("USA.1", False), ("US.", False), ("foo_bar", False), ("US.1 ", False), ("US.1\n", False), ("US.é", False),
    ],
)  # fmt: skip
def test_user_id(text: str, want: bool) -> None:
    """Two capital letters, a dot, letters and digits."""
    assert is_user_id(text) is want


def test_nobody() -> None:
    """Without ids and without contacts there is nobody, and that is not an error."""
    assert Contacts(None).party(None, None, None).claims == ()


def walk(simulated: Meta, customer: Customer) -> list[Envelope]:
    """A person's ids over time: number, both, hidden number, new user id, new number."""
    steps: list[Envelope] = []

    def told() -> None:
        (request,) = simulated.due(NOW + timedelta(seconds=1))
        simulated.delivered(request, 200)
        steps.extend(SUBJECT.adapter.parse(SUBJECT.raw(request.body, headers=request.headers)))

    simulated.send(customer, content.text("one"), NOW)
    told()
    customer.user_id = "US.1"
    simulated.send(customer, content.text("two"), NOW)
    told()
    customer.shows_phone = False
    simulated.send(customer, content.text("three"), NOW)
    told()
    simulated.change_user_id(customer, "US.2", NOW)
    told()
    simulated.change_number(customer, "12195555358", "US.3", NOW)
    told()
    customer.shows_phone = True
    simulated.send(customer, content.text("four"), NOW)
    told()
    return steps


def linked(envelopes: list[Envelope]) -> list[set[MatchKey]]:
    """People, as far as these envelopes link addresses."""
    people: list[set[MatchKey]] = []
    for envelope in envelopes:
        addresses = [claim.address for claim in envelope.party.claims]
        if isinstance(envelope.body, AddressChange):
            addresses += [*envelope.body.old, *(claim.address for claim in envelope.body.new)]
        keys = set(map(match_key, addresses))
        same = [known for known in people if known & keys]
        people = [known for known in people if not known & keys] + [keys.union(*same)]
    return people


def test_one_person_comes_out_in_every_order() -> None:
    """Whatever the order in which the changes arrive, their addresses are one person's."""
    steps = walk(meta(), Customer(name="Pablo", phone="16505551234"))
    for order in permutations(steps):
        (only,) = linked(list(order))
        assert only == {"tel:+16505551234", "whatsapp:US.1", "whatsapp:US.2", "whatsapp:US.3", "tel:+12195555358"}


def test_changes_are_no_messages() -> None:
    """The two changes of the walk are told as such, with old and new."""
    steps = walk(meta(), Customer(name="Pablo", phone="16505551234"))
    changes = [e.body for e in steps if isinstance(e.body, AddressChange)]
    assert [change.reason for change in changes] == ["user_changed_user_id", "user_changed_number"]
    assert [[a.value for a in change.old] for change in changes] == [["US.1"], ["16505551234", "US.2"]]
    assert [[c.address.value for c in change.new] for change in changes] == [["US.2"], ["12195555358", "US.3"]]
