"""Rooms 1 and 2 over a real store while all goes wrong that may, and what must be true of it whatever happened.

The seed decides what happens; threads decide in between of what. A failure names its seed: run that one many times.

Rule: whatever is checked is checked in the database by another connection, not in anybody's memory.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from msgspec.structs import replace

from adapters.base import RawInbound
from gateway.process import LEASE_SHARE, Processor
from gateway.process.prepare import Item
from gateway.process.settle import Done, Rules, settle
from gateway.store import intake
from gateway.store.facts import fact_row
from gateway.store.intake import Claimed, IntakeRow
from gateway.store.schema import WAITING
from gateway.store.store import StoreUnavailable
from gateway.store.tx import Tx
from gateway.store.work import Watch
from normalizer import codec
from normalizer.envelope import Message, Text, plain_text
from normalizer.ids import AgentId, ConversationId, EnvelopeId
from router.events import AgentReplied
from tests.rooms import desk
from tests.rooms.faults import Faults
from tests.rooms.world import LEASE_S, World, delivery, text

PATIENCE_S = 60.0
SESSIONS = ("s1", "s2", "s3")
SENDERS = ("16505550001", "16505550002")
FOR_GOOD = 1_000
"""Tries that fail."""


class Sent(NamedTuple):
    """What somebody brought: one row, and the texts that it says."""

    row: IntakeRow
    texts: tuple[str, ...]
    future: asyncio.Future[Any]


class Told(list[Done]):
    """What room 2 reports: settled by then, and never twice."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self._place = place
        self.rows: Counter[tuple[int, int]] = Counter()

    def append(self, done: Done) -> None:
        super().append(done)
        wrong = self._place.wrong
        wrong += [f"{item.row.id} has been settled before" for item in done.duplicates]
        for item in done.items:
            self.rows[item.row.id, item.index] += 1
            if item.last and self._place.ask("SELECT 1 FROM intake WHERE id = ? AND state = ?", item.row.id, WAITING):
                wrong.append(f"{item.row.id} is told and not committed")
        wrong += [f"{row} is told twice" for row, times in self.rows.items() if times > 1]


