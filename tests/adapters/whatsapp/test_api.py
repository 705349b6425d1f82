"""Accounts and the probe."""

import pytest

from adapters.base import CallContext, HttpCall, NoAnswer, Refused, Reply
from adapters.whatsapp import Config, Number, WhatsApp
from adapters.whatsapp.api import Api, account_of, encode
from tests.adapters.whatsapp.simulated import meta, on_the_wire
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


NUMBER = Reply(200, {}, b'{"id":"1","quality_rating":"GREEN"}')


@pytest.mark.parametrize(
    ("answers", "ok", "words"),
    [
        ([NUMBER, Reply(200, {}, b'{"data":[{}]}')], True, "webhooks are on"),
        ([NUMBER, Reply(200, {}, b'{"data":[]}')], False, "nothing will come in"),
        ([NUMBER, Reply(403, {}, b'{"error":{"code":10}}')], True, "could not be checked"),
        ([Reply(401, {}, b'{"error":{"code":190}}')], False, "credentials_refused"),
        ([Reply(400, {}, b'{"error":{"code":100}}')], False, "refused"),
        ([Reply(200, {}, b"<html>")], False, "no_answer"),
        ([NoAnswer("no answer came in time")], False, "no_answer"),
    ],
)
def test_probe(answers: list[Answer], ok: bool, words: str) -> None:
    """The number answers and is heard, or its health says why not; a probe never raises and shows no secret."""
    driven = drive(WhatsApp(CONFIG).probe(CallContext(now=NOW)), answers)
    assert isinstance(driven.calls[0], HttpCall)
    assert driven.calls[0].url.startswith(f"{GRAPH}/{ACCOUNT}?fields=")
    assert driven.unused == 0
    assert driven.value is not None
    assert driven.value.ok is ok
    assert words in driven.value.detail
    assert TOKEN not in driven.value.detail


def test_the_simulator_is_healthy() -> None:
    """Both questions of a probe are answered as the provider would."""
    simulated = meta()
    for subscribed in (True, False):
        simulated.world.subscribed = subscribed
        flow = WhatsApp(CONFIG).probe(CallContext(now=NOW))
        driven = drive(flow, lambda call: simulated.answer(on_the_wire(call), NOW))
        assert driven.value is not None
        assert driven.value.ok is subscribed


def test_each_number_is_probed_by_its_account() -> None:
    """Several numbers under one app are told apart; without the account's id nothing more is asked."""
    several = Config(numbers=(Number("a", "1"), Number("b", "2")), access_token=TOKEN)
    driven = drive(WhatsApp(several).probe(CallContext(now=NOW, account="2")), [NUMBER])
    assert isinstance(driven.calls[0], HttpCall)
    assert driven.calls[0].url.startswith(f"{GRAPH}/2?")
