"""Values that are right one by one and wrong together."""

from pathlib import Path
from typing import Any

import pytest

from gateway.config import ConfigError, build
from gateway.contradictions import unknown
from tests.gateway.settings_kit import KEY, REGISTRY

POST = {"type": "post", "token": "t", "site": "s"}


BASE_URL = "server.public_url: must be `https://host` (or http), without query"

NO_URL = "store.url: is no URL of a database; in a user's name or password `@`, `:` and `/` are `%40`, `%3A` and `%2F`"


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (
            {"transport": {"timeout_ms": 30_000}},
            "transport.timeout_ms: must be below `rooms.lease_ms`: a call may not outlast its claim",
        ),
        (
            {"ai": {"deadline_ms": 30_000}},
            "ai.deadline_ms: must be below `rooms.lease_ms`: a call may not outlast its claim",
        ),
        (
            {"endpoints": {"a": POST}, "transport": {"channels": {"a": {"timeout_ms": 30_000}}}},
            "transport.channels.a.timeout_ms: must be below `rooms.lease_ms`: a call may not outlast its claim",
        ),
        (
            {"transport": {"connect_timeout_ms": 10_001}},
            "transport.connect_timeout_ms: must not be above `transport.timeout_ms`",
        ),
        (
            {"credentials": {"timeout_ms": 30_000}},
            "credentials.timeout_ms: must be below `credentials.lease_ms`: a call may not outlast its claim",
        ),
        ({"listen": {"retry_base_ms": 120_001}}, "listen.retry_base_ms: must not be above `listen.retry_max_ms`"),
        ({"listen": {"ca_file": "no/such.pem"}}, "listen.ca_file: is no file"),
        ({"rooms": {"retry_base_ms": 300_001}}, "rooms.retry_base_ms: must not be above `rooms.retry_max_ms`"),
        (
            {"media": {"min_free_bytes": 2, "media_min_free_bytes": 1}},
            "media.media_min_free_bytes: must not be below `media.min_free_bytes`: media stop first",
        ),
        ({"store": {"url": "mysql://x"}}, "store.url: must start with `sqlite:///` or `postgresql+psycopg://`"),
        ({"store": {"url": "sqlite:///"}}, "store.url: must name a file: nothing would be kept"),
        ({"store": {"url": "sqlite:///:memory:"}}, "store.url: must name a file: nothing would be kept"),
        ({"store": {"url": "postgresql+psycopg://u:p@db"}}, "store.url: must name the database"),
        ({"store": {"url": "postgresql+psycopg://u:hunter2@db:x/x"}}, NO_URL),
        ({"server": {"public_url": "chat.example"}}, BASE_URL),
        ({"server": {"public_url": "https://a?b"}}, BASE_URL),
        ({"server": {"public_url": "https://a:x"}}, BASE_URL),
        ({"ai": {"sources": "no/such"}}, "ai.sources: is no folder"),
        ({"server": {"trusted_proxies": ["10.0.0.0/8", "x"]}}, "server.trusted_proxies[1]: is no network (CIDR)"),
        ({"guard": {"allow_networks": ["10.0.0.1/8"]}}, "guard.allow_networks[0]: is no network (CIDR)"),
        (
            {"endpoints": {"a": POST, "b": {**POST, "lines": [{"channel": "a", "number": "1"}]}}},
            "endpoints.b: the channel `a` also stands at endpoints.a",
        ),
        (
            {"endpoints": {"a": {**POST, "lines": [{"channel": "x", "number": "1"}, {"channel": "y", "number": "1"}]}}},
            "endpoints.a: two of its channels have the same account",
        ),
        (
            {"endpoints": {"shop": POST}, "transport": {"channels": {"shp": {}}}},
            "transport.channels.shp: unknown channel; did you mean `shop`?",
        ),
    ],
)  # fmt: skip
def test_what_contradicts_itself_does_not_start(tree: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build({"key": KEY, **tree}, Path("/etc"), {}, REGISTRY)
    assert str(caught.value) == said


def test_the_limits_themselves_are_allowed() -> None:
    tree = {
        "key": KEY,
        "transport": {"timeout_ms": 29_999, "connect_timeout_ms": 29_999},
        "rooms": {"retry_base_ms": 300_000},
        "media": {"min_free_bytes": 1, "media_min_free_bytes": 1},
        "server": {"public_url": "https://chat.example:8443/"},
    }
    assert build(tree, Path("/etc"), {}, REGISTRY).public_url == "https://chat.example:8443"


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("prot", ["port", "host"], "unknown setting; did you mean `port`?"),
        ("zzz", ["port", "host"], "unknown setting; known: host, port"),
        ("zzz", [], "unknown setting; known: none"),
    ],
)
def test_an_unknown_name_gets_the_nearest_or_all(name: str, known: list[str], said: str) -> None:
    assert unknown(name, known, "setting") == said


def test_postgresql_without_its_driver_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.contradictions.find_spec", lambda name: None)
    assert mistakes({"store": {"url": "postgresql+psycopg://u:p@db/x"}}) == (
        "store.url: PostgreSQL needs the extra `postgres`: pip install 'throughline[postgres]'"
    )


def test_contradictions_are_said_together_with_all_other_mistakes() -> None:
    tree = {
        "server": {"public_url": "ftp://x", "prot": 1},
        "rooms": {"retry_base_ms": 300_001},
        "transport": {"timeout_ms": 10},
        "endpoints": {"a": {"type": "pots"}},
    }
    assert mistakes(tree).splitlines() == [
        "endpoints.a.type: unknown type; did you mean `post`?",
        "rooms.retry_base_ms: must not be above `rooms.retry_max_ms`",
        "server.prot: unknown setting; did you mean `port`?",
        BASE_URL,
        "transport.connect_timeout_ms: must not be above `transport.timeout_ms`",
    ]


@pytest.mark.parametrize(
    ("tree", "only"),
    [
        (
            {"transport": {"timeout_ms": 40_000}, "rooms": {"lease_ms": "x"}},
            "rooms.lease_ms: expected a whole number, got text",
        ),
        ({"transport": {"timeout_ms": 40_000}, "rooms": 5}, "rooms: expected a mapping of keys"),
        (
            {"transport": {"channels": {"a": {}}}, "endpoints": {"a": {"type": "pots"}}},
            "endpoints.a.type: unknown type; did you mean `post`?",
        ),
    ],
)  # fmt: skip
def test_nothing_is_compared_with_what_could_not_be_read(tree: dict[str, Any], only: str) -> None:
    assert mistakes(tree) == only


def mistakes(tree: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        build({"key": KEY, **tree}, Path("/etc/throughline"), {}, REGISTRY)
    return str(caught.value)
