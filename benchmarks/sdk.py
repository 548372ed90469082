"""Measure the overhead of omisim per call of the real SDK, as ratios of one run: `python benchmarks/sdk.py`.

A *canned* adapter answers with fixed bytes, so it measures the SDK and requests alone. The candidates are interleaved,
each figure is a median, and calls are measured in CPU time, so that a busy machine affects all of them alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

from osc_sdk_python import Gateway
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from omisim import Cloud

ROUNDS, CALLS = 15, 200
ADDED_LIMIT = 0.12  # of a canned call with requests' own defaults
GATEWAY_LIMIT = 0.005  # seconds, after the first


class Canned(BaseAdapter):
    """Answers every request with the same bytes."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def send(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> Response:
        """Answer a request."""
        response = Response()
        response.status_code = 200
        response.headers = CaseInsensitiveDict({"Content-Type": "application/json"})
        vars(response).update(_content=self._body, _content_consumed=True)  # as omisim's own adapter
        response.encoding = "utf-8"
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing."""


def measure_microseconds(call: Callable[[], object]) -> float:
    """Return the mean CPU time of a call in microseconds."""
    start = time.process_time()
    for _ in range(CALLS):
        call()
    return (time.process_time() - start) / CALLS * 1e6


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    cloud = Cloud()
    alice = cloud.account("alice")
    volume = alice.create_volume(subregion_name="eu-west-2a", size=10)
    start = time.perf_counter()
    alice.gateway()
    first = time.perf_counter() - start
    gateways = [alice.gateway() for _ in range(3)]
    plain, canned, ours = gateways
    raw: dict[str, bytes] = {}

    def keep_body(response: Response, *_args: Any, **_kwargs: Any) -> None:
        raw["body"] = response.content

    ours.call.session.hooks["response"] = [keep_body]
    read = {"Filters": {"VolumeIds": [volume.volume_id]}}
    ours.ReadVolumes(**read)
    ours.call.session.hooks["response"] = []
    plain.call.session = Session()  # requests' own defaults
    for gateway in (plain, canned):
        gateway.call.session.mount("https://", Canned(raw["body"]))
    figures: dict[str, list[float]] = {"plain": [], "canned": [], "ours": [], "own": []}
    for _ in range(ROUNDS):
        for name, gateway in (("plain", plain), ("canned", canned), ("ours", ours)):
            figures[name].append(measure_microseconds(partial(gateway.ReadVolumes, **read)))
        with alice.environment():
            figures["own"].append(measure_microseconds(partial(Gateway().ReadVolumes, **read)))
    start = time.perf_counter()
    for _ in range(20):
        alice.gateway()
    later = (time.perf_counter() - start) / 20
    cost = {name: median(values) for name, values in figures.items()}
    overhead = median(o - c for o, c in zip(figures["ours"], figures["canned"], strict=True)) / cost["plain"]
    core = median(measure_microseconds(lambda: alice.call("ReadVolumes", **read)) for _ in range(ROUNDS))
    print(f"ReadVolumes of one, canned, requests' defaults  {cost['plain']:8.1f} us  1.00")
    for name, label in (("canned", "canned"), ("ours", "omisim")):
        print(
            f"the gateway's session, {label}                   {cost[name]:8.1f} us  {cost[name] / cost['plain']:.2f}"
        )
    print(f"a Gateway of the code under test, in omi_env    {cost['own']:8.1f} us  {cost['own'] / cost['plain']:.2f}")
    print(f"what omisim adds                                            {overhead:.3f}  (limit {ADDED_LIMIT})")
    print(f"Account.call alone                              {core:8.1f} us  {core / cost['plain']:.2f}")
    print(f"Gateway(): the first {first:.2f} s, then {later * 1e3:.2f} ms  (limit {GATEWAY_LIMIT * 1e3:.0f} ms)")
    return int(overhead > ADDED_LIMIT or later > GATEWAY_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
