"""Snapshots, volumes and links: their contents, their changes and the side effects."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION
from support.expect import expect_refusal
from support.reread import reread

from omisim import Account, Cloud
from omisim.model import Vm, Volume
from omisim.model.filters.dicts import FiltersSnapshotDict

REGION = "eu-west-2"
TOKEN = "once"


def volume_of(account: Account, **more: Any) -> Volume:
    """Create a volume of 10 GiB."""
    return account.create_volume(**{"subregion_name": SUBREGION, "size": 10, **more})


class TestSnapshots:
    def test_go_from_in_queue_to_completed(self) -> None:
        """A snapshot is in-queue at 0 %, pending on its way, completed at 100 %. [ST-SNP-1, ST-SNP-2, ST-SNP-3]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        states = [(snapshot.state, snapshot.progress)]
        for _ in range(2):
            cloud.complete(snapshot.snapshot_id)
            row = alice.read_snapshots()[-1]
            states.append((row.state, row.progress))
        assert [state for state, _ in states] == ["in-queue", "pending", "completed"]
        assert (states[0][1], 0 < states[1][1] < 100, states[2][1]) == (0, True, 100)

    def test_that_fail_are_in_error_and_can_be_deleted(self) -> None:
        """A failed snapshot is in error; no volume can be created from it, and it can be deleted.

        [ST-SNP-6, ST-SNP-7]
        """
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        cloud.fail(snapshot.snapshot_id)
        assert alice.read_snapshots()[-1].state == "error"
        assert (
            expect_refusal(alice, "CreateVolume", SubregionName=SUBREGION, SnapshotId=snapshot.snapshot_id).code
            == "6003"
        )
        alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
        cloud.complete(snapshot.snapshot_id)
        assert snapshot.snapshot_id not in [row.snapshot_id for row in alice.read_snapshots()]

    def test_have_the_content_at_the_time_of_the_request(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A later write is not in the snapshot; a volume created from it has the earlier content.

        [SNP-007, SNP-008, BDM-011]
        """
        root = vm.block_device_mappings[0].bsu.volume_id
        cloud.write(root, "/etc/motd", "then")
        snapshot = alice.create_snapshot(volume_id=root)
        cloud.write(root, "/etc/motd", "now")
        restored = alice.create_volume(subregion_name=SUBREGION, snapshot_id=snapshot.snapshot_id)
        assert cloud.read(restored.volume_id, "/etc/motd") == "then"

    @pytest.mark.parametrize(("cut", "content"), [("request", "then"), ("completion", "now")])
    def test_have_the_content_at_the_time_a_switch_selects(
        self, cut: Literal["request", "completion"], content: str
    ) -> None:
        """The switch snapshot_cut selects the content at the request or at the completion. [SNP-008]"""
        cloud = Cloud(timing="manual", switches={"snapshot_cut": cut})
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        cloud.write(volume.volume_id, "/f", "then")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        cloud.write(volume.volume_id, "/f", "now")
        for _ in range(2):
            cloud.complete(snapshot.snapshot_id)
        restored = alice.create_volume(subregion_name=SUBREGION, snapshot_id=snapshot.snapshot_id)
        assert cloud.read(restored.volume_id, "/f") == content

    def test_are_independent_of_other_snapshots_and_the_volume(self, cloud: Cloud, alice: Account) -> None:
        """Deleting an older snapshot leaves a younger one whole; deleting the volume leaves both. [SNP-009, VOL-022]"""
        volume = volume_of(alice)
        cloud.write(volume.volume_id, "/f", "one")
        first = alice.create_snapshot(volume_id=volume.volume_id)
        second = alice.create_snapshot(volume_id=volume.volume_id)
        alice.delete_volume(volume_id=volume.volume_id)
        alice.delete_snapshot(snapshot_id=first.snapshot_id)
        restored = alice.create_volume(subregion_name=SUBREGION, snapshot_id=second.snapshot_id)
        assert cloud.read(restored.volume_id, "/f") == "one"

    def test_keep_the_size_that_the_volume_had(self, alice: Account) -> None:
        """VolumeSize is the size of the volume at the time of the snapshot, even if the volume grows later.

        [SNP-010]
        """
        volume = volume_of(alice)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        alice.update_volume(volume_id=volume.volume_id, size=30)
        assert reread(alice, snapshot).volume_size == 10

    def test_of_snapshots_are_completed_at_once(self, alice: Account) -> None:
        """A copy is completed, has no volume, and by default the description of its source.

        [ST-SNP-4, SNP-010, SNP-011]
        """
        source = alice.create_snapshot(volume_id=volume_of(alice).volume_id, description="nightly")
        call: dict[str, Any] = {"source_snapshot_id": source.snapshot_id, "source_region_name": REGION}
        copy = alice.create_snapshot(**call)
        assert (copy.state, copy.progress, copy.volume_id, copy.volume_size) == ("completed", 100, None, 10)
        assert (copy.description, alice.create_snapshot(**call, description="own").description) == ("nightly", "own")

    def test_can_be_restored_in_any_subregion(self, alice: Account) -> None:
        """Snapshots belong to the Region: any Subregion restores them. [SNP-019, VOL-023, REG-008]"""
        snapshot = alice.create_snapshot(volume_id=volume_of(alice).volume_id)
        for letter in "abc":
            assert alice.can("CreateVolume", SubregionName=f"{REGION}{letter}", SnapshotId=snapshot.snapshot_id)

    def test_are_private_and_filtered_by_date(self, alice: Account, bob: Account) -> None:
        """Only the owner sees a snapshot; the window of dates is inclusive. [SNP-021, SNP-022]"""
        snapshot = alice.create_snapshot(volume_id=volume_of(alice).volume_id)
        assert bob.read_snapshots(filters={"snapshot_ids": [snapshot.snapshot_id]}) == ()
        at = snapshot.creation_date
        window: FiltersSnapshotDict = {
            "from_creation_date": at,
            "to_creation_date": at,
            "account_ids": [alice.account_id],
        }
        assert [row.snapshot_id for row in alice.read_snapshots(filters=window)] == [snapshot.snapshot_id]

    def test_of_a_vm_are_refused_while_one_of_its_volumes_is_updated(self) -> None:
        """CreateImage makes no snapshot of a volume that is being updated either. [SNP-024]"""
        cloud, alice, volume_id = start_update()
        vm_id = alice.read_volumes(filters={"volume_ids": [volume_id]})[0].linked_volumes[0].vm_id
        request = {"VmId": vm_id, "ImageName": "golden", "NoReboot": True}
        assert expect_refusal(alice, "CreateImage", **request).rule == "SNP-024"
        cloud.settle()
        assert alice.can("CreateImage", **request)

    def test_are_refused_while_the_volume_is_updated(self) -> None:
        """No snapshot is taken of a volume that is being updated, and no second update begins. [SNP-024, VOL-048]"""
        cloud, alice, volume_id = start_update()
        assert expect_refusal(alice, "CreateSnapshot", VolumeId=volume_id).rule == "SNP-024"
        assert expect_refusal(alice, "UpdateVolume", VolumeId=volume_id, Size=40).rule == "VOL-048"
        cloud.settle()
        assert alice.can("CreateSnapshot", VolumeId=volume_id)


class TestClientTokens:
    @pytest.mark.parametrize("action", ["CreateSnapshot", "CreateVolume", "CreateVms"])
    def test_create_a_resource_once(self, alice: Account, vm: Vm, action: str) -> None:
        """The same token with the same request creates nothing new. [SNP-014, VOL-017, VM-008, UNK-25]"""
        root = vm.block_device_mappings[0].bsu.volume_id
        calls: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
            "CreateSnapshot": ({"VolumeId": root}, {"VolumeId": root, "Description": "other"}),
            "CreateVolume": ({"SubregionName": SUBREGION, "Size": 1}, {"SubregionName": SUBREGION, "Size": 2}),
            "CreateVms": ({"ImageId": vm.image_id}, {"ImageId": vm.image_id, "MaxVmsCount": 2}),
        }
        call, other = calls[action]
        first = alice.call(action, **call, ClientToken=TOKEN)
        second = alice.call(action, **call, ClientToken=TOKEN)
        ids = [str(sorted(_ids(answer))) for answer in (first, second)]
        assert ids[0] == ids[1]
        error = expect_refusal(alice, action, **other, ClientToken=TOKEN)
        assert (error.rule, error.code) == ("SNP-014", "4119")

    @pytest.mark.parametrize(
        "other",
        [{"SnapshotSize": 2**31}, {"FileLocation": "https://example.com/other"}],
        ids=str,
    )
    def test_are_bound_to_every_parameter_of_a_request(self, other: dict[str, Any]) -> None:
        """A request that differs in any parameter is another request. [SNP-014]"""
        alice = Cloud(fetch=lambda _url: b"").account("alice")
        call = {"FileLocation": "https://example.com/disk", "SnapshotSize": 2**30, "ClientToken": TOKEN}
        alice.call("CreateSnapshot", **call)
        assert expect_refusal(alice, "CreateSnapshot", **call | other).rule == "SNP-014"

    @pytest.mark.parametrize(
        "other",
        [
            {"Performance": "medium"},
            {"BootMode": "legacy"},
            {"TpmEnabled": True},
            {"VmType": "t2.small"},  # a default, sent explicitly
            {"MaxVmsCount": 1},
            {"BootOnCreation": True},
        ],
        ids=str,
    )
    def test_are_bound_to_every_parameter_of_a_launch(self, alice: Account, vm: Vm, other: dict[str, Any]) -> None:
        """A launch that names another parameter is another launch, even if it names a default. [VM-008]"""
        call = {"ImageId": vm.image_id, "ClientToken": TOKEN}
        alice.call("CreateVms", **call)
        assert expect_refusal(alice, "CreateVms", **call, **other).rule == "SNP-014"

    def test_distinguish_a_default_from_an_absent_parameter(self, alice: Account) -> None:
        """A default that is sent explicitly makes another request; null and DryRun do not. [SNP-014, VOL-017]"""
        call = {"SubregionName": SUBREGION, "Size": 1, "ClientToken": TOKEN}
        first = alice.call("CreateVolume", **call)["Volume"]
        assert expect_refusal(alice, "CreateVolume", **call, VolumeType="standard").rule == "SNP-014"
        assert alice.call("CreateVolume", **call, Iops=None, DryRun=False)["Volume"] == first | {"State": "available"}

    def test_are_used_up_once_the_resource_is_gone(self, alice: Account) -> None:
        """After its resource is gone, a token creates nothing, and the refusal says so. [SNP-014/gone]"""
        volume = volume_of(alice, client_token=TOKEN)
        alice.delete_volume(volume_id=volume.volume_id)
        call = {"SubregionName": SUBREGION, "Size": volume.size, "ClientToken": TOKEN}
        error = expect_refusal(alice, "CreateVolume", **call)
        assert (error.rule, error.code) == ("SNP-014/gone", "4119")

    def test_answer_a_repeated_request_with_the_present_progress(self) -> None:
        """A repeated request for a snapshot is answered with its progress of now, as a read is. [SNP-014, ST-SNP-2]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.settle()
        snapshot = alice.create_snapshot(volume_id=volume.volume_id, client_token=TOKEN)
        cloud.advance(seconds=5 + 10)  # it starts after 5 s, and lasts 2 s for each GiB
        repeated = alice.create_snapshot(volume_id=volume.volume_id, client_token=TOKEN)
        assert (repeated.state, repeated.progress) == ("pending", 50)
        assert repeated == alice.read_snapshots(filters={"snapshot_ids": [snapshot.snapshot_id]})[0]

    def test_of_a_launch_are_used_up_once_its_vm_is_gone(self, alice: Account, cloud: Cloud, vm: Vm) -> None:
        """A terminated VM is answered while it can be read; then the token of its launch is used up.

        [VM-008, SNP-014/gone]
        """
        call = {"ImageId": vm.image_id, "MinVmsCount": 2, "MaxVmsCount": 2, "ClientToken": TOKEN}
        first, second = alice.call("CreateVms", **call)["Vms"]
        alice.delete_vms(vm_ids=[second["VmId"]])
        states = [row["State"] for row in alice.call("CreateVms", **call)["Vms"]]
        assert states == ["running", "terminated"]
        cloud.advance(seconds=3600)
        assert expect_refusal(alice, "CreateVms", **call).rule == "SNP-014/gone"
        assert alice.call("ReadVms", Filters={"VmIds": [first["VmId"]]})["Vms"][0]["State"] == "running"

    def test_that_are_empty_do_not_count(self, alice: Account) -> None:
        """An empty token counts as absent. [VOL-017]"""
        first, second = (volume_of(alice, client_token="") for _ in range(2))
        assert (first.client_token, first.volume_id == second.volume_id) == (None, False)

    def test_are_answered_for_a_copied_snapshot(self, alice: Account) -> None:
        """A copy of a snapshot shows its token like any other. [SNP-014]"""
        source = alice.create_snapshot(volume_id=volume_of(alice).volume_id).snapshot_id
        copy = {"SourceSnapshotId": source, "SourceRegionName": alice.region, "ClientToken": TOKEN}
        snapshot = alice.call("CreateSnapshot", **copy)["Snapshot"]
        assert snapshot["ClientToken"] == TOKEN
        filters = {"ClientTokens": [TOKEN]}
        assert alice.call("ReadSnapshots", Filters=filters)["Snapshots"][0]["SnapshotId"] == snapshot["SnapshotId"]

    def test_belong_to_one_account(self, alice: Account, bob: Account) -> None:
        """The same token of another account is another token."""
        assert volume_of(alice, client_token=TOKEN).volume_id != volume_of(bob, client_token=TOKEN).volume_id


def _ids(answer: Any) -> set[str]:
    if isinstance(answer, dict):
        own = {value for key, value in answer.items() if key in ("SnapshotId", "VolumeId", "VmId") and value}
        return own.union(*(_ids(value) for key, value in answer.items() if key != "ResponseContext"))
    return set().union(*map(_ids, answer)) if isinstance(answer, list) else set()


class TestVolumes:
    def test_go_from_creating_to_available_to_gone(self, alice: Account) -> None:
        """A volume is creating, then available and, once deleted, gone. [ST-VOL-1, ST-VOL-2, ST-VOL-6]"""
        volume = volume_of(alice)
        assert volume.state == "creating"
        assert reread(alice, volume).state == "available"
        alice.delete_volume(volume_id=volume.volume_id)
        assert alice.read_volumes() == ()

    def test_that_fail_are_in_error_and_can_be_deleted(self) -> None:
        """A failed volume is in error, and can be deleted. [ST-VOL-3]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.fail(volume.volume_id)
        assert reread(alice, volume).state == "error"
        assert alice.can("DeleteVolume", VolumeId=volume.volume_id)

    @given(size=st.integers(1, 14901))
    def test_of_type_gp2_have_three_iops_per_gib(self, size: int) -> None:
        """gp2 has 3 IOPS for each GiB, 100 at least, 10000 at most. [VOL-011, UNK-22]"""
        volume = volume_of(Cloud().account("alice"), size=size, volume_type="gp2")
        assert volume.iops == min(max(100, 3 * size), 10_000)

    def test_of_type_standard_have_no_iops(self, alice: Account) -> None:
        """Standard volumes have no Iops, blank ones no SnapshotId, idle ones no TaskId. [VOL-012, FLD-003]"""
        volume = alice.call("CreateVolume", SubregionName=SUBREGION, Size=1)["Volume"]
        assert not {"Iops", "SnapshotId", "TaskId"} & set(volume)
        assert (volume["LinkedVolumes"], volume["VolumeType"]) == ([], "standard")

    def test_take_the_size_of_their_snapshot_but_not_the_type(self, alice: Account) -> None:
        """By default the size is that of the snapshot, the type is not; its id stays. [VOL-013, VOL-016, SNP-017]"""
        source = volume_of(alice, size=12, volume_type="gp2")
        snapshot = alice.create_snapshot(volume_id=source.volume_id)
        volume = alice.create_volume(subregion_name=SUBREGION, snapshot_id=snapshot.snapshot_id)
        assert (volume.size, volume.volume_type, volume.snapshot_id) == (12, "standard", snapshot.snapshot_id)
        alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
        assert reread(alice, volume).snapshot_id == snapshot.snapshot_id

    def test_may_be_larger_than_their_snapshot(self, alice: Account) -> None:
        """A size above that of the snapshot is the size of the volume. [VOL-013]"""
        snapshot = alice.create_snapshot(volume_id=volume_of(alice, size=12).volume_id)
        volume = alice.create_volume(subregion_name=SUBREGION, snapshot_id=snapshot.snapshot_id, size=13)
        assert volume.size == 13

    def test_of_type_io1_have_4_gib_at_least(self, alice: Account) -> None:
        """Neither 1 nor 3 GiB are enough for io1. [VOL-005]"""
        call = {"SubregionName": SUBREGION, "VolumeType": "io1", "Iops": 100}
        assert [alice.can("CreateVolume", **call, Size=size) for size in (1, 3, 4)] == [False, False, True]

    def test_need_a_completed_snapshot(self) -> None:
        """No volume is created from a snapshot in progress. [VOL-015, UNK-37]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = volume_of(alice)
        cloud.complete(volume.volume_id)
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        assert (
            expect_refusal(alice, "CreateVolume", SubregionName=SUBREGION, SnapshotId=snapshot.snapshot_id).status
            == 409
        )


def start_update() -> tuple[Cloud, Account, str]:
    """Return a cloud in which the root of a running VM is being updated to 30 GiB."""
    cloud = Cloud(timing="clock")
    alice = cloud.account("alice")
    vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
    cloud.settle()
    volume_id = vm.block_device_mappings[0].bsu.volume_id
    alice.update_volume(volume_id=volume_id, size=30)
    return cloud, alice, volume_id


class TestVolumeUpdates:
    def test_of_a_free_volume_are_immediate(self, alice: Account) -> None:
        """A free volume has its new values at once, and keeps its state. [VOL-049, ST-VOL-9]"""
        volume = volume_of(alice)
        updated = alice.update_volume(volume_id=volume.volume_id, size=20, volume_type="io1", iops=300)
        assert (updated.size, updated.volume_type, updated.iops, updated.task_id) == (20, "io1", 300, None)
        assert updated.state == "available"

    def test_of_a_volume_in_use_are_a_task(self) -> None:
        """The answer shows the old values and a TaskId, until the task is done. [VOL-047, ST-VOL-10, UNK-26]"""
        cloud, alice, volume_id = start_update()
        now = alice.read_volumes(filters={"volume_ids": [volume_id]})[0]
        assert (now.size, str(now.task_id)[:11]) == (10, "vol-update-")
        cloud.settle()
        done = alice.read_volumes(filters={"volume_ids": [volume_id]})[0]
        assert (done.size, done.task_id) == (30, None)

    def test_are_a_task_while_the_vm_starts(self) -> None:
        """Only a free volume, or one of a stopped VM, is changed at once. [VOL-049]"""
        alice = Cloud(timing="manual").account("alice")
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id)[0]
        volume = alice.update_volume(volume_id=str(vm.block_device_mappings[0].bsu.volume_id), size=30)
        assert (volume.size, volume.task_id is None) == (10, False)

    def test_have_a_task_that_can_be_read(self) -> None:
        """A task shows the old and new values, its progress, and how it ended. [VOL-050, ST-VOL-10, ID-008]"""
        cloud, alice, volume_id = start_update()
        task = alice.read_volume_update_tasks(filters={"volume_ids": [volume_id]})[0]
        assert (task.volume_update.origin.size, task.volume_update.target.size) == (10, 30)
        assert (task.state, task.progress, task.completion_date) == ("pending", 0, None)
        cloud.settle()
        done = alice.read_volume_update_tasks(filters={"task_ids": [task.task_id]})[0]
        assert (done.state, done.progress, done.completion_date) == ("completed", 100, cloud.now)
        assert cloud.account("bob").read_volume_update_tasks() == ()

    def test_that_fail_leave_the_volume_unchanged(self) -> None:
        """A failed task changes nothing but itself. [ST-VOL-10]"""
        cloud, alice, volume_id = start_update()
        cloud.fail(str(alice.read_volumes(filters={"volume_ids": [volume_id]})[0].task_id))
        still = alice.read_volumes(filters={"volume_ids": [volume_id]})[0]
        assert (still.size, still.task_id) == (10, None)

    def test_fail_when_their_volume_is_deleted_with_its_vm(self) -> None:
        """An unfinished update ends with the state of its volume in which it could not begin. [ST-VOL-10, ST-VOL-8]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=alice.read_images()[0].image_id)[0]
        volume = alice.update_volume(volume_id=str(vm.block_device_mappings[0].bsu.volume_id), size=30)
        cloud.fail(vm.vm_id)
        going = reread(alice, volume)
        assert (going.state, going.task_id, going.size) == ("deleting", None, 10)
        assert [task.state for task in alice.read_volume_update_tasks()] == ["failed"]

    def test_fail_when_their_volume_cannot_be_created(self) -> None:
        """The update of a volume that ends in the state error does not change it. [ST-VOL-10, ST-VOL-3]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        volume = alice.create_volume(size=10, subregion_name=f"{alice.region}a")
        alice.update_volume(volume_id=volume.volume_id, size=30)
        cloud.fail(volume.volume_id)
        failed = reread(alice, volume)
        assert (failed.state, failed.task_id) == ("error", None)
        assert [task.state for task in alice.read_volume_update_tasks()] == ["failed"]

    def test_to_io1_need_iops(self, alice: Account) -> None:
        """Changing to io1 asks for IOPS, and IOPS ask for io1. [VOL-043, VOL-044, VOL-045]"""
        volume_id = volume_of(alice).volume_id
        assert expect_refusal(alice, "UpdateVolume", VolumeId=volume_id, VolumeType="io1").code == "4045"
        assert expect_refusal(alice, "UpdateVolume", VolumeId=volume_id, Iops=200).code == "4045"


