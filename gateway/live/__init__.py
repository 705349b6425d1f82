"""Live channels: their sockets under `/live/{endpoint_id}`, and what is read beside them.

Rule: a refusal that a browser must be able to read is a close code: it can not see the status of a failed handshake.
Rule: sockets live from the store alone. A restart between any two frames is a reconnect and nothing more.
"""

from functools import partial

from aiohttp import web

from adapters.base import Forbidden, LegRead, LegUpload, RawInbound, Reply, Unauthentic
from gateway.answers import problem
from gateway.arrival import arrived
from gateway.core import Core
from gateway.directory import Mounted
from gateway.live.adapter import Live, live_adapter
from gateway.live.reading import read_leg
from gateway.live.socket import FORBIDDEN, GOING_AWAY, UNAUTHENTICATED, Socket
from gateway.live.sockets import Sockets
from normalizer.ids import EndpointId, LegId

__all__ = ["Sockets", "close_all", "flash", "read_leg", "routes", "serve_socket", "sockets_of"]

CLOSE_WAIT_S = 2.0
"""How long a peer has for its half of the closing handshake, and for taking what was sent before it."""
NEVER_WAIT = 2**62
"""Bytes after which writing would wait for the peer: what waits is bounded by our own setting instead."""


def sockets_of(core: Core) -> Sockets:
    """One for each running gateway."""
    return core.sockets()


def routes(core: Core) -> list[web.RouteDef]:
    return [web.get("/live/{endpoint_id}", partial(serve_socket, core), allow_head=False)]


async def close_all(core: Core) -> None:
    """Tells every socket that we stop, and waits until it is gone."""
    await sockets_of(core).close_all()


async def flash(core: Core, leg: LegId, frame: bytes) -> None:
    """Shows a frame once to whoever looks at the leg now; it has no number and is stored nowhere."""
    await sockets_of(core).flash(leg, frame)


async def serve_socket(core: Core, request: web.Request) -> web.StreamResponse:
    """One socket, from its handshake to its end."""
    opened = await open_socket(core, request)
    if isinstance(opened, Socket):
        await opened.run()
        return opened.ws
    return opened


async def open_socket(core: Core, request: web.Request) -> Socket | web.StreamResponse:
    """The handshake. By itself, so that nothing of it is held for as long as the socket lives."""
    mounted = core.directory.endpoints.get(EndpointId(request.match_info["endpoint_id"]))
    adapter = live_adapter(mounted) if mounted is not None else None
    if mounted is None or adapter is None:
        return problem(404, "unknown_endpoint")
    ws: web.WebSocketResponse[bool] = web.WebSocketResponse(
        timeout=CLOSE_WAIT_S, autoping=False, compress=False, max_msg_size=adapter.max_frame_bytes + 1,
        protocols=adapter.subprotocols, writer_limit=NEVER_WAIT, decode_text=False,
    )  # fmt: skip
    if not ws.can_prepare(request):
        return problem(426, "websocket_expected", {"Upgrade": "websocket"})
    raw, sockets = arrived(core, mounted, request, "live"), sockets_of(core)
    if core.draining() or sockets.full(adapter.limits, raw.peer):
        return problem(503, "draining" if core.draining() else "too_many_sockets", {"Retry-After": "5"})
    refused = verified(core, mounted, adapter, raw)
    if isinstance(refused, Reply):
        return web.Response(status=refused.status, headers=refused.headers, body=refused.body or None)
    await ws.prepare(request)
    if refused is None and request.transport is not None:
        return Socket(sockets, mounted, adapter, ws, request.transport, raw)
    core.metrics.live_closed.labels(str(refused)).inc()
    await ws.close(code=refused or GOING_AWAY, message=b"refused")
    return ws


def verified(core: Core, mounted: Mounted, adapter: Live, raw: RawInbound) -> Reply | int | None:
    """None: it may go on. A number: the close code that it is refused with."""
    try:
        verdict = adapter.verify(raw)
    except Forbidden:
        return FORBIDDEN
    except Unauthentic:
        return UNAUTHENTICATED
    except Exception:  # noqa: BLE001  because whatever a forged handshake provokes, it does not get in
        sockets_of(core).broken(mounted, "verify")
        return UNAUTHENTICATED
    return verdict if isinstance(verdict, Reply) else _no_socket(verdict)


def _no_socket(verdict: LegRead | LegUpload | None) -> int | None:
    return None if verdict is None else UNAUTHENTICATED
