"""Filters of the reads of VMs and of their types."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from omisim.model.filters.declaration import (
    Dates,
    Integers,
    Numbers,
    Strings,
    bound,
    by_tag,
    by_tag_key,
    by_tag_value,
    none,
    of,
    wild,
)
from omisim.model.filters.match import Filters

__all__ = ["FiltersVm", "FiltersVmType", "FiltersVmsState", "FiltersVmsStopHistory"]

VM_STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def _of_vm_disks(name: str) -> Any:
    return of(lambda vm: tuple(getattr(m.bsu, name) for m in vm.block_device_mappings))


def _of_groups(name: str, *, in_nets: bool = True) -> Any:
    return of(lambda vm: tuple(getattr(group, name) for group in vm.security_groups if in_nets or vm.net_id is None))


def _of_nics(look: Callable[[Any], Any]) -> Any:
    """Declare a filter on one value, or on any of several, of each NIC."""

    def values(vm: Any) -> tuple[Any, ...]:
        found = (look(nic) for nic in vm.nics or ())
        return tuple(value for each in found for value in (each if isinstance(each, tuple) else (each,)))

    return of(values)


def _of_publics(name: str, *, primary: bool = False) -> Any:
    """Declare a filter on the public IPs of the addresses of each NIC: of all, or of the primary ones."""
    return _of_nics(
        lambda nic: tuple(
            getattr(ip.link_public_ip, name)
            for ip in nic.private_ips
            if ip.link_public_ip and (ip.is_primary or not primary)
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVm(Filters):
    """Filters of ReadVms. What a VM does not show of its NICs, such as when they were linked, matches nothing."""

    architectures: Strings = of(lambda v: v.architecture)
    block_device_mapping_delete_on_vm_deletion: bool | None = _of_vm_disks("delete_on_vm_deletion")
    block_device_mapping_device_names: Strings = of(lambda v: tuple(m.device_name for m in v.block_device_mappings))
    block_device_mapping_link_dates: Dates = _of_vm_disks("link_date")
    block_device_mapping_states: Strings = _of_vm_disks("state")
    block_device_mapping_volume_ids: Strings = _of_vm_disks("volume_id")
    boot_modes: Strings = of(lambda v: v.boot_mode)
    client_tokens: Strings = of(lambda v: v.client_token)
    creation_dates: Dates = of(lambda v: v.creation_date)
    image_ids: Strings = of(lambda v: v.image_id)
    is_source_dest_checked: bool | None = of(lambda v: v.is_source_dest_checked)
    keypair_names: Strings = of(lambda v: v.keypair_name)
    launch_numbers: Integers = of(lambda v: v.launch_number)
    lifecycles: Strings = none()
    net_ids: Strings = of(lambda v: v.net_id)
    nic_account_ids: Strings = _of_nics(lambda n: n.account_id)
    nic_descriptions: Strings = _of_nics(lambda n: n.description)
    nic_is_source_dest_checked: bool | None = _of_nics(lambda n: n.is_source_dest_checked)
    nic_link_nic_delete_on_vm_deletion: bool | None = _of_nics(lambda n: n.link_nic.delete_on_vm_deletion)
    nic_link_nic_device_numbers: Integers = _of_nics(lambda n: n.link_nic.device_number)
    nic_link_nic_link_nic_dates: Dates = none()
    nic_link_nic_link_nic_ids: Strings = _of_nics(lambda n: n.link_nic.link_nic_id)
    nic_link_nic_states: Strings = _of_nics(lambda n: n.link_nic.state)
    nic_link_nic_vm_account_ids: Strings = _of_nics(lambda n: n.account_id)
    nic_link_nic_vm_ids: Strings = of(lambda v: v.vm_id if v.nics else ())
    nic_link_public_ip_account_ids: Strings = _of_publics("public_ip_account_id", primary=True)
    nic_link_public_ip_link_public_ip_ids: Strings = none()
    nic_link_public_ip_public_ip_ids: Strings = none()
    nic_link_public_ip_public_ips: Strings = _of_publics("public_ip", primary=True)
    nic_mac_addresses: Strings = _of_nics(lambda n: n.mac_address)
    nic_net_ids: Strings = _of_nics(lambda n: n.net_id)
    nic_nic_ids: Strings = _of_nics(lambda n: n.nic_id)
    nic_private_ips_link_public_ip_account_ids: Strings = _of_publics("public_ip_account_id")
    nic_private_ips_link_public_ip_ids: Strings = _of_publics("public_ip")
    nic_private_ips_primary_ip: bool | None = _of_nics(lambda n: tuple(ip.is_primary for ip in n.private_ips))
    nic_private_ips_private_ips: Strings = _of_nics(lambda n: tuple(ip.private_ip for ip in n.private_ips))
    nic_security_group_ids: Strings = _of_nics(lambda n: tuple(g.security_group_id for g in n.security_groups))
    nic_security_group_names: Strings = _of_nics(lambda n: tuple(g.security_group_name for g in n.security_groups))
    nic_states: Strings = _of_nics(lambda n: n.state)
    nic_subnet_ids: Strings = _of_nics(lambda n: n.subnet_id)
    nic_subregion_names: Strings = of(lambda v: v.placement.subregion_name if v.nics else ())
    platforms: Strings = of(lambda v: v.os_family)
    private_ips: Strings = of(lambda v: v.private_ip)
    product_codes: Strings = of(lambda v: v.product_codes)
    public_ips: Strings = of(lambda v: v.public_ip)
    reservation_ids: Strings = of(lambda v: v.reservation_id)
    root_device_names: Strings = of(lambda v: v.root_device_name)
    root_device_types: Strings = of(lambda _: ("bsu", "ebs"))
    security_group_ids: Strings = _of_groups("security_group_id", in_nets=False)
    security_group_names: Strings = _of_groups("security_group_name", in_nets=False)
    state_reason_codes: Integers = none()
    state_reason_messages: Strings = none()
    state_reasons: Strings = of(lambda v: v.state_reason)
    subnet_ids: Strings = of(lambda v: v.subnet_id)
    subregion_names: Strings = of(lambda v: v.placement.subregion_name)
    tag_keys: Strings = by_tag_key()
    tag_values: Strings = by_tag_value()
    tags: Strings = by_tag()
    tenancies: Strings = of(lambda v: v.placement.tenancy)
    tpm_enabled: bool | None = of(lambda v: v.tpm_enabled)
    vm_ids: Strings = of(lambda v: v.vm_id)
    vm_security_group_ids: Strings = _of_groups("security_group_id")
    vm_security_group_names: Strings = _of_groups("security_group_name")
    vm_state_codes: Integers = of(lambda v: VM_STATE_CODES[v.state])
    vm_state_names: Strings = of(lambda v: v.state)
    vm_types: Strings = of(lambda v: v.vm_type)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVmsState(Filters):
    """Filters of ReadVmsState. There are no maintenance events, so their filters match nothing."""

    maintenance_event_codes: Strings = none()
    maintenance_event_descriptions: Strings = none()
    maintenance_events_not_after: Dates = none()
    maintenance_events_not_before: Dates = none()
    subregion_names: Strings = of(lambda v: v.subregion_name)
    vm_ids: Strings = of(lambda v: v.vm_id)
    vm_states: Strings = of(lambda v: v.vm_state)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVmsStopHistory(Filters):
    """Filters of ReadVmsStopHistory."""

    state_reasons: Strings = wild(lambda s: s.state_reason)
    stop_date_after: dt.datetime | None = bound(lambda s, date: s.stop_date >= date)
    stop_date_before: dt.datetime | None = bound(lambda s, date: s.stop_date <= date)
    vm_ids: Strings = of(lambda s: s.vm_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVmType(Filters):
    """Filters of ReadVmTypes."""

    bsu_optimized: bool | None = of(lambda t: t.bsu_optimized)
    ephemerals_types: Strings = of(lambda t: t.ephemerals_type)
    eths: Integers = of(lambda t: t.eth)
    gpus: Integers = of(lambda t: t.gpu)
    memory_sizes: Numbers = of(lambda t: t.memory_size)
    vcore_counts: Integers = of(lambda t: t.vcore_count)
    vm_type_names: Strings = of(lambda t: t.vm_type_name)
    volume_counts: Integers = of(lambda t: t.volume_count)
    volume_sizes: Integers = of(lambda t: t.volume_size)
