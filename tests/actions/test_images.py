"""OMIs: what comes of each way of making one, and what they carry."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import find_official
from support.expect import expect_refusal
from support.reread import reread

from omisim import Account, ApiError, Cloud
from omisim.model import Image, Snapshot, Vm

REGION = "eu-west-2"
LETTERS = "abcXYZ019_ ()/.-"


def copy_image(account: Account, image: Image, **more: Any) -> Image:
    """Return a copy of an OMI."""
    return account.create_image(source_image_id=image.image_id, source_region_name=REGION, **more)


@pytest.fixture(name="snapshot")
def _snapshot(alice: Account, vm: Vm) -> Snapshot:
    return alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)


def register_image(account: Account, snapshot: Snapshot, **more: Any) -> Image:
    """Return an OMI made from a snapshot."""
    root = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}
    mappings = [root, *more.pop("data", [])]
    return account.create_image(
        image_name="registered", root_device_name="/dev/sda1", block_device_mappings=mappings, **more
    )


class TestOmiFromVm:
    def test_goes_from_pending_to_available(self, alice: Account, golden: Image) -> None:
        """An OMI of a VM is pending, then available once its snapshots are completed. [ST-OMI-1, ST-OMI-5, OMI-040]"""
        assert golden.state == "pending"
        assert reread(alice, golden).state == "available"

    @pytest.mark.parametrize("state", ["running", "stopped"])
    def test_is_created_from_running_and_stopped_vms(self, alice: Account, vm: Vm, state: str) -> None:
        """The VM may be running or stopped; NoReboot has no effect on a stopped one. [OMI-016, OMI-018]"""
        if state == "stopped":
            alice.stop_vms(vm_ids=[vm.vm_id])
        assert alice.can("CreateImage", VmId=vm.vm_id, ImageName="new", NoReboot=state == "stopped")

    def test_has_a_new_snapshot_of_each_volume(self, alice: Account, ubuntu: Image) -> None:
        """Each linked volume gives a new snapshot under its device name, with its size and type. [OMI-061]"""
        disk = {
            "device_name": "/dev/sdb",
            "bsu": {"volume_size": 20, "volume_type": "gp2", "delete_on_vm_deletion": False},
        }
        vm = alice.create_vms(image_id=ubuntu.image_id, block_device_mappings=[disk])[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="two disks")
        root, data = image.block_device_mappings
        assert root.bsu
        assert data.bsu
        assert (root.device_name, data.device_name) == ("/dev/sda1", "/dev/sdb")
        assert (data.bsu.volume_size, data.bsu.volume_type, data.bsu.delete_on_vm_deletion) == (20, "gp2", False)
        assert len({*image.snapshot_ids, *ubuntu.snapshot_ids}) == 3

    def test_has_ordinary_snapshots_of_the_caller(self, alice: Account, vm: Vm, golden: Image) -> None:
        """Its snapshots belong to the caller, are listed like others, and name their volume. [OMI-062]"""
        snapshots = alice.read_snapshots(filters={"snapshot_ids": golden.snapshot_ids})
        assert [row.account_id for row in snapshots] == [alice.account_id]
        assert [row.volume_id for row in snapshots] == [vm.block_device_mappings[0].bsu.volume_id]

    def test_has_the_licence_architecture_and_modes_of_the_vm(self, alice: Account) -> None:
        """Licence, architecture and boot modes are those of the VM. [OMI-029, OMI-031, OMI-071, LIC-004]"""
        source = find_official(alice, "RHEL*")
        vm = alice.create_vms(image_id=source.image_id)[0]
        image = alice.create_image(vm_id=vm.vm_id, image_name="like it")
        assert image.product_codes == source.product_codes
        assert image.architecture == source.architecture
        assert set(image.boot_modes) <= set(source.boot_modes)

    def test_passes_on_protection_and_shutdown_behaviour(self, alice: Account, vm: Vm) -> None:
        """Deletion protection and shutdown behaviour are inherited, unless the launch overrides them.

        [OMI-067, VM-028]
        """
        alice.update_vm(vm_id=vm.vm_id, deletion_protection=True, vm_initiated_shutdown_behavior="terminate")
        image = alice.create_image(vm_id=vm.vm_id, image_name="protected")
        heir = alice.create_vms(image_id=image.image_id)[0]
        assert (heir.deletion_protection, heir.vm_initiated_shutdown_behavior) == (True, "terminate")
        assert not alice.create_vms(image_id=image.image_id, deletion_protection=False)[0].deletion_protection

    def test_restarts_a_running_vm(self) -> None:
        """Without NoReboot a running VM is stopped for the snapshot, and started again. [OMI-017]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="rebooted")
        assert alice.read_vms()[0].state == "stopping"
        cloud.settle()
        states = [state for state, _ in groupby(change.after.state for change in cloud.timeline(vm.vm_id))]
        assert states[-4:] == ["stopping", "stopped", "pending", "running"]

    def test_leaves_the_vm_running_with_no_reboot(self) -> None:
        """With NoReboot the VM stays running. [OMI-017]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="crash consistent", no_reboot=True)
        assert alice.read_vms()[0].state == "running"


class TestCopyOfOmi:
    def test_is_available_at_once(self, alice: Account, golden: Image) -> None:
        """The answer shows the copy as available. [ST-OMI-2, OMI-040]"""
        assert copy_image(alice, golden).state == "available"

    def test_has_its_own_id_and_snapshots(self, cloud: Cloud, alice: Account, golden: Image) -> None:
        """A copy shares nothing with its source: each can be deleted without the other. [OMI-063, OMI-126, CPY-001]"""
        copy = copy_image(alice, golden)
        assert not set(copy.snapshot_ids) & set(golden.snapshot_ids)
        alice.delete_image(image_id=golden.image_id)
        for snapshot_id in golden.snapshot_ids:
            alice.delete_snapshot(snapshot_id=snapshot_id)
        vm = alice.create_vms(image_id=copy.image_id)[0]
        assert vm.image_id == copy.image_id
        assert [row.state for row in alice.read_snapshots(filters={"snapshot_ids": copy.snapshot_ids})] == ["completed"]
        assert cloud.lineage(copy.image_id).parents[0].id == golden.image_id

    def test_is_named_after_its_source_by_default(self, alice: Account, golden: Image) -> None:
        """Without a name a copy is called <source>-copyN, with the smallest free N. [OMI-024]"""
        names = [copy_image(alice, golden).image_name for _ in range(3)]
        assert names == ["golden-copy1", "golden-copy2", "golden-copy3"]
        second = alice.read_images(filters={"image_names": ["golden-copy2"]})[0]
        alice.delete_image(image_id=second.image_id)
        assert copy_image(alice, golden).image_name == "golden-copy2"

    def test_has_a_default_name_of_valid_length(self, alice: Account, vm: Vm) -> None:
        """A source name of maximum length is shortened for the name of the copy. [OMI-020, OMI-024]"""
        longest = alice.create_image(vm_id=vm.vm_id, image_name="n" * 128)
        names = [copy_image(alice, longest).image_name for _ in range(2)]
        assert names == ["n" * 122 + "-copy1", "n" * 122 + "-copy2"]

    def test_may_have_a_name_with_the_characters_of_a_date(self, alice: Account, vm: Vm, golden: Image) -> None:
        """Colons, plus and equals signs are valid in the name of a copy, and of no other OMI. [OMI-021, OMI-025]"""
        name = "at=2026-01-01T00:00:00+00:00"
        assert copy_image(alice, golden, image_name=name).image_name == name
        assert expect_refusal(alice, "CreateImage", VmId=vm.vm_id, ImageName=name).rule == "OMI-021"
        source = {"SourceImageId": golden.image_id, "SourceRegionName": "eu-west-2"}
        assert expect_refusal(alice, "CreateImage", ImageName="a*b", **source).rule == "OMI-021"

    def test_has_the_boot_modes_of_its_source_by_default(self, alice: Account, golden: Image) -> None:
        """An empty list of boot modes counts as absent, and a repeated mode counts once. [OMI-030, OMI-031]"""
        assert copy_image(alice, golden, boot_modes=[]).boot_modes == golden.boot_modes
        assert copy_image(alice, golden, boot_modes=["uefi", "uefi"]).boot_modes == ("uefi",)

    def test_has_each_product_code_once(self, alice: Account, vm: Vm, golden: Image) -> None:
        """A product code that is given twice counts once. [OMI-073, OMI-113]"""
        image = alice.create_image(vm_id=vm.vm_id, image_name="twice", product_codes=["0006", "0006"])
        assert image.product_codes == ("0001", "0006")
        updated = alice.update_image(image_id=golden.image_id, product_codes=["0001", "0006", "0001"])
        assert updated.product_codes == ("0001", "0006")

    def test_keeps_the_product_code_of_linux(self, alice: Account, golden: Image) -> None:
        """An empty list removes every code but the default of an OMI. [OMI-070, OMI-113]"""
        alice.update_image(image_id=golden.image_id, product_codes=["0006"])
        assert alice.update_image(image_id=golden.image_id, product_codes=[]).product_codes == ("0001",)

    def test_inherits_all_but_tags_and_permissions(self, alice: Account, bob: Account, golden: Image) -> None:
        """Description, licence and modes are inherited; tags and permissions are not.

        [OMI-026, OMI-039, CPY-001, CPY-002]
        """
        alice.update_image(
            image_id=golden.image_id,
            description="the one",
            permissions_to_launch={"additions": {"account_ids": [bob.account_id]}},
        )
        alice.create_tags(resource_ids=[golden.image_id], tags=[{"key": "team", "value": "blue"}])
        copy = copy_image(alice, golden)
        assert (copy.description, copy.product_codes, copy.boot_modes) == (
            "the one",
            golden.product_codes,
            golden.boot_modes,
        )
        assert (copy.tags, copy.permissions_to_launch.account_ids) == ((), ())

    @pytest.mark.parametrize("keeps", [False, True])
    def test_of_a_public_omi_is_private(self, keeps: bool) -> None:
        """A copy of a public OMI is private, or public with the switch copy_keeps_public. [OMI-038, UNK-04]"""
        alice = Cloud(switches={"copy_keeps_public": keeps}).account("alice")
        assert copy_image(alice, find_official(alice, "Ubuntu*")).permissions_to_launch.global_permission is keeps

    def test_of_a_shared_or_public_omi_belongs_to_the_caller(self, alice: Account, bob: Account, golden: Image) -> None:
        """Own, shared and public OMIs can be copied; the copy belongs to the caller.

        [OMI-014, OMI-036, CPY-003, SHR-005]
        """
        alice.update_image(
            image_id=golden.image_id, permissions_to_launch={"additions": {"account_ids": [bob.account_id]}}
        )
        assert copy_image(bob, golden).account_id == bob.account_id
        assert copy_image(bob, find_official(bob, "Debian*")).account_alias is None

    def test_may_add_product_codes_but_not_remove_any(self, alice: Account) -> None:
        """Codes given to a copy are added to those of its source. [OMI-073]"""
        source = find_official(alice, "RHEL*")
        assert copy_image(alice, source, product_codes=["0008"]).product_codes == (*source.product_codes, "0008")


class TestOmiFromSnapshots:
    def test_is_available_at_once_with_defaults(self, alice: Account, snapshot: Snapshot) -> None:
        """A registered OMI is available, x86_64, legacy, Linux. [ST-OMI-3, OMI-028, OMI-031, OMI-070, OMI-072]"""
        image = register_image(alice, snapshot)
        assert (image.state, image.architecture) == ("available", "x86_64")
        assert (image.boot_modes, image.product_codes) == (("legacy",), ("0001",))
        assert (image.secure_boot, image.tpm_mandatory) == (False, False)

    def test_refers_to_the_given_snapshot(self, alice: Account, snapshot: Snapshot) -> None:
        """The snapshot itself is mapped, with its size, and cannot be deleted. [OMI-055, OMI-058, OMI-065, SNP-016]"""
        bsu = register_image(alice, snapshot).block_device_mappings[0].bsu
        assert bsu
        assert (bsu.snapshot_id, bsu.volume_size, bsu.volume_type) == (
            snapshot.snapshot_id,
            snapshot.volume_size,
            "standard",
        )
        assert bsu.delete_on_vm_deletion is True
        assert expect_refusal(alice, "DeleteSnapshot", SnapshotId=snapshot.snapshot_id).code == "9029"

    def test_may_use_a_shared_snapshot_even_after_its_share_ends(
        self, alice: Account, bob: Account, snapshot: Snapshot
    ) -> None:
        """A shared snapshot still belongs to its owner; ending the share does not affect the OMI.

        [OMI-013, OMI-065, SHR-015]
        """
        share = {"account_ids": [bob.account_id]}
        alice.update_snapshot(snapshot_id=snapshot.snapshot_id, permissions_to_create_volume={"additions": share})
        image = register_image(bob, snapshot)
        alice.update_snapshot(snapshot_id=snapshot.snapshot_id, permissions_to_create_volume={"removals": share})
        assert expect_refusal(alice, "DeleteSnapshot", SnapshotId=snapshot.snapshot_id).rule == "SNP-016"
        assert bob.can("CreateVms", ImageId=image.image_id)

    def test_does_not_store_virtual_devices(self, alice: Account, snapshot: Snapshot) -> None:
        """A virtual device is accepted and not stored. [OMI-052]"""
        image = register_image(alice, snapshot, data=[{"device_name": "/dev/sdb", "virtual_device_name": "ephemeral0"}])
        assert [mapping.device_name for mapping in image.block_device_mappings] == ["/dev/sda1"]

    def test_loses_the_licence_with_a_warning(self, cloud: Cloud, alice: Account) -> None:
        """An OMI from a licensed disk has the code of Linux; a warning and the lineage say so.

        [LIC-012, UNK-34, OMI-072]
        """
        vm = alice.create_vms(image_id=find_official(alice, "RHEL*").image_id)[0]
        snapshot = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        restored = alice.create_volume(subregion_name="eu-west-2a", snapshot_id=snapshot.snapshot_id)
        second = alice.create_snapshot(volume_id=restored.volume_id)
        image = register_image(alice, second)
        assert "0006" in cloud.warnings[-1]
        assert "licence 0006 dropped here" in str(cloud.lineage(snapshot.snapshot_id))
        assert image.product_codes == ("0001",)

    def test_from_a_copy_loses_the_licence_with_a_warning(self, cloud: Cloud, alice: Account) -> None:
        """The disk of a copied OMI is licensed like that of a VM: a warning and the lineage say so. [LIC-012]"""
        source = find_official(alice, "RHEL*").image_id
        copy = alice.create_image(source_image_id=source, source_region_name=alice.region)
        (snapshot,) = alice.read_snapshots(filters={"snapshot_ids": [*copy.snapshot_ids]})
        image = register_image(alice, snapshot)
        assert "0006" in cloud.warnings[-1]
        assert cloud.lineage(image.image_id).dropped == ("0006",)

    def test_keeps_the_licence_given_by_its_codes(self, cloud: Cloud, alice: Account) -> None:
        """With the product codes given, the OMI has them, and there is no warning. [OMI-072]"""
        vm = alice.create_vms(image_id=find_official(alice, "RHEL*").image_id)[0]
        snapshot = alice.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        register_image(alice, snapshot, product_codes=["0001", "0006"])
        assert not cloud.warnings

    def test_may_have_a_blank_data_disk(self, alice: Account, snapshot: Snapshot) -> None:
        """A data device without a snapshot is a blank volume of the given size. [OMI-059]"""
        image = register_image(alice, snapshot, data=[{"device_name": "/dev/sdb", "bsu": {"volume_size": 7}}])
        vm = alice.create_vms(image_id=image.image_id)[0]
        blank = alice.read_volumes(filters={"volume_ids": [vm.block_device_mappings[1].bsu.volume_id]})[0]
        assert (blank.size, blank.snapshot_id) == (7, None)


class TestEveryNewOmi:
    def test_is_private_and_belongs_to_its_creator(self, alice: Account, golden: Image) -> None:
        """A new OMI is private, and belongs to the account that created it. [OMI-036, OMI-037]"""
        assert golden.account_id == alice.account_id
        assert (golden.permissions_to_launch.global_permission, golden.permissions_to_launch.account_ids) == (False, ())

    def test_has_a_location_of_owner_and_name(self, alice: Account, golden: Image, ubuntu: Image) -> None:
        """FileLocation is <owner>/<name>, Outscale/<name> for official ones. [OMI-035]"""
        assert golden.file_location == f"{alice.account_id}/golden"
        assert ubuntu.file_location == f"Outscale/{ubuntu.image_name}"

    def test_is_answered_with_all_its_fields(self, alice: Account, golden: Image) -> None:
        """Answers always have the same fields, and an alias if the owner has one.

        [FLD-001, FLD-006, FLD-007, OMI-033]
        """
        image = alice.call("ReadImages", Filters={"ImageIds": [golden.image_id]})["Images"][0]
        assert "AccountAlias" not in image
        fixed = {"Description": "", "StateComment": {}, "Tags": [], "RootDeviceType": "bsu", "ImageType": "machine"}
        assert {name: image[name] for name in fixed} == fixed
        assert (image["SecureBoot"], image["TpmMandatory"]) == (False, False)

    def test_shows_iops_for_io1_only(self, alice: Account, snapshot: Snapshot) -> None:
        """A mapping has Iops only if its volume type is io1. [FLD-002]"""
        fast = {"device_name": "/dev/sdb", "bsu": {"volume_size": 5, "volume_type": "io1", "iops": 200}}
        image = register_image(alice, snapshot, data=[fast])
        mappings = alice.call("ReadImages", Filters={"ImageIds": [image.image_id]})["Images"][0]["BlockDeviceMappings"]
        assert ["Iops" in mapping["Bsu"] for mapping in mappings] == [False, True]

    def test_has_dates_in_utc_with_milliseconds(self, alice: Account, golden: Image) -> None:
        """Dates are ISO 8601 in UTC, with milliseconds and Z. [FLD-008]"""
        date = alice.call("ReadImages", Filters={"ImageIds": [golden.image_id]})["Images"][0]["CreationDate"]
        assert len(date) == len("2026-01-01T00:00:00.000Z")
        assert date.endswith("Z")

    @given(name=st.text(st.sampled_from(LETTERS + "é!@\n"), max_size=140))
    def test_has_a_name_of_3_to_128_valid_characters(self, name: str) -> None:
        """A name is accepted exactly when it has 3 to 128 of the characters allowed. [OMI-020, OMI-021]"""
        cloud = Cloud()
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        good = 3 <= len(name) <= 128 and set(name) <= set(LETTERS)
        assert alice.can("CreateImage", VmId=vm.vm_id, ImageName=name) == good

    def test_frees_its_name_when_it_is_deleted(self, alice: Account, vm: Vm, golden: Image) -> None:
        """Once its OMI is deleted, a name can be used again; another account may use it at any time. [OMI-023]"""
        alice.delete_image(image_id=golden.image_id)
        assert alice.create_image(vm_id=vm.vm_id, image_name="golden")

    def test_is_only_checked_by_a_dry_run(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """DryRun answers ResponseContext only, or the refusal. [OMI-041, REQ-013]"""
        before = cloud.fork()
        assert set(alice.call("CreateImage", VmId=vm.vm_id, ImageName="new", DryRun=True)) == {"ResponseContext"}
        with pytest.raises(ApiError, match="OMI-020"):
            alice.call("CreateImage", VmId=vm.vm_id, ImageName="x", DryRun=True)
        assert cloud == before


class TestFailedOmi:
    def test_results_from_a_failed_snapshot(self) -> None:
        """A pending OMI whose snapshot fails is failed, with the comment; it cannot be launched. [ST-OMI-6]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        cloud.fail(image.image_id, comment="disk error")
        failed = reread(alice, image)
        assert (failed.state, failed.state_comment.state_message) == ("failed", "disk error")
        assert expect_refusal(alice, "CreateVms", ImageId=image.image_id).code == "6001"

    @pytest.mark.parametrize("state", ["pending", "failed", "available"])
    def test_can_be_deleted_like_any_other(self, state: str) -> None:
        """An OMI can be deleted in every state, and is then no longer read. [ST-OMI-7, ST-OMI-8, UNK-10]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.complete(vm.vm_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        if state != "pending":
            (cloud.fail if state == "failed" else cloud.complete)(image.image_id)
        alice.delete_image(image_id=image.image_id)
        assert alice.read_images(filters={"image_ids": [image.image_id]}) == ()
