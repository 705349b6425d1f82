from __future__ import annotations

from functools import partial

from gateway.store import people
from gateway.store.store import Store
from normalizer.envelope import Evidence
from normalizer.identity import Merge
from normalizer.ids import ContactId, MatchKey
from tests.store.rows import address_row, contact_row


def people_with_addresses(store: Store, *ids: str) -> None:
    store.write_now(lambda tx: people.add_contacts(tx, [contact_row(id) for id in ids]))
    store.write_now(lambda tx: people.add_addresses(tx, [address_row(f"tel:{id}", id) for id in ids]))


def holders(store: Store, *keys: str) -> dict[MatchKey, ContactId]:
    return store.read_now(lambda tx: people.holders(tx, [MatchKey(key) for key in keys]))


def link(store: Store, child: str, parent: str) -> bool:
    merge = Merge(ContactId(child), ContactId(parent), Evidence.CHANNEL, "one event carried both")
    return store.write_now(lambda tx: people.link(tx, merge, 7))


def unlink(store: Store, child: str) -> bool:
    return store.write_now(lambda tx: people.unlink(tx, ContactId(child)))


def test_an_address_belongs_to_who_had_it_first(store: Store) -> None:
    people_with_addresses(store, "a")
    later = [address_row("tel:a", "b"), address_row("tel:new", "b")]
    assert store.write_now(lambda tx: people.add_addresses(tx, later)) == {"tel:a": "a", "tel:new": "b"}
    store.write_now(lambda tx: people.add_contacts(tx, [contact_row("b")]))
    assert holders(store, "tel:a", "tel:new", "tel:unknown") == {"tel:a": "a", "tel:new": "b"}


def test_the_first_of_one_batch_has_the_address(store: Store) -> None:
    rows = [address_row("tel:1", "z"), address_row("tel:1", "a")]
    assert store.write_now(lambda tx: people.add_addresses(tx, rows)) == {"tel:1": "z"}


def test_nobody_holds_nothing(store: Store) -> None:
    assert holders(store) == {}
    assert store.write_now(lambda tx: people.add_addresses(tx, [])) == {}


def test_evidence_only_grows(store: Store) -> None:
    store.write_now(lambda tx: people.add_addresses(tx, [address_row("tel:1", "a", evidence=1)]))
    for level in (2, 1):
        store.write_now(partial(people.raise_evidence, rows=[(level, MatchKey("tel:1"))]))
    (row,) = store.read_now(lambda tx: people.addresses_of(tx, [ContactId("a")]))
    assert row == address_row("tel:1", "a", evidence=2)


def test_addresses_come_in_the_order_in_which_they_were_met(store: Store) -> None:
    rows = [address_row("k1", "a", at=3), address_row("k2", "a", at=1), address_row("k3", "b", at=2)]
    store.write_now(lambda tx: people.add_addresses(tx, rows))
    found = store.read_now(lambda tx: people.addresses_of(tx, [ContactId("a"), ContactId("b")]))
    assert [row.key for row in found] == ["k2", "k3", "k1"]


def test_a_contact_keeps_its_first_name(store: Store) -> None:
    store.write_now(lambda tx: people.add_contacts(tx, [contact_row("a"), contact_row("b", "Bea")]))
    store.write_now(lambda tx: people.add_contacts(tx, [contact_row("a", "too late")]))
    store.write_now(lambda tx: people.name_contacts(tx, [("Ann", ContactId("a")), ("Eve", ContactId("b"))]))
    assert store.read_now(lambda tx: people.get_contact(tx, ContactId("a"))) == (contact_row("a", "Ann"), None)
    assert store.read_now(lambda tx: people.get_contact(tx, ContactId("b"))) == (contact_row("b", "Bea"), None)
    assert store.read_now(lambda tx: people.get_contact(tx, ContactId("c"))) is None


def test_a_merge_is_followed_and_undone_exactly(store: Store) -> None:
    people_with_addresses(store, "a", "b", "c")
    before = everything(store, "a", "b", "c")
    assert link(store, "a", "b")
    assert holders(store, "tel:a", "tel:b", "tel:c") == {"tel:a": "b", "tel:b": "b", "tel:c": "c"}
    assert store.read_now(lambda tx: people.get_contact(tx, ContactId("a"))) == (contact_row("a"), "b")
    assert unlink(store, "a")
    assert not unlink(store, "a")
    assert everything(store, "a", "b", "c") == before


def everything(store: Store, *ids: str) -> list[object]:
    wanted = [ContactId(id) for id in ids]
    contacts = [store.read_now(partial(people.get_contact, contact_id=id)) for id in wanted]
    return [
        contacts,
        store.read_now(lambda tx: people.addresses_of(tx, wanted)),
        holders(store, *(f"tel:{id}" for id in ids)),
    ]


def test_chains_of_merges_end_at_their_root_and_open_where_they_are_cut(store: Store) -> None:
    people_with_addresses(store, "a", "b", "c", "d")
    assert link(store, "a", "b")
    assert link(store, "b", "c")
    assert link(store, "c", "d")
    assert set(holders(store, "tel:a", "tel:b", "tel:c", "tel:d").values()) == {"d"}
    assert unlink(store, "b")
    assert holders(store, "tel:a", "tel:b", "tel:c", "tel:d") == {
        "tel:a": "b",
        "tel:b": "b",
        "tel:c": "d",
        "tel:d": "d",
    }


def test_a_merge_never_closes_a_circle(store: Store) -> None:
    people_with_addresses(store, "a", "b", "c")
    assert not link(store, "a", "a")
    assert link(store, "a", "b")
    assert not link(store, "b", "a")
    assert link(store, "b", "c")
    assert not link(store, "c", "a")
    assert set(holders(store, "tel:a", "tel:b", "tel:c").values()) == {"c"}


def test_a_child_is_linked_once(store: Store) -> None:
    people_with_addresses(store, "a", "b", "c")
    assert link(store, "a", "b")
    assert not link(store, "a", "c")
    assert holders(store, "tel:a") == {"tel:a": "b"}


def test_the_family_is_all_that_hang_on_a_contact(store: Store) -> None:
    people_with_addresses(store, "root", "left", "right", "leaf", "other")
    for child, parent in (("left", "root"), ("right", "root"), ("leaf", "left")):
        assert link(store, child, parent)
    family = store.read_now(lambda tx: people.family(tx, ContactId("root")))
    assert family[0] == "root"
    assert sorted(family[1:]) == ["leaf", "left", "right"]
    assert store.read_now(lambda tx: people.family(tx, ContactId("other"))) == ["other"]
