"""Sets of IP addresses, as the bits of an int.

Bit n stands for the address n of its /16. No Net and no Subnet is larger, so that each has its own bits within a Net.
"""

from __future__ import annotations

from ipaddress import IPv4Network

__all__ = ["get_address_bit", "get_range_bits"]

_LAST = 0xFFFF


def get_address_bit(address: str) -> int:
    """Return the set of one address."""
    _, _, high, low = address.split(".")
    return 1 << (int(high) << 8 | int(low))


def get_range_bits(network: IPv4Network) -> int:
    """Return the set of all addresses of a range."""
    return ((1 << network.num_addresses) - 1) << (int(network.network_address) & _LAST)
