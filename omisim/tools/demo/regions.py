"""The second part: carol imports the OMI in another Region, with its licence, and a snapshot, without it."""

from __future__ import annotations

from typing import Any

from omisim.tools.demo.pipeline import launch
from omisim.tools.demo.story import Actor, Story

__all__ = ["export_and_import", "show_expired_url"]

BUCKET = "golden-images"
WEEK = 7 * 24 * 3600  # seconds: as long as a pre-signed URL can be valid


def export_and_import(story: Story, alice: Actor, carol: Actor, golden: dict[str, Any]) -> str:
    """Export the OMI and one of its snapshots; carol imports both. Returns the URL of the manifest."""
    oos = alice.account.client("oos")
    oos.create_bucket(Bucket=BUCKET)
    story.add_observation(
        "alice",
        f"creates the bucket {BUCKET} with boto3",
        "omisim also serves object storage, at oos.eu-west-2.outscale.com",
    )
    codes = ", ".join(golden["ProductCodes"])
    alice.call(
        "CreateImageExportTask",
        f"an export is the only way to another Region; the licences {codes} must allow it",
        lambda answer: f"{answer['ImageExportTask']['TaskId']} {answer['ImageExportTask']['State']}",
        ImageId=golden["ImageId"],
        OsuExport={"DiskImageFormat": "qcow2", "OsuBucket": BUCKET, "OsuPrefix": "export"},
    )
    task = alice.poll("ReadImageExportTasks", "ImageExportTasks", "completed", ImageIds=[golden["ImageId"]])
    keys = [item["Key"] for item in oos.list_objects_v2(Bucket=BUCKET)["Contents"]]
    story.add_observation("alice", f"finds {len(keys)} objects in the bucket", "one image per disk, and the manifest")
    key = task["OsuExport"]["OsuManifestUrl"].partition(f"/{BUCKET}/")[2]
    url: str = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=WEEK)
    story.add_observation(
        "alice",
        "signs a URL of the manifest and sends it to carol",
        "it is valid for a week, and carol needs nothing else",
    )
    _import_image(story, carol, url)
    snapshot = _export_snapshot(story, alice, golden)
    _import_snapshot(story, carol, *snapshot)
    return url


def _import_image(story: Story, carol: Actor, url: str) -> None:
    image = carol.call(
        "CreateImage",
        f"carol imports the OMI in {carol.account.region}",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['State']}",
        FileLocation=url,
        ImageName="golden-import",
    )["Image"]
    imported = carol.poll("ReadImages", "Images", "available", ImageIds=[image["ImageId"]])
    story.add_observation(
        "carol",
        f"sees the licences {', '.join(imported['ProductCodes'])}",
        "an OMI keeps its licences in an export and import",
    )
    comment = "the files have survived the export as qcow2 and the import"
    launch(story, carol, image["ImageId"], "carol launches a VM from it", comment)


def _export_snapshot(story: Story, alice: Actor, golden: dict[str, Any]) -> tuple[str, int]:
    """Export the root's snapshot alone; return a URL of it, and its size in bytes."""
    bsu = golden["BlockDeviceMappings"][0]["Bsu"]
    alice.call(
        "CreateSnapshotExportTask",
        "now alice exports only the snapshot of the root volume",
        lambda answer: f"{answer['SnapshotExportTask']['TaskId']} {answer['SnapshotExportTask']['State']}",
        SnapshotId=bsu["SnapshotId"],
        OsuExport={"DiskImageFormat": "qcow2", "OsuBucket": BUCKET, "OsuPrefix": "root-"},
    )
    story.add_observation("omisim", "warns", story.cloud.warnings[-1])
    alice.poll("ReadSnapshotExportTasks", "SnapshotExportTasks", "completed", SnapshotIds=[bsu["SnapshotId"]])
    oos = alice.account.client("oos")
    key = oos.list_objects_v2(Bucket=BUCKET, Prefix="root-")["Contents"][0]["Key"]
    url = oos.generate_presigned_url("get_object", Params={"Bucket": BUCKET, "Key": key}, ExpiresIn=WEEK)
    return url, bsu["VolumeSize"] * 2**30


def _import_snapshot(story: Story, carol: Actor, url: str, size: int) -> None:
    snapshot = carol.call(
        "CreateSnapshot",
        "carol imports the snapshot; its size is in bytes",
        lambda answer: f"{answer['Snapshot']['SnapshotId']} {answer['Snapshot']['State']}",
        FileLocation=url,
        SnapshotSize=size,
    )["Snapshot"]
    carol.poll("ReadSnapshots", "Snapshots", "completed", SnapshotIds=[snapshot["SnapshotId"]])
    image = carol.call(
        "CreateImage",
        "an OMI from this snapshot has only the Linux licence",
        lambda answer: f"{answer['Image']['ImageId']} ProductCodes {', '.join(answer['Image']['ProductCodes'])}",
        ImageName="from-a-snapshot",
        RootDeviceName="/dev/sda1",
        BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": snapshot["SnapshotId"]}}],
    )["Image"]
    if image["ProductCodes"] != ["0001"]:
        raise AssertionError(f"the snapshot kept its licence: {image['ProductCodes']}")
    story.add_observation("omisim", "warns", story.cloud.warnings[-1])


def show_expired_url(story: Story, carol: Actor, url: str) -> None:
    """Show that the URL has expired after a week."""
    story.cloud.advance(WEEK)
    story.add_observation("omisim", "seven virtual days pass", "pre-signed URLs expire by the cloud's clock")
    carol.expect_refusal("CreateImage", "carol's second import comes too late", FileLocation=url, ImageName="again")
