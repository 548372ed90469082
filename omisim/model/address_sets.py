"""Sets of IP addresses, as the bits of an int.

Bit n stands for the address n of its /16. No Net and no Subnet is larger, so that each has its own bits within a Net.
"""

from __future__ import annotations

from ipaddress import IPv4Network

__all__ = ["get_address_bit", "get_range_bits", "parse_net_range"]

_LAST = 0xFFFF


def get_address_bit(address: str) -> int:
    """Return the set of one address."""
    _, _, high, low = address.split(".")
    return 1 << (int(high) << 8 | int(low))


def parse_net_range(text: str) -> IPv4Network:
    """Parse the range of a Net or a Subnet. Raises ValueError for a larger one, whose set would take up to 512 MB."""
    network = IPv4Network(text)
    if network.num_addresses > _LAST + 1:
        raise ValueError(text)
    return network


def get_range_bits(network: IPv4Network) -> int:
    """Return the set of all addresses of a range."""
    return ((1 << network.num_addresses) - 1) << (int(network.network_address) & _LAST)
