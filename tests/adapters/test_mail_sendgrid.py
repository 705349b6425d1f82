"""The contract kit over SendGrid's posts: what they mean, who proves to be SendGrid, and what survives."""

import json
from base64 import b64decode, b64encode

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, derive_private_key
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import Malformed, RawInbound
from adapters.mail_sendgrid import Config
from adapters.mail_sendgrid.signature import SIGNATURE, TIMESTAMP
from tests.adapters._mail.hooks import SETTINGS
from tests.adapters._mail.outbound import CASES as OUTBOUND
from tests.adapters.mail_sendgrid.support import (
    AT,
    EVENTS,
    EXAMPLE,
    FOREIGN,
    MIME,
    OLD_PRIVATE,
    PARSED,
    PNG,
    PRIVATE,
    SUBJECT,
    posted,
    public,
    signature,
    signed,
    whole,
)
from tests.kit import (
    InboundCase,
    OutboundCase,
    check_forged,
    check_inbound,
    check_outbound,
    check_parsed,
    check_rendered,
    check_survives,
)
from tests.kit.cases import ENDPOINT, NOW
from tests.kit.contract import shown
from tests.kit.forge import forged_body, forged_header


def test_there_are_enough() -> None:
    assert len(MIME) + len(PARSED) + len(EVENTS) >= 40


@pytest.mark.parametrize("case", [*MIME, *EVENTS], ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)
    check_parsed(SUBJECT, case)


@pytest.mark.parametrize("case", PARSED, ids=str)
def test_inbound_in_pieces(case: InboundCase) -> None:
    """Without the digest of a body that we put together ourselves."""
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(case.body, **case.facts()))
    assert shown(envelope) | {"dedupe_keys": None} == {**case.want[0], "dedupe_keys": None}
    assert envelope.dedupe_keys[0].startswith("m1@x.example/")


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


# --- who posts --------------------------------------------------------------------------------------------------------


def with_header(raw: RawInbound, name: str, value: str) -> RawInbound:
    return msgspec.structs.replace(raw, headers={**raw.headers, name: value})


def test_nothing_else_is_a_signature() -> None:
    body, headers = whole(EXAMPLE)
    good = SUBJECT.raw(body, beside=headers)
    right = good.headers[SIGNATURE]
    forged = {**forged_header(good, SIGNATURE), **forged_header(good, TIMESTAMP), **forged_body(good)}
    spelled = b64decode(right)
    odd = {
        "of another key": signature(body, FOREIGN), "of the body alone": signature(body, at=""),
        "of another time": signature(body, at="1767323041"), "of another body": signature(b"x"),
        "with bytes behind it": b64encode(spelled + b"\1\2").decode(),
        "without its first byte": b64encode(spelled[1:]).decode(),
        "in the URL's alphabet": right.replace("+", "-").replace("/", "_") + "_", "in hex": spelled.hex(),
        "r and s without DER": b64encode(bytes(64)).decode(),
    }  # fmt: skip
    forged |= {f"signature: {label}": with_header(good, SIGNATURE, value) for label, value in odd.items()}
    forged["a digit moves from the time to the body"] = msgspec.structs.replace(
        with_header(good, TIMESTAMP, AT[:-1]), body=AT[-1].encode() + body
    )
    forged |= {f"by {method}": msgspec.structs.replace(good, method=method) for method in ("GET", "PUT")}
    check_forged(SUBJECT, good, forged, least=50)


def test_the_key_of_before_is_still_one() -> None:
    assert SUBJECT.adapter.verify(SUBJECT.raw(b"x", headers=signed(b"x", OLD_PRIVATE))) is None


@pytest.mark.parametrize(
    "key",
    ["", "x", "AAAA", public(derive_private_key(5, SECP384R1())), public(PRIVATE)[:-8], "é"],
    ids=["empty", "letters", "bytes", "another curve", "cut", "not ASCII"],
)
def test_a_key_that_is_none_is_a_problem_and_verifies_nothing(key: str) -> None:
    config = Config(**SETTINGS, verification_keys=(key,))
    assert config.problems() == ["verification_keys: the 1. is no public key"]
    adapter = SUBJECT.registration.build(SUBJECT.endpoint_id, config)
    with pytest.raises(Exception, match="none of our keys"):
        adapter.verify(SUBJECT.raw(b"x"))


def test_a_key_may_be_written_as_pem() -> None:
    pem = f"-----BEGIN PUBLIC KEY-----\n{public(PRIVATE)[:64]}\n{public(PRIVATE)[64:]}\n-----END PUBLIC KEY-----\n"
    assert Config(**SETTINGS, verification_keys=(pem,)).problems() == []
    assert Config(**SETTINGS).problems() == ["verification_keys is missing"]


# --- what survives ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400), st.sampled_from(["application/json", "multipart/form-data; boundary=xYzZY", "x", ""]))
def test_anything(body: bytes, type_: str) -> None:
    check_survives(SUBJECT, body, beside={"content-type": type_})


@pytest.mark.parametrize("place", range(0, 1600, 40))
def test_a_form_with_a_hole_in_it(place: int) -> None:
    body, headers = posted(("attachment1", PNG, "a.png", "image/png"), text="Hello", charsets="{}")
    check_survives(SUBJECT, body[:place] + body[place + 40 :], beside=headers)


@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b'[{"a":' * 200_000, b"{}", b"null", b"[" + b"{}," * 2_000 + b"{}]", b"[[[]]]"]
)
def test_json_that_is_none(body: bytes) -> None:
    check_survives(SUBJECT, body, beside={"content-type": "application/json"})


@pytest.mark.parametrize("name", ["headers", "charsets", "envelope", "attachment-info", "dkim", "text", "from"])
@pytest.mark.parametrize(
    "value", ["[" * 1_000_000, '{"a":' * 200_000, "x: " * 300_000, "\n" * 1_000_000, "a:pass " * 200_000]
)
def test_fields_that_are_hostile(name: str, value: str) -> None:
    body, headers = posted(**{"text": "Hello", name: value})
    assert check_survives(SUBJECT, body, beside=headers) is not None


def test_no_mail() -> None:
    body, headers = posted()
    body = body.replace(b'name="from"', b'name="fromm"')
    with pytest.raises(Malformed, match="no mail"):
        SUBJECT.adapter.parse(SUBJECT.raw(body, beside=headers))


def test_too_many_events() -> None:
    raw = SUBJECT.raw(json.dumps([{}] * 2_001).encode(), beside={"content-type": "application/json"})
    with pytest.raises(Malformed, match="too many"):
        SUBJECT.adapter.parse(raw)


def test_a_name_that_looks_like_an_address_when_its_encoding_is_gone() -> None:
    """As SendGrid decodes it. The mail's own field is unambiguous."""
    raw_field = "From: =?utf-8?q?=3Cboss=40bank.example=3E?= <eve@x.example>"
    body, headers = posted(**{"from": "<boss@bank.example> <eve@x.example>"}, headers=f"{raw_field}\n", text="Hi")
    raw = RawInbound(id="r", endpoint_id=ENDPOINT, origin="webhook", received_at=NOW, body=body, headers=headers)
    (envelope,) = SUBJECT.adapter.parse(raw)
    assert (str(envelope.party.address), envelope.party.name) == ("mailto:eve@x.example", "<boss@bank.example>")
