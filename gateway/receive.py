"""ROOM 1: what arrived goes into the intake, and only then is it acknowledged.

Rule: whatever comes in (a request, a frame, a fact of ours) enters the intake here, or in room 3's own commit.
Rule: `receive` returns after the commit, or raises StoreUnavailable; there is no third case.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from adapters.base import Outcome, RawInbound
from gateway.clock import Ids
from gateway.store import cursors, intake
from gateway.store.cursors import Step
from gateway.store.facts import fact_row
from gateway.store.intake import IntakeRow
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.wake import Wake
from router.events import Fact

ENTER_AGAIN_S = 1.0

_encode_raw = msgspec.msgpack.Encoder().encode


def _keep(tx: Tx, rows: list[IntakeRow], step: Step) -> None:
    intake.add(tx, rows)
    cursors.move(tx, step)


class Receiver:
    def __init__(self, store: Store, ids: Ids, wake: Wake) -> None:
        self._store, self._ids, self._wake = store, ids, wake

    async def receive(self, raw: RawInbound, *, outcome_ms: int | None = None) -> Outcome | None:
        """`outcome_ms`: wait so long for what room 2 makes of it. None: not asked for, or not done in time."""
        row = self._row(raw, outcome_ms is not None)
        if outcome_ms is not None:
            return await self._enter(row, outcome_ms)
        await self._store.receive([row])
        return None

    async def receive_from(self, raws: Sequence[RawInbound], step: Step | None = None) -> None:
        """What a source gave, and with it, in one transaction, how far it is read now (None: it has no cursor).

        Raises StoreUnavailable, and LostClaim when somebody else listens to the source by now: nothing is kept then.
        """
        rows = [self._row(raw) for raw in raws]
        if step is None:
            await self._store.receive(rows)
        else:
            await self._store.write(lambda tx: _keep(tx, rows, step), room="receive", items=len(rows))

    def _row(self, raw: RawInbound, wants_outcome: bool = False) -> IntakeRow:
        lane = raw.session or raw.endpoint_id
        return IntakeRow(self._ids.intake(), raw.endpoint_id, lane, "raw", _encode_raw(raw), wants_outcome)

    async def enter(self, fact: Fact, lane: str, *, outcome_ms: int | None = None) -> Outcome | None:
        row = fact_row(self._ids.intake(), fact, lane, outcome_ms is not None)
        return await self._enter(row, outcome_ms)

    async def enter_surely(self, fact: Fact, lane: str) -> None:
        """For what nobody would tell again: were it lost, everybody would go on believing what was true before."""
        while True:
            try:
                await self.enter(fact, lane)
            except StoreUnavailable:
                await asyncio.sleep(ENTER_AGAIN_S)
            else:
                return

    async def _enter(self, row: IntakeRow, outcome_ms: int | None) -> Outcome | None:
        expected = self._wake.expect(row.id) if outcome_ms is not None else None
        try:
            await self._store.receive([row])
        except StoreUnavailable:
            if expected is not None:
                expected.cancel()
            raise
        if expected is None or outcome_ms is None:
            return None
        try:
            return await asyncio.wait_for(expected, outcome_ms / 1000)
        except TimeoutError:
            return None
