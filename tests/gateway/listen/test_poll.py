"""Pages are asked for one after the other, kept with their cursor, and asked for again after trouble of ours."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from adapters.base import Pulled, PulledItem, PullSource, Throttled, Unavailable
from gateway.directory import Mounted
from gateway.listen import poll
from gateway.listen.base import Trouble
from tests.gateway.listen.kit import ENDPOINT, Dialler, Stage, until
from tests.rooms.desk import Desk

SOURCE = PullSource(name="missed", every_s=1_000)


class Asked:
    """An endpoint whose provider has pages for us."""

    def __init__(self, stage: Stage, source: PullSource = SOURCE) -> None:
        self.stage, self.source = stage, source
        self.mounted: Mounted = stage.mounted(source)
        assert isinstance(self.mounted.adapter, Dialler)
        self.adapter = self.mounted.adapter

    def gives(self, *pages: Pulled | Exception) -> None:
        self.adapter.pages.extend(pages)

    @property
    def cursors(self) -> list[str | None]:
        return [cursor for _, cursor, _ in self.adapter.asked]

    def kept(self) -> Any:
        return self.stage.kept(self.mounted, self.source)


@pytest.fixture
def asked(stage: Stage) -> Asked:
    return Asked(stage)


def page(cursor: str, *bodies: bytes, more: bool = False) -> Pulled:
    return Pulled(items=tuple(PulledItem(body=body) for body in bodies), cursor=cursor, more=more)


async def test_pages_are_kept_with_their_cursors(asked: Asked, stage: Stage) -> None:
    asked.gives(page("c1", b"1", b"2", more=True), page("c2", b"3"))
    async with asked.kept():
        await until(lambda: len(stage.room.raws) == 3)
    assert asked.cursors == [None, "c1"]
    assert [raw.body for raw in stage.stored()] == [b"1", b"2", b"3"]
    assert {(raw.origin, raw.method) for raw in stage.room.raws} == {("pulled", "POST")}
    assert await stage.cursor("missed") == "c2"


async def test_what_was_pulled_looks_as_its_adapter_says(asked: Asked, stage: Stage) -> None:
    item = PulledItem(body=b"x", method="GET", path="/status", headers={"X-Kind": "status"})
    asked.gives(Pulled(items=(item,), cursor="c1"))
    async with asked.kept():
        await until(lambda: stage.room.raws)
    (raw,) = stage.room.raws
    assert (raw.method, raw.path, raw.headers) == ("GET", "/status", {"x-kind": "status"})
    ((name, _, context),) = asked.adapter.asked
    assert (name, context.account, context.hook_url) == (
        "missed", "box@shop.example", "https://gateway.example/hooks/box",
    )  # fmt: skip


async def test_a_restart_asks_from_the_last_commit_on(asked: Asked, stage: Stage) -> None:
    asked.gives(page("c1", b"1"))
    async with asked.kept():
        await until(lambda: stage.room.raws)
    async with asked.kept():
        await until(lambda: len(asked.cursors) == 2)
    assert asked.cursors == [None, "c1"]
    assert stage.room.batches == [[stage.room.raws[0]]]


async def test_it_is_asked_every_so_often(stage: Stage) -> None:
    asked = Asked(stage, PullSource(name="missed", every_s=0.005))
    async with asked.kept():
        await until(lambda: len(asked.cursors) > 3)
    assert stage.room.batches == [[]], "only the first cursor was news"


async def test_after_trouble_of_ours_it_is_asked_at_once(asked: Asked, stage: Stage) -> None:
    async with asked.kept():
        await until(lambda: len(asked.cursors) == 1)
        asked.gives(page("c9", b"what our 503 has refused"))
        stage.wake.missed(ENDPOINT)
        await until(lambda: stage.room.raws)


async def test_a_page_that_the_store_did_not_take_is_kept_all_the_same(asked: Asked, stage: Stage) -> None:
    stage.room.fail = 3
    asked.gives(page("c1", b"1"))
    async with asked.kept():
        await until(lambda: stage.room.raws)
    assert asked.cursors == [None]


async def test_an_error_is_asked_about_again(asked: Asked, stage: Stage) -> None:
    asked.gives(Unavailable("busy"), page("c1", b"1"))
    async with asked.kept():
        await until(lambda: stage.room.raws)
    assert asked.cursors == [None, None]


async def test_who_is_told_to_wait_waits(asked: Asked, stage: Stage) -> None:
    asked.gives(Throttled("slowly", retry_after_s=900))
    async with asked.kept() as keeper:
        await until(lambda: keeper.post is not None and keeper.post.trouble == "throttled")
    assert len(asked.cursors) == 1


async def test_pages_that_never_get_on_end(asked: Asked, stage: Stage) -> None:
    asked.gives(page("", more=True), page("", more=True))
    with pytest.raises(Trouble, match="pull_stands_still"):
        async with asyncio.timeout(20):
            await poll.listen(await stage.post(asked.mounted, "missed"), SOURCE)


async def test_an_adapter_that_has_nothing_to_pull(stage: Stage) -> None:
    mounted = replace(stage.mounted(SOURCE), adapter=Desk())
    with pytest.raises(Trouble, match="nothing_to_pull"):
        await poll.listen(await stage.post(mounted, "missed"), SOURCE)
