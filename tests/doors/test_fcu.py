"""FCU by boto3: the same cloud through the EC2 protocol, and where the protocol differs from OAPI."""

from __future__ import annotations

import base64
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.boto import make_filters, refusal_of

from omisim import Account, ApiError, Cloud
from omisim.model import WINDOWS_CODES, Image, Vm

ZONE = "eu-west-2a"


class TestImages:
    def test_from_an_instance_are_those_of_oapi(self, ec2: Any, alice: Account, vm: Vm) -> None:
        """An OMI made through FCU is the OMI that OAPI reads, with the snapshots of the instance's volumes."""
        image_id = ec2.create_image(InstanceId=vm.vm_id, Name="golden", Description="<&>", NoReboot=True)["ImageId"]
        (image,) = alice.read_images(filters={"image_ids": [image_id]})
        (row,) = ec2.describe_images(ImageIds=[image_id])["Images"]
        bsu = image.block_device_mappings[0].bsu
        assert bsu is not None
        assert row["BlockDeviceMappings"] == [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {
                    "DeleteOnTermination": True,
                    "SnapshotId": bsu.snapshot_id,
                    "VolumeSize": bsu.volume_size,
                    "VolumeType": "standard",
                },
            }
        ]
        assert (row["Name"], row["Description"], row["State"]) == ("golden", "<&>", "available")
        assert (row["OwnerId"], row["Public"], row["RootDeviceType"]) == (alice.account_id, False, "ebs")

    def test_made_by_oapi_are_those_of_fcu(self, ec2: Any, golden: Image) -> None:
        """An OMI made through OAPI is read, renamed in its description, and deregistered through FCU."""
        ec2.modify_image_attribute(ImageId=golden.image_id, Description={"Value": "new"})
        (row,) = ec2.describe_images(Owners=["self"])["Images"]
        assert (row["ImageId"], row["Description"]) == (golden.image_id, "new")
        assert ec2.deregister_image(ImageId=golden.image_id)["Return"] is True
        assert ec2.describe_images(Owners=["self"])["Images"] == []

    def test_registered_from_a_snapshot_are_for_i386_by_default(self, ec2: Any, alice: Account) -> None:
        """RegisterImage without an Architecture registers an OMI for i386. [FCU-008]"""
        volume_id = ec2.create_volume(AvailabilityZone=ZONE, Size=4)["VolumeId"]
        snapshot_id = ec2.create_snapshot(VolumeId=volume_id)["SnapshotId"]
        device = {"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot_id, "VolumeType": "gp2"}}
        parameters = {"RootDeviceName": "/dev/sda1", "BlockDeviceMappings": [device]}
        ec2.register_image(Name="default", **parameters)
        ec2.register_image(Name="given", Architecture="x86_64", **parameters)
        images = {image.image_name: image for image in alice.read_images(filters={"account_ids": [alice.account_id]})}
        assert {name: image.architecture for name, image in images.items()} == {"default": "i386", "given": "x86_64"}
        bsu = images["default"].block_device_mappings[0].bsu
        assert bsu is not None
        assert (bsu.snapshot_id, bsu.volume_type) == (snapshot_id, "gp2")

    def test_are_registered_from_devices_or_a_manifest(self, ec2: Any, alice: Account) -> None:
        """RegisterImage without either is refused, and the message names its own two sources. [FCU-062]"""
        assert refusal_of(ec2.register_image, Name="none", Architecture="x86_64") == (400, "MissingParameter")
        error = alice.cloud.calls()[-1].error
        assert error is not None
        assert (error.rule, "InstanceId" in error.details) == ("FCU-062", False)

    def test_are_registered_from_the_path_of_a_manifest(self, ec2: Any, alice: Account, golden: Image) -> None:
        """The location is a path in a bucket (bucket/key) or a URL; an object that is missing is refused. [FCU-060]"""
        alice.client("s3").create_bucket(Bucket="exports")
        target = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
        alice.create_image_export_task(image_id=golden.image_id, osu_export=target)
        path = f"exports/{golden.image_id}/manifest.json"
        image_id = ec2.register_image(Name="imported", ImageLocation=path)["ImageId"]
        (image,) = ec2.describe_images(ImageIds=[image_id])["Images"]
        assert (image["State"], image["ImageLocation"]) == ("available", f"https://oos.eu-west-2.outscale.com/{path}")
        for location, code in (("exports/none", "InvalidManifest"), ("none", "InvalidURLFormat")):
            assert refusal_of(ec2.register_image, Name="other", ImageLocation=location) == (400, code)

    def test_are_registered_from_a_path_by_a_valid_key(self, alice: Account, golden: Image) -> None:
        """A manifest is read by a key of the caller that is valid, not by the first one, which has expired."""
        alice.client("s3").create_bucket(Bucket="exports")
        target = {"disk_image_format": "qcow2", "osu_bucket": "exports"}
        alice.create_image_export_task(image_id=golden.image_id, osu_export=target)
        path = f"exports/{golden.image_id}/manifest.json"
        valid = alice.create_access_key()
        alice.update_access_key(access_key_id=alice.access_key, expiration_date="2026-01-02")
        alice.cloud.advance(seconds=2 * 86400)
        alice.access_key, alice.secret_key = valid.access_key_id, valid.secret_key
        assert alice.client("fcu").register_image(Name="imported", ImageLocation=path)["ImageId"]

    def test_are_copied_within_the_region(self, ec2: Any, alice: Account, golden: Image) -> None:
        """CopyImage copies within the Region. [OMI-024]"""
        parameters = {"SourceImageId": golden.image_id}
        image_id = ec2.copy_image(Name="copy", SourceRegion=alice.region, **parameters)["ImageId"]
        assert alice.read_images(filters={"image_ids": [image_id]})[0].image_name == "copy"

    def test_are_not_copied_from_another_region(self, ec2: Any, golden: Image) -> None:
        """CopyImage from another Region is not implemented."""
        parameters = {"SourceImageId": golden.image_id, "Name": "copy", "SourceRegion": "us-east-2"}
        assert refusal_of(ec2.copy_image, **parameters) == (400, "NotImplemented")

    def test_are_shared_by_launch_permissions(self, ec2: Any, alice: Account, bob: Account, golden: Image) -> None:
        """Launch permissions share an OMI in every door; ExecutableUsers selects by them. [FCU-006/group]"""
        theirs = bob.client("fcu")
        grant = {"ImageId": golden.image_id, "LaunchPermission": {"Add": [{"UserId": bob.account_id}]}}
        assert theirs.describe_images(ExecutableUsers=["self"])["Images"] == []
        ec2.modify_image_attribute(**grant)
        assert [i["ImageId"] for i in theirs.describe_images(ExecutableUsers=["self"])["Images"]] == [golden.image_id]
        assert bob.can("CreateVms", ImageId=golden.image_id)
        for value, code in (
            ({"Group": "x"}, "InvalidAMIAttributeItemValue"),
            ({"UserId": "1"}, "InvalidAMIAttributeItemValue"),
        ):
            error = refusal_of(ec2.modify_image_attribute, **(grant | {"LaunchPermission": {"Add": [value]}}))
            assert error == (400, code)
        attribute = {"ImageId": golden.image_id, "Attribute": "launchPermission"}
        assert ec2.describe_image_attribute(**attribute)["LaunchPermissions"] == [{"UserId": bob.account_id}]
        ec2.modify_image_attribute(**attribute, OperationType="add", UserGroups=["all"])  # the older form
        assert ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]["Public"] is True
        ec2.reset_image_attribute(**attribute)
        assert ec2.describe_image_attribute(**attribute)["LaunchPermissions"] == []
        assert not bob.can("CreateVms", ImageId=golden.image_id)

    def test_get_product_codes_added_and_never_removed(self, ec2: Any, alice: Account, golden: Image) -> None:
        """ModifyImageAttribute adds product codes to those of an OMI. [FCU-009]"""
        ec2.modify_image_attribute(ImageId=golden.image_id, Attribute="productCodes", ProductCodes=["0002"])
        ec2.modify_image_attribute(ImageId=golden.image_id, Attribute="productCodes", ProductCodes=["0001"])
        (image,) = alice.read_images(filters={"image_ids": [golden.image_id]})
        assert image.product_codes == ("0001", "0002")
        assert ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]["Platform"] == "windows"

    @pytest.mark.parametrize("code", sorted(WINDOWS_CODES))
    def test_with_a_windows_licence_show_their_platform(self, ec2: Any, golden: Image, code: str) -> None:
        """The platform of an OMI with the product code of any Windows licence is windows. [LIC-006]"""
        ec2.modify_image_attribute(ImageId=golden.image_id, Attribute="productCodes", ProductCodes=[code])
        assert ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]["Platform"] == "windows"

    def test_of_another_account_cannot_be_deregistered(self, ec2: Any, bob: Account, golden: Image) -> None:
        """A shared OMI is refused as AuthFailure, one that is not visible as not found. [FCU-016]"""
        theirs = bob.client("fcu")
        assert refusal_of(theirs.deregister_image, ImageId=golden.image_id) == (400, "InvalidAMIID.NotFound")
        ec2.modify_image_attribute(ImageId=golden.image_id, LaunchPermission={"Add": [{"Group": "all"}]})
        assert refusal_of(theirs.deregister_image, ImageId=golden.image_id) == (400, "AuthFailure")

    def test_have_attributes(self, ec2: Any, golden: Image) -> None:
        """DescribeImageAttribute answers one attribute; others are not implemented. [FCU-052]"""
        parameters = {"ImageId": golden.image_id}
        assert ec2.describe_image_attribute(**parameters, Attribute="description")["Description"] == {"Value": ""}
        codes = ec2.describe_image_attribute(**parameters, Attribute="productCodes")["ProductCodes"]
        assert [code["ProductCodeId"] for code in codes] == ["0001"]
        for other in ("kernel", "blockDeviceMapping"):
            error = refusal_of(ec2.describe_image_attribute, **parameters, Attribute=other)
            assert error == (400, "NotImplemented")

    def test_show_product_codes_with_the_names_of_their_types(self, ec2: Any, cloud: Cloud, golden: Image) -> None:
        """The type of a code is the name of its product type, or marketplace for a code of an account. [FCU-056]"""
        ec2.modify_image_attribute(ImageId=golden.image_id, ProductCodes=["0002"])
        codes = ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]["ProductCodes"]
        assert [code["ProductCodeType"] for code in codes] == ["Linux/UNIX", "Windows"]

    def test_have_no_encrypted_devices(self, ec2: Any, golden: Image) -> None:
        """The filter for encrypted devices finds OMIs with false."""
        encrypted = {
            value: [{"Name": "block-device-mapping.encrypted", "Values": [value]}] for value in ("true", "false")
        }
        assert ec2.describe_images(Owners=["self"], Filters=encrypted["true"])["Images"] == []
        assert len(ec2.describe_images(Owners=["self"], Filters=encrypted["false"])["Images"]) == 1

    def test_need_a_change_to_be_modified(self, ec2: Any, golden: Image, vm: Vm) -> None:
        """A request to modify an image or an instance that has no change is refused. [OMI-101, VM-071]"""
        assert refusal_of(ec2.modify_image_attribute, ImageId=golden.image_id) == (400, "OWS.Error")
        assert refusal_of(ec2.modify_instance_attribute, InstanceId=vm.vm_id) == (400, "OWS.Error")

    def test_have_attributes_that_cannot_be_modified(self, ec2: Any, golden: Image) -> None:
        """Others than the description, the launch permissions and the product codes are refused. [FCU-046]"""
        modify, image = ec2.modify_image_attribute, {"ImageId": golden.image_id}
        for other in ({"Attribute": "kernel", "Value": "aki-1"}, {"ImdsSupport": {"Value": "v2.0"}}):
            assert refusal_of(modify, **image, **other) == (400, "NotImplemented")
        modify(**image, Attribute="description", Value="by its older form")
        assert ec2.describe_images(ImageIds=[golden.image_id])["Images"][0]["Description"] == "by its older form"

    def test_keep_their_product_codes(self, ec2: Any, alice: Account, golden: Image) -> None:
        """A request to remove product codes is refused, and adds none. [FCU-009/remove]"""
        change = {"Attribute": "productCodes", "OperationType": "remove", "ProductCodes": ["0002"]}
        refusal = refusal_of(ec2.modify_image_attribute, ImageId=golden.image_id, **change)
        assert refusal == (400, "UnsupportedOperation")
        assert alice.read_images(filters={"image_ids": [golden.image_id]})[0].product_codes == ("0001",)

    def test_keep_their_product_codes_without_others(self, ec2: Any, alice: Account, golden: Image) -> None:
        """An empty list of product codes is refused: it would remove those of the image. [FCU-009]"""
        ec2.modify_image_attribute(ImageId=golden.image_id, ProductCodes=["0006"])
        refusal = refusal_of(ec2.modify_image_attribute, ImageId=golden.image_id, ProductCodes=[""])
        assert refusal == (400, "MissingParameter")
        assert alice.read_images(filters={"image_ids": [golden.image_id]})[0].product_codes == ("0001", "0006")

    def test_are_not_shared_with_organizations(self, ec2: Any, bob: Account, golden: Image) -> None:
        """A permission that names neither an account nor a group is refused, not left out. [FCU-006]"""
        additions = [{"UserId": bob.account_id}, {"OrganizationArn": "arn:aws:organizations::1:organization/o-1"}]
        change = {"LaunchPermission": {"Add": additions}}
        assert refusal_of(ec2.modify_image_attribute, ImageId=golden.image_id, **change)[1] == "InvalidParameterValue"

    def test_are_changed_in_one_form(self, ec2: Any, alice: Account, bob: Account, golden: Image) -> None:
        """Two forms of one change are refused, and neither is done. [FCU-064]"""
        everyone = {"LaunchPermission": {"Add": [{"Group": "all"}]}}
        before = alice.cloud.fork()
        changes: list[dict[str, Any]] = [
            {"OperationType": "add", "UserIds": [bob.account_id], **everyone},
            {"OperationType": "remove", "UserGroups": ["all"], **everyone},
            {"Attribute": "description", "Value": "old", "Description": {"Value": "new"}},
        ]
        for change in changes:
            refusal = refusal_of(ec2.modify_image_attribute, ImageId=golden.image_id, **change)
            assert refusal == (400, "InvalidParameterCombination")
        assert alice.cloud == before

    def test_have_attributes_in_any_case(self, ec2: Any, golden: Image) -> None:
        """Ansible names the attribute that it modifies with a capital. [FCU-046]"""
        modify, image = ec2.modify_image_attribute, {"ImageId": golden.image_id}
        modify(**image, Attribute="Description", Description={"Value": "new"})
        modify(**image, Attribute="LaunchPermission", LaunchPermission={"Add": [{"Group": "all"}]})
        (shown,) = ec2.describe_images(ImageIds=[golden.image_id])["Images"]
        assert (shown["Description"], shown["Public"]) == ("new", True)


