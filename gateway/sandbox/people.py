"""The customers, each with all of his addresses: the same person on every channel.

Rule: whoever has a phone has a mail address and a user of a workspace, too; they follow from name and number.
"""

import re
import unicodedata

from msgspec import Struct

from adapters.whatsapp.simulator_world import Customer
from gateway.sandbox.phones import Phones

MAIL_DOMAIN = "home.example"


class Person(Struct, frozen=True, kw_only=True):
    name: str
    phone: str
    """Digits."""
    email: str
    user: str
    """Of the chat workspace."""

    @property
    def number(self) -> str:
        return f"+{self.phone}"


class People:
    def __init__(self, phones: Phones) -> None:
        self._phones = phones
        self._emails: dict[str, str] = {}

    def all(self) -> list[Person]:
        return [self._person(customer) for customer in self._phones.customers.values()]

    def get(self, phone: str) -> Person:
        """Raises Refused."""
        return self._person(self._phones.get(phone))

    def _person(self, customer: Customer) -> Person:
        phone = customer.phone or ""
        email = self._emails.setdefault(phone, self._email(customer.name, phone))
        return Person(name=customer.name, phone=phone, email=email, user=f"U{phone}")

    def _email(self, name: str, phone: str) -> str:
        """Names may be the same, addresses not."""
        local = slug(name) or "customer"
        taken = {email for other, email in self._emails.items() if other != phone}
        if f"{local}@{MAIL_DOMAIN}" in taken:
            local += phone
        return f"{local}@{MAIL_DOMAIN}"


def slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return ".".join(re.findall(r"[a-z0-9]+", plain))[:40]
