"""Wake-ups inside one process: rooms for each other, sockets for their legs, callers for their outcomes.

Rule: a wake-up is only ever a hint. Whoever is woken reads the store, and looks there now and then without being woken.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from enum import IntEnum

from adapters.base import Outcome, Wire
from gateway.store.outbox import Held
from gateway.streams import Streams
from normalizer.ids import EndpointId, IntakeId, LegId


class Bell:
    """Rung from the loop's thread; a ring while nobody waits is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, timeout_s: float) -> bool:
        """Until it rings, but no longer than this. Whether it rang."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._event.wait()
        except TimeoutError:
            return False
        finally:
            self._event.clear()


class IntakeBell(Bell):
    """Room 2's. Rung when there is something to do."""

    def __init__(self) -> None:
        super().__init__()
        self._is_to_look = True
        self.prompt = Bell()
        """Rung when that may be something that somebody waits for."""
        self.table = Bell()
        """Rung when it may wait in the table."""

    def ring(self) -> None:
        self._is_to_look = True
        self.prompt.ring()
        self.table.ring()
        super().ring()

    def nudge(self, *, is_prompt: bool) -> None:
        """There is something to do, and nothing to look for."""
        if is_prompt:
            self.prompt.ring()
        super().ring()

    def look_again(self) -> None:
        """The next look is due when the room comes to it."""
        self._is_to_look = True

    def looks(self) -> bool:
        """Whether a look is due; asking is taking it on."""
        due, self._is_to_look = self._is_to_look, False
        return due


class Met(IntEnum):
    """Whom a push found before the leg; of several the best."""

    NOBODY = 0
    DEAF = 1
    """Somebody who is not shown this line."""
    LISTENER = 2


Listener = Callable[[LegId, bytes, Wire | None], Met]


class Wake:
    def __init__(self) -> None:
        self.intake = IntakeBell()
        self.outbox = Bell()
        self.streams = Streams()
        self._legs: defaultdict[LegId, set[asyncio.Event]] = defaultdict(set)
        self._outcomes: dict[IntakeId, asyncio.Future[Outcome]] = {}
        self._starters: list[Callable[[list[Held]], None]] = []
        self._missing: dict[tuple[EndpointId, str], Bell] = {}
        self._listeners: list[Listener] = []

    def listen(self, call: Listener) -> None:
        """Called for every leg that is woken, with the frame to be shown once (empty: look into the store).

        The line is the one that the wake-up is about, where it is about one.
        """
        self._listeners.append(call)

    def starts(self, call: Callable[[list[Held]], None]) -> None:
        """`call` gets commands that room 2 has committed under a lease of this process."""
        self._starters.append(call)

    def start(self, held: list[Held]) -> None:
        for call in self._starters:
            call(held)

    def watch(self, leg: LegId) -> asyncio.Event:
        """Set whenever something new may be on the leg's wire. Give it back with `unwatch`."""
        event = asyncio.Event()
        self._legs[leg].add(event)
        return event

    def unwatch(self, leg: LegId, event: asyncio.Event) -> None:
        watchers = self._legs.get(leg)
        if watchers is not None:
            watchers.discard(event)
            if not watchers:
                del self._legs[leg]

    def leg(self, leg: LegId, frame: bytes = b"", line: Wire | None = None) -> Met:
        """Who in this process has the leg before him."""
        met = [call(leg, frame, line) for call in self._listeners]
        for event in self._legs.get(leg, ()):
            event.set()
        return max(met, default=Met.NOBODY)

    def missing(self, endpoint: EndpointId, source: str) -> Bell:
        """Rings when something that the endpoint was sent could not be kept: where it can be pulled it is asked for."""
        return self._missing.setdefault((endpoint, source), Bell())

    def missed(self, endpoint: EndpointId) -> None:
        for (own, _), bell in self._missing.items():
            if own == endpoint:
                bell.ring()

    def expect(self, row: IntakeId) -> "asyncio.Future[Outcome]":
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._outcomes[row] = future
        future.add_done_callback(lambda _: self._outcomes.pop(row, None))
        return future

    def outcome(self, row: IntakeId, outcome: Outcome) -> None:
        future = self._outcomes.get(row)
        if future is not None and not future.done():
            future.set_result(outcome)
