"""Who is believed, what is answered, and what the endpoint can do."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import CallContext, Fetched, Health, RawInbound, Reply
from adapters.twilio_messaging import CAPABILITIES, REGISTRATION
from normalizer.envelope import MediaRef
from tests.adapters.twilio_messaging.support import (
    API,
    CONFIG,
    OLD_TOKEN,
    SUBJECT,
    TOKEN,
    signature,
    sms,
    status,
    whatsapp,
)
from tests.kit import (
    FORM,
    HOOK_URL,
    Driven,
    Subject,
    check_forged,
    check_refused,
    drive,
    forged_body,
    forged_header,
    form,
)
from tests.kit.cases import ENDPOINT

HEADER = "x-twilio-signature"
FIELDS = {"ToCity": "", **whatsapp(Body=" héllo + 😀 ")}
BODY = form(FIELDS)
GOOD = SUBJECT.raw(BODY)


def given_raw(body: bytes, proof: str, **facts: str) -> RawInbound:
    return SUBJECT.raw(body, headers={"content-type": FORM, HEADER: proof}, **facts)


PROOF = GOOD.headers[HEADER]
ITEMS = list(FIELDS.items())
FORGED = {
    **forged_header(GOOD, HEADER),
    **forged_body(GOOD),
    "another sender": given_raw(form({**FIELDS, "From": "whatsapp:+1666"}), PROOF),
    "another text": given_raw(form({**FIELDS, "Body": "hello"}), PROOF),
    "a field more": given_raw(form({**FIELDS, "Forwarded": "true"}), PROOF),
    "a blank field less": given_raw(form({k: v for k, v in FIELDS.items() if k != "ToCity"}), PROOF),
    "a foreign token": given_raw(BODY, signature(HOOK_URL, ITEMS, "foreign")),
    "an empty token": given_raw(BODY, signature(HOOK_URL, ITEMS, "")),
    "the account's id as the token": given_raw(BODY, signature(HOOK_URL, ITEMS, FIELDS["AccountSid"])),
    "another endpoint's URL": given_raw(BODY, signature(HOOK_URL + "2", ITEMS)),
    "another host": given_raw(BODY, signature(HOOK_URL.replace("gateway", "evil"), ITEMS)),
    "another scheme": given_raw(BODY, signature(HOOK_URL.replace("https", "http"), ITEMS)),
    "a query that was not signed": given_raw(BODY, PROOF, query="echo=cmd_1"),
    "another query": given_raw(BODY, signature(HOOK_URL + "?echo=cmd_1", ITEMS), query="echo=cmd_2"),
    "a path that was not signed": given_raw(BODY, PROOF, path="/other"),
    "a GET of it": given_raw(BODY, PROOF, method="GET"),
    "JSON without its hash": SUBJECT.raw(b"{}", headers={"content-type": "a/json", HEADER: signature(HOOK_URL)}),
    "JSON under a form's signature": SUBJECT.raw(BODY, headers={"content-type": "application/json", HEADER: PROOF}),
    "text": SUBJECT.raw(BODY, headers={"content-type": "text/plain", HEADER: PROOF}),
}  # fmt: skip


def test_forged() -> None:
    """None of the ways to almost sign is a signature."""
    check_forged(SUBJECT, GOOD, FORGED)
    assert len(FORGED) > 45


@pytest.mark.parametrize("token", [TOKEN, OLD_TOKEN])
def test_every_token_signs(token: str) -> None:
    """While a token is being replaced, both count."""
    assert SUBJECT.adapter.verify(given_raw(BODY, signature(HOOK_URL, ITEMS, token))) is None


@given(st.binary(max_size=64), st.text(max_size=60), st.sampled_from(["GET", "POST", "PUT", ""]))
def test_junk_never_verifies(body: bytes, proof: str, method: str) -> None:
    """Whatever the body, the header and the method."""
    check_refused(SUBJECT, given_raw(body, proof, method=method))


@pytest.mark.parametrize(
    ("public_url", "url"),
    [
        ("https://hooks.example", "https://hooks.example/hooks/endpoint"),
        ("https://hooks.example/twilio", "https://hooks.example/twilio"),
        ("https://hooks.example/twilio#rc=5&rp=all", "https://hooks.example/twilio"),
    ],
)
def test_the_configured_address_is_signed(public_url: str, url: str) -> None:
    """Not the one that this process sees."""
    config = msgspec.structs.replace(CONFIG, public_url=public_url)
    subject = Subject(REGISTRATION, config, SUBJECT.sign, (TOKEN,))
    assert subject.adapter.verify(given_raw(BODY, signature(url, ITEMS))) is None
    check_refused(subject, GOOD)


@pytest.mark.parametrize("fields", [sms(), whatsapp(), status()])
def test_the_answer_is_twiml_that_does_nothing(fields: dict[str, str]) -> None:
    """A word of plain text would go to the customer."""
    reply = SUBJECT.adapter.respond(SUBJECT.raw(form(fields)), None)
    assert reply.status == 200
    assert reply.headers["content-type"].startswith("text/xml")
    assert reply.body == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'


def test_capabilities() -> None:
    """What the core may count on."""
    assert (CAPABILITIES.answers, CAPABILITIES.ordered, CAPABILITIES.echo) == ("stored", False, True)
    assert CAPABILITIES.text_limit == 1600
    assert {FORM, "application/json"} == CAPABILITIES.content_types
    assert "choice_made" not in CAPABILITIES.sends


def test_fetch_and_probe_ask_the_api() -> None:
    """With the endpoint's credentials, which stay outside."""
    adapter: Any = REGISTRATION.build(ENDPOINT, CONFIG)
    url = f"{API}/Messages/MM1/Media/ME1"
    ctx = CallContext(now=GOOD.received_at)
    fetched: Driven[Any] = drive(adapter.fetch(MediaRef(url=url), ctx), [Reply(200, {"x-stored": "f" * 64})])
    probed: Driven[Any] = drive(adapter.probe(ctx), [Reply(200, {}, b'{"status":"active"}')])
    assert fetched.value == Fetched(stored="f" * 64)
    assert probed.value == Health(ok=True, detail=f"account {CONFIG.account_sid} is active")
    calls: list[Any] = [*fetched.calls, *probed.calls]
    assert [call.auth.credential for call in calls] == ["auth_token"] * 2
