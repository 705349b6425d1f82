"""All live sockets of this process: who is there, what they are shown, and how they leave.

Rule: one reader serves all of them. Whoever may have something to see is marked; many are read for in one
transaction; one page each, so that a long replay keeps nobody waiting.
Rule: a wake-up may be lost. The sweeper compares the numbers of all legs with what was sent, every few seconds.
Rule: at a stop every socket hears the farewell and is closed with 1001, and all are gone before the rooms stop.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any

from msgspec.structs import replace

from adapters.base import LiveLimits, Outcome, RawInbound, Wire
from gateway.core import Core
from gateway.directory import Mounted
from gateway.live.lines import Look, Start, goes_out, look, media_urls, start, went_out
from gateway.live.socket import GOING_AWAY, INTERNAL, REPLACED, Socket
from gateway.observe import lines
from gateway.store.heads import Head, heads
from gateway.store.store import StoreUnavailable
from gateway.store.tx import Tx
from gateway.streams import Sentence
from gateway.wake import Met
from normalizer.envelope import Envelope
from normalizer.ids import EnvelopeId, LegId
from router.decide import asks_for_something, interrupts

PAGE_LINES = 50
READ_TOGETHER = 32
"""Sockets that one transaction reads for."""
RETRY_S = 0.5
"""Pause after trouble of the database."""
DRAINING_LOOK_S = 0.05
"""How often a replay looks whether its slow peer has room again."""
QUIET_S = 0.25
"""How long a frame may be held back until what it interrupted is stored."""
POLL_S = 5.0
POLL_LEGS = 500
SILENT_TIMES = 2.5
"""A socket that was silent for so many times `socket_idle_ms`, though it was pinged, is dead."""
LATE = Outcome(error="late")


class Sockets:
    def __init__(self, core: Core) -> None:
        self._core = core
        self.clock, self.ids, self.directory = core.clock, core.ids, core.directory
        self.buffer_bytes = core.config.server.socket_buffer_bytes
        self.per_leg = core.config.server.max_sockets_per_leg
        self._idle_s = core.config.server.socket_idle_ms / 1000
        self._all: set[Socket] = set()
        self._peers: Counter[str] = Counter()
        self._legs: dict[LegId, Leg] = {}
        self._marked: dict[Socket, None] = {}
        self._later: dict[Socket, None] = {}
        self._bell = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._gone = asyncio.Event()
        self._log = lines("live")
        self._flashing: set[asyncio.Task[None]] = set()
        core.wake.listen(self._woken)
        core.wake.streams.shown_by(self.hear_of)

    # --- who is there -------------------------------------------------------------------------------------------------

    def full(self, limits: LiveLimits, peer: str) -> bool:
        most = limits.sockets_per_peer
        return len(self._all) >= self._core.config.server.max_sockets or (
            most is not None and self._peers[peer] >= most
        )

    def enter(self, socket: Socket) -> None:
        self._start()
        self._all.add(socket)
        self._peers[socket.peer] += 1
        self._core.metrics.live_sockets.labels(socket.mounted.id).inc()

    def remove(self, socket: Socket) -> None:
        self._core.metrics.live_sockets.labels(socket.mounted.id).dec()
        self._all.discard(socket)
        self._peers[socket.peer] -= 1
        if not self._peers[socket.peer]:
            del self._peers[socket.peer]
        self._marked.pop(socket, None)
        self._later.pop(socket, None)
        leg = self._legs.get(socket.leg) if socket.leg is not None else None
        if leg is not None:
            leg.sockets.remove(socket)
            if not leg.sockets:
                self._forget(leg)
        if not self._all:
            self._gone.set()

    def watch(self, socket: Socket) -> None:
        """From here on it is marked whenever its leg's bell rings."""
        assert socket.leg is not None
        leg = self._legs.get(socket.leg)
        if leg is None:
            leg = self._legs[socket.leg] = Leg(socket.leg)
        leg.sockets.append(socket)

    def _woken(self, id: LegId, frame: bytes, line: Wire | None) -> Met:
        leg = self._legs.get(id)
        if leg is None:
            return Met.NOBODY
        if frame:
            task = asyncio.create_task(self.flash(id, frame), name="live-flash")
            self._flashing.add(task)
            task.add_done_callback(self._flashing.discard)
        else:
            self._rung(leg)
        return max((socket.met(line) for socket in leg.sockets), default=Met.NOBODY)

    def _rung(self, leg: "Leg") -> None:
        for socket in leg.sockets:
            if socket.session is not None:
                self.mark(socket)

    def _forget(self, leg: "Leg") -> None:
        del self._legs[leg.id]

    def make_room(self, newest: Socket) -> None:
        """A person has so many tabs and devices at once; the one that was opened first gives way."""
        assert newest.leg is not None
        others = [one for one in self._legs[newest.leg].sockets if one is not newest and not one.closing]
        for oldest in others[: max(0, len(others) + 1 - newest.most_of_session)]:
            oldest.end(REPLACED, "replaced")

    # --- what sockets ask for -----------------------------------------------------------------------------------------

    async def start(self, leg: LegId, since: datetime | None, turns: str) -> Start:
        return await self._core.store.read(partial(start, leg=leg, since=since, turns=turns))

    async def heard(self, lines: Sequence[EnvelopeId]) -> None:
        """These went out, although their sends will find nobody there any more."""
        if lines:
            with suppress(StoreUnavailable):
                await self._core.store.write(partial(went_out, lines=lines))

    async def record(self, socket: Socket, line: Wire) -> bool:
        """It goes out now, where that must be known before. False: it can not be stored."""
        if socket.leg is None or socket.talk is None or not socket.talk.is_once(line):
            return True
        try:
            await self._core.store.write(partial(goes_out, leg=socket.leg, line=line.envelope.id))
        except StoreUnavailable:
            return False
        return True

    async def keep(self, mounted: Mounted, raw: RawInbound) -> Outcome | None:
        """Durable and settled, or `late`; None: not known to be durable."""
        if self._core.disk_full():
            self.count(mounted, "disk_full")
            return None
        try:
            outcome = await self._core.receiver.receive(raw, outcome_ms=self._core.config.server.frame_outcome_ms)
        except StoreUnavailable:
            self.count(mounted, "unavailable")
            return None
        self.count(mounted, "kept")
        return LATE if outcome is None else outcome

    def count(self, mounted: Mounted, verdict: str) -> None:
        self._core.metrics.received.labels(mounted.id, verdict).inc()

    def broken(self, mounted: Mounted, method: str) -> None:
        """An adapter did what it should not."""
        self._core.metrics.adapter_errors.labels(mounted.id, method).inc()
        self._log.exception("adapter failed", endpoint_id=mounted.id, method=method)

    def ended(self, socket: Socket, code: int) -> None:
        self._core.metrics.live_closed.labels(str(code)).inc()
        self._marked.pop(socket, None)

    # --- what they are shown ------------------------------------------------------------------------------------------

    def mark(self, socket: Socket) -> None:
        """There may be something to see."""
        self._marked[socket] = None
        self._bell.set()

    def mark_later(self, socket: Socket) -> None:
        """The same, once its peer has had time to read."""
        if not self._later:
            asyncio.get_running_loop().call_later(DRAINING_LOOK_S, self._again)
        self._later[socket] = None

    def _again(self) -> None:
        self._marked |= self._later
        self._later.clear()
        self._bell.set()

    async def flash(self, leg: LegId, frame: bytes) -> None:
        """Shown once to who is there now, stored nowhere (typing)."""
        found = self._legs.get(leg)
        for socket in list(found.sockets) if found is not None else ():
            if socket.synced:
                await socket.put(frame)

    def stored(self, leg: LegId, envelope: Envelope) -> None:
        """It came in over the leg and was committed just now: who is over by it is so before it can be read."""
        found = self._legs.get(leg)
        for socket in found.sockets if found is not None else ():
            if socket.talk is not None and socket.session is not None:
                try:
                    socket.talk.learns(envelope)
                except Exception:  # noqa: BLE001  because a room must not end with it
                    self.broken(socket.mounted, "ends")

    async def hear_of(self, leg: LegId, sentence: Sentence) -> bool:
        """Of an answer that is being written. False: nobody heard it."""
        found, heard = self._legs.get(leg), False
        for socket in list(found.sockets) if found is not None else ():
            try:
                heard = await socket.hear_of(sentence) or heard
            except Exception:  # noqa: BLE001  because one socket must not end an answer that others hear
                self.broken(socket.mounted, "partial")
                socket.end(INTERNAL, "internal")
        return heard

    def interrupt(self, socket: Socket, raw: RawInbound) -> None:
        """A frame that is about to be kept: who speaks or interrupts does not want to hear the rest."""
        talk, streams = socket.talk, self._core.wake.streams
        if talk is None or socket.leg is None or (talk.is_spoken_to and not streams.heard(socket.leg)):
            return
        for one in self._read_now(socket, raw):
            talk.says(one)
            if asks_for_something(one) or interrupts(one):
                streams.cut(socket.leg)

    def _read_now(self, socket: Socket, raw: RawInbound) -> Sequence[Envelope]:
        try:
            return socket.adapter.parse(raw)
        except Exception:  # noqa: BLE001  because what can not be read is room 2's to bury
            return ()

    async def quiet(self, socket: Socket) -> None:
        """What was interrupted is stored first, as far as it was heard: what follows is said after it."""
        cut = [stream for stream in self._core.wake.streams.heard(socket.leg or LegId("")) if stream.cut]
        if cut:
            with suppress(TimeoutError):
                async with asyncio.timeout(QUIET_S):
                    await asyncio.gather(*(stream.over.wait() for stream in cut))

    async def _read(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            while batch := self._batch():
                try:
                    looks = await self._core.store.read(partial(self._looks, batch=batch))
                except StoreUnavailable:
                    self._marked |= dict.fromkeys(batch)
                    await asyncio.sleep(RETRY_S)
                    continue
                for socket, found in zip(batch, looks, strict=True):
                    await self._give(socket, found)

    async def _give(self, socket: Socket, found: Look) -> None:
        try:
            await socket.take(found)
        except Exception:  # noqa: BLE001  because one socket must not end the reader of all
            self.broken(socket.mounted, "synced")
            socket.end(INTERNAL, "internal")

    def _batch(self) -> list[Socket]:
        taken = list(islice(self._marked, READ_TOGETHER))
        for socket in taken:
            del self._marked[socket]
            if not socket.has_room:
                self.mark_later(socket)
        return [socket for socket in taken if socket not in self._later and not socket.closing]

    def _looks(self, tx: Tx, batch: list[Socket]) -> list[Look]:
        return [self._look(tx, socket) for socket in batch]

    def _look(self, tx: Tx, socket: Socket) -> Look:
        assert socket.leg is not None
        show = partial(self._shown, socket)
        return look(tx, socket.leg, socket.sent, PAGE_LINES, show, partial(media_urls, self._core))

    def _shown(self, socket: Socket, line: Wire) -> bytes | None:
        """What the socket has heard of already it shows itself: only there it is known how far, by then."""
        known = socket.talk is not None and socket.talk.knows(line.envelope.id)
        return None if known else self.shown(socket, line)

    def shown(self, socket: Socket, line: Wire) -> bytes | None:
        try:
            return socket.adapter.show(replace(line, again=True) if line.seq <= socket.stood else line)
        except Exception:  # noqa: BLE001  because one line must not hide those behind it
            self.broken(socket.mounted, "show")
            return None

    # --- now and then -------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        looked = self.clock.monotonic()
        while True:
            await asyncio.sleep(min(self._idle_s / 4, POLL_S))
            await self._ping_silent()
            if self.clock.monotonic() - looked >= POLL_S:
                looked = self.clock.monotonic()
                await self.poll()

    async def _ping_silent(self) -> None:
        now = self.clock.monotonic()
        for socket in list(self._all):
            silent = now - socket.heard_at
            if silent > self._idle_s * SILENT_TIMES:
                socket.end(GOING_AWAY, "silent")
            elif silent > self._idle_s and not socket.pinged:
                await socket.ping()

    async def poll(self) -> None:
        """Marks whoever is behind, or should not be there any more, without having been woken."""
        legs = list(self._legs)
        for place in range(0, len(legs), POLL_LEGS):
            try:
                found = await self._core.store.read(partial(heads, legs=legs[place : place + POLL_LEGS]))
            except StoreUnavailable:
                return
            for head in found:
                self._compare(head)

    def _compare(self, head: Head) -> None:
        leg = self._legs.get(head.id)
        for socket in leg.sockets if leg is not None else ():
            if socket.session is not None and (socket.sent < head.wire_head or socket.issued_ms < head.valid_from):
                self.mark(socket)

    # --- beginning and end --------------------------------------------------------------------------------------------

    def _start(self) -> None:
        if not self._tasks:
            self._tasks = [self._run(self._read, "live-read"), self._run(self._sweep, "live-sweep")]

    def _run(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work(), name=name)
        task.add_done_callback(self._died)
        return task

    def _died(self, task: asyncio.Task[None]) -> None:
        """Nobody would be shown anything any more: all are closed, and the next one starts it anew."""
        if task.cancelled() or task.exception() is None:
            return
        self._log.error("task died", task=task.get_name(), exc_info=task.exception())
        self._cancel()
        for socket in list(self._all):
            socket.end(INTERNAL, "internal")

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    async def close_all(self) -> None:
        """Until all are gone; no longer than a stop may take. The caller has seen to it that no new ones come."""
        after_ms = self._core.config.server.reconnect_after_ms
        leaving = [socket.leave(self._spread(after_ms)) for socket in self._all]
        if leaving:
            self._gone.clear()
            self._log.info("sockets leave", sockets=len(leaving))
            try:
                async with asyncio.timeout(self._core.config.server.drain_timeout_ms / 1000):
                    await asyncio.gather(*leaving)
                    await self._gone.wait()
            except TimeoutError:
                self._log.warning("sockets were left behind", sockets=len(self._all))
        self._cancel()

    def _spread(self, after_ms: int) -> int:
        """Not all of them at once."""
        return after_ms + round(after_ms * self.ids.fraction())


class Leg:
    """A leg that somebody looks at, in one or several tabs."""

    __slots__ = ("id", "sockets")

    def __init__(self, id: LegId) -> None:
        self.id = id
        self.sockets: list[Socket] = []
