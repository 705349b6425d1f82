"""What is wrong with a configuration although every single value in it is right.

Rule: a check yields (path, text) and changes nothing; each names the setting that the operator would change.
"""

import difflib
import ipaddress
from collections.abc import Callable, Collection, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from gateway.settings import Config

Finding = tuple[str, str]


def contradictions(config: Config, unsound: Collection[str] = ()) -> list[Finding]:
    """`unsound`: paths of settings with mistakes of their own, for which defaults stand. They contradict nothing."""
    return [finding for check, about in _CHECKS if not _touched(about, unsound) for finding in check(config)]


def _touched(about: Iterable[str], unsound: Iterable[str]) -> bool:
    """Also by what holds it (`server: 5`) and by what it holds (`transport.channels.a.timeout_ms`)."""
    return any(_within(one, other) or _within(other, one) for one in about for other in unsound)


def _within(path: str, other: str) -> bool:
    return path == other or path.startswith((f"{other}.", f"{other}["))


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """Names the nearest known one, else all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"unknown {what}; {hint}"


def _calls(config: Config) -> Iterator[Finding]:
    transport = config.transport
    calls = {"transport.timeout_ms": transport.timeout_ms, "ai.deadline_ms": config.ai.deadline_ms}
    for name, limits in transport.channels.items():
        calls[f"transport.channels.{name}.timeout_ms"] = limits.timeout_ms or 0
    for path, limit in calls.items():
        if limit >= config.rooms.lease_ms:
            yield path, "must be below `rooms.lease_ms`: a call may not outlast its claim"


def _connecting(config: Config) -> Iterator[Finding]:
    if config.transport.connect_timeout_ms > config.transport.timeout_ms:
        yield "transport.connect_timeout_ms", "must not be above `transport.timeout_ms`"


def _renewing(config: Config) -> Iterator[Finding]:
    if config.credentials.timeout_ms >= config.credentials.lease_ms:
        yield "credentials.timeout_ms", "must be below `credentials.lease_ms`: a call may not outlast its claim"


def _listening(config: Config) -> Iterator[Finding]:
    if config.listen.retry_base_ms > config.listen.retry_max_ms:
        yield "listen.retry_base_ms", "must not be above `listen.retry_max_ms`"
    if config.listen.ca_file is not None and not Path(config.listen.ca_file).is_file():
        yield "listen.ca_file", "is no file"


def _repeating(config: Config) -> Iterator[Finding]:
    if config.rooms.retry_base_ms > config.rooms.retry_max_ms:
        yield "rooms.retry_base_ms", "must not be above `rooms.retry_max_ms`"


def _disk(config: Config) -> Iterator[Finding]:
    if config.media.media_min_free_bytes < config.media.min_free_bytes:
        yield "media.media_min_free_bytes", "must not be below `media.min_free_bytes`: media stop first"


def _store(config: Config) -> Iterator[Finding]:
    wrong = _database(config.store.url)
    if wrong is not None:
        yield "store.url", wrong


def _database(url: str) -> str | None:
    """What is wrong with it; said before a password in it could stand in a traceback."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        return "must start with `sqlite:///` or `postgresql+psycopg://`"
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        return "is no URL of a database; in a user's name or password `@`, `:` and `/` are `%40`, `%3A` and `%2F`"
    server = parts.get_backend_name() == "postgresql"
    if parts.database in (None, "", ":memory:"):
        return "must name the database" if server else "must name a file: nothing would be kept"
    if server and find_spec("psycopg") is None:
        return "PostgreSQL needs the extra `postgres`: pip install 'throughline[postgres]'"
    return None


def _public_url(config: Config) -> Iterator[Finding]:
    if config.server.public_url is not None and not _is_base_url(config.server.public_url):
        yield "server.public_url", "must be `https://host` (or http), without query"


def _sources(config: Config) -> Iterator[Finding]:
    if config.ai.sources is not None and not Path(config.ai.sources).is_dir():
        yield "ai.sources", "is no folder"


def _proxies(config: Config) -> Iterator[Finding]:
    return _networks("server.trusted_proxies", config.server.trusted_proxies)


def _allowed(config: Config) -> Iterator[Finding]:
    return _networks("guard.allow_networks", config.guard.allow_networks)


def _networks(path: str, texts: Iterable[str]) -> Iterator[Finding]:
    for place, text in enumerate(texts):
        if not _is_network(text):
            yield f"{path}[{place}]", "is no network (CIDR)"


def _channels(config: Config) -> Iterator[Finding]:
    owners: dict[str, str] = {}
    for endpoint in config.endpoints.values():
        path = f"endpoints.{endpoint.id}"
        accounts = [channel.account for channel in endpoint.channels]
        if len(set(accounts)) < len(accounts):
            yield path, "two of its channels have the same account"
        for channel in endpoint.channels:
            if channel.id in owners:
                yield path, f"the channel `{channel.id}` also stands at {owners[channel.id]}"
            owners[channel.id] = path


def _overrides(config: Config) -> Iterator[Finding]:
    for name in config.transport.channels:
        if name not in config.endpoint_of:
            yield f"transport.channels.{name}", unknown(name, config.endpoint_of, "channel")


def _is_base_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        plain = not parts.query and not parts.fragment and parts.port != 0
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and plain
    except ValueError:
        return False


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True


_CHECKS: tuple[tuple[Callable[[Config], Iterator[Finding]], tuple[str, ...]], ...] = (
    (_calls, ("transport.timeout_ms", "transport.channels", "ai.deadline_ms", "rooms.lease_ms")),
    (_connecting, ("transport.timeout_ms", "transport.connect_timeout_ms")),
    (_renewing, ("credentials.timeout_ms", "credentials.lease_ms")),
    (_listening, ("listen.retry_base_ms", "listen.retry_max_ms", "listen.ca_file")),
    (_repeating, ("rooms.retry_base_ms", "rooms.retry_max_ms")),
    (_disk, ("media.min_free_bytes", "media.media_min_free_bytes")),
    (_store, ("store.url",)),
    (_public_url, ("server.public_url",)),
    (_sources, ("ai.sources",)),
    (_proxies, ("server.trusted_proxies",)),
    (_allowed, ("guard.allow_networks",)),
    (_channels, ()),
    (_overrides, ("transport.channels", "endpoints")),
)
"""Each check with the settings that it looks at."""
