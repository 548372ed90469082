"""Write the recordings of `fixtures/recordings`, from real clients against a server: `python tests/tools/record.py`.

A recording is written once and replayed by `test_replay.py`: write it again only if omisim's answers change on
purpose.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from osc_sdk_python import Gateway
from requests import HTTPError

from omisim import Account, Cloud
from omisim.server import Running, run_server

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a script
from clients.go_client import Go
from clients.packer import Packer
from clients.terraform import Terraform, frieza

PLACE = Path(__file__).parents[2] / "fixtures" / "recordings"


def gateway(server: Running, account: Account) -> Gateway:
    """Return a Gateway of the account that sends HTTP requests to the server."""
    client = account.gateway()
    client.call.session.adapters.clear()
    client.call.session.mount("http://", type(client.call.session)().adapters["http://"])
    client.call.profile.endpoints.api = f"{server.url}/api/v1"
    return client


def golden_image(cloud: Cloud, server: Running) -> None:
    """Create, share, launch and copy a golden image, revoke its permissions, and provoke refusals."""
    alice, bob = cloud.account("alice"), cloud.account("bob")
    mine, theirs = gateway(server, alice), gateway(server, bob)
    mine.ReadAccounts()
    theirs.ReadAccounts()
    ubuntu = mine.ReadImages(Filters={"AccountAliases": ["Outscale"], "ImageNames": ["Ubuntu*"]})["Images"][0]
    vm = mine.CreateVms(ImageId=ubuntu["ImageId"], VmType="tinav6.c2r4p2")["Vms"][0]["VmId"]
    mine.CreateTags(ResourceIds=[vm], Tags=[{"Key": "name", "Value": "builder"}])
    mine.StopVms(VmIds=[vm])
    image = mine.CreateImage(VmId=vm, ImageName="golden")["Image"]["ImageId"]
    mine.ReadImages(Filters={"ImageIds": [image]})
    mine.ReadSnapshots()
    with suppress(HTTPError):
        theirs.CreateVms(ImageId=image)
    mine.UpdateImage(ImageId=image, PermissionsToLaunch={"Additions": {"AccountIds": [bob.account_id]}})
    theirs.CreateVms(ImageId=image, MinVmsCount=2, MaxVmsCount=2)
    copy = theirs.CreateImage(SourceImageId=image, SourceRegionName="eu-west-2", ImageName="mine")["Image"]["ImageId"]
    mine.UpdateImage(ImageId=image, PermissionsToLaunch={"Removals": {"AccountIds": [bob.account_id]}})
    refusals: tuple[Callable[[], object], ...] = (
        lambda: theirs.CreateVms(ImageId=image),
        lambda: theirs.DeleteImage(ImageId=image),
        lambda: mine.CreateImage(VmId=vm, ImageName="golden"),
        lambda: mine.DeleteSnapshot(SnapshotId=mine.ReadSnapshots()["Snapshots"][0]["SnapshotId"]),
    )
    for refusal in refusals:
        with suppress(HTTPError):
            refusal()
    mine.DeleteImage(ImageId=image)
    for account in (mine, theirs):
        for read in ("ReadImages", "ReadSnapshots", "ReadVms", "ReadVolumes"):
            filters = {"AccountIds": [alice.account_id, bob.account_id]} if read == "ReadImages" else None
            account.raw(read, **({"Filters": filters} if filters else {}))
    theirs.ReadImages(Filters={"ImageIds": [copy]})


def packer(cloud: Cloud, server: Running) -> None:
    """Run Packer's builders in sequence."""
    api = Go(server, cloud.account("alice"), cloud.advance)
    Packer(api, "golden").bsu()
    Packer(api, "golden").bsu(force=True)
    Packer(api, "surrogate").surrogate()


def terraform(cloud: Cloud, server: Running) -> None:
    """Manage an OMI, a volume and a VM like Terraform, and delete everything like frieza."""
    provider = Terraform(Go(server, cloud.account("alice"), cloud.advance))
    vm = provider.vm(ImageId=cloud.images.official("ubuntu").image_id)["VmId"]
    image = provider.image({"env": "test"}, ImageName="golden", VmId=vm, NoReboot=True)["ImageId"]
    provider.launch_permission(image, "Additions", {"GlobalPermission": True})
    volume = provider.volume(SubregionName="eu-west-2a", Size=10)["VolumeId"]
    provider.link(volume, vm, "/dev/xvdb")
    provider.update_volume(volume, Size=20)
    provider.snapshot(VolumeId=volume)
    provider.unlink(volume)
    frieza(provider.api)


SCRIPTS: Mapping[str, Callable[[Cloud, Running], None]] = {
    "golden-image": golden_image,
    "packer": packer,
    "terraform": terraform,
}


def main() -> int:
    """Run each script against a new cloud."""
    for name, script in SCRIPTS.items():
        cloud = Cloud(seed="recorded")
        with (
            (PLACE / f"{name}.jsonl").open("w", encoding="utf-8") as stream,
            run_server(cloud, record=stream) as server,
        ):
            script(cloud, server)
        print(f"{name}: {len(cloud.calls())} exchanges")
    return 0


if __name__ == "__main__":
    sys.exit(main())
