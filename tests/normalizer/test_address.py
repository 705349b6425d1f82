"""What makes two addresses one person, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from normalizer.address import Address, Scheme, canonical_digits, digits_of, is_vouched, match_key, parse_address
from normalizer.ids import MatchKey

SAME = {
    "plus or none": ("tel:+4915112345678", "tel:4915112345678", "whatsapp:4915112345678", "whatsapp:+4915112345678"),
    "written for people": ("tel:+49 (151) 123-45678", "tel:+4915112345678"),
    "Brazil, with and without the ninth digit": ("whatsapp:551187654321", "tel:+5511987654321"),
    "Mexico, with and without the 1": ("whatsapp:5215512345678", "tel:+525512345678"),
    "Argentina, with and without the 9": ("whatsapp:5491123456789", "tel:+541123456789"),
    "mail in other letters": ("mailto:Ann@Example.ORG", "mailto:ann@example.org"),
}
OTHER = {
    "a landline of Brazil stays": ("tel:+551132165498", "tel:+5511932165498"),
    "a user id is no number": ("whatsapp:US.13491208655302741918", "tel:+13491208655302741918"),
    "two user ids": ("whatsapp:US.1", "whatsapp:US.2"),
    "a group is no number": ("whatsapp:group/4915112345678", "whatsapp:4915112345678"),
    "two sessions": ("web:shop/a", "web:shop/b"),
    "two callers without a number": ("tel:anonymous", "tel:unknown"),
    "sessions are exact": ("web:shop/A", "web:shop/a"),
    "tags in mail addresses": ("mailto:ann+a@example.org", "mailto:ann@example.org"),
}


def key(text: str) -> MatchKey:
    return match_key(parse_address(text))


@pytest.mark.parametrize("case", SAME)
def test_one_person(case: str) -> None:
    assert len({key(text) for text in SAME[case]}) == 1


@pytest.mark.parametrize("case", OTHER)
def test_two_persons(case: str) -> None:
    one, other = OTHER[case]
    assert key(one) != key(other)


def test_keys_read_as_one_would_write_them() -> None:
    assert key("whatsapp:551187654321") == "tel:+5511987654321"
    assert key("whatsapp:5215512345678") == "tel:+525512345678"
    assert key("whatsapp:US.134") == "whatsapp:US.134"


@pytest.mark.parametrize("text", ["", "tel", "tel:", "pigeon:1", ":1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"scheme|Scheme"):
        parse_address(text)


@given(st.sampled_from(Scheme), st.text(min_size=1))
def test_an_address_reads_back(scheme: Scheme, value: str) -> None:
    address = Address(scheme, value)
    assert parse_address(str(address)) == address


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True))
def test_the_canonical_form_is_its_own(digits: str) -> None:
    once = canonical_digits(digits)
    assert canonical_digits(once) == once
    assert digits_of(f"+{digits[:2]} {digits[2:]}") == digits


@given(st.from_regex(r"[0-9]{1,20}", fullmatch=True))
def test_a_number_is_one_person_whatever_carries_it(digits: str) -> None:
    assert len({key(f"{scheme}{digits}") for scheme in ("tel:+", "tel:", "whatsapp:", "whatsapp:+")}) == 1


def test_only_persons_that_a_site_names_are_vouched_for() -> None:
    assert is_vouched(MatchKey("web:shop/user/7"))
    assert not any(is_vouched(MatchKey(one)) for one in ("web:shop/7", "mailto:a/user/b@c", "claimed:web:shop/user/7"))
