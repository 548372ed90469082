"""Sharing: who sees and uses an OMI or a snapshot, what changes that, and reading what one may see."""

from __future__ import annotations

from typing import Any

import pytest
from support.catalogue import SUBREGION, find_official
from support.expect import expect_refusal
from support.reread import reread

from omisim import Account, Cloud
from omisim.model import Image, Snapshot, Vm
from omisim.model.filters.dicts import FiltersImageDict, FiltersSnapshotDict

REGION = "eu-west-2"


@pytest.fixture(name="snapshot")
def _snapshot(alice: Account, vm: Vm) -> Snapshot:
    return alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)


def share(alice: Account, image: Image, branch: str = "additions", **what: Any) -> Image:
    """Change the permissions of an OMI."""
    return alice.update_image(image_id=image.image_id, permissions_to_launch={branch: what})


def share_snapshot(alice: Account, snapshot: Snapshot, branch: str = "additions", **what: Any) -> Snapshot:
    """Change the permissions of a snapshot."""
    return alice.update_snapshot(snapshot_id=snapshot.snapshot_id, permissions_to_create_volume={branch: what})


def sees(account: Account, image: Image) -> bool:
    """Whether a read shows the OMI."""
    return bool(account.read_images(filters={"image_ids": [image.image_id]}))


