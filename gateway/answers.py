"""Answers over HTTP: an adapter's Reply, and our own refusals.

Rule: an answer to a webhook is written in one piece. aiohttp's own response assembles its headers anew each time, which
costs as much as everything else that keeping a small request costs (measured: 30 of 65 us).
Rule: what is not the plain case (HTTP/1.0, a connection that closes, HEAD, an odd status) goes aiohttp's own way.
"""

import re
from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter

from adapters.base import Reply
from adapters.base import problem as refusal

UNSENDABLE = re.compile(r"[\x00-\x1f\x7f]")


class Written(web.StreamResponse):
    """A whole answer as bytes. aiohttp asks a response for these three things, and this one has them ready."""

    def __init__(self, text: bytes, status: int, transport: Any) -> None:
        # Not the parent's: it prepares what is not used here.
        self._text, self._status, self._transport = text, status, transport

    @property
    def status(self) -> int:
        return self._status

    @property
    def keep_alive(self) -> bool:
        return True

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        self._transport.write(self._text)


def to_response(reply: Reply, request: web.BaseRequest, second: int) -> web.StreamResponse:
    """`second`: now, since 1970."""
    head = None
    if request.version == HttpVersion11 and request.keep_alive and request.method != "HEAD":
        head = _head(reply.status, tuple(reply.headers.items()), len(reply.body))
    transport = request.transport
    if head is None or transport is None:
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body or None)
    return Written(b"%b%b\r\n\r\n%b" % (head, _date(second), reply.body), reply.status, transport)


@lru_cache(maxsize=1_024)
def _head(status: int, headers: tuple[tuple[str, str], ...], length: int) -> bytes | None:
    """Up to the date (RFC 9110 §6.6.1), which comes last. None: not a plain case."""
    names = {name.lower() for name, _ in headers}
    if not 200 <= status <= 599 or status in (204, 304) or names & {"connection", "content-length", "date"}:
        return None
    if any(UNSENDABLE.search(name + value) for name, value in headers):
        return None
    if length and "content-type" not in names:
        headers += (("Content-Type", "application/octet-stream"),)
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, f"Content-Length: {length}", "Date: "]).encode()


@lru_cache(maxsize=4)
def _date(second: int) -> bytes:
    return formatdate(second, usegmt=True).encode()


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def problem(status: int, code: str, headers: Mapping[str, str] | None = None) -> web.Response:
    reply = refusal(status, code, headers)
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
