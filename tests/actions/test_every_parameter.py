"""Parameters one by one: filters, dry runs and pages of every action, and each value of the lists of values."""

from __future__ import annotations

import datetime as dt
from functools import cache
from itertools import product
from typing import Any

import pytest
from support.expect import expect_refusal
from support.official import index_by_api_name
from support.surface import list_core_actions
from support.world import World, get_world

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS, Action
from omisim.actions.framework.schema import Field
from omisim.model import Image, Vm
from omisim.model.serialize import to_api
from omisim.probe.experiments import Parameters
from omisim.probe.loading import load_cases

READS = [action for action in ACTIONS.values() if action.name in list_core_actions() and action.name.startswith("Read")]
TARGET = {"DiskImageFormat": "qcow2", "OsuBucket": "exports"}
NAMED = {"SubregionName": "eu-west-2a", "Size": 1}
FOREVER = dt.datetime(2099, 1, 1, tzinfo=dt.UTC)

# what each action of the model needs, over the names of the world
VALID: dict[str, Parameters] = {
    **{case.action: case.kept for case in load_cases() if case.kept and case.by == "alice" and not case.switches},
    "DeleteNet": {"NetId": "{empty_net}"},
    "UnlinkInternetService": {"InternetServiceId": "{idle_gateway}", "NetId": "{idle_net}"},
    "CreateImage": {"VmId": "{stopped}", "ImageName": "dry"},
    "CreateImageExportTask": {"ImageId": "{golden}", "OsuExport": TARGET},
    "CreateSnapshot": {"VolumeId": "{free}"},
    "CreateSnapshotExportTask": {"SnapshotId": "{snapshot}", "OsuExport": TARGET},
    "CreateTags": {"ResourceIds": ["{vm}"], "Tags": [{"Key": "k", "Value": "v"}]},
    "CreateVms": {"ImageId": "{ubuntu}"},
    "CreateVolume": NAMED,
    "DeleteExportTask": {"ExportTaskId": "{task}"},
    "DeleteImage": {"ImageId": "{golden}"},
    "DeleteSnapshot": {"SnapshotId": "{snapshot}"},
    "DeleteTags": {"ResourceIds": ["{vm}"], "Tags": [{"Key": "k", "Value": "v"}]},
    "DeleteVms": {"VmIds": ["{vm}"]},
    "DeleteVolume": {"VolumeId": "{free}"},
    "LinkVolume": {"VolumeId": "{free}", "VmId": "{vm}", "DeviceName": "/dev/sdx"},
    "RebootVms": {"VmIds": ["{vm}"]},
    "StartVms": {"VmIds": ["{stopped}"]},
    "StopVms": {"VmIds": ["{vm}"]},
    "UnlinkVolume": {"VolumeId": "{data}"},
    "UpdateImage": {"ImageId": "{golden}", "Description": "dry"},
    "UpdateSnapshot": {
        "SnapshotId": "{snapshot}",
        "PermissionsToCreateVolume": {"Additions": {"GlobalPermission": True}},
    },
    "UpdateVm": {"VmId": "{vm}", "DeletionProtection": True},
    "UpdateVolume": {"VolumeId": "{free}", "Size": 20},
}


@cache
def _busy() -> World:
    """Return the world of the other tests, with tasks in progress that can be cancelled, and two of each resource."""
    busy = World()
    alice = busy.cloud.account("alice")
    busy.cloud.engine.change_settings(timing="manual")
    for key in ("a", "b"):
        task = alice.call("CreateImageExportTask", ImageId=busy.ids["golden"], OsuExport=TARGET)
        busy.ids["task"] = task["ImageExportTask"]["TaskId"]
        alice.call("CreateSnapshotExportTask", SnapshotId=busy.ids["golden_root"], OsuExport=TARGET)
        alice.create_tags(resource_ids=[busy.ids["vm"]], tags=[{"key": key, "value": "v"}])
        alice.create_keypair(keypair_name=key)
    for name in ("data", "root"):
        alice.update_volume(volume_id=busy.ids[name], size=50)
    for name in ("empty_net", "idle_net"):
        busy.ids[name] = alice.create_net(ip_range="10.9.0.0/16").net_id
    busy.ids["idle_gateway"] = alice.create_internet_service().internet_service_id
    alice.link_internet_service(internet_service_id=busy.ids["idle_gateway"], net_id=busy.ids["idle_net"])
    return busy


