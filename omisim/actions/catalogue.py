"""Reads that are the same for everybody: Regions, Subregions, VM types (domain 7)."""

from __future__ import annotations

from omisim.actions.call import Call, parsed
from omisim.actions.registry import action
from omisim.catalog import catalog
from omisim.filters import FiltersSubregion, FiltersVmType, matching
from omisim.model import OrDict, Region, Subregion, VmType


@action("ReadRegions", "Regions", open=True)
def read_regions(call: Call) -> tuple[Region, ...]:
    """List the Regions that this one knows of (REG-003)."""
    names = catalog().regions[call.region].sees
    return tuple(Region(endpoint=f"api.{name}.outscale.com", region_name=name) for name in names)


@action("ReadSubregions", "Subregions", paged=True)
def read_subregions(call: Call, *, filters: OrDict[FiltersSubregion] | None = None) -> tuple[Subregion, ...]:
    """List the Subregions of the caller's Region (REG-004)."""
    codes = catalog().regions[call.region].subregions
    subregions = (
        Subregion(location_code=code, region_name=call.region, subregion_name=name) for name, code in codes.items()
    )
    return matching(subregions, parsed(filters))


@action("ReadVmTypes", "VmTypes", paged=True, open=True)
def read_vm_types(call: Call, *, filters: OrDict[FiltersVmType] | None = None) -> tuple[VmType, ...]:
    """List the predefined VM types; any TINA type can be asked for beside them (VMT-009)."""
    return matching(catalog().vm_types.values(), parsed(filters))
