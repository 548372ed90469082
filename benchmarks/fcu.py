"""EC2 calls of boto3 against omisim, beside a *null hook* that answers with fixed bytes, and beside moto.

moto answers the same calls in the same process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from io import BytesIO
from itertools import count
from typing import Any

import boto3
import urllib3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from moto import mock_aws
from moto.core.models import botocore_stubber

from benchmarks.goal import Goal, Limit, calibrated, cpu, over, work
from benchmarks.processes import printed
from omisim import Cloud

IMAGES = 1000
# call → limit over the null hook, the least of moto's time over omisim's, calls per round: so many in a row that the
# processor's caches hold this side, not the one before it. What creates images comes after what lists them.
LIMITS: Mapping[str, tuple[float, float, int]] = {
    "DescribeVolumes by id": (1.15, 3.5, 40),
    "DescribeImages of 1,000": (1.2, 3.5, 1),
    "CreateVolume": (1.3, 3.5, 40),
    "CreateImage": (2.1, 3.5, 40),
    "RunInstances": (2.0, 6.0, 10),
}
FIRST = """
import time
from omisim import Cloud
client = Cloud().account("alice").client("fcu")
start = time.process_time()
client.describe_volumes()
print(time.process_time() - start)
"""
KEYS = {"aws_access_key_id": "A", "aws_secret_access_key": "B"}


class NullHook:
    """A client that answers every call with the bytes of the last answer to another client."""

    def __init__(self, client: Any, other: Any) -> None:
        self._body = b""
        client.meta.events.unregister("before-send", botocore_stubber)  # omisim's client has none of moto's either
        client.meta.events.register_first("before-send.ec2", self._answer)
        other.meta.events.register("before-parse.ec2", self._keep)

    def _answer(self, request: AWSPreparedRequest, **_event: Any) -> AWSResponse:
        headers = {"Content-Type": "text/xml;charset=UTF-8"}
        raw = urllib3.HTTPResponse(BytesIO(self._body), headers, preload_content=False, request_method="POST")
        return AWSResponse(request.url, 200, headers, raw)

    def _keep(self, response_dict: Mapping[str, Any], **_event: Any) -> None:
        self._body = response_dict["body"]


def make_calls(client: Any, zone: str, image_id: str, volume: str, vm: str) -> dict[str, Callable[[], Any]]:
    """Return the measured calls of a client."""
    names = count()
    return {
        "DescribeVolumes by id": partial(client.describe_volumes, VolumeIds=[volume]),
        "CreateVolume": partial(client.create_volume, AvailabilityZone=zone, Size=10),
        "CreateImage": lambda: client.create_image(InstanceId=vm, Name=f"golden-{next(names)}", NoReboot=True),
        "RunInstances": partial(client.run_instances, ImageId=image_id, MinCount=1, MaxCount=1),
        "DescribeImages of 1,000": partial(client.describe_images, Owners=["self"]),
    }


def populate(client: Any, zone: str, image_id: str) -> tuple[str, str]:
    """Create 1,000 images; return the ids of a volume and of a VM."""
    volume = client.create_volume(AvailabilityZone=zone, Size=10)["VolumeId"]
    vm = client.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
    for number in range(IMAGES):
        client.create_image(InstanceId=vm, Name=f"image-{number}", NoReboot=True)
    return volume, vm


def goals() -> Iterator[Goal]:
    """Yield the goals of boto3."""
    cloud = Cloud()
    ours = cloud.account("alice").client("fcu")
    with mock_aws():
        null = boto3.client("ec2", "eu-west-2", endpoint_url="https://fcu.eu-west-2.outscale.com", **KEYS)
        NullHook(null, ours)
        moto = boto3.client("ec2", "eu-west-1", **KEYS)
        image = cloud.images.official("ubuntu").image_id
        volume, vm = populate(ours, "eu-west-2a", image)
        calls, canned = (make_calls(client, "eu-west-2a", image, volume, vm) for client in (ours, null))
        image = moto.describe_images()["Images"][0]["ImageId"]
        peers = make_calls(moto, "eu-west-1a", image, *populate(moto, "eu-west-1a", image))
        for name, (null_limit, moto_limit, times) in LIMITS.items():
            # omisim first: the null hook repeats its answer
            sides = {"omisim": calls[name], "null": canned[name], "moto": peers[name]}
            limits = (
                Limit("over canned bytes", over("omisim", "null"), null_limit),
                Limit("moto over omisim", over("moto", "omisim"), moto_limit, least=True),
            )
            yield Goal(name, {side: cpu(call, times) for side, call in sides.items()}, limits)
    first = {"omisim": printed(FIRST), "workload": cpu(work, 5)}
    yield Goal("the first call of a process", first, (Limit("ms", calibrated("omisim", 1e3), 60),), rounds=5)
