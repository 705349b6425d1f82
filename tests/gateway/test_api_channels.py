"""What a channel's health says of the sources that the gateway dials for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.base import PullSource
from gateway.api.channels import heard_of
from gateway.api.shapes import SourceView
from gateway.listen.base import ListenSettings
from gateway.store import cursors
from gateway.store.cursors import SourceRow
from gateway.store.tx import Tx
from normalizer.ids import EndpointId
from tests.gateway.api_house import ApiHouse, running
from tests.gateway.listen.kit import ENDPOINT, Dialler
from tests.gateway.provider import Answer
from tests.gateway.test_directory import mounted

NOW = 1_000_000_000
SOURCE = PullSource(name="missed", every_s=10)
BOX = mounted(ENDPOINT, ("box", None))


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ApiHouse]:
    async with running(tmp_path) as there:
        yield there


def view(*rows: SourceRow) -> SourceView:

    (one,) = heard_of(replace(BOX, adapter=Dialler(SOURCE)), [*rows], NOW, ListenSettings(silent_s=5))
    return one


def row(heard: int | None, trouble: str | None = None, name: str = "missed", endpoint: str = ENDPOINT) -> SourceRow:
    return SourceRow(EndpointId(endpoint), name, "n1", NOW, heard, trouble)


def test_a_source_is_well_while_it_is_heard() -> None:
    assert view(row(NOW)).ok
    assert view(row(NOW - 25_000)).ok
    assert not view(row(NOW - 25_001)).ok
    assert view(row(0)).heard_at == datetime(1970, 1, 1, tzinfo=UTC)


def test_one_that_was_never_heard_or_is_in_trouble_is_not() -> None:
    assert view() == SourceView(name="missed", ok=False, heard_at=None, trouble=None)
    assert view(row(None, "login_refused")).trouble == "login_refused"
    assert not view(row(NOW, "bye")).ok


def test_others_do_not_speak_for_it() -> None:
    assert not view(row(NOW, name="other"), row(NOW, endpoint="other")).ok


def test_an_endpoint_without_sources_has_none() -> None:
    assert heard_of(BOX, [row(NOW)], NOW, ListenSettings()) == ()


async def test_a_channel_whose_source_is_silent_is_not_well(place: ApiHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    place.provider.usual = Answer(body=b'{"id":"1"}')
    assert (await place.get("/v1/channels/wa/health"))["sources"] == []
    adapter = place.core.directory.endpoints[EndpointId("wa")].adapter
    monkeypatch.setattr(adapter, "sources", (SOURCE,), raising=False)
    place.clock.advance(5)
    shown = await place.get("/v1/channels/wa/health")
    assert (shown["ok"], shown["sources"]) == (
        False, [{"name": "missed", "ok": False, "heard_at": None, "trouble": None}],
    )  # fmt: skip

    def hear(tx: Tx) -> None:
        lease = cursors.take(tx, EndpointId("wa"), "missed", "n1", 30_000)
        assert lease is not None
        cursors.renew(tx, lease, 30_000, tx.now(), None)

    await place.core.store.write(hear)
    place.clock.advance(5)
    shown = await place.get("/v1/channels/wa/health")
    assert (shown["ok"], shown["sources"][0]["ok"]) == (True, True)
