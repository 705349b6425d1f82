"""Mailboxes as people write them."""

import pytest

from adapters._mail.addresses import mailboxes, normal_address, plus_part, without_plus
from adapters._mail.model import Mailbox


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("a@x.example", [("a@x.example", None)]),
        ("Ann <a@X.Example.>", [("a@x.example", "Ann")]),
        ('"Doe, Ann" <a@x.example>, b@y.example', [("a@x.example", "Doe, Ann"), ("b@y.example", None)]),
        ("a@x.example; b@y.example", [("a@x.example", None), ("b@y.example", None)]),
        ("Team: a@x.example, b@y.example;", [("a@x.example", None), ("b@y.example", None)]),
        ("undisclosed-recipients:;", []),
        ("a@x.example (Ann (of x))", [("a@x.example", "Ann (of x)")]),
        ("=?utf-8?q?J=C3=B6rg?= <a@x.example>", [("a@x.example", "Jörg")]),
        ('"=?utf-8?q?J=C3=B6rg?=" <a@x.example>', [("a@x.example", "Jörg")]),
        ("'Ann' <a@x.example>", [("a@x.example", "Ann")]),
        ('"a@x.example" <a@x.example>', [("a@x.example", None)]),
        ('"boss@y.example" <a@x.example>', [("a@x.example", "boss@y.example")]),
        ("<@relay.example:a@x.example>", [("a@x.example", None)]),
        ("Ann <a@x.example", [("a@x.example", "Ann")]),
        ("Ann a@x.example>", [("a@x.example", None)]),
        ('"x y"@x.example', [('"x y"@x.example', None)]),
        ('"x.y"@x.example', [('"x.y"@x.example', None)]),
        ("a@[192.0.2.1]", [("a@[192.0.2.1]", None)]),
        ("ü@bücher.example", [("ü@xn--bcher-kva.example", None)]),
        ("a@x.example <b@y.example>", [("b@y.example", "a@x.example")]),
        ("Ann <a@x.example> <b@y.example>", [("a@x.example", None), ("b@y.example", None)]),
        ('"Ann <boss@y.example>" <a@x.example>', [("a@x.example", "Ann <boss@y.example>")]),
        ('"\\"<boss@y.example>" <a@x.example>', [("a@x.example", "<boss@y.example>")]),
        ("(<boss@y.example>) <a@x.example>", [("a@x.example", "<boss@y.example>")]),
        ('"(" <boss@y.example>, ")" <a@x.example>', [("boss@y.example", "("), ("a@x.example", ")")]),
        ("a(Ann)@x.example", [("a@x.example", "Ann")]),
        ("Ann (unclosed <a@x.example>", [("a@x.example", "Ann (unclosed")]),
        (f"{'a' * 65}@x.example", []), ("boss@y.example@x.example", []), ("<boss@y.example@x.example>", []),
        ("Ann \u202eX\u202c <a@x.example>", [("a@x.example", "Ann X")]),
        ('"', []), ('a@x.example, "', [("a@x.example", None)]), ("a@[", []), ("@", []), ("", []), (",,;", []),
    ],
)  # fmt: skip
def test_mailboxes(given: str, want: list[tuple[str, str | None]]) -> None:
    """What is no address is left out; a name is never taken for one."""
    assert mailboxes(given) == tuple(Mailbox(*one) for one in want)


def test_so_many_and_no_more() -> None:
    """At the limit, and one past it."""
    value = ", ".join(f"a{n}@x.example" for n in range(4))
    assert (len(mailboxes(value, 4)), len(mailboxes(value, 3))) == (4, 3)


def test_a_long_name_is_cut() -> None:
    """It is shown to people."""
    (box,) = mailboxes("n" * 5_000 + " <a@x.example>")
    assert box.name == "n" * 200


def test_plus_addresses() -> None:
    """What they are an address of, and what stands behind the plus."""
    assert without_plus("Support+Token@Shop.example") == "support@shop.example"
    assert plus_part("support+Token+more@shop.example") == "Token+more"
    assert (plus_part("support@shop.example"), without_plus("a@b+c.example")) == (None, "a@b+c.example")


def test_a_domain_that_has_no_ascii_form_stays() -> None:
    """It can not be written to, and does no harm."""
    assert normal_address("a@" + "ü" * 100 + ".example") == "a@" + "ü" * 100 + ".example"
