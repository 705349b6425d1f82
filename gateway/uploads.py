"""Files in and out: what a customer uploads, what a signed link hands out, and the widget's script.

Rule: an upload goes to disk as it comes, never into memory; its type is what its first bytes tell.
Rule: what is refused or broken off leaves nothing behind.
"""

import asyncio
import gzip
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from hashlib import sha256
from pathlib import Path

from aiohttp import BodyPartReader, web
from aiohttp.client_exceptions import ClientError
from aiohttp.http_exceptions import BadHttpMessage
from multidict import CIMultiDict

from adapters.base import LegUpload, RawInbound, Reply
from gateway.answers import problem
from gateway.core import Core
from gateway.directory import Mounted
from gateway.live.adapter import live_adapter
from gateway.live.lines import leg_of, refusal
from gateway.media import Empty, MediaError, Missing, Stored, serving_headers, sniff
from gateway.store import files
from gateway.store.files import FileRow
from gateway.store.reads import get_leg
from gateway.store.store import StoreUnavailable
from normalizer.envelope import MediaRef

CHUNK_BYTES = 65_536
SNIFFED_BYTES = 4_096
"""As many first bytes as the media store looks at."""
MOST_PARTS = 8
"""Of one multipart body; the file is among them."""
SLOWEST_BYTES_PER_S = 16_384
"""A sender may take as long as this needs for the largest file, and not longer."""
WIDGET = Path(__file__).parent / "widget" / "widget.js"
WIDGET_AGE_S = 300


class TypeRefused(MediaError):
    reason = "type_refused"


def routes(core: Core) -> list[web.RouteDef]:
    script = Script(WIDGET.read_bytes())

    async def media(request: web.Request) -> web.StreamResponse:
        return await serve_media(core, request)

    return [web.get("/media/{token}/{name}", media), web.get("/widget.js", script.serve)]


# --- in -----------------------------------------------------------------------------------------------------------


async def take_upload(core: Core, mounted: Mounted, raw: RawInbound, upload: LegUpload, request: web.Request) -> Reply:
    adapter = live_adapter(mounted)
    assert adapter is not None
    media, error = await _taken(core, mounted, upload, request)
    return adapter.uploaded(raw, media, error)


async def _taken(
    core: Core, mounted: Mounted, upload: LegUpload, request: web.Request
) -> tuple[MediaRef | None, str | None]:
    """The stored file, or why there is none."""
    limit_s = core.config.server.body_timeout_ms / 1000 + upload.max_bytes / SLOWEST_BYTES_PER_S
    try:
        if await _is_over(core, mounted, upload):
            return None, "ended"
        async with asyncio.timeout(limit_s):
            return await _stored(core, upload, request), None
    except MediaError as error:
        return None, error.reason
    except StoreUnavailable:
        return None, "unavailable"
    except (TimeoutError, ValueError, ClientError, ConnectionError, web.RequestPayloadError):
        # Broken off, or no multipart at all: nothing of it is kept.
        return None, Empty.reason


async def _is_over(core: Core, mounted: Mounted, upload: LegUpload) -> bool:
    leg = leg_of(core.directory, mounted.id, upload.address)
    row = await core.store.read(lambda tx: get_leg(tx, leg)) if leg is not None else None
    return refusal(row, upload.issued_at, core.clock.now()) is not None


async def _stored(core: Core, upload: LegUpload, request: web.Request) -> MediaRef:
    async with aclosing(_parts(request)) as parts:
        part = await _file_part(parts)
        declared = part.headers.get("Content-Type")
        head, rest = await _head(part)
        if not head:
            raise Empty
        if sniff(head, declared) not in upload.mimes:
            raise TypeRefused
        stored = await core.media.put(_body(head, rest, part, parts), max_bytes=upload.max_bytes, declared=declared)
    await core.store.write(lambda tx: files.add(tx, [_row(stored, tx.now())]))
    return MediaRef(stored=stored.sha256, sniffed=stored.mime, mime=stored.mime, size=stored.size,
                    filename=part.filename)  # fmt: skip


def _row(stored: Stored, now: int) -> FileRow:
    return FileRow(stored.sha256, stored.size, stored.mime, now)


async def _parts(request: web.Request) -> AsyncGenerator[BodyPartReader, None]:
    """Raises Empty when the body does not end as one: a file in it may be cut."""
    reader = await request.multipart()
    for _ in range(MOST_PARTS + 1):
        try:
            part = await reader.next()
        except (BadHttpMessage, RuntimeError):  # headers that are none; a charset without end
            raise Empty from None
        if part is None:
            return
        if not isinstance(part, BodyPartReader):  # a multipart inside of it (RFC 7578 §4.3: no more)
            raise Empty
        yield part
    raise Empty


async def _file_part(parts: AsyncIterator[BodyPartReader]) -> BodyPartReader:
    """Raises Empty when there is none."""
    async for part in parts:
        if part.filename is not None:
            return part
    raise Empty


async def _head(part: BodyPartReader) -> tuple[bytes, bytes]:
    """The bytes that tell the type, and what came with them."""
    found = b""
    while len(found) < SNIFFED_BYTES and (chunk := await part.read_chunk(CHUNK_BYTES)):
        found += chunk
    return found[:SNIFFED_BYTES], found[SNIFFED_BYTES:]


async def _body(
    head: bytes, rest: bytes, part: BodyPartReader, others: AsyncIterator[BodyPartReader]
) -> AsyncIterator[bytes]:
    """Raises Empty when what comes after the file is not the end of a body: nothing of it is kept then."""
    yield head
    if rest:
        yield rest
    while chunk := await part.read_chunk(CHUNK_BYTES):
        yield chunk
    async for _ in others:
        pass


# --- out ----------------------------------------------------------------------------------------------------------


async def serve_media(core: Core, request: web.Request) -> web.StreamResponse:
    """GET /media/{token}/{name}. What is wrong with a link is nobody's business: it is not found."""
    granted = core.links.verify(request.path, core.clock.now())
    if granted is None:
        return problem(404, "not_found")
    try:
        path = core.media.path(granted.sha256)
    except Missing:
        return problem(404, "not_found")
    left = max(0, granted.expires - int(core.clock.now().timestamp()))
    headers = {**serving_headers(granted.mime, granted.name), "Cache-Control": f"private, max-age={left}"}
    return web.FileResponse(path, headers=CIMultiDict(headers))


class Script:
    """A script that any site may load: read once, compressed once."""

    def __init__(self, body: bytes) -> None:
        self._plain, self._packed = body, gzip.compress(body, 9, mtime=0)
        self._tag = f'"{sha256(body).hexdigest()[:24]}"'

    async def serve(self, request: web.Request) -> web.Response:
        headers = {
            "Access-Control-Allow-Origin": "*",
            "Cache-Control": f"public, max-age={WIDGET_AGE_S}",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "ETag": self._tag,
            "Vary": "Accept-Encoding",
            "X-Content-Type-Options": "nosniff",
        }
        if self._tag in request.headers.get("If-None-Match", ""):
            return web.Response(status=304, headers=headers)
        packs = "gzip" in request.headers.get("Accept-Encoding", "")
        if packs:
            headers["Content-Encoding"] = "gzip"
        body = self._packed if packs else self._plain
        return web.Response(body=body, headers=headers, content_type="text/javascript", charset="utf-8")
