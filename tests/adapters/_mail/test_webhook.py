"""adapters/_mail/webhook.py: settings that all of them have, and whom a provider's word proves."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from adapters._mail.webhook import HookConfig, Postbox, Posted
from adapters.base import ChannelSpec, RawInbound, Refused
from normalizer.envelope import Evidence, Unsupported
from normalizer.ids import ChannelId, EndpointId
from tests.adapters._mail.hooks import SETTINGS
from tests.adapters._mail.outbound import ctx, message
from tests.adapters.mail.support import ADDRESS, mail

ENDPOINT = EndpointId("e")
CONFIG = HookConfig(**SETTINGS)
BOX = Postbox(ENDPOINT, "mail_test", CONFIG)
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RAW = RawInbound(id="r1", endpoint_id=ENDPOINT, origin="webhook", received_at=AT)


def evidence(**facts: Any) -> Evidence:
    (envelope,) = BOX.read(RAW, Posted(data=mail(), **facts))
    return envelope.party.claims[0].evidence


@pytest.mark.parametrize(
    ("signers", "proven"),
    [
        (("x.example",), True), (("X.EXAMPLE",), True), (("example",), False), (("y.example",), False), ((), False),
        (("sub.x.example",), False), (("ax.example",), False), (("y.example", "x.example"), True),
    ],
)  # fmt: skip
def test_whose_signature_proves_the_sender(signers: tuple[str, ...], proven: bool) -> None:
    assert evidence(signed_by=signers) == (Evidence.CHANNEL if proven else Evidence.CLAIMED)


def test_the_domain_above_signs_for_those_below() -> None:
    data = mail(From="joe@sub.x.example")
    (envelope,) = BOX.read(RAW, Posted(data=data, signed_by=("x.example",)))
    assert envelope.party.claims[0].evidence is Evidence.CHANNEL


def test_the_providers_own_verdict_goes_before_all_others() -> None:
    assert evidence(aligned=False, signed_by=("x.example",)) is Evidence.CLAIMED
    assert evidence(aligned=True) is Evidence.CHANNEL


def test_two_people_are_proven_by_nothing() -> None:
    data = mail(From="joe@x.example, ann@x.example")
    (envelope,) = BOX.read(RAW, Posted(data=data, signed_by=("x.example",)))
    assert envelope.party.claims[0].evidence is Evidence.CLAIMED


def test_a_notice_bears_the_providers_name_for_it_or_the_posts() -> None:
    named = BOX.notice(RAW, "event:delivered", "x/1")
    again = BOX.notice(msgspec.structs.replace(RAW, id="r2"), "event:delivered", "x/1")
    assert (named.id, named.dedupe_keys, named.body) == (
        again.id,
        ("x/1",),
        Unsupported(what="event:delivered", visible=False),
    )
    nameless = [BOX.notice(RAW, "event", None, place=place) for place in (0, 1)]
    assert nameless[0].id != nameless[1].id
    assert nameless[0].dedupe_keys == ()


def test_one_channel_with_the_endpoints_name() -> None:
    assert CONFIG.channels(ENDPOINT) == (ChannelSpec(ChannelId("e"), ADDRESS),)
    assert set(CONFIG.credentials()) == {"smtp_password"}


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"addresses": ()}, "addresses is missing"),
        ({"token_keys": ()}, "token_keys is missing"),
        ({"token_keys": ("k" * 32, "k" * 31)}, "token_keys[1]: 32 characters or more are needed"),
        ({"addresses": ("a b@c",)}, "addresses: 'a b@c' is not an address"),
        ({"smtp_host": None, "smtp_user": None, "smtp_password": None}, "smtp_host is missing"),
        ({"smtp_password": None}, "smtp_password is missing (smtp_user is set)"),
    ],
)
def test_what_is_wrong_with_settings(settings: dict[str, Any], problem: str) -> None:
    assert HookConfig(**{**SETTINGS, **settings}).mail_problems() == [problem]


@pytest.mark.parametrize("key", ["addresses", "token_keys"])
def test_nothing_is_sent_without_a_name_of_ours(key: str) -> None:
    """Such settings do not start; to look at what it would send, they say what is missing."""
    box = Postbox(ENDPOINT, "mail_test", HookConfig(**{**SETTINGS, key: ()}))
    with pytest.raises(Refused, match=key):
        next(box.send(message("Hello"), ctx()))


def test_settings_that_are_right() -> None:
    assert CONFIG.mail_problems() == []
    assert CONFIG.able(frozenset({"a/b"}), 7).max_body_bytes == 7
    assert CONFIG.able(frozenset(), echo_wait_ms=9).echo_wait_ms == 9
    assert HookConfig(**SETTINGS, automatic_per_hour=3).able(frozenset()).automatic_per_hour == 3
