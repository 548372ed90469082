"""The answered form of a VM by place, boot mode and state: through a typed call, the SDK and HTTP, in both timings."""

from __future__ import annotations

from typing import Any

import pytest
from support.entrances import Entrance
from support.official import get_schema

from omisim import Account, Cloud
from omisim.factories import vm as make_vm

Vm = dict[str, Any]
ALWAYS = """ActionsOnNextBoot Architecture BlockDeviceMappings BootMode BsuOptimized CreationDate DeletionProtection
Hypervisor ImageId IsSourceDestChecked LaunchNumber NestedVirtualization Performance Placement ProductCodes
ReservationId RootDeviceName RootDeviceType ShutdownBehaviorConfiguration State StateReason Tags TpmEnabled UserData
VmId VmInitiatedShutdownBehavior VmType"""
PRIVATE, PUBLIC, NET = "PrivateDnsName PrivateIp", "PublicDnsName PublicIp", "NetId Nics SubnetId"
BOTH, LEGACY, UEFI = "Ubuntu-24.04-2025.11.17-0", "Ubuntu-22.04-2024.10.07-0", "Ubuntu-24.04-2025.11.17-1"


def names(*parts: str) -> set[str]:
    """Return the names of fields in texts."""
    return set(" ".join(parts).split())


def find_official_id(account: Account, name: str) -> str:
    """Return the id of an official OMI."""
    return account.read_images(filters={"image_names": [name]})[0].image_id


def launch(entrance: Entrance, account: Account, image: str = BOTH, /, **parameters: Any) -> Vm:
    """Launch a VM, and return it as CreateVms answers it."""
    vms = entrance.answer(account, "CreateVms", ImageId=find_official_id(account, image), **parameters)["Vms"]
    return dict(vms[0])


def read(entrance: Entrance, account: Account, vm: Vm) -> Vm:
    """Return a VM as ReadVms answers it, once nothing is in progress."""
    account.cloud.settle()
    (row,) = entrance.answer(account, "ReadVms", Filters={"VmIds": [vm["VmId"]]})["Vms"]
    return dict(row)


@pytest.fixture(name="alice")
def _alice(timed: Cloud) -> Account:
    return timed.account("alice")


def subnet(account: Account) -> str:
    """Create a Subnet in a Net."""
    net = account.create_net(ip_range="10.0.0.0/16")
    return account.create_subnet(net_id=net.net_id, ip_range="10.0.1.0/24").subnet_id


class TestFieldsOfAVm:
    def test_outside_nets_depend_on_its_state(self, entrance: Entrance, alice: Account) -> None:
        """Only a VM with addresses shows them, and a terminated one shows no security groups. [FLD-004, FLD-005]"""
        vm = launch(entrance, alice)
        assert set(vm) == names(ALWAYS, PRIVATE, "SecurityGroups")
        assert set(read(entrance, alice, vm)) == names(ALWAYS, PRIVATE, PUBLIC, "SecurityGroups")
        entrance.answer(alice, "StopVms", VmIds=[vm["VmId"]])
        assert set(read(entrance, alice, vm)) == names(ALWAYS, "SecurityGroups")
        entrance.answer(alice, "DeleteVms", VmIds=[vm["VmId"]])
        assert set(read(entrance, alice, vm)) == names(ALWAYS)

    def test_in_a_net_depend_on_its_state(self, entrance: Entrance, alice: Account) -> None:
        """A VM in a Net shows its NICs and its private address until it is terminated. [FLD-004, FLD-005]"""
        vm = launch(entrance, alice, SubnetId=subnet(alice))
        in_net = names(ALWAYS, PRIVATE, NET, "SecurityGroups")
        assert set(vm) == in_net
        assert set(read(entrance, alice, vm)) == in_net
        entrance.answer(alice, "StopVms", VmIds=[vm["VmId"]])
        assert set(read(entrance, alice, vm)) == in_net
        entrance.answer(alice, "DeleteVms", VmIds=[vm["VmId"]])
        ended = read(entrance, alice, vm)
        assert set(ended) == names(ALWAYS)
        assert ended["BlockDeviceMappings"] == []

    def test_include_the_os_family_under_a_switch_only(self, entrance: Entrance, alice: Account) -> None:
        """Only a switch makes VMs show their OsFamily; filters by platform work anyway. [FLD-014, LIC-006]"""
        windows = launch(entrance, alice, "Windows*", VmType="tinav5.c2r4p2")
        assert "OsFamily" not in read(entrance, alice, windows)
        alice.cloud.engine.set_switch("os_family", "sent")
        linux = launch(entrance, alice)
        second = launch(entrance, alice, "Windows*", VmType="tinav5.c2r4p2")
        assert [read(entrance, alice, vm)["OsFamily"] for vm in (linux, second)] == ["linux", "windows"]
        vms = entrance.answer(alice, "ReadVms", Filters={"Platforms": ["windows"]})["Vms"]
        assert {vm["VmId"] for vm in vms} == {windows["VmId"], second["VmId"]}


