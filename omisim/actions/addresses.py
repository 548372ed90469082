"""IP addresses of the public Cloud and of Subnets, and their DNS names."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from omisim.actions.framework.call import Call
from omisim.base.hosts import DOMAIN
from omisim.model import Subnet
from omisim.model.address_sets import get_address_bit, get_range_bits
from omisim.spec.rules import refuse
from omisim.state.state import State

__all__ = [
    "check_address", "count_free_addresses", "find_free_addresses", "is_taken", "make_private_dns", "make_private_ip",
    "make_public_dns", "make_public_ip", "may_overlap", "parse_address", "parse_range",
]  # fmt: skip

FIRST = 4  # the platform reserves the first four addresses of a Subnet and the last one
RESERVED = FIRST + 1


def make_private_ip(number: int) -> str:
    """Return a private address of the public Cloud, the same for the same number."""
    return f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 4}"


def make_public_ip(number: int) -> str:
    """Return a public address from the ranges reserved for documentation and tests, the same for the same number."""
    return f"198.51.{100 + number // 250 % 100}.{number % 250 + 1}"


def make_private_dns(ip: str, region: str) -> str:
    """Return the DNS name of a private address."""
    return f"ip-{ip.replace('.', '-')}.{region}.compute.internal"


def make_public_dns(ip: str, region: str) -> str:
    """Return the DNS name of a public address."""
    return f"ows-{ip.replace('.', '-')}.{region}.compute.{DOMAIN}"


def parse_range(call: Call, text: str) -> IPv4Network | None:
    """Parse an IP range in CIDR notation, or refuse it (NET-003). Host bits are cleared."""
    try:
        return IPv4Network(text, strict=False)
    except ValueError:
        call.report(refuse("NET-003", ip_range=text))
        return None


def _find_taken_addresses(state: State, kind: str, owner: str) -> int:
    """Return the addresses (`model/address_sets.py`) of the NICs of a Subnet, or of the Subnets of a Net."""
    return state.get_totals(kind, owner).get("addresses", 0)


def may_overlap(state: State, net_id: str, network: IPv4Network) -> bool:
    """Whether a range, of a /16 at most, may have addresses in common with a Subnet of a Net: surely if it is in it."""
    return bool(_find_taken_addresses(state, "subnet", net_id) & get_range_bits(network))


def is_taken(state: State, subnet: Subnet, address: str) -> bool:
    """Whether a NIC uses an address of a Subnet."""
    return bool(_find_taken_addresses(state, "nic", subnet.subnet_id) & get_address_bit(address))


def count_free_addresses(state: State, subnet: Subnet) -> int:
    """Return how many addresses of a Subnet no NIC uses."""
    taken = _find_taken_addresses(state, "nic", subnet.subnet_id)
    return IPv4Network(subnet.ip_range).num_addresses - RESERVED - taken.bit_count()


def find_free_addresses(state: State, subnet: Subnet, count: int, but: Iterable[str] = ()) -> list[str]:
    """Return the first `count` free addresses of a Subnet except `but`, or fewer if the Subnet has no more."""
    network = IPv4Network(subnet.ip_range)
    every = get_range_bits(network)
    start = every & -every
    free = (every ^ start << network.num_addresses - 1) & ~((start << FIRST) - 1)
    free &= ~_find_taken_addresses(state, "nic", subnet.subnet_id)
    for address in but:
        free &= ~get_address_bit(address)
    addresses: list[str] = []
    while free and len(addresses) < count:
        lowest = free & -free
        addresses.append(str(network[lowest.bit_length() - start.bit_length()]))
        free ^= lowest
    return addresses


def parse_address(text: str, rule_id: str, fact: str) -> IPv4Address:
    """Parse an IPv4 address, or refuse it by a rule whose texts show it as this fact."""
    try:
        return IPv4Address(text)
    except ValueError:
        raise refuse(rule_id, **{fact: text}) from None


def check_address(call: Call, subnet: Subnet, text: str) -> str:
    """Return the canonical form of an address in a Subnet's usable range, or refuse it (VM-013)."""
    network = IPv4Network(subnet.ip_range)
    ip = parse_address(text, "NIC-034", "private_ip")
    place = int(ip) - int(network.network_address)
    ok = ip in network and FIRST <= place < network.num_addresses - 1
    call.check(ok, "VM-013", private_ip=text, ip_range=subnet.ip_range)
    return str(ip)
