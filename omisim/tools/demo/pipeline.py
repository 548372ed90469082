"""The first part: alice makes an OMI and shares it, bob uses it, alice stops sharing and cleans up."""

from __future__ import annotations

from typing import Any

from omisim.base.texts import pluralize
from omisim.tools.demo.story import Actor, Story

__all__ = ["bake", "clean_up", "find_official_image", "launch", "share", "stop_sharing"]

MOTD, DATA = ("/etc/motd", "Golden image, built by alice.\n"), ("/srv/app.conf", "workers = 4\n")


def find_official_image(alice: Actor) -> dict[str, Any]:
    """Look up the latest official RHEL, which is licensed."""
    filters = {"AccountAliases": ["Outscale"], "ImageNames": ["RHEL*"]}
    images = alice.call(
        "ReadImages",
        "official OMIs are public; their account alias is Outscale",
        lambda answer: f"{pluralize(len(answer['Images']), 'OMI')}, the latest is {answer['Images'][-1]['ImageName']}",
        Filters=filters,
    )["Images"]
    latest: dict[str, Any] = images[-1]
    return latest


def bake(story: Story, alice: Actor, official: dict[str, Any]) -> dict[str, Any]:
    """Create the VM, write to its two volumes, and create the OMI."""
    vm = _launch_builder(alice, official)
    data = _add_data_volume(alice, vm)
    root = vm["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]
    for volume_id, (path, text) in ((root, MOTD), (data, DATA)):
        story.cloud.write(volume_id, path, text)
        story.add_observation(
            "alice", f"writes {path} on {volume_id}", "as the guest system would; omisim models the files on a disk"
        )
    image = alice.call(
        "CreateImage",
        "the VM is stopped for the snapshots, and started again",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['State']}",
        VmId=vm["VmId"],
        ImageName="golden",
    )["Image"]
    golden = alice.poll("ReadImages", "Images", "available", ImageIds=[image["ImageId"]])
    for mapping in golden["BlockDeviceMappings"]:
        bsu = mapping["Bsu"]
        means = "one new snapshot per attached volume"
        story.add_observation(
            "alice", f"sees {mapping['DeviceName']} {bsu['SnapshotId']} {bsu['VolumeSize']} GiB", means
        )
    return golden


def _launch_builder(alice: Actor, official: dict[str, Any]) -> dict[str, Any]:
    """Create a keypair and a VM from the official OMI, and wait until it runs. Returns the VM."""
    alice.call(
        "CreateKeypair",
        "the answer shows the private key, for the only time",
        lambda answer: f"{answer['Keypair']['KeypairType']} {answer['Keypair']['KeypairFingerprint']}",
        KeypairName="builder",
    )
    vm: dict[str, Any] = alice.call(
        "CreateVms",
        "a VM from the OMI; the answer names its volumes, and it then boots",
        lambda answer: f"{answer['Vms'][0]['VmId']} {answer['Vms'][0]['State']}",
        ImageId=official["ImageId"],
        VmType="tinav5.c2r4p2",
        KeypairName="builder",
    )["Vms"][0]
    alice.poll("ReadVms", "Vms", "running", VmIds=[vm["VmId"]])
    return vm


def _add_data_volume(alice: Actor, vm: dict[str, Any]) -> str:
    """Create a second volume, and link it to the VM. Returns its id."""
    volume_id: str = alice.call(
        "CreateVolume",
        "a second, empty volume",
        lambda answer: f"{answer['Volume']['VolumeId']} {answer['Volume']['State']}",
        SubregionName=vm["Placement"]["SubregionName"],
        Size=20,
        VolumeType="gp2",
    )["Volume"]["VolumeId"]
    alice.poll("ReadVolumes", "Volumes", "available", VolumeIds=[volume_id])
    link = {"VmId": vm["VmId"], "VolumeId": volume_id, "DeviceName": "/dev/sdb"}
    alice.call("LinkVolume", "the volume is now in-use, and its link attaching", **link)
    return volume_id


