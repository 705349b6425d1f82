"""The guard for URLs that a customer or a payload supplied: they must not lead into private networks.

A name is resolved once, by the connector itself, at the moment of connecting; every address of the answer is checked,
and the connection goes to one of exactly these addresses. There is no second resolution that could answer otherwise.
Host header, SNI and certificate check keep the name.

Rule: one address that is not public refuses the whole name.
Rule: an IP address is written in its one canonical form. `127.1`, `0x7f000001` or `2130706433` are refused unresolved,
      because parsers disagree about them.
Rule: redirects are not followed; an adapter that wants to follow one yields a call for it, which is checked again.
"""

import re
import socket
from collections.abc import Sequence
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Annotated

from aiohttp.abc import AbstractResolver, ResolveResult
from msgspec import Meta, Struct
from yarl import URL

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class NotAllowed(Exception):
    """Why the URL may not be called. The text names no host and no address."""


class GuardSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    allow_networks: Annotated[
        tuple[str, ...], Meta(description="Private networks (CIDR) that such URLs may lead to nevertheless.")
    ] = ()
    allow_http: Annotated[bool, Meta(description="Without TLS, too.")] = False
    allow_ports: Annotated[tuple[int, ...], Meta(description="Ports beside 443 (and 80, with `allow_http`).")] = ()


# Not for use on the public internet though Python's `is_global` of some or all versions lets them pass.
REFUSED = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32",  # Azure's host agent answers every virtual machine there
        "192.0.0.0/24",  # protocol assignments; a cloud's metadata service among them
        "192.88.99.0/24",  # the former 6to4 relays
        "64:ff9b:1::/48",  # NAT64 of one's own network
        "100::/64",  # discarded
        "2001::/23",  # protocol assignments, Teredo and ORCHID among them
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4: holds an IPv4 address, and is no longer in use
        "3fff::/20",  # documentation
        "5f00::/16",  # segment routing
    )
)
NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")

HOST_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
LOOKS_NUMERIC = re.compile(r"(0x[0-9a-f]*|[0-9]+)")


def is_public(address: Address) -> bool:
    """Anyone on the internet could be meant by it. IPv4 addresses inside of IPv6 ones do not pass, except NAT64's."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    refused = any(address in network for network in REFUSED if network.version == address.version)
    return address.is_global and not address.is_multicast and not refused


class Guard:
    def __init__(self, settings: GuardSettings) -> None:
        """Raises ValueError for a network that is none."""
        self._networks: tuple[Network, ...] = tuple(ip_network(text) for text in settings.allow_networks)
        self._schemes = {"https", "http"} if settings.allow_http else {"https"}
        self._ports = {443, *({80} if settings.allow_http else ()), *settings.allow_ports}

    def check_url(self, url: URL) -> None:
        """What can be told before resolving. The parsed URL is the one that is called: nothing parses it twice."""
        if url.scheme not in self._schemes:
            raise NotAllowed("scheme")
        if url.raw_user is not None or url.raw_password is not None:
            raise NotAllowed("credentials in the URL")
        if url.port not in self._ports:
            raise NotAllowed("port")
        self.check_host(url.raw_host or "")

    def check_host(self, host: str) -> None:
        """A name, or an address that may be called."""
        if ":" in host:
            self.check_address(host)
            return
        name = host.lower().removesuffix(".")
        if HOST_NAME.fullmatch(name) is None:
            raise NotAllowed("host name")
        if LOOKS_NUMERIC.fullmatch(name.rpartition(".")[2]):
            self.check_address(host)

    def check_address(self, text: str) -> None:
        """Raises NotAllowed unless it is a canonical address that is public, or in a network that is allowed."""
        try:
            address = ip_address(text)
        except ValueError:
            raise NotAllowed("not a canonical address") from None
        if isinstance(address, IPv6Address) and address.scope_id is not None:
            raise NotAllowed("address with a zone")
        allowed = any(address in network for network in self._networks if network.version == address.version)
        if not allowed and not is_public(address):
            raise NotAllowed("address is not public")


class GuardedResolver(AbstractResolver):
    """Resolves for the connector of foreign calls; what it returns is connected to, and nothing else."""

    def __init__(self, guard: Guard, resolver: AbstractResolver) -> None:
        self._guard = guard
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self._guard.check_host(host)
        found = await self._resolver.resolve(host, port, family)
        self.check_all([entry["host"] for entry in found])
        return found

    def check_all(self, addresses: Sequence[str]) -> None:
        for address in addresses:
            self._guard.check_address(address)

    async def close(self) -> None:
        await self._resolver.close()
