"""The platform's OMIs: looking one up, adopting an id that code under test names, retiring one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.model import Image, Vm
from omisim.spec.catalog import load_catalog


def _take_place(cloud: Cloud) -> Cloud:
    other = Cloud()
    other.become(cloud.fork())
    return other


COPIES = {"fork": Cloud.fork, "load": lambda cloud: Cloud.load(cloud.dump()), "become": _take_place}


class TestOfficialImage:
    @pytest.mark.parametrize("region", list(load_catalog().regions))
    @pytest.mark.parametrize("family", ["ubuntu", "Debian", "CENTOS", "windows"])
    def test_is_the_newest_of_its_family(self, cloud: Cloud, family: str, region: str) -> None:
        """`official` returns the newest OMI whose name has the given beginning, in any Region. [SHR-017]"""
        image = cloud.images.official(family, region)
        account = cloud.account("reader", region=region)
        pattern = f"{image.image_name[: len(family)]}*"
        same = account.read_images(filters={"account_aliases": ["Outscale"], "image_names": [pattern]})
        assert image in same
        assert image.creation_date == max(other.creation_date for other in same)

    def test_is_in_the_default_region_of_the_cloud(self, cloud: Cloud) -> None:
        """Without a Region, `official`, `all`, `renew` and `adopt` are about the one in which accounts are created."""
        cloud.default_region = "us-east-2"
        assert cloud.account("carol").region == "us-east-2"
        assert cloud.images.official("debian") == cloud.images.official("debian", "us-east-2")
        assert cloud.images.all() == cloud.images.all("us-east-2")
        assert cloud.account("carol").can("CreateVms", ImageId=cloud.images.renew("debian").image_id)
        assert cloud.account("carol").can("CreateVms", ImageId=cloud.adopt("ami-cafe0001").image_id)

    @pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
    def test_is_in_the_default_region_of_a_copy(self, cloud: Cloud, copy: Callable[[Cloud], Cloud]) -> None:
        """A fork, a loaded dump and a cloud that takes the place of another have its default Region."""
        cloud.default_region = "us-east-2"
        assert copy(cloud).account("carol").region == "us-east-2"
        assert copy(cloud).images.official("debian") == cloud.images.official("debian", "us-east-2")

    def test_is_in_a_default_region_that_exists(self, cloud: Cloud) -> None:
        """An unknown default Region is refused, and so is a dump with one."""
        with pytest.raises(ValueError, match=r"region must be one of .*; did you mean us-east-2\?"):
            cloud.default_region = "us-east-9"
        dump = cloud.dump()
        dump["settings"]["default_region"] = "us-east-9"
        with pytest.raises(ValueError, match=r"settings\.default_region: region must be one of"):
            Cloud.load(dump)

    def test_of_an_unknown_family_is_refused_with_the_known(self, cloud: Cloud) -> None:
        """An unknown family is refused with the known ones, each once, and with the most similar one."""
        known = "Rocky, Ubuntu, Windows"
        with pytest.raises(ValueError, match=rf"must match an official OMI in eu-west-2 \(.*{known}\), not 'plan9'$"):
            cloud.images.official("plan9")
        with pytest.raises(ValueError, match="did you mean Debian"):
            cloud.images.official("debain")


class TestAllOfficialImages:
    @pytest.mark.parametrize("region", list(load_catalog().regions))
    def test_are_those_with_the_alias_outscale_in_a_region(self, cloud: Cloud, region: str) -> None:
        """`all` lists the OMIs that a read finds by the alias Outscale, in order of name."""
        images = cloud.images.all(region)
        account = cloud.account("reader", region=region)
        assert set(images) == set(account.read_images(filters={"account_aliases": ["Outscale"]}))
        assert [image.image_name for image in images] == sorted(image.image_name for image in images)


class TestAdoptedImage:
    def test_can_be_launched(self, cloud: Cloud, alice: Account) -> None:
        """An adopted id is a public official OMI, with the disks and codes of the requested family."""
        image = cloud.adopt("ami-cafe0001", like="Windows")
        assert image.product_codes == ("0002",)
        assert image.origin == "official"
        assert alice.create_vms(image_id="ami-cafe0001", vm_type="tinav5.c2r4p2")[0].is_windows

    def test_that_exists_already_is_unchanged(self, cloud: Cloud, golden: Image) -> None:
        """Adopting the id of an existing OMI changes nothing."""
        before = cloud.fork()
        assert cloud.adopt(golden.image_id).image_name == "golden"
        assert cloud.diff(before) == ()

    @pytest.mark.parametrize("wrong", ["ami-1", "vol-12345678", "", "ami-ABCDEF12"])
    def test_needs_a_valid_id(self, cloud: Cloud, wrong: str) -> None:
        """Only a well-formed OMI id can be adopted. [ID-001]"""
        with pytest.raises(ValueError, match="must be ami- and 8 hex digits"):
            cloud.adopt(wrong)


class TestUnknownImages:
    def test_are_adopted_when_a_call_uses_them(self, cloud: Cloud, alice: Account) -> None:
        """With `allow_unknown_images` any well-formed OMI id can be launched, read and copied."""
        cloud.allow_unknown_images()
        assert alice.create_vms(image_id="ami-0badcafe")
        assert alice.read_images(filters={"image_ids": ["ami-0badcaf0"]})
        assert alice.can("CreateImage", SourceImageId="ami-0badcaf1", SourceRegionName="eu-west-2")

    def test_are_not_adopted_by_default(self, alice: Account) -> None:
        """By default an unknown OMI is refused. [VM-002]"""
        assert expect_refusal(alice, "CreateVms", ImageId="ami-0badcafe").code == "5023"

    def test_are_not_adopted_by_a_refused_call(self, cloud: Cloud, alice: Account) -> None:
        """A call that is refused for another reason adopts nothing."""
        cloud.allow_unknown_images()
        assert expect_refusal(alice, "CreateVms", ImageId="ami-0badcafe", VmType="x").code == "5024"

    @pytest.mark.parametrize(
        ("action", "parameters"),
        [("CreateVms", {"ImageId": "ami-0badcafe"}), ("ReadImages", {"Filters": {"ImageIds": ["ami-0badcafe"]}})],
    )
    def test_are_not_adopted_by_a_dry_run(
        self, cloud: Cloud, alice: Account, action: str, parameters: dict[str, Any]
    ) -> None:
        """A dry run that finds an unknown OMI leaves the cloud without it. [REQ-013]"""
        cloud.allow_unknown_images()
        before = cloud.fork()
        alice.call(action, **parameters, DryRun=True)
        assert cloud == before

    def test_do_not_include_deleted_ones(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """An OMI that was deleted in this cloud is not adopted. [OMI-125]"""
        cloud.allow_unknown_images()
        alice.delete_image(image_id=golden.image_id)
        assert expect_refusal(alice, "CreateVms", ImageId=golden.image_id).code == "5023"

    @pytest.mark.parametrize("adopted", [True, False])
    def test_do_not_include_retired_ones(self, cloud: Cloud, alice: Account, ubuntu: Image, *, adopted: bool) -> None:
        """An official OMI that was retired is not adopted, nor one that was adopted before. [OMI-125]"""
        cloud.allow_unknown_images()
        image_id = cloud.adopt("ami-0badcafe").image_id if adopted else ubuntu.image_id
        cloud.retire(image_id)
        assert expect_refusal(alice, "CreateVms", ImageId=image_id).code == "5023"

    def test_are_a_setting_that_forks_and_dumps_keep(self, cloud: Cloud) -> None:
        """The setting is copied by a fork and a dump, and can be revoked."""
        cloud.allow_unknown_images()
        for twin in (cloud.fork(), Cloud.load(cloud.dump())):
            assert twin.account("alice").can("CreateVms", ImageId="ami-0badcafe")
        cloud.allow_unknown_images(allow=False)
        assert not cloud.account("alice").can("CreateVms", ImageId="ami-0badcafe")

    def test_are_not_adopted_after_a_reset(self, cloud: Cloud) -> None:
        """A reset returns to the cloud as it was made, which adopts nothing."""
        cloud.allow_unknown_images()
        cloud.reset()
        assert not cloud.account("alice").can("CreateVms", ImageId="ami-0badcafe")


class TestRetiredImage:
    def test_cannot_be_launched(self, cloud: Cloud, alice: Account, ubuntu: Image, vm: Vm) -> None:
        """A retired official OMI cannot be launched; VMs and copies made from it go on. [OMI-123, OMI-125]"""
        cloud.retire(ubuntu.image_id)
        assert expect_refusal(alice, "CreateVms", ImageId=ubuntu.image_id).code == "5023"
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert alice.can("StartVms", VmIds=[vm.vm_id])
        assert cloud.lineage(vm.vm_id)

    def test_must_exist(self, cloud: Cloud) -> None:
        """Only an existing OMI can be retired."""
        with pytest.raises(ValueError, match="must be the id of an OMI in this cloud"):
            cloud.retire("ami-00000000")