class TestSharingAnOmi:
    def test_lets_the_grantee_read_launch_and_copy(self, alice: Account, bob: Account, golden: Image) -> None:
        """A grantee reads, launches and copies the OMI. [SHR-005, OMI-080]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert sees(bob, golden)
        assert bob.can("CreateVms", ImageId=golden.image_id)
        assert bob.can("CreateImage", SourceImageId=golden.image_id, SourceRegionName=REGION)

    def test_does_not_let_the_grantee_modify_or_delete(self, alice: Account, bob: Account, golden: Image) -> None:
        """For UpdateImage the OMI does not exist; for DeleteImage the caller is not its owner.

        [SHR-003, SHR-007, SHR-008, OMI-106]
        """
        share(alice, golden, account_ids=[bob.account_id])
        assert expect_refusal(bob, "UpdateImage", ImageId=golden.image_id, Description="mine").code == "5023"
        assert expect_refusal(bob, "DeleteImage", ImageId=golden.image_id).status == 401

    def test_does_not_let_the_grantee_share_it_further(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image
    ) -> None:
        """A grantee can share a copy of its own, not the original. [SHR-009]"""
        share(alice, golden, account_ids=[bob.account_id])
        carol = cloud.account("carol")
        grant = {"Additions": {"AccountIds": [carol.account_id]}}
        assert expect_refusal(bob, "UpdateImage", ImageId=golden.image_id, PermissionsToLaunch=grant).code == "5023"
        copy = bob.create_image(source_image_id=golden.image_id, source_region_name=REGION)
        share(bob, copy, account_ids=[carol.account_id])
        assert sees(carol, copy)

    def test_does_not_share_its_snapshots(self, alice: Account, bob: Account, golden: Image) -> None:
        """A launch needs no permission on the snapshots, and gives none. [SHR-001, BDM-012, UNK-13]"""
        share(alice, golden, account_ids=[bob.account_id])
        vm = bob.create_vms(image_id=golden.image_id)[0]
        volume = bob.read_volumes(filters={"volume_ids": [vm.block_device_mappings[0].bsu.volume_id]})[0]
        assert volume.account_id == bob.account_id
        assert bob.read_snapshots(filters={"snapshot_ids": [str(volume.snapshot_id)]}) == ()

    def test_has_no_effect_in_another_region(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """An account of another Region can be listed, and does not see the OMI. [SHR-002, REG-001]"""
        carol = cloud.account("carol", region="us-east-2")
        assert share(alice, golden, account_ids=[carol.account_id]).permissions_to_launch.account_ids
        assert not sees(carol, golden)
        share(alice, golden, global_permission=True)
        assert not sees(carol, golden)

    def test_with_every_account_makes_it_public(self, alice: Account, bob: Account, golden: Image) -> None:
        """A public OMI is shared with the whole Region, and its owner is visible. [SHR-010, OMI-080]"""
        share(alice, golden, global_permission=True)
        assert reread(bob, golden).account_id == alice.account_id

    def test_does_not_change_its_owner(self, alice: Account, bob: Account, golden: Image) -> None:
        """A grantee's read still shows the owner. [SHR-004]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert bob.read_images(filters={"account_ids": [alice.account_id]})[0].image_id == golden.image_id

    def test_shows_a_grantee_only_itself(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """The owner sees the whole list, a grantee only itself. [OMI-085, UNK-12]"""
        others = [bob.account_id, cloud.account("carol").account_id]
        assert share(alice, golden, account_ids=others).permissions_to_launch.account_ids == tuple(others)
        image = reread(bob, golden)
        assert image.permissions_to_launch.account_ids == (bob.account_id,)


class TestRevokingAShare:
    def test_ends_reads_launches_and_copies(self, alice: Account, bob: Account, golden: Image) -> None:
        """Once revoked, an OMI is no longer read, launched or copied. [SHR-012, UNK-11]"""
        share(alice, golden, account_ids=[bob.account_id])
        share(alice, golden, "removals", account_ids=[bob.account_id])
        assert not sees(bob, golden)
        assert expect_refusal(bob, "CreateVms", ImageId=golden.image_id).code == "5023"
        assert expect_refusal(bob, "CreateImage", SourceImageId=golden.image_id, SourceRegionName=REGION).code == "5023"

    @pytest.mark.parametrize("end", ["revoked", "deleted"])
    def test_leaves_existing_vms_and_copies(self, alice: Account, bob: Account, golden: Image, end: str) -> None:
        """VMs and copies stay, and a stopped VM starts again. [SHR-013, SHR-014, OMI-123, OMI-125]"""
        share(alice, golden, account_ids=[bob.account_id])
        vm = bob.create_vms(image_id=golden.image_id)[0]
        copy = bob.create_image(source_image_id=golden.image_id, source_region_name=REGION)
        bob.stop_vms(vm_ids=[vm.vm_id])
        if end == "revoked":
            share(alice, golden, "removals", account_ids=[bob.account_id])
        else:
            alice.delete_image(image_id=golden.image_id)
        bob.start_vms(vm_ids=[vm.vm_id])
        still = reread(bob, vm)
        assert (still.state, still.image_id) == ("running", golden.image_id)
        assert bob.can("CreateVms", ImageId=copy.image_id)
        assert not bob.can("CreateVms", ImageId=golden.image_id)


class TestUpdateImage:
    def test_adds_an_account_once_and_keeps_the_order(self, alice: Account, bob: Account, golden: Image) -> None:
        """Additions are idempotent, the owner's id included, and keep their order. [OMI-108, SHR-023]"""
        share(alice, golden, account_ids=[bob.account_id, alice.account_id])
        updated = share(alice, golden, account_ids=["123456789012", bob.account_id], global_permission=True)
        assert updated.permissions_to_launch.account_ids == (bob.account_id, alice.account_id, "123456789012")
        assert updated.permissions_to_launch.global_permission is True

    def test_removes_an_account_even_if_absent(self, alice: Account, golden: Image) -> None:
        """Removing an absent account is not an error, nor is an account that does not exist. [OMI-109, OMI-112]"""
        assert share(alice, golden, "removals", account_ids=["000000000000"]).permissions_to_launch.account_ids == ()

    def test_keeps_the_accounts_of_a_share_when_made_private(self, alice: Account, bob: Account, golden: Image) -> None:
        """Making an OMI private again keeps the list of accounts, which then counts alone. [OMI-110, SHR-011]"""
        share(alice, golden, account_ids=[bob.account_id], global_permission=True)
        private = share(alice, golden, "removals", global_permission=True)
        assert private.permissions_to_launch.account_ids == (bob.account_id,)
        assert private.permissions_to_launch.global_permission is False
        assert sees(bob, golden)

    @pytest.mark.parametrize("branch", ["additions", "removals"])
    def test_ignores_global_permission_false(self, alice: Account, golden: Image, branch: str) -> None:
        """GlobalPermission false neither adds nor removes. [OMI-111]"""
        share(alice, golden, global_permission=True)
        assert share(alice, golden, branch, global_permission=False).permissions_to_launch.global_permission is True

    def test_answers_the_whole_omi(self, alice: Account, golden: Image) -> None:
        """UpdateImage answers the OMI as it is after the update. [OMI-115, OMI-113]"""
        updated = alice.update_image(image_id=golden.image_id, description="new", product_codes=["0001", "0006"])
        assert (updated.description, updated.product_codes) == ("new", ("0001", "0006"))
        assert updated == reread(alice, golden)

    @pytest.mark.parametrize("strict", [False, True])
    def test_warns_about_removing_a_licence_or_refuses_it(self, strict: bool) -> None:
        """Removing a licence is warned about, or refused under strict_licences. [OMI-114, UNK-17]"""
        cloud = Cloud(switches={"strict_licences": strict})
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "RHEL*").image_id)[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="licensed")
        call: dict[str, Any] = {"ImageId": image.image_id, "ProductCodes": ["0001"]}
        if strict:
            assert expect_refusal(alice, "UpdateImage", **call).rule == "OMI-114"
        else:
            alice.call("UpdateImage", **call)
            assert "0006" in cloud.warnings[-1]

    def test_cannot_change_boot_modes(self, alice: Account, golden: Image) -> None:
        """Boot modes are fixed when an OMI is created. [OMI-032]"""
        assert expect_refusal(alice, "UpdateImage", ImageId=golden.image_id, BootModes=["uefi"]).code == "3001"


