"""Sharing: who sees and uses an OMI or a snapshot, what changes that, and reading what one may see."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import SUBREGION, official
from support.expect import refused

from omisim import Account, Cloud
from omisim.model import Image, Snapshot, Vm

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
        """A grantee reads, launches and copies it. [SHR-005, OMI-080]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert sees(bob, golden)
        assert bob.can("CreateVms", ImageId=golden.image_id)
        assert bob.can("CreateImage", SourceImageId=golden.image_id, SourceRegionName=REGION)

    def test_does_not_let_it_modify_or_delete(self, alice: Account, bob: Account, golden: Image) -> None:
        """Modifying denies that it is there, deleting that it is his. [SHR-003, SHR-007, SHR-008, OMI-106]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert refused(bob, "UpdateImage", ImageId=golden.image_id, Description="mine").code == "5023"
        assert refused(bob, "DeleteImage", ImageId=golden.image_id).status == 401

    def test_does_not_let_it_share_on(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """A grantee shares a copy of its own, not the original. [SHR-009]"""
        share(alice, golden, account_ids=[bob.account_id])
        carol = cloud.account("carol")
        grant = {"Additions": {"AccountIds": [carol.account_id]}}
        assert refused(bob, "UpdateImage", ImageId=golden.image_id, PermissionsToLaunch=grant).code == "5023"
        copy = bob.create_image(source_image_id=golden.image_id, source_region_name=REGION)
        share(bob, copy, account_ids=[carol.account_id])
        assert sees(carol, copy)

    def test_does_not_list_its_snapshots(self, alice: Account, bob: Account, golden: Image) -> None:
        """Launching needs no share of the snapshots, and gives none. [SHR-001, BDM-012, UNK-13]"""
        share(alice, golden, account_ids=[bob.account_id])
        vm = bob.create_vms(image_id=golden.image_id)[0]
        volume = bob.read_volumes(filters={"volume_ids": [vm.block_device_mappings[0].bsu.volume_id]})[0]
        assert volume.account_id == bob.account_id
        assert bob.read_snapshots(filters={"snapshot_ids": [str(volume.snapshot_id)]}) == ()

    def test_stays_in_its_region(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """An account of another Region can be listed, and sees nothing for it. [SHR-002, REG-001]"""
        carol = cloud.account("carol", region="us-east-2")
        assert share(alice, golden, account_ids=[carol.account_id]).permissions_to_launch.account_ids
        assert not sees(carol, golden)
        share(alice, golden, global_permission=True)
        assert not sees(carol, golden)

    def test_with_everybody_is_making_it_public(self, alice: Account, bob: Account, golden: Image) -> None:
        """A public OMI is shared with the whole Region, its owner visible. [SHR-010, OMI-080]"""
        share(alice, golden, global_permission=True)
        assert bob.read_images(filters={"image_ids": [golden.image_id]})[0].account_id == alice.account_id

    def test_leaves_it_the_owners(self, alice: Account, bob: Account, golden: Image) -> None:
        """The OMI of a grantee's read still names its owner. [SHR-004]"""
        share(alice, golden, account_ids=[bob.account_id])
        assert bob.read_images(filters={"account_ids": [alice.account_id]})[0].image_id == golden.image_id

    def test_shows_a_grantee_itself_alone(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """The owner sees the whole list, a grantee only itself. [OMI-085, UNK-12]"""
        others = [bob.account_id, cloud.account("carol").account_id]
        assert share(alice, golden, account_ids=others).permissions_to_launch.account_ids == tuple(others)
        seen = bob.read_images(filters={"image_ids": [golden.image_id]})[0]
        assert seen.permissions_to_launch.account_ids == (bob.account_id,)


class TestStopping:
    def test_counts_for_whatever_is_new(self, alice: Account, bob: Account, golden: Image) -> None:
        """Once revoked, an OMI is neither read nor launched nor copied any more. [SHR-012, UNK-11]"""
        share(alice, golden, account_ids=[bob.account_id])
        share(alice, golden, "removals", account_ids=[bob.account_id])
        assert not sees(bob, golden)
        assert refused(bob, "CreateVms", ImageId=golden.image_id).code == "5023"
        assert refused(bob, "CreateImage", SourceImageId=golden.image_id, SourceRegionName=REGION).code == "5023"

    @pytest.mark.parametrize("end", ["revoked", "deleted"])
    def test_leaves_what_was_made(self, alice: Account, bob: Account, golden: Image, end: str) -> None:
        """VMs and copies go on, and a stopped VM starts again. [SHR-013, SHR-014, OMI-123, OMI-125]"""
        share(alice, golden, account_ids=[bob.account_id])
        vm = bob.create_vms(image_id=golden.image_id)[0]
        copy = bob.create_image(source_image_id=golden.image_id, source_region_name=REGION)
        bob.stop_vms(vm_ids=[vm.vm_id])
        if end == "revoked":
            share(alice, golden, "removals", account_ids=[bob.account_id])
        else:
            alice.delete_image(image_id=golden.image_id)
        bob.start_vms(vm_ids=[vm.vm_id])
        still = bob.read_vms(filters={"vm_ids": [vm.vm_id]})[0]
        assert (still.state, still.image_id) == ("running", golden.image_id)
        assert bob.can("CreateVms", ImageId=copy.image_id)
        assert not bob.can("CreateVms", ImageId=golden.image_id)


class TestPermissions:
    def test_are_added_once_and_in_order(self, alice: Account, bob: Account, golden: Image) -> None:
        """Additions are idempotent, one's own id among them, and keep their order. [OMI-108, SHR-023]"""
        share(alice, golden, account_ids=[bob.account_id, alice.account_id])
        changed = share(alice, golden, account_ids=["123456789012", bob.account_id], global_permission=True)
        assert changed.permissions_to_launch.account_ids == (bob.account_id, alice.account_id, "123456789012")
        assert changed.permissions_to_launch.global_permission is True

    def test_are_removed_without_complaint(self, alice: Account, golden: Image) -> None:
        """Removing what is not there is no error; nor is an account that nobody has. [OMI-109, OMI-112]"""
        assert share(alice, golden, "removals", account_ids=["000000000000"]).permissions_to_launch.account_ids == ()

    def test_to_all_and_to_some_are_apart(self, alice: Account, bob: Account, golden: Image) -> None:
        """Making it private again leaves the list, which then counts alone. [OMI-110, SHR-011]"""
        share(alice, golden, account_ids=[bob.account_id], global_permission=True)
        private = share(alice, golden, "removals", global_permission=True)
        assert private.permissions_to_launch.account_ids == (bob.account_id,)
        assert private.permissions_to_launch.global_permission is False
        assert sees(bob, golden)

    @pytest.mark.parametrize("branch", ["additions", "removals"])
    def test_false_changes_nothing(self, alice: Account, golden: Image, branch: str) -> None:
        """GlobalPermission false neither adds nor removes. [OMI-111]"""
        share(alice, golden, global_permission=True)
        assert share(alice, golden, branch, global_permission=False).permissions_to_launch.global_permission is True

    def test_are_answered_with_the_whole_omi(self, alice: Account, golden: Image) -> None:
        """UpdateImage answers the OMI as it is now. [OMI-115, OMI-113]"""
        changed = alice.update_image(image_id=golden.image_id, description="new", product_codes=["0001", "0006"])
        assert (changed.description, changed.product_codes) == ("new", ("0001", "0006"))
        assert changed == alice.read_images(filters={"image_ids": [golden.image_id]})[0]

    @pytest.mark.parametrize("strict", [False, True])
    def test_to_drop_a_licence_are_a_switch(self, strict: bool) -> None:
        """Taking a licence off is warned of, or refused under strict_licences. [OMI-114, UNK-17]"""
        cloud = Cloud(switches={"strict_licences": strict})
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=official(alice, "RHEL*").image_id)[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="licensed")
        call: dict[str, Any] = {"ImageId": image.image_id, "ProductCodes": ["0001"]}
        if strict:
            assert refused(alice, "UpdateImage", **call).rule == "OMI-114"
        else:
            alice.call("UpdateImage", **call)
            assert "0006" in cloud.warnings[-1]

    def test_cannot_change_boot_modes(self, alice: Account, golden: Image) -> None:
        """Boot modes are fixed when an OMI is made. [OMI-032]"""
        assert refused(alice, "UpdateImage", ImageId=golden.image_id, BootModes=["uefi"]).code == "3001"


