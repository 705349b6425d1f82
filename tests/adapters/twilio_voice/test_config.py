"""Settings that contradict themselves say so."""

from typing import Any

import pytest

from adapters.twilio_voice.config import Config
from normalizer.ids import EndpointId
from tests.adapters.twilio_voice.support import CONFIG, NUMBER, SETTINGS, TOKEN


def test_good_settings_have_no_problem() -> None:
    assert CONFIG.problems() == []


def test_what_is_missing_is_named() -> None:
    assert [text.split()[0] for text in Config().problems()] == ["account_sid", "auth_tokens", "number"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"number": "our number"}, "number"),
        ({"human_number": "call me"}, "human_number"),
        ({"human_number": "sip:nobody"}, "human_number"),
        ({"human_number": NUMBER}, "human_number"),
        ({"human_number": NUMBER, "number": NUMBER.removeprefix("+")}, "human_number"),
        ({"api_url": "ftp://x"}, "api_url"),
        ({"public_url": "not a url"}, "public_url"),
        ({"public_url": "https://x.example/elsewhere"}, "public_url"),
        ({"wait_music_url": "music.mp3"}, "wait_music_url"),
        ({"api_key_sid": "SK1"}, "api_key_sid"),
        ({"api_key_secret": "s"}, "api_key_sid"),
        ({"time_zone": "Mars"}, "time_zone"),
        ({"hours": {"mon": ("9-5",)}}, "hours"),
        ({"closed_on": ("tomorrow",)}, "closed_on"),
    ],
)
def test_a_problem_names_its_setting(change: dict[str, Any], named: str) -> None:
    assert any(text.startswith(named) for text in Config(**{**SETTINGS, **change}).problems())


@pytest.mark.parametrize(
    "change",
    [
        {"human_number": "sip:desk@pbx.example"},
        {"human_number": "client:desk"},
        {"public_url": "https://x.example"},
        {"public_url": "https://x.example/gw/hooks/voice"},
        {"api_key_sid": "SK1", "api_key_secret": "s"},
    ],
)
def test_other_ways_to_say_it(change: dict[str, Any]) -> None:
    assert Config(**{**SETTINGS, **change}).problems() == []


def test_the_channel_bears_the_endpoints_name() -> None:
    assert [(spec.id, spec.account) for spec in CONFIG.channels(EndpointId("line"))] == [("line", NUMBER)]


def test_a_number_may_be_typed_without_its_plus() -> None:
    assert Config(**{**SETTINGS, "number": "15550002222"}).account == NUMBER


def test_the_current_token_is_the_credential() -> None:
    assert CONFIG.credentials() == {"auth_token": TOKEN}
    assert Config(api_key_secret="s").credentials() == {"api_key_secret": "s"}
