"""Filters of the reads of OMIs, snapshots, volumes and their tasks."""

from __future__ import annotations

import datetime as dt

from omisim.model.disks import Image, Snapshot, Volume, VolumeUpdateTask
from omisim.model.filters.declaration import (
    Dates,
    FiltersTagged,
    Integers,
    Strings,
    date_bound,
    field_equals,
    glob,
    unmatchable,
)
from omisim.model.filters.match import Filters
from omisim.model.storage import ImageExportTask, SnapshotExportTask

__all__ = [
    "FiltersImage", "FiltersReadImageExportTask", "FiltersReadVolumeUpdateTask", "FiltersSnapshot",
    "FiltersSnapshotExportTask", "FiltersVolume",
]  # fmt: skip


class FiltersImage(FiltersTagged[Image]):
    """Filters of ReadImages."""

    account_aliases: Strings = None
    account_ids: Strings = None
    architectures: Strings = None
    block_device_mapping_delete_on_vm_deletion: bool | None = field_equals(
        "block_device_mappings.bsu.delete_on_vm_deletion"
    )
    block_device_mapping_device_names: Strings = None
    block_device_mapping_snapshot_ids: Strings = field_equals("block_device_mappings.bsu.snapshot_id")
    block_device_mapping_volume_sizes: Integers = field_equals("block_device_mappings.bsu.volume_size")
    block_device_mapping_volume_types: Strings = field_equals("block_device_mappings.bsu.volume_type")
    boot_modes: Strings = None
    descriptions: Strings = glob()
    file_locations: Strings = glob()
    hypervisors: Strings = field_equals(lambda _: "xen")
    image_ids: Strings = None
    image_names: Strings = glob()
    permissions_to_launch_account_ids: Strings = None
    permissions_to_launch_global_permission: bool | None = None
    product_code_names: Strings = unmatchable()  # the action resolves it to product_codes, by the catalogue (OMI-091)
    product_codes: Strings = None
    root_device_names: Strings = None
    root_device_types: Strings = field_equals(lambda _: ("bsu", "ebs"))
    secure_boot: bool | None = None
    states: Strings = None
    tpm_mandatory: bool | None = None
    virtualization_types: Strings = field_equals(lambda _: "hvm")


class FiltersSnapshot(FiltersTagged[Snapshot]):
    """Filters of ReadSnapshots."""

    account_aliases: Strings = None
    account_ids: Strings = None
    client_tokens: Strings = None
    descriptions: Strings = glob()
    from_creation_date: dt.datetime | None = date_bound(lambda s, date: s.creation_date >= date)
    permissions_to_create_volume_account_ids: Strings = None
    permissions_to_create_volume_global_permission: bool | None = None
    progresses: Integers = None
    snapshot_ids: Strings = None
    states: Strings = None
    to_creation_date: dt.datetime | None = date_bound(lambda s, date: s.creation_date <= date)
    volume_ids: Strings = None
    volume_sizes: Integers = None


class FiltersVolume(FiltersTagged[Volume]):
    """Filters of ReadVolumes."""

    client_tokens: Strings = None
    creation_dates: Dates = None
    link_volume_delete_on_vm_deletion: bool | None = field_equals("linked_volumes.delete_on_vm_deletion")
    link_volume_device_names: Strings = field_equals("linked_volumes.device_name")
    link_volume_link_dates: Dates = field_equals("linked_volumes.link_date")
    link_volume_link_states: Strings = field_equals("linked_volumes.state")
    link_volume_vm_ids: Strings = field_equals("linked_volumes.vm_id")
    snapshot_ids: Strings = None
    subregion_names: Strings = None
    volume_ids: Strings = None
    volume_sizes: Integers = field_equals("size")
    volume_states: Strings = field_equals("state")
    volume_types: Strings = None


class FiltersReadVolumeUpdateTask(Filters[VolumeUpdateTask]):
    """Filters of ReadVolumeUpdateTasks."""

    task_ids: Strings = None
    volume_ids: Strings = None


class FiltersReadImageExportTask(Filters[ImageExportTask]):
    """Filters of ReadImageExportTasks."""

    image_ids: Strings = None
    task_ids: Strings = None


class FiltersSnapshotExportTask(Filters[SnapshotExportTask]):
    """Filters of ReadSnapshotExportTasks."""

    snapshot_ids: Strings = None
    task_ids: Strings = None
