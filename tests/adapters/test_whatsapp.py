"""Settings: what may be left out, and what is said about what may not."""

from typing import Any

import msgspec
import pytest

from adapters.base import ChannelSpec
from adapters.whatsapp import CAPABILITIES, Config, Number
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.whatsapp.support import ACCOUNT, CONFIG, TOKEN

FULL: dict[str, Any] = {"phone_number_id": ACCOUNT, "access_token": "t", "app_secrets": ["s"], "verify_token": "v"}
TWO = [{"channel": "sales", "phone_number_id": "1"}, {"channel": "support", "phone_number_id": "2"}]


def test_complete() -> None:
    """One number, or several, with all their secrets."""
    assert msgspec.convert(FULL, Config).problems() == []
    several = {key: value for key, value in FULL.items() if key != "phone_number_id"} | {"numbers": TWO}
    assert msgspec.convert(several, Config).problems() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"phone_number_id": None}, "phone_number_id is missing"),
        ({"phone_number_id": "+1 650"}, "not a number"),
        ({"numbers": TWO}, "keep one"),
        ({"phone_number_id": None, "numbers": [TWO[0], TWO[0]]}, "phone_number_id twice"),
        ({"phone_number_id": None, "numbers": [TWO[0], {**TWO[1], "channel": "sales"}]}, "channel twice"),
        ({"access_token": None}, "access_token is missing"),
        ({"app_secrets": []}, "app_secrets is missing"),
        ({"verify_token": None}, "verify_token is missing"),
        ({"graph_url": "graph.facebook.com"}, "graph_url"),
        ({"graph_url": "ftp://graph.facebook.com"}, "graph_url"),
        ({"graph_url": "https://me:secret@graph.facebook.com"}, "graph_url"),
        ({"graph_url": "https://[::1"}, "graph_url"),
    ],
)
def test_problems(change: dict[str, Any], words: str) -> None:
    """Each in words that name the key."""
    problems = msgspec.convert(FULL | change, Config).problems()
    assert any(words in problem for problem in problems)
    assert "secret@" not in " ".join(problems)


def test_nothing_is_every_problem_at_once() -> None:
    """An empty endpoint is told all that it lacks."""
    assert len(Config().problems()) == 4


@pytest.mark.parametrize("bad", [{"acces_token": "x"}, {"app_secrets": [""]}, {"app_secrets": "s"}, {"numbers": [{}]}])
def test_what_does_not_decode(bad: dict[str, Any]) -> None:
    """Unknown keys, empty secrets and other types are no settings."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, Config)


def test_channels() -> None:
    """One number bears the endpoint's name; several have their own."""
    assert CONFIG.channels(EndpointId("wa")) == (ChannelSpec(ChannelId("wa"), ACCOUNT),)
    several = Config(numbers=(Number("sales", "1"), Number("support", "2")))
    assert several.channels(EndpointId("wa")) == (
        ChannelSpec(ChannelId("sales"), "1"),
        ChannelSpec(ChannelId("support"), "2"),
    )


def test_credentials() -> None:
    """By the one name that calls use; absent when not set."""
    assert CONFIG.credentials() == {"access_token": TOKEN}
    assert Config().credentials() == {}


def test_capabilities() -> None:
    """What the core may count on."""
    assert (CAPABILITIES.answers, CAPABILITIES.ordered, CAPABILITIES.echo) == ("stored", False, True)
    assert (CAPABILITIES.window_hours, CAPABILITIES.text_limit) == (24, 4096)
    assert CAPABILITIES.rates.pair_per_second == pytest.approx(1 / 6)
    assert "choice_made" not in CAPABILITIES.sends
