"""The second part: carol, in another Region, gets the OMI through object storage; its licence travels, or does not."""

from __future__ import annotations

from typing import Any

from omisim.tools.demo.pipeline import launch
from omisim.tools.demo.story import Actor, Story

__all__ = ["across_regions", "too_late"]

BUCKET = "golden-images"
WEEK = 7 * 24 * 3600  # seconds: as long as a pre-signed URL can be valid


def across_regions(story: Story, alice: Actor, carol: Actor, golden: dict[str, Any]) -> str:
    """Export the OMI and one of its snapshots; carol imports both. Returns the URL of the manifest."""
    oos = alice.account.client("oos")
    oos.create_bucket(Bucket=BUCKET)
    story.saw(
        "alice", f"makes the bucket {BUCKET} with boto3", "object storage is served too, at oos.eu-west-2.outscale.com"
    )
    codes = ", ".join(golden["ProductCodes"])
    alice.does(
        "CreateImageExportTask",
        f"the only way to another Region; the licences {codes} have to allow it",
        lambda answer: f"{answer['ImageExportTask']['TaskId']} {answer['ImageExportTask']['State']}",
        ImageId=golden["ImageId"],
        OsuExport={"DiskImageFormat": "qcow2", "OsuBucket": BUCKET, "OsuPrefix": "export"},
    )
    task = alice.polls("ReadImageExportTasks", "ImageExportTasks", "completed", ImageIds=[golden["ImageId"]])
    keys = [item["Key"] for item in oos.list_objects_v2(Bucket=BUCKET)["Contents"]]
    story.saw("alice", f"finds {len(keys)} objects in the bucket", "an image of each disk, and the manifest")
    key = task["OsuExport"]["OsuManifestUrl"].partition(f"/{BUCKET}/")[2]
    url: str = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=WEEK)
    story.saw(
        "alice", "signs a URL of the manifest and sends it to carol", "valid for a week, and all that carol needs"
    )
    _import_image(story, carol, url)
    snapshot = _export_snapshot(story, alice, golden)
    _import_snapshot(story, carol, *snapshot)
    return url


def _import_image(story: Story, carol: Actor, url: str) -> None:
    image = carol.does(
        "CreateImage",
        f"carol imports it, in {carol.account.region}",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['State']}",
        FileLocation=url,
        ImageName="golden-import",
    )["Image"]
    imported = carol.polls("ReadImages", "Images", "available", ImageIds=[image["ImageId"]])
    story.saw("carol", f"sees the licences {', '.join(imported['ProductCodes'])}", "they have travelled with the OMI")
    found = "the same files, through a qcow2 image in a bucket"
    launch(story, carol, image["ImageId"], "a VM from it, in the other Region", found)


def _export_snapshot(story: Story, alice: Actor, golden: dict[str, Any]) -> tuple[str, int]:
    """Export the root's snapshot alone; return a URL of it, and its size in bytes."""
    bsu = golden["BlockDeviceMappings"][0]["Bsu"]
    alice.does(
        "CreateSnapshotExportTask",
        "now the snapshot of the root alone",
        lambda answer: f"{answer['SnapshotExportTask']['TaskId']} {answer['SnapshotExportTask']['State']}",
        SnapshotId=bsu["SnapshotId"],
        OsuExport={"DiskImageFormat": "qcow2", "OsuBucket": BUCKET, "OsuPrefix": "root-"},
    )
    story.saw("omisim", "warns", story.cloud.warnings[-1])
    alice.polls("ReadSnapshotExportTasks", "SnapshotExportTasks", "completed", SnapshotIds=[bsu["SnapshotId"]])
    oos = alice.account.client("oos")
    key = oos.list_objects_v2(Bucket=BUCKET, Prefix="root-")["Contents"][0]["Key"]
    url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=WEEK)
    return url, bsu["VolumeSize"] * 2**30


def _import_snapshot(story: Story, carol: Actor, url: str, size: int) -> None:
    snapshot = carol.does(
        "CreateSnapshot",
        "carol imports the snapshot; its size is in bytes",
        lambda answer: f"{answer['Snapshot']['SnapshotId']} {answer['Snapshot']['State']}",
        FileLocation=url,
        SnapshotSize=size,
    )["Snapshot"]
    carol.polls("ReadSnapshots", "Snapshots", "completed", SnapshotIds=[snapshot["SnapshotId"]])
    image = carol.does(
        "CreateImage",
        "an OMI of it is plain Linux: the licence is gone",
        lambda answer: f"{answer['Image']['ImageId']} ProductCodes {', '.join(answer['Image']['ProductCodes'])}",
        ImageName="from-a-snapshot",
        RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": snapshot["SnapshotId"]}}],
    )["Image"]
    if image["ProductCodes"] != ["0001"]:
        raise AssertionError(f"the snapshot kept its licence: {image['ProductCodes']}")
    story.saw("omisim", "warns", story.cloud.warnings[-1])


def too_late(story: Story, carol: Actor, url: str) -> None:
    """Show that the URL has expired after a week."""
    story.cloud.advance(WEEK)
    story.saw("omisim", "seven days pass, in no time", "pre-signed URLs expire by the cloud's clock")
    carol.is_refused("CreateImage", "carol is too late", FileLocation=url, ImageName="again")
