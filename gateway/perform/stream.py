"""Answers that are heard while they are written: sentence by sentence, from the engine to the socket.

    engine -> held to the end of a sentence -> guards -> is it still wanted? -> the leg hears it

Rule: the last look before a sentence leaves is into the store: the holder's epoch and the turn that is asked about.
Never into memory, so that a person who took over anywhere is never talked over. For the first sentence the look that
came with the turn is that look, while it is fresh.
Rule: nothing is heard of an answer before its engine has said how sure it is; an engine that says so at the end is
heard at the end.
Rule: what was heard is told once in any case, in the fact that re-enters. A question of which something was heard is
never asked again but after the end of the process that heard it; what was heard before then leads the new answer in
the record. It is kept beside the talk: no sentence waits for that.
Rule: a ring ends the writing at once; without one it is looked every LOOK_S. Either way a stream is over at most 250 ms
after the commit that ended it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from functools import partial

import msgspec

from gateway.engines.base import EngineError, EngineUnavailable, Finished, Piece, Sure
from gateway.perform.ask import Asker, answered, decode, gave_up
from gateway.store import spoken
from gateway.store.outbox import Held
from gateway.store.reads import asked_about
from gateway.store.spoken import Spoken
from gateway.store.store import Store, StoreUnavailable
from gateway.streams import Stream, Streams
from normalizer.sentences import let_go
from router.commands import AskAi
from router.events import AiAnswered, AiGaveUp, spoken_id

LOOK_S = 0.2
FRESH_S = 0.02
"""The look that came with the turn is good for so long: an engine that answers at once needs no second one."""
KEEP_AFTER_S = 0.01
"""What is told within this time of its first word is kept by that alone."""

Guard = Callable[[str], str | None]
"""Gets a sentence and gives it back as it may be heard. None: it may not, and people take over."""


class Withheld(Exception):
    """A guard did not let a sentence pass."""


class Unwanted(Exception):
    """Another holder, or another turn: nothing of this answer may be heard any more."""


class Speaker:
    """`guards` see every sentence, in this order."""

    def __init__(self, store: Store, asker: Asker, streams: Streams, guards: Sequence[Guard] = ()) -> None:
        self._store, self._asker, self._streams, self._guards = store, asker, streams, tuple(guards)

    def stream(self, held: Held) -> Stream:
        asked = decode(held.payload)
        return Stream(held.conversation_id, held.leg_id, spoken_id(held.id), asked.up_to, asked.locale)

    async def speak(self, held: Held, command: AskAi, stream: Stream, rings: int) -> AiAnswered | AiGaveUp | None:
        """What re-enters; None: it was not wanted any more, and nothing of it was heard. `rings`: of the streams, when
        the commit that asks it was told.
        """
        held = held if self._is_fresh(held, rings) else held._replace(question=None)
        before = spoken.kept(held)
        if before.whole:
            return answered(held, command, before.spoken, Finished(confidence=1.0), before.spoken)
        speech = Speech(self._store, self._asker, self._streams, self._guards, held, command, stream, before.spoken)
        writing = asyncio.create_task(speech.write(), name="answer-write")
        watching = asyncio.create_task(speech.watch(), name="answer-watch")
        try:
            await asyncio.wait((writing, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writing, watching):
                task.cancel()
            await asyncio.wait((writing, watching))
            await speech.kept()
        if not watching.cancelled() and (defect := watching.exception()) is not None and not speech.spoken:
            raise defect
        return self._told(speech, writing)

    def _is_fresh(self, held: Held, rings: int) -> bool:
        """What was read along is as good as what would be read now: a ring since then may have been about it."""
        if held.question is None or rings != self._streams.rings:
            return False
        return 0 <= self._store.now() - held.question.at <= FRESH_S * 1000

    def _told(self, speech: "Speech", writing: "asyncio.Task[Finished]") -> AiAnswered | AiGaveUp | None:
        held, command, heard = speech.held, speech.command, speech.spoken.strip()
        error = None if writing.cancelled() else writing.exception()
        if writing.cancelled() or isinstance(error, Unwanted):
            # Cut short by the listener it is the answer that he wanted; for everybody else it is an old one.
            end = Finished(confidence=1.0)
            return answered(held, command, heard, end, heard) if heard else None
        match error:
            case None:
                return self._finished(speech, writing.result(), heard)
            case TimeoutError() | EngineError():
                return self._asker.failed(held, command, error, heard)
            case Withheld():
                return gave_up(held, command, str(error), heard)
            case _ if heard:
                return self._asker.failed(held, command, EngineUnavailable(type(error).__name__), heard)
            case _:
                raise error

    def _finished(self, speech: "Speech", end: Finished, heard: str) -> AiAnswered | AiGaveUp:
        self._asker.breaker.succeeded()
        if end.handoff is not None or speech.is_empty:
            return gave_up(speech.held, speech.command, end.handoff or "the AI had nothing to say", heard)
        return answered(speech.held, speech.command, speech.written.strip(), end, heard)


def unasked(held: Held, reason: str) -> AiAnswered | AiGaveUp | None:
    """What re-enters where nobody is asked (again): what was heard of it in a former life is told. None: unreadable."""
    try:
        command, before = decode(held.payload), spoken.kept(held)
    except msgspec.MsgspecError:
        return None
    if before.whole:
        return answered(held, command, before.spoken, Finished(confidence=1.0), before.spoken)
    return gave_up(held, command, reason, before.spoken, engine_down=True)


class Speech:
    """One answer, while it is written. `before`: what was heard of it in a former life."""

    def __init__(self, store: Store, asker: Asker, streams: Streams, guards: tuple[Guard, ...], held: Held,
                 command: AskAi, stream: Stream, before: str = "") -> None:  # fmt: skip
        self._store, self._asker, self._streams, self._guards = store, asker, streams, guards
        self.held, self.command, self._stream = held, command, stream
        self._before = f"{before}\n" if before else ""
        self.written = self._before
        """All that the engine has given."""
        self.spoken = self._before
        """The beginning of it that was heard."""
        self._waiting = ""
        """The end of it that is held."""
        self._sure = self._deaf = self._over = self._is_kept = False
        self._fresh_until = 0.0
        """By the loop's time."""
        self._keeping: asyncio.Task[None] | None = None
        self._is_told = asyncio.Event()
        """Set when nothing follows: what was heard is about to be told."""

    @property
    def is_empty(self) -> bool:
        """The engine has given nothing."""
        return not self.written[len(self._before) :].strip()

    async def write(self) -> Finished:
        """Until the engine is done. Raises TimeoutError, EngineError, Withheld, Unwanted."""
        async with asyncio.timeout(self.command.deadline_ms / 1000):
            # From before it is read on: a ring in the meantime makes it an old one.
            self._fresh_until = asyncio.get_running_loop().time() + FRESH_S - self._age_s()
            turn, wanted = await self._asker.turn(self.held, self.command)
            if not wanted:
                raise Unwanted
            async with aclosing(self._asker.engine.answer(turn)) as events:
                async for event in events:
                    match event:
                        case Sure(confidence=confidence):
                            self._sure = self._is_enough(confidence)
                        case Piece(text=text):
                            await self._piece(text)
                        case Finished():
                            return await self._end(event)
        raise EngineUnavailable("the stream ended without its end")

    def _age_s(self) -> float:
        """Of what was read along, and its look with it."""
        read = self.held.question
        return 0.0 if read is None else (self._store.now() - read.at) / 1000

    async def watch(self) -> None:
        """Returns when nobody wants the answer any more."""
        while not self._stream.cut:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._stream.bell.wait()
            self._stream.bell.clear()
            self._fresh_until = 0.0
            with suppress(StoreUnavailable):
                if not await self._is_wanted():
                    return

    def _is_enough(self, confidence: float) -> bool:
        return self.command.speak_at is not None and confidence >= self.command.speak_at

    async def _piece(self, text: str) -> None:
        text = text.lstrip() if self.is_empty else text
        self.written, self._waiting = self.written + text, self._waiting + text
        if self._sure:
            await self._let_go()

    async def _end(self, end: Finished) -> Finished:
        self._sure = self._sure or self._is_enough(end.confidence)
        if end.handoff is None and self._sure:
            await self._let_go(over=True)
            if self._stream.said and not self._deaf:
                self._over = True
                self._note()
        return end

    async def _let_go(self, *, over: bool = False) -> None:
        sentences, self._waiting = let_go(self._waiting, self._asker.settings.sentence_max_chars, over=over)
        for sentence in sentences:
            if not self._deaf:
                await self._say(sentence)

    async def _say(self, sentence: str) -> None:
        """What can not be looked after, or is heard by nobody, goes the way of any message when all is written."""
        allowed = self._guarded(sentence)
        try:
            if not (self._is_fresh() or await self._is_wanted()):
                raise Unwanted
        except StoreUnavailable:
            self._deaf = True
            return
        said, self.spoken = self.spoken, self.spoken + sentence
        # To whoever hears the new answer alone, what was heard of the old one is a part of it that he has had.
        chars = len(sentence) if self._stream.said else len(self.spoken)
        if not await self._streams.show(self._stream, allowed, chars):
            self.spoken, self._deaf = said, True
            return
        self._note()

    def _is_fresh(self) -> bool:
        """Once, and not after anything happened in the conversation."""
        until, self._fresh_until = self._fresh_until, 0.0
        is_quiet = not (self._stream.cut or self._stream.bell.is_set())
        return is_quiet and asyncio.get_running_loop().time() < until

    def _note(self) -> None:
        """Beside the talk."""
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.create_task(self._keep(), name="answer-keep")

    async def _keep(self) -> None:
        """As often as there is something new, one write after the other."""
        if not self._is_kept and await self._is_soon_told():
            return
        self._is_kept, kept = True, None
        while (said := Spoken(self.spoken.strip(), self._over)) != kept:
            with suppress(StoreUnavailable):
                await self._store.write(partial(spoken.keep, held=self.held, said=said))
            kept = said

    async def _is_soon_told(self) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(KEEP_AFTER_S):
                return await self._is_told.wait()
        return False

    async def kept(self) -> None:
        """Nothing follows: what is not being kept by now is told as soon."""
        self._is_told.set()
        if self._keeping is not None:
            await asyncio.wait((self._keeping,))

    def _guarded(self, sentence: str) -> str:
        for guard in self._guards:
            passed = guard(sentence)
            if passed is None:
                raise Withheld("a guardrail withheld the answer")
            sentence = passed
        return sentence

    async def _is_wanted(self) -> bool:
        """As the store has it now."""
        id = self.held.conversation_id
        found = await self._store.read(lambda tx: asked_about(tx, id))
        return not self._stream.cut and found == (self.held.fence, self.command.up_to)
