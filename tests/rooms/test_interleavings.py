"""Whatever goes wrong, and in whatever order: what was accepted is settled once, in its order, and told afterwards."""

from __future__ import annotations

import pytest

from gateway.process import Processor
from gateway.store import handover
from tests.rooms.interleavings import Place
from tests.rooms.world import World

STEPS = 100


async def live(
    world: World, monkeypatch: pytest.MonkeyPatch, seed: int, steps: int = STEPS, *, doubtful: bool = False
) -> None:
    path = world.store.engine.url.database
    assert path is not None
    place = Place(world, path, seed, doubtful=doubtful)
    monkeypatch.setattr(handover, "AT_ONCE", 2)
    monkeypatch.setattr("gateway.process.settle", place.settle)
    monkeypatch.setattr(Processor, "_settle_at_once", place.settles(Processor._settle_at_once))
    await place.live(steps)


@pytest.mark.parametrize("seed", range(9))
async def test_nothing_is_lost_doubled_or_overtaken(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await live(sqlite_world, monkeypatch, seed)


@pytest.mark.parametrize("seed", range(3))
async def test_nor_where_a_commit_was_one_though_nobody_heard_of_it(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    await live(sqlite_world, monkeypatch, seed, doubtful=True)


@pytest.mark.slow
@pytest.mark.parametrize("doubtful", [False, True])
@pytest.mark.parametrize("seed", range(100, 200))
async def test_nor_in_many_more_lives(
    sqlite_world: World, monkeypatch: pytest.MonkeyPatch, seed: int, doubtful: bool
) -> None:
    await live(sqlite_world, monkeypatch, seed, 2 * STEPS, doubtful=doubtful)
