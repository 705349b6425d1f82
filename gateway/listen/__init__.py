"""Sources that we dial or ask ourselves: mailboxes, sockets that a provider opens for us, pages of what we missed.

base.py         what every listener works with
keeper.py       one source: its lease, its listener again and again
imap.py         a mailbox (RFC 9051), over the connection of imap_client.py
socket_mode.py  a WebSocket that is asked for first
poll.py         an adapter's `pull`, now and then

Rule: listeners are at the side of room 1: what they hear goes to `receive_from`, and only the commit acknowledges it.
Rule: a source that nobody heard for too long is an alarm, on every node, whoever should have heard it.
"""

import asyncio
from collections.abc import Awaitable, Iterable

from adapters.base import ImapSource, PullSource, SocketModeSource, Source
from gateway.directory import Mounted
from gateway.listen.base import Parts, Post, sources_of
from gateway.listen.keeper import Keeper, Listen
from gateway.observe import Metrics, lines
from gateway.store import cursors
from gateway.store.store import StoreUnavailable

LOOK_S = 5.0
"""How often it is asked who was heard when."""


class Listeners:
    def __init__(self, parts: Parts, endpoints: Iterable[Mounted], metrics: Metrics) -> None:
        self._parts, self._metrics = parts, metrics
        self.keepers = [
            Keeper(parts, mounted, source, listen_to(source)) for mounted in endpoints for source in sources_of(mounted)
        ]
        self._began = parts.store.now()
        self._silent: set[Keeper] = set()
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()
        self._ended.set()
        self._log = lines("listen")

    @property
    def silent(self) -> list[str]:
        """What nobody has heard for too long, as `endpoint/source`."""
        return sorted(f"{keeper.mounted.id}/{keeper.source.name}" for keeper in self._silent)

    async def run(self) -> None:
        """Until `stop`. Raises what ended a keeper."""
        self._ended.clear()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(keeper.run()) for keeper in self.keepers]
                tasks.append(group.create_task(self._look()))
                await self._stopping.wait()
                for task in tasks:
                    task.cancel()
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Returns when nobody listens any more."""
        self._stopping.set()
        await self._ended.wait()

    async def _look(self) -> None:
        while True:
            heard = await self._heard()
            for keeper in self.keepers:
                self._show(keeper, heard)
            await asyncio.sleep(LOOK_S)

    async def _heard(self) -> dict[tuple[str, str], int]:
        """By whichever node."""
        try:
            rows = await self._parts.store.read(cursors.every)
        except StoreUnavailable:
            return {}
        return {(row.endpoint_id, row.name): row.heard_at for row in rows if row.heard_at is not None}

    def _show(self, keeper: Keeper, heard: dict[tuple[str, str], int]) -> None:
        own = keeper.post.heard_at if keeper.post is not None else None
        endpoint, name = keeper.mounted.id, keeper.source.name
        last, now = max(heard.get((endpoint, name), 0), own or 0), self._parts.store.now()
        self._metrics.source_heard_seconds.labels(endpoint, name).set((now - (last or self._began)) / 1000)
        # Whatever happened before our start, it is given its time from then on.
        age_s = (now - max(last, self._began)) / 1000
        if age_s > keeper.silent_s and keeper not in self._silent:
            self._silent.add(keeper)
            self._log.error("source silent", endpoint_id=endpoint, source=name, wait_ms=int(age_s * 1000))
        elif age_s <= keeper.silent_s and keeper in self._silent:
            self._silent.remove(keeper)
            self._log.info("source heard again", endpoint_id=endpoint, source=name)


def listen_to(source: Source) -> Listen:
    """Each listener's libraries are loaded when the first source of its kind is configured."""
    match source:
        case ImapSource():
            return lambda post: _imap(post, source)
        case SocketModeSource():
            return lambda post: _socket_mode(post, source)
        case PullSource():
            return lambda post: _poll(post, source)


def _imap(post: Post, source: ImapSource) -> Awaitable[None]:
    from gateway.listen import imap

    return imap.listen(post, source)


def _socket_mode(post: Post, source: SocketModeSource) -> Awaitable[None]:
    from gateway.listen import socket_mode

    return socket_mode.listen(post, source)


def _poll(post: Post, source: PullSource) -> Awaitable[None]:
    from gateway.listen import poll

    return poll.listen(post, source)
