"""The values of the model: what the API answers, as frozen dataclasses. Values only: no rule and no behaviour.

Fields are the API's names, snake_cased one to one; `None` means that the answer does not carry the field. A field made
by `internal` is known to the cloud only and never answered. Sizes are GiB, dates are aware UTC datetimes, lists tuples.
"""

from __future__ import annotations

from omisim.model.accounts import AccessKey, AccessKeySecretKey, Account, Keypair, KeypairCreated
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
    AccountId,
    Entity,
    ImageState,
    LinkNicId,
    LinkState,
    NetId,
    NicId,
    OrDict,
    SecurityGroupId,
    SnapshotId,
    SnapshotState,
    SubnetId,
    UpdateState,
    VmState,
    VolumeId,
    VolumeState,
    internal,
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
from omisim.model.memory import ClientToken, Content, Due, Origin
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
from omisim.model.storage import (
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
from omisim.model.vms import AdminPassword, ConsoleOutput, Vm, VmsStopHistory, VmStateChange, VmStates

__all__ = [
    "ANY", "ENTITIES", "AccessKey", "AccessKeySecretKey", "Account", "AccountId", "ActionsOnNextBoot",
    "AdminPassword", "BlockDeviceMappingCreated", "BlockDeviceMappingImage", "BlockDeviceMappingVmCreation",
    "BlockDeviceMappingVmUpdate", "BsuCreated", "BsuToCreate", "BsuToUpdateVm", "Bucket", "Catalog", "CatalogEntry",
    "Catalogs", "ClientToken", "ConsoleOutput", "Content", "Due", "Entity", "ExportState", "FlexibleGpuCatalog",
    "Grant", "GroupHold", "Image", "ImageExportTask", "ImageState", "InternetService", "Keypair", "KeypairCreated",
    "LinkNic", "LinkNicId", "LinkNicLight", "LinkNicToUpdate", "LinkPublicIp", "LinkPublicIpLightForVm",
    "LinkRouteTable", "LinkState", "LinkedVolume", "Location", "Log", "MarketplaceProduct", "Net", "NetId", "Nic",
    "NicForVmCreation", "NicId", "NicLight", "OrDict", "Origin", "OsuApiKey", "OsuExportImageExportTask",
    "OsuExportSnapshotExportTask", "OsuExportToCreate", "PermissionsOnResource", "PermissionsOnResourceCreation",
    "PermissionsToChange", "Placement", "PrivateIp", "PrivateIpLight", "PrivateIpLightForVm", "ProductType",
    "ProductVersion", "PublicIp", "Quota", "QuotaTypes", "Region", "ResourceTag", "Route", "RouteTable",
    "SecurityGroup", "SecurityGroupId", "SecurityGroupLight", "SecurityGroupRule", "SecurityGroupsMember", "Service",
    "ShutdownBehaviorConfiguration", "Snapshot", "SnapshotExportTask", "SnapshotId", "SnapshotState", "StateComment",
    "StoredObject", "Subnet", "SubnetId", "Subregion", "Tag", "UnitPriceEntry", "UpdateState", "Upload", "UploadPart",
    "Vm", "VmState", "VmStateChange", "VmStates", "VmType", "VmsStopHistory", "Volume", "VolumeId", "VolumeLink",
    "VolumeState", "VolumeUpdate", "VolumeUpdateParameters", "VolumeUpdateTask", "With", "internal",
]  # fmt: skip

ENTITIES: tuple[type[Entity], ...] = (
    Account,
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
