"""What may be seen has changed: who waits for that, and who has something to deliver because of it.

Rule: the version rises with whatever may be seen, at whichever place.
"""

import asyncio
from contextlib import suppress
from typing import Any

from gateway.wake import Bell


class News:
    def __init__(self) -> None:
        self.version = 1
        self.stopping = asyncio.Event()
        self._watchers: set[asyncio.Event] = set()
        self._bells: list[Bell] = []

    def bell(self) -> Bell:
        """Rung with every change that may make something due."""
        bell = Bell()
        self._bells.append(bell)
        return bell

    def changed(self) -> None:
        for bell in self._bells:
            bell.ring()
        self.seen()

    def seen(self) -> None:
        """As `changed`, but nothing new is due because of it."""
        self.version += 1
        self._wake()

    async def wait(self, after: int, wait_s: float) -> int:
        """The version, as soon as it is another one than `after`, and no later than this."""
        event = asyncio.Event()
        self._watchers.add(event)
        try:
            if self.version == after and not self.stopping.is_set():
                await within(event.wait(), wait_s)
        finally:
            self._watchers.discard(event)
        return self.version

    async def pause(self, seconds: float) -> None:
        """No longer than until it stops."""
        await within(self.stopping.wait(), seconds)

    def stop(self) -> None:
        self.stopping.set()
        for bell in self._bells:
            bell.ring()
        self._wake()

    def _wake(self) -> None:
        for event in self._watchers:
            event.set()


async def within(waiting: Any, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waiting
