"""The clouds of one server: the one that it began with, and isolated others that clients make.

A request reaches the cloud that its header X-Omisim-Cloud names. Without the header, the access key of the request
decides, so that an unmodified client needs nothing but its keys: each cloud has keys of its own. Every other request
reaches the first cloud.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from http import HTTPStatus
from itertools import count, islice
from threading import Lock
from typing import Any

from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.doors.identity import find_claimed_key
from omisim.engine.marks import Mark
from omisim.model.ids import make_first_access_key
from omisim.server.framing import CLOUD_HEADER, MAX_CLOUDS
from omisim.server.http_error import HttpError

__all__ = ["FIRST_CLOUD", "Clouds", "HostedCloud"]

FIRST_CLOUD = "default"  # the name of the cloud that the server began with
MAX_SIMILAR = 500  # names that are compared with an unknown one: each takes 20 µs
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class HostedCloud:
    """One cloud of a server and its name. `fresh` creates the cloud that a reset returns to; None resets it whole.

    `marks` are those that clients can roll back to, by the names that they got.
    """

    def __init__(self, name: str, cloud: Cloud, fresh: Callable[[], Cloud] | None) -> None:
        self.name: str = name
        self.cloud: Cloud = cloud
        self.fresh: Callable[[], Cloud] | None = fresh
        self.marks: dict[str, Mark] = {}
        self.routed_keys: set[str] = set()

    @cached_property
    def front(self) -> FrontDoor:
        """The services of the cloud."""
        return FrontDoor(self.cloud.engine)

    def has_key(self, access_key: str) -> bool:
        """Whether an account of the cloud has this access key."""
        with self.cloud.engine.lock:
            return self.cloud.engine.state.get("access_key", access_key) is not None


class Clouds:
    """The clouds of one server by name. The first one cannot be removed; `most` is how many others there may be."""

    def __init__(self, cloud: Cloud, fresh: Callable[[], Cloud] | None = None, most: int = MAX_CLOUDS) -> None:
        self.first: HostedCloud = HostedCloud(FIRST_CLOUD, cloud, fresh)
        self._most = most
        self._by_name = {FIRST_CLOUD: self.first}
        self._by_key: dict[str, HostedCloud] = {}  # not of the first; keys made later are added when they are used
        self._lock = Lock()
        self._numbers = count(1)

    def __iter__(self) -> Iterator[HostedCloud]:
        """Iterate over the clouds, oldest first."""
        return iter(tuple(self._by_name.values()))

    def get(self, name: str) -> HostedCloud:
        """Return the cloud with this name. Raises HttpError, with the most similar name, if there is none."""
        hosted = self._by_name.get(name)
        if hosted is None:
            raise _describe_missing(name, suggest(name, islice(reversed(tuple(self._by_name)), MAX_SIMILAR)))
        return hosted

    def find(self, request: HttpRequest) -> HostedCloud:
        """Return the cloud of a request to a service. Raises HttpError if its header names an unknown one.

        The error has no similar name: keys derive from names, and the sender need not have any.
        """
        name = request.headers.get(CLOUD_HEADER)
        if name is not None:
            hosted = self._by_name.get(name)
            if hosted is None:
                raise _describe_missing(name)
            return hosted
        if len(self._by_name) == 1:
            return self.first
        return self.find_by_key(find_claimed_key(request)) or self.first

    def find_by_key(self, access_key: str | None) -> HostedCloud | None:
        """Return the first of the clouds that have an access key, or None."""
        if access_key is None:
            return None
        known = self._by_key.get(access_key)
        if known is not None and known.has_key(access_key):
            return known
        hosted = next((each for each in self if each.has_key(access_key)), None)
        if hosted is not None and hosted is not self.first:
            self._route(access_key, hosted)
        return hosted

    def _route(self, access_key: str, hosted: HostedCloud) -> None:
        with self._lock:
            if self._by_name.get(hosted.name) is hosted:  # it may have been removed meanwhile
                hosted.routed_keys.add(access_key)
                self._by_key[access_key] = hosted

    def create(
        self,
        source: Cloud | None = None,
        name: str | None = None,
        scenario: str | None = None,
        dump: Mapping[str, Any] | None = None,
    ) -> HostedCloud:
        """Make a cloud: a fork of `source` (default: the first cloud), or the one of a shipped scenario or of a dump.

        Its ids and keys derive from its name. Its accounts have new access keys in place of those of `source`. Raises
        HttpError if the name is taken or there are too many clouds, and ValueError for an invalid argument.
        """
        if scenario is not None and dump is not None:
            raise ValueError("a cloud is made from scenario or from dump, not from both")
        if name is None:
            name = next(free for number in self._numbers if (free := f"cloud-{number}") not in self._by_name)
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"name must be 1 to 64 letters, digits, '.', '_' and '-', not {name!r:.100}")
        if not isinstance(source, Cloud | None):
            raise ValueError(f"source must be a Cloud, not {source!r:.100}")
        self._check_room(name)
        cloud = self._make(source or self.first.cloud, name, scenario, dump)
        hosted = HostedCloud(name, cloud, cloud.fork().fork)
        with self._lock:
            self._check_room(name)
            self._by_name[name] = hosted
        for access_key in cloud.engine.state.rows("access_key"):
            if not self.first.has_key(access_key):
                self._route(access_key, hosted)
        return hosted

    def _check_room(self, name: str) -> None:
        if name in self._by_name:
            raise HttpError(HTTPStatus.CONFLICT, f"this server already has a cloud {name!r}")
        if len(self._by_name) > self._most:
            reason = f"this server already has {self._most} clouds besides the first, its maximum (--limit clouds)"
            raise HttpError(HTTPStatus.INSUFFICIENT_STORAGE, reason)

    def remove(self, name: str) -> HostedCloud:
        """Remove a cloud and return it. Raises HttpError for an unknown name, and ValueError for the first cloud."""
        if name == FIRST_CLOUD:
            raise ValueError(f"the cloud {FIRST_CLOUD!r} cannot be removed: reset it, or stop the server")
        hosted = self.get(name)
        with self._lock:
            self._by_name.pop(name, None)
            for access_key in hosted.routed_keys:
                self._by_key.pop(access_key, None)
        return hosted

    def _make(self, source: Cloud, name: str, scenario: str | None, dump: Mapping[str, Any] | None) -> Cloud:
        settings = source.engine.settings
        seed = f"{settings.seed}/{name}"  # names have no slash, so that no two clouds have the same seed
        if scenario is not None:
            clock = source.engine.clock.copy()
            cloud = Cloud.from_scenario(_check_shipped(scenario), seed=seed, auth=settings.auth, clock=clock)
        else:
            cloud = source.fork() if dump is None else Cloud.load(dump)
        cloud.engine.change_settings(seed=seed, auth=settings.auth)
        with cloud.engine.atomic():
            for account in cloud.accounts:
                if cloud.account(account).access_key:
                    cloud.set_access_key(account, *make_first_access_key(seed, account))
        return cloud


def _describe_missing(name: str, similar: str = "") -> HttpError:
    return HttpError(HTTPStatus.NOT_FOUND, f"this server has no cloud {name[:100]!r}{similar}")


def _check_shipped(scenario: str) -> str:
    """Return the name of a shipped scenario. Raises ValueError for the path of a file, which clients must not name."""
    if not isinstance(scenario, str) or scenario.endswith(".toml") or not scenario.isprintable():
        raise ValueError(f"scenario must be the name of a shipped one, not the path of a file: {scenario!r:.100}")
    return scenario
