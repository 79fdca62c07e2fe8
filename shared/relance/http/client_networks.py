"""Who one client is: one IPv4 address, or the /64 network that one IPv6 customer has."""

from ipaddress import IPv4Address, IPv6Network, ip_address


def client_network(host: str) -> str:
    """The network of a client; `unknown` for a host that is no address (such as that of a UNIX socket)."""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), 64), strict=False))
