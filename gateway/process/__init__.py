"""ROOM 2: claims intake rows, reads them, and settles them: envelopes, contacts, conversations, commands in one commit.

Rule: commits follow arrival. An item that fails is repeated by itself and then dead with its reason; its lane goes on.
Rule: trouble of the database is nobody's failure: the batch is kept and tried again.
"""

import asyncio
from collections.abc import Callable

from msgspec import Struct

from gateway.process.apart import Apart, NotNow
from gateway.process.identify import Raced
from gateway.process.prepare import Item, Preparer
from gateway.process.settle import Done, Rules, settle
from gateway.store import intake
from gateway.store.intake import Claimed, Dead, LostClaim
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.wake import Wake

LEASE_SHARE = 0.6
"""Of a lease, for rows that are read apart: what is left is more than one row may take."""
MS_SHIFT = 20
"""An intake id is a time in milliseconds above 20 bits that tell rows of one millisecond apart."""


class ProcessSettings(Struct, frozen=True, kw_only=True):
    batch: int = 64
    """Of one transaction while room 1 waits for the writer."""
    batch_alone: int = 256
    """While it does not."""
    slice_ms: int = 2
    lease_ms: int = 30_000
    poll_ms: int = 1_000
    max_attempts: int = 5
    max_claims: int = 50
    """A row that was claimed so often and never settled is what kills the process."""


