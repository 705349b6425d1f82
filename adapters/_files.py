"""Files that lie at a provider: who is shown the credential on the way to them, and how large what was stored is.

Rule: the credential goes to the configured API and, by https, to the provider's own hosts, and nowhere else: redirects
are followed without it. An address in which programs may see different hosts is nobody's.
"""

from functools import partial
from urllib.parse import urlsplit

from msgspec import Struct

from adapters._http import follow, header
from adapters.base import Auth, Flow, HttpCall, Reply


class Files(Struct, frozen=True, kw_only=True):
    api_url: str
    hosts: tuple[str, ...]
    """What the names of the provider's own hosts end in, each with its dot in front."""
    auth: Auth
    max_bytes: int

    def get(self, url: str) -> Flow[Reply]:
        reply: Reply = yield self.call(url)
        return (yield from self.redirected(reply, url))

    def redirected(self, reply: Reply, url: str) -> Flow[Reply]:
        return (yield from follow(reply, url, partial(self.call, trusted=False)))

    def call(self, url: str, *, trusted: bool = True) -> HttpCall:
        """Not `trusted`: somebody else named the address, or credentials were refused there."""
        return HttpCall(
            method="GET",
            url=url,
            auth=self.auth if trusted and self.is_ours(url) else None,
            foreign=not (trusted and self.is_api(url)),
            to_media=True,
            max_bytes=self.max_bytes,
        )

    def is_ours(self, url: str) -> bool:
        """The provider's, as far as credentials are concerned."""
        origin = _origin(url)
        if origin is None:
            return False
        scheme, host, port = origin
        return self.is_api(url) or (scheme == "https" and port in (None, 443) and f".{host}".endswith(self.hosts))

    def is_api(self, url: str) -> bool:
        origin = _origin(url)
        return origin is not None and origin == _origin(self.api_url)


def _origin(url: str) -> tuple[str, str, int | None] | None:
    """None for a URL in which programs may see different hosts."""
    if "\\" in url or "@" in url.partition("?")[0] or not url.isprintable() or " " in url:
        return None
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname or "", parts.port
    except ValueError:
        return None


def stored_size(reply: Reply) -> int | None:
    """Of bytes that went to the media store; else as the provider says."""
    length = header(reply, "x-stored-size") or header(reply, "content-length")
    return int(length) if length.isascii() and length.isdecimal() and len(length) < 16 else None
