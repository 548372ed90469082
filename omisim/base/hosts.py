"""OUTSCALE host names, `<service>.<region>.outscale.com`: the only place that parses and builds them."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

__all__ = [
    "DEFAULT_REGION", "DOMAIN", "Host", "is_aws_host", "is_loopback", "make_endpoint", "make_host_name", "parse_host",
]  # fmt: skip

DEFAULT_REGION = "eu-west-2"
DOMAIN = "outscale.com"
_HOST = re.compile(
    rf"(?:(?P<prefix>.+)\.)?(?P<service>[a-z]+)\.(?P<region>[a-z0-9-]+)\.{re.escape(DOMAIN)}\.?(?::\d+)?",
    re.IGNORECASE,
)
# a service without a Region before the domain, for example api.eu-west-2.oks.outscale.com
_OTHER = re.compile(rf"(?P<prefix>.+)\.(?P<service>[^.]+)\.{re.escape(DOMAIN)}\.?(?::\d+)?", re.IGNORECASE)

_AWS_HOST = re.compile(r"(?:.+\.)?amazonaws\.com(?:\.cn)?\.?", re.IGNORECASE)


class Host(NamedTuple):
    """The parts of a host name. `region` is "" for a service without one; `prefix` precedes the service, or is ""."""

    service: str
    region: str
    prefix: str


def parse_host(host: str) -> Host | None:
    """Parse an OUTSCALE host name, with or without a port. Returns None for any other host.

    `docs.outscale.com` has no Region part, so it counts as another host. Service and Region are lower-cased.
    """
    match = _HOST.fullmatch(host)
    if match is not None:
        return Host(match["service"].lower(), match["region"].lower(), match["prefix"] or "")
    match = _OTHER.fullmatch(host)
    return match and Host(match["service"].lower(), "", match["prefix"])


def is_aws_host(host: str) -> bool:
    """Whether a host name, without a port, belongs to the API of AWS."""
    return _AWS_HOST.fullmatch(host) is not None


def make_endpoint(service: str, region: str) -> str:
    """Return the HTTPS URL of a service in a Region."""
    return f"https://{make_host_name(service, region)}"


def make_host_name(service: str, region: str) -> str:
    """Return the host name of a service of a Region."""
    return f"{service}.{region}.{DOMAIN}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address, without a port, is this machine and cannot be reached from another one."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
