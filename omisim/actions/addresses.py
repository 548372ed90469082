"""Addresses and names of VMs."""

from __future__ import annotations

__all__ = ["private_dns", "private_ip", "public_ip"]


def private_ip(number: int) -> str:
    """Return the number-th private address of the public cloud."""
    return f"10.{number // 62500 % 250}.{number // 250 % 250}.{number % 250 + 4}"


def public_ip(number: int) -> str:
    """Return the number-th public address, of those that are kept for documentation and tests."""
    return f"198.51.{100 + number // 250 % 100}.{number % 250 + 1}"


def private_dns(ip: str | None, region: str) -> str:
    """Return the name of a private address."""
    return f"ip-{str(ip).replace('.', '-')}.{region}.compute.internal"
