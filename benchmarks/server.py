"""Measure the overhead of omisim per call over HTTP, as ratios of one run: `python benchmarks/server.py`.

A *canned* cheroot server answers with ready bytes; both are processes of their own and get the same signed request of
the real SDK, by turns. Where moto's server is installed (`moto`, `flask`, `flask-cors`), its requests per second stand
beside. Last comes the memory that 100 000 requests leave behind, beyond a full history.
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
from cheroot.wsgi import Server
from osc_sdk_python import Gateway

from omisim import Cloud
from omisim.server.app import App

ROUNDS, CALLS = 15, 100
LIMIT = 1.15  # of a canned server
MOTO = 4  # times the requests of moto_server
MANY, GROWTH = 100_000, 0.5  # requests, and the megabytes that they may leave
VOLUME = {"SubregionName": "eu-west-2a", "Size": 10}


def canned(body: bytes) -> None:
    """Answer every request with the same bytes; print the port."""

    def app(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    server = Server(("127.0.0.1", 0), app, numthreads=16)
    server.expiration_interval = 0.02  # as ours, so that both wake as often
    server.prepare()
    print(f"# ready at http://127.0.0.1:{server.bind_addr[1]}", flush=True)
    server.serve()


@contextmanager
def process(*words: str) -> Iterator[str]:
    """Run a server as a process; yield its URL."""
    run = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    try:
        yield next(line for line in run.stdout if "ready at" in line).rpartition(" ")[2].strip()
    finally:
        run.terminate()
        run.wait()


def gateway(url: str, account: Any) -> Gateway:
    """Return a Gateway of the user's own, without its limiter."""
    made = Gateway(access_key=account.access_key, secret_key=account.secret_key, limiter_max_requests=10**9)
    made.call.profile.endpoints.api = f"{url}/api/v1"
    made.call.profile.region = account.region
    return made


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Return the mean duration of one call."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def rate(url: str, path: str, body: str, headers: Mapping[str, str]) -> float:
    """Return how many of these requests a server answers in a second, on one connection of the plainest client."""
    line = HTTPConnection(url.removeprefix("http://"), timeout=20)

    def ask() -> None:
        line.request("POST", path, body, dict(headers))
        answer = line.getresponse()
        answer.read()
        assert answer.status == HTTPStatus.OK

    return 1e6 / median(microseconds(ask) for _ in range(9))


def moto_rate() -> float | None:
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
        return rate(url, "/", "Action=DescribeVolumes&Version=2016-11-15", form)
    finally:
        run.kill()


def growth() -> float:
    """Return the megabytes that requests leave behind once the history is full."""
    cloud = Cloud(history=1000)
    cloud.account("alice")
    app = App(cloud, "")
    environ = {"REQUEST_METHOD": "POST", "REQUEST_URI": "/api/v1/ReadRegions", "HTTP_HOST": "x"}

    def ask() -> None:
        app({**environ, "wsgi.input": BytesIO(b"")}, lambda *_: None)

    tracemalloc.start()
    microseconds(ask, MANY // 10)
    before = tracemalloc.get_traced_memory()[0]
    microseconds(ask, MANY)
    return (tracemalloc.get_traced_memory()[0] - before) / 1e6


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    alice = Cloud().account("alice")  # the seed is the server's: so is the key
    with process("-m", "omisim", "serve", "--port", "0") as url:
        ours = gateway(url, alice)
        read = {"Filters": {"VolumeIds": [ours.raw("CreateVolume", **VOLUME)["Volume"]["VolumeId"]]}}
        with process(__file__, "canned", json.dumps(ours.raw("ReadVolumes", **read))) as other:
            theirs = gateway(other, alice)
            figures: dict[str, list[float]] = {"canned": [], "omisim": []}
            for _ in range(ROUNDS):
                figures["canned"].append(microseconds(lambda: theirs.raw("ReadVolumes", **read)))
                figures["omisim"].append(microseconds(lambda: ours.raw("ReadVolumes", **read)))
        signed: list[requests.PreparedRequest] = []
        ours.call.session.hooks["response"] = [lambda response, *_a, **_k: signed.append(response.request)]
        ours.raw("ReadVolumes", Filters={"VolumeIds": ["vol-00000000"]})  # none, as moto has none
        asked = signed[0]
        mine = rate(url, asked.path_url, str(asked.body), asked.headers)
    ratio = median(o / c for o, c in zip(figures["omisim"], figures["canned"], strict=True))
    base = median(figures["canned"])
    for name, values in figures.items():
        print(f"an SDK call over HTTP, {name:<8}{median(values):10.1f} us  {median(values) / base:.2f}")
    print(f"omisim over a canned server     {ratio:10.3f}     (limit {LIMIT})")
    print(f"requests a second               {mine:10.0f}")
    moto = moto_rate()
    if moto is None:
        print("moto_server is not installed")
    else:
        print(f"moto_server's                   {moto:10.0f}     omisim over it {mine / moto:.1f} (at least {MOTO})")
    grown = growth()
    print(f"memory grown over {MANY} requests {grown:.3f} MB (limit {GROWTH})")
    return int(ratio > LIMIT or grown > GROWTH or (moto is not None and mine < MOTO * moto))


if __name__ == "__main__":
    if sys.argv[1:2] == ["canned"]:
        canned(sys.argv[2].encode())
    else:
        sys.exit(main())
