"""Who is it? Laws of linking: by proof alone, the same whatever comes first, and undone exactly."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Evidence
from normalizer.identity import (
    Ambiguous,
    Holding,
    Known,
    Merge,
    New,
    claim_key,
    identifying,
    resolve,
    root_of,
    unmerge,
)
from normalizer.ids import ContactId, MatchKey

A, B, C = ContactId("a"), ContactId("b"), ContactId("c")
K1, K2, K3 = MatchKey("k1"), MatchKey("k2"), MatchKey("k3")
P1, P2 = MatchKey("web:shop/user/1"), MatchKey("web:shop/user/2")


def claim(text: str, evidence: Evidence) -> tuple[MatchKey, AddressClaim]:
    made = AddressClaim(Address(Scheme.MAILTO, text), evidence)
    return claim_key(made), made


def test_an_unknown_address_is_somebody_new() -> None:
    assert resolve([K1, K2], {}, Evidence.CHANNEL) == New()


def test_a_known_address_is_its_contact() -> None:
    assert resolve([K1, K2], {K2: Holding(A)}, Evidence.CHANNEL) == Known(A)


def test_one_event_with_two_contacts_addresses_links_them() -> None:
    found = resolve([K1, K2], {K1: Holding(A), K2: Holding(B)}, Evidence.VERIFIED)
    assert isinstance(found, Known)
    ((merge),) = found.merge
    assert (found.contact, merge.child, merge.parent, merge.evidence) == (A, B, A, Evidence.VERIFIED)
    assert merge.reason


@pytest.mark.parametrize("keys", list(permutations([K1, K2, P1])))
def test_whom_a_site_vouches_for_takes_the_others_in_whatever_comes_first(keys: tuple[MatchKey, ...]) -> None:
    held = {K1: Holding(A), K2: Holding(B), P1: Holding(C, P1)}
    found = resolve(keys, held, Evidence.CHANNEL)
    assert isinstance(found, Known)
    assert found.contact == C
    assert {(merge.child, merge.parent) for merge in found.merge} == {(A, C), (B, C)}


@pytest.mark.parametrize("keys", list(permutations([K1, P1, P2])))
def test_nobody_is_two_persons_that_a_site_vouches_for(keys: tuple[MatchKey, ...]) -> None:
    held = {K1: Holding(A), P1: Holding(B, P1), P2: Holding(C, P2)}
    found = resolve(keys, held, Evidence.VERIFIED)
    assert isinstance(found, Ambiguous)
    assert found.contact == held[keys[0]].contact


KEYS = st.lists(st.sampled_from([K1, K2, K3, P1, P2]), min_size=1, max_size=5, unique=True)
HELD = st.dictionaries(st.sampled_from([K1, K2, K3]), st.builds(Holding, st.sampled_from([A, B, C])), max_size=3)


@given(KEYS, HELD)
def test_everybody_whom_the_event_names_ends_as_one(keys: list[MatchKey], held: dict[MatchKey, Holding]) -> None:
    found = resolve(keys, held, Evidence.CHANNEL)
    named = {held[key].contact for key in keys if key in held}
    match found:
        case New():
            assert named == set()
        case Known(contact=contact, merge=merges):
            parents = {merge.child: merge.parent for merge in merges}
            assert {root_of(one, parents) for one in named} == {contact}
            assert contact not in parents
            assert len(parents) == len(merges) == len(named) - 1
        case Ambiguous():
            raise AssertionError("nobody is vouched for here")


@given(KEYS, HELD)
def test_who_is_linked_does_not_depend_on_the_order(keys: list[MatchKey], held: dict[MatchKey, Holding]) -> None:
    def family(order: list[MatchKey]) -> set[ContactId]:
        found = resolve(order, held, Evidence.CHANNEL)
        return {found.contact, *(merge.child for merge in found.merge)} if isinstance(found, Known) else set()

    assert family(keys) == family(keys[::-1]) == family(sorted(keys))


# --- what was only claimed --------------------------------------------------------------------------------------------


def test_a_claimed_address_never_meets_the_real_one() -> None:
    (claimed, _), (proven, _) = claim("ann@x.org", Evidence.CLAIMED), claim("ann@x.org", Evidence.CHANNEL)
    assert claimed != proven
    assert claim("ann@x.org", Evidence.VERIFIED)[0] == proven


def test_what_is_claimed_beside_a_proof_identifies_nobody() -> None:
    typed, proven = claim("ann@x.org", Evidence.CLAIMED), claim("bob@x.org", Evidence.CHANNEL)
    assert list(identifying([typed, proven])) == [proven]
    assert list(identifying([proven, typed])) == [proven]


def test_claims_alone_are_who_wrote_first_of_all() -> None:
    first, second = claim("ann@x.org", Evidence.CLAIMED), claim("bob@x.org", Evidence.CLAIMED)
    assert list(identifying([first, second])) == [first]
    assert list(identifying([])) == []


# --- links ------------------------------------------------------------------------------------------------------------

IDS = [ContactId(f"c{number}") for number in range(6)]
LINKS = st.dictionaries(st.sampled_from(IDS), st.sampled_from(IDS), max_size=6)


def test_a_chain_is_followed_to_its_end() -> None:
    assert root_of(A, {A: B, B: C}) == C
    assert root_of(C, {A: B, B: C}) == C


@given(LINKS, st.sampled_from(IDS))
def test_a_circle_ends(links: dict[ContactId, ContactId], start: ContactId) -> None:
    assert root_of(start, links) in {start, *links.values()}


@given(LINKS, st.sampled_from(IDS))
def test_an_unmerge_undoes_exactly_its_merge(links: dict[ContactId, ContactId], child: ContactId) -> None:
    before = {one: parent for one, parent in links.items() if one != child}
    assert unmerge(child, before | {child: A}) == before
    assert unmerge(child, before) == before


def test_what_was_linked_to_the_child_stays_with_it() -> None:
    parents = unmerge(B, {A: B, B: C})
    assert (root_of(A, parents), root_of(B, parents), root_of(C, parents)) == (B, B, C)


def test_a_merge_says_why() -> None:
    assert Merge(A, B, Evidence.CHANNEL, "x").reason == "x"
