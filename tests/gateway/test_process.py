"""From a row to items: what room 2 knows before it opens a transaction. (What it then does: tests/rooms.)"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.process.prepare import Preparer
from gateway.store.facts import fact_row
from gateway.store.intake import Claimed
from normalizer.envelope import Evidence
from normalizer.ids import CommandId, ConversationId, EndpointId, IntakeId
from router.events import AiGaveUp
from tests.rooms.conftest import clock, empty_sqlite, graph, sqlite_store, sqlite_url, sqlite_world, transport
from tests.rooms.world import World, delivery, text, texts

__all__ = ["clock", "empty_sqlite", "graph", "sqlite_store", "sqlite_url", "sqlite_world", "transport"]


def row(raw: bytes, *, kind: str = "raw", endpoint: str = "wa", next_index: int = 0) -> Claimed:
    return Claimed(IntakeId(7), EndpointId(endpoint), "lane", kind, raw, 0, 1, next_index, False)


@pytest.fixture
def made(sqlite_world: World) -> Any:
    preparer = Preparer(sqlite_world.directory, b"k" * 32)

    def items(*updates: Any, **more: Any) -> Any:
        raw = msgspec.msgpack.encode(sqlite_world.raw(delivery(*updates)))
        return preparer.items(row(raw, **more))

    return items


async def test_the_same_row_gives_the_same_items(made: Any) -> None:
    one, again = made(*texts("a", "b")), made(*texts("a", "b"))
    assert [(item.id, item.keys, item.content) for item in one] == [
        (item.id, item.keys, item.content) for item in again
    ]
    assert [(item.index, item.last) for item in one] == [(0, False), (1, True)]


async def test_keys_do_not_show_whose_they_are(made: Any) -> None:
    (item,) = made(text("wamid.16505551234"))
    assert all(len(key) == 32 and "1650" not in key for key in item.keys)


async def test_a_row_goes_on_where_it_stood(made: Any) -> None:
    assert [item.index for item in made(*texts("a", "b", "c"), next_index=1)] == [1, 2]
    assert [item.index for item in made(*texts("a", "b"), next_index=9)] == [1]


async def test_who_wrote_stands_first_with_his_evidence(made: Any) -> None:
    (item,) = made(text("a"))
    ((key, claim),) = item.claims
    assert (key, claim.evidence) == ("tel:+16505551234", Evidence.CHANNEL)


async def test_a_gone_endpoint_and_an_unreadable_fact_are_items_too(made: Any, sqlite_world: World) -> None:
    (gone,) = made(text("a"), endpoint="gone")
    assert gone.error == ("unknown_endpoint", "gone")
    (odd,) = Preparer(sqlite_world.directory, b"k").items(row(b"{}", kind="fact"))
    assert odd.error is not None
    assert (odd.error[0], odd.last) == ("unreadable_fact", True)


async def test_a_fact_is_named_after_its_command(sqlite_world: World) -> None:
    def keys(command: str, epoch: int) -> tuple[str, ...]:
        fact = AiGaveUp(
            command_id=CommandId(command), conversation_id=ConversationId("cv"), epoch=epoch, up_to=1, reason="x"
        )
        raw = fact_row(IntakeId(1), fact, "cv").raw
        (item,) = Preparer(sqlite_world.directory, b"k").items(row(raw, kind="fact"))
        return item.keys

    assert keys("c1", 1) == keys("c1", 2) != keys("c2", 1)
