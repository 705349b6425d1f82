"""Contacts behind the API: everybody that is the same person, and taking a link away."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.gateway.api_house import CUSTOMER, OTHER, ApiHouse, linked, running


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path) as made:
        yield made


async def test_a_contact_is_shown_with_all_that_are_the_same_person(place: ApiHouse) -> None:
    parent, child, first, second = await linked(place)
    for id in (parent, child):
        shown = await place.get(f"/v1/contacts/{id}")
        assert (shown["id"], shown["kind"], shown["name"]) == (id, "person", "Jo")
        assert {(one["address"], one["contact_id"], one["evidence"]) for one in shown["addresses"]} == {
            (f"whatsapp:{CUSTOMER}", parent, "channel"), (f"whatsapp:{OTHER}", child, "channel"),
        }  # fmt: skip
        assert shown["links"] == [
            {"child": child, "parent": parent, "evidence": "verified", "reason": "one token for both",
             "since": "2026-01-02T03:04:05Z"}
        ]  # fmt: skip
        assert {one["id"] for one in shown["conversations"]} == {first, second}
    for id, other in ((first, second), (second, first)):
        assert [one["id"] for one in (await place.get(f"/v1/conversations/{id}"))["linked"]] == [other]


async def test_unmerge_takes_the_link_away_and_nothing_else(place: ApiHouse) -> None:
    parent, child, first, second = await linked(place)
    got = await place.call("POST", f"/v1/contacts/{child}/unmerge")
    assert (got.status, got.body["links"], [one["id"] for one in got.body["conversations"]]) == (200, [], [second])
    assert [one["id"] for one in (await place.get(f"/v1/contacts/{parent}"))["conversations"]] == [first]
    assert (await place.get(f"/v1/conversations/{first}"))["linked"] == []


async def test_only_a_linked_contact_can_be_unmerged(place: ApiHouse) -> None:
    parent, _, _, _ = await linked(place)
    assert (await place.call("POST", f"/v1/contacts/{parent}/unmerge")).body["type"] == "urn:throughline:not_linked"
    assert (await place.call("POST", "/v1/contacts/ct_unknown/unmerge")).status == 404
    assert (await place.call("GET", "/v1/contacts/ct_unknown")).status == 404
