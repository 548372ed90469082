"""Empty values: what Go clients send for parameters that are not set, and where an empty value says something."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from support.entrances import Entrance, describe_answer, describe_refusal
from support.world import get_world

from omisim import Account, ApiError, Cloud
from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.schema import Field, Shape
from omisim.model import BlockDeviceMappingVmCreation, BsuToCreate, Image, Placement
from omisim.model.filters import FiltersVolume
from omisim.model.serialize import api_name
from omisim.probe.experiments import Parameters
from omisim.probe.loading import load_cases

EMPTY: tuple[Any, ...] = ("", [], {})
NAMELESS = re.compile(r"\bNone\b|''|\"\"|  |^ | [.:,;]")  # in a message: where a name is empty
NET = {"SubnetId": "{subnet}", "DeviceNumber": 0}
CHANGE = {"AccountIds": ["123456789012"]}

# what released Terraform and Packer plugins send
SENT: list[tuple[str, Parameters]] = [
    ("CreateSnapshot", {"VolumeId": "{free}", "FileLocation": "", "SourceSnapshotId": "", "SourceRegionName": ""}),
    ("CreateAccessKey", {"ExpirationDate": ""}),
    ("CreateVms", {"ImageId": "{ubuntu}", "KeypairName": "", "UserData": "", "SubnetId": "", "Placement": {}}),
    ("CreateVms", {"ImageId": "{ubuntu}", "Placement": {"Tenancy": "", "SubregionName": ""}, "PrivateIps": []}),
    (
        "CreateVms",
        {
            "ImageId": "{ubuntu}",
            "Nics": [{"NicId": "{nic}", "DeviceNumber": 0, "Description": "", "PrivateIps": [], "SubnetId": ""}],
        },
    ),
    ("CreateVms", {"ImageId": "{ubuntu}", "Nics": [NET | {"SecurityGroupIds": [], "NicId": ""}]}),
    ("UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": CHANGE, "Removals": {}}}),
    ("UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {"Removals": CHANGE, "Additions": {}}}),
    ("UpdateImage", {"ImageId": "{golden}", "Description": "new", "PermissionsToLaunch": {}}),
    (
        "UpdateImage",
        {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": CHANGE, "Removals": {"AccountIds": []}}},
    ),
    (
        "UpdateSnapshot",
        {"SnapshotId": "{snapshot}", "PermissionsToCreateVolume": {"Additions": CHANGE, "Removals": {}}},
    ),
    ("CreateImage", {"VmId": "{vm}", "ImageName": "new", "SourceImageId": "", "BlockDeviceMappings": []}),
    ("CreateImage", {"SourceImageId": "{golden}", "SourceRegionName": "eu-west-2", "ImageName": "", "VmId": ""}),
    ("CreateVolume", {"SubregionName": "eu-west-2a", "Size": 1, "SnapshotId": "", "VolumeType": ""}),
    ("CreateNic", {"SubnetId": "{subnet}", "PrivateIps": [], "SecurityGroupIds": [""]}),
    ("DeleteKeypair", {"KeypairName": "pair", "KeypairId": ""}),
    ("DeleteSecurityGroup", {"SecurityGroupId": "{naming}", "SecurityGroupName": ""}),
    ("UpdateVm", {"VmId": "{vm}", "DeletionProtection": True, "UserData": "", "KeypairName": "", "VmType": ""}),
    ("ReadImages", {"Filters": {}, "NextPageToken": ""}),
    ("ReadImages", {"Filters": {"Tags": None, "ImageIds": ["{golden}"]}}),
    (
        "CreateImageExportTask",
        {
            "ImageId": "{golden}",
            "OsuExport": {
                "DiskImageFormat": "qcow2",
                "OsuBucket": "exports",
                "OsuPrefix": "",
                "OsuManifestUrl": "",
                "OsuApiKey": {"ApiKeyId": "", "SecretKey": ""},
            },
        },
    ),
]
# the parameters that may be empty, except the lists of Filters
SAYING = {
    "CreateImage.Description",
    "CreateNic.Description",
    "CreateProductType.Description",
    "CreateSnapshot.Description",
    "CreateTags.Tags.Key",
    "CreateTags.Tags.Value",
    "CreateVms.BlockDeviceMappings.NoDevice",
    "DeleteTags.Tags.Key",
    "DeleteTags.Tags.Value",
    "UpdateAccessKey.ExpirationDate",
    "UpdateAccessKey.Tag",
    "UpdateAccount.AdditionalEmails",
    "UpdateAccount.JobTitle",
    "UpdateAccount.MobileNumber",
    "UpdateAccount.PhoneNumber",
    "UpdateAccount.StateProvince",
    "UpdateAccount.VatNumber",
    "UpdateImage.Description",
    "UpdateImage.PermissionsToLaunch",
    "UpdateImage.ProductCodes",
    "UpdateNic.Description",
    "UpdateNic.SecurityGroupIds",
    "UpdateSnapshot.PermissionsToCreateVolume",
    "UpdateVm.BlockDeviceMappings.NoDevice",
    "UpdateVm.SecurityGroupIds",
}


def get_outcome(account: Account, action: str, parameters: Mapping[str, Any]) -> Any:
    """Return the outcome of a call."""
    try:
        return describe_answer(account.call(action, **parameters))
    except ApiError as error:
        return describe_refusal(error)


def paths(shape: Shape, path: tuple[Field, ...] = ()) -> Iterator[tuple[Field, ...]]:
    """Yield the way to each parameter, from the outermost one down."""
    for field in (shape.all_fields if not path else shape.fields).values():
        yield (*path, field)
        if field.shape is not None:
            yield from paths(field.shape, (*path, field))


def says_something(action: str, path: tuple[Field, ...]) -> bool:
    """Whether the value at the end of the way, or one that it is a part of, may be empty."""
    ways = {spell_path(action, path[: number + 1]) for number in range(len(path))}
    return path[0].name == "filters" or not ways.isdisjoint(SAYING)


def spell_path(action: str, path: tuple[Field, ...]) -> str:
    """Return the way as "UpdateImage.PermissionsToLaunch.Additions"."""
    return ".".join([action, *(api_name(field.name) for field in path)])


def make_request(path: tuple[Field, ...], value: Any) -> dict[str, Any]:
    """Return a request with this value at the end of the way."""
    first, *rest = path
    inner = make_request(tuple(rest), value) if rest else value
    return {api_name(first.name): [inner] if rest and first.many else inner}


KEPT = {case.action: case.kept for case in load_cases() if case.kept and case.by == "alice" and not case.switches}


class TestEveryParameter:
    def test_that_may_be_empty_is_on_the_list(self) -> None:
        """An empty value says something in descriptions, values of tags, NoDevice, and what an update clears.

        The key of a tag has a refusal of its own for it. [REQ-018, TAG-003]
        """
        every = ((name, path) for name in ACTIONS for path in paths(ACTIONS[name].shape))
        marked = {spell_path(name, path) for name, path in every if path[-1].empty and path[0].name != "filters"}
        assert marked == SAYING

    @pytest.mark.parametrize("action", sorted({*ACTIONS} - {"ReadApiLogs"}))  # its answer grows with each call
    def test_that_is_empty_is_absent(self, action: str) -> None:
        """An empty text, list or object does what the request without it does, and no message names it. [REQ-018]"""
        cloud = get_world().cloud.fork()
        alice, mark = cloud.account("alice"), cloud.mark()
        for path in (path for path in paths(ACTIONS[action].shape) if not says_something(action, path)):
            rest = get_world().fill(KEPT.get(action, {}))
            rest.pop(api_name(path[0].name), None)
            without, after = get_outcome(alice, action, rest), cloud.fork()
            for value in (*EMPTY, *([[""], [{}]] if path[-1].many else [])):
                cloud.rollback(mark)
                parameters = rest | make_request(path, value)
                outcome = get_outcome(alice, action, parameters)
                assert outcome == without, parameters
                assert cloud == after, parameters
                assert not NAMELESS.search(outcome.get("details", "")), outcome
            cloud.rollback(mark)


class TestSentByClients:
    @pytest.mark.parametrize(("action", "parameters"), SENT, ids=lambda part: part if isinstance(part, str) else None)
    def test_is_accepted_at_every_entrance(self, entrance: Entrance, action: str, parameters: Parameters) -> None:
        """What released Terraform and Packer plugins send for unset parameters is not read. [REQ-018]"""
        cloud = get_world().cloud.fork()
        entrance.answer(cloud.account("alice"), action, **get_world().fill(parameters))

    def test_uses_the_same_token_with_and_without_it(self, entrance: Entrance, timed: Cloud) -> None:
        """A request with empty values is the same request as the one without them. [REQ-018, VOL-017]"""
        alice = timed.account("alice")
        parameters = {"SubregionName": "eu-west-2a", "Size": 1, "ClientToken": "once"}
        first_id = entrance.answer(alice, "CreateVolume", **parameters)["Volume"]["VolumeId"]
        second_id = entrance.answer(alice, "CreateVolume", **parameters, SnapshotId="")["Volume"]["VolumeId"]
        assert second_id == first_id


class TestRequiredParameter:
    @pytest.mark.parametrize(
        ("action", "parameters"),
        [
            ("CreateKeypair", {"KeypairName": ""}),
            ("LinkVolume", {"VolumeId": "{free}", "VmId": "{vm}", "DeviceName": ""}),
            ("CreateVolume", {"SubregionName": "", "Size": 1}),
            ("CreateSecurityGroup", {"SecurityGroupName": "", "Description": "web"}),
            ("StartVms", {"VmIds": [""]}),
            ("CreateTags", {"ResourceIds": ["{vm}"], "Tags": [{}]}),
            ("UpdateVm", {"VmId": "{vm}", "KeypairName": ""}),
            ("UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {}}),
            ("UpdateImage", {"ImageId": "{golden}", "PermissionsToLaunch": {"Additions": {}}}),
            ("UpdateVm", {"VmId": "{vm}", "SecurityGroupIds": []}),
            ("UpdateNic", {"NicId": "{nic}", "SecurityGroupIds": [""]}),
        ],
    )
    def test_that_is_empty_is_missing(self, entrance: Entrance, action: str, parameters: Parameters) -> None:
        """A required parameter, and an update of nothing, is refused as missing. [REQ-010, OMI-103, VM-079, NIC-008]"""
        cloud = get_world().cloud.fork()
        assert entrance.refusal(cloud.account("alice"), action, **get_world().fill(parameters))[:2] == (400, "7000")

    def test_of_an_unknown_name_is_refused(self, entrance: Entrance, alice: Account) -> None:
        """An empty value does not hide a misspelt name. [REQ-008]"""
        assert entrance.refusal(alice, "CreateVms", ImageId="ami-12345678", ImageIds=[])[1:] == ("3001", "REQ-008")


class TestValueThatIsEmpty:
    def test_clears_a_description(self, entrance: Entrance, timed: Cloud) -> None:
        """A description may be empty, and a copy with an empty one does not inherit. [REQ-018, OMI-035]"""
        alice = timed.account("alice")
        source = timed.images.official("debian").image_id
        copy = {"SourceImageId": source, "SourceRegionName": alice.region}
        image = entrance.answer(alice, "CreateImage", **copy, Description="base")["Image"]
        cleared = entrance.answer(alice, "UpdateImage", ImageId=image["ImageId"], Description="")["Image"]
        other = {"SourceImageId": image["ImageId"], "SourceRegionName": alice.region, "Description": ""}
        assert (cleared["Description"], entrance.answer(alice, "CreateImage", **other)["Image"]["Description"]) == (
            "",
            "",
        )

    def test_is_kept_in_a_tag(self, entrance: Entrance, alice: Account) -> None:
        """The value of a tag may be empty, its key may not. [REQ-018, TAG-003]"""
        volume_id = alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id
        entrance.answer(alice, "CreateTags", ResourceIds=[volume_id], Tags=[{"Key": "team", "Value": ""}])
        assert entrance.answer(alice, "ReadVolumes")["Volumes"][0]["Tags"] == [{"Key": "team", "Value": ""}]
        keyless = {"ResourceIds": [volume_id], "Tags": [{"Key": "", "Value": "x"}]}
        assert entrance.refusal(alice, "CreateTags", **keyless) == (400, "4069", "TAG-003")

    def test_clears_what_an_update_can_clear(self, alice: Account) -> None:
        """An empty date and tag of an access key are cleared, product codes fall back to Linux.

        [REQ-018, AK-005, OMI-113]
        """
        key = alice.create_access_key(expiration_date="2030-01-01", tag="ci").access_key_id
        dated = alice.update_access_key(access_key_id=key, tag="")
        assert (dated.tag, dated.expiration_date is None) == (None, False)
        assert alice.update_access_key(access_key_id=key, expiration_date="").expiration_date is None
        assert alice.update_account(vat_number="", additional_emails=[]).vat_number == ""

    def test_removes_a_device_of_the_image(self, entrance: Entrance) -> None:
        """NoDevice removes a device whatever its text, by convention an empty one. [BDM-003, REQ-018]"""
        cloud = get_world().cloud.fork()
        without = {"BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "NoDevice": "", "Bsu": {}}]}
        parameters = get_world().fill({"ImageId": "{golden}"}) | without
        vm = entrance.answer(cloud.account("alice"), "CreateVms", **parameters)["Vms"][0]
        assert [disk["DeviceName"] for disk in vm["BlockDeviceMappings"]] == ["/dev/sda1"]

    def test_of_a_filter_finds_nothing(self, entrance: Entrance) -> None:
        """An empty list in Filters matches nothing, a list with an empty text matches that text. [FLT-004, REQ-018]"""
        alice = get_world().cloud.fork().account("alice")

        def count_images(**filters: Any) -> int:
            return len(entrance.answer(alice, "ReadImages", Filters=filters)["Images"])

        assert count_images() == count_images(FileLocations="") > count_images(Descriptions=[""]) > 0
        assert count_images(ImageIds=[]) == count_images(ImageIds=[], Descriptions=[""]) == 0

    def test_of_a_vm_filter_is_no_malformed_id(self, entrance: Entrance, alice: Account) -> None:
        """An empty text in VmIds matches no VM; another id without the prefix is refused. [VM-055, FLT-006]"""
        assert entrance.answer(alice, "ReadVms", Filters={"VmIds": [""]})["Vms"] == []
        assert entrance.refusal(alice, "ReadVms", Filters={"VmIds": ["vm-1"]})[1:] == ("4104", "VM-055")


class TestMessage:
    @pytest.mark.parametrize(
        ("action", "parameters", "rule"),
        [
            (
                "CreateSecurityGroupRule",
                {
                    "Flow": "Inbound",
                    "SecurityGroupId": "{group}",
                    "Rules": [{"IpProtocol": "tcp", "SecurityGroupsMembers": [{"AccountId": "123456789012"}]}],
                },
                "SG-026/name",
            ),
            ("UpdateNic", {"NicId": "{nic}", "LinkNic": {"DeleteOnVmDeletion": True, "LinkNicId": ""}}, "NIC-009/id"),
            ("UpdateVm", {"VmId": "{vm}", "BlockDeviceMappings": [{"NoDevice": ""}]}, "VM-076"),
            ("UpdateVm", {"VmId": "{vm}", "BlockDeviceMappings": [{"DeviceName": "/dev/sdz"}]}, "VM-076"),
            (
                "UpdateVm",
                {"VmId": "{vm}", "BlockDeviceMappings": [{"DeviceName": "", "Bsu": {"VolumeId": "{free}"}}]},
                "VM-076/volume",
            ),
            (
                "CreateSecurityGroupRule",
                {
                    "Flow": "Inbound",
                    "SecurityGroupId": "{group}",
                    "IpProtocol": "icmp",
                    "FromPortRange": 555,
                    "IpRange": "10.0.0.0/8",
                },
                "SG-023",
            ),
        ],
    )
    def test_never_names_what_is_absent(self, action: str, parameters: Parameters, rule: str) -> None:
        """A refusal names values that were sent, and no others.

        [REQ-018, SG-023, SG-026/name, NIC-009/id, VM-076, VM-076/volume]
        """
        alice = get_world().cloud.fork().account("alice")
        with pytest.raises(ApiError) as refusal:
            alice.call(action, **get_world().fill(parameters))
        assert refusal.value.rule == rule
        assert not NAMELESS.search(refusal.value.details), refusal.value.details


class TestDataclass:
    def test_with_empty_values_is_read_like_an_object(self, alice: Account, ubuntu: Image) -> None:
        """A typed call reads the fields of a dataclass like the keys of a dict. [REQ-009, REQ-018]"""
        mapping = BlockDeviceMappingVmCreation(
            device_name="/dev/sdb", virtual_device_name="", bsu=BsuToCreate(snapshot_id="", volume_size=1)
        )
        (vm,) = alice.create_vms(image_id=ubuntu.image_id, placement=Placement(), block_device_mappings=[mapping])
        assert [disk.device_name for disk in vm.block_device_mappings] == ["/dev/sda1", "/dev/sdb"]
        wrong = Placement(tenancy=5)  # type: ignore[arg-type]
        with pytest.raises(ApiError, match=r"4110 .* placement.tenancy must be a string, not an integer"):
            alice.create_vms(image_id=ubuntu.image_id, placement=wrong)
        assert alice.read_volumes(filters=FiltersVolume(volume_ids=())) == ()
