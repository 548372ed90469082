"""Reads of the platform's catalogue: Regions, Subregions, VM types, GPUs, locations and services."""

from __future__ import annotations

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.base.hosts import make_host_name
from omisim.model import FlexibleGpuCatalog, Location, Region, Service, Subregion, VmType
from omisim.model.filters import FiltersService, FiltersSubregion, FiltersVmType
from omisim.model.filters.dicts import FiltersServiceDict, FiltersSubregionDict, FiltersVmTypeDict
from omisim.spec.catalog import load_catalog


@action("ReadRegions", "Regions", open=True)
def read_regions(call: Call) -> tuple[Region, ...]:
    """List the Regions visible from the called Region (REG-003)."""
    names = load_catalog().regions[call.region].sees
    return tuple(Region(endpoint=make_host_name("api", name), region_name=name) for name in names)


@action("ReadSubregions", "Subregions", paged=True)
def read_subregions(
    call: Call, *, filters: FiltersSubregion | FiltersSubregionDict | None = None
) -> tuple[Subregion, ...]:
    """List the Subregions of the caller's Region (REG-004)."""
    codes = load_catalog().regions[call.region].subregions
    subregions = (
        Subregion(location_code=code, region_name=call.region, subregion_name=name) for name, code in codes.items()
    )
    return call.select(subregions, as_parsed(filters))


@action("ReadVmTypes", "VmTypes", paged=True, open=True)
def read_vm_types(call: Call, *, filters: FiltersVmType | FiltersVmTypeDict | None = None) -> tuple[VmType, ...]:
    """List the predefined VM types. TINA types are valid without being listed (VMT-009)."""
    return call.select(load_catalog().vm_types.values(), as_parsed(filters))


@action("ReadFlexibleGpuCatalog", "FlexibleGpuCatalog", open=True)
def read_flexible_gpu_catalog(call: Call) -> tuple[FlexibleGpuCatalog, ...]:
    """List the GPU models (CAT-011)."""
    return load_catalog().flexible_gpus


@action("ReadLocations", "Locations", paged=True, open=True)
def read_locations(call: Call) -> tuple[Location, ...]:
    """List the locations where a DirectLink can start (CAT-011)."""
    return load_catalog().locations


@action("ReadPublicIpRanges", "PublicIps", paged=True, open=True)
def read_public_ip_ranges(call: Call) -> tuple[str, ...]:
    """List the public IP ranges in CIDR notation (CAT-011)."""
    return load_catalog().public_ip_ranges


@action("ReadNetAccessPointServices", "Services", paged=True, open=True)
def read_net_access_point_services(
    call: Call, *, filters: FiltersService | FiltersServiceDict | None = None
) -> tuple[Service, ...]:
    """List the services of the Region that a Net access point can reach (CAT-011)."""
    return call.select(load_catalog().services(call.region), as_parsed(filters))
