"""What the rooms did can be counted."""

from __future__ import annotations

import io
import json

from adapters.base import Health
from gateway.directory import Mounted
from gateway.observe import Metrics
from gateway.process.prepare import Item
from gateway.process.settle import Done
from gateway.report import Report
from gateway.standing import Standing
from gateway.store.intake import Claimed
from normalizer.envelope import Envelope, Failure, Unsupported
from normalizer.ids import ChannelId, EndpointId, EnvelopeId, IntakeId
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


class _Channels(Standing):
    """Asks nobody."""

    def __init__(self, world: World) -> None:
        async def ask(mounted: Mounted, account: str | None) -> Health:
            raise AssertionError("nobody is asked here")

        super().__init__(world.directory, ask, world.clock, Metrics(), 3_600)


def _told(world: World, *, again: bool) -> Done:
    """The provider says that the account has ended."""
    body = Unsupported(what="ended", failures=(Failure("channel_blocked"),), visible=False)
    row = Claimed(IntakeId(1), EndpointId("wa"), "wa", "raw", b"", attempts=0, epoch=1, next_index=0,
                  wants_outcome=False)  # fmt: skip
    item = Item(row, 0)
    item.envelope = Envelope(id=EnvelopeId("e"), direction="in", channel_type="x", endpoint_id=EndpointId("wa"),
                             occurred_at=world.clock.now(), body=body, channel_id=ChannelId("wa"))  # fmt: skip
    return Done(outcomes={}, legs=frozenset(), commands=0, started=[], items=[item],
                duplicates=[item] if again else [], dead=(), handoffs=[], late=0)  # fmt: skip


async def test_what_a_provider_tells_of_an_account_is_an_alarm_once(sqlite_world: World) -> None:
    """What comes a second time may be over by now."""
    channels = _Channels(sqlite_world)
    report = Report(Metrics(), sqlite_world.clock, None, channels)
    report.processed(_told(sqlite_world, again=True))
    assert channels.alarm(ChannelId("wa")) is None
    report.processed(_told(sqlite_world, again=False))
    alarm = channels.alarm(ChannelId("wa"))
    assert alarm is not None
    assert (alarm.code, alarm.reason) == ("channel_blocked", "ended")
