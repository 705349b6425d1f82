"""Every bounce is about the mail that bounced, in whatever way its server says so."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.base import RawInbound
from adapters.mail.config import Config
from adapters.mail.parse import parse
from normalizer.envelope import Envelope, Message, Receipt, Unsupported
from normalizer.ids import EndpointId
from tests.adapters.mail.mails_bounces import FIELDS, FULL, NULL, SES, SES_ID, WAITS, WORDS
from tests.adapters.mail.support import CONFIG, OUR_ID, OURS

AT = datetime(2026, 1, 6, tzinfo=UTC)


def read(text: str, config: Config = CONFIG) -> Sequence[Envelope]:
    body = text.replace("\n", "\r\n").encode()
    raw = RawInbound(id="r", endpoint_id=EndpointId("e"), origin="dialled", received_at=AT, method="MAIL", body=body)
    return parse(raw, config)


def told(text: str, config: Config = CONFIG) -> tuple[Any, ...]:
    """What became of which mail, to whom, and why."""
    (envelope,) = read(text, config)
    body = envelope.body
    assert isinstance(body, Receipt)
    assert body.recipient is not None
    assert body.failure is not None
    return body.status.value, body.target, body.recipient.value, body.failure.code, body.failure.provider_code


@pytest.mark.parametrize("text", FIELDS.values(), ids=FIELDS)
def test_with_fields(text: str) -> None:
    assert told(text) == ("failed", OUR_ID, "ann@y.example", "hard_bounce", "5.1.1")
    assert [one.native_thread for one in read(text)] == [OURS]


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
def test_in_words(text: str) -> None:
    assert told(text)[:4] == ("failed", OUR_ID, "ann@y.example", "hard_bounce")


@pytest.mark.parametrize("text", FULL.values(), ids=FULL)
def test_a_full_mailbox_in_words(text: str) -> None:
    assert told(text)[:4] == ("failed", OUR_ID, "ann@y.example", "soft_bounce")


def test_one_that_only_waits_is_no_failure() -> None:
    (envelope,) = read(WAITS)
    assert envelope.body == Unsupported(what="mail:notice", visible=False)


def test_a_server_that_gives_ids_of_its_own_bounces_by_those() -> None:
    ses = replace(CONFIG, smtp_host="email-smtp.eu-west-1.amazonaws.com")
    assert told(SES, ses) == ("failed", SES_ID, "ann@y.example", "hard_bounce", "5.1.1")
    (envelope,) = read(SES)
    assert envelope.body == Unsupported(what="mail:bounce", visible=False)


BARE = Config(addresses=CONFIG.addresses)
"""As one looks at mails with hardly any settings."""


@pytest.mark.parametrize("text", [*FIELDS.values(), *WORDS.values()], ids=[*FIELDS, *WORDS])
def test_without_keys_the_surest_id_counts(text: str) -> None:
    """Nothing can be proven then, and nothing disproven."""
    assert told(text, BARE)[:4] == ("failed", OUR_ID, "ann@y.example", "hard_bounce")
    assert [one.echo_key for one in read(text, BARE)] == [None]


@pytest.mark.parametrize("kind", ["Postfix, with the mail", "Postfix, with its header"])
def test_the_mail_of_another_program_in_fields(kind: str) -> None:
    foreign = FIELDS[kind].replace(OUR_ID, "1234@shop.example")
    assert told(foreign, BARE)[1:4] == ("1234@shop.example", "ann@y.example", "hard_bounce")
    assert [one.body for one in read(foreign)] == [Unsupported(what="mail:bounce", visible=False)]


@pytest.mark.parametrize("kind", ["Gmail of old", "Exim of old", "Spanish"])
def test_the_mail_of_another_program_in_words(kind: str) -> None:
    """The line with its id is looked for in the copy that comes back."""
    foreign = WORDS[kind].replace(OUR_ID, "1234@shop.example")
    assert told(foreign, BARE)[1:4] == ("1234@shop.example", "ann@y.example", "hard_bounce")
    assert [one.body for one in read(foreign)] == [Unsupported(what="mail:bounce", visible=False)]


@pytest.mark.parametrize(
    "text", ["Your parcel could not be delivered.", "Your order has been delayed. 550 pieces wait."]
)
def test_a_letter_about_a_delivery_is_a_message(text: str) -> None:
    """Also when nobody can answer it: it concerns no mail."""
    (envelope,) = read(f"{NULL}From: Parcels <noreply@parcels.example>\nSubject: Your order\n\n{text}\n")
    assert isinstance(envelope.body, Message)
    assert envelope.automated
