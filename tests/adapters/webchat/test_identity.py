"""Who the site says that its visitor is. The vectors were computed apart from this code."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Unauthentic
from adapters.webchat.identity import Identified, check, read
from adapters.webchat.wire import Proof
from normalizer.address import Address, Scheme
from normalizer.envelope import AddressClaim, Evidence
from tests.adapters.webchat.support import KEY, NOW, config, identity_jwt

HEADER = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6ImsxIn0"
CLAIMS = "eyJzdWIiOiJ1MSIsImF1ZCI6IncxIiwiaWF0IjoxNzY0MDAwMDAwLCJleHAiOjE3NjQwMDM2MDB9"
SIGNATURE = "Ojy8MX22X-Sxn14hLkjrnSSC5OfLjb81aAwvvS8zy20"
VECTOR = f"{HEADER}.{CLAIMS}.{SIGNATURE}"
USER_HASH = "39536bc0c20e6efcd22ec30bb96eec5aff9be6a37fe8e9db166b4cc950c94e7e"


def at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def proved(token: str, now: datetime = NOW, widget: str = "w1", **changes: Any) -> Identified:
    return check(Proof(identity_jwt=token), config(**changes), widget, now)


def person(sub: str, evidence: Evidence = Evidence.VERIFIED) -> AddressClaim:
    return AddressClaim(Address(Scheme.WEB, f"w1/user/{sub}"), evidence)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(header: str, claims: str, key: str = KEY) -> str:
    """A token around texts that no library would write, with a good signature."""
    head = f"{b64(header.encode())}.{b64(claims.encode())}"
    return f"{head}.{b64(hmac.digest(key.encode(), head.encode(), hashlib.sha256))}"


GOOD_HEADER = '{"alg":"HS256","typ":"JWT","kid":"k1"}'


def claims(**changes: Any) -> str:
    now = int(NOW.timestamp())
    return json.dumps({"sub": "u1", "aud": "w1", "iat": now, "exp": now + 60} | changes)


@pytest.mark.parametrize("second", [1764000000, 1764001800, 1764003600])
def test_the_vector_is_good_for_its_hour(second: int) -> None:
    assert proved(VECTOR, at(second)) == Identified("u1", (person("u1"),))


@pytest.mark.parametrize(
    ("token", "second", "widget"),
    [
        pytest.param(VECTOR, 1764003601, "w1", id="expired"),
        pytest.param(VECTOR, 1764003600.001, "w1", id="just expired"),
        pytest.param(VECTOR, 1763999939, "w1", id="issued over 60 s in the future"),
        pytest.param(VECTOR, 1764000000, "w2", id="for another widget"),
        pytest.param(VECTOR[:-1], 1764000000, "w1", id="signature cut by one character"),
        pytest.param(VECTOR[:-1] + "1", 1764000000, "w1", id="spare bits of the last character"),
        pytest.param(VECTOR + "=", 1764000000, "w1", id="padding added"),
        pytest.param(f"{HEADER}==.{CLAIMS}.{SIGNATURE}", 1764000000, "w1", id="padding inside"),
        pytest.param(VECTOR + "A", 1764000000, "w1", id="a trailing character"),
        pytest.param(VECTOR + "AAAA", 1764000000, "w1", id="trailing bytes"),
        pytest.param(VECTOR + "\n", 1764000000, "w1", id="a trailing newline"),
        pytest.param(VECTOR + ".", 1764000000, "w1", id="a fourth part"),
        pytest.param(" " + VECTOR, 1764000000, "w1", id="a leading space"),
        pytest.param(VECTOR.replace("-", "+"), 1764000000, "w1", id="the other base64"),
        pytest.param(f"{HEADER}.{CLAIMS}.", 1764000000, "w1", id="no signature"),
        pytest.param(f"{HEADER}.{CLAIMS}", 1764000000, "w1", id="two parts"),
        pytest.param("", 1764000000, "w1", id="nothing"),
        pytest.param("a.b.c", 1764000000, "w1", id="no base64"),
        pytest.param("A" * 9_000, 1764000000, "w1", id="too long"),
        pytest.param(f"{HEADER}.{CLAIMS}.\u00e9", 1764000000, "w1", id="not ASCII"),
    ],
)
def test_variants_of_the_vector_are_refused(token: str, second: float, widget: str) -> None:
    with pytest.raises(Unauthentic):
        proved(token, at(second), widget)


@pytest.mark.parametrize(
    "header",
    [
        '{"alg":"none"}',
        '{"alg":"None","kid":"k1"}',
        '{"alg":"HS512","kid":"k1"}',
        '{"alg":"RS256","kid":"k1"}',
        '{"alg":"hs256","kid":"k1"}',
        '{"kid":"k1"}',
        '{"alg":"HS256","kid":"k2"}',
        '{"alg":"HS256","kid":1}',
        '{"alg":"HS256","kid":null}',
        '{"alg":"HS256","kid":["k1"]}',
        '{"alg":["HS256"],"kid":"k1"}',
        '{"alg":"HS256","kid":"k1","crit":["b64"],"b64":false}',
        '{"alg":"HS256","kid":"k1","typ":"JWE"}',
        '{"alg":"HS256","alg":"none","kid":"k1"}',
        "[]",
        '"HS256"',
        "null",
        "",
        '{"alg":"HS256","kid":"k1"} x',
    ],
)
def test_headers_out_of_the_ordinary_are_refused(header: str) -> None:
    with pytest.raises(Unauthentic):
        proved(signed(header, claims()))


BAD_CLAIMS = {
    "sub empty": claims(sub=""),
    "sub missing": claims().replace('"sub"', '"sup"'),
    "sub a number": claims(sub=7),
    "sub null": claims(sub=None),
    "sub blank": claims(sub=" "),
    "sub padded": claims(sub="u1 "),
    "sub with NUL": claims(sub="u\x001"),
    "sub with a lone surrogate": claims(sub="u\ud8001"),
    "sub with a line break": claims(sub="u1\n"),
    "sub too long": claims(sub="u" * 256),
    "exp as text": claims(exp=str(int(NOW.timestamp()) + 60)),
    "exp missing": claims().replace('"exp"', '"expires"'),
    "exp null": claims(exp=None),
    "exp true": claims(exp=True),
    "exp in milliseconds": claims(exp=int(NOW.timestamp()) * 1000),
    "exp over 24 hours ahead": claims(exp=int(NOW.timestamp()) + 86_401),
    "exp past": claims(exp=int(NOW.timestamp()) - 1),
    "exp huge": claims(exp=10**400),
    "exp NaN": claims().replace(str(int(NOW.timestamp()) + 60), "NaN"),
    "exp infinite": claims().replace(str(int(NOW.timestamp()) + 60), "Infinity"),
    "exp overflowing": claims().replace(str(int(NOW.timestamp()) + 60), "1e999"),
    "iat true": claims(iat=True),
    "iat as text": claims(iat="now"),
    "iat 61 s ahead": claims(iat=int(NOW.timestamp()) + 61),
    "nbf 61 s ahead": claims(nbf=int(NOW.timestamp()) + 61),
    "aud missing": claims().replace('"aud"', '"audience"'),
    "aud other": claims(aud="w2"),
    "aud several": claims(aud=["w1", "w2"]),
    "aud empty": claims(aud=[]),
    "a key twice": claims()[:-1] + ',"sub":"u2"}',
    "the same key twice": claims()[:-1] + ',"sub":"u1"}',
    "a key twice, deep": claims()[:-1] + ',"x":{"a":1,"a":1}}',
    "trailing bytes": claims() + "x",
    "trailing object": claims() + "{}",
    "an array": f"[{claims()}]",
    "a text": '"u1"',
    "nothing": "",
    "nested": '{"x":' + "[" * 3000 + "]" * 3000 + "}",
}


@pytest.mark.parametrize("text", BAD_CLAIMS.values(), ids=BAD_CLAIMS.keys())
def test_signed_claims_that_are_not_right_are_refused(text: str) -> None:
    with pytest.raises(Unauthentic):
        proved(signed(GOOD_HEADER, text))


@pytest.mark.parametrize(
    "text",
    [
        claims(),
        claims(aud=["w1"]),
        claims(exp=NOW.timestamp() + 86_400),
        claims(iat=int(NOW.timestamp()) + 60),
        claims(nbf=int(NOW.timestamp()) + 60),
        claims(jti="x", unknown={"a": [1]}),
        claims(exp=int(NOW.timestamp())),
    ],
)
def test_claims_at_their_limits_are_good(text: str) -> None:
    assert proved(signed(GOOD_HEADER, text)).sub == "u1"


def test_the_key_id_chooses_the_secret_so_that_secrets_can_be_rotated() -> None:
    keys = {"k1": KEY, "k2": "f" * 32}
    assert proved(identity_jwt(key="f" * 32, kid="k2"), identity_secrets=keys).sub == "u1"
    assert proved(identity_jwt(), identity_secrets=keys).sub == "u1"
    for token in (identity_jwt(key="f" * 32, kid="k1"), identity_jwt(key="f" * 32), identity_jwt(kid=None)):
        with pytest.raises(Unauthentic):
            proved(token, identity_secrets=keys)


def test_with_one_secret_the_key_id_may_be_left_out() -> None:
    assert proved(identity_jwt(kid=None)).sub == "u1"


def test_without_secrets_nobody_is_identified() -> None:
    with pytest.raises(Unauthentic):
        proved(identity_jwt(), identity_secrets={})


def test_the_libraries_own_tokens_of_other_algorithms_are_refused() -> None:
    now = int(NOW.timestamp())
    payload = {"sub": "u1", "aud": "w1", "exp": now + 60}
    for token in (jwt.encode(payload, KEY * 2, algorithm="HS512"), jwt.encode(payload, "", algorithm="none")):
        with pytest.raises(Unauthentic):
            proved(token)


def test_signed_addresses_are_as_sure_as_the_site_says() -> None:
    who = proved(identity_jwt(email="ana@example.com", phone="+49 (30) 901820", name="Ana"))
    assert who.name == "Ana"
    assert who.claims == (
        person("u1"),
        AddressClaim(Address(Scheme.MAILTO, "ana@example.com"), Evidence.VERIFIED),
        AddressClaim(Address(Scheme.TEL, "+4930901820"), Evidence.VERIFIED),
    )


@pytest.mark.parametrize("flag", [False, "true", 0, "false"])
def test_an_address_that_the_site_did_not_verify_is_only_claimed(flag: Any) -> None:
    who = proved(identity_jwt(email="ana@example.com", email_verified=flag))
    assert who.claims[1].evidence is Evidence.CLAIMED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "ana"),
        ("email", "a@b@c"),
        ("email", 7),
        ("email", "a\x00@b.c"),
        ("email", ""),
        ("phone", "030901820"),
        ("phone", 49),
        ("phone", "+0123456789"),
        ("phone", "+12"),
        ("phone", "+49309018201234567"),
        ("name", ["Ana"]),
    ],
)
def test_an_address_that_is_none_is_left_out_and_the_customer_gets_in(name: str, value: Any) -> None:
    assert proved(identity_jwt(**{name: value})) == Identified("u1", (person("u1"),))


def test_the_older_hash_proves_the_user_id_at_the_channel_level_and_nothing_else() -> None:
    who = check(Proof(user_id="u1", user_hash=USER_HASH), config(user_hash_secret=KEY), "w1", NOW)
    assert who == Identified("u1", (person("u1", Evidence.CHANNEL),))


@pytest.mark.parametrize(
    ("user", "digest", "secret"),
    [
        ("u2", USER_HASH, KEY),
        ("u1", USER_HASH[:-1], KEY),
        ("u1", USER_HASH + "0", KEY),
        ("u1", USER_HASH.upper(), KEY),
        ("u1", "", KEY),
        ("u1", None, KEY),
        (None, USER_HASH, KEY),
        ("u1", "\ud800", KEY),
        ("u1", USER_HASH, None),
        ("u1", USER_HASH, "f" * 32),
    ],
)
def test_other_hashes_are_refused(user: str | None, digest: str | None, secret: str | None) -> None:
    with pytest.raises(Unauthentic):
        check(Proof(user_id=user, user_hash=digest), config(user_hash_secret=secret), "w1", NOW)


def test_reading_what_was_checked_needs_no_key_and_no_clock() -> None:
    assert read(Proof(identity_jwt=VECTOR), "w1") == Identified("u1", (person("u1"),))


def test_the_digest_tells_a_repeat_from_a_change() -> None:
    first, second = proved(identity_jwt()), proved(identity_jwt(iat=int(NOW.timestamp()) - 5))
    assert first.digest == second.digest
    assert proved(identity_jwt(email="ana@example.com")).digest != first.digest


def test_a_refusal_names_no_secret_and_no_claim() -> None:
    with pytest.raises(Unauthentic) as caught:
        proved(identity_jwt(sub="somebody@example.com", aud="w2"))
    assert "somebody" not in str(caught.value)
    assert KEY not in str(caught.value)


@given(st.integers(0, len(VECTOR) - 1), st.characters())
def test_one_changed_character_is_enough_to_be_refused(place: int, other: str) -> None:
    if other != VECTOR[place]:
        with pytest.raises(Unauthentic):
            proved(VECTOR[:place] + other + VECTOR[place + 1 :], at(1764000000))


@given(st.text())
def test_no_text_is_a_proof(text: str) -> None:
    with pytest.raises(Unauthentic):
        proved(text)
