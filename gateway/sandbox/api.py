"""The sandbox's JSON API, under /sandbox/api, and the simulated provider's own, under /sandbox/graph.

Rule: only for this machine: a request must name us in `Host`, and one that changes something must not come from a
foreign page. A page elsewhere can neither read the key that we hand out nor act with it.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from adapters.base import Request
from gateway.media.types import serving_headers
from gateway.sandbox.demo import EVERYWHERE, origins
from gateway.sandbox.host import Host, Switches
from gateway.sandbox.phones import MEDIA_KINDS, NewPhone, Refused, Say
from gateway.sandbox.screen import Screen
from gateway.store import files

MAX_JSON_BYTES = 65_536
MAX_FILE_BYTES = 20_000_000
MAX_CALL_BYTES = 110_000_000
"""The provider takes documents of 100 MB."""
MAX_WAIT_S = 25
BODY_TIMEOUT_S = 60
STORED_LINK_S = 900
MIME = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,80}(;[ a-z0-9.=+-]{1,60})?")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class State(Struct, frozen=True, kw_only=True):
    """Where everything is."""

    url: str
    token: str
    """For `/v1`, as a bearer."""
    endpoint: str
    site: str | None
    """The endpoint of the widget on the shop's page."""
    number: str
    """The business's."""
    phones: tuple["PhoneRef", ...]
    switches: Switches
    version: int


class PhoneRef(Struct, frozen=True):
    name: str
    phone: str


class News(Struct, frozen=True):
    version: int


class Made(Struct, frozen=True):
    id: str


class NewsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    after: int = -1
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0


class FileQuery(Struct, frozen=True, forbid_unknown_fields=True):
    kind: str
    caption: Annotated[str, Meta(max_length=1024)] | None = None
    name: Annotated[str, Meta(max_length=200)] | None = None


