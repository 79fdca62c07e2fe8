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

_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class AddressRefused(OSError):
    """The address is internal, or not one for webhooks. Change it, or have the operator allow the host."""


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody on the internet has."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64 or ip.sixtofour or ip.teredo:
            return False
    return ip.is_global and not ip.is_multicast


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
