"""The contract kit over what SNS posts: what it means, who proves to be Amazon and ours, and what survives."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.base import Malformed, RawInbound
from adapters.mail_ses import Config
from tests.adapters._mail.hooks import SETTINGS
from tests.adapters._mail.outbound import CASES as OUTBOUND
from tests.adapters.mail_ses.support import (
    CONFIRM,
    CONFIRMATION,
    ENCODED,
    EVENTS,
    FOREIGN_TOPIC,
    MAILS,
    MIME,
    NAMELESS,
    NOTICES,
    NOTIFICATION,
    SUBJECT,
    TOPIC,
    document,
    headers,
    pem,
    posted,
    received,
    signature,
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


def test_there_are_enough() -> None:
    assert len(MIME) + len(MAILS) + len(NOTICES) >= 40


@pytest.mark.parametrize("case", [*MIME, *MAILS, *NOTICES, *EVENTS], ids=str)
def test_inbound(case: InboundCase) -> None:
    check_inbound(SUBJECT, case)
    check_parsed(SUBJECT, case)


def test_a_mail_without_an_id_has_amazons() -> None:
    body, more = whole(NAMELESS)
    (envelope,) = SUBJECT.adapter.parse(SUBJECT.raw(body, headers=more))
    assert envelope.dedupe_keys == ("arrival/ses/ses-1",)


@pytest.mark.parametrize("case", OUTBOUND, ids=str)
def test_outbound(case: OutboundCase) -> None:
    check_outbound(SUBJECT, case)
    check_rendered(SUBJECT, case)


# --- who posts --------------------------------------------------------------------------------------------------------

GOOD = document(json.dumps(received(ENCODED)), Subject="Amazon SES")


def raw(post: Any, kind: str = "Notification", **facts: Any) -> RawInbound:
    return SUBJECT.raw(json.dumps(post).encode(), headers=headers(kind), **facts)


def signed(**changes: Any) -> dict[str, Any]:
    post = {**GOOD, **changes}
    return {**post, "Signature": signature(post, NOTIFICATION)}


def test_nothing_else_is_a_signature() -> None:
    right = GOOD["Signature"]
    odd = {
        "cut": right[:-4], "empty": "", "backwards": right[::-1], "in another case": right.swapcase(),
        "twice": right * 2, "a blank behind": right + " ", "a line end behind": right + "\n",
        "a line end in it": right[:76] + "\n" + right[76:],
        "zeros": "A" * len(right), "very long": right * 100, "not BASE64": "*" * 344, "not ASCII": "é" * 344,
        "by another key": signature(GOOD, NOTIFICATION, by="eve"),
        "in the first version, and called the second": signature(GOOD, NOTIFICATION, version="1"),
        "of too little": signature(GOOD, "Message MessageId Timestamp TopicArn"),
        "without the subject": signature(GOOD, "Message MessageId Timestamp TopicArn Type"),
        "in another order": signature(GOOD, "Type TopicArn Timestamp Subject MessageId Message"),
    }  # fmt: skip
    forged = {f"signature: {label}": raw({**GOOD, "Signature": value}) for label, value in odd.items()}
    elsewhere = GOOD["SigningCertURL"].replace(".com/", ".com.evil.example/")
    changes: dict[str, Any] = {
        "Message": "x", "MessageId": "x", "Subject": "x", "Timestamp": "2026-01-02T03:04:01.000Z",
        "TopicArn": FOREIGN_TOPIC, "SignatureVersion": "1", "SigningCertURL": elsewhere,
    }  # fmt: skip
    forged |= {f"another {name}": raw({**GOOD, name: value}) for name, value in changes.items()}
    forged |= {f"no {name}": raw({k: v for k, v in GOOD.items() if k != name}) for name in GOOD}
    forged |= {f"{name} is a number": raw({**GOOD, name: 5}) for name in GOOD}
    for label, at in {
        "a bucket": "https://s3.amazonaws.com/eve/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
        "no TLS": str(GOOD["SigningCertURL"]).replace("https", "http"),
        "a user": str(GOOD["SigningCertURL"]).replace("https://", "https://sns@"),
        "a query": str(GOOD["SigningCertURL"]) + "?x",
        "another file": "https://sns.eu-west-1.amazonaws.com/eve.pem",
    }.items():
        forged[f"certificate from {label}"] = raw(signed(SigningCertURL=at))
    forged |= {
        "signed by Amazon for a stranger's topic": raw(signed(TopicArn=FOREIGN_TOPIC)),
        "the version of tomorrow": raw(signed(SignatureVersion="3")),
        "a type of tomorrow": raw(signed(Type="Surprise"), "Surprise"),
        "another type in the header": raw(GOOD, "SubscriptionConfirmation"),
        "no type in the header": SUBJECT.raw(json.dumps(GOOD).encode(), headers={}),
        "a confirmation that is called a notification": raw(
            {**document("x", kind="SubscriptionConfirmation", **CONFIRM), "Type": "Notification"}),
        "a notification that is called a confirmation": raw(
            {**GOOD, **CONFIRM, "Type": "SubscriptionConfirmation"}, "SubscriptionConfirmation"),
        "another place to confirm": raw(
            {**document("x", kind="SubscriptionConfirmation", **CONFIRM), "SubscribeURL": "https://evil.example"},
            "SubscriptionConfirmation"),
        "nothing": SUBJECT.raw(b"", headers=headers()),
        "deep": SUBJECT.raw(b"[" * 100_000, headers=headers()),
        "by GET": raw(GOOD, method="GET"),
    }  # fmt: skip
    check_forged(SUBJECT, raw(GOOD), forged, least=50)


def test_both_kinds_are_signed_over_other_fields() -> None:
    post = document("x", kind="SubscriptionConfirmation", **CONFIRM)
    assert SUBJECT.adapter.verify(raw(post, "SubscriptionConfirmation")) is None
    assert CONFIRMATION != NOTIFICATION


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"topic_arns": ()}, "topic_arns is missing"),
        ({"signing_certificates": ()}, "signing_certificates is missing"),
        ({"topic_arns": ("mail",)}, "topic_arns: 'mail' is no ARN of SNS"),
        ({"signing_certificates": ("x",)}, "signing_certificates: the 1. is no certificate of an RSA key"),
    ],
)
def test_what_is_wrong_with_settings(changes: dict[str, Any], problem: str) -> None:
    right = {**SETTINGS, "topic_arns": (TOPIC,), "signing_certificates": (pem("amazon"),)}
    assert Config(**right).problems() == []
    assert Config(**{**right, **changes}).problems() == [problem]


# --- what survives ----------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(mutations(received(ENCODED)))
def test_any_field_may_be_odd(mutation: tuple[Any, Any]) -> None:
    check_survives(SUBJECT, json.dumps({**GOOD, "Message": json.dumps(mutation[1])}).encode(), headers=headers())


@settings(max_examples=200)
@given(mutations(GOOD))
def test_any_field_around_it_may_be_odd(mutation: tuple[Any, Any]) -> None:
    check_survives(SUBJECT, json.dumps(mutation[1]).encode(), headers=headers())


@given(st.binary(max_size=400))
def test_anything(body: bytes) -> None:
    check_survives(SUBJECT, body, headers=headers())


@pytest.mark.parametrize("message", ["[" * 1_000_000, '{"a":' * 200_000, '{"notificationType":' + "[" * 500_000])
def test_messages_that_are_hostile(message: str) -> None:
    assert check_survives(SUBJECT, json.dumps({**GOOD, "Message": message}).encode(), headers=headers()) is not None


def test_content_that_is_not_what_it_says() -> None:
    with pytest.raises(Malformed, match="BASE64"):
        SUBJECT.adapter.parse(SUBJECT.raw(posted(received("*")), headers=headers()))


def test_the_post_itself_is_kept_with_a_notice() -> None:
    (envelope,) = SUBJECT.adapter.parse(raw(document("Hello")))
    assert envelope.raw is not None
    assert json.loads(bytes(envelope.raw))["Message"] == "Hello"
    assert msgspec.structs.replace(envelope, raw=None).raw is None
