"""From an HTTP request to an operation's handler and back; everything that is the same for all of them.

Rule: whatever goes wrong is a problem (RFC 9457); no answer shows an inner error.
Rule: who may not ask learns nothing: the key is checked before query and body are looked at.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from gateway.api.auth import Keys
from gateway.api.base import Answer, Api, Asked, Operation
from gateway.api.problems import Problem, mistake
from gateway.api.shapes import MAX_KEY_CHARS, NoQuery
from gateway.observe import lines
from gateway.security import TokenRecord
from gateway.store.store import StoreUnavailable
from normalizer.codec import clean

Serve = Callable[[web.Request], Awaitable[web.Response]]
KEY_HEADER = "Idempotency-Key"
JSON = "application/json"
NUL = rb"\u0000"
"""The one way to write it in JSON."""


def guarded(serve: Serve) -> Serve:
    """Problems for everything that is raised."""
    log = lines("api")

    async def answer(request: web.Request) -> web.Response:
        try:
            return await serve(request)
        except Problem as problem:
            return problem.response()
        except StoreUnavailable:
            return Problem("store_unavailable").response()
        except Exception:
            log.exception("request failed", method=request.method, route=_route(request))
            return Problem("internal").response()

    return answer


def serving(operation: Operation, api: Api, keys: Keys) -> Serve:
    log = lines("api")

    async def serve(request: web.Request) -> web.Response:
        token = await keys.admit(request.headers.get("Authorization"), operation.scope)
        if operation.writes:
            _accepting(api)
        answer = await operation.handler(api, await _asked(operation, api, request, token))
        if operation.writes:
            log.info("changed", method=request.method, route=_route(request), status=answer.status, token_id=token.id)
        return to_response(answer)

    return guarded(serve)


def to_response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, body=msgspec.json.encode(answer.body), content_type=JSON)


def _accepting(api: Api) -> None:
    """What changes something enters the intake, which may be closed."""
    if api.core.draining():
        raise Problem("draining")
    if api.core.disk_full():
        raise Problem("disk_full")


async def _asked(operation: Operation, api: Api, request: web.Request, token: TokenRecord) -> Asked[Any, Any]:
    return Asked(
        path=clean(dict(request.match_info)),
        query=_query(operation, request),
        body=await _body(operation, api, request),
        token=token,
        key=_key(operation, request),
    )


def _query(operation: Operation, request: web.Request) -> Any:
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise Problem("bad_request", "given twice", path=name)
        given[name] = value
    try:
        return msgspec.convert(clean(given), operation.query or NoQuery, strict=False)
    except msgspec.ValidationError as error:
        raise mistake(error, "query") from None


def _key(operation: Operation, request: web.Request) -> str | None:
    key = request.headers.get(KEY_HEADER)
    if key is None:
        if operation.key == "required":
            raise Problem("bad_request", "needed, so that a repeat has no second effect", path=KEY_HEADER)
        return None
    if not 0 < len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
        raise Problem("bad_request", f"1 to {MAX_KEY_CHARS} printable ASCII characters", path=KEY_HEADER)
    return key


async def _body(operation: Operation, api: Api, request: web.Request) -> Any:
    if operation.body is None:
        return None
    if request.content_type != JSON:
        raise Problem("wrong_content_type")
    data = await _read(request, api.core.config.server.max_body_bytes, api.core.config.server.body_timeout_ms / 1000)
    try:
        return _decoded(data, operation.body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise mistake(error) from None
    except RecursionError:
        raise Problem("bad_request", "nested too deeply", path="$") from None


def _decoded(data: bytes, type: type[Any]) -> Any:
    """Clean before it is checked: a name of nothing but NUL is none, and no database takes one."""
    if NUL not in data:
        return msgspec.json.decode(data, type=type)
    return msgspec.convert(clean(msgspec.json.decode(data)), type)


async def _read(request: web.Request, most: int, timeout_s: float) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most:
                    raise Problem("body_too_large", f"at most {most} bytes", headers={"Connection": "close"})
    except TimeoutError:
        raise Problem("body_too_slow", headers={"Connection": "close"}) from None
    return bytes(body)


def _route(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unknown"
