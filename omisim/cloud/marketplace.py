"""The OUTSCALE Marketplace: publish a seller's OMI as a copy that buyers may launch.

The OUTSCALE API does not cover the Marketplace: the platform copies the seller's OMI under a product code, and grants
access according to the offer. `cloud.marketplace` does this here. Products are rows of State, so rollbacks and forks
apply to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

from omisim.base.frozen import frozen, replace
from omisim.base.suggest import check_known
from omisim.engine.engine import Engine
from omisim.model import (
    AccountRow,
    Image,
    ImageState,
    MarketplaceProduct,
    Origin,
    PermissionsOnResource,
    ProductVersion,
)
from omisim.model.ids import check_id
from omisim.spec.catalog import MARKETPLACE, load_catalog, make_platform_name
from omisim.state.official_images import copy_disk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from omisim.cloud.account import Account as Caller
    from omisim.state.transaction import Transaction

__all__ = ["Marketplace", "Product"]

Offer = Literal["hourly", "subscription", "byol", "free"]
# offer → the accounts that may launch the copy, and from when
OFFERS: Mapping[Offer, str] = {
    "hourly": "buyers, once they subscribe (MKT-002)",
    "subscription": "buyers, once their subscription is activated (MKT-003)",
    "byol": "every account; the seller sells the licence (MKT-004)",
    "free": "every account (MKT-004)",
}
DEFAULT_REGIONS = ("cloudgouv-eu-west-1",)


@frozen()
class Product:
    """A product at one moment. Methods that take a Product look up its current state, so an old value is valid.

    `product_code` is the code that each copy carries, `offer` a key of `OFFERS`, `version` the number of the newest
    version. `images` maps each Region to the id of its newest distributed copy; it is empty once the product is
    unpublished.
    """

    product_code: str
    name: str
    offer: str
    version: int
    images: Mapping[str, str]


class Marketplace:
    """The operations of sellers, buyers and the platform outside the API. Invalid arguments raise ValueError."""

    def __init__(self, engine: Engine) -> None:
        self.engine: Engine = engine

    def publish(
        self, seller: Caller, image_id: str, offer: Offer = "hourly", regions: Sequence[str] = DEFAULT_REGIONS
    ) -> Product:
        """Publish an OMI of the seller as version 1 of a new product (MKT-001, MKT-008, MKT-009).

        The platform creates a copy in each of the `regions`. A copy carries the product codes of the OMI and the new
        code of the product. `offer` is "hourly", "subscription", "byol" or "free". Raises ValueError if the OMI is not
        the seller's or not available, and for an unknown offer or Region.
        """
        check_known("offer", offer, OFFERS)
        if isinstance(regions, str) or not isinstance(regions, Iterable):
            example = regions if isinstance(regions, str) else DEFAULT_REGIONS[0]
            raise ValueError(f"regions must be a sequence of Regions, for example ({example!r},), not {regions!r}")
        regions = tuple(regions)
        if not regions:
            raise ValueError("regions must name at least one Region")
        for region in regions:
            check_known("region", region, load_catalog().regions)
        with self.engine.transaction("marketplace") as tx:
            source = _find_source(tx, _check_account(tx, seller).account_id, image_id)
            row = MarketplaceProduct(
                account_id=seller.account_id,
                offer=offer,
                product_code=tx.new_id("product_type"),
                regions=tuple(dict.fromkeys(regions)),
                seller=seller.name,
            )
            return _publish(tx, tx.add(row), source)

    def new_version(self, product: Product, image_id: str) -> Product:
        """Publish another OMI of the seller as the next version.

        Buyers that have access to the product get access to the version (MKT-006, MKT-010). Raises ValueError like
        `publish`, and for an unpublished product.
        """
        with self.engine.transaction("marketplace") as tx:
            row = _find_published(tx, product)
            return _publish(tx, row, _find_source(tx, row.account_id, image_id))

    def subscribe(self, product: Product, buyer: Caller) -> Product:
        """Subscribe a buyer to an hourly or subscription offer (MKT-002, MKT-005).

        The buyer gets access to every version in the buyer's Region: at once if the offer is hourly, else after
        `activate`. Raises ValueError for a byol or free offer, and if the product is not published in the Region.
        """
        with self.engine.transaction("marketplace") as tx:
            row = _find_published(tx, product)
            if row.offer not in ("hourly", "subscription"):
                raise ValueError(
                    f"{row.product_code} is {row.offer}: every account may launch it without a subscription"
                )
            if _check_account(tx, buyer).region not in row.regions:
                raise ValueError(
                    f"{row.product_code} is published in {', '.join(row.regions)}; {buyer.name} is in {buyer.region}"
                )
            row = replace(row, subscribers=_include(row.subscribers, buyer))
            return _grant(tx, replace(row, active=_include(row.active, buyer)) if row.offer == "hourly" else row)

    def activate(self, product: Product, buyer: Caller) -> Product:
        """Activate a buyer's subscription, which grants the buyer access (MKT-003).

        Raises ValueError for another offer, and for a buyer without a subscription.
        """
        with self.engine.transaction("marketplace") as tx:
            row = _find_published(tx, product)
            if row.offer != "subscription":
                raise ValueError(f"{row.product_code} is {row.offer}: only a subscription has an activation date")
            if _check_account(tx, buyer).account_id not in row.subscribers:
                raise ValueError(f"{buyer.name} has no subscription to {row.product_code}")
            return _grant(tx, replace(row, active=_include(row.active, buyer)))

    def unpublish(self, product: Product, version: int | None = None) -> Product:
        """Withdraw one version, or by default the whole product (MKT-007).

        The distributed OMIs are deleted; VMs created from them keep running. Raises ValueError for an unknown version.
        """
        with self.engine.transaction("marketplace") as tx:
            row = _find_published(tx, product)
            withdrawn = tuple(v for v in row.versions if version in (None, v.number))
            if not withdrawn:
                raise ValueError(f"{row.product_code} has no published version {version}")
            for published in withdrawn:
                image: Image | None = tx.state.get("image", published.image_id)
                if image is not None:
                    tx.move(image, "delete")
            return _to_product(tx.put(replace(row, versions=tuple(v for v in row.versions if v not in withdrawn))))


def _find_source(tx: Transaction, account_id: str, image_id: str) -> Image:
    check_id("image_id", image_id)
    image: Image | None = tx.state.get("image", image_id)
    if image is None or image.account_id != account_id:
        raise ValueError(f"image_id must be an OMI of the seller, not {image_id!r}")
    if image.state is not ImageState.AVAILABLE:
        raise ValueError(f"{image_id} is {image.state}: only an available OMI can be published")
    return image


def _find_published(tx: Transaction, product: Product) -> MarketplaceProduct:
    if not isinstance(product, Product):
        raise ValueError(f"product must be a Product of cloud.marketplace.publish(), not {product!r}")
    row: MarketplaceProduct | None = tx.state.get("product", product.product_code)
    if row is None:
        raise ValueError(f"{product.product_code} is not a product of this cloud")
    if not row.versions:
        raise ValueError(f"{product.product_code} has been unpublished")
    return row


def _check_account(tx: Transaction, caller: Caller) -> Caller:
    account_id = getattr(caller, "account_id", None)
    if account_id is None or tx.state.get("account", account_id) is None:
        raise ValueError(f"the seller or buyer must be an Account of cloud.account(), not {caller!r}")
    return caller


def _include(account_ids: tuple[str, ...], account: Caller) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*account_ids, account.account_id)))


def _to_product(row: MarketplaceProduct) -> Product:
    newest = max((v.number for v in row.versions), default=row.latest)
    images = {v.region: v.image_id for v in row.versions if v.number == newest}
    return Product(row.product_code, f"{row.seller}-{row.product_code}", row.offer, newest, images)


def _publish(tx: Transaction, row: MarketplaceProduct, source: Image) -> Product:
    """Create the platform's copy of an OMI in each Region of publication."""
    number = row.latest + 1
    copies = tuple(
        ProductVersion(number, region, _copy_image(tx, row, number, region, source)) for region in row.regions
    )
    return _grant(tx, replace(row, latest=number, versions=(*row.versions, *copies)))


