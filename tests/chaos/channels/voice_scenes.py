"""Every type of what a call brings, each in a call of its own, on numbers that are furnished differently."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Dialling, Gathering, Queued, RecordingIt, Relaying
from adapters.twilio_voice.simulator_relay import Ended, Relay
from normalizer.address import Scheme
from normalizer.envelope import (
    CallEvent,
    ChoiceMade,
    Edit,
    Envelope,
    Evidence,
    Message,
    Text,
    Unsupported,
    Voice,
)
from tests.chaos.channels.line import Scene

if TYPE_CHECKING:
    from tests.chaos.channels.voice import Voice as Line

LOOK_S, PATIENCE_S = 0.01, 12.0
TURNS, DESK, QUEUE, STREAMS = "turns", "desk", "queue", "streams"
FURNISHED: dict[str, tuple[str, dict[str, Any]]] = {
    TURNS: ("+15550003333", {"mode": "gather"}),
    DESK: ("+15550004444", {"human_number": "+15559990000"}),
    QUEUE: ("+15550005555", {"queue": "support"}),
    STREAMS: ("+15550006666", {"media_stream": True}),
}
CALL = re.compile(r"CA[0-9a-f]{32}")
Script = Callable[[Call], Awaitable[None]]
Becomes = Callable[[Envelope], bool]


def furnish(line: Line) -> None:
    for id, (number, settings) in FURNISHED.items():
        line.twilios[id], line.settings[id] = line.number(id, number), settings


def scenes(line: Line) -> Sequence[Scene]:
    line.record.unheard |= {"[voice]", "a message", "Please call me back", "by gather", "42"}
    return _Scenes(line).all()


class _Scenes:
    def __init__(self, line: Line) -> None:
        self.line = line
        self._number = 0
        self._calls: dict[Callable[[], None], str] = {}
        """By what plays them."""

    def all(self) -> list[Scene]:
        found = [*self._talks(), *self._frames(), *self._ends(), *self._people(), *self._turn_by_turn(),
                 *self._streams()]  # fmt: skip
        return [replace(one, becomes=partial(self._of_its_call, one)) for one in found]

    def _of_its_call(self, scene: Scene, one: Envelope) -> bool:
        """What the calls before left behind is none of this one's."""
        named = [one.external_id or "", *one.dedupe_keys, one.body.call if isinstance(one.body, CallEvent) else ""]
        calls = {found[0] for name in named if (found := CALL.match(name))}
        return calls <= {self._calls.get(scene.play)} and scene.becomes(one)

    def _talks(self) -> list[Scene]:
        return [
            Scene("it rings", self._call(self._waits), event("ringing")),
            Scene("the relay begins", self._call(self._waits), event("connected")),
            Scene("a turn", self._call(partial(self._says, "is it there")), turn("is it there")),
            Scene("unfinished words, and then a turn", self._call(self._hesitates), turn("it is there")),
            Scene("a caller whom no carrier vouches for", self._call(partial(self._says, "who am I"), attested=False),
                  turn("who am I", Evidence.CLAIMED)),
            Scene("a caller without a number", self._call(partial(self._says, "nobody"), number="anonymous"),
                  turn("nobody", scheme=Scheme.CALL)),
        ]  # fmt: skip

    def _frames(self) -> list[Scene]:
        error, info = {"type": "error", "description": "Invalid"}, {"type": "info", "name": "roundTripDelayMs"}
        return [
            Scene("a key", self._call(self._presses), event("key", "5")),
            Scene("an interruption", self._call(self._interrupts), event("interrupted", "as far")),
            Scene("an error of the relay", self._call(self._frame(json.dumps(error))), event("error", "Invalid")),
            Scene("information", self._call(self._frame(json.dumps(info))), kept("info:roundTripDelayMs")),
            Scene("a frame that nobody knows", self._call(self._frame('{"type":"weather"}')), kept("frame:weather")),
            Scene("a frame that is none", self._call(self._frame("weather")), kept("malformed:frame")),
        ]

    def _ends(self) -> list[Scene]:
        busy = {"CallStatus": "busy", "SequenceNumber": "9"}
        return [
            Scene("the caller hangs up", self._call(self._waits), event("session_ended", "completed")),
            Scene("the call is over", self._call(self._waits), event("ended")),
            Scene("a call that never came to be", self._call(partial(self._told, "/status", busy)),
                  event("ended", "busy")),
            Scene("the line is lost and comes back", self._call(self._loses), event("session_failed")),
            Scene("lost twice: a menu", self._call(self._asks_back), choice("callback")),
            Scene("a route that nobody knows", self._call(partial(self._told, "/somewhere", {})),
                  kept("route:/somewhere")),
        ]  # fmt: skip

    def _people(self) -> list[Scene]:
        return [
            Scene("a message is left", self._call(self._leaves), left),
            Scene("a message was recorded", self._call(self._leaves), event("recorded")),
            Scene("what was understood of it", self._call(self._leaves), lambda one: isinstance(one.body, Edit)),
            Scene("a colleague answers", self._call(partial(self._put_through, "completed"), DESK),
                  event("accepted", "completed")),
            Scene("a colleague is busy", self._call(partial(self._put_through, "busy"), DESK),
                  event("rejected", "busy")),
            Scene("out of the queue", self._call(self._queues, QUEUE), event("left_queue", "bridged")),
        ]  # fmt: skip

    def _turn_by_turn(self) -> list[Scene]:
        return [
            Scene("a turn without a relay", self._call(partial(self._gathers, "by gather"), TURNS), turn("by gather")),
            Scene("keys without a relay", self._call(partial(self._gathers, "42"), TURNS), choice("42")),
        ]

    def _streams(self) -> list[Scene]:
        told = {"StreamSid": "MZ1", "StreamEvent": "stream-started", "Timestamp": "2026-01-05T10:00:00.123Z"}
        return [
            Scene("a stream begins", self._call(self._sounds, STREAMS), event("stream_started")),
            Scene("a key in a stream", self._call(self._sounds, STREAMS), event("key", "8")),
            Scene("a stream ends, with how much it was", self._call(self._sounds, STREAMS),
                  event("stream_stopped", "53 frames")),
            Scene("a stream is told of", self._call(partial(self._told, "/stream", told), STREAMS),
                  event("stream-started")),
        ]  # fmt: skip

    # --- a call -------------------------------------------------------------------------------------------------------

    def _call(self, script: Script, id: str = "line", number: str | None = None,
              attested: bool = True) -> Callable[[], None]:  # fmt: skip
        """Somebody new rings, does this, and hangs up."""

        async def whole() -> None:
            self._number += 1
            caller = number or f"+1555100{1000 + self._number}"
            call = self.line.twilios[id].ring(caller, _now(), attested=attested)
            self._calls[play] = call.sid
            await script(call)
            await self.line.hangs_up(call)
            self.line.over(call)

        def play() -> None:
            self.line.carry(whole())

        return play

    async def _until(self, come: Callable[[], bool], what: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not come():  # noqa: ASYNC110  because there is no event for all of it
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            self.line.record.wrong.append(f"it never comes: {what}")

    async def _relay(self, call: Call, but: Relay | None = None) -> Relay:
        """The one whose socket is open."""

        def relay() -> Relay | None:
            is_open = isinstance(call.doing, Relaying) and call.doing.relay.open and call.sid in self.line.sockets
            return call.doing.relay if is_open and isinstance(call.doing, Relaying) else None

        await self._until(lambda: relay() not in (None, but), "a relay")
        found = relay()
        assert found is not None
        return found

    async def _waits(self, call: Call) -> None:
        await self._relay(call)

    # --- talking ------------------------------------------------------------------------------------------------------

    async def _says(self, text: str, call: Call) -> None:
        relay = await self._relay(call)
        await self.line.send(call, self.line.asks(call.sid, text, relay))
        await self._until(lambda: text in relay.cycles, f"an answer to {text}")

    async def _hesitates(self, call: Call) -> None:
        await self._relay(call)
        await self.line.send(call, [json.dumps({"type": "prompt", "voicePrompt": "it", "lang": "en", "last": False})])
        await self._says("it is there", call)

    async def _presses(self, call: Call) -> None:
        relay = await self._relay(call)
        await self.line.send(call, relay.presses("5"))

    async def _interrupts(self, call: Call) -> None:
        await self._says("as far as you like", call)
        await self.line.send(call, (await self._relay(call)).interrupts("as far"))

    def _frame(self, frame: str) -> Script:
        async def sent(call: Call) -> None:
            await self._relay(call)
            await self.line.send(call, [frame])

        return sent

    async def _told(self, path: str, fields: Mapping[str, str], call: Call) -> None:
        await self._relay(call)
        world = self.line.world_of(call)
        world.tell(call.sid, f"{world.voice_url}{path}", {**call.base, **fields}, _now(), kind="callback")

    # --- trouble, and people ------------------------------------------------------------------------------------------

    async def _loses(self, call: Call) -> None:
        relay = await self._relay(call)
        self.line.sockets[call.sid].transport.abort()
        await self._relay(call, but=relay)

    async def _asks_back(self, call: Call) -> None:
        await self._loses(call)
        self.line.sockets[call.sid].transport.abort()
        await self._until(lambda: isinstance(call.doing, Gathering), "a menu")
        call.presses("2", _now())
        await self._until(lambda: call.status == "completed", "the end of the call")

    async def _fails(self, call: Call) -> None:
        """We have sent what no relay knows: on to people."""
        relay = await self._relay(call)
        relay.ended, relay.open = Ended("failed", error=64107, text="a frame that is none"), False
        await self.line.sockets[call.sid].close()

    async def _leaves(self, call: Call) -> None:
        await self._fails(call)
        await self._until(lambda: isinstance(call.doing, RecordingIt), "a tone")
        call.leaves("a message", _now())
        await self._until(lambda: call.status == "completed", "the end of the call")

    async def _put_through(self, status: Any, call: Call) -> None:
        await self._fails(call)
        await self._until(lambda: isinstance(call.doing, Dialling), "a colleague's telephone")
        call.colleague(status, _now())
        await self._until(lambda: not isinstance(call.doing, Dialling) and call.heard[-1].text != "", "what follows")

    async def _queues(self, call: Call) -> None:
        await self._fails(call)
        await self._until(lambda: isinstance(call.doing, Queued) and len(call.heard) > 1, "a queue with its words")
        call.leaves_queue("bridged", _now())
        await self._until(lambda: call.status == "completed", "the end of the call")

    async def _gathers(self, text: str, call: Call) -> None:
        await self._until(lambda: isinstance(call.doing, Gathering), "a turn")
        if text.isdecimal():
            call.presses(text, _now())
        else:
            call.says(text, _now())
        await self._until(lambda: call.heard[-1].text == text, f"an answer to {text}")

    async def _sounds(self, call: Call) -> None:
        await self._relay(call)
        stream = call.streams[0]
        async with self.line.dialled(stream.handshake()) as socket:
            for frame in [*stream.opened(), *stream.sounds(50), stream.presses("8"), stream.stops()]:
                await socket.send(frame)


# --- what it becomes --------------------------------------------------------------------------------------------------


def event(name: str, detail: str | None = None) -> Becomes:
    def it_is(one: Envelope) -> bool:
        body = one.body
        return isinstance(body, CallEvent) and body.event == name and (detail is None or body.detail == detail)

    return it_is


def turn(text: str, evidence: Evidence = Evidence.CHANNEL, scheme: Scheme = Scheme.TEL) -> Becomes:
    def it_is(one: Envelope) -> bool:
        if one.direction == "out" or not isinstance(one.body, Message) or one.body.parts != (Text(text),):
            return False
        claim = one.party.claims[0]
        return claim.evidence is evidence and claim.address.scheme is scheme

    return it_is


def choice(id: str) -> Becomes:
    def it_is(one: Envelope) -> bool:
        return isinstance(one.body, Message) and any(isinstance(p, ChoiceMade) and p.id == id for p in one.body.parts)

    return it_is


def left(one: Envelope) -> bool:
    return one.direction == "in" and isinstance(one.body, Message) and isinstance(one.body.parts[0], Voice)


def kept(what: str) -> Becomes:
    return lambda one: isinstance(one.body, Unsupported) and one.body.what == what


def _now() -> datetime:
    return datetime.now(UTC)
