"""Reading a leg over HTTP: its history, and a long poll for those whose sockets are blocked.

Rule: the same store, the same numbers and the same checks of the credential as on a socket.
"""

import asyncio
from functools import partial

from adapters.base import LegRead, RawInbound, Reply, Wire, problem
from gateway.core import Core
from gateway.directory import Mounted
from gateway.live.adapter import Live, live_adapter
from gateway.live.lines import Urls, leg_of, media_urls, page_after, page_before, refusal
from gateway.store.reads import get_leg
from gateway.store.store import StoreUnavailable
from gateway.store.threads import LegRow
from gateway.store.tx import Tx
from normalizer.ids import LegId

LOOK_S = 1.0
"""How often a long poll looks whether we stop."""


async def read_leg(core: Core, mounted: Mounted, raw: RawInbound, read: LegRead) -> Reply:
    adapter, leg = live_adapter(mounted), leg_of(core.directory, mounted.id, read.address, read.evidence)
    if adapter is None or leg is None:
        return Reply(404)
    event = core.wake.watch(leg)
    try:
        return await _read(core, adapter, leg, event, raw, read)
    except StoreUnavailable:
        return error(adapter, raw, 503, "unavailable")
    finally:
        core.wake.unwatch(leg, event)


async def _read(core: Core, adapter: Live, leg: LegId, event: asyncio.Event, raw: RawInbound, read: LegRead) -> Reply:
    urls = partial(media_urls, core)
    until = core.clock.monotonic() + read.wait_ms / 1000
    while True:
        event.clear()
        row, wires, more = await core.store.read(partial(_page, leg=leg, read=read, urls=urls))
        if refusal(row, read.issued_at, core.clock.now()) is not None:
            return error(adapter, raw, 401, "unauthenticated")
        if wires or not await _rung(core, event, until):
            return adapter.page(raw, read, wires, more, row.wire_head if row is not None else 0)


async def _rung(core: Core, event: asyncio.Event, until: float) -> bool:
    """False: it was waited long enough."""
    while not core.draining() and (left := until - core.clock.monotonic()) > 0:
        try:
            async with asyncio.timeout(min(left, LOOK_S)):
                await event.wait()
        except TimeoutError:
            continue
        return True
    return False


def _page(tx: Tx, leg: LegId, read: LegRead, urls: Urls) -> tuple[LegRow | None, list[Wire], bool]:
    row = get_leg(tx, leg)
    if row is None:
        return None, [], False
    if read.after is not None:
        return row, *page_after(tx, row, read, urls)
    return row, *page_before(tx, leg, read.before, read.limit, urls)


def error(adapter: Live, raw: RawInbound, status: int, code: str) -> Reply:
    """With what belongs on every answer to this caller, or a browser could not read it."""
    return problem(status, code, {"cache-control": "no-store", **adapter.headers(raw)})
