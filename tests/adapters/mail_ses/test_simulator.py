"""The simulated SES and SNS against the adapter."""

from typing import Literal

import pytest

from adapters.mail_ses.simulator import MAX_CONTENT_BYTES, Ses
from normalizer.envelope import Failure, Unsupported
from tests.adapters._mail.worlds import OURS, check_all, check_proof, ids, read
from tests.adapters.mail_ses.support import SUBJECT, TOPIC, key
from tests.kit.cases import HOOK_URL, NOW


def made(version: Literal["1", "2"] = "2", base64: bool = True) -> Ses:
    return Ses(addresses=(OURS,), private_key=key("amazon"), topic_arn=TOPIC, webhook_url=HOOK_URL, ids=ids(),
               version=version, base64=base64)  # fmt: skip


@pytest.mark.parametrize(("version", "base64"), [("2", True), ("1", False)])
def test_it_is_what_the_adapter_reads(version: Literal["1", "2"], base64: bool) -> None:
    check_all(SUBJECT, lambda: made(version, base64), [0.0, 0.0, 0.0, 1.0, 1.0, 20.0])
    check_proof(SUBJECT, made(version, base64))


def test_a_subscription_is_to_be_confirmed_by_a_person() -> None:
    ses = made()
    token = ses.subscribe(NOW)
    (request,) = ses.posts.due(NOW)
    body = read(SUBJECT, request).body
    assert isinstance(body, Unsupported)
    assert body.what == "sns:SubscriptionConfirmation"
    assert f"Token={token}" in body.failures[0].text


def test_other_words_of_the_topic() -> None:
    ses = made()
    ses.notify("Successfully validated SNS topic", NOW)
    ses.notify({"notificationType": "Bounce"}, NOW)
    found = [read(SUBJECT, request).body for request in ses.posts.due(NOW)]
    assert [one.what for one in found] == ["sns:Notification", "event:Bounce"]


def test_a_mail_that_is_too_large_for_the_topic() -> None:
    ses = made()
    joe = ses.world.person("joe@x.example")
    ses.world.write(joe, "x" * MAX_CONTENT_BYTES, NOW)
    (request,) = ses.posts.due(NOW)
    body = read(SUBJECT, request).body
    assert [type(one) for one in body.failures] == [Failure]
