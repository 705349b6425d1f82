"""Settings, and whose address is whose."""

from typing import Any

import msgspec
import pytest

from adapters.base import ChannelSpec, Refused
from adapters.twilio_messaging import REGISTRATION
from adapters.twilio_messaging.config import Config, account_of, address_of, between
from normalizer.address import parse_address
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.twilio_messaging.support import CONFIG, SERVICE, SMS, WA
from tests.kit.cases import ENDPOINT

FULL: dict[str, Any] = {"account_sid": "AC1", "auth_tokens": ["t"], "from": SMS}


def config(**changes: Any) -> Config:
    return msgspec.convert({**FULL, **changes}, Config)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"from": WA},
        {"from": "rcs:brand"},
        {"from": "384387"},
        {"from": "ACME"},
        {"from": None, "messaging_service_sid": SERVICE},
        {"from": None, "senders": {"a": WA, "b": SMS, "c": SERVICE}},
    ],
)
def test_complete(change: dict[str, Any]) -> None:
    """One address, one service, or several of them."""
    assert config(**change).problems() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account_sid": None}, "account_sid is missing"),
        ({"from": None}, "messaging_service_sid is missing"),
        ({"messaging_service_sid": SERVICE}, "keep one"),
        ({"senders": {"a": WA}}, "keep one"),
        ({"from": "whatsapp:123"}, "no address of ours"),
        ({"from": "+1 501 712 2661"}, "no address of ours"),
        ({"from": None, "senders": {"a": "telegram:x"}}, "no address of ours"),
        ({"from": None, "senders": {"a": WA, "b": WA}}, "twice"),
        ({"content_url": "x"}, "content_url"),
        ({"messaging_url": "x"}, "messaging_url"),
    ],
)
def test_problems(change: dict[str, Any], words: str) -> None:
    """Each in words that name the key."""
    (problem,) = config(**change).problems()
    assert words in problem


def test_nothing_is_every_problem_at_once() -> None:
    assert len(Config().problems()) == 3


@pytest.mark.parametrize("bad", [{"acount_sid": "x"}, {"auth_tokens": [""]}, {"pull_every_s": 9}, {"senders": ["x"]}])
def test_what_does_not_decode(bad: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        config(**bad)


def test_channels() -> None:
    """One address bears the endpoint's name; several have their own."""
    assert config().channels(EndpointId("shop")) == (ChannelSpec(ChannelId("shop"), SMS),)
    assert [(c.id, c.account) for c in CONFIG.channels(EndpointId("x"))][:2] == [("wa", WA), ("sms", SMS)]


@pytest.mark.parametrize(
    ("accounts", "want"),
    [
        ({"a": WA}, (24, True)),
        ({"a": SMS}, (None, False)),
        ({"a": WA, "b": SMS}, (None, True)),
        ({"a": SERVICE}, (None, False)),
    ],
)
def test_capabilities_are_those_of_the_senders(accounts: dict[str, str], want: tuple[int | None, bool]) -> None:
    """A window is known where every channel has one; reading is told where any can."""
    found = REGISTRATION.build(ENDPOINT, config(**{"from": None, "senders": accounts})).capabilities
    assert (found.window_hours, found.marks_read) == want
    quiet = REGISTRATION.build(ENDPOINT, config(**{"from": None, "senders": accounts, "indicators": False}))
    assert (quiet.capabilities.marks_read, quiet.capabilities.shows_typing) == (False, False)


@pytest.mark.parametrize(
    ("ours", "service", "want"),
    [
        (WA, "", WA),
        ("+14155238886", "", WA),
        (SMS, SERVICE, SMS),
        ("+15550000", SERVICE, SERVICE),
        ("+15550000", "MGother", "+15550000"),
        ("", "MGother", "MGother"),
        ("", "", None),
    ],
)
def test_account_of(ours: str, service: str, want: str | None) -> None:
    """The address itself, with the prefix that was left out, or its service; what is unknown stays itself."""
    assert account_of((WA, SMS, SERVICE), ours, service) == want


@pytest.mark.parametrize(
    ("text", "account", "want"),
    [
        ("+15550101", SMS, "tel:+15550101"),
        ("384387", SMS, "tel:384387"),
        ("rcs:+15550101", SMS, "tel:+15550101"),
        ("whatsapp:+15550101", SMS, "whatsapp:15550101"),
        ("+15550101", WA, "whatsapp:15550101"),
        ("whatsapp:US.123", WA, "whatsapp:US.123"),
        ("whatsapp:a:b", WA, "whatsapp:a:b"),
        ("messenger:1", SMS, None),
        ("whatsapp:", WA, None),
        ("", SMS, None),
        ("a" * 257, SMS, None),
        ("+1\n2", SMS, None),
    ],
)
def test_address_of(text: str, account: str, want: str | None) -> None:
    """Split at the first colon only; None for what has no scheme here."""
    found = address_of(text, account)
    assert (str(found) if found else None) == want


@pytest.mark.parametrize(
    ("account", "to", "want"),
    [
        (SMS, "tel:+15550101", ("From", SMS, "+15550101")),
        (WA, "whatsapp:15550101", ("From", WA, "whatsapp:+15550101")),
        (WA, "tel:+15550101", ("From", WA, "whatsapp:+15550101")),
        (WA, "whatsapp:US.123", ("From", WA, "whatsapp:US.123")),
        (SERVICE, "whatsapp:15550101", ("MessagingServiceSid", SERVICE, "whatsapp:+15550101")),
        (SERVICE, "tel:+15550101", ("MessagingServiceSid", SERVICE, "+15550101")),
    ],
)
def test_between(account: str, to: str, want: tuple[str, str, str]) -> None:
    assert between(account, parse_address(to)) == {want[0]: want[1], "To": want[2]}


@pytest.mark.parametrize("to", ["mailto:a@b", "web:w/1", "tel:BANK", "whatsapp:foo_bar", "sip:1234"])
def test_nobody_is_reached_at_another_kind_of_address(to: str) -> None:
    with pytest.raises(Refused):
        between(WA, parse_address(to))
