"""Rows that are read apart: who waits for them, who does not, and what comes inside of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from adapters.base import Carried, RawInbound
from gateway.heavy import NotRunning, Read, Unreadable
from gateway.media import MediaSettings, MediaStore
from gateway.process import Processor
from gateway.process.apart import Apart
from gateway.process.prepare import Preparer
from gateway.process.settle import Rules
from gateway.store import files, intake
from normalizer.envelope import Document, MediaRef, Message
from normalizer.ids import EndpointId
from tests.rooms.world import ENDPOINT, ENGINE, KEY, World, text

PNG = b"\x89PNG\r\n\x1a\n"


class SlowReader:
    """Reads what the WhatsApp endpoint gets, when it is let."""

    def __init__(self, world: World) -> None:
        self._adapter = world.directory.endpoints[ENDPOINT].adapter
        self.let = asyncio.Event()
        self.let.set()
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.errors: list[Exception] = []
        self.files: tuple[Carried, ...] = ()

    def reads(self, endpoint: EndpointId) -> bool:
        return endpoint == ENDPOINT

    async def read(self, raw: RawInbound) -> Read:
        self.began.put_nowait(raw.id)
        await self.let.wait()
        if self.errors:
            raise self.errors.pop(0)
        return Read(tuple((self._with_files(one), b"{}") for one in self._adapter.parse(raw)), self.files)  # type: ignore[misc]

    def _with_files(self, envelope: object) -> object:
        assert hasattr(envelope, "body")
        parts = tuple(Document(MediaRef(external_id=file.ref, filename="a.png")) for file in self.files)
        body = envelope.body
        assert isinstance(body, Message)
        return replace(envelope, raw=None, body=replace(body, parts=body.parts + parts))  # type: ignore[type-var]


@pytest.fixture
def reader(world: World) -> SlowReader:
    return SlowReader(world)


@pytest.fixture
def media(world: World) -> MediaStore:
    return world.transport._media


def process(world: World, reader: SlowReader, media: MediaStore) -> None:
    """The room begins anew, with this reader."""
    rules = Rules(directory=world.directory, policy=world.policy, engine=ENGINE, new_id=world.ids.new,
                  new_number=world.ids.intake)  # fmt: skip
    preparer = Preparer(world.directory, KEY)
    apart = Apart(reader, media, preparer)  # type: ignore[arg-type]
    world.processor = Processor(world.store, preparer, rules, world.wake, replace(world.process_settings, poll_ms=1),
                                "slow", world.processed.append, apart=apart)  # fmt: skip


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():  # noqa: ASYNC110  because what is waited for has no event of its own
            await asyncio.sleep(0)


async def test_nobody_else_waits_for_a_slow_one(world: World, reader: SlowReader, media: MediaStore) -> None:
    process(world, reader, media)
    reader.let.clear()
    await world.post(text("slow"), parse=False)
    running = asyncio.create_task(world.processor.run())
    await reader.began.get()
    quick = await world.receiver.receive(
        RawInbound(id="q", endpoint_id=EndpointId("desk"), origin="live", session="s1", received_at=world.clock.now(),
                   body=b'{"type":"msg","cid":"1","text":"quick"}'), outcome_ms=20_000)  # fmt: skip
    assert quick is not None
    assert await world.store.read(intake.depth) == 1
    reader.let.set()
    await until(lambda: any(item.keys for done in world.processed for item in done.items if item.row.lane == "wa"))
    world.processor.stop()
    await running
    assert await world.store.read(intake.depth) == 0


async def test_a_lane_keeps_its_order(world: World, reader: SlowReader, media: MediaStore) -> None:
    process(world, reader, media)
    for number in range(6):
        await world.post(text(f"m{number}"), parse=False)
    await world.processor.drain()
    said = [item.envelope.external_id for done in world.processed for item in done.items if item.envelope]
    assert said == [f"m{number}" for number in range(6)]
    assert await world.store.read(intake.depth) == 0


async def test_files_are_stored_and_counted_with_their_message(
    world: World, reader: SlowReader, media: MediaStore
) -> None:
    process(world, reader, media)
    reader.files = (Carried(ref="part/2", data=PNG, mime="image/png"), Carried(ref="part/3", data=b""))
    await world.post(text("with files"))
    (item,) = [item for done in world.processed for item in done.items]
    assert item.envelope is not None
    assert isinstance(item.envelope.body, Message)
    kept, lost = (part.media for part in item.envelope.body.parts if isinstance(part, Document))
    assert (kept.sniffed, kept.size, lost.stored, lost.failed) == ("image/png", len(PNG), None, "empty")
    assert kept.stored is not None
    assert media.path(kept.stored).read_bytes() == PNG
    name = kept.stored
    assert await world.store.read(lambda tx: files.get(tx, name)) is not None
    assert await world.store.read(lambda tx: files.used(tx, [name])) == {name}


async def test_what_can_not_be_read_is_dead_and_the_next_one_lives(
    world: World, reader: SlowReader, media: MediaStore
) -> None:
    process(world, reader, media)
    reader.errors = [Unreadable("too_slow", "more than 2 s")]
    await world.post(text("evil"), parse=False)
    await world.post(text("good"))
    dead = await world.store.read(lambda tx: intake.list_dead(tx, 0, 9))
    assert [(one.reason, one.detail) for one in dead] == [("too_slow", "more than 2 s")]
    assert [item.envelope.external_id for done in world.processed for item in done.items if item.envelope] == ["good"]


async def test_with_no_reader_a_row_waits_and_is_not_to_blame(
    world: World, reader: SlowReader, media: MediaStore
) -> None:
    process(world, reader, media)
    reader.errors = [NotRunning("OSError"), NotRunning("OSError")]
    await world.post(text("patient"))
    (item,) = [item for done in world.processed for item in done.items]
    assert (item.row.attempts, item.error) == (0, None)


async def test_with_no_room_for_files_a_row_waits(
    world: World, reader: SlowReader, media: MediaStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    process(world, reader, media)
    reader.files = (Carried(ref="part/2", data=PNG),)
    full = MediaSettings(min_free_bytes=0, media_min_free_bytes=2**62)
    room = media._settings
    monkeypatch.setattr(media, "_settings", full)
    await world.post(text("heavy"), parse=False)
    running = asyncio.create_task(world.processor.run())
    await reader.began.get()
    await reader.began.get()  # read once more: it was put back
    assert world.processed == []
    monkeypatch.setattr(media, "_settings", room)
    await until(lambda: bool(world.processed))
    world.processor.stop()
    await running
    assert await world.store.read(intake.depth) == 0
