"""Requests and answers of the sandbox's API: JSON in, JSON or a problem out, each within its bounds."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from adapters.base import Reply, Request
from gateway.sandbox.phones import Refused

MAX_JSON_BYTES = 65_536
MAX_CALL_BYTES = 110_000_000
"""A provider takes documents of 100 MB."""
BODY_TIMEOUT_S = 60


def json_answer(body: Any, status: int = 200) -> web.Response:
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=msgspec.json.encode(body), content_type="application/json", headers=headers)


def problem(error: Refused) -> web.Response:
    title = error.code.replace("_", " ")
    told = {"type": f"urn:throughline:{error.code}", "title": title, "status": error.status, "detail": error.detail}
    return web.Response(status=error.status, body=msgspec.json.encode(told), content_type="application/problem+json")


def query(request: web.Request, kind: type[Any]) -> Any:
    return converted(dict(request.query), kind)


def converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise Refused(400, "bad_request", str(error)) from None


async def json_body(request: web.Request, kind: Any) -> Any:
    if request.content_type != "application/json":
        raise Refused(415, "wrong_content_type", "JSON is expected")
    data = await bytes_of(request, MAX_JSON_BYTES)
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(400, "bad_request", str(error)) from None


async def bytes_of(request: web.Request, most: int) -> bytes:
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


# --- a simulated provider's own API -------------------------------------------------------------------------------


async def called(request: web.Request, public_url: str, answer: Callable[[Request], Awaitable[Reply | None]]
                 ) -> web.StreamResponse:  # fmt: skip
    """By the gateway, with its credentials."""
    try:
        body = await bytes_of(request, MAX_CALL_BYTES)
    except Refused as error:
        return problem(error)
    url = public_url + request.raw_path
    reply = await answer(Request(method=request.method, url=url, headers=dict(request.headers), body=body))
    if reply is None:
        return _cut_off(request)
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)


def _cut_off(request: web.Request) -> web.Response:
    """What is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
