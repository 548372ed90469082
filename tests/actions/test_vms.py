"""VMs: what a launch makes of an OMI, and the life of a VM."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from itertools import groupby
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.catalogue import SUBREGION, find_official
from support.entrances import Entrance
from support.expect import expect_refusal
from support.reread import reread

from omisim import Account, Cloud
from omisim.actions.addresses import make_private_ip, make_public_ip
from omisim.model import Image, Vm
from omisim.model.filters.dicts import FiltersVmDict


def stop_for_an_omi(behavior: str) -> tuple[Cloud, Account, str]:
    """Return a cloud, its account and a VM with a shutdown behavior, which CreateImage has stopped, not yet started."""
    cloud = Cloud(timing="manual")
    alice = cloud.account("alice")
    ubuntu = cloud.images.official("ubuntu").image_id
    vm_id = alice.create_vms(image_id=ubuntu, vm_initiated_shutdown_behavior=behavior)[0].vm_id
    cloud.complete(vm_id)
    alice.create_image(vm_id=vm_id, image_name="golden")
    cloud.complete(vm_id)
    assert alice.read_vms()[0].state == "stopped"
    return cloud, alice, vm_id


def disks(account: Account, vm: Vm) -> dict[str, tuple[int, str]]:
    """Return size and type of a VM's volumes by device name."""
    volumes = {}
    for mapping in vm.block_device_mappings:
        volume = account.read_volumes(filters={"volume_ids": [mapping.bsu.volume_id]})[0]
        volumes[mapping.device_name] = (volume.size, volume.volume_type)
    return volumes


@pytest.fixture(name="two")
def _two(alice: Account, ubuntu: Image) -> Image:
    """An OMI with a root of 10 GiB and an io1 data disk of 20."""
    disk = {"device_name": "/dev/sdb", "bsu": {"volume_size": 20, "volume_type": "io1", "iops": 400}}
    vm = alice.create_vms(image_id=ubuntu.image_id, block_device_mappings=[disk])[0]
    return alice.create_image(vm_id=vm.vm_id, image_name="two disks")


