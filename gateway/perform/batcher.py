"""Outcomes of many calls, written together: whoever finishes while a commit is under way goes with the next one.

Rule: `put` returns after the commit. If a batch fails, each is written alone, so that one can not fail the others.
"""

import asyncio
from collections.abc import Callable

from gateway.store.store import Store, StoreUnavailable
from gateway.store.tx import Tx

Write = Callable[[Tx], None]


class Batcher:
    def __init__(self, store: Store, most: int = 64) -> None:
        self._store, self._most = store, most
        self._waiting: list[tuple[Write, asyncio.Future[None]]] = []
        self._flushing: asyncio.Task[None] | None = None

    async def put(self, write: Write) -> None:
        """Raises what the write raised; trouble of the database is waited out."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, future))
        if self._flushing is None or self._flushing.done():
            self._flushing = asyncio.create_task(self._flush(), name="perform-outcomes")
        await future

    async def _flush(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            if not await self._together(batch):
                for one in batch:
                    await self._alone(*one)

    async def _together(self, batch: list[tuple[Write, "asyncio.Future[None]"]]) -> bool:
        try:
            await self._store.write(lambda tx: [write(tx) for write, _ in batch], room="perform", items=len(batch))
        except Exception:  # noqa: BLE001  because each is tried alone now, and says then what is wrong with it
            return False
        for _, future in batch:
            if not future.done():
                future.set_result(None)
        return True

    async def _alone(self, write: Write, future: "asyncio.Future[None]") -> None:
        while not future.done():
            try:
                await self._store.write(write)
            except StoreUnavailable:
                await asyncio.sleep(0.2)
                continue
            except Exception as error:  # noqa: BLE001  because it belongs to whoever waits
                future.set_exception(error)
            else:
                future.set_result(None)