class Place:
    """`doubtful`: commits may have been some though nobody heard of it. Then what was refused may have been stored, and
    stands in no order with what was accepted.
    """

    def __init__(self, world: World, path: str, seed: int, *, doubtful: bool = False) -> None:
        self._doubtful = doubtful
        self._world, self._store, self._chance = world, world.store, random.Random(seed)
        self._reader = sqlite3.connect(path, isolation_level=None)
        self.wrong: list[str] = []
        self._sent: list[Sent] = []
        self._never: list[str] = []
        """Texts of jobs that failed by themselves."""
        self._cursed: dict[str, int] = {}
        """Texts that can not be settled, and how often they are tried in vain."""
        self.at_once = 0
        self._numbers = 0
        self._jobs: set[asyncio.Future[Any]] = set()
        self._gate = threading.Event()
        self._conversations: list[ConversationId] = []
        self.faults = Faults(world.store.engine)
        world.store.work.watch = Watch(time.monotonic, lambda *_: None)
        world.store.work._gather_s = 0.001
        batch, hand_rows = self._chance.choice((1, 2, 8)), self._chance.choice((2, 6, 50))
        world.process_settings = replace(world.process_settings, batch=batch, batch_alone=batch, hand_rows=hand_rows,
                                         gather_ms=0, poll_ms=1, max_attempts=2)  # fmt: skip
        world.processed = self.told = Told(self)

    def ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self._reader.execute(query, values).fetchall()

    # --- what the rooms are made to do --------------------------------------------------------------------------------

    def settle(self, tx: Tx, items: list[Item], rules: Rules) -> Done:
        """In the place of room 2's: it fails when all is written."""
        done = settle(tx, items, rules)
        for item in items:
            said = _said(item)
            if self._cursed.get(said, 0) > 0:
                self._cursed[said] -= 1
                raise ZeroDivisionError(said)
        return done

    def settles(self, own: Callable[[Processor, Tx, list[Claimed]], Callable[[], None]]) -> Callable[..., Any]:
        """Room 2's way to settle at once: never before a prompt that is in the table, be it leased or not."""

        def checked(processor: Processor, tx: Tx, rows: list[Claimed]) -> Callable[[], None]:
            query = "SELECT id FROM intake WHERE state = ? AND lane <> endpoint_id"
            there = {row[0] for row in tx._connection.exec_driver_sql(query, (WAITING,))} - {row.id for row in rows}
            if there and not self._doubtful:
                self.wrong.append(f"{[row.id for row in rows]} are settled before {sorted(there)}")
            then = own(processor, tx, rows)
            self.at_once += len(rows)
            return then

        return checked

    # --- life ---------------------------------------------------------------------------------------------------------

    async def live(self, steps: int) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self._begin()
            for _ in range(steps):
                self._chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0](self)
                for _ in range(self._chance.choice((0, 0, 1, 5, 30))):
                    await asyncio.sleep(0)
                if self._chance.random() < 0.15:
                    await self._rest()
                    self._chance.choice((self.frames, self.cursed))()
                if self._chance.random() < 0.04:
                    await self._restart()
            await self._end()
            self._check()
        self._reader.close()

    async def _begin(self) -> None:
        self._world.boot()
        for session in SESSIONS:
            self._frame(session)
            await self._sent[-1].future
        await self._world.processor.drain()
        self._conversations = [ConversationId(row[0]) for row in self.ask("SELECT id FROM conversation")]
        self._running = asyncio.create_task(self._world.processor.run())

    async def _flush(self) -> None:
        self.faults.none()
        self._gate.set()
        await asyncio.gather(*self._jobs, *(sent.future for sent in self._sent), return_exceptions=True)
        await self._store.write(lambda tx: None)

    async def _rest(self) -> None:
        """Nothing new, so that what is under way comes to its end if it can."""
        self._gate.set()
        for _ in range(10):
            with suppress(StoreUnavailable):
                await self._store.write(lambda tx: None)
            if not self.ask("SELECT 1 FROM intake WHERE state = ?", WAITING):
                return

    async def _restart(self) -> None:
        """What was under way ends where it stands; what was in hands is in nobody's."""
        await self._flush()
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)
        await self._store.write(lambda tx: None)
        await self._world.start_anew()
        self._running = asyncio.create_task(self._world.processor.run())
        for session in SESSIONS:
            # Before anybody knows what waits in the table.
            self._frame(session)
            await asyncio.sleep(0)

    async def _end(self) -> None:
        await self._flush()
        self._world.processor.stop()
        await self._running
        for _ in range(5):
            await self._world.processor.drain()
            # Whatever a lost claim left leased comes again when its lease is over.
            self._world.clock.advance(LEASE_S + 1)
        await self._is_as_ever()

    async def _is_as_ever(self) -> None:
        """Nothing of all that keeps the next one waiting."""
        before = self.at_once
        self._frame(SESSIONS[0])
        await self._sent[-1].future
        assert self.at_once == before + 1, "nothing is settled at once any more"

    # --- what happens -------------------------------------------------------------------------------------------------

    def _text(self) -> str:
        self._numbers += 1
        return f"t{self._numbers:05d}"

    def _bring(self, row: IntakeRow, *texts: str) -> None:
        self._await(Sent(row, texts, self._store.receive([row])))

    def _await(self, sent: Sent) -> None:
        self._sent.append(sent)
        sent.future.add_done_callback(lambda _: self._acknowledged(sent))

    def _acknowledged(self, sent: Sent) -> None:
        if _is_accepted(sent) and not (self.ask("SELECT 1 FROM intake WHERE id = ?", sent.row.id) or self._ends(sent)):
            self.wrong.append(f"{sent.row.id} is acknowledged and not stored")

    def _ends(self, sent: Sent) -> list[str]:
        kept = self.ask("SELECT DISTINCT 'settled' FROM dedupe WHERE intake_id = ?", sent.row.id)
        dead = self.ask("SELECT 'dead' FROM dead WHERE intake_id = ?", sent.row.id)
        return [row[0] for row in kept + dead]

    def _frame(self, session: str, said: str | None = None) -> None:
        said = said or self._text()
        self._raw(self._world.frame_of(session, desk.ENDPOINT, id=said, text=said), said)

    def _raw(self, raw: RawInbound, *texts: str) -> None:
        wants_outcome = raw.session is not None and self._chance.random() < 0.5
        self._bring(self._world.receiver._row(raw, wants_outcome), *texts)

    def frames(self) -> None:
        for _ in range(self._chance.choice((1, 1, 1, 2, 4))):
            self._frame(self._chance.choice(SESSIONS))

    def cursed(self) -> None:
        said = self._text()
        self._cursed[said] = self._chance.choice((1, 2, FOR_GOOD))
        self._frame(self._chance.choice(SESSIONS), said)

    def malformed(self) -> None:
        self._raw(self._world.frame_of(self._chance.choice(SESSIONS), text="without an id"))

    def webhooks(self) -> None:
        for _ in range(self._chance.choice((1, 1, 3))):
            self._webhook()

    def _webhook(self) -> None:
        sender, said = self._chance.choice(SENDERS), [self._text() for _ in range(self._chance.choice((1, 1, 3)))]
        body = delivery(*(text(f"wamid.{one}", one, sender=sender) for one in said))
        self._raw(self._world.raw(body), *said)

    def refused(self) -> None:
        """By the database: one id twice."""
        row = self._world.receiver._row(self._world.frame_of(SESSIONS[0], id="none", text="never"))
        self._never.append("never")
        self._job(self._store.receive([row, row]))

    def fact(self) -> None:
        row, said = self._reply(None)
        self._bring(row, said)

    def job(self) -> None:
        """As room 3 lets an answer re-enter: with what caused it."""
        row, said = self._reply("job")
        work = asyncio.ensure_future(self._store.write(lambda tx: intake.add(tx, [row])))
        self._await(Sent(row, (said,), work))

    def failing_job(self) -> None:
        row, said = self._reply("job")
        self._never.append(said)

        def fails(tx: Tx) -> None:
            intake.add(tx, [row])
            raise ZeroDivisionError

        self._job(asyncio.ensure_future(self._store.write(fails)))

    def _reply(self, lane: str | None) -> tuple[IntakeRow, str]:
        said, conversation = self._text(), self._chance.choice(self._conversations)
        fact = AgentReplied(conversation_id=conversation, agent_id=AgentId("ann"), parts=(Text(said),), key=said)
        return fact_row(self._world.ids.intake(), fact, lane or conversation, self._chance.random() < 0.5), said

    def _job(self, future: asyncio.Future[Any]) -> None:
        self._jobs.add(future)

    def hold(self) -> None:
        """The writer is kept busy: what comes meanwhile shares a commit, and room 2's jobs wait with it."""
        self._gate.set()
        self._gate = gate = threading.Event()
        self._job(asyncio.ensure_future(self._store.write(lambda tx: gate.wait(PATIENCE_S))))

    def go_on(self) -> None:
        self._gate.set()

    def steal(self) -> None:
        """A claim is lost: another one has had the row, and put it back."""
        place = self._chance.randrange(4)
        query = (
            "UPDATE intake SET epoch = epoch + 1, leased_until = 0 WHERE state = 0"
            f" AND id = (SELECT id FROM intake WHERE state = 0 ORDER BY id LIMIT 1 OFFSET {place})"
        )
        self._job(asyncio.ensure_future(self._store.write(lambda tx: _execute(tx, query))))

    def lapse(self) -> None:
        self._world.clock.advance(self._chance.choice((LEASE_S * LEASE_SHARE, LEASE_S)) + 1)

    def commit_fails(self) -> None:
        times = self._chance.choice((1, 1, 3))
        if self._doubtful and self._chance.random() < 0.7:
            self.faults.doubts = times
        else:
            self.faults.commits = times

    def statement_fails(self) -> None:
        self.faults.statements = self._chance.randrange(1, 40)

    # --- what must be true --------------------------------------------------------------------------------------------

    def _check(self) -> None:
        assert not self.wrong, self.wrong
        left = self.ask("SELECT id, lane FROM intake WHERE state = ?", WAITING)
        assert not left, f"never settled: {left}"
        handover = self._world.processor._handover
        assert handover is not None
        assert not handover._unsettled, f"{handover._unsettled} keep what comes from being settled at once"
        accepted = [sent for sent in self._sent if _is_accepted(sent)]
        for sent in accepted:
            assert len(self._ends(sent)) == 1, f"{sent.row} ended as {self._ends(sent)}"
        self._check_texts(accepted)

    def _check_texts(self, accepted: list[Sent]) -> None:
        """Each once, in the order in which those of its lane came; nothing of what was refused."""
        places: dict[str, tuple[str, int]] = {}
        rows = self.ask("SELECT id, conversation_id, seq, content FROM envelope WHERE kind = 'message' ORDER BY seq")
        for id, conversation, seq, content in rows:
            said = codec.decode(content)
            assert isinstance(said.body, Message)
            words = plain_text(said.body)
            assert words not in places, f"{words} twice, the second as {EnvelopeId(id)}"
            places[words] = (conversation, seq)
        refused = {word for sent in self._sent if not _is_accepted(sent) for word in sent.texts}
        stored = (refused | set(self._never)) & places.keys()
        assert self._doubtful or not stored, f"{stored} were refused"
        lanes: dict[tuple[str, str], list[int]] = {}
        for sent in accepted:
            dead = self._ends(sent) == ["dead"]
            for word in sent.texts:
                assert (word in places) is not dead, f"{word} of {sent.row.id}"
                if not dead and sent.row.lane != "job":
                    conversation, seq = places[word]
                    lanes.setdefault((sent.row.lane, conversation), []).append(seq)
        for lane, seqs in lanes.items():
            assert self._doubtful or seqs == sorted(seqs), f"{lane} changed its order"


def _said(item: Item) -> str:
    body = item.envelope.body if item.envelope is not None else None
    return plain_text(body) if isinstance(body, Message) else ""


def _is_accepted(sent: Sent) -> bool:
    error = sent.future.exception()
    assert error is None or isinstance(error, StoreUnavailable)
    return error is None


def _execute(tx: Tx, query: str) -> None:
    tx._connection.exec_driver_sql(query)


WEIGHTS: dict[Callable[[Place], None], float] = {
    Place.frames: 10, Place.webhooks: 6, Place.fact: 4, Place.job: 5, Place.cursed: 1, Place.malformed: 1,
    Place.refused: 1, Place.failing_job: 1, Place.hold: 3, Place.go_on: 3, Place.steal: 1.5, Place.lapse: 0.7,
    Place.commit_fails: 1, Place.statement_fails: 1.5,
}  # fmt: skip
