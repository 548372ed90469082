"""A call over HTTP, beside a *canned* cheroot server and moto's server, and how much a server grows.

The servers are separate processes and get the same signed request of the real SDK in turn. Time is that of the clock.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection
from typing import Any

import requests
from osc_sdk_python import Gateway

from benchmarks.goal import Goal, Limit, elapsed, over, single
from benchmarks.processes import run_server
from omisim import Cloud
from omisim.doors.http import HttpRequest, HttpResponse
from omisim.server.app import App
from omisim.server.framing import Limits
from omisim.server.host import THREADS
from omisim.server.limited_server import LimitedServer

CALLS = 30
MANY = 100_000  # requests, over which memory must not grow
MOTO = "http://127.0.0.1:5979"
VOLUME = {"SubregionName": "eu-west-2a", "Size": 10}


def serve_canned(body: bytes) -> None:
    """Answer every request with the same bytes; print the port."""

    def answer(_request: HttpRequest, **_options: bool) -> HttpResponse:
        return HttpResponse(200, body, {"Content-Type": "application/json", "Content-Length": str(len(body))})

    # as ours: cheroot's own server is deaf after a client that leaves in the middle of a request
    server = LimitedServer(("127.0.0.1", 0), answer, THREADS, Limits())
    server.expiration_interval = 0.02
    server.prepare()
    print(f"# ready at http://127.0.0.1:{server.bind_addr[1]}", flush=True)
    server.serve()


def make_gateway(url: str, account: Any) -> Gateway:
    """Return a Gateway made as users make it, without its limiter."""
    gateway = Gateway(access_key=account.access_key, secret_key=account.secret_key, limiter_max_requests=10**9)
    gateway.call.profile.endpoints.api = f"{url}/api/v1"
    gateway.call.profile.region = account.region
    return gateway


@contextmanager
def run_moto() -> Iterator[None]:
    """Run moto's server."""
    run = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "5979"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                requests.get(MOTO, timeout=20)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        yield
    finally:
        run.kill()
        run.wait()


def make_sender(url: str, path: str, body: str, headers: Mapping[str, str]) -> Callable[[], None]:
    """Return a function that sends a request on a connection of http.client, and reads the answer."""
    line = HTTPConnection(url.removeprefix("http://"), timeout=20)

    def send() -> None:
        line.request("POST", path, body, dict(headers))
        answer = line.getresponse()
        answer.read()
        assert answer.status == HTTPStatus.OK

    return send


def measure_growth() -> float:
    """Return the growth of memory over many requests, in megabytes, once the history is full."""
    cloud = Cloud(history=1000)
    cloud.account("alice")
    app = App(cloud, "")
    request = HttpRequest("POST", "x", "/api/v1/ReadRegions", {})
    sizes = []
    tracemalloc.start()
    for number in (MANY // 10, MANY):
        for _ in range(number):
            app.answer(request)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    return (sizes[1] - sizes[0]) / 1e6


def goals() -> Iterator[Goal]:
    """Yield the goals of the server."""
    alice = Cloud(seed="benchmark").account("alice")  # with the seed of the server, so the key is the same
    options = ("--port", "0", "--account", "alice", "--seed", "benchmark")
    with run_server("-m", "omisim", "serve", *options) as url, run_moto():
        ours = make_gateway(url, alice)
        read = {"Filters": {"VolumeIds": [ours.raw("CreateVolume", **VOLUME)["Volume"]["VolumeId"]]}}
        with run_server("-m", "benchmarks.server", json.dumps(ours.raw("ReadVolumes", **read))) as canned:
            gateways = {"omisim": ours, "null": make_gateway(canned, alice)}
            sides = {side: elapsed(partial(api.raw, "ReadVolumes", **read), CALLS) for side, api in gateways.items()}
            yield Goal("an SDK call", sides, (Limit("over a canned server", over("omisim", "null"), 1.15),))
        signed: list[requests.PreparedRequest] = []
        ours.call.session.hooks["response"] = [lambda response, *_a, **_k: signed.append(response.request)]
        ours.raw("ReadVolumes", Filters={"VolumeIds": ["vol-00000000"]})  # an empty answer, as moto's is
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        senders = {
            "omisim": make_sender(url, signed[0].path_url, str(signed[0].body), signed[0].headers),
            "moto": make_sender(MOTO, "/", "Action=DescribeVolumes&Version=2016-11-15", form),
        }
        sides = {side: elapsed(send, CALLS) for side, send in senders.items()}
        yield Goal("a request", sides, (Limit("moto_server over omisim", over("moto", "omisim"), 4, least=True),))
    growth = Limit("MB", single(), 0.5)
    yield Goal(f"memory grown over {MANY:,} requests", {"omisim": measure_growth}, (growth,), rounds=1, warm=False)


if __name__ == "__main__":
    serve_canned(sys.argv[1].encode())
