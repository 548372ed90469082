"""Filters of the reads of OMIs, snapshots, volumes and their tasks."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from omisim.model.filters.declaration import (
    Dates,
    Integers,
    Strings,
    bound,
    by_tag,
    by_tag_key,
    by_tag_value,
    none,
    of,
    wild,
)
from omisim.model.filters.match import Filters

__all__ = [
    "FiltersImage",
    "FiltersReadImageExportTask",
    "FiltersReadVolumeUpdateTask",
    "FiltersSnapshot",
    "FiltersSnapshotExportTask",
    "FiltersVolume",
]


def _of_bsu(name: str) -> Any:
    return of(lambda image: tuple(getattr(m.bsu, name) for m in image.block_device_mappings if m.bsu))


def _of_links(name: str) -> Any:
    return of(lambda volume: tuple(getattr(link, name) for link in volume.linked_volumes))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersImage(Filters):
    """Filters of ReadImages."""

    account_aliases: Strings = of(lambda i: i.account_alias)
    account_ids: Strings = of(lambda i: i.account_id)
    architectures: Strings = of(lambda i: i.architecture)
    block_device_mapping_delete_on_vm_deletion: bool | None = _of_bsu("delete_on_vm_deletion")
    block_device_mapping_device_names: Strings = of(lambda i: tuple(m.device_name for m in i.block_device_mappings))
    block_device_mapping_snapshot_ids: Strings = _of_bsu("snapshot_id")
    block_device_mapping_volume_sizes: Integers = _of_bsu("volume_size")
    block_device_mapping_volume_types: Strings = _of_bsu("volume_type")
    boot_modes: Strings = of(lambda i: i.boot_modes)
    descriptions: Strings = wild(lambda i: i.description)
    file_locations: Strings = wild(lambda i: i.file_location)
    hypervisors: Strings = of(lambda _: "xen")
    image_ids: Strings = of(lambda i: i.image_id)
    image_names: Strings = wild(lambda i: i.image_name)
    permissions_to_launch_account_ids: Strings = of(lambda i: i.permissions_to_launch.account_ids)
    permissions_to_launch_global_permission: bool | None = of(lambda i: i.permissions_to_launch.global_permission)
    product_code_names: Strings = none()  # resolved to product_codes by the action: it needs the catalogue (OMI-091)
    product_codes: Strings = of(lambda i: i.product_codes)
    root_device_names: Strings = of(lambda i: i.root_device_name)
    root_device_types: Strings = of(lambda _: ("bsu", "ebs"))
    secure_boot: bool | None = of(lambda i: i.secure_boot)
    states: Strings = of(lambda i: i.state)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
    tpm_mandatory: bool | None = of(lambda i: i.tpm_mandatory)
    virtualization_types: Strings = of(lambda _: "hvm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSnapshot(Filters):
    """Filters of ReadSnapshots."""

    account_aliases: Strings = of(lambda s: s.account_alias)
    account_ids: Strings = of(lambda s: s.account_id)
    client_tokens: Strings = of(lambda s: s.client_token)
    descriptions: Strings = wild(lambda s: s.description)
    from_creation_date: dt.datetime | None = bound(lambda s, date: s.creation_date >= date)
    permissions_to_create_volume_account_ids: Strings = of(lambda s: s.permissions_to_create_volume.account_ids)
    permissions_to_create_volume_global_permission: bool | None = of(
        lambda s: s.permissions_to_create_volume.global_permission
    )
    progresses: Integers = of(lambda s: s.progress)
    snapshot_ids: Strings = of(lambda s: s.snapshot_id)
    states: Strings = of(lambda s: s.state)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
    to_creation_date: dt.datetime | None = bound(lambda s, date: s.creation_date <= date)
    volume_ids: Strings = of(lambda s: s.volume_id)
    volume_sizes: Integers = of(lambda s: s.volume_size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVolume(Filters):
    """Filters of ReadVolumes."""

    client_tokens: Strings = of(lambda v: v.client_token)
    creation_dates: Dates = of(lambda v: v.creation_date)
    link_volume_delete_on_vm_deletion: bool | None = _of_links("delete_on_vm_deletion")
    link_volume_device_names: Strings = _of_links("device_name")
    link_volume_link_dates: Dates = _of_links("link_date")
    link_volume_link_states: Strings = _of_links("state")
    link_volume_vm_ids: Strings = _of_links("vm_id")
    snapshot_ids: Strings = of(lambda v: v.snapshot_id)
    subregion_names: Strings = of(lambda v: v.subregion_name)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
    volume_ids: Strings = of(lambda v: v.volume_id)
    volume_sizes: Integers = of(lambda v: v.size)
    volume_states: Strings = of(lambda v: v.state)
    volume_types: Strings = of(lambda v: v.volume_type)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersReadVolumeUpdateTask(Filters):
    """Filters of ReadVolumeUpdateTasks."""

    task_ids: Strings = of(lambda t: t.task_id)
    volume_ids: Strings = of(lambda t: t.volume_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersReadImageExportTask(Filters):
    """Filters of ReadImageExportTasks."""

    image_ids: Strings = of(lambda t: t.image_id)
    task_ids: Strings = of(lambda t: t.task_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSnapshotExportTask(Filters):
    """Filters of ReadSnapshotExportTasks."""

    snapshot_ids: Strings = of(lambda t: t.snapshot_id)
    task_ids: Strings = of(lambda t: t.task_id)
