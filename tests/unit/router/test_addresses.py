"""Promises of where webhooks may go."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relance_router.deliveries.addresses import is_public

# Written down again, from the IANA special-purpose registries: the oracle.
SPECIAL = [
    ipaddress.IPv4Network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32"),
    )
]

inside = st.sampled_from(SPECIAL).flatmap(lambda network: st.ip_addresses(network=network))
v4 = st.ip_addresses(v=4) | inside


def embeddings(address: ipaddress.IPv4Address) -> list[str]:
    """An IPv4 address in the ways that IPv6 has for it, but for the mapped one."""
    number = int(address)
    return [
        str(ipaddress.IPv6Address(number)),  # IPv4-compatible
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) | number)),  # NAT64
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b:1::")) | number)),  # local NAT64
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("2002::")) | number << 80)),  # 6to4
        str(ipaddress.IPv6Address(int(ipaddress.IPv6Address("2001::")) | number)),  # Teredo
    ]


@given(v4)
def test_an_ipv4_address_is_public_unless_a_registry_says_otherwise(address: ipaddress.IPv4Address) -> None:
    """Also where it is written as an IPv4-mapped IPv6 address."""
    public = not any(address in network for network in SPECIAL)
    assert is_public(str(address)) is public
    assert is_public(f"::ffff:{address}") is public


@given(v4)
def test_an_ipv4_address_inside_an_ipv6_address_is_never_public(address: ipaddress.IPv4Address) -> None:
    """Translators and tunnels would take it into the operator's network."""
    assert not any(is_public(written) for written in embeddings(address))


@given(st.ip_addresses(v=6))
def test_only_global_unicast_is_public_in_ipv6(address: ipaddress.IPv6Address) -> None:
    """Loopback, link-local, site-local, unique local, multicast, and what IANA has not given out."""
    if is_public(str(address)) and not address.ipv4_mapped:
        assert int(address) >> 125 == 1


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
        *("100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255"),
        *("::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1"),
        *("::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1", "3fff::1"),
    ],
)
def test_internal_addresses_are_told_from_public_ones(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast, and the ways to write them in IPv6."""
    assert not is_public(address)
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")
