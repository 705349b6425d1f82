"""The composition: a stop finishes what was taken, a dead room ends the process, numbers go on after a restart."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.app import open_house
from gateway.store import intake
from tests.gateway.house import config, running
from tests.gateway.test_web import ENDPOINTS, post


def settings(folder: Path, **sections: Any) -> Any:
    return config(folder, sections={"endpoints": ENDPOINTS, **sections})


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
