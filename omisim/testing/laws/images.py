"""Laws about OMIs, snapshots and exports."""

from __future__ import annotations

from omisim.engine.engine import Engine
from omisim.model import (
    ENDED_EXPORT_STATES,
    ExportState,
    Image,
    ImageExportTask,
    ImageState,
    Snapshot,
    SnapshotExportTask,
    SnapshotState,
)
from omisim.state.image_names import find_images_by_name
from omisim.state.licences import find_licences
from omisim.state.state import Change
from omisim.testing.laws.table import Step, law, on_creation

__all__ = ["MAX_SIZE", "ROOT"]

ROOT = "/dev/sda1"
MIN_NAME, MAX_NAME, MAX_SIZE = 3, 128, 14_901  # characters, characters, GiB


@law("SNP-016", "image")
def snapshots_of_an_omi_exist(engine: Engine, image: Image) -> str | None:
    """Every snapshot that an OMI maps exists and is not being deleted."""
    for snapshot_id in image.snapshot_ids:
        snapshot: Snapshot | None = engine.state.get("snapshot", snapshot_id)
        if snapshot is None or snapshot.state is SnapshotState.DELETING:
            return f"{image.image_id} maps {snapshot_id}, which is {'gone' if snapshot is None else 'being deleted'}"
    return None


@law("ST-OMI-5", "image")
def an_omi_state_follows_its_snapshots(engine: Engine, image: Image) -> str | None:
    """An available OMI has only completed snapshots; a pending OMI has an incomplete one and no failed one."""
    states = [row.state for i in image.snapshot_ids if (row := engine.state.get("snapshot", i)) is not None]
    if image.state is ImageState.FAILED:
        return None
    is_complete = all(state is SnapshotState.COMPLETED for state in states)
    if is_complete != (image.state is ImageState.AVAILABLE):
        return f"{image.image_id} is {image.state} while its snapshots are {', '.join(states)}"
    if SnapshotState.ERROR in states:
        return f"{image.image_id} is {image.state} although one of its snapshots is in error"
    return None


@law("ST-OMI-6", "image")
def a_failed_omi_has_a_state_message(_engine: Engine, image: Image) -> str | None:
    """Only a failed OMI has a state message."""
    if (image.state is ImageState.FAILED) != bool(image.state_comment.state_message):
        return f"{image.image_id} is {image.state}, with the state comment {image.state_comment}"
    return None


@law("OMI-022", "image")
def omi_names_are_unique_per_account(engine: Engine, image: Image) -> str | None:
    """The OMIs of an account have different names."""
    same = find_images_by_name(engine.state, image.account_id, image.image_name)
    if len(same) != 1:
        return f"{image.account_id} has {', '.join(i.image_id for i in same)} with the name {image.image_name!r}"
    return None


@law("OMI-020", "image")
def omi_names_have_a_valid_length(_engine: Engine, image: Image) -> str | None:
    """The name of an OMI has 3 to 128 characters."""
    if not MIN_NAME <= len(image.image_name) <= MAX_NAME:
        return f"{image.image_id} has the name {image.image_name!r} of {len(image.image_name)} characters"
    return None


@law("OMI-054", "image")
def an_omi_maps_a_root_and_unique_devices(_engine: Engine, image: Image) -> str | None:
    """An OMI maps its root device, and maps each device once."""
    devices = [mapping.device_name for mapping in image.block_device_mappings]
    if ROOT not in devices or len(set(devices)) != len(devices):
        return f"{image.image_id} maps {', '.join(map(str, devices))}"
    return None


@law("OMI-055", "image")
def a_mapping_is_as_large_as_its_snapshot(engine: Engine, image: Image) -> str | None:
    """A disk of an OMI is at least as large as its snapshot."""
    for mapping in image.block_device_mappings:
        snapshot: Snapshot | None = engine.state.get("snapshot", (mapping.bsu and mapping.bsu.snapshot_id) or "")
        if snapshot is not None and mapping.bsu and (mapping.bsu.volume_size or 0) < snapshot.volume_size:
            return f"{image.image_id} maps {snapshot.id} of {snapshot.volume_size} GiB to {mapping.bsu.volume_size} GiB"
    return None


