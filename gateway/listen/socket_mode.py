"""A WebSocket that a provider opens for us on request ("Socket Mode"): its envelopes enter like webhooks.

Rule: an envelope is acknowledged after its commit, on the connection that brought it. What was not comes again.
Rule: envelopes are kept in the order in which they came: one queue, one writer, many in one commit.
Rule: told that a connection is about to end, the next one is open before it does.

The provider's own client answers on whichever connection is the newest, closes the old one before it opens the next,
and handles every frame in a task of its own: none of these rules could be kept over it.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Any

import aiohttp
import msgspec
from aiohttp import ClientWebSocketResponse, WSMsgType
from msgspec import Struct

from adapters.base import (
    CredentialsRefused,
    Flow,
    HttpCall,
    RawInbound,
    Reply,
    SocketModeSource,
    Throttled,
    Unavailable,
)
from gateway.listen.base import ListenSettings, Post, Trouble

PASSING = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
"""Errors of the request for a socket that are over by themselves."""
ANNOUNCED = ("warning", "refresh_requested")
"""Reasons of a `disconnect` that leave time for the next connection."""


class Opened(Struct, frozen=True, kw_only=True):
    """The answer to the request for a socket."""

    ok: bool = False
    url: str = ""
    error: str = ""


class Frame(Struct, frozen=True, kw_only=True):
    """What comes over a socket. Whatever stands beside them: envelopes are kept, and who is told to go goes."""

    type: Any = ""
    reason: Any = ""
    envelope_id: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"null")
    retry_attempt: Any = None


class Waiting(Struct, frozen=True):
    """An envelope that is not kept yet."""

    raw: RawInbound
    envelope_id: str
    socket: ClientWebSocketResponse


_decode_frame = msgspec.json.Decoder(Frame).decode
_decode_opened = msgspec.json.Decoder(Opened).decode


async def listen(post: Post, source: SocketModeSource) -> None:
    """Raises Trouble, SendError, LostClaim."""
    async with aiohttp.ClientSession(connector=_connector(post.settings)) as session:
        await _Line(post, source, session).run()


def _connector(settings: ListenSettings) -> aiohttp.TCPConnector:
    if settings.ca_file is None:
        return aiohttp.TCPConnector()
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(settings.ca_file)
    return aiohttp.TCPConnector(ssl=trusted)


class _Line:
    """One connection, and for a moment two."""

    def __init__(self, post: Post, source: SocketModeSource, session: aiohttp.ClientSession) -> None:
        self._post, self._source, self._session = post, source, session
        self._queue: asyncio.Queue[Waiting] = asyncio.Queue(post.settings.socket_waiting)
        self._readers: set[asyncio.Task[str]] = set()
        self._announced = asyncio.Event()

    async def run(self) -> None:
        writer = asyncio.create_task(self._write())
        try:
            while True:
                self._announced.clear()
                self._readers.add(asyncio.create_task(self._read(await self._open())))
                await self._until_next(writer)
        finally:
            tasks = [writer, *self._readers]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _until_next(self, writer: "asyncio.Task[None]") -> None:
        """Returns when the next connection is wanted. Raises Trouble when there is none left."""
        announced = asyncio.create_task(self._announced.wait())
        try:
            while not announced.done():
                await asyncio.wait({writer, announced, *self._readers}, return_when=asyncio.FIRST_COMPLETED)
                if writer.done():
                    writer.result()
                for reader in [reader for reader in self._readers if reader.done()]:
                    self._readers.discard(reader)
                    self._ended(reader.result())
        finally:
            announced.cancel()

    def _ended(self, reason: str) -> None:
        if reason == "link_disabled":
            raise Trouble(reason, self._post.settings.refused_pause_s)
        if reason == "too_many_websockets" or not (self._readers or self._announced.is_set()):
            raise Trouble(reason)

    # --- opening ------------------------------------------------------------------------------------------------------

    async def _open(self) -> ClientWebSocketResponse:
        settings, post = self._post.settings, self._post
        flow = opening(self._source)
        url = await post.parts.credentials.run(flow, post.mounted, timeout_ms=settings.connect_timeout_ms)
        if not is_allowed(url, self._source.open_url):
            raise Trouble("bad_url")
        try:
            async with asyncio.timeout(settings.connect_timeout_ms / 1000):
                return await self._session.ws_connect(
                    url, autoping=False, heartbeat=settings.socket_heartbeat_s, max_msg_size=settings.socket_frame_bytes
                )
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            raise Trouble("not_reached") from None

    # --- reading ------------------------------------------------------------------------------------------------------

    async def _read(self, socket: ClientWebSocketResponse) -> str:
        """Until it ends; why."""
        reason = "hung_up"
        try:
            async with asyncio.timeout(None) as limit:
                async for message in socket:
                    frame = await self._frame(socket, message)
                    if frame.type == "hello":
                        self._post.established()
                    elif frame.type == "disconnect":
                        reason = _word(frame.reason) or reason
                        if reason not in ANNOUNCED:
                            return reason
                        self._announced.set()
                        loop = asyncio.get_running_loop()
                        limit.reschedule(loop.time() + self._post.settings.socket_overlap_s)
                    elif frame.envelope_id:
                        await self._queue.put(Waiting(self._raw(frame), frame.envelope_id, socket))
        except TimeoutError:
            return reason
        finally:
            await socket.close()
        return reason

    async def _frame(self, socket: ClientWebSocketResponse, message: aiohttp.WSMessage) -> Frame:
        """Whatever comes is a sign of life."""
        self._post.heard()
        if message.type is WSMsgType.PING:
            with suppress(ConnectionError):
                await socket.pong(message.data)
        return _frame(message.data) if message.type is WSMsgType.TEXT else Frame()

    def _raw(self, frame: Frame) -> RawInbound:
        headers = {"content-type": "application/json", "x-socket-type": _word(frame.type)}
        if type(frame.retry_attempt) is int and frame.retry_attempt > 0:
            headers["x-socket-retry"] = str(frame.retry_attempt)
        return self._post.raw("dialled", bytes(frame.payload), headers=headers)

    # --- keeping ------------------------------------------------------------------------------------------------------

    async def _write(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < self._post.settings.batch_messages and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._post.deliver([waiting.raw for waiting in batch])
            for waiting in batch:
                with suppress(ConnectionError, aiohttp.ClientError):
                    await waiting.socket.send_str(f'{{"envelope_id":{_quoted(waiting.envelope_id)}}}')


def is_allowed(url: str, open_url: str) -> bool:
    """Without encryption only where the request had none either."""
    return url.startswith("wss://" if open_url.startswith("https://") else ("ws://", "wss://"))


def _word(told: object) -> str:
    return told if isinstance(told, str) else ""


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _frame(message: str) -> Frame:
    """What can not be read is no frame: there is nothing by which it could be acknowledged."""
    try:
        return _decode_frame(message)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return Frame()


def opening(source: SocketModeSource) -> Flow[str]:
    """The address of a socket, which is good once."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = yield HttpCall(method="POST", url=source.open_url, headers=headers, auth=source.auth)
    return opened(reply)


def opened(reply: Reply) -> str:
    """Raises SendError."""
    try:
        said = _decode_opened(reply.body)
    except (msgspec.DecodeError, RecursionError, ValueError):
        said = Opened()
    if reply.status == 200 and said.ok and said.url:
        return said.url
    code = said.error if said.error.isidentifier() and len(said.error) <= 64 else str(reply.status)
    if reply.status == 429 or said.error == "ratelimited":
        wait = reply.headers.get("retry-after", "")
        raise Throttled("a socket", provider_code=code, retry_after_s=float(wait) if wait.isdecimal() else None)
    if reply.status in (401, 403) or (reply.status == 200 and said.error and said.error not in PASSING):
        raise CredentialsRefused("a socket", provider_code=code)
    raise Unavailable("a socket", provider_code=code)
