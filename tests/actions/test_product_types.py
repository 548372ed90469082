"""Product types: those of an account's own, on its OMIs and beyond."""

from __future__ import annotations

import pytest
from support.catalogue import find_official
from support.expect import expect_refusal
from support.reread import reread
from support.sign import sign_request

from omisim import Account, Cloud
from omisim.doors.oapi import OapiDoor
from omisim.model import Image, ProductType


@pytest.fixture(name="own")
def _own(alice: Account) -> ProductType:
    return alice.create_product_type(description="our appliance", vendor="us")


class TestProductTypes:
    def test_are_created_from_a_description(self, alice: Account, own: ProductType) -> None:
        """A description is enough; the id begins with pty-. [LIC-007, ID-012]"""
        assert (own.description, own.vendor, own.product_type_id[:4], len(own.product_type_id)) == (
            "our appliance",
            "us",
            "pty-",
            12,
        )
        assert expect_refusal(alice, "CreateProductType", Vendor="us").code == "7000"
        assert alice.create_product_type(description="").vendor is None

    def test_are_visible_to_their_owner_only(self, alice: Account, bob: Account, own: ProductType) -> None:
        """Every account sees the built-in types, and only the owner the others. [CAT-002, LIC-009]"""
        assert own in alice.read_product_types()
        assert {row.product_type_id for row in bob.read_product_types()} == {f"000{n}" for n in range(1, 10)}
        assert alice.read_product_types(filters={"product_type_ids": ["pty-00000000"]}) == ()

    def test_are_read_with_or_without_a_signature(self, cloud: Cloud, alice: Account, own: ProductType) -> None:
        """A valid signature names the caller, a wrong one is ignored. [CAT-002, AUTH-011]"""
        good = sign_request(alice, "/api/v1/ReadProductTypes")
        stranger = sign_request(Cloud(seed="elsewhere").account("mallory"), "/api/v1/ReadProductTypes")
        answers = [OapiDoor(cloud.engine).handle(request, cloud.now) for request in (good, stranger)]
        assert [answer.status for answer in answers] == [200, 200]
        assert [own.product_type_id.encode() in answer.body for answer in answers] == [True, False]

    def test_can_be_set_on_omis_of_their_owner(
        self, alice: Account, bob: Account, golden: Image, own: ProductType
    ) -> None:
        """An account sets its own type on its OMIs, and no other account can. [LIC-007, OMI-074]"""
        code = own.product_type_id
        assert code in alice.update_image(image_id=golden.image_id, product_codes=["0001", code]).product_codes
        source = find_official(bob, "Ubuntu*").image_id
        theirs = bob.create_image(source_image_id=source, source_region_name=bob.region)
        assert expect_refusal(bob, "UpdateImage", ImageId=theirs.image_id, ProductCodes=[code]).code == "5059"

    def test_in_use_are_deleted_by_force_only(self, alice: Account, golden: Image, own: ProductType) -> None:
        """Deleting a type that OMIs have needs Force, and the OMIs keep the code. [LIC-008/used, UNK-40]"""
        code = own.product_type_id
        alice.update_image(image_id=golden.image_id, product_codes=["0001", code])
        error = expect_refusal(alice, "DeleteProductType", ProductTypeId=code)
        assert (error.status, error.code, error.facts["images"]) == (409, "9029", [golden.image_id])
        alice.delete_product_type(product_type_id=code, force=True)
        assert own not in alice.read_product_types()
        assert code in reread(alice, golden).product_codes

    def test_of_others_cannot_be_deleted(self, alice: Account, bob: Account, own: ProductType) -> None:
        """Foreign, built-in and unknown types do not exist for the caller. [LIC-008]"""
        for code in (own.product_type_id, "0001", "pty-00000000"):
            assert expect_refusal(bob, "DeleteProductType", ProductTypeId=code).code == "5059"
        alice.delete_product_type(product_type_id=own.product_type_id)
        assert expect_refusal(alice, "DeleteProductType", ProductTypeId=own.product_type_id).code == "5059"

    def test_are_limited_by_a_quota(self, cloud: Cloud) -> None:
        """pty_limit limits their number. [LIC-015]"""
        dave = cloud.account("dave", quotas={"pty_limit": 1})
        dave.create_product_type(description="one")
        assert expect_refusal(dave, "CreateProductType", Description="two").type == "TooManyResources (QuotaExceded)"


class TestSubregionCapacity:
    def test_limits_the_vms_of_a_launch(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """As many VMs are launched as the capacity allows, and none below the minimum. [VM-005, VMT-012]"""
        cloud.set_capacity("eu-west-2a", 3)
        assert len(alice.create_vms(image_id=ubuntu.image_id, min_vms_count=1, max_vms_count=2)) == 2
        request = {"ImageId": ubuntu.image_id, "MinVmsCount": 2, "MaxVmsCount": 5}
        error = expect_refusal(alice, "CreateVms", **request)
        assert (error.status, error.code, error.type) == (400, "10001", "InsufficientCapacity")
        assert len(alice.call("CreateVms", **{**request, "MinVmsCount": 1})["Vms"]) == 1

    def test_is_for_a_thousand_vms_of_one_launch(self, alice: Account, ubuntu: Image) -> None:
        """A launch of any number creates at most 1,000 VMs, and none if it needs more. [VM-005/launch]"""
        vms = alice.create_vms(image_id=ubuntu.image_id, min_vms_count=1000, max_vms_count=10**9)
        assert len(vms) == 1000
        refused = {"ImageId": ubuntu.image_id, "MinVmsCount": 1001, "MaxVmsCount": 10**9}
        assert expect_refusal(alice, "CreateVms", **refused).rule == "VM-005/launch"

    def test_is_freed_when_a_vm_ends(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """Another Subregion has its own capacity; a terminated VM, or no limit, makes room again. [VMT-012]"""
        cloud.set_capacity("eu-west-2a", 1)
        vm = alice.create_vms(image_id=ubuntu.image_id)[0]
        assert not alice.can("CreateVms", ImageId=ubuntu.image_id)
        assert alice.can("CreateVms", ImageId=ubuntu.image_id, Placement={"SubregionName": "eu-west-2b"})
        alice.delete_vms(vm_ids=[vm.vm_id])
        assert alice.can("CreateVms", ImageId=ubuntu.image_id)
        cloud.set_capacity("eu-west-2a", 0)
        assert not cloud.fork().account("alice").can("CreateVms", ImageId=ubuntu.image_id)
        assert not Cloud.load(cloud.dump()).account("alice").can("CreateVms", ImageId=ubuntu.image_id)
        cloud.set_capacity("eu-west-2a", None)
        assert alice.can("CreateVms", ImageId=ubuntu.image_id)

    def test_needs_a_known_subregion_and_a_number(self, cloud: Cloud) -> None:
        """The Subregion must exist, and the number must not be negative."""
        with pytest.raises(ValueError, match="eu-west-2a"):
            cloud.set_capacity("mars-1a", 1)
        with pytest.raises(ValueError, match="-1"):
            cloud.set_capacity("eu-west-2a", -1)
