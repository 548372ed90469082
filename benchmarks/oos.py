"""The export of an OMI with three volumes of 100 GiB, and its import in another Region; a PutObject beside it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from itertools import count

from benchmarks.goal import Goal, Limit, calibrated, cpu, over, single, work
from omisim import Cloud

BUCKET = "exports"


def goals() -> Iterator[Goal]:
    """Yield the goals of object storage."""
    cloud = Cloud()
    alice, carol = cloud.account("alice"), cloud.account("carol", region="us-east-2")
    oos = alice.client("oos")
    oos.create_bucket(Bucket=BUCKET)
    vm = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0]
    numbers, devices = count(), []
    for letter in "bcd":
        volume = alice.create_volume(subregion_name="eu-west-2a", size=100)
        devices.append(volume.volume_id)
        alice.link_volume(device_name=f"/dev/xvd{letter}", vm_id=vm.vm_id, volume_id=volume.volume_id)

    def export_and_import() -> None:
        number = next(numbers)
        for volume_id in devices:  # other content each time, so that nothing is cached
            cloud.write(volume_id, "/round", str(number))
        image_id = alice.create_image(vm_id=vm.vm_id, image_name=f"golden-{number}").image_id
        target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET, "osu_prefix": str(number)}
        alice.create_image_export_task(image_id=image_id, osu_export=target)
        params = {"Bucket": BUCKET, "Key": f"{number}/{image_id}/manifest.json"}
        url = oos.generate_presigned_url("get_object", Params=params)
        image = carol.create_image(file_location=url, image_name=f"theirs-{number}")
        assert carol.read_images(filters={"image_ids": [image.image_id]})[0].state == "available"

    def measure_memory() -> float:
        tracemalloc.start()
        export_and_import()
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return memory

    put = cpu(lambda: oos.put_object(Bucket=BUCKET, Key="a", Body=b"x"), 5)
    sides = {"omisim": cpu(export_and_import), "put": put, "workload": cpu(work)}
    limits = (Limit("ms", calibrated("omisim", 1e3), 50), Limit("over a PutObject", over("omisim", "put"), 20))
    yield Goal("export and import of 310 GiB", sides, limits)
    peak = Limit("MB at its peak", single(scale=1e-6), 20)
    yield Goal("export and import of 310 GiB, memory", {"omisim": measure_memory}, (peak,), rounds=3)
