"""The HTTP surface: providers' webhooks, probes, metrics; it hangs the other surfaces' routes beside them.

Rule: a 2xx is given after the signature is checked on the raw bytes and one durable transaction holds them.
Rule: trouble of ours is 503 and never 4xx: a provider repeats a 503 and may give up on a 4xx. Where somebody is on the
line the channel itself has the answer to it.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from functools import partial
from typing import Protocol, runtime_checkable

from aiohttp import web

from adapters.base import LegRead, LegUpload, RawInbound, Reply, Rings, Unauthentic
from gateway import api, live, uploads
from gateway.answers import problem, to_response
from gateway.arrival import arrived
from gateway.core import Core
from gateway.directory import Mounted
from gateway.store.reads import alive
from gateway.store.store import StoreUnavailable
from normalizer.ids import EndpointId

CORE: web.AppKey[Core] = web.AppKey("core")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def make_app(core: Core) -> web.Application:
    server = core.config.server
    app = web.Application(
        client_max_size=server.max_body_bytes,
        # It also ends a connection whose request never becomes whole, however slowly its headers come.
        handler_args={"access_log": None, "keepalive_timeout": server.idle_timeout_ms / 1000},
    )
    app[CORE] = core
    for mounted in core.directory.endpoints.values():
        # By its whole path: a pattern costs every request.
        app.router.add_route("*", f"/hooks/{mounted.id}", partial(hook, core, mounted))
    app.router.add_route("*", "/hooks/{endpoint_id}{tail:(/.*)?}", partial(any_hook, core))
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_routes(live.routes(core))
    app.router.add_routes(uploads.routes(core))
    app.router.add_routes(api.routes(core))
    app.on_startup.append(_last_route)
    app.on_response_prepare.append(_unnamed)
    return app


async def _last_route(app: web.Application) -> None:
    """After all that others hang beside ours."""
    app.router.add_route("*", "/{rest:.*}", nowhere)


async def _unnamed(request: web.Request, response: web.StreamResponse) -> None:
    """Which versions of which programs we are made of is nobody's business."""
    response.headers.pop("Server", None)


