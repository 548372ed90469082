"""Parts of entities, and values in requests."""

from __future__ import annotations

import datetime as dt

from omisim.base.frozen import frozen
from omisim.model.base import (
    AccountId,
    Gib,
    GuestAction,
    HostAction,
    LinkState,
    NicId,
    SecureBootAction,
    SecurityGroupId,
    SnapshotId,
    SubnetId,
    TextOrEmpty,
    VolumeId,
    internal,
)


@frozen(kw_only=True)
class ResourceTag:
    """A tag."""

    key: TextOrEmpty  # refused by its own rule if it is empty (TAG-003)
    value: TextOrEmpty


@frozen(kw_only=True)
class PermissionsOnResource:
    """The permissions of others on an OMI or a snapshot: accounts by id, or every account of the Region."""

    account_ids: tuple[AccountId, ...] = ()
    global_permission: bool = False


@frozen(kw_only=True)
class StateComment:
    """The reason why an OMI failed. Empty otherwise (FLD-001)."""

    state_code: str | None = None
    state_message: str | None = None


@frozen(kw_only=True)
class BsuToCreate:
    """A BSU volume to create: size in GiB, type, IOPS, and the snapshot with its content."""

    delete_on_vm_deletion: bool | None = None
    iops: int | None = None
    snapshot_id: SnapshotId | None = None
    volume_size: Gib | None = None
    volume_type: str | None = None


@frozen(kw_only=True)
class BlockDeviceMappingImage:
    """One device of an OMI."""

    bsu: BsuToCreate | None = None
    device_name: str | None = None
    virtual_device_name: str | None = None


@frozen(kw_only=True)
class BsuCreated:
    """A volume as a VM shows it."""

    delete_on_vm_deletion: bool
    link_date: dt.datetime
    state: LinkState
    volume_id: str


@frozen(kw_only=True)
class BlockDeviceMappingCreated:
    """One device of a VM."""

    bsu: BsuCreated
    device_name: str


@frozen(kw_only=True)
class LinkedVolume:
    """The link as a volume shows it."""

    delete_on_vm_deletion: bool
    device_name: str
    state: LinkState
    vm_id: str
    volume_id: str
    link_date: dt.datetime | None = internal(None)  # for the filter only


@frozen(kw_only=True)
class Placement:
    """Where a VM runs."""

    subregion_name: str | None = None
    tenancy: str | None = None


@frozen(kw_only=True)
class SecurityGroupLight:
    """A security group, as a VM shows it."""

    security_group_id: str
    security_group_name: str


@frozen(kw_only=True)
class ActionsOnNextBoot:
    """The action on a VM's Secure Boot keys at its next boot."""

    secure_boot: SecureBootAction | None = None


@frozen(kw_only=True)
class ShutdownBehaviorConfiguration:
    """The reactions of a VM to a shutdown of its guest, and to a failure of its host."""

    guest_action: GuestAction | None = None
    host_action: HostAction | None = None


# --- values in requests


@frozen(kw_only=True)
class PermissionsToChange:
    """Permissions to add or remove. An absent value and a GlobalPermission of false change nothing (OMI-111)."""

    account_ids: tuple[AccountId, ...] | None = None
    global_permission: bool | None = None


@frozen(kw_only=True)
class PermissionsOnResourceCreation:
    """A change of permissions: additions or removals, not both (OMI-102)."""

    additions: PermissionsToChange | None = None
    removals: PermissionsToChange | None = None


@frozen(kw_only=True)
class BlockDeviceMappingVmCreation:
    """One device of a new VM, which overrides that of its OMI."""

    bsu: BsuToCreate | None = None
    device_name: str | None = None
    no_device: TextOrEmpty | None = None  # any text, by convention ""
    virtual_device_name: str | None = None


@frozen(kw_only=True)
class BsuToUpdateVm:
    """The changes of UpdateVm to a linked volume."""

    delete_on_vm_deletion: bool | None = None
    volume_id: VolumeId | None = None


@frozen(kw_only=True)
class BlockDeviceMappingVmUpdate:
    """One device of a VM to update."""

    bsu: BsuToUpdateVm | None = None
    device_name: str | None = None
    no_device: TextOrEmpty | None = None  # any text, by convention ""
    virtual_device_name: str | None = None


@frozen(kw_only=True)
class PrivateIpLight:
    """A private IP of a new NIC."""

    is_primary: bool | None = None
    private_ip: str | None = None


@frozen(kw_only=True)
class NicForVmCreation:
    """A NIC of a new VM."""

    delete_on_vm_deletion: bool | None = None
    description: str | None = None
    device_number: int | None = None
    nic_id: NicId | None = None
    private_ips: tuple[PrivateIpLight, ...] | None = None
    secondary_private_ip_count: int | None = None
    security_group_ids: tuple[SecurityGroupId, ...] | None = None
    subnet_id: SubnetId | None = None
