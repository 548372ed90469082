"""OMIs, snapshots, volumes, and the links and update tasks of volumes."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import (
    BootMode,
    Entity,
    Gib,
    ImageState,
    LinkState,
    SnapshotState,
    UpdateState,
    VolumeState,
    internal,
)
from omisim.model.parts import BlockDeviceMappingImage, LinkedVolume, PermissionsOnResource, ResourceTag, StateComment


@frozen(kw_only=True)
class Image(Entity):
    """An OMI: a name, a licence, and a snapshot for each of its devices.

    Typed methods fill in `origin` ("official", "Marketplace", "own", "shared" or "imported", as the caller sees it) and
    `supported_by` ("OUTSCALE", the vendor, or the account that created it). The API has neither.
    """

    kind: ClassVar[str] = "image"
    key: ClassVar[str] = "image_id"
    account_alias: str | None = None
    account_id: str
    architecture: str = "x86_64"
    block_device_mappings: tuple[BlockDeviceMappingImage, ...]
    boot_modes: tuple[BootMode, ...] = ("legacy",)
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
    # OMI-067: attributes that an OMI inherits from its VM and passes on
    deletion_protection: bool = internal(False)
    vm_initiated_shutdown_behavior: str | None = internal(None)
    # not stored: typed methods fill these in
    origin: str = internal("", compare=False)
    supported_by: str = internal("", compare=False)

    @property
    def snapshot_ids(self) -> list[str]:
        """The ids of the snapshots of its devices."""
        return [
            mapping.bsu.snapshot_id for mapping in self.block_device_mappings if mapping.bsu and mapping.bsu.snapshot_id
        ]


@frozen(kw_only=True)
class Snapshot(Entity):
    """The content of a volume at one point in time."""

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
    volume_size: Gib
    import_error: str = internal("")  # reason why its source file cannot be imported


@frozen(kw_only=True)
class Volume(Entity):
    """A BSU volume. `linked_volumes` is filled from the links in its answered form."""

    kind: ClassVar[str] = "volume"
    key: ClassVar[str] = "volume_id"
    client_token: str | None = None
    creation_date: dt.datetime
    iops: int | None = None
    linked_volumes: tuple[LinkedVolume, ...] = ()
    size: Gib
    snapshot_id: str | None = None
    state: VolumeState
    subregion_name: str
    tags: tuple[ResourceTag, ...] = ()
    task_id: str | None = None
    volume_id: str
    volume_type: str = "standard"
    account_id: str = internal("")


@frozen(kw_only=True)
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


@frozen(kw_only=True)
class VolumeUpdateParameters:
    """Size (GiB), type and IOPS of a volume before or after an update."""

    iops: int
    size: Gib
    volume_type: str


@frozen(kw_only=True)
class VolumeUpdate:
    """The values of a volume before and after an update."""

    origin: VolumeUpdateParameters
    target: VolumeUpdateParameters


@frozen(kw_only=True)
class VolumeUpdateTask(Entity):
    """A task that updates a volume (VOL-047)."""

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