def _grant(tx: Transaction, row: MarketplaceProduct) -> Product:
    """Write a product, and share every version with the buyers in its Region that have access."""
    tx.put(row)
    for version in row.versions:
        image: Image | None = tx.state.get("image", version.image_id)
        if image is None:  # it was retired
            continue
        buyers = tuple(buyer for buyer in row.active if tx.state.get("account", buyer).region == version.region)
        permissions = replace(image.permissions_to_launch, account_ids=buyers)
        tx.put(replace(image, permissions_to_launch=permissions))
    return _to_product(row)


def _copy_image(tx: Transaction, row: MarketplaceProduct, number: int, region: str, source: Image) -> str:
    owner: AccountRow = tx.state.find_by("account", "name", make_platform_name(MARKETPLACE, region))[0]
    name = f"{row.seller}-{row.product_code}-v{number}"
    image_id = tx.new_id("image")
    image = replace(
        source,
        account_alias=owner.alias,
        account_id=owner.account_id,
        block_device_mappings=tuple(
            copy_disk(tx, mapping, image_id, owner, tx.at, f"{mapping.device_name} of {image_id}", "copied from")
            for mapping in source.block_device_mappings
        ),
        creation_date=tx.at,
        file_location=f"{owner.alias}/{name}",
        image_id=image_id,
        image_name=name,
        permissions_to_launch=PermissionsOnResource(global_permission=row.offer in ("byol", "free")),
        product_codes=tuple(dict.fromkeys((*source.product_codes, row.product_code))),
        tags=(),
    )
    tx.add(image)
    parents = (("published from", source.image_id),)
    tx.write("origin", image_id, Origin("image", owner.account_id, name, parents, image.product_codes))
    return image_id
