"""The catalogue: Regions, VM types, product types, quotas, and the initial OMIs of every cloud.

The data is in `catalog.toml`, which is read once. Its ids do not depend on a cloud's seed, so all clouds of a process
share one catalogue.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.model import (
    AccountRow,
    BlockDeviceMappingImage,
    BsuToCreate,
    Entity,
    FlexibleGpuCatalog,
    Image,
    ImageState,
    Location,
    PermissionsOnResource,
    ProductType,
    Service,
    Snapshot,
    SnapshotState,
    VmType,
)
from omisim.model.ids import derive_hex, make_account_id, make_id
from omisim.spec.limits import ROOT

__all__ = [
    "CATALOGS", "LINUX", "MARKETPLACE", "OUTSCALE", "PlatformCatalog", "QuotaName", "RegionRow", "load_catalog",
    "make_platform_name",
]  # fmt: skip

CATALOGS = ("default",)
SEED = "catalogue"
OUTSCALE, MARKETPLACE = "Outscale", "Marketplace"
LINUX = "0001"  # the product code without a licence
QuotaName = Literal[
    "vm_limit", "core_limit", "memory_limit", "ip_limit", "gpu_limit", "dedicated_server_limit",
    "volume_limit", "volume_size_limit", "standard_volume_size_limit", "gp2_volume_size_limit",
    "io1_volume_size_limit", "os1_volume_size_limit", "st1_volume_size_limit", "sc1_volume_size_limit",
    "iops_limit", "snapshot_limit", "concurrent_snapshot_limit", "snapshot_export_limit",
    "snapshot_copy_limit", "image_export_limit", "image_copy_limit", "sg_limit", "sg_rule_limit",
    "vm_sg_limit", "vpc_sg_limit", "vpc_sg_rule_limit", "vpc_limit", "subnet_limit", "igw_limit", "rtb_limit",
    "rtb_rule_limit", "bypass_vpc_limit", "networklink_limit", "networklink_request_limit",
    "network_endpoint_limit", "nat_gateway_limit", "lb_limit", "lb_listeners_limit", "lb_rules_limit",
    "bypass_group_limit", "bypass_group_size_limit", "pty_limit",
]  # fmt: skip


@frozen()
class RegionRow:
    """A Region: the Regions that its ReadRegions lists, and its Subregions with their location codes."""

    name: str
    sees: tuple[str, ...]
    subregions: Mapping[str, str]


@frozen()
class PlatformCatalog:
    """The content of `catalog.toml`."""

    regions: Mapping[str, RegionRow]
    product_types: Mapping[str, ProductType]
    vm_types: Mapping[str, VmType]
    families: Mapping[str, tuple[int, int]]
    vm_shapes: Mapping[str, tuple[int, float]]  # vCores and memory of the named types, also of unlisted ones
    quotas: Mapping[str, Mapping[str, Any]]
    images: tuple[Mapping[str, Any], ...]
    marketplace: tuple[Mapping[str, Any], ...]
    locations: tuple[Location, ...]
    flexible_gpus: tuple[FlexibleGpuCatalog, ...]
    public_ip_ranges: tuple[str, ...]
    _services: Mapping[str, list[str]]

    def services(self, region: str) -> Iterator[Service]:
        """Yield the services of a Region that Net access points can reach."""
        for name, ranges in self._services.items():
            service_id = f"pl-{derive_hex(f'{SEED}:{region}:{name}:service')[:8]}"
            yield Service(ip_ranges=tuple(ranges), service_id=service_id, service_name=f"com.outscale.{region}.{name}")

    @property
    def marketplace_codes(self) -> frozenset[str]:
        """The product codes of the Marketplace's products."""
        return frozenset(code for row in self.marketplace for code in row["product_codes"])

    def entities(self) -> Iterator[Entity]:
        """Yield the platform's accounts, then their OMIs with their snapshots from the oldest on, Region by Region."""
        for region in self.regions:
            outscale = _make_platform_account(OUTSCALE, region)
            marketplace = _make_platform_account(MARKETPLACE, region)
            yield from (outscale, marketplace)
            rows = [(outscale, row, True) for row in self.images]
            rows += [
                (marketplace, row, row["offer"] in ("byol", "free"))
                for row in self.marketplace
                if region in row["regions"]
            ]
            for owner, row, public in sorted(rows, key=lambda entry: entry[1]["created"]):
                yield from _make_image_entities(owner, row, public=public)