class TestLaunch:
    def test_answers_a_pending_vm_that_then_runs(self, alice: Account, vm: Vm) -> None:
        """The answer shows the VM as pending, and then it runs. [ST-VM-1, VM-023, VM-031]"""
        assert (vm.state, reread(alice, vm).state) == ("pending", "running")

    def test_without_boot_ends_stopped(self, alice: Account, ubuntu: Image) -> None:
        """With BootOnCreation false the VM is pending in the answer, and then stopped. [ST-VM-2]"""
        vm = alice.create_vms(image_id=ubuntu.image_id, boot_on_creation=False)[0]
        assert (vm.state, reread(alice, vm).state) == ("pending", "stopped")

    def test_takes_codes_and_architecture_from_the_omi(self, alice: Account) -> None:
        """Product codes and architecture are those of the OMI; the family follows. [VM-029, LIC-003, LIC-006]"""
        for name, windows in (("Windows*", True), ("RHEL*", False)):
            image = find_official(alice, name)
            vm = alice.create_vms(image_id=image.image_id, vm_type="tinav5.c2r4p2")[0]
            assert (vm.product_codes, vm.architecture) == (image.product_codes, image.architecture)
            assert vm.is_windows == windows

    def test_of_several_vms_is_one_reservation(self, alice: Account, ubuntu: Image) -> None:
        """VMs of one call share a reservation and are numbered from 0. [VM-007, ID-005]"""
        vms = alice.create_vms(image_id=ubuntu.image_id, max_vms_count=3)
        assert len({vm.reservation_id for vm in vms}) == 1
        assert [vm.launch_number for vm in vms] == [0, 1, 2]

    def test_is_in_the_first_subregion_by_default(self, alice: Account, ubuntu: Image) -> None:
        """The default is Subregion a of the Region; any of the Region is allowed. [VM-016, REG-006, REG-009]"""
        assert alice.create_vms(image_id=ubuntu.image_id)[0].placement.subregion_name == SUBREGION
        there = alice.create_vms(image_id=ubuntu.image_id, placement={"subregion_name": "eu-west-2c"})[0]
        assert there.placement.subregion_name == "eu-west-2c"

    def test_ignores_empty_strings_in_a_placement(self, alice: Account, ubuntu: Image) -> None:
        """In a Placement an empty string counts as absent: Terraform sends both keys, and sets one. [VM-016, VM-017]"""
        for one, other in (("SubregionName", "Tenancy"), ("Tenancy", "SubregionName")):
            place = {"SubregionName": "eu-west-2a", "Tenancy": "default"}
            launched = alice.call("CreateVms", ImageId=ubuntu.image_id, Placement={one: place[one], other: ""})
            assert launched["Vms"][0]["Placement"] == place

    def test_needs_no_keypair(self, alice: Account, ubuntu: Image) -> None:
        """A keypair is optional; its name stays on the VM when it is deleted. [VM-015, KEY-006]"""
        assert alice.create_vms(image_id=ubuntu.image_id)[0].keypair_name is None
        alice.create_keypair(keypair_name="pair")
        vm = alice.create_vms(image_id=ubuntu.image_id, keypair_name="pair")[0]
        alice.delete_keypair(keypair_name="pair")
        assert reread(alice, vm).keypair_name == "pair"

    def test_answers_empty_fields_but_not_those_of_nets(self, alice: Account, vm: Vm) -> None:
        """Some fields are answered even if empty; those of Nets are not.

        [FLD-004, FLD-006, FLD-007, FLD-010]
        """
        row = alice.call("ReadVms", Filters={"VmIds": [vm.vm_id]})["Vms"][0]
        fixed = {"Tags": [], "UserData": "", "StateReason": "", "RootDeviceType": "ebs", "Hypervisor": "xen"}
        assert {name: row[name] for name in fixed} == fixed
        assert not {"NetId", "SubnetId", "Nics"} & set(row)
        assert [group["SecurityGroupName"] for group in row["SecurityGroups"]] == ["default"]

    def test_warns_about_a_type_too_small_for_windows(self, cloud: Cloud, alice: Account) -> None:
        """Windows on less than generation 3, 2 vCores and 4 GiB is launched with a warning. [LIC-014, VMT-010]"""
        windows = find_official(alice, "Windows*").image_id
        alice.create_vms(image_id=windows, vm_type="tinav5.c2r4p2")
        assert not cloud.warnings
        alice.create_vms(image_id=windows, vm_type="tinav2.c2r4p2")
        assert "too small for Windows" in cloud.warnings[0]

    @pytest.mark.parametrize(
        ("vm_type", "small"),
        [
            ("tinav3.c2r4p2", False),
            ("tinav2.c2r4p2", True),
            ("tinav3.c1r4p2", True),
            ("tinav3.c2r3p2", True),
            ("tinav5.c8r32p1", False),
        ],
    )
    def test_needs_generation_3_two_vcores_and_4_gib_for_windows(
        self, cloud: Cloud, alice: Account, vm_type: str, small: bool
    ) -> None:
        """Generation 3, two vCores and 4 GiB are enough, and each of them is needed. [LIC-014, VMT-010]"""
        alice.create_vms(image_id=find_official(alice, "Windows*").image_id, vm_type=vm_type)
        assert any("too small" in warning for warning in cloud.warnings) == small

    def test_refuses_a_type_too_small_for_windows_under_a_switch(self) -> None:
        """With strict_windows a VM too small for Windows is refused. [LIC-014]"""
        alice = Cloud(switches={"strict_windows": True}).account("alice")
        windows = find_official(alice, "Windows*").image_id
        assert expect_refusal(alice, "CreateVms", ImageId=windows, VmType="t2.micro").rule == "LIC-014"
        assert alice.can("CreateVms", ImageId=windows, VmType="tinav3.c2r4p1")
        assert alice.can("CreateVms", ImageId=find_official(alice, "Debian*").image_id, VmType="t2.micro")

    @pytest.mark.parametrize("strict", [False, True])
    def test_checks_a_new_type_for_windows_too(self, strict: bool) -> None:
        """UpdateVm warns of a type too small for Windows as CreateVms does, or refuses it. [LIC-014, VMT-010]"""
        cloud = Cloud(switches={"strict_windows": strict})
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Windows*").image_id, vm_type="tinav5.c2r4p2")[0]
        alice.stop_vms(vm_ids=[vm.vm_id])
        if strict:
            assert expect_refusal(alice, "UpdateVm", VmId=vm.vm_id, VmType="t2.micro").rule == "LIC-014"
        else:
            alice.update_vm(vm_id=vm.vm_id, vm_type="t2.micro")
            assert "too small for Windows" in cloud.warnings[0]

    def test_adds_a_vtpm_on_request_or_demand_of_the_omi(self, alice: Account, ubuntu: Image) -> None:
        """A vTPM is added if requested or if the OMI demands it; then it cannot be declined. [VM-021, VM-021/legacy]"""
        root = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": str(_snapshot_of(alice, ubuntu))}}
        image = alice.create_image(
            image_name="trusted",
            root_device_name="/dev/sda1",
            block_device_mappings=[root],
            boot_modes=["uefi"],
            tpm_mandatory=True,
        )
        assert alice.create_vms(image_id=image.image_id)[0].tpm_enabled is True
        assert expect_refusal(alice, "CreateVms", ImageId=image.image_id, TpmEnabled=False).rule == "VM-021"
        both = alice.create_image(
            image_name="either", root_device_name="/dev/sda1", block_device_mappings=[root], tpm_mandatory=True,
            boot_modes=["legacy", "uefi"],
        )  # fmt: skip
        legacy = {"ImageId": both.image_id, "BootMode": "legacy"}
        assert expect_refusal(alice, "CreateVms", **legacy).rule == "VM-021/legacy"
        assert alice.create_vms(image_id=ubuntu.image_id)[0].tpm_enabled is False


