"""While people talk to us webhooks wait for each other, and nobody else waits for them."""

from __future__ import annotations

import asyncio

import pytest

from gateway.store.store import Store
from gateway.store.work import GATHER_ROWS, Watch
from tests.store.rows import intake_row

FOR_EVER_S = 3_600.0


@pytest.fixture
def commits(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each had. The clock stands still, so that only what is said here ends a wait."""
    monkeypatch.setattr(store.work, "_gather_s", FOR_EVER_S)
    found: list[int] = []
    store.work.watch = Watch(lambda: 7.0, lambda _room, _seconds, rows: found.append(rows))
    return found


async def _talk(store: Store, id: int) -> None:
    await store.receive([intake_row(id, lane="visitor")])


async def test_before_anybody_talks_nothing_waits(store: Store, commits: list[int]) -> None:
    for id in range(1, 4):
        await store.receive([intake_row(id)])
    assert commits == [1, 1, 1]


async def test_who_talks_takes_with_him_what_waits(store: Store, commits: list[int]) -> None:
    await _talk(store, 1)
    webhooks = [store.receive([intake_row(id)]) for id in (3, 4)]
    await _talk(store, 5)
    await asyncio.gather(*webhooks)
    assert commits == [1, 3]


async def test_many_wait_for_no_more(store: Store, commits: list[int]) -> None:
    await _talk(store, 1)
    first = [store.receive([intake_row(3 + place)]) for place in range(GATHER_ROWS - 1)]
    await asyncio.sleep(0)
    last = store.receive([intake_row(2_000)])
    await asyncio.gather(*first, last)
    assert commits == [1, GATHER_ROWS]


async def test_nor_does_anything_wait_longer_than_that(
    store: Store, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the clock says: this one never gets there."""
    monkeypatch.setattr(store.work, "_gather_s", 0.001)
    await _talk(store, 1)
    await store.receive([intake_row(3)])
    assert commits == [1, 1]


async def test_jobs_go_on_meanwhile(store: Store, commits: list[int]) -> None:
    await _talk(store, 1)
    webhook = store.receive([intake_row(3)])
    assert await store.write(lambda _tx: "done") == "done"
    assert not webhook.done()
    await _talk(store, 4)
    await webhook
    assert commits == [1, 2]


async def test_when_the_talk_is_over_nothing_waits_any_more(store: Store, commits: list[int]) -> None:
    now = [7.0]
    store.work.watch = Watch(lambda: now[0], lambda _room, _seconds, rows: commits.append(rows))
    await _talk(store, 1)
    webhook = store.receive([intake_row(3)])
    now[0] += FOR_EVER_S
    await store.receive([intake_row(4)])
    await store.receive([intake_row(5)])
    await webhook
    assert commits == [1, 2, 1]


async def test_a_stop_keeps_what_waits(store: Store, commits: list[int]) -> None:
    await _talk(store, 1)
    webhook = store.receive([intake_row(3)])
    await asyncio.sleep(0)
    await store.close()
    await webhook
    assert commits == [1, 1]
