"""Contacts, their addresses, and the links between contacts.

Rule: an address is unique by its match key; the upsert of a new one is the lock on it.
Rule: a merge sets a link on the child, an unmerge clears it; no other row changes.
"""

from collections.abc import Iterable
from operator import itemgetter
from typing import NamedTuple

import sqlalchemy as sa

from gateway.store.schema import address, contact
from gateway.store.statement import AnyOf, Statement, b, insert
from gateway.store.tx import Tx
from normalizer.identity import Merge, root_of
from normalizer.ids import ContactId, MatchKey


class AddressRow(NamedTuple):
    key: MatchKey
    contact_id: ContactId
    address: str
    evidence: int
    at: int


class ContactRow(NamedTuple):
    id: ContactId
    kind: str
    """`person` or `group`."""
    name: str | None
    created_at: int


_HELD = Statement(
    lambda d: (
        sa.select(address.c.key, address.c.contact_id, contact.c.parent_id)
        .join(contact, contact.c.id == address.c.contact_id)
        .where(AnyOf(address.c.key, "keys"))
    ),
    "keys",
)
_ADDRESS_ADD = insert(address, *AddressRow._fields, ignore=True)
_ADDRESS_OWNERS = Statement(
    lambda d: sa.select(address.c.key, address.c.contact_id).where(AnyOf(address.c.key, "keys")), "keys"
)
_ADDRESS_RAISE = Statement(
    lambda d: sa.update(address)
    .values(evidence=b("p_evidence"))
    .where(address.c.key == b("p_key"), address.c.evidence < b("p_evidence")),
    "p_evidence", "p_key",
)  # fmt: skip
_ADDRESSES = Statement(
    lambda d: (
        sa.select(*(address.c[name] for name in AddressRow._fields))
        .where(AnyOf(address.c.contact_id, "ids"))
        .order_by(address.c.at, address.c.key)
    ),
    "ids",
)
_RELEASED = Statement(
    lambda d: sa.select(address.c.key, address.c.released_at).where(
        AnyOf(address.c.key, "keys"), address.c.released_at.is_not(None)
    ),
    "keys",
)
_RELEASE = Statement(
    lambda d: sa.update(address).values(released_at=b("p_at")).where(address.c.key == b("p_key")), "p_at", "p_key"
)
_TAKE_OVER = Statement(
    lambda d: sa.update(address)
    .values(contact_id=b("p_contact"), at=b("p_at"), released_at=None)
    .where(address.c.key == b("p_key")),
    "p_contact", "p_at", "p_key",
)  # fmt: skip
_CONTACT_ADD = insert(contact, *ContactRow._fields, ignore=True)
_CONTACT = Statement(
    lambda d: sa.select(*(contact.c[name] for name in ContactRow._fields), contact.c.parent_id).where(
        contact.c.id == b("p_id")
    ),
    "p_id",
)
_PARENTS = Statement(
    lambda d: sa.select(contact.c.id, contact.c.parent_id).where(
        AnyOf(contact.c.id, "ids"), contact.c.parent_id.is_not(None)
    ),
    "ids",
)
_CHILDREN = Statement(lambda d: sa.select(contact.c.id).where(AnyOf(contact.c.parent_id, "ids")), "ids")
_LINK = Statement(
    lambda d: sa.update(contact)
    .values(parent_id=b("parent"), link_evidence=b("evidence"), link_reason=b("reason"), linked_at=b("at"))
    .where(contact.c.id == b("child"), contact.c.parent_id.is_(None)),
    "parent", "evidence", "reason", "at", "child",
)  # fmt: skip
_UNLINK = Statement(
    lambda d: (
        sa.update(contact)
        .values(parent_id=None, link_evidence=None, link_reason=None, linked_at=None)
        .where(contact.c.id == b("child"), contact.c.parent_id.is_not(None))
    ),
    "child",
)
_NAME = Statement(
    lambda d: sa.update(contact).values(name=b("p_name")).where(contact.c.id == b("p_id"), contact.c.name.is_(None)),
    "p_name", "p_id",
)  # fmt: skip