def _snapshot_of(account: Account, image: Image) -> str:
    vm = account.create_vms(image_id=image.image_id)[0]
    return account.create_snapshot(volume_id=vm.block_device_mappings[0].bsu.volume_id).snapshot_id


class TestDisksOfALaunch:
    def test_are_those_of_the_omi(self, alice: Account, two: Image) -> None:
        """A VM has a volume for each mapping, in-use and in its Subregion. [BDM-001, BDM-010, BDM-011]"""
        vm = alice.create_vms(image_id=two.image_id)[0]
        assert disks(alice, vm) == {"/dev/sda1": (10, "standard"), "/dev/sdb": (20, "io1")}
        assert {mapping.bsu.delete_on_vm_deletion for mapping in vm.block_device_mappings} == {True}
        volumes = alice.read_volumes(filters={"link_volume_vm_ids": [vm.vm_id]})
        assert {(v.state, v.subregion_name, v.client_token) for v in volumes} == {("in-use", SUBREGION, None)}

    def test_can_be_overridden_field_by_field(self, alice: Account, two: Image) -> None:
        """The fields that a request sets for a device count, the others stay the OMI's. [BDM-001, BDM-007, BDM-015]"""
        over: list[dict[str, Any]] = [
            {"device_name": "/dev/sda1", "bsu": {"volume_size": 15}},
            {"device_name": "/dev/sdb", "bsu": {"volume_type": "gp2", "delete_on_vm_deletion": False}},
        ]
        vm = alice.create_vms(image_id=two.image_id, block_device_mappings=over)[0]
        assert disks(alice, vm) == {"/dev/sda1": (15, "standard"), "/dev/sdb": (20, "gp2")}
        assert [mapping.bsu.delete_on_vm_deletion for mapping in vm.block_device_mappings] == [True, False]

    def test_can_be_added_and_left_out(self, alice: Account, two: Image) -> None:
        """A new device adds a volume, NoDevice leaves one out. [BDM-002, BDM-003, BDM-009]"""
        over: list[dict[str, Any]] = [
            {"device_name": "/dev/sdb", "no_device": ""},
            {"device_name": "/dev/sdc", "bsu": {"volume_size": 3}},
            {"device_name": "/dev/sdd", "virtual_device_name": "ephemeral0"},
        ]
        vm = alice.create_vms(image_id=two.image_id, block_device_mappings=over)[0]
        assert disks(alice, vm) == {"/dev/sda1": (10, "standard"), "/dev/sdc": (3, "standard")}

    @pytest.mark.parametrize("mapping", [{}, {"Bsu": {}}, {"Bsu": {"VolumeType": "gp2"}}], ids=str)
    def test_need_a_size_for_a_new_device(self, alice: Account, two: Image, mapping: dict[str, Any]) -> None:
        """A mapping of a new device without a snapshot and a size is refused, whatever else it lacks. [OMI-059]"""
        new = {"DeviceName": "/dev/sdc", **mapping}
        assert expect_refusal(alice, "CreateVms", ImageId=two.image_id, BlockDeviceMappings=[new]).rule == "OMI-059"

    def test_of_unknown_snapshots_are_refused_before_another_snapshot_of_the_root(
        self, alice: Account, two: Image
    ) -> None:
        """That all snapshots exist is checked before one of them is compared with the OMI. [BDM-005, REQ-014]"""
        over = [
            {"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": two.snapshot_ids[1]}},
            {"DeviceName": "/dev/sdc", "Bsu": {"SnapshotId": "snap-00000000"}},
        ]
        assert expect_refusal(alice, "CreateVms", ImageId=two.image_id, BlockDeviceMappings=over).rule == "OMI-012"

    def test_of_a_shared_omi_may_name_their_own_snapshots(self, alice: Account, bob: Account, two: Image) -> None:
        """A grantee may name the snapshot that the OMI has for a device, which it cannot see. [SHR-001, BDM-001]"""
        share = {"additions": {"account_ids": [bob.account_id]}}
        alice.update_image(image_id=two.image_id, permissions_to_launch=share)
        (shared,) = bob.read_images(filters={"image_ids": [two.image_id]})
        same = [
            {"DeviceName": mapping.device_name, "Bsu": {"SnapshotId": mapping.bsu and mapping.bsu.snapshot_id}}
            for mapping in shared.block_device_mappings
        ]
        assert bob.can("CreateVms", ImageId=two.image_id, BlockDeviceMappings=same)
        other = [{**same[1], "DeviceName": "/dev/sdc"}]
        assert expect_refusal(bob, "CreateVms", ImageId=two.image_id, BlockDeviceMappings=other).rule == "OMI-012"

    def test_stay_those_of_the_image_where_a_mapping_gives_nothing(self, alice: Account, two: Image) -> None:
        """A mapping that names a device of the OMI and nothing else overrides nothing. [BDM-001]"""
        over = [{"DeviceName": "/dev/sda1"}, {"DeviceName": "/dev/sdb", "Bsu": {}}]
        vm_id = alice.call("CreateVms", ImageId=two.image_id, BlockDeviceMappings=over)["Vms"][0]["VmId"]
        vm = alice.read_vms(filters={"vm_ids": [vm_id]})[0]
        devices = {mapping.device_name for mapping in two.block_device_mappings}
        assert disks(alice, vm).keys() == devices


