"""The values of the model: the API's entities as frozen dataclasses, without rules or behaviour.

Field names are the API's, converted to snake_case. None means that the answer omits the field. A field declared with
`internal` never appears in an answer. Sizes are in GiB, dates are aware UTC datetimes, and lists are tuples.
"""

from __future__ import annotations

from omisim.model.accounts import AccessKey, AccessKeySecretKey, AccountRow, Keypair, KeypairCreated
from omisim.model.answers import (
    MarketplaceProduct,
    ProductType,
    ProductVersion,
    Quota,
    QuotaTypes,
    Region,
    Subregion,
    Tag,
    VmType,
)
from omisim.model.base import (
    ANY,
    ENDED_VM_STATES,
    AccessKeyState,
    AccountId,
    Entity,
    ImageId,
    ImageState,
    LinkNicId,
    LinkState,
    MayBeEmpty,
    NetId,
    NetState,
    NicId,
    OrDict,
    SecurityGroupId,
    SnapshotId,
    SnapshotState,
    SubnetId,
    TextOrEmpty,
    UpdateState,
    VmId,
    VmState,
    VolumeId,
    VolumeState,
    internal,
    view_as,
)
from omisim.model.catalogues import (
    Catalog,
    CatalogEntry,
    Catalogs,
    FlexibleGpuCatalog,
    Location,
    Log,
    Service,
    UnitPriceEntry,
    With,
)
from omisim.model.disks import (
    Image,
    Snapshot,
    Volume,
    VolumeLink,
    VolumeUpdate,
    VolumeUpdateParameters,
    VolumeUpdateTask,
)
from omisim.model.networks import (
    GroupHold,
    InternetService,
    LinkRouteTable,
    Net,
    Route,
    RouteTable,
    SecurityGroup,
    SecurityGroupRule,
    SecurityGroupsMember,
    Subnet,
)
from omisim.model.nics import (
    LinkNic,
    LinkNicLight,
    LinkNicToUpdate,
    LinkPublicIp,
    LinkPublicIpLightForVm,
    Nic,
    NicLight,
    PrivateIp,
    PrivateIpLightForVm,
    PublicIp,
)
from omisim.model.parts import (
    ActionsOnNextBoot,
    BlockDeviceMappingCreated,
    BlockDeviceMappingImage,
    BlockDeviceMappingVmCreation,
    BlockDeviceMappingVmUpdate,
    BsuCreated,
    BsuToCreate,
    BsuToUpdateVm,
    LinkedVolume,
    NicForVmCreation,
    PermissionsOnResource,
    PermissionsOnResourceCreation,
    PermissionsToChange,
    Placement,
    PrivateIpLight,
    ResourceTag,
    SecurityGroupLight,
    ShutdownBehaviorConfiguration,
    StateComment,
)
from omisim.model.rows import ClientToken, Content, Due, Origin
from omisim.model.storage import (
    ENDED_EXPORT_STATES,
    Bucket,
    ExportState,
    Grant,
    ImageExportTask,
    OsuApiKey,
    OsuExportImageExportTask,
    OsuExportSnapshotExportTask,
    OsuExportToCreate,
    SnapshotExportTask,
    StoredObject,
    Upload,
    UploadPart,
)
from omisim.model.vms import WINDOWS_CODES, AdminPassword, ConsoleOutput, Vm, VmsStopHistory, VmStateChange, VmStates

__all__ = [
    "ANY", "ENDED_EXPORT_STATES", "ENDED_VM_STATES", "ENTITIES", "WINDOWS_CODES", "AccessKey", "AccessKeySecretKey",
    "AccessKeyState", "AccountId", "AccountRow", "ActionsOnNextBoot", "AdminPassword", "BlockDeviceMappingCreated",
    "BlockDeviceMappingImage", "BlockDeviceMappingVmCreation", "BlockDeviceMappingVmUpdate", "BsuCreated",
    "BsuToCreate", "BsuToUpdateVm",
    "Bucket", "Catalog", "CatalogEntry", "Catalogs", "ClientToken", "ConsoleOutput", "Content", "Due", "Entity",
    "ExportState",
    "FlexibleGpuCatalog", "Grant", "GroupHold", "Image", "ImageExportTask", "ImageId", "ImageState",
    "InternetService", "Keypair", "KeypairCreated", "LinkNic", "LinkNicId", "LinkNicLight", "LinkNicToUpdate",
    "LinkPublicIp", "LinkPublicIpLightForVm", "LinkRouteTable", "LinkState", "LinkedVolume", "Location", "Log",
    "MarketplaceProduct", "MayBeEmpty", "Net", "NetId", "NetState", "Nic", "NicForVmCreation", "NicId", "NicLight",
    "OrDict",
    "Origin", "OsuApiKey", "OsuExportImageExportTask", "OsuExportSnapshotExportTask", "OsuExportToCreate",
    "PermissionsOnResource", "PermissionsOnResourceCreation", "PermissionsToChange", "Placement", "PrivateIp",
    "PrivateIpLight", "PrivateIpLightForVm", "ProductType", "ProductVersion", "PublicIp", "Quota", "QuotaTypes",
    "Region", "ResourceTag", "Route", "RouteTable", "SecurityGroup", "SecurityGroupId", "SecurityGroupLight",
    "SecurityGroupRule", "SecurityGroupsMember", "Service", "ShutdownBehaviorConfiguration", "Snapshot",
    "SnapshotExportTask", "SnapshotId", "SnapshotState", "StateComment", "StoredObject", "Subnet", "SubnetId",
    "Subregion", "Tag", "TextOrEmpty", "UnitPriceEntry", "UpdateState", "Upload", "UploadPart", "Vm", "VmId", "VmState",
    "VmStateChange", "VmStates", "VmType", "VmsStopHistory", "Volume", "VolumeId", "VolumeLink", "VolumeState",
    "VolumeUpdate", "VolumeUpdateParameters", "VolumeUpdateTask", "With", "internal", "view_as",
]  # fmt: skip

ENTITIES: tuple[type[Entity], ...] = (
    AccountRow,
    AccessKey,
    Keypair,
    Image,
    Snapshot,
    Volume,
    VolumeLink,
    VolumeUpdateTask,
    Vm,
    SecurityGroup,
    GroupHold,
    Net,
    Subnet,
    Nic,
    PublicIp,
    InternetService,
    RouteTable,
    MarketplaceProduct,
    ProductType,
    ImageExportTask,
    SnapshotExportTask,
    Bucket,
    StoredObject,
    Upload,
)
for _entity in ENTITIES:
    _entity.ids_filter = f"{_entity.key}s"
    _entity.id = getattr(_entity, _entity.key)  # the slot itself, which is read without a call
del _entity
