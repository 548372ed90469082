"""Many threads over one cloud, by every way in, with the histories of what they saw."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from random import Random
from threading import Barrier, Thread
from typing import Any
from urllib.parse import urlencode

import requests
from support.catalogue import SUBREGION
from support.linearizability import Operation, is_linearizable

from omisim import Account, Cloud

__all__ = ["find_anomalies"]

REGISTERS = 12
OBJECTS = ("object0", "object1", "object2")
BUCKET = "/oos/eu-west-2/registers"
FCU = {"Version": "2016-11-15"}
FIRST = "-"
API = "https://api.eu-west-2.outscale.com/api/v1"
JSON = {"Content-Type": "application/json"}


@dataclass
class Registers:
    """The volumes whose tags are registers, and what the threads have seen of them and of the objects, others."""

    cloud: Cloud
    account: Account
    volumes: list[str]
    history: list[tuple[str, Operation]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, kind: str, values: dict[str, str], begin: int) -> None:
        """Record an operation on some registers, which has just ended."""
        end = time.perf_counter_ns()
        self.history.extend((volume, Operation(kind, value, begin, end)) for volume, value in values.items())


Send = Callable[[str, dict[str, Any]], Any]
Worker = Callable[[Random, str, int], None]


def _tags(volume: str, value: str) -> dict[str, Any]:
    return {"ResourceIds": [volume], "Tags": [{"Key": "value", "Value": value}]}


def work_by_wire(registers: Registers, draw: Random, name: str, steps: int, send: Send) -> None:
    """Write and read registers by calls of the API."""
    for step in range(steps):
        volume, value, begin = draw.choice(registers.volumes), f"{name}.{step}", time.perf_counter_ns()
        if draw.random() < 0.5:
            send("CreateTags", _tags(volume, value))
            registers.note("write", {volume: value}, begin)
        else:
            answer = send("ReadVolumes", {"Filters": {"VolumeIds": [volume]}})
            tags = {tag["Key"]: tag["Value"] for tag in answer["Volumes"][0]["Tags"]}
            registers.note("read", {volume: tags["value"]}, begin)


def work_typed(registers: Registers, draw: Random, name: str, steps: int) -> None:
    """Write and read registers by typed methods; a read sees all registers at one moment."""
    alice = registers.account
    for step in range(steps):
        volume, value, begin = draw.choice(registers.volumes), f"{name}.{step}", time.perf_counter_ns()
        if draw.random() < 0.5:
            alice.create_tags(resource_ids=[volume], tags=[{"key": "value", "value": value}])
            registers.note("write", {volume: value}, begin)
        else:
            registers.note("read", _read_all(alice, registers.volumes), begin)


def _read_all(alice: Account, volumes: list[str]) -> dict[str, str]:
    return {row.volume_id: row.tags[0].value for row in alice.read_volumes() if row.volume_id in volumes}


def work_by_fcu(registers: Registers, draw: Random, name: str, steps: int, line: HTTPConnection) -> None:
    """Write and read registers by calls of FCU."""

    def send(action: str, **parameters: str) -> str:
        line.request("GET", f"/fcu/?{urlencode({'Action': action, **FCU, **parameters})}")
        return line.getresponse().read().decode()

    for step in range(steps):
        volume, value, begin = draw.choice(registers.volumes), f"{name}.{step}", time.perf_counter_ns()
        if draw.random() < 0.5:
            send("CreateTags", **{"ResourceId.1": volume, "Tag.1.Key": "value", "Tag.1.Value": value})
            registers.note("write", {volume: value}, begin)
        else:
            tag = re.search("<key>value</key><value>([^<]*)</value>", send("DescribeVolumes", **{"VolumeId.1": volume}))
            registers.note("read", {volume: tag[1] if tag else ""}, begin)


def work_by_storage(registers: Registers, draw: Random, name: str, steps: int, line: HTTPConnection) -> None:
    """Write and read the objects that are registers."""
    for step in range(steps):
        key, value, begin = draw.choice(OBJECTS), f"{name}.{step}", time.perf_counter_ns()
        is_write = draw.random() < 0.5
        line.request("PUT" if is_write else "GET", f"{BUCKET}/{key}", value if is_write else None)
        body = line.getresponse().read().decode()
        registers.note("write" if is_write else "read", {key: value if is_write else body}, begin)


def work_on_forks(registers: Registers, _draw: Random, _name: str, steps: int) -> None:
    """Fork the cloud and use the fork: it shows one moment, and its origin never sees it."""
    for _ in range(steps):
        begin = time.perf_counter_ns()
        twin = registers.cloud.fork()
        registers.note("read", _read_all(twin.account("alice"), registers.volumes), begin)
        before = twin.dump()
        with twin.savepoint():
            twin.account("alice").create_volume(subregion_name=SUBREGION, size=1)
        if twin.dump() != before:
            registers.problems.append("a savepoint of a fork left something")


def work_on_time(registers: Registers, _draw: Random, _name: str, steps: int) -> None:
    """Move the clock, and read what needs the lock of every table."""
    cloud = registers.cloud
    for _ in range(steps):
        cloud.advance(1)
        if not cloud.accounts or not cloud.images.all() or repr(cloud).count("alice") != 1:
            registers.problems.append("a reader of the cloud saw a half-done change")


def work_on_marks(registers: Registers, draw: Random, name: str, steps: int) -> None:
    """Roll the cloud back, which undoes what other threads have written since."""
    ids = dict.fromkeys((*registers.volumes, *OBJECTS), name)
    for _ in range(steps):
        begin = time.perf_counter_ns()
        mark = registers.cloud.mark()
        end = time.perf_counter_ns()
        time.sleep(draw.random() / 1000)
        rollback_begin = time.perf_counter_ns()
        try:
            registers.cloud.rollback(mark)
        except ValueError:  # an earlier rollback has undone the mark
            continue
        registers.note("rollback", ids, rollback_begin)
        registers.history.extend((volume, Operation("mark", name, begin, end)) for volume in ids)
        return


@contextmanager
def open_ways(registers: Registers) -> Iterator[list[Worker]]:
    """Yield a worker for each way to use the cloud."""
    alice = registers.account
    with ExitStack() as stack:
        server = stack.enter_context(registers.cloud.serve())
        stack.enter_context(registers.cloud.intercept())
        gateway = alice.gateway()
        address = server.url.partition("//")[2]

        def send_http(draw: Random, name: str, steps: int) -> None:
            line = HTTPConnection(address, timeout=60)

            def send(action: str, parameters: dict[str, Any]) -> Any:
                line.request("POST", f"/api/v1/{action}", json.dumps(parameters), JSON)
                return json.loads(line.getresponse().read())

            work_by_wire(registers, draw, name, steps, send)
            line.close()

        def connect(worker: Callable[[Registers, Random, str, int, HTTPConnection], None]) -> Worker:
            def work(draw: Random, name: str, steps: int) -> None:
                with closing(HTTPConnection(address, timeout=60)) as line:
                    worker(registers, draw, name, steps, line)

            return work

        def send_intercepted(action: str, parameters: dict[str, Any]) -> Any:
            return requests.post(f"{API}/{action}", json=parameters, timeout=60).json()

        def use(send: Send) -> Worker:
            return lambda draw, name, steps: work_by_wire(registers, draw, name, steps, send)

        def run(worker: Callable[[Registers, Random, str, int], None]) -> Worker:
            return lambda draw, name, steps: worker(registers, draw, name, steps)

        yield [
            run(work_typed),
            use(lambda action, parameters: alice.call(action, **parameters)),
            use(lambda action, parameters: getattr(gateway, action)(**parameters)),
            send_http,
            use(send_intercepted),
            run(work_on_forks),
            run(work_on_time),
            run(work_on_marks),
            connect(work_by_fcu),
            connect(work_by_storage),
        ]


def find_anomalies(threads: int, steps: int, seed: int) -> tuple[int, list[str]]:
    """Run threads over one cloud, switched as often as possible.

    Returns the number of recorded operations, and what was wrong: a register whose history is not linearizable, an
    error, or a cloud that does not work afterwards.
    """
    cloud = Cloud(seed=seed, auth="off")
    alice = cloud.account("alice")
    volumes = [alice.create_volume(subregion_name=SUBREGION, size=1).volume_id for _ in range(REGISTERS)]
    alice.create_tags(resource_ids=volumes, tags=[{"key": "value", "value": FIRST}])
    storage = alice.client("oos")
    storage.create_bucket(Bucket="registers")
    for key in OBJECTS:
        storage.put_object(Bucket="registers", Key=key, Body=FIRST.encode())
    registers = Registers(cloud, alice, volumes)
    barrier = Barrier(threads)
    interval = sys.getswitchinterval()
    with open_ways(registers) as workers:

        def run(number: int) -> None:
            barrier.wait()
            try:
                workers[number % len(workers)](Random(f"{seed}.{number}"), str(number), steps)
            except Exception as error:  # noqa: BLE001 - every error of a thread is a finding
                registers.problems.append(f"thread {number}: {error!r}")

        running = [Thread(target=run, args=(number,)) for number in range(threads)]
        sys.setswitchinterval(1e-6)
        try:
            for thread in running:
                thread.start()
            for thread in running:
                thread.join()
        finally:
            sys.setswitchinterval(interval)
    problems = list(registers.problems)
    for register in (*volumes, *OBJECTS):
        history = [operation for name, operation in registers.history if name == register]
        if not is_linearizable(history, FIRST):
            problems.append(f"seed {seed}: the history of {register} is not linearizable")
    if Cloud.load(cloud.dump()) != cloud or len(cloud.account("alice").read_volumes()) != REGISTERS:
        problems.append(f"seed {seed}: the cloud does not work afterwards")
    return len(registers.history), problems
