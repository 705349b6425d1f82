"""Asks the AI engine, within a time limit, and watches how it does.

Rule: an answer and the fact that re-enters are one commit; the fact is named after the command.
Rule: the breaker's change is a fact too: what waits for a dead engine is served at once, not when it times out.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from gateway.clock import Clock
from gateway.engines.base import Answer, Engine, EngineError, EngineUnavailable, Turn, Utterance, cite, collect
from gateway.store.outbox import Held
from gateway.store.reads import transcript_rows
from gateway.store.store import Store
from normalizer import codec
from normalizer.transcript import transcript
from router.commands import AskAi
from router.events import AiAnswered, AiGaveUp

_decode = msgspec.json.Decoder(AskAi).decode


class AskSettings(Struct, frozen=True, kw_only=True):
    transcript_messages: int = 40
    """How much of the conversation an engine gets to see, counted from the end."""
    breaker_failures: int = 5
    breaker_reset_ms: int = 30_000


class Breaker:
    """Counts failures in a row. `changed(up, reason)` is called when its mind changes."""

    def __init__(self, settings: AskSettings, clock: Clock, changed: Callable[[bool, str], None]) -> None:
        self._settings, self._clock, self._changed = settings, clock, changed
        self._failures = 0
        self._opened: float | None = None

    @property
    def open(self) -> bool:
        return self._opened is not None

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, reason: str) -> None:
        self._failures += 1
        if not self.open and self._failures >= self._settings.breaker_failures:
            self._opened = self._clock.monotonic()
            self._changed(False, reason)

    def look(self) -> None:
        """After its rest one question may try: a single failure then opens it again."""
        if self._opened is None or self._clock.monotonic() - self._opened < self._settings.breaker_reset_ms / 1000:
            return
        self._opened = None
        self._failures = self._settings.breaker_failures - 1
        self._changed(True, "trying again")


class Asker:
    def __init__(self, store: Store, engine: Engine, breaker: Breaker, settings: AskSettings) -> None:
        self._store, self._engine, self._settings = store, engine, settings
        self.breaker = breaker

    async def ask(self, held: Held) -> AiAnswered | AiGaveUp:
        command = _decode(held.payload)
        try:
            async with asyncio.timeout(command.deadline_ms / 1000):
                answer = await collect(self._engine, await self._turn(held, command))
        except (TimeoutError, EngineUnavailable) as error:
            reason = "the AI engine did not answer in time" if isinstance(error, TimeoutError) else str(error)
            self.breaker.failed(reason)
            return self._gave_up(held, command, reason or "the AI engine is unavailable")
        except EngineError as error:
            self.breaker.succeeded()
            return self._gave_up(held, command, str(error) or "the AI engine refused")
        self.breaker.succeeded()
        return self._answered(held, command, answer)

    async def _turn(self, held: Held, command: AskAi) -> Turn:
        most = self._settings.transcript_messages
        rows = await self._store.read(lambda tx: transcript_rows(tx, held.conversation_id, command.up_to, most))
        lines = transcript(codec.decode(content) for content in rows)
        said = tuple(Utterance(line.speaker, line.text, line.at) for line in lines)
        return Turn(conversation_id=held.conversation_id, transcript=said, deadline_ms=command.deadline_ms)

    def _answered(self, held: Held, command: AskAi, answer: Answer) -> AiAnswered | AiGaveUp:
        if answer.handoff is not None or not answer.text.strip():
            return self._gave_up(held, command, answer.handoff or "the AI had nothing to say")
        return AiAnswered(
            command_id=held.id,
            conversation_id=held.conversation_id,
            epoch=held.fence or 0,
            up_to=command.up_to,
            text=_with_sources(answer),
            confidence=answer.confidence,
            sources=tuple(map(str, answer.sources)),
        )

    def _gave_up(self, held: Held, command: AskAi, reason: str) -> AiGaveUp:
        return AiGaveUp(command_id=held.id, conversation_id=held.conversation_id, epoch=held.fence or 0,
                        up_to=command.up_to, reason=reason, engine_down=self.breaker.open)  # fmt: skip


def _with_sources(answer: Answer) -> str:
    """An answer says where it stands written."""
    return "\n\n".join(filter(None, (answer.text.strip(), cite(answer.sources))))
