"""What the composition root has built, as the surfaces (HTTP, sockets, API, sandbox) get it."""

from asyncio import Semaphore
from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec import Struct

from gateway.clock import Clock, Ids
from gateway.credentials import Credentials
from gateway.directory import Directory
from gateway.media import MediaLinks, MediaStore
from gateway.observe import Metrics
from gateway.receive import Receiver
from gateway.report import Report
from gateway.settings import Config
from gateway.standing import Standing
from gateway.store.store import Store
from gateway.transport import Transport
from gateway.wake import Wake

if TYPE_CHECKING:
    from gateway.live.sockets import Sockets


class Core(Struct, frozen=True, kw_only=True):
    config: Config
    clock: Clock
    ids: Ids
    store: Store
    directory: Directory
    wake: Wake
    receiver: Receiver
    media: MediaStore
    links: MediaLinks
    transport: Transport
    credentials: Credentials
    metrics: Metrics
    report: Report
    standing: Standing
    sockets: "Callable[[], Sockets]"
    """All live sockets of this process."""
    large_bodies: Semaphore
    """Turns of those who send bodies of more than `server.max_body_bytes`."""
    draining: Callable[[], bool]
    """True once a stop was asked for."""
    migrated: Callable[[], bool]
    """True once the database has our tables."""
    disk_full: Callable[[], bool]
    """True while the disk has too little room for the intake."""
    silent: Callable[[], list[str]]
    """Sources that nobody has heard for too long."""
    peer_digest: Callable[[str], str]
    """A caller's network address as a keyed digest."""