class TestVolumeLinks:
    def test_make_a_volume_in_use_until_unlinked(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Linking makes a volume in-use, unlinking makes it available.

        [ST-VOL-4, ST-VOL-5, LNK-001, LNK-007, LNK-009]
        """
        volume = volume_of(alice)
        alice.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
        linked = reread(alice, volume)
        assert (linked.state, linked.linked_volumes[0].state) == ("in-use", "attached")
        assert linked.linked_volumes[0].delete_on_vm_deletion is False
        alice.unlink_volume(volume_id=volume.volume_id)
        assert (reread(alice, volume).state, reread(alice, volume).linked_volumes) == ("available", ())
        states = [
            change.after and change.after.state
            for change in cloud.timeline(volume.volume_id)
            if change.kind == "volume_link"
        ]
        assert states == ["attaching", "attached", "detaching", None]

    def test_can_be_removed_by_force(self, alice: Account, vm: Vm) -> None:
        """ForceUnlink ends in the same state. [LNK-024, LNK-021]"""
        volume = volume_of(alice)
        alice.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
        alice.unlink_volume(volume_id=volume.volume_id, force_unlink=True)
        assert reread(alice, volume).state == "available"
        assert expect_refusal(alice, "UnlinkVolume", VolumeId=volume.volume_id).code == "9063"

    def test_of_the_root_can_be_removed_from_a_stopped_vm(self, alice: Account, vm: Vm) -> None:
        """The root of a stopped VM can be unlinked and linked; a VM without it does not start. [LNK-010, LNK-023]"""
        root = vm.block_device_mappings[0].bsu.volume_id
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.unlink_volume(volume_id=root)
        assert expect_refusal(alice, "StartVms", VmIds=[vm.vm_id]).rule == "LNK-011"
        alice.link_volume(device_name="/dev/sda1", vm_id=vm.vm_id, volume_id=root)
        assert alice.can("StartVms", VmIds=[vm.vm_id])

    def test_of_data_volumes_do_not_replace_the_root(self, alice: Account, vm: Vm) -> None:
        """A VM with a data volume and no root neither starts nor becomes an OMI. [LNK-011, OMI-066]"""
        alice.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume_of(alice).volume_id)
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.unlink_volume(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        assert expect_refusal(alice, "StartVms", VmIds=[vm.vm_id]).rule == "LNK-011"
        assert expect_refusal(alice, "CreateImage", VmId=vm.vm_id, ImageName="rootless").rule == "OMI-066"

    def test_are_limited_to_40_for_a_vm(self, alice: Account, vm: Vm) -> None:
        """A VM has at most 40 volumes, its root included. [LNK-008, QTA-017]"""
        names = [f"/dev/xvd{first}{second}" for first in "bc" for second in "abcdefghijklmnopqrst"]
        for name in names[:39]:
            alice.link_volume(device_name=name, vm_id=vm.vm_id, volume_id=volume_of(alice, size=1).volume_id)
        call = {"DeviceName": names[39], "VmId": vm.vm_id, "VolumeId": volume_of(alice, size=1).volume_id}
        assert expect_refusal(alice, "LinkVolume", **call).rule == "LNK-008"

    @pytest.mark.parametrize("flag", [True, False])
    def test_decide_whether_the_volume_goes_with_the_vm(self, alice: Account, vm: Vm, flag: bool) -> None:
        """A volume is deleted with its VM or becomes available, as its link says. [ST-VOL-7, ST-VOL-8, VM-047]"""
        volume = volume_of(alice)
        alice.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
        mapping = {"device_name": "/dev/sdb", "bsu": {"delete_on_vm_deletion": flag}}
        alice.update_vm(vm_id=vm.vm_id, block_device_mappings=[mapping])
        alice.delete_vms(vm_ids=[vm.vm_id])
        states = {row.volume_id: row.state for row in alice.read_volumes()}
        assert states.get(volume.volume_id) == (None if flag else "available")
        assert vm.block_device_mappings[0].bsu.volume_id not in states

    def test_of_a_root_being_unlinked_do_not_let_the_vm_start(self, slow: Cloud) -> None:
        """A VM whose root is being unlinked does not start, like one without a root. [LNK-011, LNK-023]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=slow.images.official("ubuntu").image_id, boot_on_creation=False)[0]
        slow.settle()
        alice.unlink_volume(volume_id=vm.block_device_mappings[0].bsu.volume_id)
        assert expect_refusal(alice, "StartVms", VmIds=[vm.vm_id]).rule == "LNK-011"

    def test_that_are_being_removed_save_the_volume(self, slow: Cloud) -> None:
        """A volume that is being unlinked when its VM is deleted is not deleted. [ST-VOL-8]"""
        alice = slow.account("alice")
        vm = alice.create_vms(image_id=slow.images.official("ubuntu").image_id)[0]
        volume = volume_of(alice)
        slow.settle()
        alice.link_volume(device_name="/dev/sdb", vm_id=vm.vm_id, volume_id=volume.volume_id)
        slow.settle()
        mapping = {"device_name": "/dev/sdb", "bsu": {"delete_on_vm_deletion": True}}
        alice.update_vm(vm_id=vm.vm_id, block_device_mappings=[mapping])
        slow.durations["volume_link.detaching"] = 600
        alice.unlink_volume(volume_id=volume.volume_id)
        alice.delete_vms(vm_ids=[vm.vm_id])
        slow.settle()
        assert [(row.volume_id, row.state) for row in alice.read_volumes()] == [(volume.volume_id, "available")]