class TestDeleting:
    def test_leaves_the_snapshots_free_to_be_deleted(self, alice: Account, golden: Image) -> None:
        """The snapshots of a deleted OMI stay, and can then be deleted. [OMI-124]"""
        bsu = golden.block_device_mappings[0].bsu
        assert bsu
        assert refused(alice, "DeleteSnapshot", SnapshotId=str(bsu.snapshot_id)).rule == "SNP-016"
        alice.delete_image(image_id=golden.image_id)
        alice.delete_snapshot(snapshot_id=str(bsu.snapshot_id))

    def test_takes_the_tags_along(self, alice: Account, golden: Image) -> None:
        """The tags of an OMI go with it. [OMI-128]"""
        alice.create_tags(resource_ids=[golden.image_id], tags=[{"key": "team", "value": "blue"}])
        alice.delete_image(image_id=golden.image_id)
        assert alice.read_tags() == ()


class TestReading:
    def test_never_shows_anothers_private_omi(self, bob: Account, golden: Image) -> None:
        """Not even by its id: the answer is an empty list. [OMI-081, OMI-089]"""
        assert bob.read_images(filters={"image_ids": [golden.image_id]}) == ()
        assert bob.read_images(filters={"image_ids": ["nonsense"]}) == ()

    @pytest.mark.parametrize(
        ("filters", "found"),
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
    def test_finds_by_each_filter(self, alice: Account, golden: Image, filters: dict[str, Any], found: bool) -> None:
        """Filters find by owner, name, device and more. [OMI-082, OMI-084, OMI-086, OMI-087, OMI-088, OMI-091]"""
        alice.update_image(image_id=golden.image_id, description="the one")
        images = alice.read_images(filters=filters)
        assert (golden.image_id in [image.image_id for image in images]) is found

    def test_finds_by_whom_it_is_shared_with(self, alice: Account, bob: Account, golden: Image) -> None:
        """The explicit list is searched, and ownership is not on it. [OMI-083]"""
        mine = {"permissions_to_launch_account_ids": [alice.account_id]}
        assert golden.image_id not in [image.image_id for image in alice.read_images(filters=mine)]
        share(alice, golden, account_ids=[bob.account_id])
        his = {"permissions_to_launch_account_ids": [bob.account_id]}
        assert [image.image_id for image in alice.read_images(filters=his)] == [golden.image_id]

    def test_answers_all_without_a_page_size(self, alice: Account) -> None:
        """Without ResultsPerPage the whole list is answered, with no token. [OMI-090, PAG-002]"""
        answer = alice.call("ReadImages")
        assert len(answer["Images"]) > 30
        assert "NextPageToken" not in answer


class TestSharingASnapshot:
    def test_lets_the_grantee_read_restore_copy_and_register(
        self, alice: Account, bob: Account, snapshot: Snapshot
    ) -> None:
        """A grantee reads it, makes volumes and OMIs from it, and copies it. [SHR-015, SNP-022]"""
        call = {"SubregionName": SUBREGION, "SnapshotId": snapshot.snapshot_id}
        assert refused(bob, "CreateVolume", **call).code == "5054"
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        assert bob.read_snapshots(filters={"snapshot_ids": [snapshot.snapshot_id]})
        assert bob.can("CreateVolume", **call)
        assert bob.can("CreateSnapshot", SourceSnapshotId=snapshot.snapshot_id, SourceRegionName=REGION)

    def test_needs_both_parameters(self, alice: Account, snapshot: Snapshot) -> None:
        """UpdateSnapshot is given a snapshot and what changes. [SHR-019, SHR-021]"""
        assert refused(alice, "UpdateSnapshot", SnapshotId=snapshot.snapshot_id).code == "7000"
        wrong: dict[str, Any] = {"Adds": {"AccountIds": []}}
        call = {"SnapshotId": snapshot.snapshot_id, "PermissionsToCreateVolume": wrong}
        assert refused(alice, "UpdateSnapshot", **call).code == "3001"

    def test_can_be_found_by(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """Snapshots are found by whom they are shared with, and by being public. [SHR-022]"""
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        for filters in (
            {"permissions_to_create_volume_account_ids": [bob.account_id]},
            {"permissions_to_create_volume_global_permission": False, "account_ids": [alice.account_id]},
        ):
            assert [row.snapshot_id for row in bob.read_snapshots(filters=filters)] == [snapshot.snapshot_id]

    def test_does_not_let_the_grantee_delete_it(self, alice: Account, bob: Account, snapshot: Snapshot) -> None:
        """Only its owner deletes it, and the refusal names him. [SHR-008, SNP-018]"""
        share_snapshot(alice, snapshot, account_ids=[bob.account_id])
        assert alice.account_id in refused(bob, "DeleteSnapshot", SnapshotId=snapshot.snapshot_id).details


class TestOfficial:
    def test_omis_are_public_and_64_bit(self, alice: Account) -> None:
        """Official OMIs are public, alias Outscale, x86_64. [SHR-017, CAT-013, LIC-002]"""
        images = alice.read_images(filters={"account_aliases": ["Outscale"]})
        assert {image.permissions_to_launch.global_permission for image in images} == {True}
        assert {image.architecture for image in images} == {"x86_64"}
        assert official(alice, "RHEL*").product_codes == ("0001", "0006")

    def test_an_alias_is_given_to_an_account_from_outside(self, cloud: Cloud) -> None:
        """An alias is the platform's to give, and then stands on what the account owns. [SHR-018, ACC-008, FLD-001]"""
        dave = cloud.account("dave", alias="Dave")
        vm = dave.create_vms(image_id=official(dave, "Debian*").image_id)[0]
        assert dave.create_image(vm_id=vm.vm_id, image_name="golden").account_alias == "Dave"