@law("OMI-070", "image")
def product_codes_are_unique(_engine: Engine, image: Image) -> str | None:
    """An OMI lists each product code once."""
    if len(set(image.product_codes)) != len(image.product_codes):
        return f"{image.image_id} has the codes {', '.join(image.product_codes)}"
    return None


@law("ST-SNP-3", "snapshot")
def a_completed_snapshot_is_at_100_percent(_engine: Engine, snapshot: Snapshot) -> str | None:
    """A completed snapshot has a progress of 100 percent."""
    if snapshot.state is SnapshotState.COMPLETED and snapshot.progress != 100:  # noqa: PLR2004 - percent
        return f"{snapshot.snapshot_id} is {snapshot.state} at {snapshot.progress} %"
    return None


@law("SNP-010", "snapshot")
def a_snapshot_has_a_valid_size(_engine: Engine, snapshot: Snapshot) -> str | None:
    """A snapshot has 1 to 14901 GiB."""
    if not 1 <= snapshot.volume_size <= MAX_SIZE:
        return f"{snapshot.snapshot_id} has {snapshot.volume_size} GiB"
    return None


@law("SHR-023", "image", "snapshot")
def permissions_list_an_account_once(_engine: Engine, row: Image | Snapshot) -> str | None:
    """The permissions of an OMI or a snapshot list each account once."""
    ids = (row.permissions_to_launch if isinstance(row, Image) else row.permissions_to_create_volume).account_ids
    return f"{row.id} is shared with {', '.join(ids)}" if len(set(ids)) != len(ids) else None


@law("EXP-017", "image_export", "snapshot_export")
def snapshots_of_a_running_export_exist(engine: Engine, task: ImageExportTask | SnapshotExportTask) -> str | None:
    """The snapshots of an unfinished export exist and are not being deleted."""
    if task.state in ENDED_EXPORT_STATES:
        return None
    source = task.source if isinstance(task, ImageExportTask) else None
    ids = [task.snapshot_id] if isinstance(task, SnapshotExportTask) else source.snapshot_ids if source else []
    for snapshot_id in ids:
        snapshot: Snapshot | None = engine.state.get("snapshot", snapshot_id)
        if snapshot is None or snapshot.state is SnapshotState.DELETING:
            return f"{task.task_id} is {task.state} and exports {snapshot_id}, which is deleted or being deleted"
    return None


@law("EXP-002", "image_export", "snapshot_export")
def an_export_has_a_supported_format(_engine: Engine, task: ImageExportTask | SnapshotExportTask) -> str | None:
    """The format of an export is qcow2 or raw."""
    form = task.osu_export.disk_image_format
    return None if form in ("qcow2", "raw") else f"{task.task_id} has the format {form}"


@law("ST-IXT-3", "image_export")
def a_completed_omi_export_names_its_manifest(_engine: Engine, task: ImageExportTask) -> str | None:
    """An OMI export names its manifest exactly when it is completed, at a progress of 100 percent."""
    done = task.state is ExportState.COMPLETED
    if done != (task.osu_export.osu_manifest_url is not None) or (done and task.progress != 100):  # noqa: PLR2004
        return f"{task.task_id} is {task.state} at {task.progress} %, manifest {task.osu_export.osu_manifest_url}"
    return None


@on_creation("EXP-018", "image_export", "snapshot_export")
def no_export_breaks_a_licence(step: Step, change: Change) -> str | None:
    """No export was started of an OMI or a snapshot with a licence that forbade it."""
    task: ImageExportTask | SnapshotExportTask = change.after
    source_id = task.image_id if isinstance(task, ImageExportTask) else task.snapshot_id
    for code in find_licences(step.engine.state, source_id):
        permission = step.get_at(change, "licence", code)
        if (step.engine.settings.licences.get(code) if permission is None else permission) is False:
            return f"{task.task_id} exports {source_id}, although the licence {code} forbids it"
    return None
