"""The background work of export tasks: check access to the bucket, then upload the objects."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import Any

from omisim.base.frozen import replace
from omisim.formats.disk_image import GIB, VIRTUAL_SIZE, encode
from omisim.formats.manifest import Manifest, ManifestDisk, write_manifest
from omisim.model import (
    AccessKey,
    AccountRow,
    BlockDeviceMappingImage,
    Content,
    ImageExportTask,
    Origin,
    Snapshot,
    SnapshotExportTask,
)
from omisim.state.buckets import Place, StorageError, check_key, get_bucket, is_allowed, make_object_url, store_object
from omisim.state.lineage import get_product_codes
from omisim.state.state import State
from omisim.state.storage_signatures import find_active_key, presign
from omisim.state.transaction import Transaction

__all__ = ["find_running_exports", "find_upload_error", "upload_image", "upload_snapshot"]

MANIFEST = "manifest.json"
Task = ImageExportTask | SnapshotExportTask


def find_upload_error(tx: Transaction, task: Task) -> str:
    """Return the reason why object storage refuses the upload, or "" (EXP-008, EXP-009, OOS-008)."""
    bucket_name = task.osu_export.osu_bucket
    try:
        _check_upload(tx, task)
    except StorageError as error:
        return f"An error occurred while accessing the bucket {bucket_name}: {error.status} {error.code}"
    return ""


def _check_upload(tx: Transaction, task: Task) -> None:
    """Raise StorageError as a request that uploads the objects would be refused."""
    place = Place(_get_region(tx, task), task.osu_export.osu_bucket, "")
    key = _find_key(tx, task)
    if key is None:
        raise StorageError("InvalidAccessKeyId", "the task has no active access key")
    bucket = get_bucket(tx.state, place)
    account: AccountRow = tx.state.get("account", key.account_id)
    if not is_allowed(bucket, bucket, account, "WRITE"):
        raise StorageError("AccessDenied", f"{place.bucket} is not writable")
    for key_name in _list_keys(task):
        check_key(key_name)


def _get_region(tx: Transaction, task: Task) -> str:
    account: AccountRow = tx.state.get("account", task.account_id)
    return account.region


def _find_key(tx: Transaction, task: Task) -> AccessKey | None:
    """Return the access key for the upload: the given one if it is valid, else the caller's first active key."""
    region = _get_region(tx, task)
    if task.api_key is not None:
        key = find_active_key(tx.state, task.api_key.api_key_id or "", region, tx.at)
        secret_key = (task.api_key.secret_key or "").encode(errors="replace")
        return key if key is not None and hmac.compare_digest(key.secret_key.encode(), secret_key) else None
    own = tx.state.find_by("access_key", "account_id", task.account_id)
    return next((key for row in own if (key := find_active_key(tx.state, row.access_key_id, region, tx.at))), None)


def _list_keys(task: Task) -> list[str]:
    """Return the keys of the objects that a task writes."""
    if isinstance(task, SnapshotExportTask):
        return [_make_disk_key(task, task.snapshot_id)]
    mappings = task.source.block_device_mappings if task.source else ()
    disks = [_make_disk_key(task, _get_disk_name(mapping)) for mapping in mappings if mapping.bsu]
    return [*disks, f"{_get_prefix(task)}{MANIFEST}"]


def _make_disk_key(task: Task, name: str) -> str:
    return f"{_get_prefix(task)}{name}-{task.task_id[-8:]}.{task.osu_export.disk_image_format}.gz"


def _get_disk_name(mapping: BlockDeviceMappingImage) -> str:
    assert mapping.bsu is not None
    assert mapping.device_name is not None
    return mapping.bsu.snapshot_id or mapping.device_name.rpartition("/")[2]


def _get_prefix(task: Task) -> str:
    """Return the prefix of the keys. That of a snapshot is the given one, unchanged (EXP-010, EXP-045)."""
    return task.osu_export.osu_prefix or (f"{task.image_id}/" if isinstance(task, ImageExportTask) else "")


def upload_image(tx: Transaction, task: ImageExportTask, _comment: str) -> Mapping[str, Any]:
    """Upload a disk image of each snapshot of the OMI, then the manifest (EXP-013, IMP-008).

    Returns the values of the completed task. The URLs in the manifest are valid for a week.
    """
    image, key = task.source, _find_key(tx, task)
    assert image is not None
    assert key is not None
    disks = [_upload_disk(tx, task, key, mapping) for mapping in image.block_device_mappings if mapping.bsu]
    manifest = Manifest(
        product_types=image.product_codes,
        disks=tuple(disks),
        name=image.image_name,
        description=image.description,
        architecture=image.architecture,
        public=image.permissions_to_launch.global_permission,
    )
    place = Place(_get_region(tx, task), task.osu_export.osu_bucket, f"{_get_prefix(task)}{MANIFEST}")
    store_object(tx, place, write_manifest(manifest), "application/json", key.account_id, {})
    _record_origin(tx, place, task, image.product_codes)
    return {"osu_export": replace(task.osu_export, osu_manifest_url=make_object_url(place)), "progress": 100}


def _upload_disk(
    tx: Transaction, task: ImageExportTask, key: AccessKey, mapping: BlockDeviceMappingImage
) -> ManifestDisk:
    bsu = mapping.bsu
    assert bsu is not None
    assert mapping.device_name is not None
    size = bsu.volume_size or 1
    snapshot: Snapshot | None = tx.state.get("snapshot", bsu.snapshot_id or "")
    image_size = snapshot.volume_size if snapshot else size  # larger devices may have the snapshot, and share its image
    place = _put_disk(tx, task, key, _make_disk_key(task, _get_disk_name(mapping)), image_size, bsu.snapshot_id)
    _record_origin(tx, place, task, task.source.product_codes if task.source else ())
    return ManifestDisk(
        device=mapping.device_name,
        url=presign(place, key, tx.at),
        size=size * GIB,
        filename=place.key,
        volume_type=bsu.volume_type or "standard",
        iops=bsu.iops if bsu.volume_type == "io1" else None,
        delete_on_termination=bsu.delete_on_vm_deletion is not False,
    )


def upload_snapshot(tx: Transaction, task: SnapshotExportTask, _comment: str) -> Mapping[str, Any]:
    """Upload the disk image of the snapshot. Returns the values of the completed task."""
    key = _find_key(tx, task)
    assert key is not None
    place = _put_disk(tx, task, key, _make_disk_key(task, task.snapshot_id), task.size, task.snapshot_id)
    _record_origin(tx, place, task, get_product_codes(tx.state, task.snapshot_id))
    return {"progress": 100}


def _put_disk(tx: Transaction, task: Task, key: AccessKey, name: str, size: int, snapshot_id: str | None) -> Place:
    form = task.osu_export.disk_image_format
    content: Content = tx.state.get("content", snapshot_id or "") or Content()
    place = Place(_get_region(tx, task), task.osu_export.osu_bucket, name)
    size_of = {VIRTUAL_SIZE: str(size * GIB)}
    store_object(tx, place, encode(content, size, form), "application/gzip", key.account_id, size_of)
    return place


def _record_origin(tx: Transaction, place: Place, task: Task, codes: tuple[str, ...]) -> None:
    parents = (("written by", task.task_id),)
    tx.write("origin", place.object_id, Origin("object", task.account_id, "", parents, codes))


def find_running_exports(state: State, snapshot_id: str) -> list[Task]:
    """Return the unfinished tasks of any account that export a snapshot, which block its deletion (EXP-017)."""
    kinds = ("image_export", "snapshot_export")
    return [task for kind in kinds for task in state.find_by(kind, "snapshot", snapshot_id)]
