"""Signatures, the handshake, and reading what bends its own rules."""

import hashlib
import hmac
import json
from base64 import b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters._meta import Signatures, handshake, signature
from adapters.base import RawInbound, Reply, Unauthentic
from tests.adapters.whatsapp.support import OLD_SECRET, SECRET, SUBJECT, VERIFY_TOKEN, encoded, signed
from tests.kit import check_refused
from tests.kit.cases import ENDPOINT, NOW

BODY = encoded({"object": "whatsapp_business_account", "entry": [], "note": "né ✓"})
GOOD = signed(BODY)["x-hub-signature-256"]
HEX = GOOD.removeprefix("sha256=")
SHA1 = "sha1=" + hmac.new(SECRET.encode(), BODY, hashlib.sha1).hexdigest()
FORGED: dict[str, tuple[bytes, dict[str, str]]] = {
    "no header": (BODY, {}),
    "an empty header": (BODY, {"x-hub-signature-256": ""}),
    "the word alone": (BODY, {"x-hub-signature-256": "sha256="}),
    "without the word": (BODY, {"x-hub-signature-256": HEX}),
    "SHA-1 under the right header": (BODY, {"x-hub-signature-256": SHA1}),
    "SHA-1 under its own header": (BODY, {"x-hub-signature": SHA1}),
    "SHA-256 under the old header": (BODY, {"x-hub-signature": GOOD}),
    "upper-case digits": (BODY, {"x-hub-signature-256": "sha256=" + HEX.upper()}),
    "an upper-case word": (BODY, {"x-hub-signature-256": "SHA256=" + HEX}),
    "cut by one": (BODY, {"x-hub-signature-256": GOOD[:-1]}),
    "cut by half": (BODY, {"x-hub-signature-256": GOOD[:39]}),
    "one digit more": (BODY, {"x-hub-signature-256": GOOD + "0"}),
    "the first digit changed": (BODY, {"x-hub-signature-256": "sha256=" + ("0" if HEX[0] != "0" else "1") + HEX[1:]}),
    "the last digit changed": (BODY, {"x-hub-signature-256": GOOD[:-1] + ("0" if GOOD[-1] != "0" else "1")}),
    "all zeros": (BODY, {"x-hub-signature-256": "sha256=" + "0" * 64}),
    "no hexadecimal": (BODY, {"x-hub-signature-256": "sha256=" + "g" * 64}),
    "not ASCII": (BODY, {"x-hub-signature-256": "sha256=" + "é" * 64}),
    "digits of another script": (BODY, {"x-hub-signature-256": "sha256=" + "٣" * 64}),
    "a lone surrogate": (BODY, {"x-hub-signature-256": "sha256=" + "\ud800" * 64}),
    "a blank before": (BODY, {"x-hub-signature-256": " " + GOOD}),
    "a blank after": (BODY, {"x-hub-signature-256": GOOD + " "}),
    "a line end after": (BODY, {"x-hub-signature-256": GOOD + "\n"}),
    "two signatures in one header": (BODY, {"x-hub-signature-256": f"sha256={'0' * 64}, {GOOD}"}),
    "the right one first of two": (BODY, {"x-hub-signature-256": f"{GOOD}, sha256={'0' * 64}"}),
    "in base64": (
        BODY,
        {"x-hub-signature-256": "sha256=" + b64encode(bytes.fromhex(HEX)).decode()},
    ),
    "a foreign secret": (BODY, signed(BODY, "somebody else's")),
    "an empty secret": (BODY, signed(BODY, "")),
    "the verify token as the secret": (BODY, signed(BODY, VERIFY_TOKEN)),
    "the secret without its last letter": (BODY, signed(BODY, SECRET[:-1])),
    "a plain digest without a key": (BODY, {"x-hub-signature-256": "sha256=" + hashlib.sha256(BODY).hexdigest()}),
    "one blank more in the body": (BODY + b" ", {"x-hub-signature-256": GOOD}),
    "a blank inside of the body": (BODY.replace(b":", b": ", 1), {"x-hub-signature-256": GOOD}),
    "the body written anew": (json.dumps(json.loads(BODY), ensure_ascii=False).encode(), {"x-hub-signature-256": GOOD}),
    "an empty body": (b"", {"x-hub-signature-256": GOOD}),
    "one bit of the body": (bytes([BODY[0] ^ 1]) + BODY[1:], {"x-hub-signature-256": GOOD}),
    "the body of another delivery": (BODY.replace(b"note", b"nota"), {"x-hub-signature-256": GOOD}),
}


