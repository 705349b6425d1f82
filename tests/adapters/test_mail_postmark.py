"""The contract kit over Postmark's posts: what they mean, who proves to be Postmark, and what survives."""

import json
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import Malformed, RawInbound
from adapters.mail_postmark import Config
from tests.adapters._mail.hooks import SETTINGS
from tests.adapters._mail.outbound import CASES as OUTBOUND
from tests.adapters.mail_postmark.support import (
    DOCUMENT,
    EVENTS,
    EXAMPLE,
    MIME,
    OLD_PASSWORD,
    PARSED,
    PASSWORD,
    SUBJECT,
    attached,
    basic,
    posted,
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
    mutations,
)
from tests.kit.contract import shown
from tests.kit.forge import forged_header


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


def test_a_mail_without_an_id_has_postmarks() -> None:
    document = {**DOCUMENT, "Headers": []}
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(json.dumps(document).encode()))
    assert envelope.dedupe_keys == (f"arrival/postmark/{DOCUMENT['MessageID']}",)


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


# --- who posts --------------------------------------------------------------------------------------------------------


def test_nothing_else_is_a_password() -> None:
    body, headers = whole(EXAMPLE)
    good = SUBJECT.raw(body, beside=headers)
    forged = {label: raw for label, raw in forged_header(good, "authorization").items() if "forgotten" not in label}
    odd = {
        "another user": basic(user="Post"), "another password": basic("x"), "no password": basic(""),
        "no user": basic(user=""), "a password with a blank": basic(PASSWORD + " "), "without its scheme": basic()[6:],
        "another scheme": basic().replace("Basic", "Bearer"), "in another case": basic().replace("Basic", "basic"),
        "in the clear": f"Basic post:{PASSWORD}", "two passwords": basic(f"{PASSWORD}:{PASSWORD}"),
        "without a colon": "Basic " + b64encode(f"post{PASSWORD}".encode()).decode(),
    }  # fmt: skip
    for label, value in odd.items():
        forged[label] = msgspec.structs.replace(good, headers={**good.headers, "authorization": value})
    forged |= {
        f"by {method}": msgspec.structs.replace(good, method=method) for method in ("GET", "PUT", "DELETE", "HEAD")
    }
    check_forged(SUBJECT, good, forged)


@pytest.mark.parametrize("password", [PASSWORD, OLD_PASSWORD])
def test_the_password_of_before_is_still_one(password: str) -> None:
    assert SUBJECT.adapter.verify(SUBJECT.raw(b"{}", headers={"authorization": basic(password)})) is None


def test_without_a_password_nobody_gets_in() -> None:
    config = Config(**SETTINGS)
    assert config.problems() == ["hook_passwords is missing"]
    adapter = SUBJECT.registration.build(SUBJECT.endpoint_id, config)
    with pytest.raises(Exception, match="no credentials"):
        adapter.verify(SUBJECT.raw(b"{}", headers={"authorization": basic("")}))


def test_a_user_with_a_colon() -> None:
    assert Config(**SETTINGS, hook_user="a:b", hook_passwords=("x",)).problems() == ["hook_user may not hold a colon"]


# --- what survives ----------------------------------------------------------------------------------------------------

FULL: Mapping[str, Any] = {**DOCUMENT, "Attachments": [attached()]}


@settings(max_examples=300)
@given(mutations(FULL))
def test_any_field_may_be_odd(mutation: tuple[Any, Any]) -> None:
    envelopes = check_survives(SUBJECT, json.dumps(mutation[1]).encode())
    assert envelopes is not None


@given(st.binary(max_size=400))
def test_anything(body: bytes) -> None:
    check_survives(SUBJECT, body)


@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b'{"Headers":' * 200_000, b'{"RecordType":"x","a":' + b"[" * 1_000_000]
)
def test_json_that_is_none(body: bytes) -> None:
    assert check_survives(SUBJECT, body) is None


@pytest.mark.parametrize("body", [b"{}", b'{"From":5}', b'{"Subject":"x"}'])
def test_no_mail(body: bytes) -> None:
    with pytest.raises(Malformed, match="no mail"):
        SUBJECT.adapter.parse(SUBJECT.raw(body))


def test_a_large_file() -> None:
    """Twenty megabytes; more than once."""
    content = b64encode(bytes(10_000_000)).decode()
    body = posted(Attachments=[attached(Content=content), attached(Content=content, Name="b.png")])
    envelopes = check_survives(SUBJECT, body, max_s=2.0)
    assert envelopes is not None


def test_the_files_are_those_that_were_named() -> None:
    raw: RawInbound = SUBJECT.raw(posted(Attachments=[attached(), attached(Name="b", Content="eA==")]))
    (envelope,) = SUBJECT.adapter.parse(raw)
    carried = SUBJECT.adapter.carried(raw)  # type: ignore[attr-defined]  # a second protocol
    assert [one.data for one in carried] == [b"\x89PNG\r\n\x1a\n", b"x"]
    named = [part.media.external_id for part in envelope.body.parts[1:]]  # type: ignore[union-attr]
    assert [one.ref for one in carried] == named
