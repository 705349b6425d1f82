"""The HTTP surface: providers' webhooks, probes, metrics; it hangs the other surfaces' routes beside them.

Rule: a 2xx is given after the signature is checked on the raw bytes and one durable transaction holds them.
Rule: trouble of ours is 503 and never 4xx: a provider repeats a 503 and may give up on a 4xx.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec
from aiohttp import web

from adapters.base import LegRead, LegUpload, RawInbound, Reply, Unauthentic
from gateway import api, live, uploads
from gateway.arrival import arrived
from gateway.core import Core
from gateway.directory import Mounted
from gateway.store.reads import alive
from gateway.store.store import StoreUnavailable
from normalizer.ids import EndpointId

CORE: web.AppKey[Core] = web.AppKey("core")
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def make_app(core: Core) -> web.Application:
    app = web.Application(client_max_size=core.config.server.max_body_bytes, handler_args={"access_log": None})
    app[CORE] = core
    app.router.add_route("*", "/hooks/{endpoint_id}{tail:(/.*)?}", hook)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    app.router.add_routes(live.routes(core))
    app.router.add_routes(uploads.routes(core))
    app.router.add_routes(api.routes(core))
    return app


# --- webhooks -----------------------------------------------------------------------------------------------------


async def hook(request: web.Request) -> web.Response:
    core = request.app[CORE]
    began = core.clock.monotonic()
    response = await _hook(core, request)
    core.metrics.receive_seconds.observe(core.clock.monotonic() - began)
    return response


async def _hook(core: Core, request: web.Request) -> web.Response:
    mounted = core.directory.endpoints.get(EndpointId(request.match_info["endpoint_id"]))
    if mounted is None:
        return problem(404, "unknown_endpoint")
    if core.draining():
        return _refused(core, mounted, request, 503, "draining", retry_after_s=5)
    if core.disk_full():
        return _refused(core, mounted, request, 503, "disk_full", retry_after_s=60)
    if request.content_type == "multipart/form-data":
        return await _upload(core, mounted, request)
    if request.body_exists and request.content_type not in mounted.adapter.capabilities.content_types:
        return _refused(core, mounted, request, 415, "wrong_content_type")
    try:
        body = await _body(core, request)
    except TimeoutError:
        return _refused(core, mounted, request, 408, "body_too_slow")
    except web.HTTPRequestEntityTooLarge:
        return _refused(core, mounted, request, 413, "body_too_large")
    raw = arrived(core, mounted, request, "webhook", path=request.match_info["tail"], body=body)
    return await _inbound(core, mounted, request, raw)


async def _body(core: Core, request: web.Request) -> bytes:
    """Raises TimeoutError. What has arrived already needs no clock."""
    if request.content.is_eof():
        return await request.read()
    async with asyncio.timeout(core.config.server.body_timeout_ms / 1000):
        return await request.read()


async def _inbound(core: Core, mounted: Mounted, request: web.Request, raw: RawInbound) -> web.Response:
    verdict = _verified(core, mounted, request, raw)
    match verdict:
        case web.Response():
            return verdict
        case Reply():
            return _counted(core, mounted, request, "handshake", to_response(verdict))
        case LegRead():
            return _counted(
                core, mounted, request, "read", to_response(await live.read_leg(core, mounted, raw, verdict))
            )
        case LegUpload():
            return _refused(core, mounted, request, 415, "multipart_expected")
        case None:
            return await _keep(core, mounted, request, raw)


def _verified(
    core: Core, mounted: Mounted, request: web.Request, raw: RawInbound
) -> Reply | LegRead | LegUpload | web.Response | None:
    try:
        return mounted.adapter.verify(raw)
    except Unauthentic as error:
        return _refused(core, mounted, request, error.status, "unauthentic")
    except Exception:  # noqa: BLE001  because whatever a forged request provokes, it does not get in
        core.metrics.adapter_errors.labels(mounted.id, "verify").inc()
        return _refused(core, mounted, request, 401, "unauthentic")


async def _keep(core: Core, mounted: Mounted, request: web.Request, raw: RawInbound) -> web.Response:
    waits = mounted.adapter.capabilities.answers == "processed"
    try:
        outcome = await core.receiver.receive(raw, outcome_ms=core.config.server.call_outcome_ms if waits else None)
    except StoreUnavailable:
        return _refused(core, mounted, request, 503, "store_unavailable", retry_after_s=1)
    return _counted(core, mounted, request, "kept", to_response(mounted.adapter.respond(raw, outcome)))


async def _upload(core: Core, mounted: Mounted, request: web.Request) -> web.Response:
    raw = arrived(core, mounted, request, "webhook", path=request.match_info["tail"])
    verdict = _verified(core, mounted, request, raw)
    match verdict:
        case web.Response():
            return verdict
        case LegUpload():
            reply = await uploads.take_upload(core, mounted, raw, verdict, request)
            return _counted(core, mounted, request, "upload", to_response(reply))
        case Reply() | LegRead() | None:
            return _refused(core, mounted, request, 415, "wrong_content_type")


def _refused(
    core: Core, mounted: Mounted, request: web.Request, status: int, code: str, *, retry_after_s: int | None = None
) -> web.Response:
    """Our own answer, with the headers without which a browser would not show it to a channel's own pages."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    if isinstance(mounted.adapter, Browsed):
        headers |= mounted.adapter.headers(arrived(core, mounted, request, "webhook", path=request.match_info["tail"]))
    response = _counted(core, mounted, request, code, problem(status, code, headers))
    if status in (408, 413):
        # Nobody reads the rest of the body: the connection ends with the answer.
        response.force_close()
    return response


@runtime_checkable
class Browsed(Protocol):
    """An adapter whose callers are pages in a browser."""

    def headers(self, raw: RawInbound) -> Mapping[str, str]: ...


def _counted(core: Core, mounted: Mounted, request: web.Request, verdict: str, response: web.Response) -> web.Response:
    core.report.received(mounted.id, verdict, response.status, request.content_length or 0)
    return response


def to_response(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body or None)


def problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """RFC 9457, with the code as its type."""
    body = msgspec.json.encode({"type": f"urn:throughline:{code}", "title": code.replace("_", " "), "status": status})
    return web.Response(status=status, body=body, content_type="application/problem+json", headers=headers)


# --- probes -------------------------------------------------------------------------------------------------------


async def healthz(request: web.Request) -> web.Response:
    """The process turns; whether it should get traffic is `/readyz`."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    core = request.app[CORE]
    missing = await _missing(core)
    core.metrics.ready.set(0 if missing else 1)
    if missing:
        return problem(503, missing)
    return web.json_response({"status": "ready"})


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


async def metrics(request: web.Request) -> web.Response:
    return web.Response(body=request.app[CORE].metrics.render(), headers={"Content-Type": METRICS_TYPE})
