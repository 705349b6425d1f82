"""API keys, and keys made from the installation's own."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from gateway.security import (
    NONCE_BYTES,
    Presented,
    Scope,
    TokenRecord,
    allows,
    from_header,
    is_genuine,
    key_id,
    new_key,
    new_token,
    seal,
    subkey,
    unseal,
)

NOW = datetime(2026, 1, 2, tzinfo=UTC)
ID = bytes(range(10))
SECRET = bytes(range(32))


def make(scope: Scope = Scope.READ, **more: datetime) -> tuple[str, TokenRecord]:
    return new_token(ID, SECRET, name="crm", scope=scope, created_at=NOW, **more)


def present(token: str) -> Presented:
    shown = from_header(f"Bearer {token}")
    assert shown is not None
    return shown


def test_a_token_is_genuine_by_its_record() -> None:
    token, record = make()
    assert token.startswith(f"tl_{record.id}_")
    assert is_genuine(present(token), record, NOW)


def test_the_record_does_not_hold_the_secret() -> None:
    token, record = make()
    secret = token.split("_")[2]
    assert SECRET not in record.digest
    assert secret not in repr(record)
    assert secret not in repr(present(token))


def test_another_secret_another_id_or_no_record_is_not_genuine() -> None:
    token, record = make()
    shown = present(token)
    assert not is_genuine(Presented(shown.id, shown.secret[:-1] + "a"), record, NOW)
    assert not is_genuine(Presented(shown.id, ""), record, NOW)
    assert not is_genuine(shown, structs.replace(record, id="other"), NOW)
    assert not is_genuine(shown, None, NOW)


def test_the_digest_is_of_this_id_so_that_records_cannot_be_swapped() -> None:
    other, _ = new_token(b"\xff" * 10, SECRET, name="b", scope=Scope.ADMIN, created_at=NOW)
    _, record = make()
    assert not is_genuine(present(other), structs.replace(record, id=present(other).id), NOW)


def test_a_token_ends_at_its_end() -> None:
    token, record = make(expires_at=NOW + timedelta(days=1))
    assert is_genuine(present(token), record, NOW + timedelta(days=1, microseconds=-1))
    assert not is_genuine(present(token), record, NOW + timedelta(days=1))


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic tl_a_b", "Bearer tl_a", "Bearer tl__b", "Bearer tl_a_", "Bearer xx_a_b",
     "Bearer tl_a_ü", "Bearer tl_a_" + "b" * 200, "tl_a_b"],
)  # fmt: skip
def test_what_is_no_token_of_ours_is_none(header: str | None) -> None:
    assert from_header(header) is None


@pytest.mark.parametrize("header", ["Bearer tl_a_b", "bearer tl_a_b", "BEARER  tl_a_b ", " Bearer tl_a_b"])
def test_the_scheme_is_read_in_any_case(header: str) -> None:
    assert from_header(header) == Presented("a", "b")


@pytest.mark.parametrize(("has", "can"), [("read", "read"), ("write", "read write"), ("admin", "read write admin")])
def test_a_scope_implies_those_below_it(has: str, can: str) -> None:
    _, record = make(Scope.named(has))
    assert {scope.name.lower() for scope in Scope if allows(record, scope)} == set(can.split())


def test_an_unknown_scope_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="known: read, write, admin"):
        Scope.named("root")


def test_weak_material_is_refused() -> None:
    with pytest.raises(AssertionError):
        new_token(b"short", SECRET, name="n", scope=Scope.READ, created_at=NOW)
    with pytest.raises(AssertionError):
        new_token(ID, b"short", name="n", scope=Scope.READ, created_at=NOW)
    with pytest.raises(AssertionError):
        new_key(b"short")


def test_subkeys_differ_by_purpose_and_by_key_and_are_always_the_same() -> None:
    assert subkey("k1", "dedupe") == subkey("k1", "dedupe")
    assert len({subkey("k1", "dedupe"), subkey("k1", "media"), subkey("k2", "dedupe")}) == 3
    # A store that was written before must stay readable.
    assert subkey("k1", "dedupe").hex() == "2d3abee20ec1d98768bdda8468383e0e580c51d0bb6e3873269920edbc74f40a"


def test_a_key_is_named_without_telling_it() -> None:
    key = new_key(SECRET)
    assert len(key) >= 43
    assert len(key_id(key)) == 8
    assert key_id(key) != key_id(new_key(SECRET[::-1]))
    assert key_id(key) not in key


# --- sealing ------------------------------------------------------------------------------------------------------


def test_what_is_sealed_is_opened_with_its_key_at_its_place() -> None:
    key, nonce = subkey("k" * 43, "tests"), bytes(range(NONCE_BYTES))
    sealed = seal(key, b"plain words", nonce, "here")
    assert unseal(key, sealed, "here") == b"plain words"
    assert b"plain" not in sealed
    assert seal(key, b"plain words", bytes(NONCE_BYTES), "here") != sealed


@pytest.mark.parametrize("change", ["key", "place", "bit", "cut", "empty"])
def test_what_was_changed_is_not_opened(change: str) -> None:
    key = subkey("k" * 43, "tests")
    sealed = seal(key, b"plain words", bytes(NONCE_BYTES), "here")
    changed = {"bit": sealed[:-1] + bytes([sealed[-1] ^ 1]), "cut": sealed[:-1], "empty": b""}.get(change, sealed)
    other = subkey("k" * 43, "others") if change == "key" else key
    with pytest.raises(ValueError, match=r"sealed with another key|Nonce"):
        unseal(other, changed, "there" if change == "place" else "here")
