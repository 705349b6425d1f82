"""ROOM 2: gets intake rows under a claim, reads them, and settles them: envelopes, contacts, conversations, commands in
one commit.

Rule: what somebody waits for (prompts) and webhooks have a loop each: no call waits for a batch, and no batch for ever
for calls. A lane belongs to one of the two, so neither changes its order.
Rule: commits follow arrival. An item that fails is repeated by itself and then dead with its reason; its lane goes on.
Rule: trouble of the database is nobody's failure: the batch is kept and tried again.
"""

import asyncio
from asyncio import get_running_loop
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from gateway.clock import MS_SHIFT
from gateway.process.apart import Apart, NotNow
from gateway.process.hands import Hands
from gateway.process.identify import Raced
from gateway.process.prepare import Item, Preparer
from gateway.process.settle import Done, Rules, settle
from gateway.store import intake
from gateway.store.handover import Arrived, Taker
from gateway.store.intake import Claimed, Dead, IntakeRow, LostClaim, is_prompt
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.wake import Wake

LEASE_SHARE = 0.6
"""Of a lease, for rows that wait for us or are read apart: what is left is more than one row may take."""


class ProcessSettings(Struct, frozen=True, kw_only=True):
    batch: int = 64
    """Of one transaction while room 1 waits for the writer."""
    batch_alone: int = 256
    """While it does not."""
    gather_ms: int = 10
    """Webhooks that come right after others wait so long for more of them."""
    slice_ms: int = 2
    lease_ms: int = 30_000
    poll_ms: int = 1_000
    max_attempts: int = 5
    max_claims: int = 50
    """A row that was claimed so often and never settled is what kills the process."""
    hand_rows: int = 4096
    """That room 1 may hand over before they are settled; the rest waits in the table."""
    hand_bytes: int = 32 * 1024 * 1024


