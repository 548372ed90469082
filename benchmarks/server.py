"""Measure the overhead of omisim per call over HTTP, as ratios of one run: `python benchmarks/server.py`.

A *canned* cheroot server answers with fixed bytes. Both servers are separate processes and get the same signed request
of the real SDK in turn. If moto's server is installed (`moto`, `flask`, `flask-cors`), its requests per second are
measured too. The last figure is the growth of memory over 100,000 requests, with a full history.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection
from importlib.util import find_spec
from io import BytesIO
from statistics import median
from typing import Any

import requests
from osc_sdk_python import Gateway

from omisim import Cloud
from omisim.server.app import App
from omisim.server.connection import LimitedServer
from omisim.server.framing import Limits
from omisim.server.host import THREADS

ROUNDS, CALLS = 15, 100
LIMIT = 1.15  # of a canned server
MOTO = 4  # minimum ratio to the requests per second of moto_server
MANY, GROWTH = 100_000, 0.5  # requests, and the megabytes by which memory may grow
VOLUME = {"SubregionName": "eu-west-2a", "Size": 10}


def serve_canned(body: bytes) -> None:
    """Answer every request with the same bytes; print the port."""

    def app(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    # as ours: cheroot's own server is deaf after a client that leaves in the middle of a request
    server = LimitedServer(("127.0.0.1", 0), app, THREADS, Limits())
    server.expiration_interval = 0.02
    server.prepare()
    print(f"# ready at http://127.0.0.1:{server.bind_addr[1]}", flush=True)
    server.serve()


@contextmanager
def run_server(*arguments: str) -> Iterator[str]:
    """Run a server as a process; yield its URL."""
    run = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        yield next(line for line in run.stdout if "ready at" in line).rpartition(" ")[2].strip()
    finally:
        run.terminate()
        run.wait()


def make_gateway(url: str, account: Any) -> Gateway:
    """Return a Gateway made as users make it, without its limiter."""
    gateway = Gateway(access_key=account.access_key, secret_key=account.secret_key, limiter_max_requests=10**9)
    gateway.call.profile.endpoints.api = f"{url}/api/v1"
    gateway.call.profile.region = account.region
    return gateway


def measure_microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Return the mean duration of a call in microseconds."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def measure_rate(url: str, path: str, body: str, headers: Mapping[str, str]) -> float:
    """Return how many of these requests per second a server answers on one connection of http.client."""
    line = HTTPConnection(url.removeprefix("http://"), timeout=20)

    def send_request() -> None:
        line.request("POST", path, body, dict(headers))
        answer = line.getresponse()
        answer.read()
        assert answer.status == HTTPStatus.OK

    return 1e6 / median(measure_microseconds(send_request) for _ in range(9))


def measure_moto_rate() -> float | None:
    """Return moto_server's requests per second, or None where it is not installed."""
    if not find_spec("flask_cors"):
        return None
    url = "http://127.0.0.1:5979"
    run = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "5979"], stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                requests.get(url, timeout=20)
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return measure_rate(url, "/", "Action=DescribeVolumes&Version=2016-11-15", form)
    finally:
        run.kill()


def measure_growth() -> float:
    """Return the growth of memory over the requests, in megabytes, once the history is full."""
    cloud = Cloud(history=1000)
    cloud.account("alice")
    app = App(cloud, "")
    environ = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/api/v1/ReadRegions", "HTTP_HOST": "x"}

    def send_request() -> None:
        app({**environ, "wsgi.input": BytesIO(b"")}, lambda *_: None)

    tracemalloc.start()
    measure_microseconds(send_request, MANY // 10)
    before = tracemalloc.get_traced_memory()[0]
    measure_microseconds(send_request, MANY)
    return (tracemalloc.get_traced_memory()[0] - before) / 1e6


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    alice = Cloud().account("alice")  # with the seed of the server, so the key is the same
    with run_server("-m", "omisim", "serve", "--port", "0") as url:
        ours = make_gateway(url, alice)
        read = {"Filters": {"VolumeIds": [ours.raw("CreateVolume", **VOLUME)["Volume"]["VolumeId"]]}}
        with run_server(__file__, "canned", json.dumps(ours.raw("ReadVolumes", **read))) as other:
            theirs = make_gateway(other, alice)
            figures: dict[str, list[float]] = {"canned": [], "omisim": []}
            for _ in range(ROUNDS):
                figures["canned"].append(measure_microseconds(lambda: theirs.raw("ReadVolumes", **read)))
                figures["omisim"].append(measure_microseconds(lambda: ours.raw("ReadVolumes", **read)))
        signed: list[requests.PreparedRequest] = []
        ours.call.session.hooks["response"] = [lambda response, *_a, **_k: signed.append(response.request)]
        ours.raw("ReadVolumes", Filters={"VolumeIds": ["vol-00000000"]})  # an empty answer, as moto's is
        request = signed[0]
        own = measure_rate(url, request.path_url, str(request.body), request.headers)
    ratio = median(o / c for o, c in zip(figures["omisim"], figures["canned"], strict=True))
    base = median(figures["canned"])
    for name, values in figures.items():
        print(f"an SDK call over HTTP, {name:<8}{median(values):10.1f} us  {median(values) / base:.2f}")
    print(f"omisim over a canned server     {ratio:10.3f}     (limit {LIMIT})")
    print(f"requests a second               {own:10.0f}")
    moto = measure_moto_rate()
    if moto is None:
        print("moto_server is not installed")
    else:
        print(f"moto_server's                   {moto:10.0f}     omisim over it {own / moto:.1f} (at least {MOTO})")
    growth = measure_growth()
    print(f"memory grown over {MANY} requests {growth:.3f} MB (limit {GROWTH})")
    return int(ratio > LIMIT or growth > GROWTH or (moto is not None and own < MOTO * moto))


if __name__ == "__main__":
    if sys.argv[1:2] == ["canned"]:
        serve_canned(sys.argv[2].encode())
    else:
        sys.exit(main())