def holders(tx: Tx, keys: Iterable[MatchKey]) -> dict[MatchKey, ContactId]:
    """Whose the known ones among the addresses are, after following links."""
    rows = [(row[0], row[1], row[2]) for row in tx.rows(_HELD, (tx.many(keys),))]
    linked = {ContactId(contact): ContactId(parent) for _, contact, parent in rows if parent is not None}
    parents = _all_parents(tx, linked) if linked else {}
    return {MatchKey(key): root_of(ContactId(contact), parents) for key, contact, _ in rows}


def _all_parents(tx: Tx, links: dict[ContactId, ContactId]) -> dict[ContactId, ContactId]:
    """Links upwards, as far as they go."""
    wanted = set(links.values()) - links.keys()
    while wanted:
        found = {ContactId(row[0]): ContactId(row[1]) for row in tx.rows(_PARENTS, (tx.many(wanted),))}
        links = links | found
        wanted = set(found.values()) - links.keys()
    return links


def add_addresses(tx: Tx, rows: list[AddressRow]) -> dict[MatchKey, ContactId]:
    """Upserts in the order of the keys (two nodes must not wait for each other) and says whose they are now.

    A contact is added after this, and only if one of the addresses is its own now: else somebody else was first.
    """
    tx.run_many(_ADDRESS_ADD, sorted(rows, key=itemgetter(0)))
    return {
        MatchKey(row[0]): ContactId(row[1]) for row in tx.rows(_ADDRESS_OWNERS, (tx.many(row.key for row in rows),))
    }


def released(tx: Tx, keys: Iterable[MatchKey]) -> dict[MatchKey, int]:
    """Those among them that their owner gave up, and when."""
    return {MatchKey(row[0]): row[1] for row in tx.rows(_RELEASED, (tx.many(keys),))}


def release(tx: Tx, rows: list[tuple[int, MatchKey]]) -> None:
    """(when, key): the owner is reached elsewhere from then on. What was written before is still his."""
    tx.run_many(_RELEASE, sorted(rows))


def take_over(tx: Tx, rows: list[tuple[ContactId, int, MatchKey]]) -> None:
    """(contact, at, key): an address that was given up is this contact's now."""
    tx.run_many(_TAKE_OVER, sorted(rows, key=lambda row: row[2]))


def raise_evidence(tx: Tx, rows: list[tuple[int, MatchKey]]) -> None:
    tx.run_many(_ADDRESS_RAISE, sorted(rows, key=itemgetter(1)))


def add_contacts(tx: Tx, rows: list[ContactRow]) -> None:
    tx.run_many(_CONTACT_ADD, sorted(rows, key=itemgetter(0)))


def name_contacts(tx: Tx, rows: list[tuple[str, ContactId]]) -> None:
    """A first name for those who have none."""
    tx.run_many(_NAME, sorted(rows, key=itemgetter(1)))


def addresses_of(tx: Tx, contacts: Iterable[ContactId]) -> list[AddressRow]:
    return [AddressRow(*row) for row in tx.rows(_ADDRESSES, (tx.many(contacts),))]


def link(tx: Tx, merge: Merge, at: int) -> bool:
    """False: the child is linked already, or the link would close a circle."""
    if root_of(merge.parent, _all_parents(tx, {merge.child: merge.parent})) == merge.child:
        return False
    return tx.run(_LINK, (merge.parent, int(merge.evidence), merge.reason, at, merge.child)) == 1


def unlink(tx: Tx, child: ContactId) -> bool:
    return tx.run(_UNLINK, (child,)) == 1


def get_contact(tx: Tx, contact_id: ContactId) -> tuple[ContactRow, ContactId | None] | None:
    """The contact and the one that it is linked to."""
    row = tx.first(_CONTACT, (contact_id,))
    return None if row is None else (ContactRow(*row[:-1]), row[-1])


def family(tx: Tx, contact_id: ContactId) -> list[ContactId]:
    """The contact and all that are linked to it, directly or not."""
    found, wanted = [contact_id], [contact_id]
    while wanted:
        wanted = [ContactId(row[0]) for row in tx.rows(_CHILDREN, (tx.many(wanted),)) if row[0] not in found]
        found += wanted
    return found
