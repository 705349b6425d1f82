"""The sandbox's JSON API, under /sandbox/api, and the simulated provider's own, under /sandbox/graph.

Rule: only for this machine: a request must name us in `Host`, and one that changes something must not come from a
foreign page. A page elsewhere can neither read the key that we hand out nor act with it.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any, cast
from urllib.parse import urlsplit

from aiohttp import web
from msgspec import Meta, Struct

from gateway.media.types import serving_headers
from gateway.sandbox.bodies import bytes_of, called, json_answer, json_body, problem, query
from gateway.sandbox.demo import EVERYWHERE, origins
from gateway.sandbox.host import Switches
from gateway.sandbox.people import Person
from gateway.sandbox.phones import MEDIA_KINDS, NewPhone, Refused, Say
from gateway.sandbox.place import Card
from gateway.sandbox.places import patched
from gateway.sandbox.screen import Screen
from gateway.sandbox.stage import Stage
from gateway.store import files

MAX_FILE_BYTES = 20_000_000
MAX_WAIT_S = 25
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
    people: tuple[Person, ...]
    switches: Switches
    """Of the telephones' provider, which is among `places`, too."""
    places: tuple["Shown", ...]
    version: int


class PhoneRef(Struct, frozen=True):
    name: str
    phone: str


class Shown(Struct, frozen=True):
    card: Card
    switches: Any


class Version(Struct, frozen=True):
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
    def __init__(self, stage: Stage, token: str) -> None:
        self.stage, self.host, self.token = stage, stage.host, token
        config = stage.core.config
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
        return [*self.guarded(ours), *provider]

    # --- who may ask ----------------------------------------------------------------------------------------------

    def guarded(self, routes: Iterable[web.RouteDef]) -> Iterator[web.RouteDef]:
        for one in routes:
            yield web.route(one.method, one.path, self._guarded(cast(Handler, one.handler)))

    def _guarded(self, handler: Handler) -> Handler:
        async def answered(request: web.Request) -> web.StreamResponse:
            try:
                self._check(request)
                return await handler(request)
            except Refused as error:
                return problem(error)

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
        shown = [Shown(one.card, one.switches) for one in self.stage.places.values()]
        places = (Shown(host.card, host.switches), *shown)
        people = tuple(self.stage.people.all())
        return json_answer(State(url=config.public_url, token=self.token, endpoint=host.endpoint.id, site=site,
                                 number=number, phones=phones, people=people, switches=host.switches, places=places,
                                 version=self.stage.news.version))  # fmt: skip

    async def changes(self, request: web.Request) -> web.Response:
        asked = query(request, NewsQuery)
        return json_answer(Version(await self.stage.news.wait(asked.after, asked.wait_s)))

    async def phone(self, request: web.Request) -> web.Response:
        asked = query(request, NewsQuery)
        customer = self.host.phones.get(request.match_info["phone"])
        await self.stage.news.wait(asked.after, asked.wait_s)
        return json_answer(self.host.screen(customer))

    # --- acting ---------------------------------------------------------------------------------------------------

    async def new_phone(self, request: web.Request) -> web.Response:
        wanted = await json_body(request, NewPhone)
        shown: Screen = self.host.screen(self.host.phones.add(wanted.name, wanted.phone))
        self.stage.met()
        self.stage.news.changed()
        return json_answer(shown, 201)

    async def say(self, request: web.Request) -> web.Response:
        customer = self.host.phones.get(request.match_info["phone"])
        what: Any = await json_body(request, Say)
        return json_answer(Made(self.host.say(customer, what).id), 201)

    async def file(self, request: web.Request) -> web.Response:
        customer, asked = self.host.phones.get(request.match_info["phone"]), query(request, FileQuery)
        mime = request.headers.get("Content-Type", "").lower()
        if asked.kind not in MEDIA_KINDS:
            raise Refused(400, "bad_kind", f"one of {', '.join(MEDIA_KINDS)}")
        if not MIME.fullmatch(mime):
            raise Refused(415, "bad_type", "`Content-Type` is to name the type of the file")
        data = await bytes_of(request, MAX_FILE_BYTES)
        if not data:
            raise Refused(400, "empty", "the file has no bytes")
        said = self.host.file(customer, asked.kind, data, mime, caption=asked.caption, filename=asked.name)
        return json_answer(Made(said.id), 201)

    async def read(self, request: web.Request) -> web.Response:
        self.host.look(self.host.phones.get(request.match_info["phone"]))
        return json_answer(Version(self.stage.news.version))

    async def switch(self, request: web.Request) -> web.Response:
        return await patched(request, self.host)

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
        return await called(request, self.host.core.config.public_url, self.host.answer)
