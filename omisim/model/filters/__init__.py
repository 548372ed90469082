"""The filters of every read, each declared on one line. One module per family."""

from __future__ import annotations

from omisim.model.filters.accounts import (
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
from omisim.model.filters.disks import (
    FiltersImage,
    FiltersReadImageExportTask,
    FiltersReadVolumeUpdateTask,
    FiltersSnapshot,
    FiltersSnapshotExportTask,
    FiltersVolume,
)
from omisim.model.filters.match import Filters, compile_filters, find_ids_alone, match_all, select_matching
from omisim.model.filters.networks import (
    FiltersInternetService,
    FiltersNet,
    FiltersNic,
    FiltersPublicIp,
    FiltersRouteTable,
    FiltersSecurityGroup,
    FiltersSubnet,
)
from omisim.model.filters.vms import FiltersVm, FiltersVmsState, FiltersVmsStopHistory, FiltersVmType

__all__ = [
    "Filters", "FiltersAccessKeys", "FiltersApiLog", "FiltersCatalogs", "FiltersImage", "FiltersInternetService",
    "FiltersKeypair", "FiltersNet", "FiltersNic", "FiltersProductType", "FiltersPublicIp", "FiltersQuota",
    "FiltersReadImageExportTask", "FiltersReadVolumeUpdateTask", "FiltersRouteTable", "FiltersSecurityGroup",
    "FiltersService", "FiltersSnapshot", "FiltersSnapshotExportTask", "FiltersSubnet", "FiltersSubregion", "FiltersTag",
    "FiltersVm", "FiltersVmType", "FiltersVmsState", "FiltersVmsStopHistory", "FiltersVolume",
    "compile_filters", "find_ids_alone", "match_all", "select_matching",
]  # fmt: skip
