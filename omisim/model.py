"""The values of the model: what the API answers, as frozen dataclasses. Values only: no rule and no behaviour.

Fields are the API's names, snake_cased one to one; `None` means that the answer does not carry the field. A field made
by `internal` is known to the cloud only and never answered. Sizes are GiB, dates are aware UTC datetimes, lists tuples.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, ClassVar, TypeAlias, TypeVar, Union

from omisim.ids import Id

ANY = TypeVar("ANY")
# a nested argument: the dataclass, or a dict with snake_case keys
OrDict: TypeAlias = Union[ANY, Mapping[str, Any]]  # noqa: UP007 - mypy takes no other spelling of a generic alias
AccountId = Annotated[str, Id("account")]
SnapshotId = Annotated[str, Id("snapshot")]
SubnetId = Annotated[str, Id("subnet")]
NicId = Annotated[str, Id("nic")]
VolumeId = Annotated[str, Id("volume")]


def internal(default: Any) -> Any:
    """Declare a field that no answer carries."""
    return field(default=default, metadata={"wire": False})


class ImageState(StrEnum):
    """States of an OMI (domain 1.2)."""

    PENDING = "pending"
    AVAILABLE = "available"
    FAILED = "failed"


class SnapshotState(StrEnum):
    """States of a snapshot (domain 1.3)."""

    IN_QUEUE = "in-queue"
    PENDING = "pending"
    COMPLETED = "completed"
    ERROR = "error"
    DELETING = "deleting"


class VolumeState(StrEnum):
    """States of a volume (domain 1.4)."""

    CREATING = "creating"
    AVAILABLE = "available"
    IN_USE = "in-use"
    DELETING = "deleting"
    ERROR = "error"


class LinkState(StrEnum):
    """States of the link between a volume and a VM (domain 1.4)."""

    ATTACHING = "attaching"
    ATTACHED = "attached"
    DETACHING = "detaching"


class VmState(StrEnum):
    """States of a VM (domain 1.5)."""

    PENDING = "pending"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


class UpdateState(StrEnum):
    """States of a volume update task (ST-VOL-10)."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETED = "completed"
    FAILED = "failed"


class Entity:
    """What has an id and a row of its own in the cloud."""

    __slots__ = ()
    kind: ClassVar[str]
    key: ClassVar[str]

    @property
    def id(self) -> str:
        """The id of the entity, whatever its kind calls it."""
        return str(getattr(self, self.key))


