"""Kill a server under load, start it again, and compare its cloud with the answers that clients have received."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import md5
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from random import Random
from threading import Event, Thread
from typing import Any
from xml.etree import ElementTree as ET

__all__ = ["Server", "crash"]

REGION = "eu-west-2"
TOKEN = "crash"
ACCOUNTS = 4
FCU_VOLUME = f"Action=CreateVolume&Version=2016-11-15&AvailabilityZone={REGION}a&Size=1"
FAULT = {"action": "CreateKeypair", "times": 1000000}


class Server:
    """A process of `omisim serve` with a state file."""

    def __init__(self, state: Path, *words: str) -> None:
        accounts = [word for n in range(ACCOUNTS) for word in ("--account", f"user{n}:{_make_key(n)}:SECRET")]
        command = [sys.executable, "-m", "omisim", "serve", "--port", "0", "--auth", "off", "--token", TOKEN]
        self.run = subprocess.Popen(
            [*command, "--state", str(state), *accounts, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.run.stdout is not None
        ready = next((line for line in self.run.stdout if "is ready" in line), "")
        assert ready, self.run.communicate()
        self.port = int(ready.strip().rpartition(":")[2])

    def kill(self) -> None:
        """End the process as a crash does."""
        self.run.send_signal(signal.SIGKILL)
        self.run.communicate(timeout=60)

    def control(self, method: str, name: str, **parameters: Any) -> Any:
        """Call the control plane."""
        with self.connect() as line:
            return json.loads(_send(line, method, f"/_omisim/{name}", parameters)[1])

    def connect(self) -> closing[HTTPConnection]:
        """Open a connection, and close it at the end of the context."""
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=60))


def _make_key(number: int) -> str:
    return f"AKAKAKAKAKAKAKAKAK{number:02}"


def _send(line: HTTPConnection, method: str, path: str, body: Any, key: str = "") -> tuple[int, bytes]:
    headers = {"X-Omisim-Token": TOKEN, "Content-Type": "application/json"}
    if key:
        headers["Authorization"] = f"AWS4-HMAC-SHA256 Credential={key}/20260101/{REGION}/s3/aws4_request"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    line.request(method, path, None if method == "GET" else content, headers)
    answer = line.getresponse()
    return answer.status, answer.read()


@dataclass
class Client:
    """What one account knows from the answers that it has received.

    `pending` is the request without an answer, whose effect the cloud may have or not have.
    """

    number: int
    volumes: dict[str, dict[str, str]] = field(default_factory=dict)  # id → tags
    objects: dict[str, bytes] = field(default_factory=dict)
    requests: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    pending: tuple[str, ...] | None = None
    steps: int = 0
    answers: int = 0

    def work(self, server: Server, stop: Event, seed: int) -> None:
        """Send requests until the server is gone or `stop` is set."""
        draw = Random(seed)
        with server.connect() as line, suppress(OSError, HTTPException):
            while not stop.is_set():
                self._take_step(line, draw)

    def _take_step(self, line: HTTPConnection, draw: Random) -> None:
        self.steps += 1
        name = f"{self.number}-{self.steps}"
        match draw.choice(("create", "create by FCU", "tag", "tag", "delete", "put", "put", "read")):
            case "create":
                self._call(line, ("create",), "CreateVolume", SubregionName=f"{REGION}a", Size=1)
            case "create by FCU":
                self._create_by_fcu(line)
            case "tag" if self.volumes:
                volume_id = draw.choice(list(self.volumes))
                tags = [{"Key": "step", "Value": name}]
                self._call(line, ("tag", volume_id, name), "CreateTags", ResourceIds=[volume_id], Tags=tags)
            case "delete" if len(self.volumes) > 5:
                volume_id = draw.choice(list(self.volumes))
                self._call(line, ("delete", volume_id), "DeleteVolume", VolumeId=volume_id)
            case "put":
                self._put(line, f"key{draw.randrange(8)}", name.encode() * draw.randrange(1, 400))
            case _:
                self._call(line, None, "ReadVolumes")

    def _call(self, line: HTTPConnection, pending: tuple[str, ...] | None, action: str, **parameters: Any) -> None:
        self.pending = pending
        status, text = _send(line, "POST", f"/api/v1/{action}", parameters, _make_key(self.number))
        answer = json.loads(text)
        self._note_answer(answer["ResponseContext"]["RequestId"])
        if status == 200 and pending is not None:
            if pending[0] == "create":
                pending = ("create", answer["Volume"]["VolumeId"])
            self.apply(pending)

    def _create_by_fcu(self, line: HTTPConnection) -> None:
        self.pending = ("create",)
        status, text = _send(line, "GET", f"/fcu/?{FCU_VOLUME}", None, _make_key(self.number))
        assert status == 200, text
        texts = {element.tag.rpartition("}")[2]: element.text or "" for element in ET.fromstring(text).iter()}
        self._note_answer(texts["requestId"])
        self.apply(("create", texts["volumeId"]))

    def _note_answer(self, request_id: str) -> None:
        assert request_id not in self.requests, f"the request id {request_id} was given twice"
        self.requests.add(request_id)
        self.answers += 1
        self.pending = None

    def _put(self, line: HTTPConnection, key: str, body: bytes) -> None:
        self.pending = ("put", key, body.decode())
        status, text = _send(line, "PUT", f"/oos/{REGION}/bucket{self.number}/{key}", body, _make_key(self.number))
        assert status == 200, text
        self.answers += 1
        self.apply(self.pending)
        self.pending = None

    def apply(self, change: tuple[str, ...]) -> None:
        """Note the effect of an answered request."""
        match change:
            case ("create", volume_id):
                assert volume_id not in self.volumes.keys() | self.deleted, f"{volume_id} was given twice"
                self.volumes[volume_id] = {}
            case ("tag", volume_id, value):
                self.volumes[volume_id] = {"step": value}
            case ("delete", volume_id):
                del self.volumes[volume_id]
                self.deleted.add(volume_id)
            case ("put", key, body):
                self.objects[key] = body.encode()

    def compare(self, dump: dict[str, Any], account_id: str) -> Iterator[str]:
        """Yield what the restarted cloud has lost or invented, and learn the result of the pending request."""
        volumes = {
            row["volume_id"]: {tag["key"]: tag["value"] for tag in row["tags"]}
            for _, row in dump["rows"].get("volume", {}).values()
            if row["account_id"] == account_id and row["state"] != "deleting"
        }
        objects = {
            row["name"]: row["etag"]
            for _, row in dump["rows"].get("object", {}).values()
            if row["bucket_id"] == f"{REGION}/bucket{self.number}"
        }
        new = set(volumes) - set(self.volumes)
        change, self.pending = self.pending, None
        if change == ("create",) and len(new) == 1:
            self.apply(("create", *new))
        elif change is not None and _has_happened(change, volumes, objects):
            self.apply(change)
        if volumes != self.volumes:
            yield f"user{self.number} got the answer {self.volumes}, and now the cloud has {volumes}"
        expected = {key: _etag(body) for key, body in self.objects.items()}
        if objects != expected:
            yield f"user{self.number} got the answer {expected}, and now the cloud has {objects}"


def _has_happened(change: tuple[str, ...], volumes: dict[str, dict[str, str]], objects: dict[str, str]) -> bool:
    match change:
        case ("tag", volume_id, value):
            return volumes.get(volume_id) == {"step": value}
        case ("delete", volume_id):
            return volume_id not in volumes
        case ("put", key, body):
            return objects.get(key) == _etag(body.encode())
    return False


def _etag(body: bytes) -> str:
    return md5(body, usedforsecurity=False).hexdigest()


@dataclass
class Operator:
    """What a user of the control plane knows: the seconds that it has advanced the clock, and the faults added."""

    seconds: int = 0
    faults: int = 0
    pending: str = ""
    answers: int = 0

    def work(self, server: Server, stop: Event) -> None:
        """Advance the clock and add faults until the server is gone."""
        with suppress(OSError, HTTPException):
            while not stop.wait(0.005):
                for kind in ("advance", "faults"):
                    self.pending = kind
                    if kind == "advance":
                        server.control("POST", "advance", seconds=1)
                        self.seconds += 1
                    else:
                        server.control("POST", "faults", **FAULT)
                        self.faults += 1
                    self.pending = ""
                    self.answers += 1

    def compare(self, dump: dict[str, Any], faults: list[Any]) -> Iterator[str]:
        """Yield what the restarted cloud has lost, and learn the result of the pending request."""
        pending, self.pending = self.pending, ""
        found = (("advance", self.seconds, dump["clock"]["offset"]), ("faults", self.faults, len(faults)))
        for name, known, number in found:
            if number != known and not (name == pending and number == known + 1):
                yield f"{name}: {known} were answered, and now there are {number}"
        self.seconds, self.faults = int(dump["clock"]["offset"]), len(faults)


def crash(state: Path, kills: int, seed: int, report: Any = print) -> tuple[int, list[str]]:
    """Kill a server so many times, at random moments under load.

    Returns the number of answered requests, and what was lost or invented.
    """
    draw = Random(seed)
    clients, operator = [Client(number) for number in range(ACCOUNTS)], Operator()
    words = ("--timing", draw.choice(("eager", "clock")))
    server = Server(state, *words)
    ids = [account["account_id"] for account in server.control("GET", "accounts")]
    with server.connect() as line:
        for number in range(ACCOUNTS):
            assert _send(line, "PUT", f"/oos/{REGION}/bucket{number}", b"", _make_key(number))[0] == 200
    problems: list[str] = []
    clock = ""
    for kill in range(1, kills + 1):
        _load_until_killed(server, clients, operator, draw)
        server = Server(state, *words)
        dump, faults = server.control("GET", "dump"), server.control("GET", "faults")
        found = [problem for c, account_id in zip(clients, ids, strict=True) for problem in c.compare(dump, account_id)]
        found += [*operator.compare(dump, faults), *_find_stuck_volumes(dump["rows"])]
        if dump["clock"]["now"] < clock:
            found.append(f"the clock ran backwards from {clock} to {dump['clock']['now']}")
        clock = dump["clock"]["now"]
        problems += [f"kill {kill}: {problem}" for problem in found]
        if found:
            report(*found, sep="\n")
    given_ids = [request_id for client in clients for request_id in client.requests]
    if len(given_ids) != len(set(given_ids)):
        problems.append("request ids were given twice")
    server.kill()
    return _count_answers(clients, operator), problems


def _load_until_killed(server: Server, clients: list[Client], operator: Operator, draw: Random) -> None:
    """Let clients and operator work at once, and kill the server after a random number of answers."""
    stop = Event()
    threads = [Thread(target=c.work, args=(server, stop, draw.randrange(10**9))) for c in clients]
    threads.append(Thread(target=operator.work, args=(server, stop)))
    for thread in threads:
        thread.start()
    goal = _count_answers(clients, operator) + draw.randrange(1, 150)
    while _count_answers(clients, operator) < goal and any(thread.is_alive() for thread in threads):
        stop.wait(draw.uniform(0.0001, 0.003))
    server.kill()
    stop.set()
    for thread in threads:
        thread.join()


def _find_stuck_volumes(rows: dict[str, Any]) -> Iterator[str]:
    """Yield the volumes that are being created, and that no due transition completes."""
    waiting = {key.partition(":")[2] for key in rows.get("due", {})}
    for row_id, (_, row) in rows.get("volume", {}).items():
        if row["state"] == "creating" and row_id not in waiting:
            yield f"{row_id} stays creating"


def _count_answers(clients: list[Client], operator: Operator) -> int:
    return sum(client.answers for client in clients) + operator.answers