class TestSnapshots:
    def test_restorable_by_self_are_the_callers_own_and_those_shared_with_it(
        self, ec2: Any, alice: Account, bob: Account
    ) -> None:
        """`self` selects the caller's own snapshots, which need no permission: fog reads all snapshots with it."""

        def create(owner: Account) -> str:
            volume_id = owner.create_volume(subregion_name=ZONE, size=1).volume_id
            return owner.create_snapshot(volume_id=volume_id).snapshot_id

        own, shared, public = create(alice), create(bob), create(bob)
        allowed = {shared: {"account_ids": [alice.account_id]}, public: {"global_permission": True}}
        for snapshot_id, additions in allowed.items():
            bob.update_snapshot(snapshot_id=snapshot_id, permissions_to_create_volume={"additions": additions})
        shown = ec2.describe_snapshots(RestorableByUserIds=["self"])["Snapshots"]
        assert [snapshot["SnapshotId"] for snapshot in shown] == [own, shared]

    def test_are_made_copied_shared_and_deleted(self, ec2: Any, alice: Account, bob: Account) -> None:
        """The life of a snapshot."""
        volume_id = ec2.create_volume(AvailabilityZone=ZONE, Size=4)["VolumeId"]
        first = ec2.create_snapshot(VolumeId=volume_id, Description="first")
        assert (first["State"], first["Progress"], first["VolumeSize"]) == ("in-queue", "0%", 4)
        parameters = {"SnapshotId": first["SnapshotId"]}
        (snapshot,) = ec2.describe_snapshots(SnapshotIds=[first["SnapshotId"]])["Snapshots"]
        assert (snapshot["State"], snapshot["Progress"], snapshot["OwnerId"]) == ("completed", "100%", alice.account_id)
        copy = ec2.copy_snapshot(SourceSnapshotId=first["SnapshotId"], SourceRegion=alice.region)["SnapshotId"]
        assert {s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]} == {
            copy,
            first["SnapshotId"],
        }
        grant = {"Add": [{"UserId": bob.account_id}]}
        ec2.modify_snapshot_attribute(**parameters, CreateVolumePermission=grant)
        theirs = bob.client("fcu")
        assert len(theirs.describe_snapshots(RestorableByUserIds=["self"])["Snapshots"]) == 1
        assert theirs.create_volume(AvailabilityZone=ZONE, **parameters)["Size"] == 4
        attribute = {"Attribute": "createVolumePermission", **parameters}
        assert ec2.describe_snapshot_attribute(**attribute)["CreateVolumePermissions"] == [{"UserId": bob.account_id}]
        assert theirs.describe_snapshots(SnapshotIds=[first["SnapshotId"]])["Snapshots"][0]["VolumeId"] == volume_id
        assert ec2.describe_snapshots(SnapshotIds=[copy])["Snapshots"][0]["VolumeId"] == ""  # FCU-057
        ec2.reset_snapshot_attribute(**attribute)
        assert refusal_of(theirs.describe_snapshots, SnapshotIds=[copy]) == (400, "InvalidSnapshot.NotFound")
        ec2.delete_snapshot(**parameters)
        assert [s["SnapshotId"] for s in ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]] == [copy]

    def test_of_an_image_cannot_be_deleted(self, ec2: Any, golden: Image) -> None:
        """The error is EC2's own name for it. [SNP-016]"""
        bsu = golden.block_device_mappings[0].bsu
        assert bsu is not None
        assert refusal_of(ec2.delete_snapshot, SnapshotId=bsu.snapshot_id) == (400, "InvalidSnapshot.InUse")

    def test_have_permissions_only_that_can_be_modified(self, ec2: Any, golden: Image) -> None:
        """ModifySnapshotAttribute of another attribute is refused. [FCU-046/snapshot]"""
        modify, parameters = ec2.modify_snapshot_attribute, {"SnapshotId": golden.snapshot_ids[0]}
        everyone = {"OperationType": "add", "GroupNames": ["all"]}
        assert refusal_of(modify, Attribute="productCodes", **everyone, **parameters) == (400, "NotImplemented")
        modify(Attribute="createVolumePermission", **everyone, **parameters)
        shown = ec2.describe_snapshot_attribute(Attribute="createVolumePermission", **parameters)
        assert shown["CreateVolumePermissions"] == [{"Group": "all"}]

    def test_need_a_change_to_be_modified(self, ec2: Any, golden: Image) -> None:
        """ModifySnapshotAttribute without permissions is refused as OUTSCALE's own tests expect. [FCU-065]"""
        for change in ({}, {"Attribute": "createVolumePermission"}, {"OperationType": "add", "UserIds": [""]}):
            refusal = refusal_of(ec2.modify_snapshot_attribute, SnapshotId=golden.snapshot_ids[0], **change)
            assert refusal == (400, "OWS.Error")

    def test_are_shared_in_one_form(self, ec2: Any, bob: Account, golden: Image) -> None:
        """Two forms of one change of permissions are refused. [FCU-064]"""
        newer = {"CreateVolumePermission": {"Add": [{"Group": "all"}]}}
        older = {"OperationType": "add", "UserIds": [bob.account_id]}
        refusal = refusal_of(ec2.modify_snapshot_attribute, SnapshotId=golden.snapshot_ids[0], **newer, **older)
        assert refusal == (400, "InvalidParameterCombination")