@cache
def load_catalog() -> PlatformCatalog:
    """Return the default catalogue."""
    data = load_toml("omisim.spec", "catalog.toml")
    return PlatformCatalog(
        regions={row["name"]: RegionRow(row["name"], tuple(row["sees"]), row["subregions"]) for row in data["region"]},
        product_types={
            code: ProductType(description=description, product_type_id=code, vendor=vendor or None)
            for code, (description, vendor) in data["product_types"].items()
        },
        vm_types={name: _make_vm_type(name, row) for name, row in data["vm_types"].items()},
        families={name: (row[0], row[1]) for name, row in data["families"].items()},
        vm_shapes={
            name: (row[0], row[1]) for key in ("vm_types", "unlisted_vm_types") for name, row in data[key].items()
        },
        quotas=data["quotas"],
        images=tuple(data["image_defaults"] | row for row in data["image"]),
        marketplace=tuple(data["image_defaults"] | row for row in data["marketplace_image"]),
        locations=tuple(Location(code=code, name=name) for code, name in data["locations"].items()),
        flexible_gpus=tuple(
            FlexibleGpuCatalog(generations=tuple(row[0]), max_cpu=row[1], max_ram=row[2], model_name=name, v_ram=row[3])
            for name, row in data["flexible_gpus"].items()
        ),
        public_ip_ranges=tuple(data["public_ip_ranges"]["all"]),
        _services=data["services"],
    )


def _make_vm_type(name: str, row: list[Any]) -> VmType:
    vcores, memory, ips, count, size, gpu, eth, optimized, ephemerals = row
    return VmType(
        bsu_optimized=optimized,
        ephemerals_type=ephemerals or None,
        eth=eth or None,
        gpu=gpu or None,
        max_private_ips=ips,
        memory_size=float(memory),
        vcore_count=vcores,
        vm_type_name=name,
        volume_count=count,
        volume_size=size or None,
    )


def make_platform_name(alias: str, region: str) -> str:
    """Return the name of the platform's account with this alias in a Region."""
    return f"{alias.lower()}@{region}"


def _make_platform_account(alias: str, region: str) -> AccountRow:
    name = make_platform_name(alias, region)
    number = make_account_id(SEED, name)
    return AccountRow(
        account_id=number,
        alias=alias,
        company_name="3DS OUTSCALE",
        customer_id=number[:8],
        email=f"{alias.lower()}.{region}@example.com",
        first_name=alias,
        name=name,
        password=derive_hex(f"{SEED}:{name}:password"),
        region=region,
    )


def _make_image_entities(owner: AccountRow, row: Mapping[str, Any], *, public: bool) -> Iterator[Entity]:
    created = dt.datetime.fromisoformat(row["created"])
    root = {"device": ROOT, "size": row["root_size"], "type": row.get("volume_type"), "iops": row.get("iops")}
    mappings = []
    for disk in (root, *row.get("data", ())):
        snapshot = _make_snapshot(owner, row["name"], created, disk)
        yield snapshot
        bsu = BsuToCreate(
            delete_on_vm_deletion=True,
            iops=disk.get("iops"),
            snapshot_id=snapshot.snapshot_id,
            volume_size=disk["size"],
            volume_type=disk.get("type") or "standard",
        )
        mappings.append(BlockDeviceMappingImage(bsu=bsu, device_name=disk["device"]))
    yield Image(
        account_alias=owner.alias,
        account_id=owner.account_id,
        block_device_mappings=tuple(mappings),
        boot_modes=tuple(row["boot_modes"]),
        creation_date=created,
        description=row["description"],
        file_location=f"{owner.alias}/{row['name']}",
        image_id=make_id("image", SEED, _derive_number(owner, row["name"])),
        image_name=row["name"],
        permissions_to_launch=PermissionsOnResource(global_permission=public),
        product_codes=tuple(row["product_codes"]),
        secure_boot=row.get("secure_boot", False),
        state=ImageState.AVAILABLE,
        tpm_mandatory=row.get("tpm_mandatory", False),
    )


def _make_snapshot(owner: AccountRow, name: str, created: dt.datetime, disk: Mapping[str, Any]) -> Snapshot:
    return Snapshot(
        account_alias=owner.alias,
        account_id=owner.account_id,
        creation_date=created,
        description=f"{name} {disk['device']}",
        progress=100,
        snapshot_id=make_id("snapshot", SEED, _derive_number(owner, name + disk["device"])),
        state=SnapshotState.COMPLETED,
        volume_size=disk["size"],
    )


def _derive_number(owner: AccountRow, name: str) -> int:
    return int(derive_hex(f"{owner.account_id}:{name}")[:12], 16)
