"""What the socket of a line remembers of answers: what was heard of them while they were written, and which may be.

Rule: an answer that is being heard stands alone. Before anything else is shown it is ended; its rest begins anew.
Rule: before the first word in another language than the last one that language is told.
Rule: a call hears no answer to what was asked in the call before: none until something was said in this one.
Rule: once its end is known nothing more is shown, and nothing counts as heard, however long the connection lasts.
"""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from adapters.base import Streams, Wire
from gateway.streams import Sentence
from gateway.wake import Met
from normalizer.envelope import Envelope, Message, StateChange
from normalizer.ids import EnvelopeId
from router.decide import asks_for_something

MOST_HEARD_OF = 4
"""Answers that may be under way to one socket at once: one is written, those before it are being stored."""
MOST_UNSURE = 16

Show = Callable[[Wire], bytes | None]


class Asked(Struct, frozen=True):
    """Places in the conversation."""

    first: int | None = 0
    """Of the first thing that was said in this call; None: nothing yet."""
    head: int = 0
    """Of the last thing that stood there when this was read."""


def is_turn(envelope: Envelope, turns: str) -> bool:
    """`turns`: see `Bind`."""
    return asks_for_something(envelope) and (envelope.external_id or "").startswith(turns)


def is_left_over(line: Wire, asked: Asked) -> bool:
    """An answer of the AI's that is none to this call."""
    return line.envelope.author == "ai" and (asked.first is None or (line.envelope.seq or 0) < asked.first)


class Talk:
    __slots__ = (
        "_adapter", "_heard", "_language", "_open", "_theirs", "_unsure", "asked", "is_over", "is_spoken_to",
        "last_words", "note", "turns",
    )  # fmt: skip

    def __init__(self, adapter: Streams) -> None:
        self._adapter = adapter
        self.turns, self.note, self.asked = "", "", Asked()
        self.is_over = False
        """Nobody is there any more to hear what is shown."""
        self.is_spoken_to = False
        """Something was said on this very socket; it need not be stored yet."""
        self._open: EnvelopeId | None = None
        """The answer that is being heard: its end was not told yet."""
        self._heard: dict[EnvelopeId, int] = {}
        """How many characters of answers were heard here while they were written; of the last few."""
        self._unsure: list[EnvelopeId] = []
        """What was shown before its send was over; the last few."""
        self._language: str | None = None
        """Of what was last shown, as far as that is known."""
        self._theirs: str | None = None
        """Of the last turn, as far as that is known."""
        self.last_words: list[EnvelopeId] = []
        """Such as were shown before a change of the holder: who parts after that has taken them."""

    def knows(self, id: EnvelopeId) -> bool:
        """Something of it was heard."""
        return id in self._heard

    def follows(self, sentence: Sentence) -> bool:
        """Whether it may be heard: its answer was heard from the beginning, and is one to this call."""
        if self.is_over or not (sentence.first or sentence.id in self._heard):
            return False
        if self.asked.first is not None:
            return sentence.up_to >= self.asked.first
        return self.is_spoken_to and sentence.up_to > self.asked.head

    def withholds(self, line: Wire) -> bool:
        """Before what stands before it was read: what was said here is not known by its place then."""
        unread = self.is_spoken_to and self.asked.first is None and (line.envelope.seq or 0) > self.asked.head
        return is_left_over(line, self.asked) and not unread

    def is_once(self, line: Wire) -> bool:
        """Whether it may be shown only after that was recorded."""
        is_shown = not (self.is_over or line.status is not None or line.envelope.direction == "in")
        return is_shown and self._adapter.once(line.envelope)

    def met(self, line: Wire) -> Met:
        """Whom a push finds who is to show this line."""
        if self.is_over:
            return Met.LISTENER if line.envelope.id in self.last_words else Met.NOBODY
        return Met.DEAF if self.withholds(line) else Met.LISTENER

    def learns(self, envelope: Envelope) -> None:
        """Of what came in over the leg, or was shown here."""
        self.is_over = self.is_over or self._adapter.ends(envelope, self.note)

    def says(self, envelope: Envelope) -> None:
        """The caller; `seq` is set once it is stored."""
        if self.asked.first is None and is_turn(envelope, self.turns):
            self.is_spoken_to = True
            self.asked = Asked(envelope.seq, self.asked.head)

    # --- what is put on the socket --------------------------------------------------------------------------------

    def hears(self, sentence: Sentence) -> list[bytes]:
        before: list[bytes] = []
        if self._open != sentence.id:
            before = [*self.broken_off(), *self._in(sentence.locale, sentence.locale)]
        frames = [*before, self._adapter.partial(sentence.text, self._open is None)]
        self._open = sentence.id
        self._heard[sentence.id] = self._heard.get(sentence.id, 0) + sentence.chars
        if len(self._heard) > MOST_HEARD_OF:
            del self._heard[next(iter(self._heard))]
        return frames

    def shows(self, line: Wire, frame: bytes | None, show: Show) -> list[bytes]:
        """`frame`: the line's own, where nothing of it was heard before; else `show` tells what is left of it."""
        if line.envelope.direction == "in":
            self.learns(line.envelope)
            self.says(line.envelope)
            self._theirs = line.envelope.locale or self._theirs
        elif is_left_over(line, self.asked):
            return []
        if self.is_over:
            return []
        is_open = self._open == line.envelope.id
        if chars := self._heard.get(line.envelope.id):
            frame = show(replace(line, streamed=chars, closed=not is_open))
        if frame is None:
            return self.broken_off() if is_open else []
        before = [] if is_open else [*self.broken_off(), *self._in_that_of(line.envelope)]
        self._open = None
        self._remember(line)
        self.learns(line.envelope)
        return [*before, frame]

    def _remember(self, line: Wire) -> None:
        if isinstance(line.envelope.body, StateChange):
            self.last_words = self._unsure
        elif line.status is None and isinstance(line.envelope.body, Message):
            self._unsure = [*self._unsure[1 - MOST_UNSURE :], line.envelope.id]

    def _in_that_of(self, envelope: Envelope) -> list[bytes]:
        """The AI answers in the language that it was asked in; a person need not."""
        return self._in(envelope.locale, envelope.locale if envelope.author == "ai" else self._theirs)

    def _in(self, locale: str | None, heard: str | None) -> list[bytes]:
        if locale is None or locale == self._language:
            return []
        frame, self._language = self._adapter.language(locale, self._language, heard), locale
        return [] if frame is None else [frame]

    def broken_off(self) -> list[bytes]:
        """What is being heard ends here."""
        if self._open is None:
            return []
        self._open = None
        return [self._adapter.broken_off()]
