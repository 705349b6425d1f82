"""Who wrote it: from the claims of a batch to the contacts and conversations that it belongs to.

Rule: items are looked at in their order, and each sees what those before it have made.
Rule: an address that its owner gave up is his for what was written before, and anybody's for what comes after.
Rule: another node may create the same address at the same time; then everything is read again (`Raced`).
"""

from collections.abc import Callable, Iterable

from gateway.directory import to_ms
from gateway.process.prepare import Item
from gateway.store import people, threads
from gateway.store.people import AddressRow, ContactRow
from gateway.store.tx import Tx
from normalizer.address import is_vouched, match_key
from normalizer.envelope import AddressChange, Evidence
from normalizer.identity import Ambiguous, Holding, Known, Merge, New, identifying, resolve
from normalizer.ids import ContactId, ConversationId, MatchKey
from router.conversation import Conversation

NewId = Callable[[str], str]
"""A drawn id with this prefix."""


class Raced(Exception):
    """Somebody else has just created an address of ours: settle again."""


class Identified:
    """Whose each item is, and what has to be written for it."""

    def __init__(self, tx: Tx, now: int) -> None:
        self._tx, self._now = tx, now
        self._held: dict[MatchKey, ContactId] = {}
        self._vouched: dict[ContactId, MatchKey] = {}
        self.contact_of: dict[int, ContactId] = {}
        """By `id(item)`."""
        self.refused: dict[int, str] = {}
        self._contacts: list[ContactRow] = []
        self._addresses: list[AddressRow] = []
        self._raised: list[tuple[int, MatchKey]] = []
        self._merges: list[Merge] = []
        self._released: dict[MatchKey, int] = {}
        self._taken: list[tuple[ContactId, int, MatchKey]] = []
        self._given_up: list[tuple[int, MatchKey]] = []
        self.created: list[Conversation] = []

    def find(self, items: Iterable[Item], new_id: NewId) -> None:
        wanted = [item for item in items if item.claims]
        if not wanted:
            return
        self._held = people.holders(self._tx, {key for item in wanted for key, _ in item.claims})
        self._released = people.released(self._tx, {key for item in wanted for key, _ in item.claims})
        if any(is_vouched(key) for item in wanted for key, _ in item.claims) or self._several(wanted):
            self._read_vouched()
        for item in wanted:
            self._one(item, new_id)
        self._write()

    def _several(self, items: list[Item]) -> bool:
        return any(len({self._held[key] for key, _ in item.claims if key in self._held}) > 1 for item in items)

    def _read_vouched(self) -> None:
        for row in people.addresses_of(self._tx, set(self._held.values())):
            if is_vouched(row.key):
                self._vouched[row.contact_id] = row.key

    def _one(self, item: Item, new_id: NewId) -> None:
        proofs = identifying(item.claims)
        held = {
            key: Holding(self._held[key], self._vouched.get(self._held[key]))
            for key, _ in proofs
            if key in self._held and not self._passed_on(item, key)
        }
        evidence = min(claim.evidence for _, claim in proofs)
        match resolve([key for key, _ in proofs], held, evidence):
            case New():
                self._adopt(item, self._create(item, new_id))
            case Known(contact=contact, merge=merges):
                if self._takes_another_person(contact, item):
                    self._refuse(item, contact)
                    return
                for merge in merges:
                    self._merge(merge)
                self._adopt(item, contact)
            case Ambiguous(contact=ambiguous):
                self._refuse(item, ambiguous)

    def _takes_another_person(self, contact: ContactId, item: Item) -> bool:
        already = self._vouched.get(contact)
        return already is not None and any(is_vouched(key) and key != already for key, _ in item.claims)

    def _refuse(self, item: Item, contact: ContactId | None) -> None:
        self.refused[id(item)] = "identity_taken"
        if contact is not None:
            self.contact_of[id(item)] = contact

    def _create(self, item: Item, new_id: NewId) -> ContactId:
        envelope = item.envelope
        assert envelope is not None
        contact = ContactId(new_id("ct"))
        kind = "group" if envelope.group is not None else "person"
        self._contacts.append(ContactRow(contact, kind, None if kind == "group" else envelope.party.name, self._now))
        self.created.append(Conversation(id=ConversationId(new_id("cv")), contact_id=contact))
        return contact

    def _adopt(self, item: Item, contact: ContactId) -> None:
        self.contact_of[id(item)] = contact
        proves = item.envelope is not None and isinstance(item.envelope.body, AddressChange)
        proofs = {key for key, _ in identifying(item.claims)}
        for key, claim in item.claims:
            if key not in proofs:
                # What somebody says of himself is kept with him, and finds nobody: not even who says the same.
                key = MatchKey(f"said:{contact}:{key}")  # noqa: PLW2901
            if self._passed_on(item, key):
                self._held[key] = contact
                self._taken.append((contact, self._now, key))
                del self._released[key]
            elif key not in self._held:
                self._held[key] = contact
                self._addresses.append(AddressRow(key, contact, str(claim.address), int(claim.evidence), self._now))
            elif proves and claim.evidence is Evidence.VERIFIED:
                self._raised.append((int(claim.evidence), key))
            if is_vouched(key):
                self._vouched[contact] = key
        self._give_up(item)

    def _passed_on(self, item: Item, key: MatchKey) -> bool:
        """Its owner gave it up before this was written: phone numbers are given to other people."""
        since = self._released.get(key)
        return since is not None and item.envelope is not None and to_ms(item.envelope.occurred_at) > since

    def _give_up(self, item: Item) -> None:
        envelope = item.envelope
        if envelope is None or not isinstance(envelope.body, AddressChange):
            return
        kept = {match_key(claim.address) for claim in envelope.body.new}
        for key in {match_key(address) for address in envelope.body.old} - kept:
            self._released[key] = to_ms(envelope.occurred_at)
            self._given_up.append((self._released[key], key))

    def _merge(self, merge: Merge) -> None:
        self._merges.append(merge)
        for key, contact in self._held.items():
            if contact == merge.child:
                self._held[key] = merge.parent
        for item, contact in self.contact_of.items():
            if contact == merge.child:
                self.contact_of[item] = merge.parent

    def _write(self) -> None:
        people.add_contacts(self._tx, self._contacts)
        if self._addresses:
            owners = people.add_addresses(self._tx, self._addresses)
            if any(owners[row.key] != row.contact_id for row in self._addresses):
                raise Raced
        people.take_over(self._tx, self._taken)
        people.release(self._tx, self._given_up)
        people.raise_evidence(self._tx, self._raised)
        for merge in self._merges:
            people.link(self._tx, merge, self._now)
        threads.add_conversations(self._tx, self.created, self._now)
