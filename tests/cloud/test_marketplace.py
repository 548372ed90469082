"""The Marketplace: how a seller's OMI becomes a copy that buyers may launch."""

from __future__ import annotations

from typing import Any

import pytest
from freezegun import freeze_time
from support.catalogue import find_official
from support.expect import expect_refusal

from omisim import Account, Cloud, SystemClock
from omisim.cloud.marketplace import Offer, Product
from omisim.model import Image, Vm

REGION = "cloudgouv-eu-west-1"


@pytest.fixture(name="seller")
def _seller(cloud: Cloud) -> Account:
    return cloud.account("acme", region=REGION)


@pytest.fixture(name="buyer")
def _buyer(cloud: Cloud) -> Account:
    return cloud.account("buyer", region=REGION)


@pytest.fixture(name="source")
def _source(cloud: Cloud, seller: Account) -> Image:
    """An OMI of the seller's, with a file on its root."""
    vm = seller.create_vms(image_id=find_official(seller, "RHEL*").image_id)[0]
    cloud.write(vm.block_device_mappings[0].bsu.volume_id, "/opt/acme", "product 1")
    return seller.create_image(vm_id=vm.vm_id, image_name="appliance")


def publish(cloud: Cloud, seller: Account, source: Image, offer: Offer = "hourly") -> Product:
    """Publish the seller's OMI in its Region."""
    return cloud.marketplace.publish(seller, source.image_id, offer=offer)


def copy_of(account: Account, product: Product) -> tuple[Image, ...]:
    """Return the distributed copy as an account reads it, if it does."""
    return account.read_images(filters={"image_ids": [product.images[REGION]]})


