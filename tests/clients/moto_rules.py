"""Rules of EC2 as functions that return whether a simulator keeps them; `beside_moto.py` asks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

__all__ = ["RULES", "Side"]


@dataclass
class Side:
    """A simulator: two accounts' clients, a zone, a Region and an image."""

    ec2: Any
    other: Any
    other_id: str
    zone: str
    region: str
    ami: str
    export: Callable[[str], object]  # an image to a bucket
    settle: Callable[[], object] = lambda: None

    def launch(self, ami: str = "", client: Any = None, **more: Any) -> str:
        """Return the id of a new instance."""
        answer = (client or self.ec2).run_instances(ImageId=ami or self.ami, MinCount=1, MaxCount=1, **more)
        return str(answer["Instances"][0]["InstanceId"])

    def image(self, vm: str = "") -> str:
        """Return the id of a new image."""
        return str(self.ec2.create_image(InstanceId=vm or self.launch(), Name=f"image-{next(NAMES)}")["ImageId"])

    def volume(self, size: int = 4, **more: Any) -> str:
        """Return the id of a new volume."""
        return str(self.ec2.create_volume(AvailabilityZone=self.zone, Size=size, **more)["VolumeId"])

    def snapshot(self, size: int = 4) -> str:
        """Return the id of a new snapshot."""
        return str(self.ec2.create_snapshot(VolumeId=self.volume(size))["SnapshotId"])

    def message(self, call: Callable[..., Any], **parameters: Any) -> str:
        """Return the text of a refusal, or "" if the call is not refused."""
        try:
            call(**parameters)
        except ClientError as error:
            return str(error.response["Error"].get("Message"))
        return ""

    def read(self, image: str) -> dict[str, Any]:
        """Return an image as it is now."""
        (shown,) = self.ec2.describe_images(ImageIds=[image])["Images"]
        return dict(shown)

    def devices(self, image: str, client: Any = None) -> dict[str, dict[str, Any]]:
        """Return the devices of an image."""
        (found,) = (client or self.ec2).describe_images(ImageIds=[image])["Images"]
        return {mapping["DeviceName"]: mapping["Ebs"] for mapping in found["BlockDeviceMappings"]}

    def share(self, image: str) -> None:
        """Share an image with the other account."""
        self.ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"UserId": self.other_id}]})


NAMES = count()
RULES: dict[str, Callable[[Side], bool]] = {}


def rule(text: str) -> Callable[[Callable[[Side], bool]], Callable[[Side], bool]]:
    """Return a decorator that adds a rule."""

    def register(check: Callable[[Side], bool]) -> Callable[[Side], bool]:
        RULES[text] = check
        return check

    return register


def refused(call: Callable[..., Any], *args: Any, **parameters: Any) -> bool:
    """Whether a call is refused."""
    try:
        call(*args, **parameters)
    except ClientError:
        return True
    return False


rule("RunInstances needs an existing image")(lambda side: refused(side.launch, "ami-0bad0bad"))
rule("CreateImage needs an existing instance")(
    lambda side: refused(side.ec2.create_image, InstanceId="i-12345678", Name="none")
)
rule("a volume that does not exist is refused")(
    lambda side: refused(side.ec2.describe_volumes, VolumeIds=["vol-12345678"])
)
rule("a volume has a maximum size")(lambda side: refused(side.volume, 99_999_999))


@rule("RunInstances of a deregistered image is refused")
def _(side: Side) -> bool:
    image = side.image()
    side.ec2.deregister_image(ImageId=image)
    return refused(side.launch, image)


@rule("the name of an image is unique in its account")
def _(side: Side) -> bool:
    vm = side.launch()
    side.ec2.create_image(InstanceId=vm, Name="twice")
    return refused(side.ec2.create_image, InstanceId=vm, Name="twice")


@rule("an image is not disabled, or it cannot be launched")
def _(side: Side) -> bool:
    image = side.image()
    return refused(side.ec2.disable_image, ImageId=image) or refused(side.launch, image)


@rule("a new image is pending for a while")
def _(side: Side) -> bool:
    vm = side.launch()
    side.settle()
    return bool(side.read(side.image(vm))["State"] == "pending")


@rule("a new snapshot is not completed for a while")
def _(side: Side) -> bool:
    volume = side.volume()
    side.settle()
    snapshot = side.ec2.create_snapshot(VolumeId=volume)
    (shown,) = side.ec2.describe_snapshots(SnapshotIds=[snapshot["SnapshotId"]])["Snapshots"]
    return "completed" not in (snapshot["State"], shown["State"])


@rule("a new volume is being created for a while")
def _(side: Side) -> bool:
    (shown,) = side.ec2.describe_volumes(VolumeIds=[side.volume()])["Volumes"]
    return bool(shown["State"] == "creating")


