"""The shapes of requests: the parameters of each action, and their types. [REQ-008, REQ-009, REQ-010]"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

__all__ = ["drop_absent", "find_problems"]

# Each name with its members: requests, then nested objects, then filters. A star marks a required member, a question
# mark one that exists and is not modelled here.
TABLE = """
CreateImage
    Architecture:str BlockDeviceMappings:[Mapping] BootModes:[str] Description:str FileLocation:str ImageName:str
    NoReboot:bool ProductCodes:[str] RootDeviceName:str SourceImageId:str SourceRegionName:str TpmMandatory:bool
    VmId:str
UpdateImage
    Description:str ImageId*:str PermissionsToLaunch:Changes ProductCodes:[str]
DeleteImage
    ImageId*:str
ReadImages
    Filters:FiltersImage NextPageToken:? ResultsPerPage:?
CreateImageExportTask
    ImageId*:str OsuExport*:OsuExport
CreateSnapshotExportTask
    SnapshotId*:str OsuExport*:OsuExport
ReadImageExportTasks
    Filters:FiltersImageExport NextPageToken:? ResultsPerPage:?
ReadSnapshotExportTasks
    Filters:FiltersSnapshotExport NextPageToken:? ResultsPerPage:?
DeleteExportTask
    ExportTaskId*:str
CreateSnapshot
    ClientToken:str Description:str FileLocation:str SnapshotSize:int SourceRegionName:str SourceSnapshotId:str
    VolumeId:str
UpdateSnapshot
    PermissionsToCreateVolume*:Changes SnapshotId*:str
DeleteSnapshot
    SnapshotId*:str
ReadSnapshots
    Filters:FiltersSnapshot NextPageToken:? ResultsPerPage:?
CreateVolume
    ClientToken:str Iops:int Size:int SnapshotId:str SubregionName*:str VolumeType:str
UpdateVolume
    Iops:int Size:int VolumeId*:str VolumeType:str
DeleteVolume
    VolumeId*:str
ReadVolumes
    Filters:FiltersVolume NextPageToken:? ResultsPerPage:?
ReadVolumeUpdateTasks
    Filters:FiltersVolumeUpdate NextPageToken:? ResultsPerPage:?
LinkVolume
    DeviceName*:str VmId*:str VolumeId*:str
UnlinkVolume
    ForceUnlink:bool VolumeId*:str
CreateVms
    BlockDeviceMappings:[VmMapping] BootMode:str BootOnCreation:bool BsuOptimized:bool ClientToken:str
    DeletionProtection:bool ImageId*:str KeypairName:str MaxVmsCount:int MinVmsCount:int NestedVirtualization:bool
    Performance:str Placement:Placement ShutdownBehaviorConfiguration:Shutdown TpmEnabled:bool UserData:str
    VmInitiatedShutdownBehavior:str VmType:str ActionsOnNextBoot:? Nics:? PrivateIps:? SecurityGroupIds:?
    SecurityGroups:? SubnetId:?
UpdateVm
    BlockDeviceMappings:[UpdateMapping] BsuOptimized:bool DeletionProtection:bool IsSourceDestChecked:bool
    KeypairName:str NestedVirtualization:bool Performance:str ShutdownBehaviorConfiguration:Shutdown UserData:str
    VmId*:str VmInitiatedShutdownBehavior:str VmType:str ActionsOnNextBoot:? SecurityGroupIds:?
StartVms
    VmIds*:[str]
StopVms
    ForceStop:bool VmIds*:[str]
RebootVms
    VmIds*:[str]
DeleteVms
    VmIds*:[str]
ReadVms
    Filters:FiltersVm NextPageToken:? ResultsPerPage:?
ReadVmsState
    AllVms:bool Filters:FiltersVmsState NextPageToken:? ResultsPerPage:?
CreateTags
    ResourceIds*:[str] Tags*:[Tag]
DeleteTags
    ResourceIds*:[str] Tags*:[Tag]
ReadTags
    Filters:FiltersTag NextPageToken:? ResultsPerPage:?
Mapping
    Bsu:Bsu DeviceName:str VirtualDeviceName:str
VmMapping
    Bsu:Bsu DeviceName:str NoDevice:str VirtualDeviceName:str
UpdateMapping
    Bsu:UpdateBsu DeviceName:str NoDevice:str VirtualDeviceName:str
Bsu
    DeleteOnVmDeletion:bool Iops:int SnapshotId:str VolumeSize:int VolumeType:str