class Looked(NamedTuple):
    """What a look into the table gave."""

    rows: list[Claimed]
    left: list[IntakeRow] | None
    """What waits even so, a row for each lane; None: nobody asked."""


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
        self._letting_go = 0
        """Meanwhile nothing is taken: what goes back into the table is older than what comes after it."""
        self._size = settings.batch
        self._webhooks_at = 0
        """When the next webhooks are taken, if they are not many before."""
        self._look_at = 0
        """When the table is looked into without being told to: timers become due, leases lapse."""
        self._hands = Hands()
        self._handover = store.bring_to(self._taker())

    def _taker(self) -> Taker:
        settings = self._settings
        return Taker(owner=self._owner, lease_ms=settings.lease_ms, takes=self._takes, has_room=self._has_room,
                     give=self._given, look=self._wake.intake.ring, settle=self._settle_at_once)  # fmt: skip

    def _has_room(self) -> bool:
        """Asked on the writer's thread."""
        return len(self._hands) < self._settings.hand_rows and self._hands.bytes < self._settings.hand_bytes

    def _takes(self, row: Arrived) -> bool:
        return self._apart is None or not self._apart.takes(row)

    def _given(self, rows: list[Claimed]) -> None:
        now = self._store.now()
        if not self._hands.webhooks:
            self._webhooks_at = max(self._webhooks_at, now)
        self._hands.add(rows, now + int(self._settings.lease_ms * LEASE_SHARE))
        self._wake.intake.nudge(is_prompt=any(map(is_prompt, rows)))

    def stop(self) -> None:
        """Finishes what is claimed, then `run` returns."""
        self._stopping = True
        self._wake.intake.ring()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve_prompts(), name="process-prompts")
            group.create_task(self._serve_webhooks(), name="process-webhooks")
        # What was acknowledged just before the stop is settled too, as far as one look goes.
        self._wake.intake.ring()
        while await self._round() or self._hands:
            self._webhooks_at = 0
        await asyncio.gather(*self._reading)

    async def _serve_prompts(self) -> None:
        while not self._stopping:
            if not await self._prompts():
                await self._wake.intake.prompt.wait(self._settings.poll_ms / 1000)

    async def _serve_webhooks(self) -> None:
        while not self._stopping:
            if await self._look() | await self._webhooks():
                continue
            if self._hands.webhooks:
                await self._wake.intake.table.wait((self._webhooks_at - self._store.now()) / 1000)
            else:
                await self._wake.intake.wait(self._settings.poll_ms / 1000)

    async def drain(self) -> None:
        """Until nothing is due. For tests and `replay`."""
        self._wake.intake.ring()
        while await self._round() or self._reading or self._hands:
            await asyncio.gather(*self._reading)
            self._webhooks_at = 0
            self._wake.intake.ring()

    async def _round(self) -> bool:
        """All of it one after the other. Whether there was anything to do."""
        return await self._look() | await self._prompts() | await self._webhooks()

    async def _prompts(self) -> bool:
        """What somebody waits for. Whether there was any."""
        if not (rows := await self._taken(self._next_prompts)):
            return False
        await self._settle_rows(rows)
        if self._handover is None or not self._handover.is_sure:
            # What came after it in its lane may wait in the table.
            self._wake.intake.ring()
        return True

    async def _webhooks(self) -> bool:
        if not (rows := await self._taken(self._next_webhooks)):
            return False
        await self._settle_rows(rows)
        return True

    async def _taken(self, take: Callable[[], list[Claimed]]) -> list[Claimed]:
        await self._give_back_late()
        return [] if self._letting_go else take()

    async def _give_back_late(self) -> None:
        if self._hands.late(self._store.now()):
            await self._let_go_of_all([])

    def _next_prompts(self) -> list[Claimed]:
        return self._hands.take_prompts(self._settings.batch_alone)

    def _next_webhooks(self) -> list[Claimed]:
        """They are gathered: a round costs the same for one as for ten, and keeps others waiting."""
        now, gather_ms = self._store.now(), self._settings.gather_ms
        is_early = now < self._webhooks_at <= now + gather_ms  # further off only when the clock went back
        if not self._hands.webhooks or (is_early and self._hands.webhooks < self._settings.batch):
            return []
        self._webhooks_at = now + gather_ms
        return self._hands.take_webhooks(self._settings.batch if self._hands.prompts else self._settings.batch_alone)

    async def _settle_rows(self, rows: list[Claimed]) -> None:
        items = [item for row in rows for item in await self._read(row)]
        try:
            await self._settle(items)
        except LostClaim:
            self._fenced()
            await self._let_go_of_all(rows)

    async def _look(self) -> bool:
        """Into the table: for what was not handed over. Whether anything was there."""
        await self._give_back_late()
        if not self._is_to_look():
            return False
        try:
            rows = (await self._store.write(self._look_into, then=partial(self._looked, get_running_loop()))).rows
        except StoreUnavailable:
            self._wake.intake.look_again()
            return False
        self._look_at = self._store.now() + self._settings.poll_ms
        if len(rows) == self._settings.batch_alone:
            self._wake.intake.look_again()
        return bool(rows)

    def _is_to_look(self) -> bool:
        if self._handover is None:
            return True
        until = self._look_at - self._store.now()
        if self._wake.intake.looks() or not 0 < until <= self._settings.poll_ms:
            return True
        return not self._hands.webhooks and not self._handover.is_sure

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

    async def _let_go_of_all(self, rows: list[Claimed]) -> None:
        """One row is another's by now: what is left of the claim may not overtake it, nor what comes after it."""
        self._letting_go += 1
        rows = rows + self._hands.empty()
        while rows:
            if await self._let_go(rows):
                # What was handed over before they were back in the table.
                rows = self._hands.empty()
            else:
                await asyncio.sleep(self._settings.poll_ms / 1000)
        self._letting_go -= 1

    async def _let_go(self, rows: list[Claimed]) -> bool:
        """Whether they are back in the table; else they are when their lease is over."""
        try:
            await self._store.write(lambda tx: intake.release(tx, rows))
        except StoreUnavailable:
            return False
        self._wake.intake.ring()
        return True

    def _claim(self, tx: Tx) -> list[Claimed]:
        return intake.claim(tx, self._owner, upto=self._upto(tx), lease_ms=self._settings.lease_ms,
                            most=self._settings.batch_alone)  # fmt: skip

    def _upto(self, tx: Tx) -> int:
        """What is due: ids may run ahead of the clock."""
        return max((tx.now() << MS_SHIFT) | ((1 << MS_SHIFT) - 1), self._rules.new_number())

    def _look_into(self, tx: Tx) -> Looked:
        rows = self._claim(tx)
        is_known = self._handover is None or self._handover.is_sure or len(rows) == self._settings.batch_alone
        return Looked(rows, None if is_known else intake.left(tx, self._upto(tx)))

    def _looked(self, loop: asyncio.AbstractEventLoop, found: Looked) -> None:
        """On the writer's thread: nothing came between that commit and this, so that what was found is in our hands
        before what is handed over next.
        """
        if self._handover is not None:
            self._handover.gives(found.rows, self._store.now())
        if self._handover is not None and found.left is not None:
            self._handover.found(found.left)
        loop.call_soon_threadsafe(self._found, found.rows)

    def _found(self, rows: list[Claimed]) -> None:
        self._read_apart([row for row in rows if self._is_apart(row)])
        self._given([row for row in rows if not self._is_apart(row)])

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
                    lambda tx: self._timed(tx, part), room="process", items=len(part), is_prompt=is_prompt(part[0].row)
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

    def _settle_at_once(self, tx: Tx, rows: list[Claimed]) -> Callable[[], None]:
        """On the writer's thread, in the transaction that stores them."""
        done = settle(tx, [item for row in rows for item in self._preparer.items(row)], self._rules)
        return partial(self._tell, replace(done, started=[self._rules.along(tx, one) for one in done.started]))

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
        self._report(done)
