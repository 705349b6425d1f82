"""Keeps one source heard: its lease, its listener again and again, and the alarm when it has gone silent.

Rule: one source in trouble is nobody else's trouble; a defect of a listener is trouble of its source alone.
Rule: who is refused does not knock again soon, and those who failed together do not come back together.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from adapters.base import CredentialsRefused, SendError, Source
from gateway.directory import Mounted
from gateway.listen.base import Parts, Post, Trouble, silent_after_s
from gateway.observe import lines
from gateway.store import cursors
from gateway.store.cursors import Lease
from gateway.store.intake import LostClaim
from gateway.store.store import StoreUnavailable
from gateway.store.tx import Tx

Listen = Callable[[Post], Awaitable[None]]
"""Hears a source until it ends or raises Trouble, LostClaim or SendError."""

RENEWALS = 3
"""So many in the time of a lease."""
MOST_S = 3_600.0
"""A provider may ask for a longer pause, and does not get it."""
RELEASE_S = 2.0
"""At a stop nobody waits longer for the store to take a lease back: it lapses."""


class Keeper:
    def __init__(self, parts: Parts, mounted: Mounted, source: Source, listen: Listen) -> None:
        self.parts, self.mounted, self.source = parts, mounted, source
        self.silent_s = silent_after_s(source, parts.settings)
        self.post: Post | None = None
        """While we hold the lease."""
        self._listen = listen
        self._log = lines("listen").bind(endpoint_id=mounted.id, source=source.name)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            lease = await self._take()
            if lease is not None:
                try:
                    await self._hold(lease)
                finally:
                    await self._release(lease)
            await asyncio.sleep(self._beat_s)

    @property
    def _beat_s(self) -> float:
        return self.parts.settings.lease_ms / RENEWALS / 1000

    async def _take(self) -> Lease | None:
        parts = self.parts
        try:
            return await parts.store.write(
                lambda tx: cursors.take(tx, self.mounted.id, self.source.name, parts.owner, parts.settings.lease_ms)
            )
        except StoreUnavailable:
            return None

    async def _release(self, lease: Lease) -> None:
        self.post = None
        with suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(RELEASE_S):
                await self.parts.store.write(lambda tx: cursors.release(tx, lease))

    async def _hold(self, lease: Lease) -> None:
        """Until the lease is lost."""
        post = self.post = Post(self.parts, self.mounted, self.source.name, lease)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._renew(post))
                group.create_task(self._sessions(post))
        except* LostClaim:
            self._log.warning("source is heard by another node")

    async def _renew(self, post: Post) -> None:
        while True:
            await post.changed.wait(self._beat_s)
            with suppress(StoreUnavailable):
                await self.parts.store.write(lambda tx: self._renewed(tx, post))

    def _renewed(self, tx: Tx, post: Post) -> None:
        cursors.renew(tx, post.lease, self.parts.settings.lease_ms, post.heard_at, post.trouble)

    async def _sessions(self, post: Post) -> None:
        failures = 0
        while True:
            post.is_well = False
            trouble = await self.session(post)
            failures = 1 if post.is_well else failures + 1
            pause = post.pause_s(failures) if trouble.pause_s is None else trouble.pause_s
            post.trouble = trouble.code
            self._log.warning("source in trouble", code=trouble.code, failures=failures, wait_ms=int(pause * 1000))
            await asyncio.sleep(pause)

    async def session(self, post: Post) -> Trouble:
        """Why it ended. Raises LostClaim."""
        try:
            await self._listen(post)
        except Trouble as trouble:
            return trouble
        except SendError as error:
            return Trouble(error.code, self._asked_for(error))
        except LostClaim:
            raise
        except Exception:  # noqa: BLE001  because a defect of one listener must not silence the others
            self._log.exception("listener failed")
            return Trouble("defect")
        return Trouble("ended")

    def _asked_for(self, error: SendError) -> float | None:
        """The pause that an error asks for, where it does."""
        if isinstance(error, CredentialsRefused):
            return self.parts.settings.refused_pause_s
        wished = error.retry_after_s
        return None if wished is None else min(max(wished, 0.0), MOST_S)
