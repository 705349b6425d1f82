"""Accounts and the probe."""

import pytest

from adapters.base import CallContext, HttpCall, NoAnswer, Refused, Reply
from adapters.whatsapp import Config, Number, WhatsApp
from adapters.whatsapp.api import Api, account_of, encode
from tests.adapters.whatsapp.support import ACCOUNT, CONFIG, GRAPH, TOKEN
from tests.kit import drive
from tests.kit.cases import NOW, Answer


@pytest.mark.parametrize(
    ("accounts", "wanted", "want"),
    [(("1",), (), "1"), (("1", "2"), ("2",), "2"), (("1",), (None, "3"), "3"), (("1", "2"), ("", "2"), "2")],
)
def test_account(accounts: tuple[str, ...], wanted: tuple[str | None, ...], want: str) -> None:
    """The first that is named, else the only one."""
    assert account_of(accounts, *wanted) == want


def test_several_accounts_and_none_named() -> None:
    """There is no guess from which number to send."""
    with pytest.raises(Refused):
        account_of(("1", "2"), None)


def test_a_slash_at_the_end_of_the_address_does_not_matter() -> None:
    """A person may type it."""
    assert Api("https://example.org/v1/", "1").url("2") == "https://example.org/v1/2"


def test_odd_text_is_encoded() -> None:
    """Half a character becomes a whole one."""
    assert encode({"a": ["x\ud800"]}) == '{"a":["x\ufffd"]}'.encode()


@pytest.mark.parametrize(
    ("answer", "ok"),
    [
        (Reply(200, {}, b'{"id":"1","quality_rating":"GREEN"}'), True),
        (Reply(401, {}, b'{"error":{"code":190}}'), False),
        (Reply(400, {}, b'{"error":{"code":100}}'), False),
        (Reply(200, {}, b"<html>"), False),
        (NoAnswer("no answer came in time"), False),
    ],
)
def test_probe(answer: Answer, ok: bool) -> None:
    """The number answers, or its health says why not; a probe never raises and shows no secret."""
    driven = drive(WhatsApp(CONFIG).probe(CallContext(now=NOW)), [answer])
    (call,) = driven.calls
    assert isinstance(call, HttpCall)
    assert call.url.startswith(f"{GRAPH}/{ACCOUNT}?fields=")
    assert driven.value is not None
    assert driven.value.ok is ok
    assert TOKEN not in driven.value.detail


def test_each_number_is_probed_by_its_account() -> None:
    """Several numbers under one app are told apart."""
    several = Config(numbers=(Number("a", "1"), Number("b", "2")), access_token=TOKEN)
    driven = drive(WhatsApp(several).probe(CallContext(now=NOW, account="2")), [Reply(200, {}, b"{}")])
    assert isinstance(driven.calls[0], HttpCall)
    assert driven.calls[0].url.startswith(f"{GRAPH}/2?")