@rule("a new instance is pending for a while, not for one request")
def _(side: Side) -> bool:
    parameters = {"InstanceIds": [side.launch()]}
    for _ in range(2):
        (reservation,) = side.ec2.describe_instances(**parameters)["Reservations"]
    return bool(reservation["Instances"][0]["State"]["Name"] == "pending")


@rule("an image has the devices of its instance")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 33, "VolumeType": "gp2"}}]
    devices = side.devices(side.image(side.launch(BlockDeviceMappings=disks)))
    return len(devices) == 2 and devices.get("/dev/xvdb", {}).get("VolumeSize") == 33


@rule("RegisterImage keeps the parameters devices")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": side.snapshot(9), "VolumeSize": 12}}]
    image = side.ec2.register_image(Name="registered", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    return bool(side.devices(image["ImageId"])["/dev/sda1"]["VolumeSize"] == 12)


@rule("RegisterImage keeps the architecture and the root device")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": side.snapshot()}}]
    parameters = {"Architecture": "i386", "RootDeviceName": "/dev/sda1", "BlockDeviceMappings": disks}
    shown = side.read(side.ec2.register_image(Name="for i386", **parameters)["ImageId"])
    return (shown.get("Architecture"), shown.get("RootDeviceName")) == ("i386", "/dev/sda1")


@rule("an instance has the volumes of its image")
def _(side: Side) -> bool:
    image = side.image()
    vm = side.launch(image)
    filters = [{"Name": "attachment.instance-id", "Values": [vm]}]
    made_from = {volume.get("SnapshotId") for volume in side.ec2.describe_volumes(Filters=filters)["Volumes"]}
    return made_from == {device["SnapshotId"] for device in side.devices(image).values()}


@rule("the snapshot of an image is that of the instance's volume")
def _(side: Side) -> bool:
    vm = side.launch()
    (device,) = side.devices(side.image(vm)).values()
    (snapshot,) = side.ec2.describe_snapshots(SnapshotIds=[device["SnapshotId"]])["Snapshots"]
    filters = [{"Name": "attachment.instance-id", "Values": [vm]}]
    return snapshot["VolumeId"] in [v["VolumeId"] for v in side.ec2.describe_volumes(Filters=filters)["Volumes"]]


@rule("DeleteSnapshot is refused while an image made from an instance uses it")
def _(side: Side) -> bool:
    (device,) = side.devices(side.image()).values()
    return refused(side.ec2.delete_snapshot, SnapshotId=device["SnapshotId"])


@rule("DeleteSnapshot is refused while a registered image uses it")
def _(side: Side) -> bool:
    snapshot = side.snapshot()
    disks = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    side.ec2.register_image(Name="uses it", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    return refused(side.ec2.delete_snapshot, SnapshotId=snapshot)


@rule("a snapshot outlives its image")
def _(side: Side) -> bool:
    image = side.image()
    (device,) = side.devices(image).values()
    side.ec2.deregister_image(ImageId=image)
    return not refused(side.ec2.describe_snapshots, SnapshotIds=[device["SnapshotId"]])


@rule("a launch permission shows the image to the other account")
def _(side: Side) -> bool:
    image = side.image()
    hidden = refused(side.other.describe_images, ImageIds=[image])
    side.share(image)
    return hidden and not refused(side.other.describe_images, ImageIds=[image])


@rule("ExecutableUsers finds the images that are shared with the caller")
def _(side: Side) -> bool:
    image = side.image()
    side.share(image)
    shown = side.other.describe_images(ExecutableUsers=["self"])["Images"]
    return image in [other["ImageId"] for other in shown]


@rule("a permission names an account by its twelve digits")
def _(side: Side) -> bool:
    grant = {"Add": [{"UserId": "123"}]}
    return refused(side.ec2.modify_image_attribute, ImageId=side.image(), LaunchPermission=grant)


@rule("the other account needs a launch permission to launch")
def _(side: Side) -> bool:
    image = side.image()
    before = refused(side.launch, image, side.other)
    side.share(image)
    return before and not refused(side.launch, image, side.other)


@rule("the other account can copy a shared image")
def _(side: Side) -> bool:
    image = side.image()
    side.share(image)
    return not refused(side.other.copy_image, SourceImageId=image, SourceRegion=side.region, Name="theirs")


@rule("a copy has the devices of its source")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 33, "VolumeType": "gp2"}}]
    image = side.image(side.launch(BlockDeviceMappings=disks))
    copy = side.ec2.copy_image(SourceImageId=image, SourceRegion=side.region, Name="copy")["ImageId"]
    sizes = {name: device["VolumeSize"] for name, device in side.devices(copy).items()}
    return sizes.get("/dev/xvdb") == 33 and len(sizes) == 2