class TestVolumes:
    def test_are_created_attached_and_detached(self, ec2: Any, alice: Account, vm: Vm) -> None:
        """The life of a volume; the answers to AttachVolume and DetachVolume show the link."""
        new_volume = ec2.create_volume(AvailabilityZone=ZONE, Size=4, VolumeType="io1", Iops=200)
        volume_id = new_volume["VolumeId"]
        assert (new_volume["State"], new_volume["Iops"], new_volume["Attachments"]) == ("creating", 200, [])
        link = {"VolumeId": volume_id, "InstanceId": vm.vm_id, "Device": "/dev/xvdb"}
        attached = ec2.attach_volume(**link)
        assert {name: attached[name] for name in link} == link
        assert attached["State"] == "attaching"
        (row,) = ec2.describe_volumes(VolumeIds=[volume_id])["Volumes"]
        del attached["ResponseMetadata"]
        assert row["Attachments"] == [{**attached, "State": "attached"}]
        assert refusal_of(ec2.delete_volume, VolumeId=volume_id) == (400, "VolumeInUse")
        detached = ec2.detach_volume(VolumeId=volume_id)
        assert {name: detached[name] for name in link} == link
        assert detached["State"] == "detaching"
        assert refusal_of(ec2.detach_volume, VolumeId=volume_id) == (400, "InvalidVolumeState")
        ec2.delete_volume(VolumeId=volume_id)
        assert volume_id not in [volume.volume_id for volume in alice.read_volumes()]

    def test_of_others_are_not_found(self, ec2: Any, bob: Account, vm: Vm, ubuntu: Image) -> None:
        """DetachVolume says nothing about another account's volume, also if it names an instance. [LNK-020]"""
        (other,) = bob.create_vms(image_id=ubuntu.image_id)
        volume_id = other.block_device_mappings[0].bsu.volume_id
        error = refusal_of(ec2.detach_volume, VolumeId=volume_id, InstanceId=vm.vm_id)
        assert error == (400, "InvalidVolume.NotFound")

    def test_are_detached_from_the_instance_that_is_named(self, ec2: Any, vm: Vm) -> None:
        """An instance or a device that is not the link's is refused. [FCU-011]"""
        volume_id = vm.block_device_mappings[0].bsu.volume_id
        for other in ({"InstanceId": "i-12345678"}, {"Device": "/dev/xvdz"}):
            error = refusal_of(ec2.detach_volume, VolumeId=volume_id, **other)
            assert error == (400, "InvalidParameterValue")
        assert refusal_of(ec2.detach_volume, VolumeId=volume_id, Device="/dev/sda1") == (400, "OperationNotPermitted")

    def test_show_an_empty_snapshot_without_one(self, ec2: Any) -> None:
        """The SnapshotId of a new volume and of one that is read is "" if it was made without a snapshot. [FCU-057]"""
        new_volume = ec2.create_volume(AvailabilityZone=ZONE, Size=4)
        (volume,) = ec2.describe_volumes(VolumeIds=[new_volume["VolumeId"]])["Volumes"]
        assert (new_volume["SnapshotId"], volume["SnapshotId"]) == ("", "")

    def test_are_attached_at_valid_devices(self, ec2: Any, vm: Vm) -> None:
        """An invalid name of a device has FCU's own code. [OMI-053]"""
        volume_id = ec2.create_volume(AvailabilityZone=ZONE, Size=4)["VolumeId"]
        error = refusal_of(ec2.attach_volume, VolumeId=volume_id, InstanceId=vm.vm_id, Device="invalid name")
        assert error == (400, "InvalidBlockDeviceMapping")

    def test_are_created_once_with_a_client_token(self, ec2: Any) -> None:
        """A repeated ClientToken answers the same volume. [VOL-017]"""
        parameters = {"AvailabilityZone": ZONE, "Size": 4, "ClientToken": "once"}
        assert ec2.create_volume(**parameters)["VolumeId"] == ec2.create_volume(**parameters)["VolumeId"]


