"""The filters of every read: one line each, its type and what of an entity it looks at.

Different filters are ANDed, the values of one list ORed (FLT-001); an empty list matches nothing (FLT-004). Only
`wild` filters know `*` and `?` (FLT-005). `none` marks filters of the official description that look at something no
entity here can have; they match nothing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["FiltersImage", "FiltersKeypair", "FiltersProductType", "FiltersSnapshot", "FiltersSubregion", "FiltersTag"]
__all__ += ["FiltersReadImageExportTask", "FiltersSnapshotExportTask"]
__all__ += ["FiltersVm", "FiltersVmType", "FiltersVmsState", "FiltersVolume", "matching"]

E = TypeVar("E")
Strings = tuple[str, ...] | None
Integers = tuple[int, ...] | None
Numbers = tuple[float, ...] | None
Dates = tuple[dt.datetime, ...] | None

VM_STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


def of(look: Callable[[Any], object]) -> Any:
    """Declare a filter on one value, or on any of a tuple of values."""
    return field(default=None, metadata={"look": look, "wild": False})


def wild(look: Callable[[Any], object]) -> Any:
    """Declare a filter whose values may hold the wildcards `*` and `?`."""
    return field(default=None, metadata={"look": look, "wild": True})


def none() -> Any:
    """Declare an official filter on something that no entity here can have."""
    return of(lambda _: ())


def bound(holds: Callable[[Any, dt.datetime], bool]) -> Any:
    """Declare one end of a window of dates."""
    return field(default=None, metadata={"holds": holds})


def _tags(entity: Any) -> object:
    return tuple(f"{tag.key}={tag.value}" for tag in entity.tags)


def _tag_keys(entity: Any) -> object:
    return tuple(tag.key for tag in entity.tags)


def _tag_values(entity: Any) -> object:
    return tuple(tag.value for tag in entity.tags)


def _of_bsu(name: str) -> Any:
    return of(lambda image: tuple(getattr(m.bsu, name) for m in image.block_device_mappings if m.bsu))


def _of_links(name: str) -> Any:
    return of(lambda volume: tuple(getattr(link, name) for link in volume.linked_volumes))


def _of_vm_disks(name: str) -> Any:
    return of(lambda vm: tuple(getattr(m.bsu, name) for m in vm.block_device_mappings))


def _of_groups(name: str) -> Any:
    return of(lambda vm: tuple(getattr(group, name) for group in vm.security_groups))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersImage:
    """Filters of ReadImages."""

    account_aliases: Strings = of(lambda i: i.account_alias)
    account_ids: Strings = of(lambda i: i.account_id)
    architectures: Strings = of(lambda i: i.architecture)
    block_device_mapping_delete_on_vm_deletion: bool | None = _of_bsu("delete_on_vm_deletion")
    block_device_mapping_device_names: Strings = of(lambda i: tuple(m.device_name for m in i.block_device_mappings))
    block_device_mapping_snapshot_ids: Strings = _of_bsu("snapshot_id")
    block_device_mapping_volume_sizes: Integers = _of_bsu("volume_size")
    block_device_mapping_volume_types: Strings = _of_bsu("volume_type")
    boot_modes: Strings = of(lambda i: i.boot_modes)
    descriptions: Strings = wild(lambda i: i.description)
    file_locations: Strings = wild(lambda i: i.file_location)
    hypervisors: Strings = of(lambda _: "xen")
    image_ids: Strings = of(lambda i: i.image_id)
    image_names: Strings = wild(lambda i: i.image_name)
    permissions_to_launch_account_ids: Strings = of(lambda i: i.permissions_to_launch.account_ids)
    permissions_to_launch_global_permission: bool | None = of(lambda i: i.permissions_to_launch.global_permission)
    product_code_names: Strings = none()  # resolved to product_codes by the action: it needs the catalogue (OMI-091)
    product_codes: Strings = of(lambda i: i.product_codes)
    root_device_names: Strings = of(lambda i: i.root_device_name)
    root_device_types: Strings = of(lambda _: ("bsu", "ebs"))
    secure_boot: bool | None = of(lambda i: i.secure_boot)
    states: Strings = of(lambda i: i.state)
    tag_keys: Strings = of(_tag_keys)
    tag_values: Strings = of(_tag_values)
    tags: Strings = of(_tags)
    tpm_mandatory: bool | None = of(lambda i: i.tpm_mandatory)
    virtualization_types: Strings = of(lambda _: "hvm")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSnapshot:
    """Filters of ReadSnapshots."""

    account_aliases: Strings = of(lambda s: s.account_alias)
    account_ids: Strings = of(lambda s: s.account_id)
    client_tokens: Strings = of(lambda s: s.client_token)
    descriptions: Strings = wild(lambda s: s.description)
    from_creation_date: dt.datetime | None = bound(lambda s, date: s.creation_date >= date)
    permissions_to_create_volume_account_ids: Strings = of(lambda s: s.permissions_to_create_volume.account_ids)
    permissions_to_create_volume_global_permission: bool | None = of(
        lambda s: s.permissions_to_create_volume.global_permission
    )
    progresses: Integers = of(lambda s: s.progress)
    snapshot_ids: Strings = of(lambda s: s.snapshot_id)
    states: Strings = of(lambda s: s.state)
    tag_keys: Strings = of(_tag_keys)
    tag_values: Strings = of(_tag_values)
    tags: Strings = of(_tags)
    to_creation_date: dt.datetime | None = bound(lambda s, date: s.creation_date <= date)
    volume_ids: Strings = of(lambda s: s.volume_id)
    volume_sizes: Integers = of(lambda s: s.volume_size)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVolume:
    """Filters of ReadVolumes."""

    client_tokens: Strings = of(lambda v: v.client_token)
    creation_dates: Dates = of(lambda v: v.creation_date)
    link_volume_delete_on_vm_deletion: bool | None = _of_links("delete_on_vm_deletion")
    link_volume_device_names: Strings = _of_links("device_name")
    link_volume_link_dates: Dates = none()
    link_volume_link_states: Strings = _of_links("state")
    link_volume_vm_ids: Strings = _of_links("vm_id")
    snapshot_ids: Strings = of(lambda v: v.snapshot_id)
    subregion_names: Strings = of(lambda v: v.subregion_name)
    tag_keys: Strings = of(_tag_keys)
    tag_values: Strings = of(_tag_values)
    tags: Strings = of(_tags)
    volume_ids: Strings = of(lambda v: v.volume_id)
    volume_sizes: Integers = of(lambda v: v.size)
    volume_states: Strings = of(lambda v: v.state)
    volume_types: Strings = of(lambda v: v.volume_type)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVm:
    """Filters of ReadVms. NICs, Nets and Subnets are not served yet, so their filters match nothing."""

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
    net_ids: Strings = none()
    nic_account_ids: Strings = none()
    nic_descriptions: Strings = none()
    nic_is_source_dest_checked: bool | None = none()
    nic_link_nic_delete_on_vm_deletion: bool | None = none()
    nic_link_nic_device_numbers: Integers = none()
    nic_link_nic_link_nic_dates: Dates = none()
    nic_link_nic_link_nic_ids: Strings = none()
    nic_link_nic_states: Strings = none()
    nic_link_nic_vm_account_ids: Strings = none()
    nic_link_nic_vm_ids: Strings = none()
    nic_link_public_ip_account_ids: Strings = none()
    nic_link_public_ip_link_public_ip_ids: Strings = none()
    nic_link_public_ip_public_ip_ids: Strings = none()
    nic_link_public_ip_public_ips: Strings = none()
    nic_mac_addresses: Strings = none()
    nic_net_ids: Strings = none()
    nic_nic_ids: Strings = none()
    nic_private_ips_link_public_ip_account_ids: Strings = none()
    nic_private_ips_link_public_ip_ids: Strings = none()
    nic_private_ips_primary_ip: bool | None = none()
    nic_private_ips_private_ips: Strings = none()
    nic_security_group_ids: Strings = none()
    nic_security_group_names: Strings = none()
    nic_states: Strings = none()
    nic_subnet_ids: Strings = none()
    nic_subregion_names: Strings = none()
    platforms: Strings = of(lambda v: v.os_family)
    private_ips: Strings = of(lambda v: v.private_ip)
    product_codes: Strings = of(lambda v: v.product_codes)
    public_ips: Strings = of(lambda v: v.public_ip)
    reservation_ids: Strings = of(lambda v: v.reservation_id)
    root_device_names: Strings = of(lambda v: v.root_device_name)
    root_device_types: Strings = of(lambda _: ("bsu", "ebs"))
    security_group_ids: Strings = _of_groups("security_group_id")
    security_group_names: Strings = _of_groups("security_group_name")
    state_reason_codes: Integers = none()
    state_reason_messages: Strings = none()
    state_reasons: Strings = of(lambda v: v.state_reason)
    subnet_ids: Strings = none()
    subregion_names: Strings = of(lambda v: v.placement.subregion_name)
    tag_keys: Strings = of(_tag_keys)
    tag_values: Strings = of(_tag_values)
    tags: Strings = of(_tags)
    tenancies: Strings = of(lambda v: v.placement.tenancy)
    tpm_enabled: bool | None = of(lambda v: v.tpm_enabled)
    vm_ids: Strings = of(lambda v: v.vm_id)
    vm_security_group_ids: Strings = _of_groups("security_group_id")
    vm_security_group_names: Strings = _of_groups("security_group_name")
    vm_state_codes: Integers = of(lambda v: VM_STATE_CODES[v.state])
    vm_state_names: Strings = of(lambda v: v.state)
    vm_types: Strings = of(lambda v: v.vm_type)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVmsState:
    """Filters of ReadVmsState. There are no maintenance events, so their filters match nothing."""

    maintenance_event_codes: Strings = none()
    maintenance_event_descriptions: Strings = none()
    maintenance_events_not_after: Dates = none()
    maintenance_events_not_before: Dates = none()
    subregion_names: Strings = of(lambda v: v.subregion_name)
    vm_ids: Strings = of(lambda v: v.vm_id)
    vm_states: Strings = of(lambda v: v.vm_state)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersReadImageExportTask:
    """Filters of ReadImageExportTasks."""

    image_ids: Strings = of(lambda t: t.image_id)
    task_ids: Strings = of(lambda t: t.task_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSnapshotExportTask:
    """Filters of ReadSnapshotExportTasks."""

    snapshot_ids: Strings = of(lambda t: t.snapshot_id)
    task_ids: Strings = of(lambda t: t.task_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersKeypair:
    """Filters of ReadKeypairs."""

    keypair_fingerprints: Strings = of(lambda k: k.keypair_fingerprint)
    keypair_ids: Strings = of(lambda k: k.keypair_id)
    keypair_names: Strings = wild(lambda k: k.keypair_name)
    keypair_types: Strings = of(lambda k: k.keypair_type)
    tag_keys: Strings = of(_tag_keys)
    tag_values: Strings = of(_tag_values)
    tags: Strings = of(_tags)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersTag:
    """Filters of ReadTags."""

    keys: Strings = of(lambda t: t.key)
    resource_ids: Strings = of(lambda t: t.resource_id)
    resource_types: Strings = of(lambda t: t.resource_type)
    values: Strings = of(lambda t: t.value)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersSubregion:
    """Filters of ReadSubregions."""

    region_names: Strings = of(lambda s: s.region_name)
    states: Strings = of(lambda s: s.state)
    subregion_names: Strings = of(lambda s: s.subregion_name)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersProductType:
    """Filters of ReadProductTypes."""

    product_type_ids: Strings = of(lambda p: p.product_type_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersAccessKeys:
    """Filters of ReadAccessKeys."""

    access_key_ids: Strings = of(lambda k: k.access_key_id)
    states: Strings = of(lambda k: k.state)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersQuota:
    """Filters of ReadQuotas."""

    collections: Strings = of(lambda q: q.quota_collection)
    quota_names: Strings = of(lambda q: q.name)
    quota_types: Strings = of(lambda _: "global")
    short_descriptions: Strings = of(lambda q: q.short_description)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersReadVolumeUpdateTask:
    """Filters of ReadVolumeUpdateTasks."""

    task_ids: Strings = of(lambda t: t.task_id)
    volume_ids: Strings = of(lambda t: t.volume_id)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FiltersVmType:
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


def matching(entities: Iterable[E], filters: Any) -> tuple[E, ...]:
    """Return the entities that every given filter lets through, in their order."""
    if filters is None:
        return tuple(entities)
    tests = _tests(filters)
    found = []
    for entity in entities:
        for test in tests:
            if not test(entity):
                break
        else:
            found.append(entity)
    return tuple(found)


@lru_cache(maxsize=256)  # by identity: the same filters come again from a client that polls
def _tests(filters: Any) -> list[Callable[[Any], bool]]:
    look, hows = _declared(filters.__class__)
    return [_test(how, wanted) for how, wanted in zip(hows, look(filters), strict=True) if wanted is not None]


@cache
def _declared(cls: type) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]:
    """Return the filters of a class: what gets their values, and how each looks."""
    names = [field.name for field in fields(cls)]
    return attrgetter(*names) if len(names) > 1 else lambda filters: (getattr(filters, names[0]),), tuple(
        field.metadata for field in fields(cls)
    )


def _test(metadata: Any, wanted: Any) -> Callable[[Any], bool]:
    if "holds" in metadata:
        holds = metadata["holds"]
        return lambda entity: bool(holds(entity, wanted))
    look = metadata["look"]
    if metadata["wild"]:
        exact = frozenset(value for value in wanted if "*" not in value and "?" not in value)
        patterns = [value for value in wanted if value not in exact]
        return lambda entity: look(entity) in exact or any(_like(pattern, look(entity)) for pattern in patterns)
    values = frozenset(wanted if isinstance(wanted, tuple) else (wanted,))

    def test(entity: Any) -> bool:
        found = look(entity)
        return not values.isdisjoint(found) if isinstance(found, tuple) else found in values

    return test


def _like(pattern: str, text: str) -> bool:
    """Whether the text is the pattern: `*` any characters, `?` any one. At most len(pattern) * len(text) steps."""
    at = star = -1
    here = there = 0
    while there < len(text):
        if here < len(pattern) and pattern[here] == "*":
            star, at = here, there
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", text[there]):
            here += 1
            there += 1
        elif star >= 0:  # let the last star take one more character
            at += 1
            here, there = star + 1, at
        else:
            return False
    return not pattern[here:].strip("*")
