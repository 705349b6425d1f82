"""What is wrong with a configuration although every single value in it is right.

Rule: a check yields (path, text) and changes nothing; each names the setting that the operator would change.
"""

import difflib
import ipaddress
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from gateway.settings import Config

Finding = tuple[str, str]


def contradictions(config: Config) -> list[Finding]:
    return [finding for check in _CHECKS for finding in check(config)]


def unknown(name: str, known: Iterable[str], what: str) -> str:
    """Names the nearest known one, else all of them."""
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
    return f"unknown {what}; {hint}"


def _times(config: Config) -> Iterator[Finding]:
    rooms, transport = config.rooms, config.transport
    calls = {"transport.timeout_ms": transport.timeout_ms, "ai.deadline_ms": config.ai.deadline_ms}
    for name, limits in transport.channels.items():
        calls[f"transport.channels.{name}.timeout_ms"] = limits.timeout_ms or 0
    for path, limit in calls.items():
        if limit >= rooms.lease_ms:
            yield path, "must be below `rooms.lease_ms`: a call may not outlast its claim"
    if transport.connect_timeout_ms > transport.timeout_ms:
        yield "transport.connect_timeout_ms", "must not be above `transport.timeout_ms`"
    if config.credentials.timeout_ms >= config.credentials.lease_ms:
        yield "credentials.timeout_ms", "must be below `credentials.lease_ms`: a call may not outlast its claim"
    if config.listen.retry_base_ms > config.listen.retry_max_ms:
        yield "listen.retry_base_ms", "must not be above `listen.retry_max_ms`"
    if rooms.retry_base_ms > rooms.retry_max_ms:
        yield "rooms.retry_base_ms", "must not be above `rooms.retry_max_ms`"


def _places(config: Config) -> Iterator[Finding]:
    if config.media.media_min_free_bytes < config.media.min_free_bytes:
        yield "media.media_min_free_bytes", "must not be below `media.min_free_bytes`: media stop first"
    if not config.store.url.startswith(("sqlite:///", "postgresql+psycopg://")):
        yield "store.url", "must start with `sqlite:///` or `postgresql+psycopg://`"
    if config.server.public_url is not None and not _is_base_url(config.server.public_url):
        yield "server.public_url", "must be `https://host` (or http), without query"
    if config.listen.ca_file is not None and not Path(config.listen.ca_file).is_file():
        yield "listen.ca_file", "is no file"
    if config.ai.sources is not None and not Path(config.ai.sources).is_dir():
        yield "ai.sources", "is no folder"


def _networks(config: Config) -> Iterator[Finding]:
    for path, texts in {
        "server.trusted_proxies": config.server.trusted_proxies,
        "guard.allow_networks": config.guard.allow_networks,
    }.items():
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
    for name in config.transport.channels:
        if name not in owners:
            yield f"transport.channels.{name}", unknown(name, owners, "channel")


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


_CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (_times, _places, _networks, _channels)
