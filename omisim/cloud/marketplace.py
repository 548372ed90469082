"""The OUTSCALE Marketplace: how a seller's OMI becomes a copy that buyers may launch (domain 5.1).

There is no API for it: the platform copies the seller's OMI under a product code, and gives access according to the
offer. Here it is `cloud.marketplace`. Products are rows of State, undone and forked like everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omisim.engine.engine import Engine
from omisim.model import (
    AccountRow,
    BlockDeviceMappingImage,
    Image,
    ImageState,
    MarketplaceProduct,
    Origin,
    PermissionsOnResource,
    ProductVersion,
    Snapshot,
    SnapshotState,
)
from omisim.spec.catalog import MARKETPLACE, load_catalog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omisim.cloud.account import Account as Caller
    from omisim.state.transaction import Transaction

__all__ = ["OFFERS", "Marketplace", "Product"]

# offer → who may launch the copy, and from when
OFFERS: Mapping[str, str] = {
    "hourly": "buyers, once they subscribe (MKT-002)",
    "subscription": "buyers, once their subscription is activated (MKT-003)",
    "byol": "everybody; the licence is bought from the seller (MKT-004)",
    "free": "everybody (MKT-004)",
}
DEFAULT_REGIONS = ("cloudgouv-eu-west-1",)


@dataclass(frozen=True, slots=True)
class Product:
    """A product as it was when a method returned it; every method looks up the current one.

    `images` has the id of the newest distributed copy by Region; it is empty once the product is unpublished.
    """

    product_code: str
    name: str
    offer: str
    version: int
    images: Mapping[str, str]


class Marketplace:
    """What sellers, buyers and the platform do outside the API. Unknown or misplaced arguments raise ValueError."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def publish(
        self, seller: Caller, image_id: str, offer: str = "hourly", regions: Sequence[str] = DEFAULT_REGIONS
    ) -> Product:
        """Publish an OMI of the seller's as version 1 of a new product (MKT-001, MKT-008, MKT-009).

        The platform's copy carries the OMI's product codes and the product's own, in each Region of publication.
        """
        if offer not in OFFERS:
            raise ValueError(f"offer is one of {', '.join(OFFERS)}; not {offer!r}")
        if isinstance(regions, str):
            raise ValueError(f"regions are several, even if one: ({regions!r},)")  # noqa: TRY004 - as every wrong argument
        if not regions:
            raise ValueError("a product is published in at least one Region")
        for region in regions:
            if region not in load_catalog().regions:
                raise ValueError(f"region is one of {', '.join(load_catalog().regions)}; not {region!r}")
        source = self._source(_known(seller).account_id, image_id)
        with self._engine.transaction("marketplace") as tx:
            row = MarketplaceProduct(
                account_id=seller.account_id,
                offer=offer,
                product_code=tx.new_id("product_type"),
                regions=tuple(dict.fromkeys(regions)),
                seller=seller.name,
            )
            return _product(_publish(tx, tx.add(row), source))

    def new_version(self, product: Product, image_id: str) -> Product:
        """Publish another OMI of the seller's as the next version; who has access gets it too (MKT-006, MKT-010)."""
        row = self._published(product)
        source = self._source(row.account_id, image_id)
        with self._engine.transaction("marketplace") as tx:
            return _product(_publish(tx, row, source))

    def subscribe(self, product: Product, buyer: Caller) -> Product:
        """Subscribe: access to every version in the buyer's Region, at once for an hourly offer (MKT-002, MKT-005)."""
        row = self._published(product)
        if row.offer not in ("hourly", "subscription"):
            raise ValueError(
                f"{row.product_code} is {row.offer}: everybody may launch it, there is nothing to subscribe"
            )
        if _known(buyer).region not in row.regions:
            raise ValueError(
                f"{row.product_code} is published in {', '.join(row.regions)}; {buyer.name} is in {buyer.region}"
            )
        with self._engine.transaction("marketplace") as tx:
            subscribers = tuple(dict.fromkeys((*row.subscribers, buyer.account_id)))
            active = (*row.active, buyer.account_id) if row.offer == "hourly" else row.active
            return _product(
                _grant(tx, tx.put(replace(row, subscribers=subscribers, active=tuple(dict.fromkeys(active)))))
            )

    def activate(self, product: Product, buyer: Caller) -> Product:
        """Reach the activation date of a buyer's subscription: from now on he has access (MKT-003)."""
        row = self._published(product)
        if row.offer != "subscription":
            raise ValueError(f"{row.product_code} is {row.offer}: only a subscription has an activation date")
        if _known(buyer).account_id not in row.subscribers:
            raise ValueError(f"{buyer.name} has no subscription to {row.product_code}")
        with self._engine.transaction("marketplace") as tx:
            return _product(
                _grant(tx, tx.put(replace(row, active=tuple(dict.fromkeys((*row.active, buyer.account_id))))))
            )

    def unpublish(self, product: Product, version: int | None = None) -> Product:
        """Withdraw a version, or the whole product: its OMIs are deleted, VMs made from them go on (MKT-007)."""
        row = self._published(product)
        gone = tuple(v for v in row.versions if version in (None, v.number))
        if not gone:
            raise ValueError(f"{row.product_code} has no published version {version}")
        with self._engine.transaction("marketplace") as tx:
            for published in gone:
                image: Image | None = tx.state.get("image", published.image_id)
                if image is not None:
                    tx.move(image, "delete")
            return _product(tx.put(replace(row, versions=tuple(v for v in row.versions if v not in gone))))

    def _source(self, account_id: str, image_id: str) -> Image:
        image: Image | None = self._engine.state.get("image", image_id)
        if image is None or image.account_id != account_id:
            raise ValueError(f"{image_id} is no OMI of the seller's")
        if image.state is not ImageState.AVAILABLE:
            raise ValueError(f"{image_id} is {image.state}; an OMI to publish is available")
        return image

    def _published(self, product: Product) -> MarketplaceProduct:
        if not isinstance(product, Product):
            raise ValueError(f"{product!r} is no product: cloud.marketplace.publish returns one")  # noqa: TRY004 - as every wrong argument
        row: MarketplaceProduct | None = self._engine.state.get("product", product.product_code)
        if row is None:
            raise ValueError(f"{product.product_code} is no product of this cloud")
        if not row.versions:
            raise ValueError(f"{product.product_code} has been unpublished")
        return row