class TestPublishing:
    def test_creates_a_copy_of_the_marketplace(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """The copy has the alias Marketplace, and the product's name, code and licence. [MKT-001, MKT-008]"""
        product = publish(cloud, seller, source, "free")
        image = copy_of(buyer, product)[0]
        assert image.account_alias == "Marketplace"
        assert image.image_name == f"acme-{product.product_code}-v1"
        assert image.product_codes == (*source.product_codes, product.product_code)

    def test_leaves_the_omi_of_the_seller_unchanged(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """The seller's OMI stays as it was, and the copy does not depend on it. [MKT-001]"""
        before = seller.read_images(filters={"image_ids": [source.image_id]})
        product = publish(cloud, seller, source, "free")
        assert seller.read_images(filters={"image_ids": [source.image_id]}) == before
        seller.delete_image(image_id=source.image_id)
        for snapshot_id in source.snapshot_ids:
            seller.delete_snapshot(snapshot_id=snapshot_id)
        assert copy_of(seller, product)

    def test_copies_the_content(self, cloud: Cloud, seller: Account, buyer: Account, source: Image) -> None:
        """A VM of the copy has the content of the seller's OMI, and the product's code. [MKT-008]"""
        product = publish(cloud, seller, source, "free")
        vm = buyer.create_vms(image_id=product.images[REGION])[0]
        assert cloud.read(vm.block_device_mappings[0].bsu.volume_id, "/opt/acme") == "product 1"
        assert product.product_code in vm.product_codes

    def test_makes_its_code_a_product_code(self, cloud: Cloud, seller: Account, buyer: Account, source: Image) -> None:
        """UpdateImage accepts the product's code for an OMI that inherited it. [OMI-074]"""
        vm = buyer.create_vms(image_id=publish(cloud, seller, source, "free").images[REGION])[0]
        own = buyer.create_image(vm_id=vm.vm_id, image_name="own")
        assert (
            buyer.update_image(image_id=own.image_id, product_codes=own.product_codes).product_codes
            == own.product_codes
        )

    def test_is_in_cloudgouv_by_default(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """A product is published in cloudgouv-eu-west-1 by default, and elsewhere on request. [MKT-009]"""
        assert set(publish(cloud, seller, source).images) == {REGION}
        product = cloud.marketplace.publish(seller, source.image_id, offer="free", regions=(REGION, "eu-west-2"))
        elsewhere = cloud.account("dave").read_images(filters={"image_ids": [product.images["eu-west-2"]]})
        assert [image.account_alias for image in elsewhere] == ["Marketplace"]

    @pytest.mark.parametrize("offer", ["free", "byol"])
    def test_of_free_and_byol_products_is_public(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image, offer: Offer
    ) -> None:
        """The copy of a free product, or of one whose licence the buyer brings, is public. [MKT-004]"""
        assert copy_of(buyer, publish(cloud, seller, source, offer))

    def test_keeps_a_device_without_a_snapshot(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A device without a snapshot is copied and published as it is. [MKT-001, CPY-001]"""
        snapshot = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        mappings = [
            {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}},
            {"device_name": "/dev/sdb", "bsu": {"volume_size": 7}},
        ]
        image = alice.create_image(image_name="two", root_device_name="/dev/sda1", block_device_mappings=mappings)
        copy = alice.create_image(source_image_id=image.image_id, source_region_name="eu-west-2")
        assert copy.block_device_mappings[1] == image.block_device_mappings[1]
        product = cloud.marketplace.publish(alice, image.image_id, offer="free", regions=("eu-west-2",))
        copied_image = alice.read_images(filters={"image_ids": [product.images["eu-west-2"]]})[0]
        assert copied_image.block_device_mappings[1] == image.block_device_mappings[1]

    def test_begins_with_what_is_due(self) -> None:
        """An OMI can be published from the moment when it is available by a `SystemClock`, without a call between."""
        with freeze_time("2031-03-03") as frozen:
            cloud = Cloud(clock=SystemClock(), timing="clock")
            seller = cloud.account("acme")
            (vm,) = seller.create_vms(image_id=find_official(seller, "RHEL*").image_id)
            frozen.tick(3600)
            image = seller.create_image(vm_id=vm.vm_id, image_name="appliance", no_reboot=True)
            frozen.tick(3600)
            assert cloud.marketplace.publish(seller, image.image_id).version == 1


class TestSubscribing:
    def test_to_an_hourly_offer_gives_access_at_once(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """The copy of an hourly product is private, and shared with its subscribers. [MKT-002]"""
        product = publish(cloud, seller, source)
        assert expect_refusal(buyer, "CreateVms", ImageId=product.images[REGION]).code == "5023"
        cloud.marketplace.subscribe(product, buyer)
        assert buyer.create_vms(image_id=product.images[REGION])

    def test_to_a_subscription_gives_access_at_its_activation(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """The copy is shared on the activation date, not before. [MKT-003]"""
        product = cloud.marketplace.subscribe(publish(cloud, seller, source, "subscription"), buyer)
        assert expect_refusal(buyer, "CreateVms", ImageId=product.images[REGION]).code == "5023"
        cloud.marketplace.activate(product, buyer)
        assert buyer.create_vms(image_id=product.images[REGION])

    def test_gives_access_to_every_version(self, cloud: Cloud, seller: Account, buyer: Account, source: Image) -> None:
        """A subscriber gets later versions too, and keeps the earlier ones. [MKT-005, MKT-006, MKT-010]"""
        first = cloud.marketplace.subscribe(publish(cloud, seller, source), buyer)
        second = cloud.marketplace.new_version(first, source.image_id)
        assert (second.version, second.product_code) == (2, first.product_code)
        assert copy_of(buyer, first)
        assert copy_of(buyer, second)

    def test_works_with_an_earlier_value_of_the_product(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """Any earlier Product value works: the current one is looked up. [MKT-005]"""
        first = publish(cloud, seller, source)
        second = cloud.marketplace.new_version(first, source.image_id)
        cloud.marketplace.subscribe(first, buyer)
        assert copy_of(buyer, first)
        assert copy_of(buyer, second)

    def test_adds_the_buyer_to_the_permissions(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """A distributed OMI has its buyers' accounts in its permissions. [MKT-012]"""
        product = cloud.marketplace.subscribe(publish(cloud, seller, source), buyer)
        assert copy_of(buyer, product)[0].permissions_to_launch.account_ids == (buyer.account_id,)

    def test_skips_a_copy_that_was_retired(self, cloud: Cloud, seller: Account, buyer: Account, source: Image) -> None:
        """A buyer of a product whose copy `cloud.retire` has deleted gets access to the next version."""
        product = publish(cloud, seller, source)
        cloud.retire(product.images[REGION])
        cloud.marketplace.subscribe(product, buyer)
        assert copy_of(buyer, cloud.marketplace.new_version(product, source.image_id))


class TestUnpublishing:
    def test_deletes_the_copies_and_leaves_the_vms(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """An unpublished product cannot be launched; existing VMs go on. [MKT-007]"""
        product = publish(cloud, seller, source, "free")
        vm = buyer.create_vms(image_id=product.images[REGION])[0]
        assert not cloud.marketplace.unpublish(product).images
        assert expect_refusal(buyer, "CreateVms", ImageId=product.images[REGION]).code == "5023"
        assert [there.state for there in buyer.read_vms(filters={"vm_ids": [vm.vm_id]})] == ["running"]

    def test_can_be_limited_to_one_version(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """A single version can be withdrawn; the others stay. [MKT-007]"""
        first = publish(cloud, seller, source, "free")
        second = cloud.marketplace.new_version(first, source.image_id)
        cloud.marketplace.unpublish(first, version=1)
        assert not copy_of(seller, first)
        assert copy_of(seller, second)

    def test_is_undone_by_a_savepoint(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """Products are State: a savepoint undoes their changes."""
        product = publish(cloud, seller, source, "free")
        with cloud.savepoint():
            cloud.marketplace.unpublish(product)
        assert copy_of(seller, product)


class TestMarketplaceRefuses:
    def test_an_unknown_offer(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """An unknown offer is refused with the known ones."""
        with pytest.raises(ValueError, match="hourly, subscription, byol, free"):
            publish(cloud, seller, source, "rent")  # type: ignore[arg-type]

    @pytest.mark.parametrize("regions", [(), ("mars-1",), (["eu-west-2"],)])
    def test_unknown_or_missing_regions(
        self, cloud: Cloud, seller: Account, source: Image, regions: tuple[Any, ...]
    ) -> None:
        """A product is published in at least one Region, and each must exist."""
        with pytest.raises(ValueError, match=r"[Rr]egion"):
            cloud.marketplace.publish(seller, source.image_id, regions=regions)

    def test_an_omi_of_another_account(self, cloud: Cloud, buyer: Account, source: Image) -> None:
        """Only the owner of an OMI publishes it."""
        with pytest.raises(ValueError, match="must be an OMI of the seller"):
            cloud.marketplace.publish(buyer, source.image_id)

    @pytest.mark.parametrize("offer", ["free", "byol"])
    def test_a_subscription_to_a_public_product(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image, offer: Offer
    ) -> None:
        """A product that is public needs no subscription."""
        with pytest.raises(ValueError, match="without a subscription"):
            cloud.marketplace.subscribe(publish(cloud, seller, source, offer), buyer)

    def test_a_subscription_from_another_region(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """A buyer whose Region has no publication cannot subscribe. [MKT-005]"""
        with pytest.raises(ValueError, match="is in eu-west-2"):
            cloud.marketplace.subscribe(publish(cloud, seller, source), cloud.account("dave"))

    def test_an_activation_without_a_subscription(
        self, cloud: Cloud, seller: Account, buyer: Account, source: Image
    ) -> None:
        """Only a subscription of the buyer has an activation date."""
        with pytest.raises(ValueError, match="has no subscription"):
            cloud.marketplace.activate(publish(cloud, seller, source, "subscription"), buyer)
        with pytest.raises(ValueError, match="activation date"):
            cloud.marketplace.activate(publish(cloud, seller, source), buyer)

    def test_the_use_of_an_unpublished_product(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """An unpublished product, or an unknown version, cannot be used."""
        product = publish(cloud, seller, source)
        with pytest.raises(ValueError, match="no published version 7"):
            cloud.marketplace.unpublish(product, version=7)
        cloud.marketplace.unpublish(product)
        with pytest.raises(ValueError, match="has been unpublished"):
            cloud.marketplace.new_version(product, source.image_id)

    def test_a_product_of_another_cloud(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """A product belongs to its cloud."""
        product = publish(cloud, seller, source)
        with pytest.raises(ValueError, match="not a product of this cloud"):
            Cloud().marketplace.unpublish(product)

    def test_a_pending_omi(self) -> None:
        """Only an available OMI can be published."""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        with pytest.raises(ValueError, match="is pending"):
            cloud.marketplace.publish(alice, image.image_id)

    def test_a_single_region_that_is_not_in_a_list(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Regions are a list even if there is one: a string would be read letter by letter."""
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        with pytest.raises(ValueError, match=r"for example \('eu-west-2',\)"):
            cloud.marketplace.publish(alice, image.image_id, regions="eu-west-2")

    def test_regions_that_are_not_a_list(self, cloud: Cloud, seller: Account, source: Image) -> None:
        """A value that names no Regions is refused like a single name."""
        with pytest.raises(ValueError, match=r"for example \('cloudgouv-eu-west-1',\), not 3"):
            cloud.marketplace.publish(seller, source.image_id, regions=3)  # type: ignore[arg-type]  # the mistake

    @pytest.mark.parametrize("offer", ["hourly", "subscription"])
    def test_a_buyer_of_another_cloud(self, cloud: Cloud, seller: Account, source: Image, offer: Offer) -> None:
        """A buyer is an account of the product's cloud, as one before a reset or of another cloud is not."""
        stranger = Cloud(seed="other").account("buyer", region=REGION)
        product = publish(cloud, seller, source, offer)
        with pytest.raises(ValueError, match=r"must be an Account of .*, not <account buyer"):
            cloud.marketplace.subscribe(product, stranger)

    def test_a_seller_of_another_cloud(self, cloud: Cloud, source: Image) -> None:
        """A seller is an account of the same cloud."""
        stranger = Cloud(seed="other").account("acme", region=REGION)
        with pytest.raises(ValueError, match=r"must be an Account of .*, not <account acme"):
            cloud.marketplace.publish(stranger, source.image_id)

    def test_a_buyer_given_by_name(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A buyer is an Account, not its name."""
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        product = cloud.marketplace.publish(alice, image.image_id)
        with pytest.raises(ValueError, match=r"must be an Account of .*, not 'bob'"):
            cloud.marketplace.subscribe(product, "bob")  # type: ignore[arg-type]  # the mistake