class Processor:
    """`report` hears of every committed batch, `fenced` of every claim that was lost; `owner` names us in leases."""

    def __init__(
        self,
        store: Store,
        preparer: Preparer,
        rules: Rules,
        wake: Wake,
        settings: ProcessSettings,
        owner: str,
        report: Callable[[Done], None],
        fenced: Callable[[], None] = lambda: None,
        apart: Apart | None = None,
    ) -> None:
        self._store, self._preparer, self._rules, self._wake = store, preparer, rules, wake
        self._settings, self._owner, self._report, self._fenced = settings, owner, report, fenced
        self._apart = apart
        self._reading: set[asyncio.Task[None]] = set()
        """Lanes whose rows are read apart, a task each."""
        self._stopping = False
        self._size = settings.batch

    def stop(self) -> None:
        """Finishes what is claimed, then `run` returns."""
        self._stopping = True
        self._wake.intake.ring()

    async def run(self) -> None:
        while not self._stopping:
            if not await self._round():
                await self._wake.intake.wait(self._settings.poll_ms / 1000)
        # What was acknowledged just before the stop is settled too, as far as one round goes.
        await self._round()
        await asyncio.gather(*self._reading)

    async def drain(self) -> None:
        """Until nothing is due. For tests and `replay`."""
        while await self._round() or self._reading:
            await asyncio.gather(*self._reading)

    async def _round(self) -> bool:
        try:
            rows = await self._store.write(self._claim)
        except StoreUnavailable:
            return False
        self._read_apart([row for row in rows if self._is_apart(row)])
        items = [item for row in rows if not self._is_apart(row) for item in await self._read(row)]
        try:
            await self._settle(items)
        except LostClaim:
            self._fenced()
            await self._let_go(rows)
        return bool(rows)

    def _is_apart(self, row: Claimed) -> bool:
        return self._apart is not None and row.epoch <= self._settings.max_claims and self._apart.takes(row)

    def _read_apart(self, rows: list[Claimed]) -> None:
        for task in [task for task in self._reading if task.done()]:
            self._reading.discard(task)
            task.result()
        for lane in dict.fromkeys(row.lane for row in rows):
            work = self._lane([row for row in rows if row.lane == lane])
            task = asyncio.create_task(work, name="process-apart")
            self._reading.add(task)
            task.add_done_callback(lambda _: self._wake.intake.ring())

    async def _lane(self, rows: list[Claimed]) -> None:
        """One row after the other, as long as the claim is surely ours; the rest is claimed anew."""
        assert self._apart is not None
        until = self._store.now() + self._settings.lease_ms * LEASE_SHARE
        while rows and self._store.now() < until and not self._stopping:
            try:
                await self._settle(await self._apart.items(rows[0], self._store.now()))
            except LostClaim:
                self._fenced()
                break
            except NotNow:
                await asyncio.sleep(self._settings.poll_ms / 1000)
                break
            rows = rows[1:]
        await self._let_go(rows)

    async def _let_go(self, rows: list[Claimed]) -> None:
        """One row is another's by now: what is left of the claim may not overtake it, nor what comes after it."""
        try:
            await self._store.write(lambda tx: intake.release(tx, [(row.id, row.epoch) for row in rows]))
        except StoreUnavailable:
            return

    def _claim(self, tx: Tx) -> list[Claimed]:
        upto = max((tx.now() << MS_SHIFT) | ((1 << MS_SHIFT) - 1), self._rules.new_number())
        return intake.claim(
            tx, self._owner, upto=upto, lease_ms=self._settings.lease_ms, most=self._settings.batch_alone
        )

    async def _read(self, row: Claimed) -> list[Item]:
        """The loop gets a turn between rows: reading is work, and sockets wait."""
        await asyncio.sleep(0)
        if row.epoch > self._settings.max_claims:
            item = Item(row, row.next_index)
            item.error, item.last = ("claimed_too_often", str(row.epoch)), True
            return [item]
        return self._preparer.items(row)

    async def _settle(self, batch: list[Item]) -> None:
        while batch:
            size = self._size if self._store.work.intake_waits else self._settings.batch_alone
            part, batch = batch[:size], batch[size:]
            await self._settle_part(part)

    async def _settle_part(self, part: list[Item]) -> None:
        while True:
            try:
                done, took_ms = await self._store.write(
                    lambda tx: self._timed(tx, part), room="process", items=len(part)
                )
            except Raced:
                continue
            except LostClaim:
                raise
            except StoreUnavailable:
                await self._wake.intake.wait(self._settings.poll_ms / 1000)
            except Exception as error:  # noqa: BLE001  because one bad item must not stop its neighbours
                await self._one_by_one(part, error)
                return
            else:
                self._pace(len(part), took_ms)
                self._tell(done)
                return

    def _timed(self, tx: Tx, part: list[Item]) -> tuple[Done, int]:
        started = tx.now()
        done = settle(tx, part, self._rules)
        return done, tx.now() - started

    async def _one_by_one(self, part: list[Item], error: Exception) -> None:
        if len(part) > 1:
            for item in part:
                await self._settle_part([item])
            return
        (item,) = part
        if item.row.attempts + 1 < self._settings.max_attempts and item.error is None:
            item.row = item.row._replace(attempts=item.row.attempts + 1)
            await self._settle_part(part)
            return
        await self._bury(item, error)

    async def _bury(self, item: Item, error: Exception) -> None:
        """Dead with its reason, and nothing else of it."""
        stone = Item(item.row, item.index)
        stone.last, stone.error = item.last, ("failed", f"{type(error).__name__}: {error}"[:200])
        if item.error is None:
            await self._settle_part([stone])
            return
        # Not even its burial could be written as usual: the plainest row that there is.
        while True:
            try:
                await self._store.write(lambda tx: self._bury_plainly(tx, item))
            except StoreUnavailable:
                await self._wake.intake.wait(self._settings.poll_ms / 1000)
            else:
                return

    def _bury_plainly(self, tx: Tx, item: Item) -> None:
        row = item.row
        intake.bury(tx, [Dead(self._rules.new_number(), row.id, item.index, row.endpoint_id, row.lane, row.kind,
                              "failed", "", row.raw, tx.now())])  # fmt: skip
        if item.last:
            intake.finish(tx, [(row.id, row.epoch)])
        else:
            intake.progress(tx, row.id, row.epoch, item.index + 1)

    def _pace(self, count: int, took_ms: int) -> None:
        """While room 1 waits, a transaction should be over after `slice_ms`."""
        if took_ms > self._settings.slice_ms:
            self._size = max(8, count // 2)
        else:
            self._size = min(self._settings.batch, self._size + 8)

    def _tell(self, done: Done) -> None:
        for row, outcome in done.outcomes.items():
            self._wake.outcome(row, outcome)
        for leg in done.legs:
            self._wake.leg(leg)
        for leg in done.interrupted:
            self._wake.streams.cut(leg)
        for conversation in done.turned:
            self._wake.streams.look(conversation)
        if done.started:
            self._wake.start(done.started)
        if done.commands > len(done.started):
            self._wake.outbox.ring()
        if done.facts:
            self._wake.intake.ring()
        self._report(done)
