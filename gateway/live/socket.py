"""One connection of a customer: hears frames in their order, and says what it is told to say.

    new -> bound (its session is known) -> synced (the replay is over) -> closing

Rule: nothing waits for a slow peer. Frames go into the transport's buffer, which is bounded: while the replay lasts
its reader waits for room; afterwards a socket that has none is closed, and resumes later.
Rule: frames that are kept are performed one after the other, in their order; what needs no commit passes them.
Rule: thousands of these are open at once: slots, and no task or timer of its own while nothing happens.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from aiohttp import WSMsgType, web
from msgspec.structs import replace

from adapters.base import Bind, Close, Keep, LiveSession, RawInbound, Relay, Say, Wire
from gateway.directory import Mounted, to_ms
from gateway.live.adapter import Live, Streaming
from gateway.live.lines import ENDED, LAST, Look, Start, leg_of, refusal
from gateway.live.pace import Pace
from gateway.live.talk import Talk
from gateway.store.store import StoreUnavailable
from gateway.streams import Sentence
from gateway.wake import Met
from normalizer.ids import LegId

if TYPE_CHECKING:
    from gateway.live.sockets import Sockets

GOING_AWAY = 1001
UNSUPPORTED = 1003
INTERNAL = 1011
TRY_LATER = 1013
BAD_FRAME = 4400
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
SLOW = 4408
REPLACED = 4409
SESSION_ENDED = 4410
TOO_FAST = 4429

MOST_KEPT = 16
"""Frames of one socket that may wait for their commits; with more it is not read from."""
NOTE = "x-session-note"
REPLAY_SHARE = 4
"""A replay waits while more than this part of the buffer is taken."""


class Socket:
    __slots__ = (
        "_answering", "_closer", "_frames", "_hello", "_issued_at", "_kept", "_marks", "_messages", "_note", "_raw",
        "_sockets", "_transport", "_typing", "adapter", "heard_at", "leaving", "leg", "mounted", "peer", "pinged",
        "sent", "session", "stood", "synced", "talk", "ws",
    )  # fmt: skip

    def __init__(self, sockets: "Sockets", mounted: Mounted, adapter: Live,
                 ws: "web.WebSocketResponse[bool]", transport: asyncio.Transport, raw: RawInbound) -> None:  # fmt: skip
        self._sockets, self.mounted, self.adapter = sockets, mounted, adapter
        self.ws, self._transport = ws, transport
        self._raw: RawInbound | None = raw
        self.peer = raw.peer
        self.heard_at = sockets.clock.monotonic()
        self.pinged = False
        self.leg: LegId | None = None
        self.session: str | None = None
        self._issued_at: datetime | None = None
        self.sent = 0
        """The highest number of the leg's wire that was written."""
        self.stood = 0
        """The highest number of the leg's wire when it was bound."""
        self.synced = False
        self.leaving = False
        self._closer: asyncio.Task[None] | None = None
        self._answering: asyncio.Task[None] | None = None
        self._kept: list[RawInbound] | None = None
        self._hello: asyncio.TimerHandle | None = None
        self._note = ""
        self.talk = Talk(cast(Streaming, adapter)) if adapter.capabilities.streams else None
        """None: nothing is heard here before it is written."""
        self._messages = self._marks = self._typing = self._frames = 0.0

    @property
    def closing(self) -> bool:
        return self._closer is not None or self.ws.closed

    @property
    def listens(self) -> bool:
        """Bound, and there is something that it may be shown."""
        return self.session is not None and not self.closing and self.sent < LAST

    def met(self, line: Wire | None) -> Met:
        if not self.listens:
            return Met.NOBODY
        return Met.LISTENER if self.talk is None or line is None else self.talk.met(line)

    @property
    def issued_ms(self) -> int:
        """When the credential was issued that it was bound with."""
        return to_ms(self._issued_at) if self._issued_at is not None else 0

    @property
    def most_of_session(self) -> int:
        """Sockets of one session that may be open at once."""
        own = self.adapter.limits.sockets_per_session
        return min(own, self._sockets.per_leg) if own is not None else self._sockets.per_leg

    @property
    def buffered(self) -> int:
        """Bytes that the peer has not taken."""
        return self._transport.get_write_buffer_size()

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """From its handshake to its end, whoever ends it."""
        self._sockets.enter(self)
        loop = asyncio.get_running_loop()
        self._hello = loop.call_later(self.adapter.hello_ms / 1000, self.end, UNAUTHENTICATED, "no hello")
        try:
            # Awaited right here: each coroutine in between would be held by every idle socket.
            while await self._heard(*(await self.ws.receive())[:2]):
                pass
        finally:
            self._forget_hello()
            await finished(self._answering)
            await finished(self._closer)
            self._sockets.remove(self)

    async def _heard(self, kind: WSMsgType, data: Any) -> bool:
        """False: it is over."""
        self.heard_at, self.pinged = self._sockets.clock.monotonic(), False
        match kind:
            case WSMsgType.TEXT:
                await self._hear(data)
            case WSMsgType.PING:
                with suppress(ConnectionError):
                    await self.ws.pong(data)
            case WSMsgType.PONG:
                pass
            case WSMsgType.BINARY:
                self.end(UNSUPPORTED, "text only")
            case WSMsgType.CLOSE if self.talk is not None:
                await self._sockets.heard(self.talk.last_words)
                return False
            case _:
                return False
        return True

    async def _hear(self, frame: bytes) -> None:
        """One frame. What comes after the farewell is not taken: its sender keeps it and repeats it elsewhere."""
        if self.leaving or self.closing:
            return
        now = self._sockets.clock.monotonic()
        pace = Pace(self.adapter.limits.frames_per_s, self.adapter.limits.frames_burst)
        if pace.wait_ms(self._frames, now):
            self.end(TOO_FAST, "too many frames")
            return
        self._frames = pace.taken(self._frames, now)
        raw = self._inbound(frame)
        try:
            heard = self.adapter.hear(raw)
        except Exception:  # noqa: BLE001  because no frame may end more than its own socket
            self._sockets.broken(self.mounted, "hear")
            self.end(INTERNAL, "internal")
            return
        match heard:
            case Keep() if self.session is not None:
                await self._keep(raw, now)
            case Say(frame=answer):
                await self.put(answer)
            case Bind() if self.leg is None:
                await self._bind(heard, frame)
            case Relay() if self.session is not None:
                self._relay(now)
            case Close(code=code, reason=reason):
                self.end(code, reason)
            case Keep() | Bind() | Relay():
                self.end(BAD_FRAME, "out of turn")

    def _inbound(self, frame: bytes) -> RawInbound:
        """A bound socket's frames carry its session and no headers: these said who called, and that is settled."""
        id, now = self._sockets.ids.uuid(), self._sockets.clock.now()
        if self._raw is not None:
            return replace(self._raw, id=id, received_at=now, body=frame)
        headers = {NOTE: self._note} if self._note else {}
        return RawInbound(id=id, endpoint_id=self.mounted.id, origin="live", received_at=now, method="GET",
                          headers=headers, body=frame, session=self.session, peer=self.peer)  # fmt: skip

    def _relay(self, now: float) -> None:
        """Nobody watches conversations yet; it is counted, and that is all."""
        if now < self._typing:
            self._sockets.count(self.mounted, "limited")
            return
        self._typing = now + self.adapter.limits.typing_every_s
        self._sockets.count(self.mounted, "relayed")

    # --- keeping ------------------------------------------------------------------------------------------------------

    async def _keep(self, raw: RawInbound, now: float) -> None:
        """To whoever performs them in order. Reading goes on meanwhile, up to a limit."""
        if not await self._in_time(raw, now):
            self._sockets.count(self.mounted, "limited")
            return
        self._sockets.interrupt(self, raw)
        if self._kept is not None:
            self._kept.append(raw)
        else:
            self._kept = [raw]
            self._answering = asyncio.create_task(self._answer(self._kept), name="live-answer")
        if len(self._kept) >= MOST_KEPT:
            await finished(self._answering)

    async def _in_time(self, raw: RawInbound, now: float) -> bool:
        """Frames that are refused aloud are messages. The others (marks of what was read) are dropped in silence, and
        may be: the next one says more."""
        messages = Pace(self.adapter.limits.messages_per_s, self.adapter.limits.messages_burst)
        wait_ms = messages.wait_ms(self._messages, now)
        told = self.adapter.limited(raw, wait_ms)
        if told is None:
            marks = Pace(self.adapter.limits.messages_per_s * 2, self.adapter.limits.messages_burst * 2)
            if marks.wait_ms(self._marks, now):
                return False
            self._marks = marks.taken(self._marks, now)
            return True
        if wait_ms:
            await self.put(told)
            return False
        self._messages = messages.taken(self._messages, now)
        return True

    async def _answer(self, kept: list[RawInbound]) -> None:
        """One after the other, until none is left."""
        try:
            while kept:
                await self.put(await self._kept_answer(kept[0]))
                del kept[0]
        finally:
            self._kept = self._answering = None

    async def _kept_answer(self, raw: RawInbound) -> bytes:
        try:
            await self._sockets.quiet(self)
            return self.adapter.respond(raw, await self._sockets.keep(self.mounted, raw)).body
        except Exception:  # noqa: BLE001  because no frame may end more than its own socket
            self._sockets.broken(self.mounted, "respond")
            self.end(INTERNAL, "internal")
            return b""

    # --- binding ------------------------------------------------------------------------------------------------------

    async def _bind(self, bind: Bind, frame: bytes) -> None:
        """Subscribed first, then read: what is committed in between rings, and is found by its number."""
        self._forget_hello()
        leg = leg_of(self._sockets.directory, self.mounted.id, bind.address, bind.evidence, bind.account,
                     bind.native_thread)  # fmt: skip
        if leg is None:
            self._sockets.broken(self.mounted, "channels")
            self.end(INTERNAL, "internal")
            return
        self.leg, self._issued_at = leg, bind.issued_at
        self._sockets.watch(self)
        try:
            start = await self._sockets.start(leg, bind.since, bind.turns)
        except StoreUnavailable:
            self.end(TRY_LATER, "try later")
            return
        if not self.closing and not self._refused(start):
            await self._greet(bind, start)
            if bind.keep:
                await self._keep(self._inbound(frame), self._sockets.clock.monotonic())

    async def _greet(self, bind: Bind, start: Start) -> None:
        self._sockets.make_room(self)
        if self.talk is not None:
            self.talk.turns, self.talk.note, self.talk.asked = bind.turns, bind.note, start.asked
        self.session, self._raw, self._note = bind.address.value, None, bind.note
        conversation = start.leg.conversation_id if start.leg is not None else None
        view = LiveSession(address=bind.address, conversation_id=conversation, head=start.head, oldest=start.oldest)
        for frame in self.adapter.greet(view, self._sockets.clock.now()):
            await self.put(frame)
        self.stood = start.head
        # Who says that he saw more than there is gets nothing twice, and what will come.
        self.sent = max(min(bind.resume_from or 0, start.head), start.oldest - 1, start.passed)
        if bind.since is not None and bind.since > self._sockets.clock.now():
            self.sent = LAST
        self._sockets.mark(self)

    def _refused(self, found: Start | Look) -> bool:
        assert self._issued_at is not None
        why = refusal(found.leg, self._issued_at, self._sockets.clock.now())
        if why is not None:
            self.end(SESSION_ENDED if why == ENDED else UNAUTHENTICATED, "the session is over")
        return why is not None

    def _forget_hello(self) -> None:
        if self._hello is not None:
            self._hello.cancel()
            self._hello = None

    # --- showing ------------------------------------------------------------------------------------------------------

    @property
    def has_room(self) -> bool:
        """False: a replay is read no further for now. A live socket has to keep up."""
        return self.synced or self.buffered <= self._sockets.buffer_bytes // REPLAY_SHARE

    async def take(self, look: Look) -> None:
        """What was found beyond `sent`."""
        if self.closing or self._refused(look):
            return
        for line, frame in look.frames:
            if not self.has_room:
                self._sockets.mark_later(self)
                return
            if frame and not await self._sockets.record(self, line):
                self._sockets.mark_later(self)
                return
            if not await self._put_all(self._frames_of(line, frame)):
                return
            self.sent = line.seq
        if look.more:
            self._sockets.mark(self)
        elif not self.synced:
            self.synced = True
            await self.put(self.adapter.synced(self.sent))

    def _frames_of(self, line: Wire, frame: bytes | None) -> Sequence[bytes]:
        if self.talk is not None:
            return self.talk.shows(line, frame, partial(self._sockets.shown, self))
        return () if frame is None else (frame,)

    async def hear_of(self, sentence: Sentence) -> bool:
        """Of an answer that is being written."""
        talk = self.talk
        if talk is None or not self.synced or not self.listens or not talk.follows(sentence):
            return False
        return await self._put_all(talk.hears(sentence))

    async def _put_all(self, frames: Sequence[bytes]) -> bool:
        for frame in frames:
            if not await self.put(frame):
                return False
        return True

    async def put(self, frame: bytes) -> bool:
        """Written, without waiting for the peer. False: it is closed, perhaps because there was no room."""
        if self.closing:
            return False
        if not frame:
            return True
        buffered = self.buffered
        if buffered and buffered + len(frame) > self._sockets.buffer_bytes:
            self.end(SLOW, "too slow")
            return False
        try:
            await self.ws.send_frame(frame, WSMsgType.TEXT)
        except ConnectionError:
            return False
        return True

    # --- liveness and the end -----------------------------------------------------------------------------------------

    async def ping(self) -> None:
        self.pinged = True
        if not self.closing:
            with suppress(ConnectionError):
                await self.ws.ping()

    async def leave(self, reconnect_after_ms: int) -> None:
        """We stop: what was kept is answered, then farewell."""
        self.leaving = True
        await finished(self._answering)
        if self.session is not None:
            before = self.talk.broken_off() if self.talk is not None else []
            await self._put_all([*before, self.adapter.farewell(reconnect_after_ms)])
        self.end(GOING_AWAY, "going away")

    def end(self, code: int, reason: str) -> None:
        """Closed with this code, as soon as its peer takes it."""
        if not self.closing:
            self._sockets.ended(self, code)
            self._closer = asyncio.create_task(self._close(code, reason), name="live-close")

    async def _close(self, code: int, reason: str) -> None:
        try:
            await self.ws.close(code=code, message=reason.encode(), drain=False)
        finally:
            if self.buffered or not self._transport.is_closing():
                self._transport.abort()


async def finished(task: "asyncio.Task[None] | None") -> None:
    """Waits for it, and does not end it when nobody waits any more."""
    if task is not None:
        await asyncio.wait([task])
