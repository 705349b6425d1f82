"""What adapters get of a request, and whose it is said to be."""

from pathlib import Path

import pytest
from yarl import URL

from adapters.base import RawInbound
from gateway.arrival import joined, peer_of
from tests.gateway.house import Place, config, running

PROXIES = ("10.0.0.0/8", "fd00::/8")


def test_headers_of_one_name_are_one() -> None:
    assert joined([("A", "1"), ("b", "2"), ("a", "3")]) == {"a": "1, 3", "b": "2"}


@pytest.mark.parametrize(
    ("remote", "forwarded", "peer"),
    [
        ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
        ("10.0.0.1", "198.51.100.1, 203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "203.0.113.5:4711", "203.0.113.5"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("fd00::1", "2001:db8::1", "2001:db8::1"),
        ("::ffff:10.0.0.1", "203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "203.0.113.5, nonsense", "10.0.0.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("", "198.51.100.1", ""),
    ],
)
def test_only_what_our_own_proxies_wrote_is_believed(remote: str, forwarded: str, peer: str) -> None:
    assert peer_of(remote, forwarded, PROXIES) == peer


def test_without_proxies_nobody_is_believed() -> None:
    assert peer_of("10.0.0.1", "203.0.113.5", ()) == "10.0.0.1"


@pytest.mark.parametrize(("proxies", "believed"), [(["127.0.0.0/8"], True), ([], False)])
async def test_the_peer_is_who_the_proxy_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: list[str], believed: bool
) -> None:
    async with running(config(tmp_path, server={"trusted_proxies": proxies})) as place:
        seen = await _raw(place, monkeypatch, "/hooks/web/session?a=%26b", {"X-Forwarded-For": "203.0.113.5"})
        assert (seen.peer == place.core.peer_digest("203.0.113.5")) is believed
        assert "203.0.113.5" not in seen.peer


async def test_the_query_and_the_url_are_the_caller_s_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Taken apart once and by whoever knows the format: a decoded `&` would part what belongs together."""
    async with running(config(tmp_path)) as place:
        seen = await _raw(place, monkeypatch, "/hooks/web/session?a=%26b", {})
        assert (seen.path, seen.query) == ("/session", "a=%26b")
        assert seen.public_url == place.core.config.public_url + "/hooks/web/session?a=%26b"


async def _raw(place: Place, monkeypatch: pytest.MonkeyPatch, path: str, headers: dict[str, str]) -> RawInbound:
    found: list[RawInbound] = []

    def verify(raw: RawInbound) -> None:
        found.append(raw)
        raise ZeroDivisionError

    monkeypatch.setattr(place.mounted.adapter, "verify", verify)
    async with place.http.get(URL(place.url + path, encoded=True), headers=headers) as answer:
        assert answer.status == 401
    return found[0]
