"""Measure the export and import of an OMI to another Region: `python benchmarks/oos.py`.

An OMI with three volumes of 100 GiB each is exported, and imported in another Region. Nothing of it goes through moto:
what its users pay for is two calls of boto3, measured in the same run to compare with.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median

from omisim import Cloud

ROUNDS = 20
BUCKET = "exports"
TIME_LIMIT, MEMORY_LIMIT = 0.050, 20e6  # seconds, bytes


def seconds(call: Callable[[], object]) -> float:
    """Return the duration of a call in seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> int:
    """Print the figures; return 1 if one exceeds its limit."""
    cloud = Cloud()
    alice, carol = cloud.account("alice"), cloud.account("carol", region="us-east-2")
    oos = alice.client("oos")
    oos.create_bucket(Bucket=BUCKET)
    vm = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0]
    devices = []
    for letter in "bcd":
        volume = alice.create_volume(subregion_name="eu-west-2a", size=100)
        devices.append(volume.volume_id)
        alice.link_volume(device_name=f"/dev/xvd{letter}", vm_id=vm.vm_id, volume_id=volume.volume_id)

    def make(number: int) -> str:
        for volume_id in devices:  # other content each time: nothing is built already
            cloud.write(volume_id, "/round", str(number))
        return alice.create_image(vm_id=vm.vm_id, image_name=f"golden-{number}").image_id

    def road(image_id: str, number: int) -> None:
        target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET, "osu_prefix": str(number)}
        alice.create_image_export_task(image_id=image_id, osu_export=target)
        params = {"Bucket": BUCKET, "Key": f"{number}/{image_id}/manifest.json"}
        url = oos.generate_presigned_url("get_object", Params=params)
        theirs = carol.create_image(file_location=url, image_name=f"theirs-{number}")
        assert carol.read_images(filters={"image_ids": [theirs.image_id]})[0].state == "available"

    images = [make(number) for number in range(ROUNDS + 1)]
    taken = [seconds(lambda n=n: road(images[n], n)) for n in range(ROUNDS)]  # type: ignore[misc]
    put = median(seconds(lambda: oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")) for _ in range(ROUNDS))
    tracemalloc.start()
    road(images[ROUNDS], ROUNDS)
    memory = tracemalloc.get_traced_memory()[1]
    both = median(taken)
    limits = f"(limit {TIME_LIMIT * 1e3:.0f})", f"(limit {MEMORY_LIMIT / 1e6:.0f})"
    print(f"a PutObject by boto3                    {put * 1e3:8.2f} ms  1.00")
    print(f"export and import of an OMI of 310 GiB  {both * 1e3:8.2f} ms  {both / put:.2f}  {limits[0]}")
    print(f"memory at its peak                      {memory / 1e6:8.2f} MB        {limits[1]}")
    return int(both > TIME_LIMIT or memory > MEMORY_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
