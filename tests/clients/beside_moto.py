"""Check rules of EC2 against moto and omisim side by side: `python tests/clients/beside_moto.py [--write]`.

It prints a table of the rules and of who keeps them; `--write` puts it into `docs/howto/from-moto.md`. Each rule is a
function that returns whether it holds, seen through boto3 alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from omisim import Cloud

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "from-moto.md"
MARKS = ("<!-- beside moto -->", "<!-- end -->")


@dataclass
class Side:
    """A simulator: two accounts' clients, a zone, a Region and an image."""

    ec2: Any
    other: Any
    other_id: str
    zone: str
    region: str
    ami: str
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

    def devices(self, image: str, client: Any = None) -> dict[str, dict[str, Any]]:
        """Return the devices of an image."""
        (row,) = (client or self.ec2).describe_images(ImageIds=[image])["Images"]
        return {mapping["DeviceName"]: mapping["Ebs"] for mapping in row["BlockDeviceMappings"]}

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


def is_refused(call: Callable[..., Any], *args: Any, **parameters: Any) -> bool:
    """Whether a call is refused."""
    try:
        call(*args, **parameters)
    except ClientError:
        return True
    return False


rule("RunInstances needs an existing image")(lambda side: is_refused(side.launch, "ami-0bad0bad"))
rule("CreateImage needs an existing instance")(
    lambda side: is_refused(side.ec2.create_image, InstanceId="i-12345678", Name="none")
)
rule("a volume that does not exist is refused")(
    lambda side: is_refused(side.ec2.describe_volumes, VolumeIds=["vol-12345678"])
)
rule("a volume has a maximum size")(lambda side: is_refused(side.volume, 99_999_999))


@rule("RunInstances of a deregistered image is refused")
def _(side: Side) -> bool:
    image = side.image()
    side.ec2.deregister_image(ImageId=image)
    return is_refused(side.launch, image)


@rule("the name of an image is unique in its account")
def _(side: Side) -> bool:
    vm = side.launch()
    side.ec2.create_image(InstanceId=vm, Name="twice")
    return is_refused(side.ec2.create_image, InstanceId=vm, Name="twice")


@rule("a new image, snapshot and volume are not ready at once")
def _(side: Side) -> bool:
    vm, volume = side.launch(), side.volume()
    side.settle()
    image, snapshot = side.image(vm), side.ec2.create_snapshot(VolumeId=volume)
    states = (
        side.ec2.describe_images(ImageIds=[image])["Images"][0]["State"],
        side.ec2.create_volume(AvailabilityZone=side.zone, Size=1)["State"],
        snapshot["State"],
    )
    return bool(states[0] == "pending" and states[1] == "creating" and states[2] != "completed")


@rule("an image has the devices of its instance")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/xvdb", "Ebs": {"VolumeSize": 33, "VolumeType": "gp2"}}]
    devices = side.devices(side.image(side.launch(BlockDeviceMappings=disks)))
    return len(devices) == 2 and devices.get("/dev/xvdb", {}).get("VolumeSize") == 33


