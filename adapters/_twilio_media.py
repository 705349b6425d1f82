"""Files that lie at Twilio: media of messages, recordings of calls. Their URL leads to its storage.

Rule: credentials go to the configured API and to Twilio's own hosts, and nowhere else: redirects are followed without
them. What refuses them is asked once more without: they are only needed where an account enforces them.
See https://www.twilio.com/docs/messaging/api/media-resource
"""

from functools import partial
from urllib.parse import urlsplit

from adapters._http import follow
from adapters._twilio import Api, send_error
from adapters.base import Fetched, Flow, HttpCall, MediaFailed, Reply, Unavailable
from normalizer.envelope import MediaRef

MAX_FETCH_BYTES = 100_000_000
_GONE = frozenset({404, 410})


def fetch(api: Api, media: MediaRef) -> Flow[Fetched]:
    if not media.url:
        raise MediaFailed("without a URL")
    reply = yield from _get(api, media.url)
    if reply.status in _GONE:
        raise MediaFailed(f"status {reply.status}: the provider no longer has it")
    if reply.status != 200:
        raise send_error(reply, {})
    headers = {name.lower(): value for name, value in reply.headers.items()}
    stored = headers.get("x-stored")
    if not stored:
        raise Unavailable("the bytes were not stored")
    length = headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None
    return Fetched(stored=stored, mime=media.mime or headers.get("content-type"), size=size)


def _get(api: Api, url: str) -> Flow[Reply]:
    reply: Reply = yield _call(api, url, trusted=True)
    if reply.status in (401, 403) and _is_twilios(api, url):
        reply = yield _call(api, url, trusted=False)
    return (yield from follow(reply, url, partial(_call, api, trusted=False)))


def _call(api: Api, url: str, *, trusted: bool) -> HttpCall:
    ours = trusted and _is_twilios(api, url)
    return HttpCall(
        method="GET",
        url=url,
        auth=api.auth if ours else None,
        foreign=not (ours and _origin(url) == _origin(api.api_url)),
        to_media=True,
        max_bytes=MAX_FETCH_BYTES,
    )


def _is_twilios(api: Api, url: str) -> bool:
    origin = _origin(url)
    if origin is None:
        return False
    scheme, host, port = origin
    return origin == _origin(api.api_url) or (
        scheme == "https" and port in (None, 443) and host.endswith(".twilio.com")
    )


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """None for a URL in which programs may see different hosts."""
    if "\\" in url or "@" in url.partition("?")[0] or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return None