UpdateBsu
    DeleteOnVmDeletion:bool VolumeId:str
Changes
    Additions:Permissions Removals:Permissions
Permissions
    AccountIds:[str] GlobalPermission:bool
OsuExport
    DiskImageFormat*:str OsuApiKey:OsuApiKey OsuBucket*:str OsuManifestUrl:str OsuPrefix:str
OsuApiKey
    ApiKeyId:str SecretKey:str
Placement
    SubregionName:str Tenancy:str
Shutdown
    GuestAction:str HostAction:str
Tag
    Key*:str Value*:str
FiltersImage
    AccountAliases:[str] AccountIds:[str] Architectures:[str] BlockDeviceMappingDeleteOnVmDeletion:bool
    BlockDeviceMappingDeviceNames:[str] BlockDeviceMappingSnapshotIds:[str] BlockDeviceMappingVolumeSizes:[int]
    BlockDeviceMappingVolumeTypes:[str] BootModes:[str] Descriptions:[str] FileLocations:[str] ImageIds:[str]
    ImageNames:[str] PermissionsToLaunchAccountIds:[str] PermissionsToLaunchGlobalPermission:bool
    ProductCodes:[str] RootDeviceNames:[str] States:[str] TagKeys:[str] TagValues:[str] Tags:[str]
    TpmMandatory:bool Hypervisors:? ProductCodeNames:? RootDeviceTypes:? SecureBoot:? VirtualizationTypes:?
FiltersImageExport
    ImageIds:[str] TaskIds:[str]
FiltersSnapshotExport
    SnapshotIds:[str] TaskIds:[str]
FiltersSnapshot
    AccountAliases:[str] AccountIds:[str] ClientTokens:[str] Descriptions:[str]
    PermissionsToCreateVolumeAccountIds:[str] PermissionsToCreateVolumeGlobalPermission:bool SnapshotIds:[str]
    States:[str] TagKeys:[str] TagValues:[str] Tags:[str] VolumeIds:[str] VolumeSizes:[int] FromCreationDate:?
    Progresses:? ToCreationDate:?
FiltersVolume
    ClientTokens:[str] LinkVolumeDeleteOnVmDeletion:bool LinkVolumeDeviceNames:[str] LinkVolumeLinkStates:[str]
    LinkVolumeVmIds:[str] SnapshotIds:[str] SubregionNames:[str] TagKeys:[str] TagValues:[str] Tags:[str]
    VolumeIds:[str] VolumeSizes:[int] VolumeStates:[str] VolumeTypes:[str] CreationDates:? LinkVolumeLinkDates:?
FiltersVolumeUpdate
    TaskIds:[str] VolumeIds:[str]
FiltersVm
    BlockDeviceMappingDeviceNames:[str] ImageIds:[str] ProductCodes:[str] SubregionNames:[str] TagKeys:[str]
    TagValues:[str] Tags:[str] VmIds:[str] VmStateNames:[str] VmTypes:[str]
    Architectures:? BlockDeviceMappingDeleteOnVmDeletion:? BlockDeviceMappingLinkDates:?
    BlockDeviceMappingStates:? BlockDeviceMappingVolumeIds:? BootModes:? ClientTokens:? CreationDates:?
    IsSourceDestChecked:? KeypairNames:? LaunchNumbers:? Lifecycles:? NetIds:? NicAccountIds:? NicDescriptions:?
    NicIsSourceDestChecked:? NicLinkNicDeleteOnVmDeletion:? NicLinkNicDeviceNumbers:? NicLinkNicLinkNicDates:?
    NicLinkNicLinkNicIds:? NicLinkNicStates:? NicLinkNicVmAccountIds:? NicLinkNicVmIds:?
    NicLinkPublicIpAccountIds:? NicLinkPublicIpLinkPublicIpIds:? NicLinkPublicIpPublicIpIds:?
    NicLinkPublicIpPublicIps:? NicMacAddresses:? NicNetIds:? NicNicIds:? NicPrivateIpsLinkPublicIpAccountIds:?
    NicPrivateIpsLinkPublicIpIds:? NicPrivateIpsPrimaryIp:? NicPrivateIpsPrivateIps:? NicSecurityGroupIds:?
    NicSecurityGroupNames:? NicStates:? NicSubnetIds:? NicSubregionNames:? Platforms:? PrivateIps:? PublicIps:?
    ReservationIds:? RootDeviceNames:? RootDeviceTypes:? SecurityGroupIds:? SecurityGroupNames:?
    StateReasonCodes:? StateReasonMessages:? StateReasons:? SubnetIds:? Tenancies:? TpmEnabled:?
    VmSecurityGroupIds:? VmSecurityGroupNames:? VmStateCodes:?
