"""An AI engine that says what the test wants, when the test wants it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

from gateway.engines.base import EngineError, Finished, Piece, Sure, Turn, Written


class Says(NamedTuple):
    text: str
    confidence: float = 1.0
    handoff: str | None = None


class Waits(NamedTuple):
    """Answers when the gate opens."""

    gate: asyncio.Event
    says: Says | EngineError = Says("at last")


class Writes(NamedTuple):
    """Event by event; an `asyncio.Event` among them is waited for, an error is raised."""

    events: tuple[Written | asyncio.Event | Exception, ...]


def writes(*events: str | Written | asyncio.Event | Exception, sure: float | None = 1.0, confidence: float = 1.0,
           handoff: str | None = None, end: bool = True) -> Writes:  # fmt: skip
    """Texts become pieces. `sure` None: it does not say so before; `end` False: there is none."""
    first = () if sure is None else (Sure(sure),)
    last = (Finished(confidence=confidence, handoff=handoff),) if end else ()
    pieces = tuple(Piece(event) if isinstance(event, str) else event for event in events)
    return Writes((*first, *pieces, *last))


Behaviour = Says | Waits | Writes | EngineError


class ScriptedEngine:
    """Without a script it answers `re: ` and the question."""

    name = "scripted"

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._script: deque[Behaviour] = deque()
        self._asked = asyncio.Condition()
        self.waiting = asyncio.Event()
        """Set when an answer waits for what it was told to wait for."""

    def then(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    async def asked(self, times: int) -> None:
        """Returns when so many questions have come."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.turns) >= times)

    async def answer(self, turn: Turn) -> AsyncGenerator[Written, None]:
        async with self._asked:
            self.turns.append(turn)
            self._asked.notify_all()
        behaviour = self._script.popleft() if self._script else Says(f"re: {turn.question}")
        if isinstance(behaviour, Waits):
            await behaviour.gate.wait()
            behaviour = behaviour.says
        if isinstance(behaviour, EngineError):
            raise behaviour
        if isinstance(behaviour, Writes):
            for event in behaviour.events:
                match event:
                    case asyncio.Event():
                        self.waiting.set()
                        await event.wait()
                    case Exception():
                        raise event
                    case _:
                        yield event
            return
        yield Piece(behaviour.text)
        yield Finished(confidence=behaviour.confidence, handoff=behaviour.handoff)
