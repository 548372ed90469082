"""Measure the export and import of an OMI to another Region: `python benchmarks/oos.py`.

An OMI with three volumes of 100 GiB each is exported, and imported in another Region. None of this goes through moto.
The unit of comparison is a PutObject call of boto3, measured in the same run.
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


def measure_seconds(call: Callable[[], object]) -> float:
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

    def make_image(number: int) -> str:
        for volume_id in devices:  # other content each time, so that nothing is cached
            cloud.write(volume_id, "/round", str(number))
        return alice.create_image(vm_id=vm.vm_id, image_name=f"golden-{number}").image_id

    def export_and_import(image_id: str, number: int) -> None:
        target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET, "osu_prefix": str(number)}
        alice.create_image_export_task(image_id=image_id, osu_export=target)
        params = {"Bucket": BUCKET, "Key": f"{number}/{image_id}/manifest.json"}
        url = oos.generate_presigned_url("get_object", Params=params)
        image = carol.create_image(file_location=url, image_name=f"theirs-{number}")
        assert carol.read_images(filters={"image_ids": [image.image_id]})[0].state == "available"

    images = [make_image(number) for number in range(ROUNDS + 1)]
    durations = [measure_seconds(lambda n=n: export_and_import(images[n], n)) for n in range(ROUNDS)]  # type: ignore[misc]
    put = median(measure_seconds(lambda: oos.put_object(Bucket=BUCKET, Key="a", Body=b"x")) for _ in range(ROUNDS))
    tracemalloc.start()
    export_and_import(images[ROUNDS], ROUNDS)
    memory = tracemalloc.get_traced_memory()[1]
    duration = median(durations)
    limits = f"(limit {TIME_LIMIT * 1e3:.0f})", f"(limit {MEMORY_LIMIT / 1e6:.0f})"
    print(f"a PutObject by boto3                    {put * 1e3:8.2f} ms  1.00")
    print(f"export and import of an OMI of 310 GiB  {duration * 1e3:8.2f} ms  {duration / put:.2f}  {limits[0]}")
    print(f"memory at its peak                      {memory / 1e6:8.2f} MB        {limits[1]}")
    return int(duration > TIME_LIMIT or memory > MEMORY_LIMIT)


if __name__ == "__main__":
    sys.exit(main())
