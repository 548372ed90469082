"""What omisim adds to a call over HTTP, as ratios measured in one run: `python benchmarks/server.py`.

A *canned* cheroot server answers with ready bytes; both get the same signed request of the real SDK, by turns. Where
moto's server is installed (`moto[server]`), its requests per second stand beside.
"""

from __future__ import annotations

import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from importlib.util import find_spec
from statistics import median
from threading import Thread
from typing import Any

import requests
from cheroot.wsgi import Server
from osc_sdk_python import Gateway

from omisim import Cloud

ROUNDS, CALLS = 15, 100
LIMIT = 1.15  # of a canned server
MANY = 8_000  # requests, for the growth of memory


def canned(body: bytes) -> tuple[Server, str]:
    """Start a server that answers everything with the same bytes."""

    def app(environ: Any, start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    server = Server(("127.0.0.1", 0), app, numthreads=16)
    server.prepare()
    Thread(target=server.serve, daemon=True).start()
    return server, f"http://127.0.0.1:{server.bind_addr[1]}"


def gateway(url: str, account: Any) -> Gateway:
    """Return a Gateway of the user's own, without its limiter."""
    made = Gateway(access_key=account.access_key, secret_key=account.secret_key, limiter_max_requests=10**9)
    made.call.profile.endpoints.api = f"{url}/api/v1"
    made.call.profile.region = account.region
    return made


def microseconds(call: Callable[[], object], calls: int = CALLS) -> float:
    """Return what one call takes, over many."""
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls * 1e6


def moto_rate() -> float | None:
    """Return moto_server's requests per second, or None where it is not installed."""
    if not find_spec("flask"):
        return None
    run = subprocess.Popen([sys.executable, "-m", "moto.server", "-p", "5979"], stderr=subprocess.DEVNULL)
    try:
        session = requests.Session()
        body = {"Action": "DescribeVolumes", "Version": "2016-11-15"}
        ask = partial(session.post, "http://127.0.0.1:5979/", data=body, timeout=20)
        for _ in range(100):
            try:
                ask()
                break
            except requests.ConnectionError:
                time.sleep(0.1)
        return 1e6 / median(microseconds(ask) for _ in range(5))
    finally:
        run.kill()


def main() -> int:
    """Print the figures; return 1 when one is over its limit."""
    cloud = Cloud()
    alice = cloud.account("alice")
    volume = alice.create_volume(subregion_name="eu-west-2a", size=10)
    read = {"Filters": {"VolumeIds": [volume.volume_id]}}
    with cloud.serve() as served:
        ours = gateway(served.url, alice)
        body = ours.raw("ReadVolumes", **read)
        server, url = canned(str(body).replace("'", '"').encode())
        theirs = gateway(url, alice)
        figures: dict[str, list[float]] = {"canned": [], "omisim": []}
        for _ in range(ROUNDS):
            figures["canned"].append(microseconds(lambda: theirs.raw("ReadVolumes", **read)))
            figures["omisim"].append(microseconds(lambda: ours.raw("ReadVolumes", **read)))
        ratio = median(o / c for o, c in zip(figures["omisim"], figures["canned"], strict=True))
        session = requests.Session()
        plain = f"{served.url}/api/v1/ReadVmTypes"
        rate = 1e6 / median(microseconds(lambda: session.post(plain, data=b"{}")) for _ in range(5))
        tracemalloc.start()
        microseconds(lambda: session.post(plain, data=b"{}"), MANY // 2)
        before = tracemalloc.get_traced_memory()[0]
        microseconds(lambda: session.post(plain, data=b"{}"), MANY // 2)
        grown = tracemalloc.get_traced_memory()[0] - before
        server.stop()
    base = median(figures["canned"])
    for name, values in figures.items():
        print(f"an SDK call over HTTP, {name:<8}{median(values):10.1f} us  {median(values) / base:.2f}")
    print(f"omisim over a canned server     {ratio:10.3f}     (limit {LIMIT})")
    print(f"requests a second               {rate:10.0f}")
    moto = moto_rate()
    if moto is None:
        print("moto_server is not installed")
    else:
        print(f"moto_server's                   {moto:10.0f}     omisim over it {rate / moto:.1f}")
    print(f"memory grown over {MANY // 2} requests {grown / 1e6:7.2f} MB")
    return int(ratio > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
