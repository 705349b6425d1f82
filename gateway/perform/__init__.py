"""ROOM 3: performs commands. One commit before a call that has an outside effect, one after it with what re-enters.

Rule: the sends of a leg wait for each other; everything else runs beside them, bounded by `concurrency`.
Rule: a call is made only while the lease outlasts its time limit. What is found in `sending` was interrupted: in doubt.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from msgspec import Struct

from adapters.base import Refused, SendError, Throttled, Unavailable
from gateway.clock import Clock, Ids
from gateway.directory import Directory
from gateway.perform import doubt, fetched, verdict
from gateway.perform.ask import Asker, decode
from gateway.perform.batcher import Batcher
from gateway.perform.begin import Ready, begin
from gateway.perform.calls import NO_CHANNEL, Calls
from gateway.perform.outcome import write_fact, write_sent, write_settled
from gateway.perform.stream import Speaker, unasked
from gateway.store import outbox
from gateway.store.outbox import Held, Settled
from gateway.store.reads import get_leg
from gateway.store.schema import DOUBT, DUE, FAILED
from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx
from gateway.transport import RateLimiter, RetryPolicy
from gateway.wake import Wake
from normalizer.envelope import MediaRef
from normalizer.ids import ChannelId
from router.commands import Command, FetchMedia, Mark
from router.events import AiAnswered, AiGaveUp, Fact

KINDS = ("send", "mark", "ask_ai", "fetch_media")
_decode = msgspec.json.Decoder(Command).decode
GATHER_S = 0.002
"""While calls are under way, those that end within this time are followed up by one look at the outbox."""
BLOCKED_MS = 100
"""How soon is looked again while a send is due that waits for the one before it."""


class PerformSettings(Struct, frozen=True, kw_only=True):
    concurrency: int = 64
    lease_ms: int = 30_000
    poll_ms: int = 1_000
    ordered_wait_ms: int = 3_000
    throttle_max_s: float = 900.0
    """A provider may stop a whole channel for so long and no longer."""
    retry: RetryPolicy = RetryPolicy()


class Performed(Struct, frozen=True):
    """For logs and counters."""

    held: Held
    outcome: str
    """`sent`, `found`, `done`, `answered`, `gave_up`, `superseded`, `doubt`, `defect`, or the code of the error."""
    state: int | None = None
    """After an error: due again, in doubt, or one of the ends."""
    seconds: float | None = None
    """What the call took, where there was one."""


class Performer:
    """`report` hears of every command's outcome; `owner` names this process in leases."""

    def __init__(
        self,
        store: Store,
        calls: Calls,
        asker: Asker | None,
        limiter: RateLimiter,
        clock: Clock,
        ids: Ids,
        wake: Wake,
        settings: PerformSettings,
        owner: str,
        report: Callable[[Performed], None],
    ) -> None:
        self._store, self._calls, self._asker, self._limiter = store, calls, asker, limiter
        self._clock, self._ids, self._wake, self._settings = clock, ids, wake, settings
        self._owner, self._listener = owner, report
        self._speaker = Speaker(store, asker, wake.streams) if asker is not None else None
        self._batcher = Batcher(store)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running = self._stopping = False
        self._looked = 0
        """When something to do was last looked for."""
        self._next_due: int | None = None
        """When something is due, as it was then."""
        self._handed: deque[Held] = deque()
        """Leased to us by room 2's commit, not started yet."""
        wake.starts(self._hand)

    @property
    def directory(self) -> Directory:
        return self._calls.directory

    def stop(self) -> None:
        """Finishes what is claimed, then `run` returns."""
        self._stopping = True
        self._wake.outbox.ring()

    def _hand(self, held: list[Held]) -> None:
        """Started at once where there is room: somebody may be on the line, and the round under way takes its time."""
        free = self._settings.concurrency - len(self._tasks) if self._running and not self._stopping else 0
        for one in held[: max(0, free)]:
            self._task(one, self._work(one, self._wake.streams.rings))
        if waiting := held[max(0, free) :]:
            self._handed += waiting
            self._wake.outbox.ring()

    async def run(self) -> None:
        self._running = True
        while not self._stopping:
            if not await self._round():
                await self._wake.outbox.wait(self._pause_s())
                if self._tasks and not self._handed:
                    # What ends together is looked after together.
                    await asyncio.sleep(GATHER_S)
        await self._finish()

    async def drain(self) -> None:
        """Until nothing is due. For tests."""
        while await self._round() or self._tasks:
            await self._finish()

    async def _finish(self) -> None:
        while self._tasks:
            done, self._tasks = self._tasks, set()
            await asyncio.gather(*done)

    def _pause_s(self) -> float:
        if len(self._tasks) >= self._settings.concurrency:
            return self._settings.poll_ms / 1000
        due = self._next_due
        wait_ms = self._settings.poll_ms if due is None else due - self._store.now()
        # What was due when we looked and was not claimed waits for an earlier send of its leg.
        least_ms = BLOCKED_MS if due is not None and due <= self._looked else 1
        return max(least_ms, min(wait_ms, self._settings.poll_ms)) / 1000

    async def _round(self) -> bool:
        """Starts what is due. False: there was nothing, or there is no room for more."""
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()
        if self._asker is not None:
            self._asker.breaker.look()
        free = self._settings.concurrency - len(self._tasks)
        if free <= 0:
            return False
        handed = [self._handed.popleft() for _ in range(min(free, len(self._handed)))]
        self._looked = self._store.now()
        try:
            await self._start(handed)
            if len(handed) == free:
                return True
            held = await self._store.write(lambda tx: self._claim(tx, free - len(handed)))
            await self._start(held)
        except StoreUnavailable:
            self._next_due = None
            return False
        return bool(held or handed)

    def _claim(self, tx: Tx, most: int) -> list[Held]:
        held = outbox.claim(tx, self._owner, KINDS, lease_ms=self._settings.lease_ms, most=most)
        self._next_due = None if held else outbox.next_due(tx)
        return held

    async def _start(self, held: list[Held]) -> None:
        await self._start_sends([one for one in held if one.kind == "send"])
        for one in held:
            if one.kind in ("ask_ai", "fetch_media", "mark"):
                self._task(one, self._work(one))

    def _work(self, held: Held, rings: int = -1) -> Coroutine[Any, Any, None]:
        match held.kind:
            case "ask_ai":
                return self._ask(held, rings)
            case "fetch_media":
                return self._fetch(held)
            case _:
                return self._mark(held)

    def _task(self, held: Held, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._guarded(held, work))
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        """One that failed stays for the round, which fails with it."""
        was_full = len(self._tasks) >= self._settings.concurrency
        if not task.cancelled() and task.exception() is None:
            self._tasks.discard(task)
        if was_full or self._handed or task in self._tasks:
            self._wake.outbox.ring()

    def _report(self, performed: Performed) -> None:
        """A send may have been what the next one waited for, and what is to be tried again is due at its own time."""
        if performed.held.kind == "send" or performed.state in (DUE, DOUBT):
            self._wake.outbox.ring()
        self._listener(performed)

    async def _guarded(self, held: Held, work: Coroutine[Any, Any, None]) -> None:
        """A defect (an adapter's, an engine's) costs this command alone: repeated by its own count, then failed."""
        try:
            await work
        except Exception as error:  # noqa: BLE001  because one command must not stop the room
            settled = self._defect(held, type(error).__name__)
            if held.kind == "ask_ai" and settled.state == FAILED:
                await self._unasked(held, f"the AI engine failed ({type(error).__name__})", "defect")
                return
            await self._settle(held, settled, "defect")

    async def _settle(self, held: Held, settled: Settled, outcome: str, took: float | None = None, *,
                      is_missed: bool = True) -> None:  # fmt: skip
        """After an error."""
        await self._batcher.put(lambda tx: write_settled(tx, [(held, settled)], self._ids.intake, is_missed=is_missed))
        self._report(Performed(held, outcome, settled.state, took))

    def _defect(self, held: Held, name: str) -> Settled:
        now, capabilities = self._store.now(), self._calls.capabilities(held.channel_id)
        if held.state == DOUBT:
            return self._unanswered(held, Refused(name))
        if held.kind == "send" and not capabilities.live:
            return verdict.in_doubt(held, capabilities, now, name)
        tried = held if held.kind == "send" else held._replace(attempts=held.attempts + 1)
        policy, jitter = self._settings.retry, self._ids.fraction()
        return verdict.after_error(tried, Unavailable(name), NO_CHANNEL, policy, now, jitter)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def _start_sends(self, sends: list[Held]) -> None:
        doubts = [held for held in sends if held.state != DUE]
        if doubts:
            await self._settle_doubts(doubts)
        due = await self._admitted([held for held in sends if held.state == DUE])
        if not due:
            return
        ready = await self._store.write(
            lambda tx: begin(tx, due, self.directory, self._settings.lease_ms, self._ids.intake)
        )
        begun = {begun_one.held.n for begun_one in ready}
        for held in due:
            if held.n not in begun:
                self._report(Performed(held, "superseded"))
        for begun_one in ready:
            self._task(begun_one.held, self._send(begun_one))

    async def _settle_doubts(self, doubts: list[Held]) -> None:
        unread_ms, number = self._settings.poll_ms, self._ids.intake
        settling = await self._store.write(lambda tx: doubt.settle(tx, doubts, self._calls, unread_ms, number))
        for held, settled in settling.settled:
            self._report(Performed(held, "doubt", settled.state))
        for ready in settling.sought:
            self._task(ready.held, self._look(ready))

    async def _look(self, ready: Ready) -> None:
        """The provider's list may tell what no echo did."""
        held, outcomes = ready.held, list[Settled | None]()
        try:
            found = await self._calls.find(ready, self._clock.now())
        except SendError as error:
            self._penalize(held, error)
            await self._settle(held, self._unanswered(held, error), error.code)
            return
        await self._batcher.put(lambda tx: outcomes.append(doubt.write_found(tx, ready, found, self._ids.intake)))
        left = outcomes[-1]
        self._report(Performed(held, "found") if left is None else Performed(held, "doubt", left.state))

    def _unanswered(self, held: Held, error: SendError) -> Settled:
        careful = doubt.is_careful(held)
        now, jitter = self._store.now(), self._ids.fraction()
        return verdict.unanswered(held, error, careful, self._settings.retry, now, jitter)

    async def _admitted(self, sends: list[Held]) -> list[Held]:
        """Those that the provider's limits let through now; the others are due when they will be."""
        now, waits = self._clock.monotonic(), []
        admitted: list[Held] = []
        for held in sends:
            # By its conversation: threads of one room are legs of their own, and one recipient to the provider.
            wait = self._limiter.admit(held.channel_id or ChannelId(""), held.conversation_id, now)
            if wait is None:
                admitted.append(held)
            else:
                waits.append((self._store.now() + max(1, round(wait * 1000)), held.n, held.epoch))
        if waits:
            await self._store.write(lambda tx: outbox.give_back(tx, waits))
        return admitted

    async def _send(self, ready: Ready) -> None:
        held, began = ready.held, self._clock.monotonic()
        try:
            sent = await self._calls.send(ready, self._clock.now())
        except SendError as error:
            await self._refused(ready, error, self._clock.monotonic() - began)
            return
        took = self._clock.monotonic() - began
        now, capabilities = self._store.now(), self._calls.capabilities(held.channel_id)
        wait = 0 if capabilities.ordered else self._settings.ordered_wait_ms
        settled = verdict.next_step(held, now, wait) if sent.more else verdict.done(held, now)
        await self._batcher.put(lambda tx: write_sent(tx, held, settled, sent.external_ids, self._ids.intake))
        self._report(Performed(held, "sent", seconds=took))

    async def _refused(self, ready: Ready, error: SendError, took: float) -> None:
        held = ready.held
        self._penalize(held, error)
        capabilities = self._calls.capabilities(held.channel_id)
        settled = verdict.after_error(held, error, capabilities, self._settings.retry, self._store.now(),
                                      self._ids.fraction())  # fmt: skip
        await self._settle(held, settled, error.code, took, is_missed=not verdict.has_left(error, capabilities))

    def _penalize(self, held: Held, error: SendError) -> None:
        if isinstance(error, Throttled):
            until = self._clock.monotonic() + min(error.retry_after_s or 1.0, self._settings.throttle_max_s)
            recipient = held.conversation_id if error.scope == "recipient" else None
            self._limiter.penalize(held.channel_id or ChannelId(""), recipient, until)
        if isinstance(error, verdict.STOPS):
            until = self._clock.monotonic() + verdict.STOPPED_MS / 1000
            self._limiter.penalize(held.channel_id or ChannelId(""), None, until)

    # --- the others ---------------------------------------------------------------------------------------------------

    async def _ask(self, held: Held, rings: int) -> None:
        if self._asker is None or self._speaker is None:
            await self._unasked(held, "there is no AI engine", "gave_up")
            return
        command, began = decode(held.payload), self._clock.monotonic()
        if command.speak_at is None:
            await self._answered(held, await self._asker.ask(held, command), began)
            return
        with self._wake.streams.opened(self._speaker.stream(held)) as stream:
            await self._answered(held, await self._speaker.speak(held, command, stream, rings), began)

    async def _unasked(self, held: Held, reason: str, outcome: str) -> None:
        """Nobody will answer it: whoever waits is served by people."""
        if (fact := unasked(held, reason)) is not None:
            await self._tell(held, fact, outcome)
            return
        await self._settle(held, verdict.failed(held, self._store.now(), reason), outcome)

    async def _answered(self, held: Held, fact: AiAnswered | AiGaveUp | None, began: float) -> None:
        took = self._clock.monotonic() - began
        if fact is not None:
            await self._tell(held, fact, "answered" if isinstance(fact, AiAnswered) else "gave_up", took)
            return
        settled = verdict.superseded(held, self._store.now(), "a newer turn, or another holder")
        await self._settle(held, settled, "superseded", took)

    async def _tell(self, held: Held, fact: Fact, outcome: str, took: float | None = None) -> None:
        settled, number = verdict.done(held, self._store.now()), self._ids.intake()
        await self._batcher.put(lambda tx: write_fact(tx, settled, number, fact, held.conversation_id))
        self._report(Performed(held, outcome, seconds=took))

    async def _mark(self, held: Held) -> None:
        """A courtesy: worth one more try, and no worry."""
        command = _decode(held.payload)
        assert held.leg_id is not None
        leg_id = held.leg_id
        leg = await self._store.read(lambda tx: get_leg(tx, leg_id))
        settled, outcome = verdict.done(held, self._store.now()), "done"
        if leg is not None and isinstance(command, Mark):
            try:
                await self._calls.mark(held.channel_id, leg, command.external_id, command.typing, self._clock.now())
            except SendError as error:
                settled, outcome = verdict.failed(held, self._store.now(), error.code), error.code
        await self._batcher.put(lambda tx: outbox.settle_many(tx, [settled]))
        self._report(Performed(held, outcome))

    async def _fetch(self, held: Held) -> None:
        command = _decode(held.payload)
        assert isinstance(command, FetchMedia)
        media = await self._store.read(lambda tx: fetched.media_of(tx, command))
        if media is None or media.stored is not None:
            await self._batcher.put(lambda tx: outbox.settle_many(tx, [verdict.done(held, tx.now())]))
            return
        try:
            got = await self._calls.fetch(held.channel_id, media, self._clock.now())
        except SendError as error:
            await self._not_fetched(held, command, media, error)
            return
        kept = msgspec.structs.replace(media, stored=got.stored, sniffed=got.mime, size=got.size)
        await self._tell(held, fetched.stored(held, command, kept), "stored")

    async def _not_fetched(self, held: Held, command: FetchMedia, media: MediaRef, error: SendError) -> None:
        """Tried again while there is hope; the message stands in any case."""
        tried = held._replace(attempts=held.attempts + 1)
        policy = msgspec.structs.replace(self._settings.retry, repeat_uncertain=True)
        settled = verdict.after_error(
            tried, fetched.certain(error), NO_CHANNEL, policy, self._store.now(), self._ids.fraction()
        )
        if settled.state == DUE:
            await self._settle(held, settled, error.code)
            return
        lost = msgspec.structs.replace(media, failed=error.code)
        await self._tell(held, fetched.stored(held, command, lost), error.code)
