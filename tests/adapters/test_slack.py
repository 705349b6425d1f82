"""Settings: what may be left out, and what is said about what may not; what the core may count on."""

from typing import Any

import msgspec
import pytest

from adapters.base import ChannelSpec, Grant, PullSource, SocketModeSource
from adapters.slack import CAPABILITIES, Config, Slack
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.slack.support import APP_TOKEN, CONFIG, TOKEN

FULL: dict[str, Any] = {"team_id": "T1", "bot_token": "xoxb-1", "signing_secret": "s"}
ROTATING = {"bot_token": None, "refresh_token": "xoxe-1", "client_id": "1.2", "client_secret": "s3cret"}


def test_complete() -> None:
    """By HTTP, by Socket Mode, or ready for both; with a token that stays or one that rotates."""
    assert msgspec.convert(FULL | ROTATING, Config).problems() == []
    assert msgspec.convert(FULL, Config).problems() == []
    assert msgspec.convert(FULL | {"signing_secret": None, "signing_secrets": ["s", "t"]}, Config).problems() == []
    assert msgspec.convert(FULL | {"signing_secret": None, "app_token": "xapp-1"}, Config).problems() == []
    assert CONFIG.problems() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"team_id": None}, "team_id is missing"),
        ({"team_id": "my team"}, "T024BE7LD"),
        ({"bot_token": None}, "bot_token is missing"),
        ({"bot_token": "xapp-1"}, "xoxb-"),
        ({"bot_token": "xoxp-1"}, "xoxb-"),
        ({"app_token": "xoxb-1"}, "xapp-"),
        ({"refresh_token": "xoxe-1"}, "client_id is missing"),
        ({"bot_token": None, "refresh_token": "xoxe-1", "client_id": "1.2"}, "client_secret is missing"),
        ({"client_id": "1.2", "client_secret": "s"}, "refresh_token is missing"),
        (ROTATING | {"bot_token": "xoxb-1"}, "only one of them"),
        ({"signing_secret": None}, "signing_secret is missing"),
        ({"history_channels": ["general"]}, "general"),
        ({"history_channels": ["C1 x"]}, "no ID"),
        ({"history_channels": ["C1", "C1"]}, "twice"),
        ({"api_url": "slack.com/api"}, "api_url"),
        ({"api_url": "https://me:secret@slack.com/api"}, "api_url"),
        ({"api_url": "https://[::1"}, "api_url"),
    ],
)
def test_problems(change: dict[str, Any], words: str) -> None:
    """Each in words that name the key, and no secret."""
    problems = msgspec.convert(FULL | change, Config).problems()
    assert any(words in problem for problem in problems)
    assert "secret@" not in " ".join(problems)


def test_nothing_is_every_problem_at_once() -> None:
    """An empty endpoint is told all that it lacks."""
    assert len(Config().problems()) == 3


@pytest.mark.parametrize(
    "bad",
    [
        {"bot_tokn": "x"},
        {"signing_secret": ""},
        {"signing_secrets": [""]},
        {"signing_secrets": "s"},
        {"answer": "none"},
        {"history_every_s": 59},
        {"history_threads_h": -1},
        {"history_threads_h": 721},
        {"colleagues": "yes"},
    ],
)
def test_what_does_not_decode(bad: dict[str, Any]) -> None:
    """Unknown keys, empty secrets, other types and values out of bounds are no settings."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(bad, Config)


@pytest.mark.parametrize("good", [{"history_every_s": 60}, {"history_threads_h": 0}, {"history_threads_h": 720}])
def test_what_just_decodes(good: dict[str, Any]) -> None:
    msgspec.convert(good, Config)


def test_one_channel() -> None:
    """It bears the endpoint's name."""
    assert CONFIG.channels(EndpointId("helpdesk")) == (ChannelSpec(ChannelId("helpdesk"), "T1"),)


def test_credentials() -> None:
    """By the names that calls use; absent when not set."""
    assert CONFIG.credentials() == {"bot_token": TOKEN, "app_token": APP_TOKEN}
    assert Config().credentials() == {}


def test_a_token_that_rotates() -> None:
    """It is got for calls under the same name."""
    config = msgspec.convert(FULL | ROTATING, Config)
    assert config.credentials() == {
        "bot_token": Grant(token_url="https://slack.com/api/oauth.v2.access", client_id="1.2", client_secret="s3cret",
                           refresh_token="xoxe-1")
    }  # fmt: skip


def test_sources() -> None:
    """A socket with an app token, and a reader for each conversation that is named."""
    config = msgspec.structs.replace(CONFIG, history_channels=("C1", "D2"), history_every_s=90.0)
    socket, first, second = Slack(config).sources
    assert isinstance(socket, SocketModeSource)
    assert (socket.open_url, socket.auth.credential) == ("https://slack.com/api/apps.connections.open", "app_token")
    assert (first, second) == (PullSource(name="history/C1", every_s=90.0), PullSource(name="history/D2", every_s=90.0))
    assert Slack(Config(team_id="T1")).sources == ()


def test_capabilities() -> None:
    """What the core may count on."""
    assert (CAPABILITIES.answers, CAPABILITIES.echo, CAPABILITIES.marks_read) == ("stored", True, False)
    assert (CAPABILITIES.window_hours, CAPABILITIES.text_limit) == (None, 4000)
    assert (CAPABILITIES.rates.pair_per_second, CAPABILITIES.rates.pair_burst) == (1, 1)
    assert CAPABILITIES.content_types == {"application/json", "application/x-www-form-urlencoded"}
    assert "template" not in CAPABILITIES.sends