# --- parts of entities


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceTag:
    """A tag."""

    key: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsOnResource:
    """Who may use an OMI or a snapshot beside its owner: accounts by id, or everybody in the Region."""

    account_ids: tuple[AccountId, ...] = ()
    global_permission: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StateComment:
    """Why an OMI failed; empty otherwise (FLD-001)."""

    state_code: str | None = None
    state_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BsuToCreate:
    """A BSU volume to be: size in GiB, type, IOPS, and the snapshot it is filled from."""

    delete_on_vm_deletion: bool | None = None
    iops: int | None = None
    snapshot_id: SnapshotId | None = None
    volume_size: int | None = None
    volume_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDeviceMappingImage:
    """One device of an OMI."""

    bsu: BsuToCreate | None = None
    device_name: str | None = None
    virtual_device_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BsuCreated:
    """A volume as a VM shows it."""

    delete_on_vm_deletion: bool
    link_date: dt.datetime
    state: LinkState
    volume_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDeviceMappingCreated:
    """One device of a VM."""

    bsu: BsuCreated
    device_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedVolume:
    """The link as a volume shows it."""

    delete_on_vm_deletion: bool
    device_name: str
    state: LinkState
    vm_id: str
    volume_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a VM runs."""

    subregion_name: str | None = None
    tenancy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroupLight:
    """A security group as a VM names it."""

    security_group_id: str
    security_group_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionsOnNextBoot:
    """What a VM does to its Secure Boot keys at its next boot."""

    secure_boot: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShutdownBehaviorConfiguration:
    """What happens to a VM when its guest shuts down, and when its host fails."""

    guest_action: str | None = None
    host_action: str | None = None


# --- entities


@dataclass(frozen=True, slots=True, kw_only=True)
class Account(Entity):
    """An account. It lives in one Region (REG-002)."""

    kind: ClassVar[str] = "account"
    key: ClassVar[str] = "account_id"
    account_id: str
    additional_emails: tuple[str, ...] = ()
    city: str = "Saint-Cloud"
    company_name: str = "Example"
    country: str = "France"
    customer_id: str
    email: str
    first_name: str
    last_name: str = "Example"
    outscale_login_allowed: bool = True
    zip_code: str = "92210"
    name: str = internal("")
    region: str = internal("")
    alias: str | None = internal(None)
    password: str = internal("")
    quotas: tuple[tuple[str, int], ...] = internal(())
    security_group_id: str = internal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey(Entity):
    """An access key of an account."""

    kind: ClassVar[str] = "access_key"
    key: ClassVar[str] = "access_key_id"
    access_key_id: str
    creation_date: dt.datetime
    expiration_date: dt.datetime | None = None
    last_modification_date: dt.datetime
    state: str = "ACTIVE"
    tag: str | None = None
    account_id: str = internal("")
    secret_key: str = internal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKeySecretKey:
    """A new access key with its secret, which is answered this once (AK-002)."""

    access_key_id: str
    creation_date: dt.datetime
    expiration_date: dt.datetime | None
    last_modification_date: dt.datetime
    secret_key: str
    state: str
    tag: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keypair(Entity):
    """A keypair: the public half stays with the account."""

    kind: ClassVar[str] = "keypair"
    key: ClassVar[str] = "keypair_id"
    keypair_fingerprint: str
    keypair_id: str
    keypair_name: str
    keypair_type: str
    tags: tuple[ResourceTag, ...] = ()
    account_id: str = internal("")
    public_key: str = internal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeypairCreated:
    """A keypair as its creation answers it: the one time that the private key (PEM) is shown (FLD-009)."""

    keypair_fingerprint: str
    keypair_id: str
    keypair_name: str
    keypair_type: str
    private_key: str | None = None
    tags: tuple[ResourceTag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Entity):
    """An OMI: a name, a licence, and a snapshot for each of its devices."""

    kind: ClassVar[str] = "image"
    key: ClassVar[str] = "image_id"
    account_alias: str | None = None
    account_id: str
    architecture: str = "x86_64"
    block_device_mappings: tuple[BlockDeviceMappingImage, ...]
    boot_modes: tuple[str, ...] = ("legacy",)
    creation_date: dt.datetime
    description: str = ""
    file_location: str
    image_id: str
    image_name: str
    image_type: str = "machine"
    permissions_to_launch: PermissionsOnResource = PermissionsOnResource()
    product_codes: tuple[str, ...] = ("0001",)
    root_device_name: str = "/dev/sda1"
    root_device_type: str = "bsu"
    secure_boot: bool = False
    state: ImageState
    state_comment: StateComment = StateComment()
    tags: tuple[ResourceTag, ...] = ()
    tpm_mandatory: bool = False
    # OMI-067: the VM attributes that an OMI made from a VM hands on
    deletion_protection: bool = internal(False)
    vm_initiated_shutdown_behavior: str | None = internal(None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot(Entity):
    """The content of a volume at one moment."""

    kind: ClassVar[str] = "snapshot"
    key: ClassVar[str] = "snapshot_id"
    account_alias: str | None = None
    account_id: str
    client_token: str | None = None
    creation_date: dt.datetime
    description: str = ""
    permissions_to_create_volume: PermissionsOnResource = PermissionsOnResource()
    progress: int = 0
    snapshot_id: str
    state: SnapshotState
    tags: tuple[ResourceTag, ...] = ()
    volume_id: str | None = None
    volume_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume(Entity):
    """A BSU volume. `linked_volumes` is filled in from the links when it is answered."""

    kind: ClassVar[str] = "volume"
    key: ClassVar[str] = "volume_id"
    client_token: str | None = None
    creation_date: dt.datetime
    iops: int | None = None
    linked_volumes: tuple[LinkedVolume, ...] = ()
    size: int
    snapshot_id: str | None = None
    state: VolumeState
    subregion_name: str
    tags: tuple[ResourceTag, ...] = ()
    task_id: str | None = None
    volume_id: str
    volume_type: str = "standard"
    account_id: str = internal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeLink(Entity):
    """The link of a volume to a VM. Its id is its volume's."""

    kind: ClassVar[str] = "volume_link"
    key: ClassVar[str] = "volume_id"
    delete_on_vm_deletion: bool
    device_name: str
    link_date: dt.datetime
    state: LinkState
    vm_id: str
    volume_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUpdateParameters:
    """Size (GiB), type and IOPS of a volume before or after an update."""

    iops: int
    size: int
    volume_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUpdate:
    """From what to what a volume is updated."""

    origin: VolumeUpdateParameters
    target: VolumeUpdateParameters


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUpdateTask(Entity):
    """The update of a volume that takes time (VOL-047)."""

    kind: ClassVar[str] = "volume_update"
    key: ClassVar[str] = "task_id"
    comment: str = ""
    completion_date: dt.datetime | None = None
    progress: int = 0
    start_date: dt.datetime
    state: UpdateState
    tags: tuple[ResourceTag, ...] = ()
    task_id: str
    volume_id: str
    volume_update: VolumeUpdate
    account_id: str = internal("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vm(Entity):
    """A VM. `block_device_mappings` is filled in from the links when it is answered."""

    kind: ClassVar[str] = "vm"
    key: ClassVar[str] = "vm_id"
    actions_on_next_boot: ActionsOnNextBoot = ActionsOnNextBoot(secure_boot="none")
    architecture: str = "x86_64"
    block_device_mappings: tuple[BlockDeviceMappingCreated, ...] = ()
    boot_mode: str = "legacy"
    bsu_optimized: bool = False
    client_token: str | None = None
    creation_date: dt.datetime
    deletion_protection: bool = False
    hypervisor: str = "xen"
    image_id: str
    is_source_dest_checked: bool = True
    keypair_name: str | None = None
    launch_number: int = 0
    nested_virtualization: bool = False
    os_family: str = "linux"
    performance: str = "high"
    placement: Placement
    private_dns_name: str | None = None
    private_ip: str | None = None
    product_codes: tuple[str, ...] = ("0001",)
    public_dns_name: str | None = None
    public_ip: str | None = None
    reservation_id: str
    root_device_name: str = "/dev/sda1"
    root_device_type: str = "bsu"
    security_groups: tuple[SecurityGroupLight, ...] = ()
    shutdown_behavior_configuration: ShutdownBehaviorConfiguration
    state: VmState
    state_reason: str = ""
    tags: tuple[ResourceTag, ...] = ()
    tpm_enabled: bool = False
    user_data: str = ""
    vm_id: str
    vm_initiated_shutdown_behavior: str = "stop"
    vm_type: str
    account_id: str = internal("")
    boot_modes: tuple[str, ...] = internal(("legacy",))
    started: bool = internal(False)  # it has left its first pending
    restarts: bool = internal(False)  # it starts again as soon as it has stopped (OMI-017)


@dataclass(frozen=True, slots=True, kw_only=True)
class VmStateChange:
    """What an action did to the state of one VM (the API's VmState)."""

    current_state: VmState
    previous_state: VmState
    vm_id: str


# --- what a request brings


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsToChange:
    """Permissions to give or to take: an absent one, or a GlobalPermission of false, changes nothing (OMI-111)."""

    account_ids: tuple[AccountId, ...] | None = None
    global_permission: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PermissionsOnResourceCreation:
    """A change of permissions: additions or removals, not both (OMI-102)."""

    additions: PermissionsToChange | None = None
    removals: PermissionsToChange | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDeviceMappingVmCreation:
    """One device of a VM to be, over those of its OMI (domain 6.4)."""

    bsu: BsuToCreate | None = None
    device_name: str | None = None
    no_device: str | None = None
    virtual_device_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BsuToUpdateVm:
    """What UpdateVm changes of a linked volume."""

    delete_on_vm_deletion: bool | None = None
    volume_id: VolumeId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockDeviceMappingVmUpdate:
    """One device of a VM to update."""

    bsu: BsuToUpdateVm | None = None
    device_name: str | None = None
    no_device: str | None = None
    virtual_device_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateIpLight:
    """A private IP of a NIC to be."""

    is_primary: bool | None = None
    private_ip: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NicForVmCreation:
    """A NIC of a VM to be."""

    delete_on_vm_deletion: bool | None = None
    description: str | None = None
    device_number: int | None = None
    nic_id: NicId | None = None
    private_ips: tuple[PrivateIpLight, ...] | None = None
    secondary_private_ip_count: int | None = None
    security_group_ids: tuple[Annotated[str, Id("security_group")], ...] | None = None
    subnet_id: SubnetId | None = None


# --- catalogue reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A Region."""

    endpoint: str
    region_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Subregion:
    """A Subregion."""

    location_code: str
    region_name: str
    state: str = "available"
    subregion_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmType:
    """A predefined VM type. Memory and volume sizes are GiB."""

    bsu_optimized: bool
    ephemerals_type: str | None = None
    eth: int
    gpu: int
    max_private_ips: int
    memory_size: float
    vcore_count: int
    vm_type_name: str
    volume_count: int
    volume_size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """One quota of an account: its limit (0: none) and how much of it is used."""

    account_id: str
    description: str
    max_value: int
    name: str
    quota_collection: str
    short_description: str
    used_value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaTypes:
    """The quotas that count for the whole account ("global"), or for one resource."""

    quota_type: str
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductType:
    """A licence: what a product code stands for."""

    description: str
    product_type_id: str
    vendor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """A tag with the resource it is on."""

    key: str
    resource_id: str
    resource_type: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VmStates:
    """The state of a VM as ReadVmsState answers it."""

    maintenance_events: tuple[str, ...] = ()
    subregion_name: str
    vm_id: str
    vm_state: VmState


@dataclass(frozen=True, slots=True)
class ProductVersion:
    """One version of a Marketplace product in one Region: the platform's copy."""

    number: int
    region: str
    image_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketplaceProduct(Entity):
    """A product of the Marketplace: who sells it how, its versions, and which accounts have access (MKT-001)."""

    kind: ClassVar[str] = "product"
    key: ClassVar[str] = "product_code"

    account_id: str
    active: tuple[str, ...] = ()
    latest: int = 0
    offer: str
    product_code: str
    regions: tuple[str, ...]
    seller: str
    subscribers: tuple[str, ...] = ()
    versions: tuple[ProductVersion, ...] = ()


# --- what the cloud remembers beside its entities


@dataclass(frozen=True, slots=True)
class Content:
    """What is on a disk: text by path, and how often it was written. Shared by a snapshot and all that comes of it."""

    version: int = 0
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a resource came from, kept when it is gone: `parents` are (how, id), the main one first.

    `codes`: the product codes it has, or what it was made from had, though the API shows none on disks (LIC-012).
    """

    kind: str
    id: str
    account_id: str
    label: str
    parents: tuple[tuple[str, str], ...] = ()
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientToken:
    """What a ClientToken stood for when it was first used (SNP-014)."""

    request: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Due:
    """A transition that will happen by itself: at a time, or when somebody completes it (`at` None)."""

    kind: str
    id: str
    event: str
    at: dt.datetime | None
    timer: bool
    order: int


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
    MarketplaceProduct,
)
