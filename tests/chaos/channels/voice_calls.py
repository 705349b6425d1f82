"""People who call: each rings, says a few sentences, hears the answers, interrupts now and then, and hangs up.

Who gets no answer says something else; who is asked by a menu presses a key; who hears a tone leaves a message.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from adapters.twilio_voice.simulator_call import Call
from adapters.twilio_voice.simulator_doing import Gathering, RecordingIt, Relaying
from adapters.twilio_voice.simulator_relay import Relay
from adapters.twilio_voice.simulator_world import OVER

if TYPE_CHECKING:
    from tests.chaos.channels.voice import Voice

PEOPLE, UNPROVEN, NAMELESS = 9, 2, 2
"""Callers that their carriers vouch for, others, and such as withhold their number."""
PAUSE_S, LOOK_S = 0.6, 0.02
ANSWER_S = 5.0
"""Who has waited so long says something else."""
CALL_S = 60.0
TURNS = 4
HANGS_UP, INTERRUPTS, PRESSES = 0.1, 0.2, 0.1
ALPHABETS = ("", " grüße", " 你好", " مرحبا")
LEFT = "a message"
UNHEARD = ("Please call me back", "[voice]", LEFT)
"""Nobody is on the line any more when what was left with the menu is answered."""


def callers(line: Voice) -> Sequence[Caller]:
    line.record.unheard |= set(UNHEARD)
    numbers = [f"+1555000{1000 + place}" for place in range(PEOPLE + UNPROVEN)] + ["anonymous"] * NAMELESS
    return [Caller(line, place, number) for place, number in enumerate(numbers, 1)]


class Caller:
    def __init__(self, line: Voice, place: int, number: str) -> None:
        self.line, self.name, self.number = line, f"c{place}", number
        self.attested = place <= PEOPLE
        self._random = line.random
        self._count = 0

    async def live(self) -> None:
        while not self.line.stopping:
            await asyncio.sleep(self._random.uniform(0, PAUSE_S))
            if not self.line.stopping:
                await self._call()

    async def _call(self) -> None:
        call = self.line.twilio.ring(self.number, _now(), attested=self.attested)
        talk = Talk(self, call, self._random.randint(1, TURNS))
        end = time.monotonic() + CALL_S
        while call.status not in OVER and time.monotonic() < end:
            await talk.goes_on()
            await asyncio.sleep(LOOK_S)
        if call.status not in OVER:
            self.line.record.wrong.append(f"a call that never ends: {call.sid} in {type(call.doing).__name__}")
            await self.line.hangs_up(call)
        self.line.over(call)

    def customer(self, call: Call) -> str:
        """Nobody knows who calls without a number: he is somebody new each time."""
        return f"{self.name} {call.sid[-6:]}" if self.number == "anonymous" else self.name

    def words(self) -> str:
        self._count += 1
        return f"{self.name} says {self._count}{self._random.choice(ALPHABETS)}"


class Talk:
    """One call, from its caller's side."""

    def __init__(self, caller: Caller, call: Call, turns: int) -> None:
        self._caller, self._call, self._turns = caller, call, turns
        self._line, self._random = caller.line, caller.line.random
        self._asked = ""
        self._until = 0.0
        self._in: Relay | None = None

    async def goes_on(self) -> None:
        match self._call.doing:
            case Relaying(relay=relay) if relay.open and self._call.sid in self._line.sockets:
                await self._talks(relay)
            case Gathering():
                self._line.record.counts["keys of a menu"] += 1
                self._call.presses(self._random.choice("2233x"), _now())
            case RecordingIt():
                self._line.record.counts["messages that were left"] += 1
                self._call.leaves(LEFT, _now(), hangs_up=self._random.random() < 0.5)
            case _:
                pass

    async def _talks(self, relay: Relay) -> None:
        if self._in is not relay:
            self._in, self._asked = relay, ""
        if self._asked and self._asked not in self._line.record.texts and time.monotonic() < self._until:
            return
        if self._asked and self._random.random() < INTERRUPTS:
            self._line.record.counts["interruptions"] += 1
            await self._line.send(self._call, relay.interrupts())
        if self._turns == 0:
            await self._line.hangs_up(self._call)
            return
        await self._says(relay)
        if self._random.random() < HANGS_UP:
            self._line.record.counts["callers who hung up before the answer"] += 1
            await self._line.hangs_up(self._call)

    async def _says(self, relay: Relay) -> None:
        self._turns -= 1
        if self._random.random() < PRESSES:
            await self._line.send(self._call, relay.presses("7"))
        self._asked, self._until = self._caller.words(), time.monotonic() + ANSWER_S
        await self._line.send(self._call, self._line.asks(self._caller.customer(self._call), self._asked, relay))


def _now() -> datetime:
    return datetime.now(UTC)
