"""Regions, accounts, the catalogue, and the shapes of ids."""

from __future__ import annotations

import pytest
from support.catalogue import SUBREGION
from support.expect import expect_refusal

from omisim import Account, Cloud
from omisim.model import Vm
from omisim.spec.catalog import load_catalog


class TestRegions:
    def test_are_listed_with_their_hosts(self, alice: Account) -> None:
        """ReadRegions answers names and hosts without a scheme. [REG-003]"""
        regions = {row.region_name: row.endpoint for row in alice.read_regions()}
        assert regions["eu-west-2"] == "api.eu-west-2.outscale.com"

    @pytest.mark.parametrize("region", list(load_catalog().regions))
    def test_have_their_own_subregions(self, cloud: Cloud, region: str) -> None:
        """ReadSubregions lists the caller's Region only. [REG-004, REG-005]"""
        rows = cloud.account("reader", region=region).read_subregions()
        assert {row.region_name for row in rows} == {region}
        assert {row.state for row in rows} == {"available"}
        assert all(row.location_code for row in rows)

    def test_keep_their_accounts(self, cloud: Cloud, alice: Account) -> None:
        """An account stays in one Region. [REG-002, REG-001]"""
        with pytest.raises(ValueError, match="eu-west-2"):
            cloud.account("alice", region="us-east-2")
        assert alice.region == "eu-west-2"

    def test_have_volumes_in_their_subregions(self, alice: Account) -> None:
        """A volume is in a Subregion. [REG-008]"""
        assert alice.create_volume(subregion_name=SUBREGION, size=1).subregion_name == SUBREGION

    def test_hide_their_snapshots_from_other_regions(self, cloud: Cloud) -> None:
        """A snapshot of another Region does not exist for the caller. [REG-001]"""
        carol = cloud.account("carol", region="us-east-2")
        volume = carol.create_volume(subregion_name="us-east-2a", size=1)
        snapshot = carol.create_snapshot(volume_id=volume.volume_id)
        dave = cloud.account("dave")
        assert (
            expect_refusal(dave, "CreateVolume", SubregionName=SUBREGION, SnapshotId=snapshot.snapshot_id).code
            == "5054"
        )


class TestAccounts:
    def test_read_only_themselves(self, alice: Account, bob: Account) -> None:
        """ReadAccounts answers the caller only. [ACC-001, ACC-002, ID-011]"""
        assert bob
        rows = alice.read_accounts()
        assert [(row.account_id, row.email) for row in rows] == [(alice.account_id, alice.email)]
        assert (len(rows[0].account_id), len(str(rows[0].customer_id))) == (12, 8)

    def test_have_one_key_from_the_start(self, alice: Account) -> None:
        """An account is made with one access key, of 20 and 40 capitals and digits. [AK-003, ID-010]"""
        assert (len(alice.access_key), len(alice.secret_key)) == (20, 40)
        assert (alice.access_key + alice.secret_key).isalnum()

    def test_can_check_their_password(self, alice: Account) -> None:
        """CheckAuthentication accepts a login with its password. [ACC-005]"""
        alice.check_authentication(login=alice.email, password=alice.password)

    def test_log_in_by_their_email_in_their_region(self, cloud: Cloud, alice: Account) -> None:
        """The name of an account is not its login, and a Region does not know accounts of others. [ACC-005]"""
        carol = cloud.account("carol", region="us-east-2")
        for login, password in ((alice.name, alice.password), (carol.email, carol.password)):
            assert expect_refusal(alice, "CheckAuthentication", Login=login, Password=password).rule == "ACC-005"


class TestCatalogue:
    def test_of_product_types_is_complete(self, alice: Account) -> None:
        """The nine product types are listed; an unknown id finds nothing. [LIC-001, LIC-009, CAT-002]"""
        ids = [row.product_type_id for row in alice.read_product_types()]
        assert ids[:9] == [f"000{number}" for number in range(1, 10)]
        assert alice.read_product_types(filters={"product_type_ids": ["9999"]}) == ()


class TestIds:
    def test_have_the_prefix_of_their_kind_and_eight_digits(self, alice: Account, vm: Vm) -> None:
        """Ids are a prefix and eight hexadecimal digits. [ID-001, ID-002, ID-003, ID-004, ID-008]"""
        volume = vm.block_device_mappings[0].bsu.volume_id
        snapshot = alice.create_snapshot(volume_id=volume)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        for row_id, prefix in (
            (vm.vm_id, "i-"),
            (volume, "vol-"),
            (snapshot.snapshot_id, "snap-"),
            (image.image_id, "ami-"),
        ):
            assert row_id.startswith(prefix)
            assert int(row_id.removeprefix(prefix), 16) >= 0
            assert len(row_id.removeprefix(prefix)) == 8

    @pytest.mark.parametrize("prefix", ["ari", "aki"])
    def test_with_prefix_ari_or_aki_are_omi_ids_that_do_not_exist(self, alice: Account, prefix: str) -> None:
        """ari- and aki- pass the check of prefixes, and no such OMI exists. [ID-017]"""
        assert expect_refusal(alice, "CreateVms", ImageId=f"{prefix}-12345678").code == "5023"
