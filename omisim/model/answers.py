"""Values answered by the catalogue reads, and the products of the Marketplace."""

from __future__ import annotations

from typing import ClassVar

from omisim.base.frozen import frozen
from omisim.model.base import Entity, internal


@frozen(kw_only=True)
class Region:
    """A Region."""

    endpoint: str
    region_name: str


@frozen(kw_only=True)
class Subregion:
    """A Subregion."""

    location_code: str
    region_name: str
    state: str = "available"
    subregion_name: str


@frozen(kw_only=True)
class VmType:
    """A predefined VM type. Memory and volume sizes are GiB. `eth` and `gpu` are None if it has none (CAT-014)."""

    bsu_optimized: bool
    ephemerals_type: str | None = None
    eth: int | None = None
    gpu: int | None = None
    max_private_ips: int
    memory_size: float
    vcore_count: int
    vm_type_name: str
    volume_count: int
    volume_size: int | None = None


GLOBAL = "global"  # the type of the quotas of a whole account


@frozen(kw_only=True)
class Quota:
    """One quota of an account: its limit (0: unlimited) and the amount used."""

    account_id: str
    description: str
    max_value: int
    name: str
    quota_collection: str
    short_description: str
    used_value: int
    quota_type: str = internal(GLOBAL)  # that of its `QuotaTypes`


@frozen(kw_only=True)
class QuotaTypes:
    """The quotas of a whole account ("global"), or of one resource, whose id is the type."""

    quota_type: str
    quotas: tuple[Quota, ...]


@frozen(kw_only=True)
class ProductType(Entity):
    """A licence, identified by a product code. Built in, or created by an account (LIC-007)."""

    kind: ClassVar[str] = "product_type"
    key: ClassVar[str] = "product_type_id"
    description: str
    product_type_id: str
    vendor: str | None = None
    account_id: str = internal("")


@frozen(kw_only=True)
class Tag:
    """A tag with the resource it is on."""

    key: str
    resource_id: str
    resource_type: str
    value: str


@frozen()
class ProductVersion:
    """One version of a Marketplace product in one Region: the platform's copy."""

    number: int
    region: str
    image_id: str


@frozen(kw_only=True)
class MarketplaceProduct(Entity):
    """A Marketplace product: its seller and offer, its versions, and the accounts with access (MKT-001)."""

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
