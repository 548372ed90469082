"""Object storage for tests: a bucket, exports into it, and URLs of its objects."""

from __future__ import annotations

import json
from typing import Any

from omisim import Account, Cloud
from omisim.model import Image, ImageExportTask

__all__ = ["BUCKET", "TARGET", "export_disk", "export_image", "export_manifest", "presign_url", "put_manifest"]

BUCKET = "exports"
TARGET = {"DiskImageFormat": "qcow2", "OsuBucket": BUCKET}


def create_bucket(account: Account, name: str = BUCKET) -> Any:
    """Create a bucket of the account and return the S3 client."""
    client = account.client("oos")
    client.create_bucket(Bucket=name)
    return client


def export_image(account: Account, image: Image, **more: Any) -> ImageExportTask:
    """Export an OMI to the account's bucket; return the finished task (timing is eager)."""
    target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET, **more}
    task = account.create_image_export_task(image_id=image.image_id, osu_export=target)
    return account.read_image_export_tasks(filters={"task_ids": [task.task_id]})[0]


def presign_url(account: Account, key: str, seconds: int = 604_800) -> str:
    """Return a URL that reads an object of the account's bucket."""
    params = {"Bucket": BUCKET, "Key": key}
    url: str = account.client("oos").generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)
    return url


def export_manifest(account: Account, image: Image) -> str:
    """Export an OMI; return a URL of its manifest."""
    export_image(account, image)
    return presign_url(account, f"{image.image_id}/manifest.json")


def export_disk(account: Account) -> str:
    """Export a snapshot of a new volume of 1 GiB; return a URL of the file."""
    volume = account.create_volume(subregion_name=f"{account.region}a", size=1)
    snapshot = account.create_snapshot(volume_id=volume.volume_id)
    target = {"disk_image_format": "qcow2", "osu_bucket": BUCKET}
    account.create_snapshot_export_task(snapshot_id=snapshot.snapshot_id, osu_export=target)
    return presign_url(account, list_object_keys(account.cloud)[-1])


def put_manifest(account: Account, manifest: Any) -> str:
    """Store a manifest, text or JSON data, and return its URL."""
    text = manifest if isinstance(manifest, str | bytes) else json.dumps(manifest)
    account.client("oos").put_object(Bucket=BUCKET, Key="by-hand.json", Body=text)
    return presign_url(account, "by-hand.json")


def list_object_keys(cloud: Cloud) -> list[str]:
    """Return the keys of all objects of the cloud."""
    return [row.name for row in cloud.engine.state.rows("object").values()]
