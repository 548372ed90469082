"""Snapshots: the content of a volume at one point in time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.actions.imports import import_snapshot
from omisim.actions.new_snapshots import add_snapshot
from omisim.actions.progress import compute_progress
from omisim.actions.quotas import check_quotas
from omisim.actions.sharing import (
    apply_change,
    check_permission_change,
    find_visible,
    get_permissions,
    get_usable,
    visible_permissions,
)
from omisim.actions.uploads import find_running_exports
from omisim.base.frozen import replace
from omisim.model import (
    MayBeEmpty,
    OrDict,
    PermissionsOnResourceCreation,
    Snapshot,
    SnapshotId,
    SnapshotState,
    TextOrEmpty,
    Volume,
    VolumeId,
)
from omisim.model.filters import FiltersSnapshot, match_all
from omisim.model.filters.dicts import FiltersSnapshotDict
from omisim.spec.rules import refuse

# the parameters that name a source of a snapshot, for each kind of source
MODES = (("volume_id",), ("source_snapshot_id", "source_region_name"), ("file_location", "snapshot_size"))


def _check_one_source(call: Call, parameters: Mapping[str, Any]) -> None:
    """Refuse a request with no source, with several, or with an incomplete one (SNP-001, SNP-005)."""
    modes = [mode for mode in MODES if not parameters.keys().isdisjoint(mode)]
    if not modes:
        raise refuse("SNP-001")
    if len(modes) > 1:
        raise refuse("SNP-001/mixed", parameters=[call.spell(n) for mode in modes for n in mode if n in parameters])
    for name in modes[0]:
        call.check(name in parameters, "SNP-005", parameter=call.spell(name))


@action("CreateSnapshot", "Snapshot", combinations=_check_one_source)
def create_snapshot(
    call: Call,
    *,
    client_token: str | None = None,
    description: TextOrEmpty | None = None,
    file_location: str | None = None,
    snapshot_size: int | None = None,
    source_region_name: str | None = None,
    source_snapshot_id: SnapshotId | None = None,
    volume_id: VolumeId | None = None,
) -> Snapshot:
    """Create a snapshot of a volume, copy one within the Region, or import one from a file.

    Returns a copy in the state completed, any other snapshot in-queue (ST-SNP-1, ST-SNP-4). `snapshot_size` is in
    bytes.
    """
    repeated = call.find_repeated(Snapshot, client_token)
    if repeated:
        return _view_snapshot(call, repeated[0])
    if file_location is not None:
        snapshot = import_snapshot(call, file_location, snapshot_size or 0, description or "", client_token)
    elif source_snapshot_id is not None:
        snapshot = _copy_snapshot(call, source_snapshot_id, source_region_name, description, client_token)
    else:
        volume = call.get_owned(Volume, volume_id or "", "SNP-002")
        call.check_state(volume)
        check_not_updated(call, volume)
        snapshot = cut_snapshot(call, volume, description or "", client_token)
    call.use_token(client_token, snapshot)
    return snapshot


def check_not_updated(call: Call, volume: Volume) -> None:
    """Refuse a snapshot of a volume that is being updated (SNP-024)."""
    call.check(volume.task_id is None, "SNP-024", volume_id=volume.volume_id, task_id=volume.task_id)


def cut_snapshot(
    call: Call, volume: Volume, description: str, client_token: str | None = None, *, image_id: str | None = None
) -> Snapshot:
    """Create a snapshot with the current content and size of a volume (SNP-008, SNP-010).

    `image_id` is the OMI that it is made for.
    """
    check_quotas(call, {"snapshot_limit": 1, "concurrent_snapshot_limit": 1})
    return add_snapshot(
        call, description, client_token, image_id, call.state.get("content", volume.volume_id),
        ("cut from", volume.volume_id),
        state=SnapshotState.IN_QUEUE, volume_id=volume.volume_id, volume_size=volume.size,
    )  # fmt: skip


def clone_snapshot(
    call: Call, source: Snapshot, description: str, client_token: str | None = None, *, image_id: str | None = None
) -> Snapshot:
    """Create a completed copy of a snapshot, owned by the caller (SNP-011, OMI-063).

    `image_id` is the OMI that it is made for.
    """
    return add_snapshot(
        call, description, client_token, image_id, call.state.get("content", source.snapshot_id),
        ("copied from", source.snapshot_id),
        progress=100, state=SnapshotState.COMPLETED, volume_size=source.volume_size,
    )  # fmt: skip


def _copy_snapshot(
    call: Call, source_id: str, region: str | None, description: str | None, client_token: str | None
) -> Snapshot:
    source = get_usable(call, Snapshot, source_id, "SNP-003")
    call.check_state(source)
    call.check(region == call.region, "SNP-004", region=region, own=call.region)
    check_quotas(call, {"snapshot_limit": 1})
    return clone_snapshot(call, source, source.description if description is None else description, client_token)


def _view_snapshot(call: Call, snapshot: Snapshot) -> Snapshot:
    granted = visible_permissions(call, get_permissions(snapshot), owner=call.owns(snapshot))
    progress = compute_progress(call, snapshot)
    if granted is snapshot.permissions_to_create_volume and progress == snapshot.progress:
        return snapshot
    return replace(snapshot, permissions_to_create_volume=granted, progress=progress)


@action("ReadSnapshots", "Snapshots", paged=True)
def read_snapshots(call: Call, *, filters: FiltersSnapshot | FiltersSnapshotDict | None = None) -> tuple[Snapshot, ...]:
    """List the caller's, shared and public snapshots in creation order (SNP-021)."""
    parsed_filters = as_parsed(filters) or match_all(FiltersSnapshot)
    start, end = parsed_filters.from_creation_date, parsed_filters.to_creation_date
    call.check_range(start, end)
    snapshots = find_visible(call, Snapshot, parsed_filters)
    return call.select((_view_snapshot(call, snapshot) for snapshot in snapshots), parsed_filters)


