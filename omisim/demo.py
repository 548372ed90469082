"""`omisim demo`: a golden-image pipeline of two accounts. Every API call goes through the real SDK.

alice makes an OMI and shares it; bob uses it; alice stops sharing and cleans up. Time is virtual: transient states are
seen, and nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from requests import HTTPError
from rich.console import Console
from rich.markup import escape
from rich.text import Text
from rich.tree import Tree

from omisim.account import Account
from omisim.cloud import Cloud
from omisim.lineage import Lineage
from omisim.rules import rule

__all__ = ["Step", "Story", "play", "show"]

POLL = 10  # virtual seconds between two polls
MOTD, DATA = ("/etc/motd", "Golden image, built by alice.\n"), ("/srv/app.conf", "workers = 4\n")


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the story: a call and its answer, or something seen (`action` "")."""

    who: str
    action: str
    parameters: dict[str, Any]
    status: int
    answer: str
    means: str
    refusal: dict[str, str] | None = None


@dataclass(slots=True)
class Story:
    """The transcript, and at the end the lineage of the official OMI it began with."""

    cloud: Cloud
    steps: list[Step] = field(default_factory=list)
    lineage: Lineage | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the story as plain JSON data."""
        tree = self.lineage.to_dict() if self.lineage else None
        return {"steps": [asdict(step) for step in self.steps], "lineage": tree}

    def saw(self, who: str, answer: str, means: str) -> None:
        """Note something that is no API call."""
        self.steps.append(Step(who, "", {}, 0, answer, means))


class Actor:
    """One account at its SDK."""

    def __init__(self, story: Story, account: Account) -> None:
        self.account = account
        self._story = story
        self._gateway = account.gateway()

    def does(
        self, action: str, means: str, tells: Callable[[dict[str, Any]], str] = lambda _: "", /, **parameters: Any
    ) -> dict[str, Any]:
        """Make a call that succeeds; `tells` picks from the answer what the transcript shows."""
        answer: dict[str, Any] = getattr(self._gateway, action)(**parameters)
        self._story.steps.append(Step(self.account.name, action, parameters, 200, tells(answer), means))
        return answer

    def is_refused(self, action: str, means: str, /, **parameters: Any) -> None:
        """Make a call that the cloud must refuse."""
        try:
            getattr(self._gateway, action)(**parameters)
        except HTTPError as error:
            response = error.response
            said = response.json()["Errors"][0]
            broken = response.headers["X-Omisim-Rule"]
            refusal = {"code": said["Code"], "type": said["Type"], "details": said["Details"], "rule": broken}
            refusal["says"] = rule(broken).says
            step = Step(self.account.name, action, parameters, response.status_code, said["Details"], means, refusal)
            self._story.steps.append(step)
        else:
            raise AssertionError(f"{action} was not refused")

    def polls(self, action: str, key: str, wanted: str, **filters: Any) -> dict[str, Any]:
        """Read one resource every ten virtual seconds until it is in the wanted state."""
        cloud, seen = self._story.cloud, []
        start = cloud.now
        while True:
            row: dict[str, Any] = getattr(self._gateway, action)(Filters=filters)[key][0]
            seen.append(row["State"])
            if row["State"] == wanted:
                break
            cloud.advance(POLL)
        passed = round((cloud.now - start).total_seconds())
        states = " → ".join(dict.fromkeys(seen))
        means = f"{len(seen)} polls, {passed} virtual seconds"
        self._story.steps.append(Step(self.account.name, action, {"Filters": filters}, 200, states, means))
        return row


def play() -> Story:
    """Play the story on a fresh cloud."""
    cloud = Cloud(timing="clock")
    story = Story(cloud)
    alice, bob = (Actor(story, cloud.account(name)) for name in ("alice", "bob"))
    official = _official(alice)
    golden = _bake(story, alice, official)
    copy_id = _share(story, alice, bob, golden)
    _stop_sharing(story, alice, bob, golden, copy_id)
    _clean_up(story, alice, golden)
    story.lineage = cloud.lineage(official["ImageId"])
    return story


def _official(alice: Actor) -> dict[str, Any]:
    filters = {"AccountAliases": ["Outscale"], "ImageNames": ["Ubuntu*"]}
    found = alice.does(
        "ReadImages",
        "official OMIs are public, and carry the alias Outscale",
        lambda answer: f"{len(answer['Images'])} OMIs, the latest is {answer['Images'][-1]['ImageName']}",
        Filters=filters,
    )["Images"]
    latest: dict[str, Any] = found[-1]
    return latest


def _bake(story: Story, alice: Actor, official: dict[str, Any]) -> dict[str, Any]:
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


def _share(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any]) -> str:
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
    vm = bob.does(
        "CreateVms",
        "bob launches it: the volumes are his",
        lambda answer: f"{answer['Vms'][0]['VmId']} {answer['Vms'][0]['State']}",
        ImageId=golden["ImageId"],
    )["Vms"][0]
    for mapping, (path, text) in zip(vm["BlockDeviceMappings"], (MOTD, DATA), strict=True):
        found = story.cloud.read(mapping["Bsu"]["VolumeId"], path)
        if found != text:
            raise AssertionError(f"{path} did not come along: {found!r}")
        story.saw("bob", f"reads {path}: {found.strip()}", "what alice wrote has come along in the OMI")
    copy_id: str = bob.does(
        "CreateImage",
        "a copy is bob's own, with snapshots of its own",
        lambda answer: f"{answer['Image']['ImageId']} {answer['Image']['ImageName']} {answer['Image']['State']}",
        SourceImageId=golden["ImageId"],
        SourceRegionName=bob.account.region,
    )["Image"]["ImageId"]
    bob.polls("ReadVms", "Vms", "running", VmIds=[vm["VmId"]])
    return copy_id


def _stop_sharing(story: Story, alice: Actor, bob: Actor, golden: dict[str, Any], copy_id: str) -> None:
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


def _clean_up(story: Story, alice: Actor, golden: dict[str, Any]) -> None:
    snapshots = [mapping["Bsu"]["SnapshotId"] for mapping in golden["BlockDeviceMappings"]]
    alice.is_refused("DeleteSnapshot", "an OMI keeps its snapshots", SnapshotId=snapshots[0])
    alice.does("DeleteImage", "so the OMI goes first; its snapshots stay", ImageId=golden["ImageId"])
    for snapshot_id in snapshots:
        alice.does("DeleteSnapshot", "now nothing uses it", SnapshotId=snapshot_id)
    story.cloud.settle()
    left: Callable[[dict[str, Any]], str] = lambda answer: f"{len(answer['Snapshots'])} snapshots"  # noqa: E731
    own = {"AccountIds": [alice.account.account_id]}
    alice.does("ReadSnapshots", "nothing of it is left with alice", left, Filters=own)


def show(story: Story) -> None:
    """Print the story to the terminal."""
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]A golden image, from alice to bob[/bold]  (osc-sdk-python on an in-memory cloud)\n")
    colors = {"alice": "cyan", "bob": "magenta"}
    for step in story.steps:
        who = f"[{colors[step.who]}]{step.who:>5}[/]"
        if not step.action:
            console.print(f"{who}  {escape(step.answer)}\n       [dim]{escape(step.means)}[/dim]")
            continue
        console.print(f"{who}  [bold]{step.action}[/bold] {escape(_shortened(step.parameters))}")
        if step.refusal:
            said = step.refusal
            console.print(f"       [red]{step.status} {said['code']} {said['type']}[/red]: {escape(said['details'])}")
            console.print(f"       [red]{said['rule']}[/red]: {escape(said['says'])}")
        elif step.answer:
            console.print(f"       [green]{step.status}[/green] {escape(step.answer)}")
        console.print(f"       [dim]{escape(step.means)}[/dim]")
    console.print("\n[bold]What came of the official OMI[/bold]")
    if story.lineage:
        console.print(_tree(story.lineage))


def _shortened(parameters: dict[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())


def _tree(node: Lineage, tree: Tree | None = None) -> Tree:
    line = Text(node.line(), overflow="fold")
    branch = Tree(line) if tree is None else tree.add(line)
    for child in node.children:
        _tree(child, branch)
    return branch
