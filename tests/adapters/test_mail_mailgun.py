"""The contract kit over Mailgun's posts: what they mean, who proves to be Mailgun, and what survives."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import RawInbound
from tests.adapters._mail.hooks import multipart
from tests.adapters._mail.outbound import CASES as OUTBOUND
from tests.adapters.mail_mailgun.support import (
    AT,
    EVENTS,
    EXAMPLE,
    MIME,
    OLD_SIGNING_KEY,
    PARSED,
    SUBJECT,
    TOKEN,
    proof,
    whole,
)
from tests.kit import (
    InboundCase,
    OutboundCase,
    check_forged,
    check_inbound,
    check_outbound,
    check_parsed,
    check_refused,
    check_rendered,
    check_survives,
)
from tests.kit.contract import shown


def test_there_are_enough() -> None:
    assert len(MIME) + len(PARSED) + len(EVENTS) >= 40


@pytest.mark.parametrize("case", [*MIME, *EVENTS], ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)
    check_parsed(SUBJECT, case)


@pytest.mark.parametrize("case", PARSED, ids=str)
def test_inbound_in_pieces(case: InboundCase) -> None:
    """Without the digest of a body that we put together ourselves."""
    raw = SUBJECT.raw(case.body, **case.facts())
    assert SUBJECT.adapter.verify(raw) is None
    (envelope,) = SUBJECT.adapter.parse(raw)
    assert shown(envelope) | {"dedupe_keys": None} == {**case.want[0], "dedupe_keys": None}
    assert envelope.dedupe_keys[0].startswith("m1@x.example/")


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


# --- who posts --------------------------------------------------------------------------------------------------------


def good(**changes: str) -> RawInbound:
    body, headers = whole(EXAMPLE)
    for name, value in changes.items():
        body = body.replace(proof()[name].encode(), value.encode())
    return SUBJECT.raw(body, headers=headers)


def test_nothing_else_is_a_signature() -> None:
    right, raw = proof()["signature"], good()
    odd = {
        "cut": right[:-1], "longer": right + "0", "backwards": right[::-1], "in capitals": right.upper(), "empty": "",
        "zeros": "0" * 64, "not hex": "g" * 64, "a blank before": " " + right, "a blank behind": right + " ",
        "a line end behind": right + "\n", "twice": right + right,
        "another first": ("1" if right[0] == "0" else "0") + right[1:],
        "another last": right[:-1] + ("1" if right[-1] == "0" else "0"), "digits of another script": "٣" * 64,
        "of no key": proof(key="")["signature"], "of another key": proof(key="somebody's")["signature"],
        "of another time": proof(AT - 1)["signature"], "of another token": proof(token="another")["signature"],
        "with a prefix": "sha256=" + right, "very long": right * 1000, "a NUL in it": right[:3] + "\x00" + right[3:],
    }  # fmt: skip
    forged = {f"signature: {label}": good(signature=value) for label, value in odd.items()}
    times = {"a second later": str(AT + 1), "with a sign": f"+{AT}", "with a point": f"{AT}.0", "empty": "",
             "words": "now", "with a zero": f"0{AT}", "with a blank": f" {AT}"}  # fmt: skip
    forged |= {f"timestamp: {label}": good(timestamp=value) for label, value in times.items()}
    tokens = {"another": "x" * 50, "cut": TOKEN[:-1], "empty": "", "longer": TOKEN + "1"}
    forged |= {f"token: {label}": good(token=value) for label, value in tokens.items()}
    forged["a digit moves from the time to the token"] = good(timestamp=str(AT)[:-1], token=str(AT)[-1] + TOKEN)
    forged |= {
        "no form": msgspec.structs.replace(raw, headers={"content-type": "text/plain"}),
        "no type": msgspec.structs.replace(raw, headers={}),
        "nothing": msgspec.structs.replace(raw, body=b""),
        "half": msgspec.structs.replace(raw, body=raw.body[:200]),
        "a GET": msgspec.structs.replace(raw, method="GET"),
        "a PUT": msgspec.structs.replace(raw, method="PUT"),
        "JSON without a signature": json_raw({}),
        "JSON with half of one": json_raw({"signature": {"timestamp": str(AT), "token": TOKEN}}),
        "JSON with a wrong one": json_raw({"signature": {**proof(), "token": "x"}}),
        "JSON with numbers": json_raw({"signature": {**proof(), "timestamp": AT}}),
        "JSON that is deep": SUBJECT.raw(b"[" * 100_000, headers={"content-type": "application/json"}),
    }  # fmt: skip
    check_forged(SUBJECT, raw, forged, least=40)


def json_raw(document: Any) -> RawInbound:
    return SUBJECT.raw(json.dumps(document).encode(), headers={"content-type": "application/json"})


@pytest.mark.parametrize(("age_s", "taken"), [(0, True), (30_600, True), (30_601, False), (-300, True), (-301, False)])
def test_how_old_it_may_be(age_s: int, taken: bool) -> None:
    """Received five seconds past AT."""
    now = AT + 5
    signed = proof(now - age_s)
    raw = good(**signed)
    assert verified(raw) is taken


def verified(raw: RawInbound) -> bool:
    try:
        check_refused(SUBJECT, raw)
    except AssertionError:
        return True
    return False


def test_the_key_of_before_is_still_one() -> None:
    assert verified(good(**proof(key=OLD_SIGNING_KEY)))


@pytest.mark.parametrize("first", [True, False])
def test_a_sender_can_not_shadow_the_proof(first: bool) -> None:
    """Variables of his own become fields of the form, before or behind Mailgun's."""
    own: list[tuple[str, str | bytes]] = [("timestamp", "1"), ("token", "x"), ("signature", "0" * 64)]
    theirs: list[tuple[str, str | bytes]] = [*proof().items(), ("body-mime", EXAMPLE)]
    body, headers = multipart(*(own + theirs if first else theirs + own))
    assert verified(SUBJECT.raw(body, headers=headers))


def test_a_known_vector() -> None:
    """Computed with OpenSSL."""
    assert proof(1764000000, "50charstoken", "key-test")["signature"] == (
        "e1c5e51927613bd313359fb9ab3d9ec67fe3d941421d6863a99f97f928c87a63"
    )


# --- what survives ----------------------------------------------------------------------------------------------------


@given(st.binary(max_size=400), st.sampled_from(["application/json", "multipart/form-data; boundary=xYzZY", "x", ""]))
def test_anything(body: bytes, type_: str) -> None:
    check_survives(SUBJECT, body, headers={"content-type": type_})


@pytest.mark.parametrize("place", range(0, 1200, 40))
def test_a_form_with_a_hole_in_it(place: int) -> None:
    body, headers = whole(EXAMPLE)
    check_survives(SUBJECT, body[:place] + body[place + 40 :], headers=headers)


@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b'{"event-data":' * 200_000, b'{"event-data":{"event":5}}', b"null"]
)
def test_json_that_is_none(body: bytes) -> None:
    check_survives(SUBJECT, body, headers={"content-type": "application/json"})
