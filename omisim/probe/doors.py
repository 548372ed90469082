"""The services of an endpoint: the OUTSCALE API, and FCU and object storage if it has them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from omisim.base.hosts import make_endpoint, parse_host
from omisim.probe.connection import Absent, Answer, Connection, Unreachable
from omisim.probe.endpoint import Endpoint, parse_endpoint
from omisim.probe.fcu import Fcu
from omisim.probe.storage import Storage

__all__ = ["ABSENT", "Caller"]

ABSENT = "no"  # instead of the URL of a service: the endpoint has none


class _Service(Protocol):
    connection: Connection

    def call(self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str]) -> Answer: ...


# door → its client, and a read that shows whether the endpoint has it
_KINDS: Mapping[str, tuple[Callable[[Endpoint, str], _Service], str, Mapping[str, Any]]] = {
    "fcu": (Fcu, "DescribeRegions", {}),
    "oos": (Storage, "GET", {"Path": "/"}),
}


@dataclass
class Caller:
    """One account at an endpoint. Its other services are connected when they are first used.

    `urls` are theirs by the door ("fcu", "oos"): by default they follow from that of the API; "no" leaves one out.
    Raises ValueError for another text that is not a URL.
    """

    api: Endpoint
    urls: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the URLs."""
        for door, url in self.urls.items():
            if url not in ("", ABSENT):
                parse_endpoint(f"--{door}", url)
        self._services: dict[str, _Service] = {}
        self._absent: dict[str, str] = {}  # door → why it cannot be used

    @property
    def calls(self) -> int:
        """The number of requests so far."""
        return sum(service.connection.calls for service in (self.api, *self._services.values()))

    def call(
        self, action: str, parameters: Mapping[str, Any], options: Mapping[str, str] | None = None, door: str = ""
    ) -> Answer:
        """Make a call at the API, or at another door. Raises Unreachable, or Absent if the endpoint lacks the door."""
        if not door:
            return self.api.call(action, parameters, options)
        if door not in self._services and door not in self._absent:
            self._connect(door)
        if door in self._absent:
            raise Absent(self._absent[door])
        return self._services[door].call(action, parameters, options or {})

    def close(self) -> None:
        """Close all connections."""
        for service in (self.api, *self._services.values()):
            service.connection.close()

    def _connect(self, door: str) -> None:
        """Connect a service, and make a read that shows whether the endpoint has it."""
        url = self.urls.get(door, "")
        if url == ABSENT:
            self._absent[door] = f"{door.upper()} is left out"
            return
        kind, action, parameters = _KINDS[door]
        service = self._services[door] = kind(self.api, url or _derive_url(self.api, door))
        try:
            answer = service.call(action, parameters, {})
        except Unreachable as error:
            self._absent[door] = f"the endpoint has no {door.upper()}: {error}"
        else:
            if answer.accepted:
                return
            self._absent[door] = f"the endpoint has no {door.upper()}: {action}: {answer}"
        service.connection.close()


def _derive_url(api: Endpoint, door: str) -> str:
    """Return the URL of a service: its host in the Region, or the path under which a server of omisim has it."""
    parsed = parse_host(api.host)
    if parsed is not None:
        return make_endpoint(door, parsed.region or api.region)
    path = "/fcu" if door == "fcu" else f"/oos/{api.region}"
    return f"{api.parts.scheme}://{api.host}{path}"