class TestValuesOfAVm:
    def test_name_the_type_of_its_root_device_ebs(self, entrance: Entrance, alice: Account) -> None:
        """The root device of a VM is ebs, that of an OMI is bsu; filters take both. [FLD-006]"""
        vm = launch(entrance, alice)
        assert vm["RootDeviceType"] == make_vm().root_device_type == "ebs"
        (image,) = entrance.answer(alice, "ReadImages", Filters={"ImageIds": [vm["ImageId"]]})["Images"]
        assert image["RootDeviceType"] == "bsu"
        for kind, filters in {"Vms": {"VmIds": [vm["VmId"]]}, "Images": {"ImageIds": [vm["ImageId"]]}}.items():
            for name in ("bsu", "ebs"):
                assert (
                    len(entrance.answer(alice, f"Read{kind}", Filters={**filters, "RootDeviceTypes": [name]})[kind])
                    == 1
                )

    def test_say_that_the_source_is_checked_in_a_net_only(self, entrance: Entrance, alice: Account) -> None:
        """A VM outside Nets checks no source; one in a Net does as its primary NIC, to the end. [FLD-012]"""
        outside, inside, unchecked = (
            launch(entrance, alice),
            *(launch(entrance, alice, SubnetId=subnet(alice)) for _ in range(2)),
        )
        entrance.answer(alice, "UpdateVm", VmId=unchecked["VmId"], IsSourceDestChecked=False)
        expected = [False, True, False]
        vms = (outside, inside, unchecked)
        assert [read(entrance, alice, vm)["IsSourceDestChecked"] for vm in vms] == expected
        matching = entrance.answer(alice, "ReadVms", Filters={"IsSourceDestChecked": True})["Vms"]
        assert [vm["VmId"] for vm in matching] == [inside["VmId"]]
        entrance.answer(alice, "DeleteVms", VmIds=[vm["VmId"] for vm in vms])
        assert [read(entrance, alice, vm)["IsSourceDestChecked"] for vm in vms] == expected

    @pytest.mark.parametrize(
        ("behavior", "actions"),
        [(None, ("stop", "stop")), ("stop", ("stop", "stop")), ("restart", ("stop", "restart")),
         ("terminate", ("terminate", "restart"))],
    )  # fmt: skip
    def test_translate_the_old_shutdown_behavior(
        self, entrance: Entrance, alice: Account, behavior: str | None, actions: tuple[str, str]
    ) -> None:
        """A value of VmInitiatedShutdownBehavior stands for two actions, at a launch and in an update. [VM-025/old]"""
        old = {} if behavior is None else {"VmInitiatedShutdownBehavior": behavior}
        launched = launch(entrance, alice, **old)
        if behavior is not None:
            other = launch(entrance, alice, VmInitiatedShutdownBehavior="terminate")
            launched = entrance.answer(alice, "UpdateVm", VmId=other["VmId"], **old)["Vm"]
        reread = read(entrance, alice, launched)
        configuration = reread["ShutdownBehaviorConfiguration"]
        assert (configuration["GuestAction"], configuration["HostAction"]) == actions
        assert reread["VmInitiatedShutdownBehavior"] == (behavior or "stop")

    def test_restart_after_a_failure_of_the_host_under_a_switch(self, entrance: Entrance, alice: Account) -> None:
        """The official description says that HostAction is restart by default: a switch follows it. [VM-025/old]"""
        alice.cloud.engine.set_switch("host_action", "restart")
        vm = launch(entrance, alice)
        assert vm["ShutdownBehaviorConfiguration"] == {"GuestAction": "stop", "HostAction": "restart"}

    def test_give_a_reason_once_it_is_stopped(self, entrance: Entrance, alice: Account) -> None:
        """StateReason is empty for a pending or running VM; a stop sets it, and a termination keeps it. [FLD-013]"""
        parked, booted = launch(entrance, alice, BootOnCreation=False), launch(entrance, alice)
        assert parked["StateReason"] == booted["StateReason"] == ""
        reason = read(entrance, alice, parked)["StateReason"]
        assert reason.startswith("Client.")
        assert read(entrance, alice, booted)["StateReason"] == ""
        entrance.answer(alice, "StopVms", VmIds=[booted["VmId"]])
        assert read(entrance, alice, booted)["StateReason"] == "Client.ApiGracefulShutdown"
        entrance.answer(alice, "DeleteVms", VmIds=[parked["VmId"]])
        assert read(entrance, alice, parked)["StateReason"] == reason
        entrance.answer(alice, "StartVms", VmIds=[booted["VmId"]])
        assert read(entrance, alice, booted)["StateReason"] == ""

    def test_have_no_reason_while_it_starts_again(self, entrance: Entrance) -> None:
        """A started VM loses its reason when it is pending, not only when it runs. [FLD-013]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        vm = launch(entrance, alice, BootOnCreation=False)
        assert read(entrance, alice, vm)["StateReason"]
        entrance.answer(alice, "StartVms", VmIds=[vm["VmId"]])
        (starting,) = entrance.answer(alice, "ReadVms", Filters={"VmIds": [vm["VmId"]]})["Vms"]
        assert (starting["State"], starting["StateReason"]) == ("pending", "")


class TestDefaults:
    def test_apply_to_every_parameter_of_a_launch(self, entrance: Entrance, alice: Account) -> None:
        """A VM launched from an OMI alone shows the default of each parameter of CreateVms.

        [VM-004, VM-009, VM-016, VM-020/default, VM-023, VM-025/old, VM-028, VMT-006, FLD-011]
        """
        launched = launch(entrance, alice)
        reread = read(entrance, alice, launched)
        values = {
            "ActionsOnNextBoot": {"SecureBoot": "none"},
            "BootMode": "uefi",
            "BsuOptimized": False,
            "DeletionProtection": False,
            "ImageId": find_official_id(alice, BOTH),
            "NestedVirtualization": False,
            "Performance": "medium",  # that of the family t2
            "Placement": {"SubregionName": "eu-west-2a", "Tenancy": "default"},
            "ShutdownBehaviorConfiguration": {"GuestAction": "stop", "HostAction": "stop"},
            "TpmEnabled": False,
            "UserData": "",
            "VmInitiatedShutdownBehavior": "stop",
            "VmType": "t2.small",
        }
        assert {name: reread[name] for name in values} == values
        absent = {"ClientToken", "KeypairName", "Nics", "SubnetId"}
        assert not absent & set(reread)
        others = {
            "BlockDeviceMappings": [mapping["DeviceName"] for mapping in reread["BlockDeviceMappings"]]
            == ["/dev/sda1"],
            "BootOnCreation": reread["State"] == "running",
            "MaxVmsCount": len(alice.read_vms()) == 1,
            "MinVmsCount": reread["LaunchNumber"] == 0,
            "PrivateIps": reread["PrivateIp"] == launched["PrivateIp"],
            "SecurityGroupIds": len(reread["SecurityGroups"]) == 1,
            "SecurityGroups": reread["SecurityGroups"][0]["SecurityGroupName"] == "default",
        }
        assert all(others.values())
        assert values.keys() | absent | others.keys() | {"DryRun"} == set(get_schema("CreateVmsRequest")["properties"])

    def test_have_the_performance_high_for_a_tina_type(self, entrance: Entrance, alice: Account) -> None:
        """A TINA type without a flag has the performance high. [VM-027, VMT-003]"""
        vm = launch(entrance, alice, VmType="tinav5.c2r4")
        assert (vm["VmType"], vm["Performance"]) == ("tinav5.c2r4p2", "high")


class TestBootMode:
    @pytest.mark.parametrize(("image", "mode"), [(BOTH, "uefi"), (LEGACY, "legacy"), (UEFI, "uefi")])
    def test_is_uefi_by_default_where_the_omi_offers_it(
        self, entrance: Entrance, alice: Account, image: str, mode: str
    ) -> None:
        """Without a request, a VM boots with uefi if its OMI offers it. [VM-020/default, OMI-031]"""
        vm = launch(entrance, alice, image)
        assert read(entrance, alice, vm)["BootMode"] == mode
        new_image = entrance.answer(alice, "CreateImage", VmId=vm["VmId"], ImageName="mine")["Image"]
        assert new_image["BootModes"] == [mode]

    def test_can_be_requested(self, entrance: Entrance, alice: Account) -> None:
        """A requested mode must be one that the OMI offers; an OMI inherits it. [VM-020, OMI-031]"""
        vm = launch(entrance, alice, BOTH, BootMode="legacy")
        assert read(entrance, alice, vm)["BootMode"] == "legacy"
        new_image = entrance.answer(alice, "CreateImage", VmId=vm["VmId"], ImageName="mine")["Image"]
        assert new_image["BootModes"] == ["legacy"]
        parameters = {"ImageId": find_official_id(alice, UEFI), "BootMode": "legacy"}
        assert entrance.refusal(alice, "CreateVms", **parameters) == (400, "4045", "VM-020")

    def test_of_a_copy_is_that_of_its_source_unless_requested(self, entrance: Entrance, alice: Account) -> None:
        """A copy has the boot modes of its source, or others that are requested. [OMI-031]"""
        source = {"SourceImageId": find_official_id(alice, BOTH), "SourceRegionName": alice.region}
        same = entrance.answer(alice, "CreateImage", ImageName="same", **source)["Image"]
        other = entrance.answer(alice, "CreateImage", ImageName="other", BootModes=["uefi"], **source)["Image"]
        assert (same["BootModes"], other["BootModes"]) == (["legacy", "uefi"], ["uefi"])

    def test_decides_what_the_next_boot_shows(self, entrance: Entrance, alice: Account) -> None:
        """ActionsOnNextBoot has SecureBoot none for uefi; it is empty for legacy and after the end. [FLD-011]"""
        uefi = launch(entrance, alice, ActionsOnNextBoot={"SecureBoot": "enable"})
        legacy = launch(entrance, alice, LEGACY, ActionsOnNextBoot={"SecureBoot": "none"})
        assert uefi["ActionsOnNextBoot"] == {"SecureBoot": "enable"}
        assert legacy["ActionsOnNextBoot"] == {}
        assert read(entrance, alice, uefi)["ActionsOnNextBoot"] == {"SecureBoot": "none"}
        assert read(entrance, alice, legacy)["ActionsOnNextBoot"] == {}
        none = {"SecureBoot": "none"}
        updated = entrance.answer(alice, "UpdateVm", VmId=legacy["VmId"], ActionsOnNextBoot=none)["Vm"]
        assert updated["ActionsOnNextBoot"] == {}
        entrance.answer(alice, "DeleteVms", VmIds=[uefi["VmId"], legacy["VmId"]])
        assert [read(entrance, alice, vm)["ActionsOnNextBoot"] for vm in (uefi, legacy)] == [{}, {}]
