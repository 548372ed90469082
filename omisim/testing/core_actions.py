"""The actions of the OMI model: the default of `CloudMachine.actions` and of `clouds()`."""

from __future__ import annotations

__all__ = ["CORE"]

CORE = (
    "CreateImage", "CreateImageExportTask", "CreateSnapshot", "CreateSnapshotExportTask", "CreateTags", "CreateVms",
    "CreateVolume", "DeleteExportTask", "DeleteImage", "DeleteSnapshot", "DeleteTags", "DeleteVms", "DeleteVolume",
    "LinkVolume", "ReadAccounts", "ReadImageExportTasks", "ReadImages", "ReadProductTypes", "ReadQuotas", "ReadRegions",
    "ReadSnapshotExportTasks", "ReadSnapshots", "ReadSubregions", "ReadTags", "ReadVmTypes", "ReadVms", "ReadVmsState",
    "ReadVolumeUpdateTasks", "ReadVolumes", "RebootVms", "StartVms", "StopVms", "UnlinkVolume", "UpdateImage",
    "UpdateSnapshot", "UpdateVm", "UpdateVolume",
)  # fmt: skip
