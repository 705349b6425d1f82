"""The composition: a stop finishes what was taken, a dead room ends the process, numbers go on after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Rates
from gateway.app import make_engine, open_house, rates_of
from gateway.engines.builtin import BuiltinEngine
from gateway.engines.echo import EchoEngine
from gateway.store import intake
from normalizer.ids import ChannelId
from tests.gateway.house import config, running
from tests.gateway.test_web import ENDPOINTS, SERVER, post


def settings(folder: Path, **sections: Any) -> Any:
    return config(folder, server=SERVER, sections={"endpoints": ENDPOINTS, **sections})


async def test_a_stop_processes_what_was_acknowledged(tmp_path: Path) -> None:
    async with running(settings(tmp_path)) as place:
        assert await post(place) == 200
        await place.stop()
        assert await place.core.store.read(intake.depth) == 0


async def test_numbers_go_on_after_a_restart_whatever_the_clock_did(tmp_path: Path) -> None:
    async with open_house(settings(tmp_path)) as house:
        await house.prepare()
        number = house.core.ids.intake() + (10**6 << 20)
        await house.core.store.receive([intake.IntakeRow(number, "wa", "wa", "raw", b"", False)])  # type: ignore[arg-type]
    async with open_house(settings(tmp_path)) as house:
        assert house.core.ids.intake() > number


async def test_a_room_that_dies_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_house(settings(tmp_path)) as house:
        await house.prepare()

        async def dies() -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(house.performer, "run", dies)
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(20):
                await house.rooms()
        assert caught.group_contains(ZeroDivisionError)


@pytest.mark.parametrize(("name", "kind"), [("builtin", BuiltinEngine), ("echo", EchoEngine), ("none", type(None))])
def test_the_engine_is_the_one_that_was_asked_for(tmp_path: Path, name: str, kind: type) -> None:
    assert isinstance(make_engine(settings(tmp_path, ai={"engine": name})), kind)


async def test_an_operators_rates_stand_above_the_providers(tmp_path: Path) -> None:
    own = {"channels": {"wa": {"per_second": 7}}}
    async with open_house(settings(tmp_path, transport=own)) as house:
        core = house.core
        rates = rates_of(core.config, core.directory, ChannelId("wa"))
        assert (rates.per_second, rates.pair_burst) == (7, 45)
        assert rates_of(core.config, core.directory, ChannelId("gone")) == Rates()
