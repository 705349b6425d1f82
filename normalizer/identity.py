"""Who is it? Addresses + evidence + known contacts -> Known | New | Ambiguous; merges as values.

Rule: only equal match keys at `channel` evidence or above link by themselves. A merely claimed address has a key of its
own, so it can never meet the person that it claims to be.
Rule: a merge is a link from one contact to another. Undoing it removes the link; nothing was renumbered.
Rule: what one signed event says about one sender is one person: its addresses link the contacts that hold them.
"""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from normalizer.address import match_key
from normalizer.envelope import AddressClaim, Evidence
from normalizer.ids import ContactId, MatchKey


class Known(Struct, frozen=True):
    contact: ContactId
    merge: tuple["Merge", ...] = ()
    """Links to store: other contacts that this event proves to be the same person."""


class New(Struct, frozen=True):
    """Nobody holds any of the addresses."""


class Ambiguous(Struct, frozen=True):
    """The event contradicts what we know; `contact`: the one whose address it came from. Nothing is linked."""

    contact: ContactId | None
    reason: str


Resolution = Known | New | Ambiguous


class Merge(Struct, frozen=True):
    child: ContactId
    parent: ContactId
    evidence: Evidence
    reason: str


class Holding(Struct, frozen=True):
    """What is stored about an address: whose it is, links followed, and the person a site vouches for, if any."""

    contact: ContactId
    vouched: MatchKey | None = None


def claim_key(claim: AddressClaim) -> MatchKey:
    key = match_key(claim.address)
    return key if claim.evidence >= Evidence.CHANNEL else MatchKey(f"claimed:{key}")


def identifying(claims: Sequence[tuple[MatchKey, AddressClaim]]) -> Sequence[tuple[MatchKey, AddressClaim]]:
    """Those that tell who it is. What was merely typed tells nothing beside them; alone, only the first one counts."""
    return [one for one in claims if one[1].evidence >= Evidence.CHANNEL] or claims[:1]


def resolve(keys: Iterable[MatchKey], held: Mapping[MatchKey, Holding], evidence: Evidence) -> Resolution:
    """`keys` in the order of the claims, the address that was written from first; all of one event and one sender."""
    holdings = [held[key] for key in keys if key in held]
    if not holdings:
        return New()
    first = holdings[0].contact
    if all(holding.contact == first for holding in holdings):
        return Known(first)
    vouched = {holding.vouched for holding in holdings if holding.vouched is not None}
    if len(vouched) > 1:
        return Ambiguous(first, "two vouched-for persons")
    return _linked(holdings, evidence)


def _linked(holdings: list[Holding], evidence: Evidence) -> Known:
    """The vouched-for contact takes the others in, else the one whose address was written from."""
    parent = next((holding.contact for holding in holdings if holding.vouched is not None), holdings[0].contact)
    others = dict.fromkeys(holding.contact for holding in holdings if holding.contact != parent)
    reason = "one event carried the addresses of both"
    return Known(parent, tuple(Merge(other, parent, evidence, reason) for other in others))


def root_of(contact: ContactId, parents: Mapping[ContactId, ContactId]) -> ContactId:
    """Follows links up; a circle (which no merge may make) ends where it closes rather than never."""
    seen = {contact}
    while (parent := parents.get(contact)) is not None and parent not in seen:
        seen.add(parent)
        contact = parent
    return contact


def unmerge(child: ContactId, parents: Mapping[ContactId, ContactId]) -> dict[ContactId, ContactId]:
    """The links without the child's own; what was linked to the child stays with the child."""
    return {contact: parent for contact, parent in parents.items() if contact != child}
