"""What all endpoints at Twilio are configured with."""

from typing import Any

import msgspec
import pytest

from adapters._twilio_account import Account, probe
from adapters.base import Reply
from tests.kit import drive

FULL: dict[str, Any] = {"account_sid": "AC1", "auth_tokens": ["new", "old"]}


def account(**changes: Any) -> Account:
    return msgspec.convert({**FULL, **changes}, Account)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account_sid": None}, "account_sid is missing"),
        ({"auth_tokens": []}, "auth_tokens is missing"),
        ({"api_key_sid": "SK1"}, "go together"),
        ({"api_key_secret": "s"}, "go together"),
        ({"public_url": "gw.example"}, "public_url"),
        ({"public_url": "https://gw.example/?a=b"}, "public_url"),
        ({"api_url": "ftp://x"}, "api_url"),
    ],
)
def test_problems(change: dict[str, Any], words: str) -> None:
    """Each in words that name the key."""
    (problem,) = account(**change).problems()
    assert words in problem


def test_complete() -> None:
    assert list(account().problems()) == []
    assert list(account(api_key_sid="SK1", api_key_secret="s", public_url="https://gw.example/x#rc=5").problems()) == []


def test_credentials() -> None:
    """Calls use the token that is in use, which stands first; absent when not set."""
    assert account().credentials() == {"auth_token": "new"}
    assert account(api_key_sid="SK1", api_key_secret="s").credentials() == {"auth_token": "new", "api_key_secret": "s"}
    assert Account().credentials() == {}


@pytest.mark.parametrize(
    ("reply", "want"),
    [
        (Reply(200, {}, b'{"status":"active"}'), (True, "account AC1 is active")),
        (Reply(200, {}, b'{"status":"suspended"}'), (False, "account AC1 is suspended")),
        (Reply(200, {}, b"{}"), (False, "account AC1 is unknown")),
        (Reply(401, {}, b'{"code":20003}'), (False, "credentials_refused")),
        (Reply(200, {}, b"<html>"), (False, "no_answer")),
    ],
)
def test_probe(reply: Reply, want: tuple[bool, str]) -> None:
    """The account answers, or why it does not."""
    driven = drive(probe(account().api()), [reply])
    assert driven.value is not None
    assert driven.value.ok is want[0]
    assert want[1] in driven.value.detail
    assert [getattr(call, "url", "") for call in driven.calls] == [
        "https://api.twilio.com/2010-04-01/Accounts/AC1.json"
    ]