def _count_images(answer: dict[str, Any]) -> str:
    return pluralize(len(answer["Images"]), "OMI")


def share(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any]) -> str:
    """Share the OMI; bob launches and copies it. Returns the id of the copy."""
    filters = {"ImageIds": [golden["ImageId"]]}
    bob.call("ReadImages", "a new OMI is private: bob does not see it", _count_images, Filters=filters)
    alice.call(
        "UpdateImage",
        "alice shares it with bob's account",
        ImageId=golden["ImageId"],
        PermissionsToLaunch={"Additions": {"AccountIds": [bob.account.account_id]}},
    )
    bob.call("ReadImages", "now bob sees it", _count_images, Filters=filters)
    comment = "the OMI contains the file that alice wrote"
    vm = launch(story, bob, golden["ImageId"], "bob launches it; the volumes belong to him", comment)
    copy_id: str = bob.call(
        "CreateImage",
        "the copy belongs to bob, and has its own snapshots",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['ImageName']} {answer['Image']['State']}",
        SourceImageId=golden["ImageId"],
        SourceRegionName=bob.account.region,
    )["Image"]["ImageId"]
    bob.poll("ReadVms", "Vms", "running", VmIds=[vm["VmId"]])
    return copy_id


def launch(story: Story, actor: Actor, image_id: str, means: str, comment: str) -> dict[str, Any]:
    """Launch a VM from an OMI that contains alice's files, and read them. Returns the VM."""
    vm: dict[str, Any] = actor.call(
        "CreateVms",
        means,
        lambda answer: f"{answer['Vms'][0]['VmId']} {answer['Vms'][0]['State']}",
        ImageId=image_id,
    )["Vms"][0]
    for mapping, (path, text) in zip(vm["BlockDeviceMappings"], (MOTD, DATA), strict=True):
        read = story.cloud.read(mapping["Bsu"]["VolumeId"], path)
        if read != text:
            raise AssertionError(f"{path} was not copied: {read!r}")
        story.add_observation(actor.account.name, f"reads {path}: {read.strip()}", comment)
    return vm


def stop_sharing(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any], copy_id: str) -> None:
    """Withdraw the permission: the resources that bob created remain."""
    alice.call(
        "UpdateImage",
        "alice stops sharing",
        ImageId=golden["ImageId"],
        PermissionsToLaunch={"Removals": {"AccountIds": [bob.account.account_id]}},
    )
    bob.poll("ReadImages", "Images", "available", ImageIds=[copy_id])
    story.add_observation("bob", f"still has {copy_id}", "a copy is independent of its source")
    bob.call(
        "ReadVms",
        "his VM still runs, too",
        lambda answer: ", ".join(f"{vm['VmId']} {vm['State']}" for vm in answer["Vms"]),
    )
    bob.expect_refusal(
        "CreateVms", "but a new launch is refused: bob no longer sees the OMI", ImageId=golden["ImageId"]
    )


def clean_up(story: Story, alice: Actor, golden: dict[str, Any]) -> None:
    """Delete the OMI and then its snapshots; the opposite order is refused."""
    snapshots = [mapping["Bsu"]["SnapshotId"] for mapping in golden["BlockDeviceMappings"]]
    alice.expect_refusal("DeleteSnapshot", "a snapshot of an OMI cannot be deleted", SnapshotId=snapshots[0])
    alice.call("DeleteImage", "so alice deletes the OMI first; its snapshots remain", ImageId=golden["ImageId"])
    for snapshot_id in snapshots:
        alice.call("DeleteSnapshot", "now the snapshot is unused", SnapshotId=snapshot_id)
    story.cloud.settle()
    own = {"AccountIds": [alice.account.account_id]}
    alice.call(
        "ReadSnapshots",
        "alice has no snapshots left",
        lambda answer: f"{len(answer['Snapshots'])} snapshots",
        Filters=own,
    )
