"""Filters of the reads of VMs and of their types."""

from __future__ import annotations

import datetime as dt
from typing import Any

from omisim.model.answers import VmType
from omisim.model.filters.declaration import (
    Dates,
    FiltersTagged,
    Integers,
    Numbers,
    Strings,
    date_bound,
    field_equals,
    glob,
    unmatchable,
)
from omisim.model.filters.match import Filters
from omisim.model.vms import Vm, VmsStopHistory, VmStates

__all__ = ["VM_STATE_CODES", "FiltersVm", "FiltersVmType", "FiltersVmsState", "FiltersVmsStopHistory"]

VM_STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def _groups_outside_nets(name: str) -> Any:
    """Declare a filter on the security groups of VMs outside Nets."""
    return field_equals(lambda vm: () if vm.net_id else tuple(getattr(group, name) for group in vm.security_groups))


class FiltersVm(FiltersTagged[Vm]):
    """Filters of ReadVms. Filters on NIC values that a VM does not show, such as the link date, match nothing."""

    architectures: Strings = None
    block_device_mapping_delete_on_vm_deletion: bool | None = field_equals(
        "block_device_mappings.bsu.delete_on_vm_deletion"
    )
    block_device_mapping_device_names: Strings = None
    block_device_mapping_link_dates: Dates = field_equals("block_device_mappings.bsu.link_date")
    block_device_mapping_states: Strings = field_equals("block_device_mappings.bsu.state")
    block_device_mapping_volume_ids: Strings = field_equals("block_device_mappings.bsu.volume_id")
    boot_modes: Strings = None
    client_tokens: Strings = None
    creation_dates: Dates = None
    image_ids: Strings = None
    is_source_dest_checked: bool | None = None
    keypair_names: Strings = None
    launch_numbers: Integers = None
    lifecycles: Strings = unmatchable()
    net_ids: Strings = None
    nic_account_ids: Strings = None
    nic_descriptions: Strings = None
    nic_is_source_dest_checked: bool | None = None
    nic_link_nic_delete_on_vm_deletion: bool | None = None
    nic_link_nic_device_numbers: Integers = None
    nic_link_nic_link_nic_dates: Dates = unmatchable()
    nic_link_nic_link_nic_ids: Strings = None
    nic_link_nic_states: Strings = None
    nic_link_nic_vm_account_ids: Strings = field_equals("nics.account_id")
    nic_link_nic_vm_ids: Strings = field_equals(lambda v: v.vm_id if v.nics else ())
    nic_link_public_ip_account_ids: Strings = field_equals("nics.link_public_ip.public_ip_account_id")
    nic_link_public_ip_link_public_ip_ids: Strings = unmatchable()
    nic_link_public_ip_public_ip_ids: Strings = unmatchable()
    nic_link_public_ip_public_ips: Strings = None
    nic_mac_addresses: Strings = None
    nic_net_ids: Strings = None
    nic_nic_ids: Strings = None
    nic_private_ips_link_public_ip_account_ids: Strings = field_equals(
        "nics.private_ips.link_public_ip.public_ip_account_id"
    )
    nic_private_ips_link_public_ip_ids: Strings = field_equals("nics.private_ips.link_public_ip.public_ip")
    nic_private_ips_primary_ip: bool | None = field_equals("nics.private_ips.is_primary")
    nic_private_ips_private_ips: Strings = None
    nic_security_group_ids: Strings = field_equals("nics.security_groups.security_group_id")
    nic_security_group_names: Strings = field_equals("nics.security_groups.security_group_name")
    nic_states: Strings = None
    nic_subnet_ids: Strings = None
    nic_subregion_names: Strings = field_equals(lambda v: v.placement.subregion_name if v.nics else ())
    platforms: Strings = field_equals(lambda vm: "windows" if vm.is_windows else "linux")
    private_ips: Strings = None
    product_codes: Strings = None
    public_ips: Strings = None
    reservation_ids: Strings = None
    root_device_names: Strings = None
    root_device_types: Strings = field_equals(lambda _: ("bsu", "ebs"))
    security_group_ids: Strings = _groups_outside_nets("security_group_id")
    security_group_names: Strings = _groups_outside_nets("security_group_name")
    state_reason_codes: Integers = unmatchable()
    state_reason_messages: Strings = unmatchable()
    state_reasons: Strings = None
    subnet_ids: Strings = None
    subregion_names: Strings = field_equals("placement.subregion_name")
    tenancies: Strings = field_equals("placement.tenancy")
    tpm_enabled: bool | None = None
    vm_ids: Strings = None
    vm_security_group_ids: Strings = field_equals("security_groups.security_group_id")
    vm_security_group_names: Strings = field_equals("security_groups.security_group_name")
    vm_state_codes: Integers = field_equals(lambda v: VM_STATE_CODES[v.state])
    vm_state_names: Strings = field_equals("state")
    vm_types: Strings = None


class FiltersVmsState(Filters[VmStates]):
    """Filters of ReadVmsState. There are no maintenance events, so their filters match nothing."""

    maintenance_event_codes: Strings = unmatchable()
    maintenance_event_descriptions: Strings = unmatchable()
    maintenance_events_not_after: Dates = unmatchable()
    maintenance_events_not_before: Dates = unmatchable()
    subregion_names: Strings = None
    vm_ids: Strings = None
    vm_states: Strings = None


class FiltersVmsStopHistory(Filters[VmsStopHistory]):
    """Filters of ReadVmsStopHistory."""

    state_reasons: Strings = glob()
    stop_date_after: dt.datetime | None = date_bound(lambda s, date: s.stop_date >= date)
    stop_date_before: dt.datetime | None = date_bound(lambda s, date: s.stop_date <= date)
    vm_ids: Strings = None


class FiltersVmType(Filters[VmType]):
    """Filters of ReadVmTypes."""

    bsu_optimized: bool | None = None
    ephemerals_types: Strings = None
    eths: Integers = None
    gpus: Integers = None
    memory_sizes: Numbers = None
    vcore_counts: Integers = None
    vm_type_names: Strings = None
    volume_counts: Integers = None
    volume_sizes: Integers = None