class SandboxApi:
    def __init__(self, host: Host, token: str) -> None:
        self.host, self.token = host, token
        config = host.core.config
        self._origins = frozenset(origins(config.public_url))
        self._hosts = None if config.server.host in EVERYWHERE else {urlsplit(one).netloc for one in self._origins}

    def routes(self) -> list[web.RouteDef]:
        ours = [
            web.get("/sandbox/api", self.state),
            web.get("/sandbox/api/changes", self.changes),
            web.post("/sandbox/api/phones", self.new_phone),
            web.get("/sandbox/api/phones/{phone}", self.phone),
            web.post("/sandbox/api/phones/{phone}/messages", self.say),
            web.post("/sandbox/api/phones/{phone}/files", self.file),
            web.post("/sandbox/api/phones/{phone}/read", self.read),
            web.patch("/sandbox/api/switches", self.switch),
            web.get("/sandbox/api/media/{id}", self.media),
            web.get("/sandbox/api/stored/{sha256}", self.stored),
        ]
        provider = [
            web.route("*", "/sandbox/graph/{rest:.*}", self.graph),
            web.get("/simulated-media/{id}", self.graph),
        ]
        return [
            *(web.route(one.method, one.path, self._guarded(cast(Handler, one.handler))) for one in ours),
            *provider,
        ]

    # --- who may ask ----------------------------------------------------------------------------------------------

    def _guarded(self, handler: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                return await handler(request)
            except Refused as error:
                return _problem(error)

        return answered

    def _check(self, request: web.Request) -> None:
        if self._hosts is not None and request.host.lower() not in self._hosts:
            raise Refused(403, "foreign_host", "open the sandbox by the address that it printed")
        origin = request.headers.get("Origin")
        if origin is not None and request.method != "GET" and origin not in self._origins:
            raise Refused(403, "foreign_origin", "another page asked for it")

    # --- looking --------------------------------------------------------------------------------------------------

    async def state(self, request: web.Request) -> web.Response:
        host, config = self.host, self.host.core.config
        site = next((one.id for one in config.endpoints.values() if hasattr(one.settings, "allowed_origins")), None)
        number = next(iter(host.simulator.world.numbers.values())).display
        phones = tuple(PhoneRef(one.name, one.phone or "") for one in host.phones.customers.values())
        return _json(State(url=config.public_url, token=self.token, endpoint=host.endpoint.id, site=site, number=number,
                           phones=phones, switches=host.switches, version=host.version))  # fmt: skip

    async def changes(self, request: web.Request) -> web.Response:
        query = _query(request, NewsQuery)
        return _json(News(await self.host.news(query.after, query.wait_s)))

    async def phone(self, request: web.Request) -> web.Response:
        query = _query(request, NewsQuery)
        customer = self.host.phones.get(request.match_info["phone"])
        await self.host.news(query.after, query.wait_s)
        return _json(self.host.screen(customer))

    # --- acting ---------------------------------------------------------------------------------------------------

    async def new_phone(self, request: web.Request) -> web.Response:
        wanted = await _body(request, NewPhone)
        shown: Screen = self.host.screen(self.host.phones.add(wanted.name, wanted.phone))
        self.host.changed()
        return _json(shown, 201)

    async def say(self, request: web.Request) -> web.Response:
        customer = self.host.phones.get(request.match_info["phone"])
        what: Any = await _body(request, Say)
        return _json(Made(self.host.say(customer, what).id), 201)

    async def file(self, request: web.Request) -> web.Response:
        customer, query = self.host.phones.get(request.match_info["phone"]), _query(request, FileQuery)
        mime = request.headers.get("Content-Type", "").lower()
        if query.kind not in MEDIA_KINDS:
            raise Refused(400, "bad_kind", f"one of {', '.join(MEDIA_KINDS)}")
        if not MIME.fullmatch(mime):
            raise Refused(415, "bad_type", "`Content-Type` is to name the type of the file")
        data = await _bytes(request, MAX_FILE_BYTES)
        if not data:
            raise Refused(400, "empty", "the file has no bytes")
        said = self.host.file(customer, query.kind, data, mime, caption=query.caption, filename=query.name)
        return _json(Made(said.id), 201)

    async def read(self, request: web.Request) -> web.Response:
        self.host.look(self.host.phones.get(request.match_info["phone"]))
        return _json(News(self.host.version))

    async def switch(self, request: web.Request) -> web.Response:
        """What the body does not name stays."""
        patch = await _body(request, dict[str, Any])
        wanted = {**msgspec.to_builtins(self.host.switches), **patch}
        self.host.switch(_converted(wanted, Switches))
        return _json(self.host.switches)

    # --- files ----------------------------------------------------------------------------------------------------

    async def media(self, request: web.Request) -> web.Response:
        """A file on a phone, at whatever end it came in."""
        found = self.host.simulator.world.media.get(request.match_info["id"])
        if found is None:
            raise Refused(404, "not_found", "there is no such file")
        headers = {**serving_headers(found.mime.partition(";")[0].strip()), "Cache-Control": "private, max-age=3600"}
        return web.Response(body=found.data, headers=headers)

    async def stored(self, request: web.Request) -> web.StreamResponse:
        """What the gateway keeps of a file: a short-lived link to it, as channels get it."""
        core, sha = self.host.core, request.match_info["sha256"]
        row = await core.store.read(lambda tx: files.get(tx, sha))
        if row is None:
            raise Refused(404, "not_found", "there is no such file")
        until = core.clock.now() + timedelta(seconds=STORED_LINK_S)
        raise web.HTTPFound(core.links.sign(sha, "file", row.mime, until))

    # --- the simulated provider -----------------------------------------------------------------------------------

    async def graph(self, request: web.Request) -> web.StreamResponse:
        try:
            body = await _bytes(request, MAX_CALL_BYTES)
        except Refused as error:
            return _problem(error)
        url = self.host.core.config.public_url + request.raw_path
        call = Request(method=request.method, url=url, headers=dict(request.headers), body=body)
        reply = await self.host.answer(call)
        if reply is None:
            return _cut_off(request)
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


def _cut_off(request: web.Request) -> web.Response:
    """What is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


# --- in and out ---------------------------------------------------------------------------------------------------


def _json(body: Any, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


def _problem(error: Refused) -> web.Response:
    title = error.code.replace("_", " ")
    told = {"type": f"urn:throughline:{error.code}", "title": title, "status": error.status, "detail": error.detail}
    body = msgspec.json.encode(told)
    return web.Response(status=error.status, body=body, content_type="application/problem+json")


def _query(request: web.Request, kind: type[Any]) -> Any:
    return _converted(dict(request.query), kind)


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, "bad_request", str(error)) from None


async def _body(request: web.Request, kind: Any) -> Any:
    if request.content_type != "application/json":
        raise Refused(415, "wrong_content_type", "JSON is expected")
    data = await _bytes(request, MAX_JSON_BYTES)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "bad_request", str(error)) from None


async def _bytes(request: web.Request, most: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most:
                    raise Refused(413, "too_large", f"at most {most} bytes")
    except TimeoutError:
        raise Refused(408, "too_slow", "the body did not come in time") from None
    return bytes(body)