def _known(caller: Caller) -> Caller:
    if not hasattr(caller, "account_id"):
        raise ValueError(f"{caller!r} is no account: cloud.account(name) returns one")
    return caller


def _product(row: MarketplaceProduct) -> Product:
    newest = max((v.number for v in row.versions), default=row.latest)
    images = {v.region: v.image_id for v in row.versions if v.number == newest}
    return Product(row.product_code, f"{row.seller}-{row.product_code}", row.offer, newest, images)


def _publish(tx: Transaction, row: MarketplaceProduct, source: Image) -> MarketplaceProduct:
    """Make the platform's copy of an OMI in each Region of publication."""
    number = row.latest + 1
    copies = tuple(ProductVersion(number, region, _copy(tx, row, number, region, source)) for region in row.regions)
    return _grant(tx, tx.put(replace(row, latest=number, versions=(*row.versions, *copies))))


def _grant(tx: Transaction, row: MarketplaceProduct) -> MarketplaceProduct:
    """Share every version with the buyers that have access, each in his own Region."""
    for version in row.versions:
        image: Image = tx.state.get("image", version.image_id)
        here = tuple(buyer for buyer in row.active if tx.state.get("account", buyer).region == version.region)
        granted = replace(image.permissions_to_launch, account_ids=here)
        tx.put(replace(image, permissions_to_launch=granted))
    return row


def _copy(tx: Transaction, row: MarketplaceProduct, number: int, region: str, source: Image) -> str:
    owner: AccountRow = tx.state.find_by("account", "name", f"{MARKETPLACE.lower()}@{region}")[0]
    name = f"{row.seller}-{row.product_code}-v{number}"
    image_id = tx.new_id("image")
    image = replace(
        source,
        account_alias=owner.alias,
        account_id=owner.account_id,
        block_device_mappings=tuple(_cloned(tx, owner, mapping, image_id) for mapping in source.block_device_mappings),
        creation_date=tx.at,
        file_location=f"{owner.alias}/{name}",
        image_id=image_id,
        image_name=name,
        permissions_to_launch=PermissionsOnResource(global_permission=row.offer in ("byol", "free")),
        product_codes=tuple(dict.fromkeys((*source.product_codes, row.product_code))),
        tags=(),
    )
    tx.add(image)
    tx.write(
        "origin", image_id, Origin("image", image_id, owner.account_id, name, (("published from", source.image_id),))
    )
    return image_id


def _cloned(
    tx: Transaction, owner: AccountRow, mapping: BlockDeviceMappingImage, image_id: str
) -> BlockDeviceMappingImage:
    if mapping.bsu is None or mapping.bsu.snapshot_id is None:
        return mapping
    source: Snapshot = tx.state.get("snapshot", mapping.bsu.snapshot_id)
    snapshot = Snapshot(
        account_alias=owner.alias,
        account_id=owner.account_id,
        creation_date=tx.at,
        description=f"{mapping.device_name} of {image_id}",
        progress=100,
        snapshot_id=tx.new_id("snapshot"),
        state=SnapshotState.COMPLETED,
        volume_size=source.volume_size,
    )
    tx.add(snapshot)
    content = tx.state.get("content", source.snapshot_id)
    if content is not None:
        tx.write("content", snapshot.snapshot_id, content)
    parents = (("part of", image_id), ("copied from", source.snapshot_id))
    tx.write("origin", snapshot.snapshot_id, Origin("snapshot", snapshot.snapshot_id, owner.account_id, "", parents))
    return replace(mapping, bsu=replace(mapping.bsu, snapshot_id=snapshot.snapshot_id))
