"""The first part: alice makes an OMI and shares it, bob uses it, alice stops sharing and cleans up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from omisim.tools.demo.story import Actor, Story

__all__ = ["bake", "clean_up", "launch", "official", "share", "stop_sharing"]

MOTD, DATA = ("/etc/motd", "Golden image, built by alice.\n"), ("/srv/app.conf", "workers = 4\n")


def official(alice: Actor) -> dict[str, Any]:
    """Look up the latest official RHEL, which is licensed."""
    filters = {"AccountAliases": ["Outscale"], "ImageNames": ["RHEL*"]}
    found = alice.does(
        "ReadImages",
        "official OMIs are public, and carry the alias Outscale",
        lambda answer: f"{len(answer['Images'])} OMIs, the latest is {answer['Images'][-1]['ImageName']}",
        Filters=filters,
    )["Images"]
    latest: dict[str, Any] = found[-1]
    return latest


def bake(story: Story, alice: Actor, official: dict[str, Any]) -> dict[str, Any]:
    """Create the VM, write on its two volumes, and make the OMI."""
    cloud = story.cloud
    alice.does(
        "CreateKeypair",
        "the private key is shown this once",
        lambda answer: f"{answer['Keypair']['KeypairType']} {answer['Keypair']['KeypairFingerprint']}",
        KeypairName="builder",
    )
    vm = alice.does(
        "CreateVms",
        "a VM from the OMI: its volumes are named at once, it boots on its own",
        lambda answer: f"{answer['Vms'][0]['VmId']} {answer['Vms'][0]['State']}",
        ImageId=official["ImageId"],
        VmType="tinav5.c2r4p2",
        KeypairName="builder",
    )["Vms"][0]
    alice.polls("ReadVms", "Vms", "running", VmIds=[vm["VmId"]])
    root = vm["BlockDeviceMappings"][0]["Bsu"]["VolumeId"]
    data = alice.does(
        "CreateVolume",
        "a second volume, blank",
        lambda answer: f"{answer['Volume']['VolumeId']} {answer['Volume']['State']}",
        SubregionName=vm["Placement"]["SubregionName"],
        Size=20,
        VolumeType="gp2",
    )["Volume"]["VolumeId"]
    alice.polls("ReadVolumes", "Volumes", "available", VolumeIds=[data])
    link = {"VmId": vm["VmId"], "VolumeId": data, "DeviceName": "/dev/sdb"}
    alice.does("LinkVolume", "the volume is in use, the link attaching", **link)
    for volume_id, (path, text) in ((root, MOTD), (data, DATA)):
        cloud.write(volume_id, path, text)
        story.saw("alice", f"writes {path} on {volume_id}", "as the guest would; omisim keeps what is on a disk")
    image = alice.does(
        "CreateImage",
        "the VM goes down for the cut, and comes up again",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['State']}",
        VmId=vm["VmId"],
        ImageName="golden",
    )["Image"]
    golden = alice.polls("ReadImages", "Images", "available", ImageIds=[image["ImageId"]])
    for mapping in golden["BlockDeviceMappings"]:
        bsu = mapping["Bsu"]
        means = "one new snapshot per attached volume"
        story.saw("alice", f"sees {mapping['DeviceName']} {bsu['SnapshotId']} {bsu['VolumeSize']} GiB", means)
    return golden


def share(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any]) -> str:
    """Share the OMI; bob launches and copies it. Returns the id of the copy."""
    seen: Callable[[dict[str, Any]], str] = lambda answer: f"{len(answer['Images'])} OMIs"  # noqa: E731
    look = {"ImageIds": [golden["ImageId"]]}
    bob.does("ReadImages", "a new OMI is private: bob does not see it", seen, Filters=look)
    alice.does(
        "UpdateImage",
        "alice shares it with bob's account",
        ImageId=golden["ImageId"],
        PermissionsToLaunch={"Additions": {"AccountIds": [bob.account.account_id]}},
    )
    bob.does("ReadImages", "now he does", seen, Filters=look)
    found = "what alice wrote has come along in the OMI"
    vm = launch(story, bob, golden["ImageId"], "bob launches it: the volumes are his", found)
    copy_id: str = bob.does(
        "CreateImage",
        "a copy is bob's own, with snapshots of its own",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['ImageName']} {answer['Image']['State']}",
        SourceImageId=golden["ImageId"],
        SourceRegionName=bob.account.region,
    )["Image"]["ImageId"]
    bob.polls("ReadVms", "Vms", "running", VmIds=[vm["VmId"]])
    return copy_id


def launch(story: Story, actor: Actor, image_id: str, means: str, found: str) -> dict[str, Any]:
    """Launch a VM from an OMI that holds alice's files, and read them. Returns the VM."""
    vm: dict[str, Any] = actor.does(
        "CreateVms",
        means,
        lambda answer: f"{answer['Vms'][0]['VmId']} {answer['Vms'][0]['State']}",
        ImageId=image_id,
    )["Vms"][0]
    for mapping, (path, text) in zip(vm["BlockDeviceMappings"], (MOTD, DATA), strict=True):
        read = story.cloud.read(mapping["Bsu"]["VolumeId"], path)
        if read != text:
            raise AssertionError(f"{path} was not copied: {read!r}")
        story.saw(actor.account.name, f"reads {path}: {read.strip()}", found)
    return vm


def stop_sharing(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any], copy_id: str) -> None:
    """Withdraw the permission: the resources that bob created remain."""
    alice.does(
        "UpdateImage",
        "alice stops sharing",
        ImageId=golden["ImageId"],
        PermissionsToLaunch={"Removals": {"AccountIds": [bob.account.account_id]}},
    )
    bob.polls("ReadImages", "Images", "available", ImageIds=[copy_id])
    story.saw("bob", f"still has {copy_id}", "a copy shares no fate with its source")
    bob.does(
        "ReadVms",
        "his VM lives on, too",
        lambda answer: ", ".join(f"{vm['VmId']} {vm['State']}" for vm in answer["Vms"]),
    )
    bob.is_refused("CreateVms", "but a new launch is refused: to bob the OMI is not there", ImageId=golden["ImageId"])


def clean_up(story: Story, alice: Actor, golden: dict[str, Any]) -> None:
    """Delete the OMI and then its snapshots; the other way round is refused."""
    snapshots = [mapping["Bsu"]["SnapshotId"] for mapping in golden["BlockDeviceMappings"]]
    alice.is_refused("DeleteSnapshot", "an OMI keeps its snapshots", SnapshotId=snapshots[0])
    alice.does("DeleteImage", "so the OMI goes first; its snapshots stay", ImageId=golden["ImageId"])
    for snapshot_id in snapshots:
        alice.does("DeleteSnapshot", "now nothing uses it", SnapshotId=snapshot_id)
    story.cloud.settle()
    left: Callable[[dict[str, Any]], str] = lambda answer: f"{len(answer['Snapshots'])} snapshots"  # noqa: E731
    own = {"AccountIds": [alice.account.account_id]}
    alice.does("ReadSnapshots", "nothing of it is left with alice", left, Filters=own)