class TestVmTypes:
    @given(
        generation=st.integers(1, 7),
        vcores=st.integers(1, 78),
        memory=st.integers(1, 1039),
        flag=st.sampled_from("123"),
    )
    def test_of_the_grammar_are_accepted_unchanged(self, generation: int, vcores: int, memory: int, flag: str) -> None:
        """Any generation, vCores and GiB up to the maxima are valid; the flag is the performance.

        [VMT-001, VMT-004, VMT-008]
        """
        alice = Cloud().account("alice")
        name = f"tinav{generation}.c{vcores}r{memory}p{flag}"
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id, vm_type=name, performance="medium")[0]
        assert (vm.vm_type, vm.performance) == (name, ["highest", "high", "medium"][int(flag) - 1])

    @pytest.mark.parametrize(
        ("given_type", "performance", "type_and_performance"),
        [
            ("tinav5.c2r4", None, ("tinav5.c2r4p2", "high")),
            ("tinav5.c2r4", "medium", ("tinav5.c2r4p3", "medium")),
            ("tinav5.c2r4p3", None, ("tinav5.c2r4p3", "medium")),
            ("tinav5.c78r1039p1", None, ("tinav5.c78r1039p1", "highest")),
            ("tinav5.c2r4", "highest", ("tinav5.c2r4p1", "highest")),
            ("m4.2xlarge", None, ("m4.2xlarge", "high")),
        ],
    )
    def test_without_a_flag_get_it_from_the_performance(
        self,
        alice: Account,
        ubuntu: Image,
        given_type: str,
        performance: str | None,
        type_and_performance: tuple[str, str],
    ) -> None:
        """A TINA name gets its flag from Performance, an EC2 name is answered as given. [VMT-003, VMT-005]"""
        vm = alice.create_vms(image_id=ubuntu.image_id, vm_type=given_type, performance=performance)[0]
        assert (vm.vm_type, vm.performance) == type_and_performance

    @pytest.mark.parametrize("vm_type", ["tinav5.c79r4p1", "tinav5.c2r1040p1", "tinav5.c0r4p1", "tinav5.c2r4p4"])
    def test_beyond_the_grammar_are_refused(self, alice: Account, ubuntu: Image, vm_type: str) -> None:
        """Too many vCores, too much memory and unknown flags are not valid. [VMT-001, VMT-008]"""
        assert expect_refusal(alice, "CreateVms", ImageId=ubuntu.image_id, VmType=vm_type).code == "5024"

    def test_default_to_t2_small(self, vm: Vm) -> None:
        """The default type is t2.small. [VMT-006]"""
        assert vm.vm_type == "t2.small"

    def test_are_listed_without_authentication(self, alice: Account) -> None:
        """ReadVmTypes lists the predefined types, with filters. [VMT-009, CAT-001]"""
        vm_types = alice.read_vm_types(filters={"vcore_counts": [2], "memory_sizes": [8.0]})
        assert "m3.large" in [row.vm_type_name for row in vm_types]
        assert {(row.vcore_count, row.memory_size) for row in vm_types} == {(2, 8.0)}


