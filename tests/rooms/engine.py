"""An AI engine that says what the test wants, when the test wants it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

from gateway.engines.base import EngineError, Finished, Piece, Turn


class Says(NamedTuple):
    text: str
    confidence: float = 1.0
    handoff: str | None = None


class Waits(NamedTuple):
    """Answers when the gate opens."""

    gate: asyncio.Event
    says: Says | EngineError = Says("at last")


Behaviour = Says | Waits | EngineError


class ScriptedEngine:
    """Without a script it answers `re: ` and the question."""

    name = "scripted"

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self._script: deque[Behaviour] = deque()
        self._asked = asyncio.Condition()

    def then(self, *behaviours: Behaviour) -> None:
        self._script.extend(behaviours)

    async def asked(self, times: int) -> None:
        """Returns when so many questions have come."""
        async with self._asked:
            await self._asked.wait_for(lambda: len(self.turns) >= times)

    async def answer(self, turn: Turn) -> AsyncGenerator[Piece | Finished, None]:
        async with self._asked:
            self.turns.append(turn)
            self._asked.notify_all()
        behaviour = self._script.popleft() if self._script else Says(f"re: {turn.question}")
        if isinstance(behaviour, Waits):
            await behaviour.gate.wait()
            behaviour = behaviour.says
        if isinstance(behaviour, EngineError):
            raise behaviour
        yield Piece(behaviour.text)
        yield Finished(confidence=behaviour.confidence, handoff=behaviour.handoff)
