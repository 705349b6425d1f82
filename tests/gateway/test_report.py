"""What the rooms did can be counted."""

from __future__ import annotations

import io
import json

from gateway.observe import Metrics
from gateway.report import Report
from tests.rooms.conftest import clock, empty_sqlite, graph, sqlite_store, sqlite_url, sqlite_world, transport
from tests.rooms.world import World, text

__all__ = ["clock", "empty_sqlite", "graph", "sqlite_store", "sqlite_url", "sqlite_world", "transport"]


async def test_every_item_and_command_is_counted_and_told_without_words(sqlite_world: World) -> None:
    world, stream = sqlite_world, io.StringIO()
    await world.post(text("in.1", "SECRET"), text("in.1", "SECRET"))
    await world.post(text("in.2"), account="999")
    await world.run()
    metrics = Metrics()
    report = Report(metrics, world.clock, stream)
    for done in world.processed:
        report.processed(done)
    for performed in world.performed:
        report.performed(performed)
    report.received("wa", "kept", 200, 10)
    report.engine(False, "down")
    report.close()
    shown = metrics.render().decode()
    assert 'reason="unknown_account"' in shown
    assert 'outcome="sent"' in shown
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert {line["event"] for line in lines} == {"received", "processed", "performed"}
    assert not any(word in stream.getvalue() for word in ("SECRET", "16505551234", "in.1"))
