"""The filters of every read: one line each, its type and what of an entity it looks at. One file per family."""

from __future__ import annotations

from omisim.filters.accounts import (
    FiltersAccessKeys,
    FiltersApiLog,
    FiltersCatalogs,
    FiltersKeypair,
    FiltersProductType,
    FiltersQuota,
    FiltersService,
    FiltersSubregion,
    FiltersTag,
)
from omisim.filters.disks import (
    FiltersImage,
    FiltersReadImageExportTask,
    FiltersReadVolumeUpdateTask,
    FiltersSnapshot,
    FiltersSnapshotExportTask,
    FiltersVolume,
)
from omisim.filters.match import matching
from omisim.filters.vms import FiltersVm, FiltersVmsState, FiltersVmsStopHistory, FiltersVmType

__all__ = [
    "FiltersAccessKeys",
    "FiltersApiLog",
    "FiltersCatalogs",
    "FiltersImage",
    "FiltersKeypair",
    "FiltersProductType",
    "FiltersQuota",
    "FiltersReadImageExportTask",
    "FiltersReadVolumeUpdateTask",
    "FiltersService",
    "FiltersSnapshot",
    "FiltersSnapshotExportTask",
    "FiltersSubregion",
    "FiltersTag",
    "FiltersVm",
    "FiltersVmType",
    "FiltersVmsState",
    "FiltersVmsStopHistory",
    "FiltersVolume",
    "matching",
]