@pytest.mark.parametrize("label", FORGED)
def test_forged(label: str) -> None:
    """None of the ways to almost sign is a signature."""
    body, headers = FORGED[label]
    check_refused(SUBJECT, SUBJECT.raw(body, headers=headers))


@pytest.mark.parametrize("secret", [SECRET, OLD_SECRET])
def test_every_secret_signs(secret: str) -> None:
    """While a secret is being replaced, both count."""
    assert SUBJECT.adapter.verify(SUBJECT.raw(BODY, headers=signed(BODY, secret))) is None
    assert signature(secret, BODY) == signed(BODY, secret)["x-hub-signature-256"]


def test_without_secrets_nothing_is_authentic() -> None:
    """No secret, or an empty one, is never a key."""
    for secrets in ((), ("",)):
        with pytest.raises(Unauthentic):
            Signatures(secrets).check(signed(BODY, "")["x-hub-signature-256"], BODY)


@given(st.binary(max_size=64), st.text(max_size=80))
def test_junk_never_verifies(body: bytes, header: str) -> None:
    """Whatever the body, and whatever the header."""
    check_refused(SUBJECT, SUBJECT.raw(body, headers={"x-hub-signature-256": header}))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "post", ""])
def test_other_methods_are_refused(method: str) -> None:
    """Even with a signature that fits."""
    check_refused(SUBJECT, msgspec.structs.replace(SUBJECT.raw(BODY), method=method))


# --- the handshake ------------------------------------------------------------------------------------------------


def get(query: str) -> RawInbound:
    return RawInbound(id="r", endpoint_id=ENDPOINT, origin="webhook", received_at=NOW, method="GET", query=query)


@pytest.mark.parametrize(
    ("challenge", "want"),
    [
        ("1158201444", b"1158201444"),
        ("00123", b"00123"),
        ("abc-%C3%A9%2B", "abc-é+".encode()),
        ("%3Cscript%3E", b"<script>"),
    ],
)
def test_the_challenge_comes_back_as_it_is(challenge: str, want: bytes) -> None:
    """As text, unchanged, and never as a page."""
    reply = SUBJECT.adapter.verify(get(f"hub.mode=subscribe&hub.challenge={challenge}&hub.verify_token={VERIFY_TOKEN}"))
    assert isinstance(reply, Reply)
    assert (reply.status, reply.body) == (200, want)
    assert reply.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query",
    [
        "",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
        f"hub.mode=subscribe&hub.challenge=1&hub.verify_token={VERIFY_TOKEN}x",
        f"hub.mode=subscribe&hub.challenge=1&hub.verify_token={VERIFY_TOKEN.upper()}",
        f"hub.mode=unsubscribe&hub.challenge=1&hub.verify_token={VERIFY_TOKEN}",
        f"hub.challenge=1&hub.verify_token={VERIFY_TOKEN}",
        f"hub.mode=subscribe&hub.verify_token={VERIFY_TOKEN}",
        f"hub.mode=subscribe&hub.challenge=&hub.verify_token={VERIFY_TOKEN}",
        f"hub_mode=subscribe&hub_challenge=1&hub_verify_token={VERIFY_TOKEN}",
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=%ff%fe",
        "&".join(f"a{n}=1" for n in range(1000)),
    ],
)
def test_a_handshake_that_is_none(query: str) -> None:
    """A wrong or missing token, mode or challenge."""
    check_refused(SUBJECT, get(query))


@pytest.mark.parametrize("token", [None, ""])
def test_no_token_is_never_the_right_one(token: str | None) -> None:
    """An endpoint without a verify token can not be subscribed."""
    with pytest.raises(Unauthentic):
        handshake(get("hub.mode=subscribe&hub.challenge=1&hub.verify_token="), token)
