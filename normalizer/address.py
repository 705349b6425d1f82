"""One way to reach a contact (`scheme:value`), and its match key: what makes two addresses the same person.

Rule: a phone number is one person whatever carries it, so WhatsApp, SMS and voice share `tel:+E164`.
Rule: numbers of Brazil, Mexico and Argentina have two spellings; the match key knows one, the address keeps the
provider's, because that is what the provider delivers to.
"""

from enum import StrEnum
from functools import lru_cache

from msgspec import Struct

from normalizer.ids import MatchKey


class Scheme(StrEnum):
    TEL = "tel"
    """`+E164`."""
    WHATSAPP = "whatsapp"
    """Digits of a wa_id, a business-scoped user id (`US.1349...`), or `group/<id>`."""
    MAILTO = "mailto"
    SLACK = "slack"
    """`<team>/<user or channel>`."""
    WEB = "web"
    """`<widget>/<session>`, or `<widget>/user/<sub>` for a person the site vouches for."""
    SIP = "sip"
    """`user@host`, or `client/<name>` of a softphone."""
    CALL = "call"
    """The provider's id of one call: a caller without a number is somebody new each time."""


class Address(Struct, frozen=True, order=True):
    scheme: Scheme
    value: str

    def __str__(self) -> str:
        return f"{self.scheme}:{self.value}"


def parse_address(text: str) -> Address:
    """The reverse of `str(address)`. Raises ValueError for an unknown scheme or an empty value."""
    scheme, found, value = text.partition(":")
    if not found or not value:
        raise ValueError("an address is scheme:value")
    return Address(Scheme(scheme), value)


def match_key(address: Address) -> MatchKey:
    match address.scheme:
        case Scheme.TEL:
            digits = digits_of(address.value)
            return MatchKey(f"tel:+{canonical_digits(digits)}" if digits else str(address))
        case Scheme.WHATSAPP:
            if address.value.removeprefix("+").isdecimal():
                return MatchKey(f"tel:+{canonical_digits(digits_of(address.value))}")
            return MatchKey(f"whatsapp:{address.value}")
        case Scheme.MAILTO:
            local, _, domain = address.value.rpartition("@")
            return MatchKey(f"mailto:{local.casefold()}@{domain.casefold()}")
        case Scheme.SIP:
            return MatchKey(str(address).casefold())
        case Scheme.SLACK | Scheme.WEB | Scheme.CALL:
            return MatchKey(str(address))


def digits_of(number: str) -> str:
    return "".join(filter(str.isdecimal, number)) if not number.isdecimal() else number


@lru_cache(maxsize=65_536)
def canonical_digits(digits: str) -> str:
    """One spelling for the numbers that have two: E.164 digits without `+`, in the form that the country dials today.

    Mexico dropped the mobile `1` after +52 (2019); Argentina's mobiles carry a `9` after +54 that WhatsApp ids may
    lack; Brazil's mobiles have a ninth digit that older WhatsApp ids lack (Anatel, 2012-2016).
    """
    if digits.startswith("521") and len(digits) == 13:
        return "52" + digits[3:]
    if digits.startswith("549") and len(digits) == 13:
        return "54" + digits[3:]
    if digits.startswith("55") and len(digits) == 12 and digits[4] in "6789":
        return digits[:4] + "9" + digits[4:]
    return digits


def is_vouched(key: MatchKey) -> bool:
    """True for the address of a person that a site vouches for; nobody is two of them."""
    return key.startswith("web:") and "/user/" in key
