"""Settings of a web chat endpoint."""

from typing import Any

import msgspec
import pytest

from adapters.base import ChannelSpec
from adapters.webchat.config import Config, is_origin
from normalizer.ids import ChannelId, EndpointId
from tests.adapters.webchat.support import config


def test_a_complete_one_has_no_problems() -> None:
    assert config().problems() == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"secret": "short"}, "secret:"),
        ({"previous_secrets": ("short",)}, "previous_secrets[0]:"),
        ({"identity_secrets": {"k1": "short"}}, "identity_secrets.k1:"),
        ({"user_hash_secret": "short"}, "user_hash_secret:"),
        ({"allowed_origins": ()}, "allowed_origins:"),
        ({"allowed_origins": ("https://shop.example/",)}, "allowed_origins:"),
        ({"allowed_origins": ("null",)}, "allowed_origins:"),
        ({"allowed_origins": ("*",)}, "allowed_origins:"),
        ({"widget_key": "a/b"}, "widget_key:"),
        ({"widget_key": ""}, "widget_key:"),
        ({"colour": "red"}, "colour:"),
        ({"file_types": ("image/svg+xml",)}, "file_types:"),
        ({"file_types": ("text/html",)}, "file_types:"),
    ],
)
def test_each_mistake_is_named(changes: dict[str, Any], word: str) -> None:
    (problem,) = config(**changes).problems()
    assert problem.startswith(word)
    assert "short" not in problem


def test_all_mistakes_are_told_at_once() -> None:
    assert len(config(secret="s", allowed_origins=(), colour="x").problems()) == 3


@pytest.mark.parametrize(
    "text", ["https://shop.example", "http://localhost:8080", "http://127.0.0.1:1", "https://[::1]:8443"]
)
def test_what_a_browser_writes_is_an_origin(text: str) -> None:
    assert is_origin(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "shop.example",
        "https://",
        "https://Shop.example",
        "https://shop.example:443",
        "ftp://shop.example",
        "https://shop.example/x",
        "https://u@shop.example",
        "https://shop.example?",
        "https://[",
        "https://x:y",
        "file://",
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_origin(text)


def test_an_endpoint_is_one_channel_of_its_own_name() -> None:
    assert config().channels(EndpointId("web")) == (ChannelSpec(ChannelId("web"), "w1"),)
    assert config(widget_key=None).channels(EndpointId("web")) == (ChannelSpec(ChannelId("web"), "web"),)


def test_unknown_settings_are_refused_and_every_setting_is_described() -> None:
    with pytest.raises(msgspec.ValidationError, match="colour_scheme"):
        msgspec.convert({"secret": "s" * 32, "colour_scheme": "x"}, Config)
    for name, schema in msgspec.json.schema(Config)["$defs"]["Config"]["properties"].items():
        assert schema.get("description"), name


def test_secrets_are_marked_as_such() -> None:
    fields = {field.name: field.type for field in msgspec.inspect.type_info(Config).fields}  # type: ignore[attr-defined]
    assert fields["secret"].extra == {"secret": True}