FiltersVmsState
    SubregionNames:[str] VmIds:[str] VmStates:[str]
    MaintenanceEventCodes:? MaintenanceEventDescriptions:? MaintenanceEventsNotAfter:?
    MaintenanceEventsNotBefore:?
FiltersTag
    Keys:[str] ResourceIds:[str] ResourceTypes:[str] Values:[str]
"""
# members that may be empty; all other empty values mean absent. [REQ-018]
MAY_BE_EMPTY = {
    "CreateImage": {"Description"},
    "CreateSnapshot": {"Description"},
    "Tag": {"Key", "Value"},
    "UpdateImage": {"Description", "PermissionsToLaunch", "ProductCodes"},
    "UpdateMapping": {"NoDevice"},
    "UpdateSnapshot": {"PermissionsToCreateVolume"},
    "VmMapping": {"NoDevice"},
}
TYPES = {"str": str, "int": int, "bool": bool}


def find_problems(action: str, parameters: dict[str, Any]) -> Iterator[str]:
    """Yield the codes of the errors in the shape of a request: 3001, 4110, 7000."""
    yield from _check_object(action, {name: value for name, value in parameters.items() if name != "DryRun"})
    if not isinstance(parameters.get("DryRun", False), bool):
        yield "4110"


def drop_absent(shape: str, value: dict[str, Any]) -> dict[str, Any]:
    """Return a request or a part of one without its absent members: null, "", [] and {}. [REQ-018]

    In Filters an empty list is present. [FLT-004]
    """
    fields = {"DryRun": "bool"} | {name.rstrip("*"): kind for name, kind in _parse_fields(shape).items()}
    members = {}
    for name, member in value.items():
        if member is None:
            continue
        kind, is_filter = fields.get(name), shape.startswith("Filters")
        inner = member if kind is None or is_filter else _drop_absent_parts(kind, member)
        has_meaning = name in MAY_BE_EMPTY.get(shape, ()) and kind is not None and inner == _make_empty(kind)
        may_be_empty = has_meaning or kind is None or (is_filter and inner == [])
        if may_be_empty or inner not in ("", [], {}):
            members[name] = [item for item in inner if item is not None] if isinstance(inner, list) else inner
    return members


def _make_empty(kind: str) -> Any:
    """Return the empty value of a type: an empty value of another type means absent."""
    return [] if kind.startswith("[") else "" if kind == "str" else {}


def _drop_absent_parts(kind: str, value: Any) -> Any:
    if isinstance(value, list):
        items = [_drop_absent_parts(kind.strip("[]"), item) for item in value]
        return [item for item in items if item not in (None, "", [], {})]
    if isinstance(value, dict) and kind not in ("?", *TYPES) and not kind.startswith("["):
        return drop_absent(kind, value)
    return value


@cache
def _parse_fields(shape: str) -> dict[str, str]:
    _, _, rest = TABLE.partition(f"\n{shape}\n")
    fields = re.split(r"\n(?=\S)", rest, maxsplit=1)[0].split()
    return {name: kind for name, _, kind in (field.partition(":") for field in fields)}


def _check_object(shape: str, value: dict[str, Any]) -> Iterator[str]:
    fields = {name.rstrip("*"): kind for name, kind in _parse_fields(shape).items()}
    for name, item in value.items():
        if name in fields:
            yield from _check_value(fields[name], item)
        else:
            yield "3001"
    for name in _parse_fields(shape):
        if name.endswith("*") and name[:-1] not in value:
            yield "7000"


def _check_value(kind: str, value: Any) -> Iterator[str]:
    if kind == "?":
        raise ValueError("paging, networks, and filters by dates, constants and a few more are not modelled")
    if kind.startswith("["):
        if not isinstance(value, list):
            yield "4110"
            return
        for item in value:
            yield from _check_value(kind[1:-1], item)
    elif kind in TYPES:
        if type(value) is not TYPES[kind]:
            yield "4110"
    elif not isinstance(value, dict):
        yield "4110"
    else:
        yield from _check_object(kind, value)
