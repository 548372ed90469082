"""VMs, and the answers about their states."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import Address, BootMode, Entity, EventAfterStop, VmState, internal, omitted_if_empty
from omisim.model.nics import NicLight
from omisim.model.parts import (
    ActionsOnNextBoot,
    BlockDeviceMappingCreated,
    Placement,
    ResourceTag,
    SecurityGroupLight,
    ShutdownBehaviorConfiguration,
)

WINDOWS_CODES = frozenset({"0002", "0005"})


@frozen(kw_only=True)
class VmsStopHistory:
    """One stop of a VM."""

    state_reason: str
    stop_date: dt.datetime
    vm_id: str


@frozen(kw_only=True)
class Vm(Entity):
    """A VM. Its answered form contains its disks, and in a Net its NICs and the values of the primary one.

    `net_id` and `subnet_id` are those of the primary NIC.
    """

    kind: ClassVar[str] = "vm"
    key: ClassVar[str] = "vm_id"
    actions_on_next_boot: ActionsOnNextBoot = ActionsOnNextBoot()
    architecture: str = "x86_64"
    block_device_mappings: tuple[BlockDeviceMappingCreated, ...] = ()
    boot_mode: BootMode = "legacy"
    bsu_optimized: bool = False
    client_token: str | None = None
    creation_date: dt.datetime
    deletion_protection: bool = False
    hypervisor: str = "xen"
    image_id: str
    is_source_dest_checked: bool = False
    keypair_name: str | None = None
    launch_number: int = 0
    nested_virtualization: bool = False
    net_id: str | None = None
    nics: tuple[NicLight, ...] | None = None
    os_family: str | None = None
    performance: str = "high"
    placement: Placement
    private_dns_name: str | None = None
    private_ip: Address | None = None
    product_codes: tuple[str, ...] = ("0001",)
    public_dns_name: str | None = None
    public_ip: Address | None = None
    reservation_id: str
    root_device_name: str = "/dev/sda1"
    root_device_type: str = "ebs"
    security_groups: tuple[SecurityGroupLight, ...] = omitted_if_empty()
    shutdown_behavior_configuration: ShutdownBehaviorConfiguration
    state: VmState
    state_reason: str = ""
    subnet_id: str | None = None
    tags: tuple[ResourceTag, ...] = ()
    tpm_enabled: bool = False
    user_data: str = ""
    vm_id: str
    vm_initiated_shutdown_behavior: str = "stop"
    vm_type: str
    account_id: str = internal("")
    launch_group_ids: tuple[str, ...] = internal(())  # the security groups of the launch (SG-011)
    has_flagged_type: bool = internal(False)  # its type was requested with its performance (VMT-004)
    started: bool = internal(False)  # has left its first pending state
    after_stop: EventAfterStop = internal("")  # what happens as soon as it has stopped (OMI-017, VM-024/stop)
    first_boot: bool = internal(True)  # has not booted a second time
    admin_password: str | None = internal(None)  # encrypted with its keypair, set at the first boot (VM-057)
    stops: tuple[VmsStopHistory, ...] = internal(())

    @property
    def is_windows(self) -> bool:
        """Whether a product code of the VM is that of a Windows licence (LIC-006)."""
        return not WINDOWS_CODES.isdisjoint(self.product_codes)


@frozen(kw_only=True)
class AdminPassword:
    """The administrator's password of a Windows VM, encrypted."""

    admin_password: str
    vm_id: str


@frozen(kw_only=True)
class ConsoleOutput:
    """The end of a VM's console output, in Base64."""

    console_output: str
    vm_id: str


@frozen(kw_only=True)
class VmStateChange:
    """The state of a VM before and after an action (the API's VmState)."""

    current_state: VmState
    previous_state: VmState
    vm_id: str


@frozen(kw_only=True)
class VmStates:
    """The state of a VM as ReadVmsState answers it."""

    maintenance_events: tuple[str, ...] = ()
    subregion_name: str
    vm_id: str
    vm_state: VmState
