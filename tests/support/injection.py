"""Raise an exception at every line of the core, and compare the cloud with what it was before and would be after."""

from __future__ import annotations

import datetime as dt
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from types import FrameType
from typing import Any
from weakref import finalize

from support.catalogue import SUBREGION

import omisim
from omisim import ApiError, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.engine.engine import Engine
from omisim.state.settings import TIMINGS, Timing
from omisim.state.sqlite_store import SqliteStore, create_tables, read_dump

__all__ = ["OPERATIONS", "TIMINGS", "Case", "Injection"]

PACKAGE = Path(omisim.__file__).parent
TRACED = tuple(str(PACKAGE / name) for name in ("actions", "engine", "state"))
Operation = Callable[[Cloud, dict[str, str]], object]


def make_cloud(timing: Timing) -> tuple[Cloud, dict[str, str]]:
    """Return a cloud with an account that has one resource of each kind, and their ids."""
    cloud = Cloud(timing=timing, auth="off")
    alice = cloud.account("alice")
    cloud.account("bob")
    debian = cloud.images.official("debian").image_id
    vm = alice.create_vms(image_id=debian)[0]
    spare = alice.create_volume(subregion_name=SUBREGION, size=1)
    cloud.settle() if timing != "manual" else _complete(cloud, vm.vm_id, spare.volume_id)
    root = alice.read_vms()[0].block_device_mappings[0].bsu.volume_id
    snapshot = alice.create_snapshot(volume_id=root)
    cloud.settle() if timing != "manual" else _complete(cloud, snapshot.snapshot_id, snapshot.snapshot_id)
    ids = {"debian": debian, "vm": vm.vm_id, "volume": spare.volume_id, "root": root, "snapshot": snapshot.snapshot_id}
    image = alice.create_image(
        image_name="golden",
        root_device_name="/dev/sda1",
        block_device_mappings=[{"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}],
    )
    return cloud, ids | {"image": image.image_id}


def _complete(cloud: Cloud, *resource_ids: str) -> None:
    for resource_id in resource_ids:
        cloud.complete(resource_id)


def _roll_back(cloud: Cloud, ids: dict[str, str]) -> None:
    with cloud.savepoint():
        cloud.account("alice").delete_volume(volume_id=ids["volume"])


def _send(cloud: Cloud, host: str, method: str, path: str, body: bytes = b"", query: str = "") -> object:
    engine = cloud.engine
    headers = {"host": host, "content-type": "application/json" if body[:1] == b"{" else "text/plain"}
    request = HttpRequest(method, host, path, headers, body, query)
    return FrontDoor(engine).handle(host.partition(".")[0], request, dt.datetime(2026, 1, 1, tzinfo=dt.UTC))


def _create_snapshot(cloud: Cloud, ids: dict[str, str]) -> object:
    return cloud.account("alice").create_snapshot(volume_id=ids["volume"])


# the fault that waits for an operation
FAULTS: dict[str, dict[str, Any]] = {
    "CreateSnapshot with a fault": {"status": 503},
    "CreateSnapshot with a late fault": {"status": 503, "after_effect": True},
    "CreateSnapshot with a delay": {"delay": 100.0},
}
# each changes state and session in another way; the first word is the action or the method
OPERATIONS: dict[str, Operation] = {
    "CreateVolume": lambda cloud, _: cloud.account("alice").create_volume(subregion_name=SUBREGION, size=3),
    "CreateVms": lambda cloud, ids: cloud.account("alice").create_vms(image_id=ids["image"]),
    "CreateImage of a running VM": lambda cloud, ids: cloud.account("alice").create_image(
        vm_id=ids["vm"], image_name="second"
    ),
    "CreateSnapshot": _create_snapshot,
    "LinkVolume": lambda cloud, ids: cloud.account("alice").link_volume(
        vm_id=ids["vm"], volume_id=ids["volume"], device_name="/dev/xvdb"
    ),
    "DeleteVms": lambda cloud, ids: cloud.account("alice").delete_vms(vm_ids=[ids["vm"]]),
    "DeleteImage": lambda cloud, ids: cloud.account("alice").delete_image(image_id=ids["image"]),
    "UpdateImage": lambda cloud, ids: cloud.account("alice").update_image(
        image_id=ids["image"],
        permissions_to_launch={"additions": {"account_ids": [cloud.account("bob").account_id]}},
    ),
    "CreateTags": lambda cloud, ids: cloud.account("alice").create_tags(
        resource_ids=[ids["vm"], ids["volume"]], tags=[{"key": "a", "value": "b"}]
    ),
    "CreateVolume, refused": lambda cloud, _: cloud.account("alice").create_volume(subregion_name=SUBREGION, size=-3),
    "DeleteSnapshot, refused": lambda cloud, ids: cloud.account("bob").delete_snapshot(snapshot_id=ids["snapshot"]),
    "CreateSnapshot with a fault": _create_snapshot,
    "CreateSnapshot with a late fault": _create_snapshot,
    "CreateSnapshot with a delay": _create_snapshot,
    "faults.add": lambda cloud, _: cloud.faults.add("CreateVms", times=3, status=503),
    "ReadVolumes": lambda cloud, _: cloud.account("alice").read_volumes(),
    "savepoint": _roll_back,
    "advance": lambda cloud, _: cloud.advance(1000),
    "settle": lambda cloud, _: cloud.settle(),
    "fail": lambda cloud, ids: cloud.fail(ids["volume"]),
    "write": lambda cloud, ids: cloud.write(ids["volume"], "/a", "b"),
    "account": lambda cloud, _: cloud.account("carol"),
    "renew": lambda cloud, _: cloud.images.renew("debian", retire=True),
    "OAPI CreateVolume": lambda cloud, _: _send(
        cloud, "api.eu-west-2.outscale.com", "POST", "/api/v1/CreateVolume", b'{"SubregionName":"eu-west-2a","Size":1}'
    ),
    "OAPI, refused": lambda cloud, _: _send(
        cloud, "api.eu-west-2.outscale.com", "POST", "/api/v1/CreateVolume", b'{"Size":1}'
    ),
    "OAPI ReadVolumes": lambda cloud, _: _send(
        cloud, "api.eu-west-2.outscale.com", "POST", "/api/v1/ReadVolumes", b"{}"
    ),
    "FCU RunInstances": lambda cloud, ids: _send(
        cloud,
        "fcu.eu-west-2.outscale.com",
        "GET",
        "/",
        query=f"Action=RunInstances&Version=2016-11-15&ImageId={ids['image']}&MinCount=1&MaxCount=1",
    ),
    "OOS PUT of a bucket": lambda cloud, _: _send(cloud, "oos.eu-west-2.outscale.com", "PUT", "/bucket"),
}


@dataclass(frozen=True)
class Case:
    """One operation with one timing."""

    name: str
    timing: Timing


class Injection:
    """Runs one case again and again, each time with an exception at another line."""

    def __init__(self, case: Case, *, stored: bool = False) -> None:
        self.case = case
        self.cloud, self.ids = make_cloud(case.timing)
        self.operation = OPERATIONS[case.name]
        self.database: sqlite3.Connection | None = None
        if stored:
            # the garbage collector may close it in any thread
            self.database = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            finalize(self, self.database.close)
            create_tables(self.database, self.cloud.engine.describe())
            self.cloud.engine.keep_in(SqliteStore(self.database, "memory"))
        if case.name in ("advance", "settle", "fail"):  # with something to do
            with suppress(ApiError):
                self.cloud.account("alice").create_snapshot(volume_id=self.ids["root"])
                self.cloud.account("alice").create_vms(image_id=self.ids["image"])
        if case.name in FAULTS:
            with self.cloud.engine.atomic():  # a method of `faults` alone is kept by the next commit
                self.cloud.faults.add("CreateSnapshot", times=2, **FAULTS[case.name])
        self.saved = self.cloud.engine.save()
        self.before = self._snapshot()
        self.lines = self._run(None)
        self.after = self._snapshot()

    def try_line(self, number: int, error: BaseException) -> str:
        """Raise an error at the line with this number; return what is then wrong with the cloud, or ""."""
        self.cloud.engine.restore(self.saved)
        place = self._run((number, error))
        left = self._snapshot()
        if left not in (self.before, self.after):
            return (
                f"{self.case.name} ({self.case.timing}), {place}: {_describe_difference(left, self.before, self.after)}"
            )
        if attrgetter("_unit")(self.cloud.engine) is not None:
            return f"{self.case.name} ({self.case.timing}), {place}: the engine stays inside a unit"
        if left == self.before and number % 7 == 0:
            self._run(None)
            if self._snapshot() != self.after:
                return f"{self.case.name} ({self.case.timing}), {place}: the next attempt has another result"
        return ""

    def _run(self, target: tuple[int, BaseException] | None) -> Any:
        """Run the operation; return the number of its lines, or where the error was raised."""
        count, place = 0, "nowhere"

        def trace_line(frame: FrameType, event: str, _argument: object) -> Any:
            nonlocal count, place
            if event == "line":
                count += 1
                if target is not None and count == target[0]:
                    place = f"{Path(frame.f_code.co_filename).relative_to(PACKAGE)}:{frame.f_lineno}"
                    raise target[1]
            return trace_line

        def trace_call(frame: FrameType, _event: str, _argument: object) -> Any:
            return trace_line if frame.f_code.co_filename.startswith(TRACED) else None

        earlier = sys.gettrace()
        sys.settrace(trace_call)
        try:
            self.operation(self.cloud, self.ids)
        except (ApiError, ValueError):
            pass
        except BaseException as error:
            if target is None or error is not target[1]:
                raise
        finally:
            sys.settrace(earlier)
        return count if target is None else place

    def _snapshot(self) -> dict[str, Any]:
        """Return everything that a client or a test could see."""
        engine = self.cloud.engine
        described = engine.describe()
        return {
            **described,
            "indexes": _list_indexes(engine),
            "calls": [
                (
                    call.action,
                    call.account,
                    call.request_id,
                    call.status,
                    call.size,
                    call.results,
                    call.position,
                    str(call),
                )
                for call in engine.session.calls
            ],
            "warnings": list(engine.session.warnings),
            "faults": [(fault.action, fault.times, fault.hits) for fault in engine.session.faults],
            "next": str(engine.state.next_due()),
            "stored": self.database is None or read_dump(self.database) == described,
        }


def _list_indexes(engine: Engine) -> dict[str, Any]:
    return {
        f"{kind}.{index}": {str(key): list(table.find_ids(index, key)) for key, ids in entries.to_dict().items() if ids}
        for kind, table in engine.state.tables.items()
        for index, entries in table.catch_up().items()
    }


def _describe_difference(left: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str:
    parts = [name for name in left if left[name] != before[name]], [name for name in left if left[name] != after[name]]
    return f"not as before ({', '.join(parts[0])}), nor as after ({', '.join(parts[1])})"


def iter_lines(injection: Injection, step: int, start: int = 1) -> Iterator[tuple[int, BaseException]]:
    """Yield every step-th line with an error to raise there: an interruption at odd ones, another at even ones."""
    for number in range(start, injection.lines + 1, step):
        yield number, KeyboardInterrupt("injected") if number % 2 else RuntimeError("injected")