@rule("a copy has neither the permissions nor the tags of its source")
def _(side: Side) -> bool:
    image = side.image()
    side.share(image)
    side.ec2.create_tags(Resources=[image], Tags=[{"Key": "a", "Value": "b"}])
    copy = side.ec2.copy_image(SourceImageId=image, SourceRegion=side.region, Name="bare copy")["ImageId"]
    shown = side.ec2.describe_image_attribute(ImageId=copy, Attribute="launchPermission")["LaunchPermissions"]
    return not shown and not side.read(copy).get("Tags")


@rule("the other account can use a shared snapshot")
def _(side: Side) -> bool:
    snapshot = side.snapshot()
    grant = {"Add": [{"UserId": side.other_id}]}
    side.ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=grant)
    return not refused(side.other.create_volume, AvailabilityZone=side.zone, SnapshotId=snapshot)


@rule("a volume is not smaller than its snapshot")
def _(side: Side) -> bool:
    return refused(side.volume, 1, SnapshotId=side.snapshot(9))


@rule("an attached volume cannot be attached again")
def _(side: Side) -> bool:
    vm, volume = side.launch(), side.volume()
    side.ec2.attach_volume(VolumeId=volume, InstanceId=vm, Device="/dev/xvdb")
    return refused(side.ec2.attach_volume, VolumeId=volume, InstanceId=vm, Device="/dev/xvdc")


@rule("two volumes cannot have one device")
def _(side: Side) -> bool:
    link = {"InstanceId": side.launch(), "Device": "/dev/xvdb"}
    side.ec2.attach_volume(VolumeId=side.volume(), **link)
    return refused(side.ec2.attach_volume, VolumeId=side.volume(), **link)


@rule("a volume and its instance are in one zone")
def _(side: Side) -> bool:
    vm = side.launch(Placement={"AvailabilityZone": f"{side.region}b"})
    return refused(side.ec2.attach_volume, VolumeId=side.volume(), InstanceId=vm, Device="/dev/xvdb")


@rule("an attached volume cannot be deleted")
def _(side: Side) -> bool:
    volume = side.volume()
    side.ec2.attach_volume(VolumeId=volume, InstanceId=side.launch(), Device="/dev/xvdb")
    return refused(side.ec2.delete_volume, VolumeId=volume)


@rule("an image carries product codes")
def _(side: Side) -> bool:
    return bool(side.ec2.describe_images(ImageIds=[side.image()])["Images"][0]["ProductCodes"])


@rule("an image can be exported to a bucket")
def _(side: Side) -> bool:
    side.export(side.image())
    return True


@rule("ModifyImageAttribute changes the description")
def _(side: Side) -> bool:
    image = side.image()
    side.ec2.modify_image_attribute(ImageId=image, Description={"Value": "new"})
    return bool(side.ec2.describe_images(ImageIds=[image])["Images"][0].get("Description") == "new")


@rule("MaxResults pages images")
def _(side: Side) -> bool:
    return len(side.ec2.describe_images(MaxResults=5)["Images"]) == 5


@rule("MaxResults pages snapshots")
def _(side: Side) -> bool:
    for _ in range(6):
        side.snapshot()
    return len(side.ec2.describe_snapshots(MaxResults=5, OwnerIds=["self"])["Snapshots"]) == 5


@rule("MaxResults pages volumes")
def _(side: Side) -> bool:
    for _ in range(6):
        side.volume()
    return len(side.ec2.describe_volumes(MaxResults=5)["Volumes"]) == 5


@rule("an instance that is protected at its launch cannot be terminated")
def _(side: Side) -> bool:
    vm = side.launch(DisableApiTermination=True)
    return refused(side.ec2.terminate_instances, InstanceIds=[vm])


@rule("an instance that is protected later cannot be terminated")
def _(side: Side) -> bool:
    vm = side.launch()
    side.ec2.modify_instance_attribute(InstanceId=vm, DisableApiTermination={"Value": True})
    return refused(side.ec2.terminate_instances, InstanceIds=[vm])


@rule("a terminated instance cannot be started")
def _(side: Side) -> bool:
    vm = side.launch()
    side.ec2.terminate_instances(InstanceIds=[vm])
    return refused(side.ec2.start_instances, InstanceIds=[vm])


@rule("DryRun is an error, and changes nothing")
def _(side: Side) -> bool:
    parameters = {"AvailabilityZone": side.zone, "Size": 1, "DryRun": True}
    before = len(side.ec2.describe_volumes()["Volumes"])
    return refused(side.ec2.create_volume, **parameters) and len(side.ec2.describe_volumes()["Volumes"]) == before


@rule("a refusal names the resource as the request does")
def _(side: Side) -> bool:
    volume, snapshot = "vol-12345678", "snap-12345678"
    texts = (
        side.message(side.ec2.describe_volumes, VolumeIds=[volume]),
        side.message(side.ec2.create_volume, AvailabilityZone=side.zone, SnapshotId=snapshot),
    )
    return all(name in text and "{" not in text for name, text in zip((volume, snapshot), texts, strict=True))