def _check_change(call: Call, parameters: Mapping[str, Any]) -> None:
    check_permission_change(call, "permissions_to_create_volume", parameters)


@action("UpdateSnapshot", "Snapshot", combinations=_check_change)
def update_snapshot(
    call: Call,
    *,
    permissions_to_create_volume: Annotated[OrDict[PermissionsOnResourceCreation], MayBeEmpty()],
    snapshot_id: SnapshotId,
) -> Snapshot:
    """Change the permissions of a snapshot of the caller (SHR-003). Returns the snapshot."""
    snapshot = call.get_owned(Snapshot, snapshot_id, "SHR-003/snapshot")
    call.check_state(snapshot)
    change = as_parsed(permissions_to_create_volume)
    granted = apply_change(snapshot.permissions_to_create_volume, change)
    return _view_snapshot(call, call.put(replace(snapshot, permissions_to_create_volume=granted)))


@action("DeleteSnapshot")
def delete_snapshot(call: Call, *, snapshot_id: SnapshotId) -> None:
    """Delete a snapshot that no OMI of any account uses (SNP-016). Volumes made from it are unaffected (SNP-017)."""
    snapshot = get_usable(call, Snapshot, snapshot_id, "SNP-015")
    if not call.owns(snapshot):
        raise refuse("SNP-018", snapshot_id=snapshot_id, owner=snapshot.account_id)
    call.check_state(snapshot)
    images = call.state.find_by("image", "block_device_mappings.bsu.snapshot_id", snapshot_id)
    own = [image.image_id for image in images if call.owns(image)]
    call.check(not images, "SNP-016", snapshot_id=snapshot_id, used_by=own or "an OMI of another account")
    exports = find_running_exports(call.state, snapshot_id)
    own_exports = [task.task_id for task in exports if call.owns(task)]
    call.check(not exports, "EXP-017", snapshot_id=snapshot_id, exports=own_exports or "a task of another account")
    call.move(snapshot, "delete")
