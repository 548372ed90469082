"""Measure EC2 calls of boto3 against omisim, as ratios of one run: `python benchmarks/fcu.py`.

The *null hook* answers each call with the bytes of omisim's own answer, so it measures boto3 alone. moto answers the
same calls in the same process. The three are interleaved in short rounds, in time of the processor; a figure is the
median of the ratios of the fastest quarter of the rounds, which other processes disturb least. A client of omisim has
settings that spare it a quarter of boto3's own time (`omisim/clients/boto.py`), so a ratio may be below 1.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from itertools import count
from statistics import median
from typing import Any

import boto3
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws

from omisim import Cloud

ROUNDS = 40
# call → limit over the null hook (0: none), limit of moto's time over omisim's, calls per round
LIMITS: Mapping[str, tuple[float, float, int]] = {
    "DescribeVolumes by id": (1.15, 3.5, 8),
    "CreateVolume": (1.3, 3.5, 8),
    "CreateImage": (2.1, 3.5, 8),
    "RunInstances": (0, 6.0, 4),
    "DescribeImages of 1,000": (1.2, 3.5, 1),
}
FIRST_LIMIT = 0.060  # seconds beyond botocore's loading of its model
FIRST = """
import time
from omisim import Cloud
client = Cloud().account("alice").client("fcu")
start = time.process_time()
client.describe_volumes()
print(time.process_time() - start)
"""


class NullHook:
    """A client that answers every call with the bytes of the last answer to another client."""

    def __init__(self, client: Any, other: Any) -> None:
        self.client = client
        self._body = b""
        client.meta.events.register_first("before-send.ec2", self._answer)
        other.meta.events.register("before-parse.ec2", self._keep)

    def _answer(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        headers = {"Content-Type": "text/xml;charset=UTF-8"}
        raw = urllib3.HTTPResponse(BytesIO(self._body), headers, preload_content=False, request_method="POST")
        return AWSResponse(request.url, 200, headers, raw)

    def _keep(self, response_dict: Mapping[str, Any], **_event: Any) -> None:
        self._body = response_dict["body"]


def measure_seconds(call: Callable[[], object], times: int) -> float:
    """Return the mean duration of a call in seconds. The collector of garbage begins each measurement alike."""
    gc.collect()
    start = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - start) / times


def make_calls(client: Any, zone: str, image_id: str) -> dict[str, Callable[[], Any]]:
    """Return the measured calls of a client."""
    names, volume = count(), client.create_volume(AvailabilityZone=zone, Size=10)["VolumeId"]
    vm = client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    return {
        "DescribeVolumes by id": lambda: client.describe_volumes(VolumeIds=[volume]),
        "CreateVolume": lambda: client.create_volume(AvailabilityZone=zone, Size=10),
        "CreateImage": lambda: client.create_image(InstanceId=vm, Name=f"golden-{next(names)}", NoReboot=True),
        "RunInstances": lambda: client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1),
        "DescribeImages of 1,000": lambda: client.describe_images(Owners=["self"]),
    }


def add_images(client: Any, vm: str, number: int) -> None:
    """Fill an account with images."""
    for index in range(number):
        client.create_image(InstanceId=vm, Name=f"image-{index}", NoReboot=True)


def measure_first_call() -> float:
    """Return the duration of the first FCU call of a process, whose client has loaded botocore's model."""
    runs = [subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True, check=True) for _ in range(5)]
    return min(float(run.stdout) for run in runs)


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    failed = 0
    cloud = Cloud()
    alice = cloud.account("alice")
    ours = alice.client("fcu")
    keys = {"aws_access_key_id": "A", "aws_secret_access_key": "B"}
    with mock_aws():
        null = boto3.client("ec2", "eu-west-2", endpoint_url="https://fcu.eu-west-2.outscale.com", **keys)
        hook = NullHook(null, ours)
        moto = boto3.client("ec2", "eu-west-1", **keys)
        ami = moto.describe_images()["Images"][0]["ImageId"]
        calls = make_calls(ours, "eu-west-2a", cloud.images.official("ubuntu").image_id)
        canned = make_calls_like(calls, hook.client)
        theirs = make_calls(moto, "eu-west-1a", ami)
        vm = ours.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
        add_images(ours, vm, 1000)
        add_images(moto, moto.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"], 1000)
        gc.collect()
        gc.freeze()  # the collections within the rounds then pass over it
        for name, (null_limit, moto_limit, times) in LIMITS.items():
            rounds = []
            for _ in range(ROUNDS if times > 1 else ROUNDS // 4):
                calls[name]()  # its answer is the one that the null hook repeats
                base, own = (measure_seconds(side[name], times) for side in (canned, calls))
                rounds.append((base, own, measure_seconds(theirs[name], max(times // 4, 1))))
            fastest = sorted(rounds, key=sum)[: max(len(rounds) // 4, 3)]
            own = median(own for _, own, _ in fastest)
            ratio = median(own / base for base, own, _ in fastest)
            faster = median(other / own for _, own, other in fastest)
            limit = f"(limit {null_limit})" if null_limit else ""
            print(
                f"{name:24} {own * 1e6:9.0f} us  {ratio:5.2f} of the null hook {limit:12}"
                f"  {faster:5.1f}x as fast as moto (at least {moto_limit})"
            )
            failed += bool(null_limit and ratio > null_limit) + (faster < moto_limit)
    first = measure_first_call()
    limit = f"(limit {FIRST_LIMIT * 1e3:.0f})"
    print(f"the first FCU call of a process, after botocore's model  {first * 1e3:.0f} ms  {limit}")
    return int(failed > 0 or first > FIRST_LIMIT)


def make_calls_like(calls: Mapping[str, Callable[[], Any]], client: Any) -> dict[str, Callable[[], Any]]:
    """Return the same calls of the client with the null hook."""
    calls_by_name: dict[str, tuple[str, dict[str, Any]]] = {
        "DescribeVolumes by id": ("describe_volumes", {"VolumeIds": ["vol-12345678"]}),
        "CreateVolume": ("create_volume", {"AvailabilityZone": "eu-west-2a", "Size": 10}),
        "CreateImage": ("create_image", {"InstanceId": "i-12345678", "Name": "golden-1", "NoReboot": True}),
        "RunInstances": ("run_instances", {"ImageId": "ami-12345678", "MinCount": 1, "MaxCount": 1}),
        "DescribeImages of 1,000": ("describe_images", {"Owners": ["self"]}),
    }
    return {name: partial(getattr(client, calls_by_name[name][0]), **calls_by_name[name][1]) for name in calls}


if __name__ == "__main__":
    sys.exit(main())
