"""The record's own small laws."""

from __future__ import annotations

from itertools import pairwise

from normalizer.address import Address, Scheme
from normalizer.envelope import (
    RANK,
    AddressClaim,
    Evidence,
    Image,
    MediaRef,
    Message,
    Note,
    Party,
    Status,
    Text,
    inbound_id,
    media_parts,
)
from normalizer.ids import EndpointId


def test_an_inbound_id_is_the_events() -> None:
    ids = {inbound_id(EndpointId(endpoint), account, "k") for endpoint in "ab" for account in (None, "1")}
    assert len(ids) == 4
    assert inbound_id(EndpointId("a"), "1", "k") in ids


def test_every_state_has_a_rank_and_failed_yields_to_delivered() -> None:
    assert RANK.keys() == set(Status)
    assert all(RANK[low] < RANK[high] for low, high in pairwise([Status.SENT, Status.FAILED, Status.DELIVERED]))
    assert RANK[Status.DELIVERED] < RANK[Status.READ] < RANK[Status.PLAYED]


def test_evidence_has_an_order() -> None:
    assert Evidence.CLAIMED < Evidence.CHANNEL < Evidence.VERIFIED


def test_a_party_is_answered_at_its_first_address() -> None:
    first, second = (AddressClaim(Address(Scheme.TEL, value), Evidence.CHANNEL) for value in ("+1", "+2"))
    assert Party(claims=(first, second)).address == first.address
    assert Party().address is None


def test_parts_with_bytes_keep_their_places() -> None:
    image = Image(MediaRef())
    assert media_parts(Message(parts=(Text("a"), image, Text("b"), image))) == ((1, image), (3, image))
    assert media_parts(Note("x")) == ()