class TestInstances:
    def test_are_launched_described_and_terminated(self, ec2: Any, alice: Account, ubuntu: Image) -> None:
        """The life of an instance."""
        disk = {"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 3, "VolumeType": "gp2", "DeleteOnTermination": False}}
        launched = ec2.run_instances(
            ImageId=ubuntu.image_id,
            InstanceType="tinav4.c2r4",
            MinCount=1,
            MaxCount=2,
            BlockDeviceMappings=[disk],
            Placement={"AvailabilityZone": "eu-west-2b"},
            UserData="#!/bin/sh",
        )
        first, second = launched["Instances"]
        assert launched["OwnerId"] == alice.account_id
        assert (first["State"], first["AmiLaunchIndex"]) == ({"Code": 0, "Name": "pending"}, 0)
        assert (first["InstanceType"], first["Placement"]["AvailabilityZone"]) == ("tinav4.c2r4p2", "eu-west-2b")
        assert [disk["DeviceName"] for disk in first["BlockDeviceMappings"]] == ["/dev/sda1", "/dev/xvdb"]
        (vm, _) = alice.read_vms()
        assert base64.b64decode(vm.user_data) == b"#!/bin/sh"
        (reservation,) = ec2.describe_instances()["Reservations"]
        assert [i["InstanceId"] for i in reservation["Instances"]] == [first["InstanceId"], second["InstanceId"]]
        assert reservation["Groups"] == launched["Groups"] != []
        ids = {"InstanceIds": [first["InstanceId"]]}
        stopping = ec2.stop_instances(**ids)["StoppingInstances"]
        assert stopping == [
            {
                "InstanceId": first["InstanceId"],
                "CurrentState": {"Code": 64, "Name": "stopping"},
                "PreviousState": {"Code": 16, "Name": "running"},
            }
        ]
        assert refusal_of(ec2.reboot_instances, **ids) == (400, "IncorrectInstanceState")
        assert ec2.start_instances(**ids)["StartingInstances"][0]["CurrentState"]["Name"] == "pending"
        ec2.reboot_instances(**ids)
        assert ec2.terminate_instances(**ids)["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"
        assert alice.read_vms(filters={"vm_ids": ids["InstanceIds"]})[0].state == "terminated"

    def test_always_have_interfaces_and_dns_names(self, ec2: Any, vm: Vm) -> None:
        """Clients index these keys of an instance, so they are there although OAPI leaves the fields out. [FCU-057]"""
        ec2.stop_instances(InstanceIds=[vm.vm_id])
        (instance,) = ec2.describe_instances(InstanceIds=[vm.vm_id])["Reservations"][0]["Instances"]
        assert (instance["NetworkInterfaces"], instance["PublicDnsName"], instance["PrivateDnsName"]) == ([], "", "")

    def test_without_user_data_have_the_empty_attribute(self, ec2: Any, vm: Vm) -> None:
        """Clients read `["UserData"].get("Value")`."""
        attribute = {"InstanceId": vm.vm_id, "Attribute": "userData"}
        assert ec2.describe_instance_attribute(**attribute)["UserData"] == {}
        ec2.stop_instances(InstanceIds=[vm.vm_id])
        ec2.modify_instance_attribute(InstanceId=vm.vm_id, UserData={"Value": b"#!/bin/sh"})
        encoded = base64.b64encode(b"#!/bin/sh").decode()
        assert ec2.describe_instance_attribute(**attribute)["UserData"] == {"Value": encoded}

    @pytest.mark.parametrize("attribute", ["kernel", "groupSet", "nonsense"])
    def test_do_not_have_other_attributes_in_the_older_form(self, ec2: Any, vm: Vm, attribute: str) -> None:
        """An attribute without a Value is refused by its name, not as a request without a change. [FCU-046/instance]"""
        change = {"InstanceId": vm.vm_id, "Attribute": attribute, "Value": "x"}
        assert refusal_of(ec2.modify_instance_attribute, **change) == (400, "NotImplemented")

    def test_that_run_are_not_started(self, ec2: Any, vm: Vm) -> None:
        """The code is the one for a wrong state of an instance. [UNK-06]"""
        assert refusal_of(ec2.start_instances, InstanceIds=[vm.vm_id]) == (400, "IncorrectInstanceState")

    def test_of_windows_are_found_by_their_platform(self, ec2: Any, cloud: Cloud, vm: Vm) -> None:
        """The platform of an instance follows from its product codes, as that of an image does."""
        image_id = cloud.images.official("windows").image_id
        launched = ec2.run_instances(ImageId=image_id, MinCount=1, MaxCount=1)["Instances"][0]
        (reservation,) = ec2.describe_instances(Filters=[{"Name": "platform", "Values": ["windows"]}])["Reservations"]
        assert launched["Platform"] == "windows"
        assert [instance["InstanceId"] for instance in reservation["Instances"]] == [launched["InstanceId"]]

    def test_have_private_addresses_of_subnets(self, ec2: Any, ubuntu: Image) -> None:
        """A private address outside a subnet is refused with its own code. [VM-013/subnet]"""
        parameters = {"ImageId": ubuntu.image_id, "MinCount": 1, "MaxCount": 1, "PrivateIpAddress": "10.0.0.9"}
        assert refusal_of(ec2.run_instances, **parameters) == (400, "InvalidParameterCombination")

    def test_are_not_optimized_for_disks(self, ec2: Any, vm: Vm) -> None:
        """The code is the one that OUTSCALE's own tests expect. [VM-026]"""
        ec2.stop_instances(InstanceIds=[vm.vm_id])
        refusal = refusal_of(ec2.modify_instance_attribute, InstanceId=vm.vm_id, EbsOptimized={"Value": True})
        assert refusal == (400, "NotSupported")

    def test_are_changed_in_one_form(self, ec2: Any, vm: Vm) -> None:
        """Two forms of one change are refused. [FCU-064]"""
        change = {"Attribute": "instanceType", "Value": "t2.small", "InstanceType": {"Value": "t2.micro"}}
        refusal = refusal_of(ec2.modify_instance_attribute, InstanceId=vm.vm_id, **change)
        assert refusal == (400, "InvalidParameterCombination")

    @pytest.mark.parametrize("field", ["id", "name"])
    def test_of_the_public_cloud_are_found_by_their_groups(self, ec2: Any, ubuntu: Image, field: str) -> None:
        """The filters group-id and group-name are for security groups of the public Cloud. [FCU-012]"""
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        launch = {"ImageId": ubuntu.image_id, "MinCount": 1, "MaxCount": 1}
        public = ec2.run_instances(**launch)["Instances"][0]
        private = ec2.run_instances(**launch, SubnetId=subnet_id)["Instances"][0]
        values = [vm["SecurityGroups"][0][f"Group{field.capitalize()}"] for vm in (public, private)]
        filters = [{"Name": f"group-{field}", "Values": values}]
        (reservation,) = ec2.describe_instances(Filters=filters)["Reservations"]
        assert [vm["InstanceId"] for vm in reservation["Instances"]] == [public["InstanceId"]]

    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("attachment.instance-id", "InstanceId"),
            ("attachment.instance-owner-id", "OwnerId"),
            ("availability-zone", "Zone"),
            ("requester-managed", "IsManaged"),
        ],
    )
    def test_with_interfaces_are_found_by_their_values(self, ec2: Any, ubuntu: Image, name: str, path: str) -> None:
        """A filter on interfaces finds no instance of the public Cloud, which has none. [FCU-012]"""
        vpc_id = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet_id = ec2.create_subnet(VpcId=vpc_id, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        launch = {"ImageId": ubuntu.image_id, "MinCount": 1, "MaxCount": 1}
        public = ec2.run_instances(**launch)["Instances"][0]
        reservation = ec2.run_instances(**launch, SubnetId=subnet_id)
        (private,) = reservation["Instances"]
        zone = private["Placement"]["AvailabilityZone"]
        value = {**private, "OwnerId": reservation["OwnerId"], "Zone": zone, "IsManaged": "false"}[path]
        filters = [{"Name": f"network-interface.{name}", "Values": [value, public["InstanceId"]]}]
        (found,) = ec2.describe_instances(Filters=filters)["Reservations"]
        assert [vm["InstanceId"] for vm in found["Instances"]] == [private["InstanceId"]]

    def test_have_no_scheduled_events(self, ec2: Any, vm: Vm) -> None:
        """The filters for events of DescribeInstanceStatus find nothing."""
        for name in ("event.code", "event.description", "event.not-after", "event.not-before"):
            filters = [{"Name": name, "Values": ["*"]}]
            assert ec2.describe_instance_status(Filters=filters)["InstanceStatuses"] == []

    def test_have_statuses(self, ec2: Any, vm: Vm) -> None:
        """DescribeInstanceStatus lists running instances, or all of them."""
        (status,) = ec2.describe_instance_status()["InstanceStatuses"]
        assert (status["InstanceId"], status["InstanceStatus"]["Status"]) == (vm.vm_id, "ok")
        ec2.stop_instances(InstanceIds=[vm.vm_id])
        assert ec2.describe_instance_status(InstanceIds=[vm.vm_id])["InstanceStatuses"] == []
        (status,) = ec2.describe_instance_status(IncludeAllInstances=True)["InstanceStatuses"]
        assert (status["InstanceState"]["Name"], status["SystemStatus"]["Status"]) == ("stopped", "not-applicable")

    def test_have_attributes(self, ec2: Any, vm: Vm) -> None:
        """ModifyInstanceAttribute changes, in both forms, and DescribeInstanceAttribute shows."""
        parameters = {"InstanceId": vm.vm_id}
        ec2.modify_instance_attribute(**parameters, DisableApiTermination={"Value": True})
        answer = ec2.describe_instance_attribute(**parameters, Attribute="disableApiTermination")
        assert answer["DisableApiTermination"] == {"Value": True}
        assert refusal_of(ec2.terminate_instances, InstanceIds=[vm.vm_id]) == (400, "OperationNotPermitted")
        behavior = "instanceInitiatedShutdownBehavior"
        ec2.modify_instance_attribute(**parameters, Attribute=behavior, Value="terminate")
        answer = ec2.describe_instance_attribute(**parameters, Attribute=behavior)
        assert answer["InstanceInitiatedShutdownBehavior"] == {"Value": "terminate"}
        for attribute in ("blockDeviceMapping", "groupSet", "instanceType", "productCodes", "rootDeviceName"):
            assert ec2.describe_instance_attribute(**parameters, Attribute=attribute)["InstanceId"] == vm.vm_id

    def test_have_a_console_and_a_password(self, ec2: Any, vm: Vm) -> None:
        """GetConsoleOutput and GetPasswordData answer what OAPI does."""
        assert vm.image_id in ec2.get_console_output(InstanceId=vm.vm_id)["Output"]
        assert ec2.get_password_data(InstanceId=vm.vm_id)["PasswordData"] == ""


class TestAccountResources:
    def test_key_pairs_are_created_imported_and_deleted(self, ec2: Any, alice: Account) -> None:
        """The life of a key pair; deleting one that does not exist succeeds. [FCU-015]"""
        key_pair = ec2.create_key_pair(KeyName="made")
        assert key_pair["KeyMaterial"].startswith("-----BEGIN")
        key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJeWO3BRqxOYtYkXvYrNdy7pNlIcIGJAqQPJAhHvQkXK x"
        imported = ec2.import_key_pair(KeyName="imported", PublicKeyMaterial=key.encode())
        ids_by_name = {pair["KeyName"]: pair["KeyPairId"] for pair in ec2.describe_key_pairs()["KeyPairs"]}
        assert ids_by_name == {"made": key_pair["KeyPairId"], "imported": imported["KeyPairId"]}
        assert refusal_of(ec2.create_key_pair, KeyName="made") == (400, "InvalidKeyPair.Duplicate")
        assert refusal_of(ec2.describe_key_pairs, KeyNames=["other"]) == (400, "InvalidKeyPair.NotFound")
        for name in ("made", "other"):
            assert ec2.delete_key_pair(KeyName=name)["Return"] is True
        assert [pair.keypair_name for pair in alice.read_keypairs()] == ["imported"]

    def test_tags_are_created_found_and_deleted(self, ec2: Any, vm: Vm, golden: Image) -> None:
        """Tags through every door; a filter takes tags, with wildcards. [FCU-012, FCU-020]"""
        ec2.create_tags(Resources=[vm.vm_id, golden.image_id], Tags=[{"Key": "Name", "Value": "web-1"}, {"Key": "Env"}])
        assert len(ec2.describe_tags(Filters=[{"Name": "key", "Values": ["Name"]}])["Tags"]) == 2
        for name, value, tag_count in (
            ("tag:Name", "web-*", 1),
            ("tag:Name", "web", 0),
            ("tag:Env", "", 1),
            ("tag-key", "Env", 1),
            ("tag-value", "web-?", 1),
            ("tag:Other", "*", 0),
        ):
            filters = [{"Name": name, "Values": [value]}]
            assert len(ec2.describe_instances(Filters=filters)["Reservations"]) == tag_count, name
        both = [{"Name": "tag:Name", "Values": ["web-1"]}, {"Name": "tag:Env", "Values": ["x"]}]
        assert ec2.describe_instances(Filters=both)["Reservations"] == []
        ec2.delete_tags(Resources=[vm.vm_id], Tags=[{"Key": "Name"}, {"Key": "Env"}])
        assert {tag["ResourceId"] for tag in ec2.describe_tags()["Tags"]} == {golden.image_id}

    def test_tags_are_all_deleted_if_none_is_named(self, ec2: Any, vm: Vm, golden: Image) -> None:
        """DeleteTags without tags removes those of the resources, and of no other. [FCU-054]"""
        ec2.create_tags(Resources=[vm.vm_id, golden.image_id], Tags=[{"Key": "a"}, {"Key": "b", "Value": "c"}])
        ec2.delete_tags(Resources=[vm.vm_id])
        assert {tag["ResourceId"] for tag in ec2.describe_tags()["Tags"]} == {golden.image_id}
        ec2.delete_tags(Resources=[vm.vm_id])
        assert refusal_of(ec2.delete_tags, Resources=["vol-12345678"]) == (400, "InvalidVolume.NotFound")

    def test_regions_and_zones_are_listed(self, ec2: Any) -> None:
        """Regions have the endpoints of FCU."""
        regions = ec2.describe_regions(RegionNames=["eu-west-2"])["Regions"]
        assert regions == [{"RegionName": "eu-west-2", "Endpoint": "fcu.eu-west-2.outscale.com"}]
        zones = ec2.describe_availability_zones(ZoneNames=["eu-west-2b"])["AvailabilityZones"]
        assert zones == [{"RegionName": "eu-west-2", "ZoneName": "eu-west-2b", "State": "available"}]
        assert refusal_of(ec2.describe_regions, RegionNames=["mars"]) == (400, "InvalidParameterValue")


class TestEmptyTexts:
    """An empty text of a request means that the parameter is absent, as in OAPI (REQ-018)."""

    def test_are_no_domain(self, ec2: Any) -> None:
        """AllocateAddress with an empty Domain allocates a standard address. [FCU-039]"""
        assert ec2.allocate_address(Domain="")["Domain"] == "standard"

    def test_are_no_address_to_release(self, ec2: Any, vm: Vm) -> None:
        """ReleaseAddress with an empty AllocationId takes the PublicIp. [FCU-040]"""
        address = ec2.allocate_address()["PublicIp"]
        ec2.associate_address(PublicIp=address, InstanceId=vm.vm_id)
        ec2.release_address(AllocationId="", PublicIp=address)
        assert ec2.describe_addresses()["Addresses"] == []

    def test_are_no_attribute_of_an_image(self, ec2: Any, golden: Image) -> None:
        """ModifyImageAttribute takes the newer form, and adds by default. [FCU-046]"""
        ec2.modify_image_attribute(ImageId=golden.image_id, Attribute="", Description={"Value": "x"})
        ec2.modify_image_attribute(ImageId=golden.image_id, OperationType="", UserGroups=["all"], UserIds=[""])
        (image,) = ec2.describe_images(ImageIds=[golden.image_id])["Images"]
        assert (image["Description"], image["Public"]) == ("x", True)

    def test_are_no_architecture(self, ec2: Any, golden: Image) -> None:
        """RegisterImage has the default architecture of FCU. [FCU-008]"""
        mappings = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": golden.snapshot_ids[0]}}]
        parameters = {"Name": "new", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": mappings}
        image_id = ec2.register_image(**parameters, ImageLocation="", Architecture="")["ImageId"]
        assert ec2.describe_images(ImageIds=[image_id])["Images"][0]["Architecture"] == "i386"

    def test_are_no_device_of_a_volume(self, ec2: Any, vm: Vm) -> None:
        """DetachVolume compares no empty Device. [FCU-011]"""
        volume_id = ec2.create_volume(AvailabilityZone="eu-west-2a", Size=1)["VolumeId"]
        ec2.attach_volume(VolumeId=volume_id, InstanceId=vm.vm_id, Device="/dev/xvdc")
        assert ec2.detach_volume(VolumeId=volume_id, Device="", InstanceId="")["Device"] == "/dev/xvdc"

    def test_are_no_range_of_a_permission(self, ec2: Any) -> None:
        """A permission in IpPermissions has no second one beside it. [FCU-032]"""
        group_id = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
        permission = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 2, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ec2.authorize_security_group_ingress(
            GroupId=group_id, IpPermissions=[permission], CidrIp="", SourceSecurityGroupName=""
        )
        (group,) = ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
        assert [one["FromPort"] for one in group["IpPermissions"]] == [1]


class TestReads:
    def test_refuse_unknown_and_malformed_ids(self, ec2: Any, bob: Account) -> None:
        """A read by ids refuses an id that does not exist, another account's, and a malformed one. [FCU-004]"""
        others = bob.create_volume(subregion_name=ZONE, size=1).volume_id
        for call, name, missing, malformed in (
            (ec2.describe_volumes, "VolumeIds", "InvalidVolume.NotFound", "InvalidVolumeID.Malformed"),
            (ec2.describe_images, "ImageIds", "InvalidAMIID.NotFound", "InvalidAMIID.Malformed"),
            (ec2.describe_instances, "InstanceIds", "InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"),
            (ec2.describe_snapshots, "SnapshotIds", "InvalidSnapshot.NotFound", "InvalidSnapshotID.Malformed"),
        ):
            prefix = {"VolumeIds": "vol", "ImageIds": "ami", "InstanceIds": "i", "SnapshotIds": "snap"}[name]
            assert refusal_of(call, **{name: [f"{prefix}-12345678"]}) == (400, missing)
            for value in ("foo", f"{prefix}-xyz", f"{prefix}-123"):
                assert refusal_of(call, **{name: [value]}) == (400, malformed)
        assert refusal_of(ec2.describe_volumes, VolumeIds=[others]) == (400, "InvalidVolume.NotFound")

    def test_by_two_kinds_of_ids_refuse_the_unknown_one(self, ec2: Any) -> None:
        """Beside an id of another kind that exists, the id that does not exist is named. [FCU-004]"""
        address, pair = ec2.allocate_address(), ec2.create_key_pair(KeyName="mine")
        group_id = ec2.create_security_group(GroupName="web", Description="x")["GroupId"]
        for call, own, unknown in (
            (ec2.describe_addresses, {"AllocationIds": [address["AllocationId"]]}, {"PublicIps": ["192.0.2.1"]}),
            (ec2.describe_addresses, {"PublicIps": [address["PublicIp"]]}, {"AllocationIds": ["eipalloc-12345678"]}),
            (ec2.describe_key_pairs, {"KeyNames": ["mine"]}, {"KeyPairIds": ["key-" + 32 * "0"]}),
            (ec2.describe_key_pairs, {"KeyPairIds": [pair["KeyPairId"]]}, {"KeyNames": ["other"]}),
            (ec2.describe_security_groups, {"GroupNames": ["web"]}, {"GroupIds": ["sg-12345678"]}),
            (ec2.describe_security_groups, {"GroupIds": [group_id]}, {"GroupNames": ["other"]}),
        ):
            ((missing,),) = unknown.values()
            with pytest.raises(ClientError, match=re.escape(f"does not exist: {missing}")):
                call(**own, **unknown)

    def test_by_two_kinds_of_ids_find_what_has_both(self, ec2: Any) -> None:
        """An entity is found by its own two ids, and none by the ids of two entities. [FCU-004]"""
        first, second = ec2.allocate_address(), ec2.allocate_address()
        found = [
            ec2.describe_addresses(AllocationIds=[first["AllocationId"]], PublicIps=[address["PublicIp"]])["Addresses"]
            for address in (first, second)
        ]
        assert [[address["PublicIp"] for address in addresses] for addresses in found] == [[first["PublicIp"]], []]

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"size": "1 20"}, "small large"),
            ({"size": "1 20", "availability_zone": "*b"}, "large"),
            ({"attachment__delete_on_termination": "true"}, "root"),
            ({"attachment__device": "/dev/sd?1"}, "root"),
            ({"encrypted": "false"}, "small large root"),
            ({"create_time": "2026-01-01T*"}, "small large root"),
            ({"status": "available", "size": "foo"}, ""),
            ({"volume_id": ""}, ""),
        ],
    )
    def test_take_filters_with_wildcards_as_text(self, ec2: Any, vm: Vm, filters: dict[str, str], found: str) -> None:
        """A filter compares what the answer shows; several filters must all match, one of several values. [FCU-012]"""
        ids = {
            "small": ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"],
            "large": ec2.create_volume(AvailabilityZone="eu-west-2b", Size=20)["VolumeId"],
            "root": vm.block_device_mappings[0].bsu.volume_id,
        }
        volumes = ec2.describe_volumes(Filters=make_filters(**filters))["Volumes"]
        assert {volume["VolumeId"] for volume in volumes} == {ids[name] for name in found.split()}

    def test_refuse_unknown_filters(self, ec2: Any) -> None:
        """An unknown filter is refused. [FCU-013]"""
        for call in (ec2.describe_volumes, ec2.describe_regions, ec2.describe_tags):
            assert refusal_of(call, Filters=[{"Name": "nonsense", "Values": ["x"]}]) == (400, "InvalidFilter")

    def test_are_paged(self, ec2: Any) -> None:
        """MaxResults and NextToken page a list; a token belongs to its read and its filters. [PAG-001, PAG-003]"""
        ids = [ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(5)]
        pages = ec2.get_paginator("describe_volumes").paginate(PaginationConfig={"PageSize": 2})
        assert [[v["VolumeId"] for v in page["Volumes"]] for page in pages] == [ids[:2], ids[2:4], ids[4:]]
        token = ec2.describe_volumes(MaxResults=2)["NextToken"]
        assert refusal_of(ec2.describe_snapshots, MaxResults=2, NextToken=token) == (400, "InvalidNextToken.Malformed")
        assert refusal_of(ec2.describe_volumes, MaxResults=0) == (400, "InvalidParameterValue")

    def test_need_the_filters_and_ids_of_their_token_in_any_order(self, ec2: Any) -> None:
        """A token belongs to the filters of its read in any order, and to its ids. [PAG-005]"""
        ids = [ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(3)]
        filters = make_filters(size="1", status="available")
        token = ec2.describe_volumes(MaxResults=2, Filters=filters)["NextToken"]
        page = ec2.describe_volumes(MaxResults=2, NextToken=token, Filters=filters[::-1])
        assert [volume["VolumeId"] for volume in page["Volumes"]] == ids[2:]
        token = ec2.describe_volumes(MaxResults=2, VolumeIds=ids)["NextToken"]
        assert refusal_of(ec2.describe_volumes, MaxResults=2, NextToken=token) == (400, "InvalidNextToken.Malformed")
        page = ec2.describe_volumes(MaxResults=2, NextToken=token, VolumeIds=ids[::-1])
        assert [volume["VolumeId"] for volume in page["Volumes"]] == ids[2:]

    def test_miss_nothing_while_a_paginator_deletes(self, ec2: Any, alice: Account) -> None:
        """The loop of retention tools deletes every snapshot of a page before the next page. [PAG-008]"""
        volume_id = ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
        for _ in range(7):
            ec2.create_snapshot(VolumeId=volume_id)
        paginator = ec2.get_paginator("describe_snapshots")
        for page in paginator.paginate(OwnerIds=["self"], PaginationConfig={"PageSize": 2}):
            for snapshot in page["Snapshots"]:
                ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
        assert alice.read_snapshots(filters={"account_ids": [alice.account_id]}) == ()

    def test_have_at_most_1000_results(self, ec2: Any) -> None:
        """A larger MaxResults counts as 1000. [FCU-059]"""
        assert ec2.describe_volumes(MaxResults=10_000)["Volumes"] == []

    def test_begin_with_an_empty_token(self, ec2: Any) -> None:
        """Loops begin with an empty NextToken, which is absent. [FCU-058]"""
        ids = [ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(3)]
        found: list[str] = []
        token = ""
        while not found or token:
            page = ec2.describe_volumes(MaxResults=2, NextToken=token)
            found += [volume["VolumeId"] for volume in page["Volumes"]]
            token = page.get("NextToken", "")
        assert found == ids

    def test_go_on_to_the_end_without_a_size(self, ec2: Any) -> None:
        """A NextToken without MaxResults continues the list to its end. [FCU-053]"""
        ids = [ec2.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"] for _ in range(5)]
        page = ec2.describe_volumes(NextToken=ec2.describe_volumes(MaxResults=2)["NextToken"])
        assert [volume["VolumeId"] for volume in page["Volumes"]] == ids[2:]
        assert "NextToken" not in page


class TestFamiliesThatAreNotServed:
    def test_read_as_empty_as_in_oapi(self, ec2: Any) -> None:
        """A read answers the empty set, with any filter; with unserved="refuse" it is refused by name."""
        assert ec2.describe_nat_gateways(Filters=[{"Name": "vpc-id", "Values": ["vpc-12345678"]}])["NatGateways"] == []
        assert ec2.describe_vpn_connections()["VpnConnections"] == []
        strict = Cloud(unserved="refuse").account("alice").client("fcu")
        assert refusal_of(strict.describe_nat_gateways) == (400, "UnsupportedOperation")


class TestRequests:
    def test_with_dry_run_are_refused_and_change_nothing(self, ec2: Any, cloud: Cloud, vm: Vm) -> None:
        """A dry run that would succeed is an error; one that would fail is that error. [FCU-002]"""
        before = cloud.fork()
        for call, parameters in (
            (ec2.create_volume, {"AvailabilityZone": ZONE, "Size": 1}),
            (ec2.terminate_instances, {"InstanceIds": [vm.vm_id]}),
            (ec2.describe_regions, {}),
            (ec2.describe_volumes, {}),
        ):
            assert refusal_of(call, DryRun=True, **parameters) == (400, "DryRunOperation")
        assert refusal_of(ec2.delete_volume, DryRun=True, VolumeId="vol-12345678")[1] == "InvalidVolume.NotFound"
        assert cloud == before

    def test_with_dry_run_are_refused_where_their_refusal_is_a_success(self, ec2: Any) -> None:
        """A dry run of DeleteKeyPair for a key pair that does not exist would succeed. [FCU-002, FCU-015]"""
        assert refusal_of(ec2.delete_key_pair, DryRun=True, KeyName="none") == (400, "DryRunOperation")

    def test_for_actions_that_are_not_served_are_refused_by_name(self, ec2: Any) -> None:
        """An action of EC2 that is not served is UnsupportedOperation. [FCU-003]"""
        with pytest.raises(ClientError, match=r"UnsupportedOperation.*DescribeHosts is an action"):
            ec2.describe_hosts()

    def test_with_parameters_that_fcu_lacks_are_answered_with_a_warning(self, ec2: Any, cloud: Cloud) -> None:
        """A parameter of EC2 that FCU does not have is ignored, or refused by the switch. [FCU-005]"""
        parameters = {"AvailabilityZone": ZONE, "Size": 1, "Encrypted": True}
        volume = ec2.create_volume(**parameters)
        warning = "FCU ignores the parameter 'Encrypted' of CreateVolume (FCU-005)"
        assert (volume["Size"], volume["Encrypted"], cloud.warnings) == (1, False, (warning,))
        assert volume["ResponseMetadata"]["HTTPHeaders"]["x-omisim-warning"] == warning
        strict = Cloud(switches={"fcu_unknown_parameters": "refuse"}).account("alice").client("fcu")
        assert refusal_of(strict.create_volume, **parameters) == (400, "InvalidParameterValue")

    def test_may_have_parameters_that_boto3_adds(self, ec2: Any, alice: Account, golden: Image) -> None:
        """boto3 sends a ClientToken with CopyImage and RunInstances. [FCU-007]"""
        assert ec2.copy_image(Name="copy", SourceImageId=golden.image_id, SourceRegion=alice.region)["ImageId"]
        assert ec2.run_instances(ImageId=golden.image_id, MinCount=1, MaxCount=1)["Instances"][0]["ClientToken"]

    def test_are_in_the_call_log_as_calls_of_omisim(self, ec2: Any, cloud: Cloud) -> None:
        """The call log names omisim's action, and holds the refusal with its rule; a read that is refused too."""
        ec2.create_volume(AvailabilityZone=ZONE, Size=1)
        call = cloud.calls("CreateVolume").one()
        assert (call.account, call.parameters["SubregionName"]) == ("alice", ZONE)
        refusal_of(ec2.describe_volumes, VolumeIds=["vol-12345678"])
        error = cloud.calls("ReadVolumes").one().error
        assert isinstance(error, ApiError)
        assert error.rule == "FCU-004"

    def test_meet_faults(self, ec2: Any, cloud: Cloud) -> None:
        """A fault of omisim's action hits the EC2 action; boto3 retries some of them. [FCU-010]"""
        cloud.faults.add("CreateVolume", error="insufficient-capacity")
        assert refusal_of(ec2.create_volume, AvailabilityZone=ZONE, Size=1) == (400, "InsufficientInstanceCapacity")
        with cloud.sleeping():
            for fault in ({"status": 429}, {"drop": True}):
                cloud.faults.add("ReadVolumes", **fault)
                assert ec2.describe_volumes()["Volumes"] == []
        statuses = [call.status for call in cloud.calls("ReadVolumes")]
        assert statuses == [429, 200, 0, 200]
