"""Measure the latency of a server with many clouds: `python -m benchmarks.clouds`.

32 connections send requests at once, each to a cloud of its own. The 99th percentile is compared with the median: a
cloud must not wait for another. The server is a process of its own.
"""

from __future__ import annotations

import sys
import time
from http.client import HTTPConnection
from statistics import median, quantiles
from threading import Thread

from benchmarks.server import run_server
from omisim.server.client import Client

CLOUDS, CONNECTIONS, REQUESTS = 1000, 32, 100
LIMIT = 10  # of the 99th percentile, over the median
TOKEN = "benchmark"


def send_requests(address: str, cloud: str, seconds: list[float]) -> None:
    """Create volumes in one cloud, and note how long each request takes."""
    line = HTTPConnection(address, timeout=60)
    headers = {"Content-Type": "application/json", "X-Omisim-Cloud": cloud}
    for _ in range(REQUESTS):
        start = time.perf_counter()
        line.request("POST", "/api/v1/CreateVolume", b'{"SubregionName": "eu-west-2a", "Size": 1}', headers)
        answer = line.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()
        seconds.append(time.perf_counter() - start)
    line.close()


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    with run_server("-m", "omisim", "serve", "--port", "0", "--auth", "off", "--token", TOKEN) as url:
        control = Client(url, TOKEN)
        start = time.perf_counter()
        names = [control.post("clouds", name=f"job-{number}")["name"] for number in range(CLOUDS)]
        each = (time.perf_counter() - start) / CLOUDS
        address, seconds = url.removeprefix("http://"), list[float]()
        step = CLOUDS // CONNECTIONS
        threads = [
            Thread(target=send_requests, args=(address, names[number * step], seconds)) for number in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    middle, late = median(seconds), quantiles(seconds, n=100)[98]
    print(f"POST /_omisim/clouds, {CLOUDS} times    {each * 1e3:8.2f} ms each")
    print(f"a request at {CONNECTIONS} connections       {middle * 1e3:8.2f} ms (median)")
    print(f"its 99th percentile over the median {late / middle:6.2f} (limit {LIMIT})")
    return int(late > LIMIT * middle)


if __name__ == "__main__":
    sys.exit(main())
