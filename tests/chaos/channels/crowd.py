"""The customers of a line: each writes, waits for the answer, and writes on, until told to stop.

Most turns are one message, so that each has an answer of its own. Some are several, the next one said when the one
before was taken; some are two at once, whose order is anybody's.

Rule: nobody writes before his last message was answered, however long that takes.
"""

from __future__ import annotations

import asyncio

from tests.chaos.channels.line import Line, Place, Said, until

PAUSE_S = 0.4
"""Longest time between an answer and the next turn."""
SEVERAL, AT_ONCE = 0.15, 0.1
"""Shares of turns."""
TAKEN_S = 3.0
"""A message that was not taken by then is the last of its turn."""
LATE_S = 5.0
"""One of two at once may be answered together with the other."""
ALPHABETS = ("", " grüße", " 你好", " مرحبا")


class Crowd:
    def __init__(self, line: Line, place: Place) -> None:
        self._line, self._random = line, place.random
        self._stopping = False
        self._count = 0

    def stop(self) -> None:
        """Nobody says anything new."""
        self._stopping = True

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for customer in self._line.customers:
                group.create_task(self._live(customer))

    async def _live(self, customer: str) -> None:
        while not self._stopping:
            await asyncio.sleep(self._random.uniform(0, PAUSE_S))
            if not self._stopping:
                await self._turn(customer)

    async def _turn(self, customer: str) -> None:
        draw = self._random.random()
        if draw < AT_ONCE:
            first, second = self._say(customer), self._say(customer)
            await until(lambda: self._answered(second) or self._answered(first))
            await until(lambda: self._answered(second), LATE_S)
            return
        said = self._say(customer)
        for _ in range(self._random.randint(1, 2) if draw < AT_ONCE + SEVERAL else 0):
            await until(lambda one=said: one.acked_at is not None, TAKEN_S)  # type: ignore[misc]
            if said.acked_at is None or self._stopping:
                break
            said = self._say(customer)
        await until(lambda: self._answered(said))

    def _say(self, customer: str) -> Said:
        self._count += 1
        return self._line.say(customer, f"{customer} says {self._count}{self._random.choice(ALPHABETS)}")

    def _answered(self, said: Said) -> bool:
        return said.text in self._line.record.texts