class TestNamedVmTypes:
    def test_are_as_many_as_in_the_recording(self, entrance: Entrance, alice: Account) -> None:
        """The 150 named types include very large ones and ones with GPUs, and no TINA type. [VMT-009]"""
        rows = entrance.answer(alice, "ReadVmTypes")["VmTypes"]
        assert len({row["VmTypeName"] for row in rows}) == len(rows) == 150
        assert not any(row["VmTypeName"].startswith("tinav") for row in rows)
        shapes = {(row["VcoreCount"], row["MemorySize"], row.get("Gpu")) for row in rows}
        assert {(96, 512.0, 2), (126, 1024.0, 8), (92, 1935.0, None)} <= shapes

    def test_show_only_the_devices_that_they_have(self, entrance: Entrance, alice: Account) -> None:
        """Eth, Gpu, EphemeralsType and VolumeSize are absent for a type that has none. [CAT-014]"""
        always = {"BsuOptimized", "MaxPrivateIps", "MemorySize", "VcoreCount", "VmTypeName", "VolumeCount"}
        rows = {row["VmTypeName"]: row for row in entrance.answer(alice, "ReadVmTypes")["VmTypes"]}
        more = {
            "t2.small": set(),
            "m1.small": {"VolumeSize"},
            "m3.large": {"EphemeralsType", "VolumeSize"},
            "g3.4xlarge": {"Gpu"},
            "oc1.4xlarge": {"Eth", "VolumeSize"},
            "os1.4xlarge": {"EphemeralsType", "Eth", "VolumeSize"},
            "g2.2xlarge": {"EphemeralsType", "Gpu", "VolumeSize"},
        }
        assert {name: set(rows[name]) - always for name in more} == more
        assert all(always <= set(row) and (row.get("Eth"), row.get("Gpu")) != (0, 0) for row in rows.values())
        for filters, name in (({"Gpus": [8]}, "inference7-h200.4xlarge"), ({"Eths": [1], "Gpus": [1]}, "hpc7.xlarge")):
            (vm_type,) = entrance.answer(alice, "ReadVmTypes", Filters=filters)["VmTypes"]
            assert vm_type["VmTypeName"] == name

    def test_can_all_be_launched(self, alice: Account, ubuntu: Image) -> None:
        """A listed type can be launched, with the performance of its family; so can more of EC2's. [VMT-005]"""
        names = [row.vm_type_name for row in alice.read_vm_types()]
        for name in (*names, "m5.8xlarge", "t2.xlarge"):
            assert alice.create_vms(image_id=ubuntu.image_id, vm_type=name)[0].vm_type == name
        launched = {vm.vm_type: vm.performance for vm in alice.read_vms()}
        performances = {
            "c4.large": "highest",
            "m4.2xlarge": "high",
            "t2.small": "medium",
            "inference7-l40.medium": "highest",
        }
        assert launched | performances == launched