class TestDeletingAnOmi:
    def test_leaves_its_snapshots_which_can_be_deleted(self, alice: Account, golden: Image) -> None:
        """The snapshots of a deleted OMI stay, and can then be deleted. [OMI-124]"""
        bsu = golden.block_device_mappings[0].bsu
        assert bsu
        assert expect_refusal(alice, "DeleteSnapshot", SnapshotId=str(bsu.snapshot_id)).rule == "SNP-016"
        alice.delete_image(image_id=golden.image_id)
        alice.delete_snapshot(snapshot_id=str(bsu.snapshot_id))

    def test_deletes_its_tags(self, alice: Account, golden: Image) -> None:
        """The tags of an OMI are deleted with it. [OMI-128]"""
        alice.create_tags(resource_ids=[golden.image_id], tags=[{"key": "team", "value": "blue"}])
        alice.delete_image(image_id=golden.image_id)
        assert alice.read_tags() == ()


class TestReadImages:
    def test_never_shows_a_private_omi_of_another_account(self, bob: Account, golden: Image) -> None:
        """Even by its id the answer is an empty list. [OMI-081, OMI-089]"""
        assert bob.read_images(filters={"image_ids": [golden.image_id]}) == ()
        assert bob.read_images(filters={"image_ids": ["nonsense"]}) == ()

    @pytest.mark.parametrize(
        ("filters", "is_match"),
        [
            ({"account_aliases": ["Outscale"]}, False),
            ({"image_names": ["gold*"]}, True),
            ({"image_names": ["GOLD*"]}, False),
            ({"descriptions": ["*one*"]}, True),
            ({"file_locations": ["*/golden"]}, True),
            ({"permissions_to_launch_global_permission": False}, True),
            ({"permissions_to_launch_global_permission": True}, False),
            ({"hypervisors": ["xen"], "virtualization_types": ["hvm"], "root_device_types": ["ebs"]}, True),
            ({"root_device_names": ["/dev/sda1"]}, True),
            ({"hypervisors": ["kvm"]}, False),
            ({"block_device_mapping_volume_sizes": [10]}, True),
            ({"block_device_mapping_volume_sizes": [11]}, False),
            ({"product_codes": ["0001"]}, True),
            ({"product_code_names": ["Linux/UNIX"]}, True),
            ({"states": ["available"], "architectures": ["x86_64"]}, True),
            ({"states": ["gone"]}, False),
            ({"image_ids": []}, False),
        ],
    )
    def test_filters_by_owner_name_device_and_more(
        self, alice: Account, golden: Image, filters: FiltersImageDict, is_match: bool
    ) -> None:
        """Filters find by owner, name, device and more. [OMI-082, OMI-084, OMI-086, OMI-087, OMI-088, OMI-091]"""
        alice.update_image(image_id=golden.image_id, description="the one")
        images = alice.read_images(filters=filters)
        assert (golden.image_id in [image.image_id for image in images]) is is_match

    def test_filters_by_the_accounts_of_a_share(self, alice: Account, bob: Account, golden: Image) -> None:
        """The filter matches the explicit list of accounts, which does not contain the owner. [OMI-083]"""
        mine: FiltersImageDict = {"permissions_to_launch_account_ids": [alice.account_id]}
        assert golden.image_id not in [image.image_id for image in alice.read_images(filters=mine)]
        share(alice, golden, account_ids=[bob.account_id])
        his: FiltersImageDict = {"permissions_to_launch_account_ids": [bob.account_id]}
        assert [image.image_id for image in alice.read_images(filters=his)] == [golden.image_id]

    def test_answers_all_without_a_page_size(self, alice: Account) -> None:
        """Without ResultsPerPage the whole list is answered, without a token. [OMI-090, PAG-002]"""
        answer = alice.call("ReadImages")
        assert len(answer["Images"]) > 30
        assert "NextPageToken" not in answer