async def nowhere(request: web.Request) -> web.StreamResponse:
    """Nothing is here, or nothing for this method."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        _, methods = await resource.resolve(request)
        allowed |= methods - {"*"}
    if not allowed:
        return problem(404, "not_found")
    return problem(405, "method_not_allowed", {"Allow": ", ".join(sorted(allowed))})


# --- webhooks -----------------------------------------------------------------------------------------------------


async def any_hook(core: Core, request: web.Request) -> web.StreamResponse:
    mounted = core.directory.endpoints.get(EndpointId(request.match_info["endpoint_id"]))
    return problem(404, "unknown_endpoint") if mounted is None else await hook(core, mounted, request)


async def hook(core: Core, mounted: Mounted, request: web.Request) -> web.StreamResponse:
    began = core.clock.monotonic()
    response = await _hook(core, mounted, request)
    core.metrics.receive_seconds.observe(core.clock.monotonic() - began)
    return response


async def _hook(core: Core, mounted: Mounted, request: web.Request) -> web.StreamResponse:
    if core.draining() and not isinstance(mounted.adapter, Ringing):
        return _refused(core, mounted, request, 503, "draining", retry_after_s=5)
    if core.disk_full() and not isinstance(mounted.adapter, Ringing):
        return _refused(core, mounted, request, 503, "disk_full", retry_after_s=60)
    type_, able = request.content_type, mounted.adapter.capabilities
    if type_ not in able.content_types:
        if type_ == "multipart/form-data":
            return await _upload(core, mounted, request)
        if request.body_exists:
            return _refused(core, mounted, request, 415, "wrong_content_type")
    most = max(core.config.server.max_body_bytes, able.max_body_bytes or 0)
    content = request.content
    try:
        # What has arrived already needs no clock, and no waiting.
        body = content.read_nowait() if content.is_eof() else await _body(core, request, most)
    except TimeoutError:
        return _refused(core, mounted, request, 408, "body_too_slow")
    except web.HTTPRequestEntityTooLarge:
        return _refused(core, mounted, request, 413, "body_too_large")
    if len(body) > most:
        return _refused(core, mounted, request, 413, "body_too_large")
    raw = arrived(core, mounted, request, "webhook", path=request.match_info.get("tail", ""), body=body)
    return await _inbound(core, mounted, request, raw)


async def _body(core: Core, request: web.Request, most: int) -> bytes:
    """Raises TimeoutError, HTTPRequestEntityTooLarge. Who may send more may take longer, at the same least pace."""
    server = core.config.server
    async with asyncio.timeout(server.body_timeout_ms / 1000 * most / server.max_body_bytes):
        return await (request.read() if most == server.max_body_bytes else _read_large(core, request, most))


async def _read_large(core: Core, request: web.Request, most: int) -> bytes:
    """More than aiohttp's own limit, which is the same for all routes. Nobody has proven yet who he is: those who send
    more than that wait for each other."""
    body, usual = bytearray(), core.config.server.max_body_bytes
    async with AsyncExitStack() as large:
        async for piece in request.content.iter_any():
            if len(body) <= usual < len(body) + len(piece):
                await large.enter_async_context(core.large_bodies)
            body += piece
            if len(body) > most:
                raise web.HTTPRequestEntityTooLarge(most, len(body))
        return bytes(body)


async def _inbound(core: Core, mounted: Mounted, request: web.Request, raw: RawInbound) -> web.StreamResponse:
    verdict = _verified(core, mounted, request, raw)
    match verdict:
        case web.StreamResponse():
            return verdict
        case Reply():
            return _counted(core, mounted, request, "handshake", _said(core, request, verdict))
        case LegRead():
            reply = await live.read_leg(core, mounted, raw, verdict)
            if reply.status == 503:
                return _unkept(core, mounted, request, raw, "store_unavailable", reply)
            return _counted(core, mounted, request, "read", _said(core, request, reply))
        case LegUpload():
            return _refused(core, mounted, request, 415, "multipart_expected")
        case None:
            return await _keep(core, mounted, request, raw)


def _verified(
    core: Core, mounted: Mounted, request: web.Request, raw: RawInbound
) -> Reply | LegRead | LegUpload | web.StreamResponse | None:
    try:
        return mounted.adapter.verify(raw)
    except Unauthentic as error:
        return _refused(core, mounted, request, error.status, error.code)
    except Exception:  # noqa: BLE001  because whatever a forged request provokes, it does not get in
        core.metrics.adapter_errors.labels(mounted.id, "verify").inc()
        return _refused(core, mounted, request, Unauthentic.status, Unauthentic.code)


async def _keep(core: Core, mounted: Mounted, request: web.Request, raw: RawInbound) -> web.StreamResponse:
    waits = mounted.adapter.capabilities.answers == "processed"
    if core.disk_full():
        return _unkept(core, mounted, request, raw, "disk_full")
    try:
        outcome = await core.receiver.receive(raw, outcome_ms=core.config.server.call_outcome_ms if waits else None)
    except StoreUnavailable:
        return _unkept(core, mounted, request, raw, "store_unavailable")
    return _counted(core, mounted, request, "kept", _said(core, request, mounted.adapter.respond(raw, outcome)))


def _unkept(
    core: Core, mounted: Mounted, request: web.Request, raw: RawInbound, code: str, refusal: Reply | None = None
) -> web.StreamResponse:
    """It could not be kept. Who is on the line is told something all the same; everybody else is asked to repeat."""
    reply = _told_all_the_same(core, mounted, raw)
    if reply is not None:
        core.wake.missed(mounted.id)
        return _counted(core, mounted, request, "rang", _said(core, request, reply))
    if refusal is not None:
        return _counted(core, mounted, request, code, _said(core, request, refusal))
    return _refused(core, mounted, request, 503, code, retry_after_s=1)


def _told_all_the_same(core: Core, mounted: Mounted, raw: RawInbound) -> Reply | None:
    if not isinstance(mounted.adapter, Ringing):
        return None
    try:
        return mounted.adapter.unavailable(raw)
    except Exception:  # noqa: BLE001  because it is our second trouble, and there is still an answer to it
        core.metrics.adapter_errors.labels(mounted.id, "unavailable").inc()
        return None


async def _upload(core: Core, mounted: Mounted, request: web.Request) -> web.StreamResponse:
    raw = arrived(core, mounted, request, "webhook", path=request.match_info.get("tail", ""))
    verdict = _verified(core, mounted, request, raw)
    match verdict:
        case web.StreamResponse():
            return verdict
        case LegUpload():
            reply = await uploads.take_upload(core, mounted, raw, verdict, request)
            return _counted(core, mounted, request, "upload", _said(core, request, reply))
        case Reply() | LegRead() | None:
            return _refused(core, mounted, request, 415, "wrong_content_type")


def _refused(
    core: Core, mounted: Mounted, request: web.Request, status: int, code: str, *, retry_after_s: int | None = None
) -> web.StreamResponse:
    """Our own answer, with the headers without which a browser would not show it to a channel's own pages."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if isinstance(mounted.adapter, Browsed):
        headers |= mounted.adapter.headers(
            arrived(core, mounted, request, "webhook", path=request.match_info.get("tail", ""))
        )
    response = _counted(core, mounted, request, code, problem(status, code, headers))
    if status == 503:
        core.wake.missed(mounted.id)
    if status in (408, 413):
        # Nobody reads the rest of the body: the connection ends with the answer.
        response.force_close()
    return response


@runtime_checkable
class Ringing(Rings, Protocol):
    """An adapter whose callers hear our answer."""


@runtime_checkable
class Browsed(Protocol):
    """An adapter whose callers are pages in a browser."""

    def headers(self, raw: RawInbound) -> Mapping[str, str]: ...


def _said(core: Core, request: web.Request, reply: Reply) -> web.StreamResponse:
    return to_response(reply, request, core.clock.now_ms() // 1000)


def _counted(
    core: Core, mounted: Mounted, request: web.Request, verdict: str, response: web.StreamResponse
) -> web.StreamResponse:
    core.report.received(mounted.id, verdict, response.status, request.content_length or 0)
    return response


# --- probes -------------------------------------------------------------------------------------------------------


async def healthz(request: web.Request) -> web.StreamResponse:
    """The process turns; whether it should get traffic is `/readyz`."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.StreamResponse:
    core = request.app[CORE]
    missing = await _missing(core)
    core.metrics.ready.set(0 if missing else 1)
    if missing:
        return problem(503, missing)
    # A mailbox that is silent is somebody's trouble, and no reason to send requests elsewhere.
    silent = core.silent()
    return web.json_response({"status": "ready"} | ({"silent": silent} if silent else {}))


async def _missing(core: Core) -> str | None:
    if core.draining():
        return "draining"
    if not core.migrated():
        return "not_migrated"
    if core.disk_full():
        return "disk_full"
    try:
        async with asyncio.timeout(core.config.server.write_timeout_ms / 1000):
            return None if await core.store.read(alive) else "store_unavailable"
    except (TimeoutError, StoreUnavailable):
        return "store_unavailable"


async def metrics(request: web.Request) -> web.StreamResponse:
    return web.Response(body=request.app[CORE].metrics.render(), headers={"Content-Type": METRICS_TYPE})
