"""The HTTP API under /v1: conversations, contacts, what was given up, channels and queues; for programs with a key.

operations.py   THE table            serve.py      from a request to a handler and back
shapes.py       what goes in and out auth.py       who asks
problems.py     what can go wrong    document.py   OpenAPI

Rule: what changes a conversation enters the intake as a fact; nothing here writes one.
"""

import re
from collections.abc import Iterable
from functools import cache

import msgspec
from aiohttp import web

from gateway.api.auth import Keys
from gateway.api.base import Api
from gateway.api.document import DOCUMENT_PATH, openapi
from gateway.api.operations import OPERATIONS
from gateway.api.problems import Problem
from gateway.api.serve import JSON, guarded, serving
from gateway.core import Core

__all__ = ["openapi", "routes"]

ELSEWHERE = "/v1{rest:(/.*)?}"


def routes(core: Core) -> list[web.RouteDef]:
    limits = core.config.api
    api, keys = Api(core, limits), Keys(core.store, core.clock, limits)
    return [
        *(web.route(one.method, one.path, serving(one, api, keys)) for one in OPERATIONS),
        web.route("GET", DOCUMENT_PATH, guarded(_document)),
        web.route("*", ELSEWHERE, guarded(_elsewhere)),
    ]


async def _document(request: web.Request) -> web.Response:
    return web.Response(body=_encoded(), content_type=JSON)


@cache
def _encoded() -> bytes:
    """Made when it is first asked for: most processes never are."""
    return msgspec.json.encode(openapi())


async def _elsewhere(request: web.Request) -> web.Response:
    """Nothing is here, or nothing for this method."""
    methods = sorted(_methods(request.path))
    if methods:
        raise Problem("method_not_allowed", headers={"Allow": ", ".join(methods)})
    raise Problem("not_found")


def _methods(path: str) -> Iterable[str]:
    known = [(DOCUMENT_PATH, "GET"), *((one.path, one.method) for one in OPERATIONS)]
    return {method for pattern, method in known if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path)}
