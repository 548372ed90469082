"""An HTTP request and an HTTP response, independent of the transport."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LONGEST_KEPT", "HttpRequest", "HttpResponse"]

LONGEST_KEPT = 4096  # bytes; longer bodies are not cached


@dataclass(slots=True)
class HttpRequest:
    """One HTTP request.

    The keys of `headers` are lower case. `host` is the client's Host header, which may include a port.
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