@rule("RegisterImage keeps the given devices")
def _(side: Side) -> bool:
    disks = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": side.snapshot(9), "VolumeSize": 12}}]
    image = side.ec2.register_image(Name="registered", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    return bool(side.devices(image["ImageId"])["/dev/sda1"]["VolumeSize"] == 12)


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


@rule("DeleteSnapshot is refused while a registered image uses it")
def _(side: Side) -> bool:
    snapshot = side.snapshot()
    disks = [{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}]
    side.ec2.register_image(Name="uses it", RootDeviceName="/dev/sda1", BlockDeviceMappings=disks)
    return is_refused(side.ec2.delete_snapshot, SnapshotId=snapshot)


@rule("a snapshot outlives its image")
def _(side: Side) -> bool:
    image = side.image()
    (device,) = side.devices(image).values()
    side.ec2.deregister_image(ImageId=image)
    return not is_refused(side.ec2.describe_snapshots, SnapshotIds=[device["SnapshotId"]])


@rule("a launch permission shows the image to the other account")
def _(side: Side) -> bool:
    image = side.image()
    hidden = is_refused(side.other.describe_images, ImageIds=[image])
    side.share(image)
    return hidden and not is_refused(side.other.describe_images, ImageIds=[image])


@rule("the other account needs a launch permission to launch")
def _(side: Side) -> bool:
    image = side.image()
    before = is_refused(side.launch, image, side.other)
    side.share(image)
    return before and not is_refused(side.launch, image, side.other)


@rule("the other account can copy a shared image")
def _(side: Side) -> bool:
    image = side.image()
    side.share(image)
    return not is_refused(side.other.copy_image, SourceImageId=image, SourceRegion=side.region, Name="theirs")


@rule("the other account can use a shared snapshot")
def _(side: Side) -> bool:
    snapshot = side.snapshot()
    grant = {"Add": [{"UserId": side.other_id}]}
    side.ec2.modify_snapshot_attribute(SnapshotId=snapshot, CreateVolumePermission=grant)
    return not is_refused(side.other.create_volume, AvailabilityZone=side.zone, SnapshotId=snapshot)


@rule("a volume is not smaller than its snapshot")
def _(side: Side) -> bool:
    return is_refused(side.volume, 1, SnapshotId=side.snapshot(9))


@rule("an attached volume cannot be attached again, nor its device used twice")
def _(side: Side) -> bool:
    vm, first, second = side.launch(), side.volume(), side.volume()
    link = {"InstanceId": vm, "Device": "/dev/xvdb"}
    side.ec2.attach_volume(VolumeId=first, **link)
    second_is_refused = is_refused(side.ec2.attach_volume, VolumeId=first, InstanceId=vm, Device="/dev/xvdc")
    return second_is_refused and is_refused(side.ec2.attach_volume, VolumeId=second, **link)


@rule("an attached volume cannot be deleted")
def _(side: Side) -> bool:
    volume = side.volume()
    side.ec2.attach_volume(VolumeId=volume, InstanceId=side.launch(), Device="/dev/xvdb")
    return is_refused(side.ec2.delete_volume, VolumeId=volume)


@rule("an image carries product codes")
def _(side: Side) -> bool:
    return bool(side.ec2.describe_images(ImageIds=[side.image()])["Images"][0]["ProductCodes"])


@rule("ModifyImageAttribute changes the description")
def _(side: Side) -> bool:
    image = side.image()
    side.ec2.modify_image_attribute(ImageId=image, Description={"Value": "new"})
    return bool(side.ec2.describe_images(ImageIds=[image])["Images"][0].get("Description") == "new")


@rule("MaxResults pages images")
def _(side: Side) -> bool:
    return len(side.ec2.describe_images(MaxResults=5)["Images"]) == 5


@rule("a protected instance cannot be terminated")
def _(side: Side) -> bool:
    vm = side.launch(DisableApiTermination=True)
    return is_refused(side.ec2.terminate_instances, InstanceIds=[vm])


@rule("a terminated instance cannot be started")
def _(side: Side) -> bool:
    vm = side.launch()
    side.ec2.terminate_instances(InstanceIds=[vm])
    return is_refused(side.ec2.start_instances, InstanceIds=[vm])


@rule("DryRun is an error, and changes nothing")
def _(side: Side) -> bool:
    parameters = {"AvailabilityZone": side.zone, "Size": 1, "DryRun": True}
    before = len(side.ec2.describe_volumes()["Volumes"])
    return is_refused(side.ec2.create_volume, **parameters) and len(side.ec2.describe_volumes()["Volumes"]) == before


@contextmanager
def moto_side() -> Iterator[Side]:
    """Yield moto with two accounts."""
    with mock_aws():
        keys = {"region_name": "us-east-1", "aws_access_key_id": "A", "aws_secret_access_key": "B"}
        ec2, sts = boto3.client("ec2", **keys), boto3.client("sts", **keys)
        role = sts.assume_role(RoleArn="arn:aws:iam::222222222222:role/x", RoleSessionName="beside")["Credentials"]
        token = {"aws_access_key_id": role["AccessKeyId"], "aws_secret_access_key": role["SecretAccessKey"]}
        other = boto3.client("ec2", "us-east-1", aws_session_token=role["SessionToken"], **token)
        ami = ec2.describe_images()["Images"][0]["ImageId"]
        yield Side(ec2, other, "222222222222", "us-east-1a", "us-east-1", ami)


@contextmanager
def omisim_side(*, wait: bool = True) -> Iterator[Side]:
    """Yield omisim with two accounts; transitions take no time, unless they are what a rule is about."""
    cloud = Cloud(timing="eager" if wait else "clock")
    alice, bob = cloud.account("alice"), cloud.account("bob")
    ami = cloud.images.official("ubuntu").image_id
    yield Side(alice.client("fcu"), bob.client("fcu"), bob.account_id, "eu-west-2a", alice.region, ami, cloud.settle)


def holds(check: Callable[[Side], bool], side: Side) -> str:
    """Return "yes" or "no"; a rule that cannot even be tried does not hold."""
    try:
        return "yes" if check(side) else "no"
    except (ClientError, LookupError, NotImplementedError, ValueError):
        return "no"


def main() -> int:
    """Print or write the table; return 1 if omisim does not keep a rule."""
    lines, failures = ["| rule | moto | omisim |", "|---|---|---|"], 0
    with moto_side() as moto, omisim_side() as ours, omisim_side(wait=False) as slow:
        for text, check in RULES.items():
            side = slow if "at once" in text else ours
            results = holds(check, moto), holds(check, side)
            failures += results[1] != "yes"
            lines.append(f"| {text} | {results[0]} | {results[1]} |")
    table = "\n".join(lines)
    print(table)
    if "--write" in sys.argv:
        start, end = map(re.escape, MARKS)
        page = re.sub(rf"(?<={start}\n).*?(?={end})", lambda _: f"\n{table}\n\n", PAGE.read_text(), flags=re.DOTALL)
        PAGE.write_text(page)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
