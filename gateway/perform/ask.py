"""Asks the AI engine, within a time limit, and watches how it does.

Rule: an answer and the fact that re-enters are one commit; the fact is named after the command.
Rule: the breaker's change is a fact too: what waits for a dead engine is served at once, not when it times out.
"""

import asyncio
from collections.abc import Callable

import msgspec
from msgspec import Struct

from gateway.clock import Clock
from gateway.engines.base import (
    Answer,
    Engine,
    EngineError,
    EngineUnavailable,
    Finished,
    Turn,
    Utterance,
    cite,
    collect,
)
from gateway.store.outbox import Held, Question
from gateway.store.reads import asked_about, transcript_rows
from gateway.store.store import Store
from gateway.store.tx import Tx
from normalizer import codec
from normalizer.transcript import transcript
from router.commands import AskAi
from router.events import AiAnswered, AiGaveUp

decode = msgspec.json.Decoder(AskAi).decode
EVENTS_BESIDE = 16
"""Events of calls are read along with the messages, for what they say about them; so many more rows are looked at."""


class AskSettings(Struct, frozen=True, kw_only=True):
    transcript_messages: int = 40
    """How much of the conversation an engine gets to see, counted from the end."""
    breaker_failures: int = 5
    breaker_reset_ms: int = 30_000
    sentence_max_chars: int = 400
    """What is heard while it is written comes in sentences; a longer one comes in parts."""


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
        self._store, self.engine, self.settings = store, engine, settings
        self.breaker = breaker

    async def ask(self, held: Held, command: AskAi) -> AiAnswered | AiGaveUp:
        """The whole answer at once."""
        try:
            async with asyncio.timeout(command.deadline_ms / 1000):
                answer = await collect(self.engine, (await self.turn(held, command))[0])
        except (TimeoutError, EngineError) as error:
            return self.failed(held, command, error)
        self.breaker.succeeded()
        if answer.handoff is not None or not answer.text.strip():
            return gave_up(held, command, answer.handoff or "the AI had nothing to say")
        return answered(held, command, _with_sources(answer), answer)

    async def turn(self, held: Held, command: AskAi) -> tuple[Turn, bool]:
        """What the engine gets to see, and whether it is still asked for this."""
        most = self.settings.transcript_messages
        if (found := held.question) is None:
            found = await self._store.read(lambda tx: read_question(tx, held, command, most))
        lines = transcript(codec.decode(content) for content in found.rows)[-most:]
        said = tuple(Utterance(line.speaker, line.text, line.at) for line in lines)
        turn = Turn(conversation_id=held.conversation_id, transcript=said, locale=command.locale,
                    deadline_ms=command.deadline_ms)  # fmt: skip
        return turn, found.asked == (held.fence, command.up_to)

    def failed(self, held: Held, command: AskAi, error: TimeoutError | EngineError, spoken: str = "") -> AiGaveUp:
        """No answer, or no end of one; the breaker hears of it."""
        if isinstance(error, TimeoutError):
            reason = "the AI engine did not answer in time"
        else:
            reason = str(error)
        if isinstance(error, TimeoutError | EngineUnavailable):
            self.breaker.failed(reason)
            return gave_up(held, command, reason or "the AI engine is unavailable", spoken, self.breaker.open)
        self.breaker.succeeded()
        return gave_up(held, command, reason or "the AI engine refused", spoken)


def read_question(tx: Tx, held: Held, command: AskAi, most: int) -> Question:
    """`most`: of the conversation's messages."""
    rows = transcript_rows(tx, held.conversation_id, command.up_to, most + EVENTS_BESIDE)
    return Question(rows, asked_about(tx, held.conversation_id) if command.speak_at is not None else None, tx.now())


def read_along(tx: Tx, held: Held, most: int) -> Held:
    """In the commit that asks it: whoever asked in speech waits for the first sentence, and a read of its own is a way
    to another thread and back."""
    if held.kind != "ask_ai" or (command := decode(held.payload)).speak_at is None:
        return held
    return held._replace(question=read_question(tx, held, command, most))


def answered(held: Held, command: AskAi, text: str, end: Answer | Finished, spoken: str = "") -> AiAnswered:
    return AiAnswered(
        command_id=held.id,
        conversation_id=held.conversation_id,
        epoch=held.fence or 0,
        up_to=command.up_to,
        text=text,
        confidence=end.confidence,
        sources=tuple(map(str, end.sources)),
        leg_id=held.leg_id,
        spoken=spoken,
        locale=command.locale,
    )


def gave_up(held: Held, command: AskAi, reason: str, spoken: str = "", engine_down: bool = False) -> AiGaveUp:
    return AiGaveUp(command_id=held.id, conversation_id=held.conversation_id, epoch=held.fence or 0,
                    up_to=command.up_to, reason=reason, engine_down=engine_down, leg_id=held.leg_id,
                    spoken=spoken, locale=command.locale)  # fmt: skip


def _with_sources(answer: Answer) -> str:
    """An answer says where it stands written."""
    return "\n\n".join(filter(None, (answer.text.strip(), cite(answer.sources))))