class TestDryRun:
    @pytest.mark.parametrize(
        "action", [ACTIONS[name] for name in sorted(list_core_actions())], ids=lambda action: action.name
    )
    def test_of_a_valid_call_answers_the_context_only(self, action: Action) -> None:
        """A dry run of a call that would succeed answers ResponseContext only, and changes nothing. [REQ-013]"""
        cloud = _busy().cloud.fork()
        parameters = _busy().fill(VALID.get(action.name, {}))
        if action.paged:
            parameters |= {"ResultsPerPage": 1}
        before = cloud.fork()
        assert set(cloud.account("alice").call(action.name, **parameters, DryRun=True)) == {"ResponseContext"}
        assert cloud == before


def value_of_nothing(field: Field, *, listed: bool, name: str) -> Any:
    """Return a value of a filter that nothing here has."""
    values: dict[Any, Any] = {str: "i-00000000", int: -7, float: -7.0, dt.datetime: FOREVER.isoformat()}
    if field.type is dt.datetime and not listed:  # one end of a window
        return (FOREVER if name.startswith("From") else FOREVER.replace(year=1999)).isoformat()
    return [values[field.type]] if listed else values[field.type]


def filters() -> list[tuple[Action, str, Field, bool]]:
    """Return each filter of each read: whether it takes a list stands last."""
    rows = []
    for action in READS:
        declared = action.shape.fields.get("filters")
        for name, field in (index_by_api_name(declared.shape) if declared and declared.shape else {}).items():
            rows.append((action, name, field, field.read([], "", []) == ()))
    return rows


class TestEveryReadFilter:
    @pytest.mark.parametrize(
        ("action", "name", "field", "listed"), filters(), ids=lambda part: getattr(part, "name", None) or str(part)
    )
    def test_restricts_the_answer_by_its_value(self, action: Action, name: str, field: Field, listed: bool) -> None:
        """A value that no resource has finds nothing; true and false divide the resources. [FLT-001, FLT-006]"""
        alice = get_world().cloud.fork().account("alice")

        def read_rows(**parameters: Any) -> list[Any]:
            rows: list[Any] = alice.call(action.name, **parameters)[str(action.answer)]
            return rows

        if field.type is bool:
            shares = [read_rows(Filters={name: value}) for value in (True, False)]
            assert all(row in read_rows() for share in shares for row in share)
            assert not shares[0] or shares[0] != shares[1]
        else:
            assert read_rows(Filters={name: value_of_nothing(field, listed=listed, name=name)}) == []

    def test_for_volumes_includes_the_date_of_the_link(self, alice: Account, vm: Vm) -> None:
        """ReadVolumes filters by the date of the link that the VM shows, though the volume does not show it.

        [FLT-001]
        """
        disk = alice.call("ReadVms", Filters={"VmIds": [vm.vm_id]})["Vms"][0]["BlockDeviceMappings"][0]["Bsu"]
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        volumes = alice.call("ReadVolumes", Filters={"LinkVolumeLinkDates": [disk["LinkDate"]]})["Volumes"]
        assert [volume["VolumeId"] for volume in volumes] == [disk["VolumeId"]]
        assert "LinkDate" not in volumes[0]["LinkedVolumes"][0]


class TestPagesOfEveryRead:
    @pytest.mark.parametrize(
        "action", [a for a in ACTIONS.values() if a.paged and a.name != "ReadApiLogs"], ids=lambda action: action.name
    )
    def test_contain_all_results_in_order(self, action: Action) -> None:
        """The pages of a read together are its whole answer. [PAG-001, PAG-005]"""
        alice = _busy().cloud.fork().account("alice")
        key = str(action.answer)
        everything = alice.call(action.name)[key]
        size = len(everything) // 2 or 1
        pages = [alice.call(action.name, ResultsPerPage=size)]
        while "NextPageToken" in pages[-1]:
            pages.append(alice.call(action.name, ResultsPerPage=size, NextPageToken=pages[-1]["NextPageToken"]))
        assert [row for page in pages for row in page[key]] == everything
        assert [len(page[key]) for page in pages[:-1]] == [size] * (len(pages) - 1)
        assert len(pages) > 1


