"""The configuration of the demo."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.commands import Failed
from gateway.sandbox import demo as module
from gateway.sandbox.demo import base_url, demo_config, free_port, origins
from gateway.settings import Config


def make(folder: Path, **environ: str) -> Config:
    return demo_config(folder / "demo-data", host="127.0.0.1", port=0, environ=environ)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_nothing_is_needed_and_the_same_comes_again(tmp_path: Path) -> None:
    first, second = make(tmp_path), make(tmp_path)
    assert first.key == second.key
    assert [one.settings.credentials() for one in first.endpoints.values()] == [
        one.settings.credentials() for one in second.endpoints.values()
    ]
    assert (tmp_path / "demo-data" / "throughline.key").stat().st_mode & 0o777 == 0o600
    assert first.store.url == f"sqlite:///{tmp_path}/demo-data/throughline.db"


def test_two_folders_have_nothing_in_common(tmp_path: Path) -> None:
    one, other = make(tmp_path / "a"), make(tmp_path / "b")
    assert {one.key, *secrets(one)}.isdisjoint({other.key, *secrets(other)})


def secrets(config: Config) -> set[str]:
    given = [value for one in config.endpoints.values() for value in one.settings.credentials().values()]
    return {value for value in given if isinstance(value, str)}


def test_the_simulator_is_on_the_same_server_and_nothing_private_is_opened(tmp_path: Path) -> None:
    config = make(tmp_path)
    assert str(getattr(config.endpoints["whatsapp"].settings, "graph_url", "")).startswith(config.public_url)  # type: ignore[index]  # because a name is text
    assert (config.guard.allow_networks, config.guard.allow_http) == ((), False)


def test_where_a_real_gateway_keeps_its_data_is_not_for_the_demo(tmp_path: Path) -> None:
    config = make(tmp_path, THROUGHLINE_STORE__URL="postgresql+psycopg://a@b/c", THROUGHLINE_KEY="x" * 40,
                  THROUGHLINE_SERVER__PORT="1", THROUGHLINE_AI__ENGINE="echo")  # fmt: skip
    assert config.store.url.startswith("sqlite:///")
    assert config.key != "x" * 40
    assert config.server.port != 1
    assert config.ai.engine == "echo"


def test_a_taken_port_is_passed_over(taken: int) -> None:
    assert free_port("127.0.0.1", taken) > taken


def test_no_free_port_is_said(taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PORTS_TRIED", 1)
    with pytest.raises(Failed, match=f"no port between {taken} and {taken} is free; name one with --port"):
        free_port("127.0.0.1", taken)


def test_an_address_that_is_none_of_ours_is_said() -> None:
    with pytest.raises(OSError, match="assign"):
        free_port("192.0.2.1", 0)


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("127.0.0.1", 8080, "http://127.0.0.1:8080"),
        ("0.0.0.0", 8080, "http://127.0.0.1:8080"),
        ("::1", 8080, "http://[::1]:8080"),
        ("localhost", 80, "http://localhost"),
    ],
)
def test_addresses_are_written_as_browsers_do(host: str, port: int, url: str) -> None:
    assert base_url(host, port) == url
    assert url in origins(url)
    assert len(origins(url)) == len(set(origins(url)))
