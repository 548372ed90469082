"""The latency of a server with 1,000 clouds at 32 connections, each in a cloud of its own.

A cloud must not wait for another. One thread sends the requests of all connections, because the threads of a client
would wait for each other. Two figures compare the 99th percentile with the median: of the time of a request, and of the
number of answers that the other connections get in the meantime, which does not depend on what else the machine does.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.client import HTTPResponse
from selectors import EVENT_READ, DefaultSelector
from statistics import median, quantiles
from typing import NamedTuple

from benchmarks.goal import Goal, Limit, single
from benchmarks.processes import run_server
from omisim.server.client import Client

CLOUDS, CONNECTIONS, REQUESTS = 1000, 32, 100
TOKEN = "benchmark"
BODY = b'{"SubregionName": "eu-west-2a", "Size": 1}'


class Wait(NamedTuple):
    """How long an answer took: seconds, and answers to others."""

    seconds: float
    turns: int


def send_requests(address: str, clouds: list[str], requests: int) -> list[Wait]:
    """Create volumes in each cloud, by a connection for each, and return how long each answer took."""
    host, _, port = address.partition(":")
    head = f"POST /api/v1/CreateVolume HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n"
    waits: list[Wait] = []
    started: dict[socket.socket, Wait] = {}
    with DefaultSelector() as selector:
        for cloud in clouds:
            line = socket.create_connection((host, int(port)))
            message = f"{head}X-Omisim-Cloud: {cloud}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode() + BODY
            messages = [message] * requests
            selector.register(line, EVENT_READ, messages)
            _send(line, messages, started, 0)
        while selector.get_map():
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                line, messages = key.fileobj, key.data
                _receive(line)
                start = started[line]
                waits.append(Wait(time.perf_counter() - start.seconds, len(waits) - start.turns))
                if messages:
                    _send(line, messages, started, len(waits))
                else:
                    selector.unregister(line)
                    line.close()
    return waits


def _send(line: socket.socket, messages: list[bytes], started: dict[socket.socket, Wait], turns: int) -> None:
    started[line] = Wait(time.perf_counter(), turns)
    line.sendall(messages.pop())


def _receive(line: socket.socket) -> None:
    """Read one answer, which must be a success."""
    answer = HTTPResponse(line)
    answer.begin()
    assert answer.status == HTTPStatus.OK, answer.read()
    answer.read()


def goals() -> Iterator[Goal]:
    """Yield the goals of a server with many clouds."""
    with run_server("-m", "omisim", "serve", "--port", "0", "--auth", "off", "--token", TOKEN) as url:
        control, seconds = Client(url, TOKEN), list[float]()
        for number in range(CLOUDS):
            start = time.perf_counter()
            control.post("clouds", name=f"job-{number}")
            seconds.append(time.perf_counter() - start)
        names = [f"job-{number * (CLOUDS // CONNECTIONS)}" for number in range(CONNECTIONS)]
        waits: list[Wait] = []

        def spread_of_seconds() -> float:
            waits[:] = send_requests(url.removeprefix("http://"), names, REQUESTS)
            return _spread([wait.seconds for wait in waits])

        sides = {"seconds": spread_of_seconds, "turns": lambda: _spread([wait.turns for wait in waits])}
        limits = (
            Limit("99th percentile over the median, in seconds", single("seconds"), 10),
            Limit("99th percentile over the median, in answers", single("turns"), 10),
        )
        yield Goal(f"a request at {CONNECTIONS} connections", sides, limits, rounds=5)
        created = {"omisim": lambda: median(seconds)}
        yield Goal("POST /_omisim/clouds", created, (Limit("ms", single(scale=1e3), 10),), rounds=1, warm=False)


def _spread(values: list[float]) -> float:
    return quantiles(values, n=100)[98] / median(values)
