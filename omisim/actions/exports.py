"""Tasks that export OMIs and snapshots to object storage."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.licences import check_export
from omisim.actions.progress import compute_progress
from omisim.actions.quotas import check_quotas
from omisim.actions.sharing import get_usable
from omisim.base.frozen import replace
from omisim.formats.disk_image import FORMATS
from omisim.model import (
    ExportState,
    Image,
    ImageExportTask,
    ImageId,
    OrDict,
    OsuExportImageExportTask,
    OsuExportSnapshotExportTask,
    OsuExportToCreate,
    Snapshot,
    SnapshotExportTask,
    SnapshotId,
    view_as,
)
from omisim.model.base import hide_secrets
from omisim.model.filters import Filters, FiltersReadImageExportTask, FiltersSnapshotExportTask
from omisim.model.filters.dicts import FiltersReadImageExportTaskDict, FiltersSnapshotExportTaskDict
from omisim.model.ids import Id
from omisim.spec.rules import refuse
from omisim.state.buckets import is_bucket_name

_SNAPSHOT_ADVICE = (
    ". The export drops them: only that of an OMI keeps third-party licences in the target Region (EXP-048)"
)
Task = TypeVar("Task", ImageExportTask, SnapshotExportTask)


@action("CreateImageExportTask", "ImageExportTask")
def create_image_export_task(
    call: Call, *, image_id: ImageId, osu_export: OrDict[OsuExportToCreate]
) -> ImageExportTask:
    """Export an OMI of the caller to a bucket, as a manifest and a disk image for each of its snapshots.

    Returns the task in the state pending/queued. The task itself fails later if the bucket is not writable (EXP-008).
    """
    target = _check_target(call, osu_export)
    image = get_usable(call, Image, image_id, "EXP-005")
    if not call.owns(image):
        raise refuse("EXP-003", image_id=image_id, owner=image.account_alias or image.account_id)
    call.check_state(image)
    check_export(call, image_id, "EXP-018", f"{image_id} carries")
    if image.tpm_mandatory or "legacy" not in image.boot_modes:
        call.warn(f"a manifest has no boot modes and no TPM: an import of {image_id} boots as legacy (UNK-33)")
    check_quotas(call, {"image_export_limit": 1})
    prefix = target.osu_prefix
    task = call.add(
        ImageExportTask(
            account_id=call.account.account_id,
            api_key=as_parsed(target.osu_api_key),
            comment=f"Export of image {image_id}",
            image_id=image_id,
            osu_export=OsuExportImageExportTask(
                disk_image_format=target.disk_image_format,
                osu_bucket=target.osu_bucket,
                osu_prefix=f"{prefix.rstrip('/')}/{image_id}/" if prefix else None,
            ),
            size=sum(mapping.bsu.volume_size or 0 for mapping in image.block_device_mappings if mapping.bsu),
            source=image,
            state=ExportState.QUEUED,
            task_id=call.new_id("image_export"),
        )
    )
    call.record_origin(task, target.osu_bucket, ("exported by", image_id))
    return hide_secrets(task)


def _check_target(call: Call, osu_export: OrDict[OsuExportToCreate]) -> OsuExportToCreate:
    target = as_parsed(osu_export)
    assert target is not None
    is_known_format = target.disk_image_format in FORMATS
    call.check(is_known_format, "EXP-002", disk_image_format=target.disk_image_format, known=FORMATS)
    call.check(is_bucket_name(target.osu_bucket), "EXP-007", osu_bucket=target.osu_bucket)
    return target


@action("ReadImageExportTasks", "ImageExportTasks", paged=True)
def read_image_export_tasks(
    call: Call, *, filters: FiltersReadImageExportTask | FiltersReadImageExportTaskDict | None = None
) -> tuple[ImageExportTask, ...]:
    """List the caller's export tasks of OMIs, including finished ones (EXP-015)."""
    return _read_tasks(call, ImageExportTask, as_parsed(filters))


def _read_tasks(call: Call, cls: type[Task], filters: Filters[Task] | None) -> tuple[Task, ...]:
    own = call.own_rows(cls, filters)
    return call.select((replace(hide_secrets(task), progress=compute_progress(call, task)) for task in own), filters)


@action("CreateSnapshotExportTask", "SnapshotExportTask")
def create_snapshot_export_task(
    call: Call, *, osu_export: OrDict[OsuExportToCreate], snapshot_id: SnapshotId
) -> SnapshotExportTask:
    """Export a snapshot of the caller to a bucket, without its licence codes (EXP-048). Returns the task, pending."""
    target = _check_target(call, osu_export)
    snapshot = call.get_owned(Snapshot, snapshot_id, "EXP-042")
    call.check_state(snapshot)
    check_export(call, snapshot_id, "EXP-050", f"the content of {snapshot_id} has", _SNAPSHOT_ADVICE)
    check_quotas(call, {"snapshot_export_limit": 1})
    task = call.add(
        SnapshotExportTask(
            account_id=call.account.account_id,
            api_key=as_parsed(target.osu_api_key),
            comment=f"Export of snapshot {snapshot_id}",
            osu_export=view_as(OsuExportSnapshotExportTask, target),
            size=snapshot.volume_size,
            snapshot_id=snapshot_id,
            state=ExportState.PENDING,
            task_id=call.new_id("snapshot_export"),
        ),
        then="activate" if call.switch("spec_version") == "1.40" else None,
    )
    call.record_origin(task, target.osu_bucket, ("exported by", snapshot_id))
    return hide_secrets(task)


@action("ReadSnapshotExportTasks", "SnapshotExportTasks", paged=True)
def read_snapshot_export_tasks(
    call: Call, *, filters: FiltersSnapshotExportTask | FiltersSnapshotExportTaskDict | None = None
) -> tuple[SnapshotExportTask, ...]:
    """List the caller's export tasks of snapshots, including finished ones (EXP-049)."""
    return _read_tasks(call, SnapshotExportTask, as_parsed(filters))


@action("DeleteExportTask")
def delete_export_task(call: Call, *, export_task_id: Annotated[str, Id("export_task")]) -> None:
    """Cancel an unfinished export task (EXP-034). The task can still be read (EXP-035)."""
    cls: type[Any] = ImageExportTask if export_task_id.startswith("image-") else SnapshotExportTask
    task = call.state.get(cls.kind, export_task_id)
    if task is None or not call.owns(task):
        raise refuse("EXP-033", export_task_id=export_task_id)
    call.check_state(task)
    call.move(task, "cancel", progress=compute_progress(call, task))
