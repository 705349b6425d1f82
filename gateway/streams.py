"""Answers that are heard while they are written: where their writers and the sockets meet, within one process.

Rule: nothing here decides or remembers what was said. A writer asks the store before every sentence; a ring only says
that it had better ask now. What stops a writer at once is what the listener himself did.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from normalizer.ids import ConversationId, EnvelopeId, LegId


class Sentence(Struct, frozen=True):
    """Of the answer that will be stored under this id."""

    id: EnvelopeId
    text: str
    chars: int
    """How much of the stored answer it is; what is heard may be longer (a name in its placeholder's place)."""
    first: bool
    up_to: int = 0
    """The seq up to which it is an answer."""
    locale: str | None = None


Show = Callable[[LegId, Sentence], Awaitable[bool]]
"""False: nobody is there to hear it."""


class Stream:
    """An answer that is being written."""

    __slots__ = ("bell", "conversation_id", "cut", "id", "leg_id", "locale", "over", "said", "up_to")

    def __init__(self, conversation_id: ConversationId, leg_id: LegId | None, id: EnvelopeId, up_to: int = 0,
                 locale: str | None = None) -> None:  # fmt: skip
        self.conversation_id, self.leg_id, self.id, self.up_to = conversation_id, leg_id, id, up_to
        self.locale = locale
        self.bell = asyncio.Event()
        """Rung when it may not be wanted any more."""
        self.over = asyncio.Event()
        """Set when it has ended and what was heard of it is stored."""
        self.said = False
        self.cut = False
        """Whoever heard it interrupted it."""


class Streams:
    def __init__(self) -> None:
        self._open: list[Stream] = []
        self.rings = 0
        """How often somebody was told to look."""
        self._show: Show | None = None

    def shown_by(self, show: Show) -> None:
        self._show = show

    async def show(self, stream: Stream, text: str, chars: int) -> bool:
        if self._show is None or stream.leg_id is None or stream.cut:
            return False
        first, up_to = not stream.said, stream.up_to
        heard = await self._show(stream.leg_id, Sentence(stream.id, text, chars, first, up_to, stream.locale))
        stream.said = stream.said or heard
        return heard

    @contextmanager
    def opened(self, stream: Stream) -> Iterator[Stream]:
        """Until what was heard of it is stored."""
        self._open.append(stream)
        try:
            yield stream
        finally:
            self._open.remove(stream)
            stream.over.set()

    def look(self, conversation: ConversationId) -> None:
        """Something about the conversation was committed: what is written for it may be in vain."""
        self.rings += 1
        for stream in self._open:
            if stream.conversation_id == conversation:
                stream.bell.set()

    def heard(self, leg: LegId) -> list[Stream]:
        """Those that the leg has heard something of. What it has heard nothing of can not be interrupted."""
        return [stream for stream in self._open if stream.leg_id == leg and stream.said]

    def cut(self, leg: LegId) -> None:
        """Whoever is on the leg interrupted what he hears: no further word of it."""
        self.rings += 1
        for stream in self.heard(leg):
            stream.cut = True
            stream.bell.set()