@pytest.fixture(name="uefi")
def _uefi(alice: Account) -> Image:
    """An official OMI that boots both ways."""
    return next(image for image in alice.read_images() if set(image.boot_modes) == {"legacy", "uefi"})


class TestVmAttributes:
    @pytest.mark.parametrize("performance", ["medium", "high", "highest"])
    def test_performance_is_set_at_launch_or_while_stopped(
        self, alice: Account, ubuntu: Image, performance: str
    ) -> None:
        """A VM has the performance of its launch, or the one it was given while stopped. [VM-027, VM-072]"""
        launched = alice.call("CreateVms", ImageId=ubuntu.image_id, VmType="tinav5.c1r1", Performance=performance)[
            "Vms"
        ][0]
        assert launched["Performance"] == performance
        vm = alice.create_vms(image_id=ubuntu.image_id, vm_type="tinav5.c1r1", boot_on_creation=False)[0]
        updated = alice.call("UpdateVm", VmId=vm.vm_id, Performance=performance)["Vm"]
        assert (updated["Performance"], updated["VmType"]) == (performance, launched["VmType"])

    @pytest.mark.parametrize(("guest", "host"), [*product(["stop", "terminate"], ["restart", "stop"])])
    def test_shutdown_behaviour_is_set_at_launch_and_by_update(
        self, alice: Account, ubuntu: Image, guest: str, host: str
    ) -> None:
        """The behaviour when the guest or the host stops is what the launch or an update says. [VM-025]"""
        behaviour = {"GuestAction": guest, "HostAction": host}
        launched = alice.call("CreateVms", ImageId=ubuntu.image_id, ShutdownBehaviorConfiguration=behaviour)["Vms"][0]
        assert launched["ShutdownBehaviorConfiguration"] == behaviour
        vm = alice.create_vms(image_id=ubuntu.image_id)[0]
        updated = alice.call("UpdateVm", VmId=vm.vm_id, ShutdownBehaviorConfiguration=behaviour)["Vm"]
        assert updated["ShutdownBehaviorConfiguration"] == behaviour

    @pytest.mark.parametrize("part", [{"GuestAction": "stop"}, {"GuestAction": "terminate"}])
    def test_shutdown_behaviour_is_updated_one_part_at_a_time(
        self, alice: Account, vm: Vm, part: dict[str, str]
    ) -> None:
        """An update of one part leaves the other one unchanged. [VM-025]"""
        before = {"GuestAction": "terminate", "HostAction": "stop"}
        alice.call("UpdateVm", VmId=vm.vm_id, ShutdownBehaviorConfiguration=before)
        updated = alice.call("UpdateVm", VmId=vm.vm_id, ShutdownBehaviorConfiguration=part)["Vm"]
        assert updated["ShutdownBehaviorConfiguration"] == before | part

    @pytest.mark.parametrize("action", ["enable", "disable", "setup-mode", "none", "restore-factory-keys"])
    def test_secure_boot_action_is_answered_until_the_next_boot(self, action: str) -> None:
        """The action on the keys at the next boot is answered until the VM has booted. [VM-022, VM-078]"""
        cloud = Cloud(timing="clock")
        alice = cloud.account("alice")
        image = next(image for image in alice.read_images() if "uefi" in image.boot_modes)
        boot_actions = {"SecureBoot": action}
        vm = alice.call("CreateVms", ImageId=image.image_id, BootMode="uefi", ActionsOnNextBoot=boot_actions)["Vms"][0]
        assert vm["ActionsOnNextBoot"] == boot_actions
        cloud.settle()
        assert to_api(alice.read_vms()[0])["ActionsOnNextBoot"] == {"SecureBoot": "none"}
        updated = alice.call("UpdateVm", VmId=vm["VmId"], ActionsOnNextBoot=boot_actions)["Vm"]
        assert updated["ActionsOnNextBoot"] == boot_actions
        alice.call("RebootVms", VmIds=[vm["VmId"]])
        cloud.settle()
        assert to_api(alice.read_vms()[0])["ActionsOnNextBoot"] == boot_actions
        alice.call("StopVms", VmIds=[vm["VmId"]])
        cloud.settle()
        alice.call("StartVms", VmIds=[vm["VmId"]])
        assert to_api(alice.read_vms()[0])["ActionsOnNextBoot"] == boot_actions
        cloud.settle()
        assert to_api(alice.read_vms()[0])["ActionsOnNextBoot"] == {"SecureBoot": "none"}

    def test_boot_actions_stay_unset_or_unchanged_for_an_empty_object(self, alice: Account, uefi: Image) -> None:
        """An empty object sets no action at launch, and changes none in an update. [FLD-011, VM-022, REQ-018]"""
        vm = alice.call("CreateVms", ImageId=uefi.image_id, BootMode="uefi", ActionsOnNextBoot={})["Vms"][0]
        assert vm["ActionsOnNextBoot"] == {"SecureBoot": "none"}
        alice.call("UpdateVm", VmId=vm["VmId"], ActionsOnNextBoot={"SecureBoot": "enable"})
        same = alice.call("UpdateVm", VmId=vm["VmId"], ActionsOnNextBoot={}, DeletionProtection=True)["Vm"]
        assert same["ActionsOnNextBoot"] == {"SecureBoot": "enable"}

    @pytest.mark.parametrize("mode", ["legacy", "uefi"])
    def test_boot_mode_is_chosen_at_launch(self, alice: Account, uefi: Image, mode: str) -> None:
        """A VM boots in the requested mode if its OMI supports both; a vTPM needs uefi. [VM-020, VM-021/legacy]"""
        request = {"ImageId": uefi.image_id, "BootMode": mode}
        vm = alice.call("CreateVms", **request, TpmEnabled=mode == "uefi")["Vms"][0]
        assert (vm["BootMode"], vm["TpmEnabled"]) == (mode, mode == "uefi")
        assert alice.can("CreateVms", **request, TpmEnabled=True) == (mode == "uefi")
        copy = alice.call(
            "CreateImage", SourceImageId=uefi.image_id, SourceRegionName="eu-west-2", ImageName=mode, BootModes=[mode]
        )["Image"]
        assert copy["BootModes"] == [mode]

    def test_nested_virtualization_is_allowed_on_dedicated_tenancy(self, alice: Account, ubuntu: Image) -> None:
        """A VM on dedicated tenancy may have nested virtualization. [VM-017, VM-018]"""
        request = {"ImageId": ubuntu.image_id, "Placement": {"Tenancy": "dedicated"}, "NestedVirtualization": True}
        vm = alice.call("CreateVms", **request)["Vms"][0]
        assert (vm["Placement"]["Tenancy"], vm["NestedVirtualization"]) == ("dedicated", True)
        alice.stop_vms(vm_ids=[vm["VmId"]])
        updated = alice.call("UpdateVm", VmId=vm["VmId"], NestedVirtualization=False, UserData="aGk=")["Vm"]
        assert (updated["NestedVirtualization"], updated["UserData"]) == (False, "aGk=")
        assert alice.call("UpdateVm", VmId=vm["VmId"], NestedVirtualization=True)["Vm"]["NestedVirtualization"]

    def test_nested_virtualization_is_refused_on_default_tenancy(self, alice: Account, vm: Vm) -> None:
        """A stopped VM on default tenancy cannot get nested virtualization; false is accepted. [VM-018]"""
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert expect_refusal(alice, "UpdateVm", VmId=vm.vm_id, NestedVirtualization=True).rule == "VM-018"
        assert alice.can("UpdateVm", VmId=vm.vm_id, NestedVirtualization=False)

    def test_nested_virtualization_is_allowed_in_a_dedicated_net(self, alice: Account, ubuntu: Image) -> None:
        """A VM in a dedicated Net needs no Tenancy of its own. [VM-018, NET-005/vm]"""
        net = alice.create_net(ip_range="10.0.0.0/16", tenancy="dedicated")
        subnet = alice.create_subnet(ip_range="10.0.0.0/24", net_id=net.net_id)
        request = {"ImageId": ubuntu.image_id, "SubnetId": subnet.subnet_id, "NestedVirtualization": True}
        assert alice.call("CreateVms", **request)["Vms"][0]["NestedVirtualization"]

    def test_security_group_is_given_by_name_or_id(self, alice: Account, ubuntu: Image, vm: Vm) -> None:
        """The default security group can be given by its name and by its id. [VM-009]"""
        groups = [to_api(group) for group in vm.security_groups]
        group_id = groups[0]["SecurityGroupId"]
        for choice in ({"SecurityGroups": ["default"]}, {"SecurityGroupIds": [group_id]}):
            assert alice.call("CreateVms", ImageId=ubuntu.image_id, **choice)["Vms"][0]["SecurityGroups"] == groups
        assert alice.call("UpdateVm", VmId=vm.vm_id, SecurityGroupIds=[group_id])["Vm"]["SecurityGroups"] == groups

    def test_volume_link_is_updated_by_volume_id(self, alice: Account, vm: Vm) -> None:
        """A link is updated by the id of its volume. [VM-076]"""
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        mapping = {"Bsu": {"VolumeId": volume_id, "DeleteOnVmDeletion": False}}
        updated = alice.call("UpdateVm", VmId=vm.vm_id, BlockDeviceMappings=[mapping])["Vm"]
        assert updated["BlockDeviceMappings"][0]["Bsu"]["DeleteOnVmDeletion"] is False

    def test_bsu_optimized_may_be_false(self, alice: Account, vm: Vm) -> None:
        """`BsuOptimized: false`, which Terraform sends, is accepted for a stopped VM. [VM-026]"""
        alice.stop_vms(vm_ids=[vm.vm_id])
        assert alice.call("UpdateVm", VmId=vm.vm_id, BsuOptimized=False)["Vm"]["BsuOptimized"] is False
        with pytest.raises(ApiError, match="VM-026"):
            alice.call("UpdateVm", VmId=vm.vm_id, BsuOptimized=True)


