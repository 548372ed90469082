"""A request and a response, whoever carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LONGEST_KEPT", "HttpRequest", "HttpResponse"]

LONGEST_KEPT = 4096  # bytes of a body that is remembered for the next request that sends the same


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request.

    Headers are found by their names in lower case; `host` is as the client named it, maybe with a port.
    """

    method: str
    host: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: str = ""


@dataclass(slots=True)
class HttpResponse:
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
