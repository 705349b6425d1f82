"""The part of the sandbox's API that is the same for every place: what is seen there, what is done, what goes wrong.

Rule: what a customer can do and what can fail is said by the place; a request that it does not know is refused.
"""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Protocol

import msgspec
from aiohttp import web
from msgspec import Meta, Struct

from gateway.media.types import serving_headers
from gateway.sandbox.bodies import bytes_of, called, converted, json_answer, json_body, query
from gateway.sandbox.people import Person
from gateway.sandbox.phones import Refused
from gateway.sandbox.place import Place, Upload
from gateway.sandbox.stage import Stage

MAX_FILE_BYTES = 20_000_000
MAX_WAIT_S = 25
MIME = re.compile(r"[a-z0-9.+-]{1,60}/[a-z0-9.+-]{1,80}(;[ a-z0-9.=+-]{1,60})?")


class Done(Struct, frozen=True):
    id: str


class NewsQuery(Struct, frozen=True, forbid_unknown_fields=True):
    after: int = -1
    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0


class UploadQuery(Struct, frozen=True, forbid_unknown_fields=True):
    name: Annotated[str, Meta(max_length=200)] | None = None
    text: Annotated[str, Meta(max_length=1024)] | None = None
    room: Annotated[str, Meta(max_length=500)] | None = None


class Switched(Protocol):
    @property
    def switches(self) -> Any: ...
    def switch(self, wanted: Any) -> None: ...


class PlacesApi:
    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/sandbox/api/places/{place}/people/{phone}", self.screen),
            web.post("/sandbox/api/places/{place}/people/{phone}", self.act),
            web.post("/sandbox/api/places/{place}/people/{phone}/files", self.upload),
            web.patch("/sandbox/api/places/{place}/switches", self.switch),
            web.get("/sandbox/api/places/{place}/files/{id}", self.file),
        ]

    def provider(self) -> list[web.RouteDef]:
        """What the gateway calls. Some files lie at addresses of the provider's own."""
        own = [web.route("*", path, self._answers(place)) for place in self._stage.places.values()
               for path in place.paths]  # fmt: skip
        return [web.route("*", "/sandbox/provider/{place}/{rest:.*}", self.provided), *own]

    def _of(self, request: web.Request) -> tuple[Place, Person]:
        return self._stage.place(request.match_info["place"]), self._stage.people.get(request.match_info["phone"])

    # --- a customer -----------------------------------------------------------------------------------------------

    async def screen(self, request: web.Request) -> web.Response:
        asked = query(request, NewsQuery)
        place, person = self._of(request)
        await self._stage.news.wait(asked.after, asked.wait_s)
        return json_answer(place.screen(person))

    async def act(self, request: web.Request) -> web.Response:
        place, person = self._of(request)
        action = await json_body(request, place.Action)
        return json_answer(Done(place.act(person, action)), 201)

    async def upload(self, request: web.Request) -> web.Response:
        place, person = self._of(request)
        asked, mime = query(request, UploadQuery), request.headers.get("Content-Type", "").lower()
        if not MIME.fullmatch(mime):
            raise Refused(415, "bad_type", "`Content-Type` is to name the type of the file")
        data = await bytes_of(request, MAX_FILE_BYTES)
        if not data:
            raise Refused(400, "empty", "the file has no bytes")
        file = Upload(data=data, mime=mime, name=asked.name, text=asked.text, room=asked.room)
        return json_answer(Done(place.upload(person, file)), 201)

    async def file(self, request: web.Request) -> web.Response:
        found = self._stage.place(request.match_info["place"]).file(request.match_info["id"])
        if found is None:
            raise Refused(404, "not_found", "there is no such file")
        headers = {**serving_headers(found.mime.partition(";")[0].strip()), "Cache-Control": "private, max-age=3600"}
        return web.Response(body=found.data, headers=headers)

    # --- the provider ---------------------------------------------------------------------------------------------

    async def switch(self, request: web.Request) -> web.Response:
        name = request.match_info["place"]
        return await patched(request, self._stage.host if name == self._stage.host.id else self._stage.place(name))

    async def provided(self, request: web.Request) -> web.StreamResponse:
        found = self._stage.places.get(request.match_info["place"])
        if found is None:
            raise web.HTTPNotFound
        return await self._answers(found)(request)

    def _answers(self, place: Place) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answered(request: web.Request) -> web.StreamResponse:
            return await called(request, self._stage.core.config.public_url, place.answer)

        return answered


async def patched(request: web.Request, place: Switched) -> web.Response:
    """What the body does not name stays."""
    patch = await json_body(request, dict[str, Any])
    now = place.switches
    place.switch(converted({**msgspec.to_builtins(now), **patch}, type(now)))
    return json_answer(place.switches)
