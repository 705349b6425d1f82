"""Wake-ups are hints: none is lost while somebody waits, none is needed, none reaches who has gone."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from adapters.base import Outcome, Wire
from gateway.wake import Bell, Met, Wake
from normalizer.envelope import Envelope, Message, Text
from normalizer.ids import EndpointId, EnvelopeId, IntakeId, LegId

LEG, OTHER = LegId("leg_1"), LegId("leg_2")
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SAID = Envelope(id=EnvelopeId("e"), direction="out", channel_type="line", endpoint_id=EndpointId("line"),
                occurred_at=AT, body=Message(parts=(Text("hello"),)))  # fmt: skip
LINE = Wire(seq=1, envelope=SAID, at=AT)


async def test_a_ring_before_anybody_waits_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    async with asyncio.timeout(20):
        await bell.wait(3_600)


async def test_a_ring_wakes_who_waits() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait(3_600))
    await asyncio.sleep(0)
    bell.ring()
    async with asyncio.timeout(20):
        await waiting


async def test_nobody_waits_for_longer_than_he_said() -> None:
    async with asyncio.timeout(20):
        await Bell().wait(0.001)


async def test_one_ring_is_good_for_one_wait() -> None:
    bell = Bell()
    bell.ring()
    await bell.wait(3_600)
    waiting = asyncio.create_task(bell.wait(3_600))
    await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()


async def test_all_who_watch_a_leg_are_told_and_nobody_else() -> None:
    wake = Wake()
    one, two, stranger = wake.watch(LEG), wake.watch(LEG), wake.watch(OTHER)
    wake.leg(LEG)
    assert (one.is_set(), two.is_set(), stranger.is_set()) == (True, True, False)


async def test_who_wakes_a_leg_learns_whether_anybody_is_there() -> None:
    wake = Wake()
    assert wake.leg(LEG) is Met.NOBODY
    told: list[tuple[bytes, Wire | None]] = []

    def listener(leg: LegId, frame: bytes, line: Wire | None) -> Met:
        told.append((frame, line))
        return Met.DEAF

    wake.listen(listener)
    wake.listen(lambda leg, frame, line: Met.LISTENER if leg == LEG else Met.NOBODY)
    assert (wake.leg(LEG, b"x"), wake.leg(OTHER, line=LINE)) == (Met.LISTENER, Met.DEAF)
    assert told == [(b"x", None), (b"", LINE)]


async def test_who_gave_his_watch_back_is_told_nothing() -> None:
    wake = Wake()
    one, two = wake.watch(LEG), wake.watch(LEG)
    wake.unwatch(LEG, one)
    wake.leg(LEG)
    assert (one.is_set(), two.is_set()) == (False, True)


async def test_nothing_is_kept_for_a_leg_that_nobody_watches() -> None:
    wake = Wake()
    event = wake.watch(LEG)
    wake.unwatch(LEG, event)
    wake.unwatch(LEG, event)
    wake.leg(OTHER)
    assert not wake._legs


async def test_an_outcome_reaches_the_one_who_expects_it() -> None:
    wake = Wake()
    expected = wake.expect(IntakeId(1))
    wake.outcome(IntakeId(2), Outcome(error="not his"))
    wake.outcome(IntakeId(1), Outcome(error="his"))
    wake.outcome(IntakeId(1), Outcome(error="again"))
    assert await expected == Outcome(error="his")
    await asyncio.sleep(0)
    assert not wake._outcomes


async def test_nothing_is_kept_for_who_does_not_wait_any_more() -> None:
    wake = Wake()
    wake.expect(IntakeId(1)).cancel()
    await asyncio.sleep(0)
    assert not wake._outcomes
    wake.outcome(IntakeId(1), Outcome())


async def test_whether_it_rang() -> None:
    bell = Bell()
    assert not await bell.wait(0.001)
    bell.ring()
    assert await bell.wait(0.001)


async def test_what_was_missed_rings_for_every_source_of_the_endpoint() -> None:
    wake = Wake()
    one, two = wake.missing(EndpointId("a"), "one"), wake.missing(EndpointId("a"), "two")
    other = wake.missing(EndpointId("b"), "one")
    wake.missed(EndpointId("a"))
    assert [await bell.wait(0.001) for bell in (one, two, other)] == [True, True, False]
    assert wake.missing(EndpointId("a"), "one") is one
    wake.missed(EndpointId("nobody"))
