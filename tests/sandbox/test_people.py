"""One person, many addresses."""

from __future__ import annotations

import pytest

from gateway.sandbox.people import People, slug
from gateway.sandbox.phones import Refused
from tests.sandbox.test_phones import Life


def test_everybody_has_every_address() -> None:
    life = Life()
    ana = People(life.phones).get("351 912 345 678")
    assert (ana.name, ana.number, ana.email, ana.user) == (
        "Ana", "+351912345678", "ana@home.example", "U351912345678",
    )  # fmt: skip


def test_names_may_be_the_same_and_addresses_not() -> None:
    life = Life()
    life.phones.add("Ana", "447700900123")
    assert [one.email for one in People(life.phones).all()] == ["ana@home.example", "ana447700900123@home.example"]


def test_an_address_stays_when_the_name_changes() -> None:
    life = Life()
    people = People(life.phones)
    before = people.get("351912345678").email
    life.phones.add("Ana Maria", "351912345678")
    assert (people.get("351912345678").name, people.get("351912345678").email) == ("Ana Maria", before)


def test_who_is_not_known_is_refused() -> None:
    with pytest.raises(Refused):
        People(Life().phones).get("447700900123")


@pytest.mark.parametrize(
    ("name", "made"), [("José  Ñandú", "jose.nandu"), ("李", ""), ("O'Neil-Smith", "o.neil.smith")]
)
def test_names_become_what_an_address_may_hold(name: str, made: str) -> None:
    assert slug(name) == made