class TestLifeOfAVm:
    def test_includes_stops_and_starts(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Stopping and starting answer the previous and the current state. [ST-VM-3, ST-VM-4, VM-042]"""
        stopped = alice.stop_vms(vm_ids=[vm.vm_id])[0]
        assert (stopped.vm_id, stopped.previous_state, stopped.current_state) == (vm.vm_id, "running", "stopping")
        started = alice.start_vms(vm_ids=[vm.vm_id])[0]
        assert (started.previous_state, started.current_state) == ("stopped", "pending")
        states = [state for state, _ in groupby(change.after.state for change in cloud.timeline(vm.vm_id))]
        assert states == ["pending", "running", "stopping", "stopped", "pending", "running"]

    def test_includes_reboots_that_keep_it_running(self, alice: Account, vm: Vm) -> None:
        """A reboot keeps the VM running, and answers ResponseContext only. [ST-VM-8, VM-042]"""
        assert set(alice.call("RebootVms", VmIds=[vm.vm_id])) == {"ResponseContext"}
        assert reread(alice, vm).state == "running"

    def test_includes_forced_and_repeated_stops(self, alice: Account, vm: Vm) -> None:
        """ForceStop ends in the same state; stopping a stopped VM does nothing. [VM-043, VM-044]"""
        alice.stop_vms(vm_ids=[vm.vm_id], force_stop=True)
        assert alice.stop_vms(vm_ids=[vm.vm_id])[0].current_state == "stopped"

    def test_ends_terminated_and_then_gone(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A deleted VM is read for an hour, without disks. [ST-VM-9, ST-VM-10, FLD-005, VM-048, VM-053, UNK-29]"""
        assert alice.delete_vms(vm_ids=[vm.vm_id])[0].current_state == "shutting-down"
        ended = reread(alice, vm)
        assert (ended.state, ended.block_device_mappings) == ("terminated", ())
        alice.delete_vms(vm_ids=[vm.vm_id])
        cloud.advance(seconds=3600)
        assert alice.read_vms() == ()

    def test_is_protected_together_with_its_batch(self, alice: Account, ubuntu: Image, vm: Vm) -> None:
        """One protected VM makes the whole batch be refused, until the protection is removed.

        [VM-045, VM-046, UNK-31]
        """
        other = alice.create_vms(image_id=ubuntu.image_id, deletion_protection=True)[0]
        ids = [vm.vm_id, other.vm_id]
        assert expect_refusal(alice, "DeleteVms", VmIds=ids).code == "8018"
        alice.update_vm(vm_id=other.vm_id, deletion_protection=False)
        assert alice.can("DeleteVms", VmIds=ids)

    @pytest.mark.parametrize(
        ("behavior", "states"),
        [
            ("stop", ["stopping", "stopped"]),
            ("restart", ["stopping", "stopped", "pending", "running"]),
            ("terminate", ["stopping", "stopped", "shutting-down", "terminated"]),
        ],
    )
    def test_goes_on_after_a_stop_by_its_shutdown_behavior(
        self, cloud: Cloud, alice: Account, vm: Vm, behavior: str, states: list[str]
    ) -> None:
        """StopVms follows the shutdown behavior, also of a protected VM; a stopped VM is left alone. [VM-024/stop]"""
        alice.update_vm(vm_id=vm.vm_id, vm_initiated_shutdown_behavior=behavior, deletion_protection=True)
        alice.stop_vms(vm_ids=[vm.vm_id])
        seen = [state for state, _ in groupby(change.after.state for change in cloud.timeline(vm.vm_id))]
        assert seen == ["pending", "running", *states]

    @pytest.mark.parametrize("behavior", ["restart", "terminate"])
    def test_stays_stopped_if_its_behavior_is_stop_by_then(self, alice: Account, vm: Vm, behavior: str) -> None:
        """Terraform's provider sets stop before a stop, and the behavior again after it. [VM-024/stop]"""
        for value in (behavior, "stop"):
            alice.update_vm(vm_id=vm.vm_id, vm_initiated_shutdown_behavior=value)
        alice.stop_vms(vm_ids=[vm.vm_id])
        alice.update_vm(vm_id=vm.vm_id, vm_initiated_shutdown_behavior=behavior)
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).state == "stopped"
        alice.start_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).state == "running"

    @pytest.mark.parametrize(("behavior", "state"), [("stop", "stopped"), ("terminate", "terminated")])
    def test_is_stopped_for_an_omi_and_then_by_a_request(self, slow: Cloud, behavior: str, state: str) -> None:
        """A VM that CreateImage stops is started again, whatever its behavior, but not after StopVms. [VM-024/stop]"""
        alice = slow.account("alice")
        vm = alice.create_vms(
            image_id=slow.images.official("debian").image_id, vm_initiated_shutdown_behavior=behavior
        )[0]
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="first")
        slow.settle()
        assert reread(alice, vm).state == "running"
        alice.create_image(vm_id=vm.vm_id, image_name="second")
        alice.stop_vms(vm_ids=[vm.vm_id])
        slow.settle()
        assert reread(alice, vm).state == state

    def test_stays_stopped_by_a_request_before_it_starts_again(self) -> None:
        """StopVms counts for a VM that CreateImage has already stopped, and would start again next. [VM-024/stop]"""
        cloud, alice, vm_id = stop_for_an_omi("stop")
        alice.stop_vms(vm_ids=[vm_id])
        with pytest.raises(ValueError, match="stopped"):
            cloud.complete(vm_id)

    def test_is_terminated_by_a_request_before_it_starts_again(self) -> None:
        """StopVms follows the shutdown behavior of a VM that CreateImage has already stopped. [VM-024/stop]"""
        cloud, alice, vm_id = stop_for_an_omi("terminate")
        alice.stop_vms(vm_ids=[vm_id])
        cloud.complete(vm_id)
        assert alice.read_vms()[0].state == "shutting-down"

    @pytest.mark.parametrize("behavior", ["restart", "terminate"])
    def test_ends_stopped_under_a_switch(self, behavior: str) -> None:
        """With stop_behavior "ignored" StopVms only stops. [VM-024/stop]"""
        cloud = Cloud(switches={"stop_behavior": "ignored"})
        alice = cloud.account("alice")
        ubuntu = cloud.images.official("ubuntu").image_id
        vm = alice.create_vms(image_id=ubuntu, vm_initiated_shutdown_behavior=behavior)[0]
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).state == "stopped"

    def test_changes_its_public_ip_with_each_stop(self, alice: Account, vm: Vm) -> None:
        """In the public Cloud the public address lasts as long as the VM runs; its volumes stay. [VM-030, VM-050]"""
        first = reread(alice, vm)
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert reread(alice, vm).public_ip is None
        alice.start_vms(vm_ids=[vm.vm_id])
        second = reread(alice, vm)
        assert second.public_ip not in (None, first.public_ip)
        assert second.block_device_mappings == first.block_device_mappings

    @pytest.mark.parametrize("switch", ["refuse", "no-op"])
    def test_refuses_or_ignores_a_second_start_by_a_switch(self, switch: Literal["refuse", "no-op"]) -> None:
        """StartVms on a running VM is refused, or does nothing, by the switch start_running. [UNK-06]"""
        alice = Cloud(switches={"start_running": switch}).account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        assert alice.can("StartVms", VmIds=[vm.vm_id]) == (switch == "no-op")

    def test_ends_terminated_when_it_cannot_start(self) -> None:
        """A VM that the platform cannot start is terminated, with a reason. [ST-VM-11, VM-051]"""
        cloud = Cloud(timing="manual")
        alice = cloud.account("alice")
        vm = alice.create_vms(image_id=find_official(alice, "Ubuntu*").image_id)[0]
        cloud.fail(vm.vm_id)
        ended = reread(alice, vm)
        assert ended.state == "terminated"
        assert ended.state_reason == "Server.InternalError"