class TestSharingASnapshot:
    def test_lets_the_grantee_read_copy_and_use_it(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """A grantee reads it, creates volumes and OMIs from it, and copies it. [SHR-015, SNP-022]"""
        call = {"SubregionName": SUBREGION, "SnapshotId": snapshot.snapshot_id}
        assert expect_refusal(bob, "CreateVolume", **call).code == "5054"
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        assert bob.read_snapshots(filters={"snapshot_ids": [snapshot.snapshot_id]})
        assert bob.can("CreateVolume", **call)
        assert bob.can("CreateSnapshot", SourceSnapshotId=snapshot.snapshot_id, SourceRegionName=REGION)

    def test_needs_a_snapshot_and_a_change(self, alice: Account, snapshot: Snapshot) -> None:
        """UpdateSnapshot needs a snapshot and a change. [SHR-019, SHR-021]"""
        assert expect_refusal(alice, "UpdateSnapshot", SnapshotId=snapshot.snapshot_id).code == "7000"
        wrong: dict[str, Any] = {"Adds": {"AccountIds": []}}
        call = {"SnapshotId": snapshot.snapshot_id, "PermissionsToCreateVolume": wrong}
        assert expect_refusal(alice, "UpdateSnapshot", **call).code == "3001"

    def test_is_found_by_filters(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """Snapshots are found by the accounts they are shared with, and by being public. [SHR-022]"""
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        searches: list[FiltersSnapshotDict] = [
            {"permissions_to_create_volume_account_ids": [bob.account_id]},
            {"permissions_to_create_volume_global_permission": False, "account_ids": [alice.account_id]},
        ]
        for filters in searches:
            assert [row.snapshot_id for row in bob.read_snapshots(filters=filters)] == [snapshot.snapshot_id]

    def test_does_not_let_the_grantee_delete_it(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """Only its owner deletes it, and the refusal names the owner. [SHR-008, SNP-018]"""
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        assert alice.account_id in expect_refusal(bob, "DeleteSnapshot", SnapshotId=snapshot.snapshot_id).details


class TestOfficialOwner:
    def test_has_public_omis_of_64_bit(self, alice: Account) -> None:
        """Official OMIs are public, alias Outscale, x86_64. [SHR-017, CAT-013, LIC-002]"""
        images = alice.read_images(filters={"account_aliases": ["Outscale"]})
        assert {image.permissions_to_launch.global_permission for image in images} == {True}
        assert {image.architecture for image in images} == {"x86_64"}
        assert find_official(alice, "RHEL*").product_codes == ("0001", "0006")

    def test_has_an_alias_given_by_the_platform(self, cloud: Cloud) -> None:
        """The platform gives an alias, which is then shown on what the account owns. [SHR-018, ACC-008, FLD-001]"""
        dave = cloud.account("dave", alias="Dave")
        vm = dave.create_vms(image_id=find_official(dave, "Debian*").image_id)[0]
        assert dave.create_image(vm_id=vm.vm_id, image_name="golden").account_alias == "Dave"
