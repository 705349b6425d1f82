"""Calls to providers: runs an adapter's flow and puts what only the gateway has into its calls.

Rule: what failed before a connection stood is NotReached, and surely did not go out. What failed after it may have
      gone out: NoAnswer, not certain. A body that was meant for the media store sends nothing: there it is certain.
Rule: credentials are put in here and live nowhere else; errors and logs hold no URL, header or body.
Rule: no redirects, no cookies, no unbounded answer. What an adapter wants to follow it yields as a new call.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Annotated, Any, TypeVar

import aiohttp
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver
from msgspec import Meta
from msgspec.structs import replace
from yarl import URL

from adapters.base import (
    Call,
    Flow,
    HttpCall,
    MailCall,
    MediaFailed,
    NoAnswer,
    NotReached,
    PushCall,
    Refused,
    Reply,
    SendError,
    Unavailable,
)
from gateway.clock import Clock
from gateway.media import MediaError, MediaStore, Stopped, TooLarge
from gateway.transport.guard import Guard, GuardedResolver, GuardSettings, NotAllowed
from gateway.transport.redact import SeenCall, describe
from gateway.transport.smtp import Mailer, MailSettings
from gateway.transport.wire import form, incoming_headers, outgoing_headers
from normalizer.ids import EndpointId

T = TypeVar("T")

Push = Callable[[PushCall], Awaitable[Reply]]
"""Wakes the sockets of the leg that the flow is for."""

READ_BYTES = 65_536


class TransportSettings(MailSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    timeout_ms: Annotated[int, Meta(ge=1, description="Time limit of one call, its answer included.")] = 10_000
    connect_timeout_ms: Annotated[int, Meta(ge=1, description="Time limit to reach the other side.")] = 3_000
    media_timeout_ms: Annotated[int, Meta(ge=1, description="Time limit of fetching one file.")] = 60_000
    max_answer_bytes: Annotated[int, Meta(ge=1, description="A longer answer is cut off and counts as unreadable.")] = (
        1_048_576
    )
    connections: Annotated[int, Meta(ge=1, description="Open connections to all providers.")] = 512
    connections_per_host: Annotated[int, Meta(ge=1, description="Open connections to one host.")] = 64
    keepalive_ms: Annotated[
        int, Meta(ge=1, description="An unused connection is closed after it, before the provider does.")
    ] = 15_000
    dns_cache_ms: Annotated[int, Meta(ge=0, description="How long a provider's address is remembered.")] = 60_000
    trust_env: Annotated[
        bool, Meta(description="Use HTTP_PROXY and the like; never for URLs that others supplied.")
    ] = False
    user_agent: Annotated[str, Meta(min_length=1, description="Who we say we are.")] = "throughline"


class Progress:
    """How far one request got. aiohttp tells it."""

    connected = False


class Transport:
    """The only way out for adapters. Use it as a context manager, inside of the event loop."""

    def __init__(
        self,
        settings: TransportSettings,
        guard: GuardSettings,
        media: MediaStore,
        clock: Clock,
        *,
        seen: Callable[[SeenCall], None] = lambda call: None,
        resolver: Callable[[], AbstractResolver] = ThreadedResolver,
    ) -> None:
        """`seen` is told of every call, for logs and counters."""
        self._settings = settings
        self._guard = Guard(guard)
        self._media = media
        self._clock = clock
        self._seen = seen
        self._resolver = resolver
        self._mailer = Mailer(settings, media)

    async def __aenter__(self) -> "Transport":
        settings = self._settings
        self._session = self._new_session(
            aiohttp.TCPConnector(
                limit=settings.connections,
                limit_per_host=settings.connections_per_host,
                keepalive_timeout=settings.keepalive_ms / 1000,
                ttl_dns_cache=settings.dns_cache_ms // 1000,
                resolver=self._resolver(),
            ),
            trust_env=settings.trust_env,
        )
        # Neither addresses nor connections are kept: each call is checked anew.
        self._foreign = self._new_session(
            aiohttp.TCPConnector(
                limit=settings.connections_per_host,
                force_close=True,
                use_dns_cache=False,
                resolver=GuardedResolver(self._guard, self._resolver()),
            ),
            trust_env=False,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()
        await self._foreign.close()

    async def run(
        self,
        flow: Flow[T],
        *,
        endpoint: EndpointId,
        credentials: Mapping[str, str],
        timeout_ms: int | None = None,
        push: Push | None = None,
    ) -> T:
        """Drives the flow to its result; it is closed in any case. What it raises comes out as it is.

        `timeout_ms` bounds the whole flow: what is left of a lease. `push` is for channels with live sockets.
        """
        ends = None if timeout_ms is None else self._clock.monotonic() + timeout_ms / 1000
        try:
            call = next(flow)
            while True:
                answer = await self._answer(call, endpoint, credentials, ends, push)
                call = flow.throw(answer) if isinstance(answer, SendError) else flow.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            flow.close()

    async def _answer(
        self, call: Call, endpoint: EndpointId, credentials: Mapping[str, str], ends: float | None, push: Push | None
    ) -> Reply | SendError:
        started = self._clock.monotonic()
        left_s = None if ends is None else ends - started
        answer: Reply | SendError
        try:
            match call:
                case HttpCall():
                    answer = await self._http(call, credentials, left_s)
                case MailCall():
                    answer = await self._mail(call, credentials, left_s)
                case PushCall():
                    assert push is not None, "the room gives a push to channels that push"
                    answer = await push(call)
        except SendError as error:
            # Kept without its cause: aiohttp's texts hold URLs.
            answer = error.with_traceback(None)
            answer.__cause__ = answer.__context__ = None
        self._tell(call, endpoint, answer, started)
        return answer

    def _tell(self, call: Call, endpoint: EndpointId, answer: Reply | SendError, started: float) -> None:
        seen = replace(describe(endpoint, call), duration_ms=(self._clock.monotonic() - started) * 1000)
        if isinstance(answer, SendError):
            self._seen(replace(seen, error=answer.code, detail=answer.text))
        else:
            self._seen(replace(seen, status=answer.status))

    async def _http(self, call: HttpCall, credentials: Mapping[str, str], left_s: float | None) -> Reply:
        url = self._checked(call)
        headers = outgoing_headers(call, credentials)
        timeout = self._timeout(call, left_s)
        session = self._foreign if call.foreign else self._session
        skipped = () if call.upload or "content-type" in headers else ("Content-Type",)
        if call.to_media and self._media.disk_state() != "ok":
            raise Unavailable(Stopped.reason)
        progress = Progress()
        with explained(call, progress):
            async with (
                self._body(call) as data,
                session.request(
                    call.method, url, headers=headers, data=data, timeout=timeout, allow_redirects=False,
                    skip_auto_headers=skipped, trace_request_ctx=progress,
                ) as response,
            ):  # fmt: skip
                return await self._read(call, response)

    async def _mail(self, call: MailCall, credentials: Mapping[str, str], left_s: float | None) -> Reply:
        try:
            return await self._mailer.send(call, credentials, left_s)
        except MediaError as error:
            raise media_failure(error) from None

    def _checked(self, call: HttpCall) -> URL:
        try:
            url = URL(call.url)
            if url.scheme not in ("http", "https") or not url.raw_host:
                raise Refused("not a URL that can be called")
            if call.foreign:
                self._guard.check_url(url)
        except NotAllowed as error:
            raise not_allowed(call, error) from None
        except ValueError:
            raise Refused("not a URL that can be called") from None
        return url

    def _timeout(self, call: HttpCall, left_s: float | None) -> aiohttp.ClientTimeout:
        usual = self._settings.media_timeout_ms if call.to_media else self._settings.timeout_ms
        total = (call.timeout_ms or usual) / 1000
        if left_s is not None:
            total = min(total, left_s)
        if total <= 0:
            raise NotReached("no time left")
        return aiohttp.ClientTimeout(total=total, connect=min(total, self._settings.connect_timeout_ms / 1000))

    @asynccontextmanager
    async def _body(self, call: HttpCall) -> AsyncIterator[bytes | aiohttp.FormData | None]:
        if call.upload is None:
            yield call.body or None
            return
        with await self._media.open(call.upload.stored) as file:
            yield form(call.upload, file)

    async def _read(self, call: HttpCall, response: aiohttp.ClientResponse) -> Reply:
        headers = incoming_headers(response.headers)
        if call.to_media and 200 <= response.status < 300:
            limit = call.max_bytes
            if limit is not None and (response.content_length or 0) > limit:
                raise TooLarge
            chunks = response.content.iter_chunked(READ_BYTES)
            stored = await self._media.put(chunks, max_bytes=limit, declared=headers.get("content-type"))
            headers |= {"x-stored": stored.sha256, "x-stored-size": str(stored.size), "x-stored-mime": stored.mime}
            return Reply(response.status, headers)
        limit = min(call.max_bytes or self._settings.max_answer_bytes, self._settings.max_answer_bytes)
        return Reply(response.status, headers, await read_bounded(response.content, limit))

    def _new_session(self, connector: aiohttp.BaseConnector, trust_env: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._settings.user_agent},
            trace_configs=[progress_trace()],
            trust_env=trust_env,
        )


def progress_trace() -> aiohttp.TraceConfig:
    """Marks the request's Progress once it has a connection, new or kept."""

    async def connected(session: Any, context: Any, params: Any) -> None:
        context.trace_request_ctx.connected = True

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(connected)
    trace.on_connection_reuseconn.append(connected)
    return trace


async def read_bounded(content: aiohttp.StreamReader, limit: int) -> bytes:
    pieces: list[bytes] = []
    total = 0
    async for piece in content.iter_chunked(READ_BYTES):
        total += len(piece)
        if total > limit:
            raise NoAnswer("answer too large")
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def explained(call: HttpCall, progress: Progress) -> Iterator[None]:
    """What went wrong, as the catalogue has it: the class of the exception is all that is told of it."""
    try:
        yield
    except MediaError as error:
        raise media_failure(error) from None
    except NotAllowed as error:
        raise not_allowed(call, error) from None
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        what = type(error).__name__
        if progress.connected:
            raise NoAnswer(what, certain=call.to_media) from None
        # What Python calls a bad value it will call one next time. (A bad certificate is an OSError, too.)
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise Refused(what) from None
        raise NotReached(what) from None


def media_failure(error: MediaError) -> SendError:
    return Unavailable(error.reason) if isinstance(error, Stopped) else MediaFailed(error.reason)


def not_allowed(call: HttpCall, error: NotAllowed) -> SendError:
    text = f"URL refused: {error}"
    return MediaFailed(text) if call.to_media else Refused(text)