class TestReadsOfVms:
    def test_of_states_show_running_vms_by_default(self, alice: Account, ubuntu: Image, vm: Vm) -> None:
        """ReadVmsState lists running VMs, and all with AllVms. [VM-054, CAT-008]"""
        stopped = alice.create_vms(image_id=ubuntu.image_id, boot_on_creation=False)[0]
        assert [row.vm_id for row in alice.read_vms_state()] == [vm.vm_id]
        assert [row.vm_id for row in alice.read_vms_state(all_vms=True)] == [vm.vm_id, stopped.vm_id]

    def test_of_states_leave_pending_vms_out(self, slow: Cloud) -> None:
        """A VM that is not running yet is listed with AllVms only. [VM-054]"""
        alice = slow.account("alice")
        alice.create_vms(image_id=slow.images.official("ubuntu").image_id)
        assert alice.read_vms_state() == ()
        assert [row.vm_state for row in alice.read_vms_state(all_vms=True)] == ["pending"]

    def test_filter_by_state_code_and_tag(self, alice: Account, vm: Vm) -> None:
        """VMs are found by the number of their state, and by KEY=VALUE. [FLT-007, FLT-011]"""
        alice.create_tags(resource_ids=[vm.vm_id], tags=[{"key": "team", "value": "a=b"}])
        searches: list[FiltersVmDict] = [
            {"vm_state_codes": [16]},
            {"tags": ["team=a=b"]},
            {"tag_keys": ["team"], "tag_values": ["a=b"]},
        ]
        for filters in searches:
            assert [row.vm_id for row in alice.read_vms(filters=filters)] == [vm.vm_id]
        assert alice.read_vms(filters={"vm_state_codes": [80]}) == ()


