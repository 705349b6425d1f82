"""Who wrote: phone numbers, business-scoped user ids, groups, and the changes of all three.

Rule: a person has a phone number, a user id, or both; the phone comes first while it is known, because every kind of
message can be sent to it. Whatever names both links both.
Rule: `contacts[]` is matched by wa_id or user_id, never by its place.
"""

import re
from collections.abc import Sequence

from msgspec import Raw

from adapters.whatsapp import wire
from normalizer.address import Address, Scheme, canonical_digits
from normalizer.envelope import AddressChange, AddressClaim, Evidence, Party

_USER_ID = re.compile(r"[A-Z]{2}\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
_WRITTEN = rf"(\+?[\d\s()-]{{6,24}}\d|{_USER_ID.pattern})"
_CHANGED = re.compile(rf"from\s+{_WRITTEN}\s+to\s+{_WRITTEN}")
_NOT_DIGITS = re.compile(r"[^0-9]")
_PHONE_LIKE = re.compile(r"\+?[0-9][0-9\s().-]*")
MAX_ID_LENGTH = 256
"""Characters of an id of a kind that we do not know; more is no id."""
GROUP = "group/"


def is_user_id(text: str) -> bool:
    return _USER_ID.fullmatch(text) is not None


def person(text: str | None) -> Address | None:
    """The address in `from`, `wa_id` or `recipient_id`: digits with or without `+`, or a user id."""
    if not text:
        return None
    if text.isascii() and text.isdecimal():
        return Address(Scheme.WHATSAPP, text)
    if _PHONE_LIKE.fullmatch(text):
        return Address(Scheme.WHATSAPP, _NOT_DIGITS.sub("", text))
    if is_user_id(text) or (text.isprintable() and len(text) <= MAX_ID_LENGTH and not text.startswith(GROUP)):
        return Address(Scheme.WHATSAPP, text)
    return None


def user(text: str | None) -> Address | None:
    """The address in a `..._user_id`; anything of another form is no id."""
    return Address(Scheme.WHATSAPP, text) if text and is_user_id(text) else None


def group(group_id: str | None) -> Address | None:
    return Address(Scheme.WHATSAPP, GROUP + group_id) if group_id else None


def claims(*addresses: Address | None) -> tuple[AddressClaim, ...]:
    """In this order, each once."""
    found: list[Address] = []
    for address in addresses:
        # Compared, not hashed: an enum's hash is Python's own work.
        if address is not None and address not in found:
            found.append(address)
    return tuple([AddressClaim(address, Evidence.CHANNEL) for address in found])


class Contacts:
    """`contacts[]` of one change."""

    def __init__(self, items: Sequence[Raw] | None) -> None:
        self._all = [contact for contact, _ in map(wire.read_contact, items or ()) if contact]
        self._by_key: dict[str, wire.Contact] | None = None

    def party(self, phone: str | None, user_id: str | None, parent_id: str | None) -> Party:
        """The person with these ids and what `contacts[]` adds. A sole contact is meant when no id is given."""
        addresses = [person(phone), user(user_id), user(parent_id)]
        contact = self._find([address.value for address in addresses if address])
        if contact is None:
            return Party(claims=claims(*addresses))
        if addresses[0] is None or is_user_id(addresses[0].value):
            addresses.insert(0, person(contact.wa_id))
        if contact.user_id != user_id or contact.parent_user_id != parent_id:
            addresses += [user(contact.user_id), user(contact.parent_user_id)]
        profile = contact.profile
        if profile is None:
            return Party(claims=claims(*addresses))
        username = (profile.username or "").removeprefix("@")
        return Party(claims=claims(*addresses), name=profile.name or None, username=username or None)

    def _find(self, known: Sequence[str]) -> wire.Contact | None:
        if len(self._all) == 1:
            only = self._all[0]
            if not known or only.wa_id in known or only.user_id in known:
                return only
        return self._look_up(known) if self._all else None

    def _look_up(self, known: Sequence[str]) -> wire.Contact | None:
        if self._by_key is None:
            self._by_key = {}
            for contact in self._all:
                for address in (person(contact.wa_id), user(contact.user_id), user(contact.parent_user_id)):
                    if address:
                        self._by_key.setdefault(canonical_digits(address.value), contact)
        found = (self._by_key.get(canonical_digits(value)) for value in known)
        return next(filter(None, found), None)


def _written(words: str | None) -> tuple[str | None, str | None]:
    """The old and the new number or user id, which old payloads name in their text only."""
    found = _CHANGED.search(words or "")
    return (found[1], found[2]) if found else (None, None)


def address_change(message: wire.Message, party: Party) -> AddressChange | None:
    """What a system message says about the sender's addresses. None: nothing."""
    system = message.system or wire.System()
    reason = system.type or "unknown"
    if reason == "customer_identity_changed":
        return AddressChange(new=party.claims, reason=reason)
    was, becomes = _written(system.body)
    new_user = user(system.user_id) or user(becomes)
    new_phone = person(system.wa_id) or person(system.new_wa_id)
    if new_phone is None and new_user is None:
        new_phone = person(becomes)
    old_phone = person(message.from_) or (None if user(was) else person(was))
    new = claims(new_phone, new_user, user(system.parent_user_id))
    previous = [user(system.previous_user_id), user(system.previous_parent_user_id), user(was)]
    if new_phone is not None:
        # A new number regenerates the user id as well: the sender's ids of before are all old.
        previous += [user(message.from_user_id), user(message.from_parent_user_id)]
    gone = {claim.address for claim in new}
    old = [c.address for c in claims(old_phone if new_phone else None, *previous) if c.address not in gone]
    return AddressChange(old=tuple(old), new=new, reason=reason) if new else None