def test_nics_of_a_launch_have_every_requested_attribute() -> None:
    """Every parameter of a NIC has its effect, for new NICs and for an existing one. [VM-010, VM-011]"""
    ids = get_world().ids
    alice = get_world().cloud.fork().account("alice")
    chosen = [{"IsPrimary": True, "PrivateIp": "10.0.1.40"}, {"IsPrimary": False, "PrivateIp": "10.0.1.41"}]
    nics = [
        {
            "DeleteOnVmDeletion": False,
            "Description": "front",
            "DeviceNumber": 0,
            "PrivateIps": chosen,
            "SecurityGroupIds": [ids["net_group"]],
            "SubnetId": ids["subnet"],
        },
        {"DeviceNumber": 1, "SecondaryPrivateIpCount": 2, "SubnetId": ids["subnet"]},
        {"DeviceNumber": 2, "NicId": ids["nic"]},
    ]
    new_nics = alice.call("CreateVms", ImageId=ids["ubuntu"], Nics=nics)["Vms"][0]["Nics"]
    front, with_count, existing = new_nics
    assert (front["Description"], front["LinkNic"]["DeleteOnVmDeletion"]) == ("front", False)
    assert [{name: ip[name] for name in chosen[0]} for ip in front["PrivateIps"]] == chosen
    assert [group["SecurityGroupId"] for group in front["SecurityGroups"]] == [ids["net_group"]]
    assert [nic["LinkNic"]["DeviceNumber"] for nic in new_nics] == [0, 1, 2]
    assert (len(with_count["PrivateIps"]), existing["NicId"]) == (3, ids["nic"])


def test_alias_of_an_account_is_shown_on_snapshots_and_omis(cloud: Cloud) -> None:
    """Snapshots and OMIs show the alias of their owner. [ACC-008]"""
    acme = cloud.account("acme", alias="ACME")
    volume = acme.create_volume(subregion_name="eu-west-2a", size=1)
    assert acme.call("CreateSnapshot", VolumeId=volume.volume_id)["Snapshot"]["AccountAlias"] == "ACME"
