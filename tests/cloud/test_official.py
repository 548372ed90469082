"""The platform's OMIs: looking one up, adopting an id that code under test names, retiring one."""

from __future__ import annotations

import pytest
from support.expect import refused

from omisim import Account, Cloud
from omisim.model import Image, Vm
from omisim.spec.catalog import catalog


class TestOfficial:
    @pytest.mark.parametrize("region", list(catalog().regions))
    @pytest.mark.parametrize("family", ["ubuntu", "Debian", "CENTOS", "windows"])
    def test_is_the_newest_of_its_family(self, cloud: Cloud, family: str, region: str) -> None:
        """`official` finds an OMI by the beginning of its name, the newest, in any Region. [SHR-017]"""
        image = cloud.images.official(family, region)
        account = cloud.account("reader", region=region)
        names = {"account_aliases": ["Outscale"], "image_names": [f"{image.image_name[: len(family)]}*"]}
        same = account.read_images(filters=names)
        assert image in same
        assert image.creation_date == max(other.creation_date for other in same)

    def test_an_unknown_family_lists_the_known(self, cloud: Cloud) -> None:
        """A family that is not there is answered with those that are."""
        with pytest.raises(ValueError, match=r"families: .*Debian.*Windows"):
            cloud.images.official("plan9")


class TestAll:
    @pytest.mark.parametrize("region", list(catalog().regions))
    def test_are_those_of_the_alias_in_a_region(self, cloud: Cloud, region: str) -> None:
        """`all` lists what a reader finds by the alias Outscale, by name."""
        found = cloud.images.all(region)
        account = cloud.account("reader", region=region)
        assert set(found) == set(account.read_images(filters={"account_aliases": ["Outscale"]}))
        assert [image.image_name for image in found] == sorted(image.image_name for image in found)


class TestAdopt:
    def test_an_id_that_code_names_can_be_launched(self, cloud: Cloud, alice: Account) -> None:
        """An adopted id is a public official OMI, with the disks and codes of the family asked for."""
        image = cloud.adopt("ami-cafe0001", like="Windows")
        assert image.product_codes == ("0002",)
        assert alice.create_vms(image_id="ami-cafe0001", vm_type="tinav5.c2r4p2")[0].os_family == "windows"

    def test_what_exists_stays_as_it_is(self, cloud: Cloud, golden: Image) -> None:
        """Adopting an id that there is changes nothing."""
        before = cloud.fork()
        assert cloud.adopt(golden.image_id).image_name == "golden"
        assert cloud.diff(before) == ()

    @pytest.mark.parametrize("wrong", ["ami-1", "vol-12345678", "", "ami-ABCDEF12"])
    def test_what_is_no_id_is_refused(self, cloud: Cloud, wrong: str) -> None:
        """Only a well-formed OMI id can be adopted. [ID-001]"""
        with pytest.raises(ValueError, match="no id of an OMI"):
            cloud.adopt(wrong)


class TestUnknownImages:
    def test_are_adopted_when_a_call_names_them(self, cloud: Cloud, alice: Account) -> None:
        """With `allow_unknown_images` any well-formed OMI id can be launched, read and copied."""
        cloud.allow_unknown_images()
        assert alice.create_vms(image_id="ami-0badcafe")
        assert alice.read_images(filters={"image_ids": ["ami-0badcaf0"]})
        assert alice.can("CreateImage", SourceImageId="ami-0badcaf1", SourceRegionName="eu-west-2")

    def test_are_not_adopted_by_default(self, alice: Account) -> None:
        """Otherwise an unknown OMI is refused. [VM-002]"""
        assert refused(alice, "CreateVms", ImageId="ami-0badcafe").code == "5023"

    def test_leave_nothing_behind_when_the_call_is_refused(self, cloud: Cloud, alice: Account) -> None:
        """A call that is refused for something else adopts nothing."""
        cloud.allow_unknown_images()
        assert refused(alice, "CreateVms", ImageId="ami-0badcafe", VmType="x").code == "5024"

    def test_a_deleted_omi_stays_deleted(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """What this cloud had and deleted is not adopted. [OMI-125]"""
        cloud.allow_unknown_images()
        alice.delete_image(image_id=golden.image_id)
        assert refused(alice, "CreateVms", ImageId=golden.image_id).code == "5023"

    def test_are_a_setting_that_forks_and_dumps_keep(self, cloud: Cloud) -> None:
        """The permission goes along with a fork and a dump, and can be taken back."""
        cloud.allow_unknown_images()
        for twin in (cloud.fork(), Cloud.load(cloud.dump())):
            assert twin.account("alice").can("CreateVms", ImageId="ami-0badcafe")
        cloud.allow_unknown_images(allow=False)
        assert not cloud.account("alice").can("CreateVms", ImageId="ami-0badcafe")


class TestRetire:
    def test_nothing_new_comes_of_it(self, cloud: Cloud, alice: Account, ubuntu: Image, vm: Vm) -> None:
        """A retired official OMI launches nothing, while what came of it goes on. [OMI-123, OMI-125]"""
        cloud.retire(ubuntu.image_id)
        assert refused(alice, "CreateVms", ImageId=ubuntu.image_id).code == "5023"
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert alice.can("StartVms", VmIds=[vm.vm_id])
        assert cloud.lineage(vm.vm_id)

    def test_an_unknown_one_is_refused(self, cloud: Cloud) -> None:
        """Only an OMI that is there can be retired."""
        with pytest.raises(ValueError, match="no OMI of this cloud"):
            cloud.retire("ami-00000000")