class TestUpdateVm:
    def test_answers_the_whole_vm(self, alice: Account, vm: Vm) -> None:
        """UpdateVm answers the VM as it is after the update. [VM-073, VM-080]"""
        updated = alice.update_vm(vm_id=vm.vm_id, vm_initiated_shutdown_behavior="terminate")
        assert updated == reread(alice, vm)
        assert updated.vm_initiated_shutdown_behavior == "terminate"

    def test_of_the_type_needs_a_stopped_vm(self, alice: Account, vm: Vm) -> None:
        """Type, performance and user data change on a stopped VM only. [VM-072, VMT-011]"""
        assert expect_refusal(alice, "UpdateVm", VmId=vm.vm_id, VmType="tinav5.c4r8p1").code == "6006"
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert alice.update_vm(vm_id=vm.vm_id, vm_type="tinav5.c4r8p1").vm_type == "tinav5.c4r8p1"

    def test_of_the_keypair_is_always_possible(self, alice: Account, vm: Vm) -> None:
        """The name of the keypair can change at any time. [VM-077]"""
        alice.create_keypair(keypair_name="pair")
        assert alice.update_vm(vm_id=vm.vm_id, keypair_name="pair").keypair_name == "pair"

    def test_of_bsu_optimized_is_always_refused(self, alice: Account, vm: Vm) -> None:
        """It is refused on a running VM for its state, on a stopped one for itself. [VM-026, VM-074]"""
        call: dict[str, Any] = {"VmId": vm.vm_id, "BsuOptimized": True}
        assert expect_refusal(alice, "UpdateVm", **call).code == "6006"
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert expect_refusal(alice, "UpdateVm", **call).code == "4017"


@given(st.sets(st.integers(0, 24_999), min_size=2))
def test_addresses_of_vms_differ(numbers: set[int]) -> None:
    """No two of 25 000 VMs have one address, and every one is an address. [VM-030]"""
    for address in (make_private_ip, make_public_ip):
        addresses = {IPv4Address(address(number)) for number in numbers}
        assert len(addresses) == len(numbers)
    assert all(IPv4Address(make_private_ip(number)) in IPv4Network("10.0.0.0/8") for number in numbers)


def test_addresses_of_vms_begin_with_the_fifth() -> None:
    """The first four addresses of each network belong to the platform. [VM-030]"""
    numbers = (0, 249, 250, 62_499, 62_500)
    assert [make_private_ip(n) for n in numbers] == ["10.0.0.4", "10.0.0.253", "10.0.1.4", "10.0.249.253", "10.1.0.4"]
    assert [make_public_ip(n) for n in (0, 249, 250, 24_999)] == [
        "198.51.100.1",
        "198.51.100.250",
        "198.51.101.1",
        "198.51.199.250",
    ]