class TestChangeOfVolumeType:
    @pytest.mark.parametrize(
        ("had", "change", "iops"),
        [
            ({"volume_type": "standard"}, {"volume_type": "gp2"}, 100),
            ({"volume_type": "gp2", "size": 100}, {"size": 200}, 600),
            ({"volume_type": "io1", "iops": 300}, {"size": 20}, 300),
            ({"volume_type": "io1", "iops": 300}, {"iops": 400}, 400),
            ({"volume_type": "io1", "iops": 300}, {"volume_type": "gp2"}, 100),
            ({"volume_type": "io1", "iops": 300}, {"volume_type": "standard"}, None),
        ],
    )
    def test_results_in_the_iops_of_the_new_type(
        self, alice: Account, had: dict[str, Any], change: dict[str, Any], iops: int | None
    ) -> None:
        """gp2 has a baseline by its size, io1 keeps its IOPS by default, other types have none. [VOL-011, VOL-043]"""
        volume = volume_of(alice, **had)
        alice.update_volume(volume_id=volume.volume_id, **change)
        assert reread(alice, volume).iops == iops


class TestUnlinkVolume:
    def test_of_a_root_needs_a_stopped_vm(self) -> None:
        """A root cannot be unlinked while its VM is stopping. [LNK-022]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm_id = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0].vm_id
        cloud.complete(vm_id)
        root = alice.read_vms()[0].block_device_mappings[0].bsu.volume_id
        alice.stop_vms(vm_ids=[vm_id])
        assert expect_refusal(alice, "UnlinkVolume", VolumeId=root).rule == "LNK-022"

    def test_of_a_root_is_refused_while_its_vm_restarts(self) -> None:
        """A VM that is stopped only to start again keeps its root, without which it cannot start. [LNK-022, LNK-011]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        ubuntu = cloud.images.official("ubuntu").image_id
        vm_id = alice.create_vms(image_id=ubuntu, vm_initiated_shutdown_behavior="restart")[0].vm_id
        cloud.complete(vm_id)
        alice.stop_vms(vm_ids=[vm_id])
        cloud.complete(vm_id)
        (vm,) = alice.read_vms()
        error = expect_refusal(alice, "UnlinkVolume", VolumeId=vm.block_device_mappings[0].bsu.volume_id)
        assert (vm.state, error.rule, error.facts["state"]) == ("stopped", "LNK-022", "restarting")
