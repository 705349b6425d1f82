"""A request as adapters get it: its headers joined, its address as the caller signed it, its sender as a digest.

Rule: only what our own proxies wrote into `X-Forwarded-For` is believed: it is read from the right, as long as whoever
handed it on is one of `server.trusted_proxies`. What stands left of them, anybody may have made up.
"""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

from aiohttp import web

from adapters.base import RawInbound
from gateway.core import Core
from gateway.directory import Mounted

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def arrived(
    core: Core,
    mounted: Mounted,
    request: web.Request,
    origin: Literal["webhook", "live"],
    *,
    path: str = "",
    body: bytes = b"",
) -> RawInbound:
    """`path` is what follows the endpoint's own."""
    headers = joined(request.headers.items())
    peer = peer_of(request.remote or "", headers.get("x-forwarded-for", ""), core.config.server.trusted_proxies)
    return RawInbound(
        id=core.ids.uuid(),
        endpoint_id=mounted.id,
        origin=origin,
        received_at=core.clock.now(),
        method=request.method,
        path=path,
        query=request.raw_path.partition("?")[2],
        headers=headers,
        body=body,
        public_url=core.config.public_url + request.raw_path,
        peer=core.peer_digest(peer),
    )


def joined(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Lower-case names; several of one name are one, as RFC 9110 §5.2 joins them."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def peer_of(remote: str, forwarded: str, trusted: tuple[str, ...]) -> str:
    """The nearest address on the way here that is no proxy of ours."""
    if not trusted or not forwarded:
        return remote
    networks, peer = _networks(trusted), remote
    for hop in reversed(forwarded.split(",")):
        found, address = _address(hop), _address(peer)
        if found is None or address is None or not any(address in network for network in networks):
            break
        peer = str(found)
    return peer


@lru_cache(maxsize=8)
def _networks(trusted: tuple[str, ...]) -> list[Network]:
    return [ip_network(text) for text in trusted]


def _address(text: str) -> Address | None:
    """Some proxies write the port behind it, or brackets around it."""
    plain = text.strip()
    if plain.startswith("["):
        plain = plain[1:].partition("]")[0]
    elif plain.count(":") == 1:
        plain = plain.partition(":")[0]
    try:
        found = ip_address(plain)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
