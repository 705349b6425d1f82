"""Settings, who is believed, and what is answered."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import ChannelSpec, RawInbound
from adapters.sms_http import Config
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.sms_http.support import CONFIG, NUMBER, SECRET, SUBJECT, TOKEN, signature
from tests.kit import FORM, check_forged, check_refused, forged_body, forged_header, form

BODY = form({"id": "m1", "from": "+14155550101", "text": "héllo"})
GOOD = SUBJECT.raw(BODY)
PROOF = signature(BODY)


def given_raw(proof: str, body: bytes = BODY, **facts: Any) -> RawInbound:
    return SUBJECT.raw(body, headers={"content-type": FORM, "x-signature": proof}, **facts)


FORGED = {
    **forged_header(GOOD, "x-signature"),
    **forged_body(GOOD),
    "a foreign secret": given_raw(signature(BODY, "foreign")),
    "an empty secret": given_raw(signature(BODY, "")),
    "the token as the secret": given_raw(signature(BODY, TOKEN)),
    "a secret without its last letter": given_raw(signature(BODY, SECRET[:-1])),
    "another text": given_raw(PROOF, BODY.replace(b"llo", b"lla")),
    "another method": given_raw(PROOF, method="PUT"),
    "a GET": given_raw(PROOF, method="GET"),
    "under another name": SUBJECT.raw(BODY, headers={"x-signature-256": PROOF}),
    "a word before it": given_raw(f"sha256={PROOF}"),
}


def test_forged() -> None:
    """None of the ways to almost sign is a signature."""
    check_forged(SUBJECT, GOOD, FORGED)


@given(st.binary(max_size=64), st.text(max_size=70))
def test_junk_never_verifies(body: bytes, proof: str) -> None:
    check_refused(SUBJECT, given_raw(proof, body))


def test_complete() -> None:
    """One number, a token and a secret are enough."""
    assert list(CONFIG.problems()) == []
    assert CONFIG.channels(EndpointId("sms")) == (ChannelSpec(ChannelId("sms"), NUMBER),)
    assert CONFIG.credentials() == {"token": TOKEN}


@pytest.mark.parametrize(
    ("change", "words"),
    [({"fields": {"form": "x"}}, "fields: 'form'"), ({"statuses": {"X": "lost"}}, "statuses: 'lost'")],
)
def test_problems(change: dict[str, Any], words: str) -> None:
    (problem,) = msgspec.structs.replace(CONFIG, **change).problems()
    assert problem.startswith(words)


@pytest.mark.parametrize(
    "bad", [{}, {"number": "1", "token": "t"}, {"number": "1", "token": "t", "secret": "s", "url": "ftp://x"}]
)
def test_what_does_not_decode(bad: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, Config)
