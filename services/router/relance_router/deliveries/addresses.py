"""Where a webhook may go. A rep's address must not reach into the operator's network.

The name is resolved once, every internal address is dropped, and the connection is made to what is left: a name that
changes its address between the check and the connection gains nothing.
"""

import ipaddress
import socket
from collections.abc import Set

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import DefaultResolver
from typing_extensions import override
from yarl import URL

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All that IANA has given out of IPv6; outside it lie NAT64, IPv4-compatible, site-local and what is to come."""
_NOT_FOR_ANYBODY = [
    ipaddress.ip_network(network)
    for network in (
        "168.63.129.16/32",  # Azure's metadata and DNS, a public address that each machine sees as its host
        "192.0.0.0/24",  # protocols' own; Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays
        "2001::/23",  # Teredo and other protocols' own
        "2002::/16",  # 6to4, with any IPv4 address inside
        "3fff::/20",  # documentation
    )
]


class AddressRefused(OSError):
    """The address is internal, or not one for webhooks. Change it, or have the operator allow the host."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet has."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast and not any(ip in network for network in _NOT_FOR_ANYBODY)


def check_url(url: URL, allowed_hosts: Set[str]) -> None:
    """Refuse what can be refused before resolving: IP literals never come to the resolver.

    Raises:
        AddressRefused: with the reason.
    """
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.password:
        raise AddressRefused("a webhook address is http:// or https://, with a host and without a password")
    if url.host in allowed_hosts:
        return
    try:
        public = is_public(url.host)
    except ValueError:
        return  # a name: the resolver checks its addresses
    if not public:
        raise AddressRefused(f"{url.host} is an internal address, and not on the operator's list of allowed hosts")


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, but for hosts that the operator has allowed."""

    def __init__(self, allowed_hosts: Set[str], inner: AbstractResolver | None = None) -> None:
        self._allowed_hosts = allowed_hosts
        self._inner = inner or DefaultResolver()

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if host in self._allowed_hosts:
            return found
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise AddressRefused(f"{host} resolves to internal addresses only, and is not on the operator's list")
        return public

    @override
    async def close(self) -> None:
        await self._inner.close()
