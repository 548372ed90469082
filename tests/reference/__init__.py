"""A second opinion: a small, slow model of the OMI rules that shares no line with the simulator.

`Reference` answers calls as the rules say, from tables and plain rows. A test asks it what to expect, and holds that
against whatever it tests; omisim's own tests run it in lockstep with a `Cloud`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reference import disks, files, images, launches, reads, vms
from reference.call import Call, Dry, Refused, status
from reference.shapes import present, problems
from reference.states import FAILED
from reference.world import KINDS, Row, World

__all__ = ["Answer", "Reference"]

REGIONS = {
    "eu-west-2": "abc",
    "cloudgouv-eu-west-1": "abc",
    "us-east-2": "ab",
    "us-west-1": "ab",
    "ap-northeast-1": "ab",
}

QUOTAS = (
    "vm_limit", "core_limit", "memory_limit", "volume_limit", "volume_size_limit", "standard_volume_size_limit",
    "gp2_volume_size_limit", "io1_volume_size_limit", "iops_limit", "snapshot_limit", "concurrent_snapshot_limit",
    "image_export_limit", "snapshot_export_limit",
)  # fmt: skip

ACTIONS: dict[str, Callable[[Call], Row]] = {
    "CreateImage": images.create_image,
    "UpdateImage": images.update_image,
    "DeleteImage": images.delete_image,
    "ReadImages": reads.read("Image"),
    "CreateImageExportTask": files.create_image_export_task,
    "CreateSnapshotExportTask": files.create_snapshot_export_task,
    "ReadImageExportTasks": reads.read("ImageExport"),
    "ReadSnapshotExportTasks": reads.read("SnapshotExport"),
    "DeleteExportTask": files.delete_export_task,
    "CreateSnapshot": disks.create_snapshot,
    "UpdateSnapshot": disks.update_snapshot,
    "DeleteSnapshot": disks.delete_snapshot,
    "ReadSnapshots": reads.read("Snapshot"),
    "CreateVolume": disks.create_volume,
    "UpdateVolume": disks.update_volume,
    "DeleteVolume": disks.delete_volume,
    "ReadVolumes": reads.read("Volume"),
    "ReadVolumeUpdateTasks": reads.read("VolumeUpdate"),
    "LinkVolume": disks.link_volume,
    "UnlinkVolume": disks.unlink_volume,
    "CreateVms": launches.create_vms,
    "UpdateVm": vms.update_vm,
    "StartVms": vms.start_vms,
    "StopVms": vms.stop_vms,
    "RebootVms": vms.reboot_vms,
    "DeleteVms": vms.delete_vms,
    "ReadVms": reads.read("Vm"),
    "ReadVmsState": reads.read_vms_state,
    "CreateTags": reads.create_tags,
    "DeleteTags": reads.delete_tags,
    "ReadTags": reads.read_tags,
}


@dataclass(frozen=True)
class Answer:
    """What a call should answer: its HTTP status, and either the facts of its body or the code of its refusal.

    `ties` holds more codes of the same class of checks, where a call fails there twice: no rule says which is first.
    """

    status: int
    code: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    ties: tuple[str, ...] = ()


class Reference:
    """The model. Accounts are named, and made before they call; an OMI of the platform's is added by `adopt`.

    In `eager` timing what is under way ends after each call; in `clock`, `advance` moves it, by the durations that
    omisim has where none are set; in `manual`, `complete` and `fail` move it a step.
    """

    def __init__(self, timing: str = "eager") -> None:
        self.world = World(timing)

    def account(
        self,
        name: str,
        region: str = "eu-west-2",
        account_id: str = "",
        alias: str | None = None,
        quotas: dict[str, int] | None = None,
    ) -> str:
        """Make an account, and return its id. A quota that is not given has no limit, but for five exports. [UNK-20]"""
        if region not in REGIONS:
            raise ValueError(f"there is no Region {region!r}: use one of {', '.join(REGIONS)}")
        if not isinstance(name, str) or not name:
            raise ValueError(f"an account needs a name, not {name!r}")
        if not isinstance(quotas, dict | None):
            raise ValueError(f"quotas are numbers by name, not {quotas!r}")  # noqa: TRY004 - as every wrong argument
        for quota, limit in (quotas or {}).items():
            if quota not in QUOTAS:
                raise ValueError(f"the quota {quota!r} is not modelled: use one of {', '.join(QUOTAS)}")
            _check_number(f"the quota {quota}", limit)
        if name in self.world.accounts:
            raise ValueError(f"there is an account {name!r} already")
        own = account_id or f"{len(self.world.accounts) + 1:012d}"
        if any(account["id"] == own for account in self.world.accounts.values()):
            raise ValueError(f"there is an account with the id {own!r} already")
        self.world.accounts[name] = {
            "alias": alias,
            "id": own,
            "quotas": {"image_export_limit": 5, **(quotas or {})},
            "region": region,
            "subregions": [f"{region}{letter}" for letter in REGIONS[region]],
        }
        return own

    def adopt(self, account: str, image: dict[str, Any]) -> None:
        """Add an OMI as ReadImages answers it, with its id, to an account's; and the snapshots that it maps."""
        owner = self._account(account)
        for mapping in image["BlockDeviceMappings"]:
            bsu = mapping["Bsu"]
            private = {"AccountIds": [], "GlobalPermission": False}
            fields = {"Description": "", "PermissionsToCreateVolume": private, "Progress": 100, "State": "completed"}
            self.world.add("Snapshot", owner, SnapshotId=bsu["SnapshotId"], VolumeSize=bsu["VolumeSize"], **fields)
        self.world.add("Image", owner, **image)

    def bucket(self, account: str, name: str) -> None:
        """Give an account a bucket in its Region, to which it alone may write."""
        owner = self._account(account)
        self.world.buckets[owner["region"], name] = owner["id"]

    def capacity(self, subregion: str, vms: int) -> None:
        """Leave a Subregion room for so many VMs. [VM-005]"""
        if not isinstance(subregion, str) or subregion[-1:] not in REGIONS.get(subregion[:-1], ""):
            raise ValueError(f"there is no Subregion {subregion!r}: a Region and a letter, as eu-west-2a")
        _check_number("a capacity", vms)
        self.world.capacity[subregion] = vms

    def call(self, account: str, action: str, **parameters: Any) -> Answer:
        """Make a call, in the API's own words, and return what it should answer."""
        if action not in ACTIONS:
            raise ValueError(f"the action {action!r} is not modelled: use one of {', '.join(ACTIONS)}")
        given = present(action, parameters)
        call = Call(self.world, self._account(account), given)
        self.world.advance(0)
        try:
            for code in problems(action, given):
                call.check(holds=False, code=code)
            if call.codes:
                call.decide()
            body = ACTIONS[action](call)
        except Refused as refused:
            first, *ties = refused.codes
            return Answer(status(first), first, ties=tuple(ties))
        except Dry:
            return Answer(200)
        if self.world.timing == "eager":
            self.world.settle()
        return Answer(200, body=body)

    def complete(self, resource_id: str) -> None:
        """Move what is under way one step on; the id of a volume stands for its link, too."""
        kind, row = self._moving(resource_id)
        self.world.step(kind, row)

    def fail(self, resource_id: str) -> None:
        """Let what is under way fail."""
        kind, row = self._moving(resource_id)
        if row["State"] not in FAILED[kind]:
            raise ValueError(f"{resource_id} cannot fail: it is {row['State']}")
        self.world.become(kind, row, FAILED[kind][row["State"]])

    def moving(self) -> list[str]:
        """Return the ids of all that is under way."""
        return [row[KINDS[kind][1]] for kind, row in self.world.moving()]

    def advance(self, seconds: float) -> None:
        """Let time pass: terminated VMs can no longer be read, signed URLs expire; with `clock`, transients end."""
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise ValueError(f"time passes by a number of seconds from 0 up, not {seconds!r}")
        self.world.advance(seconds)

    def _account(self, name: str) -> Row:
        if name not in self.world.accounts:
            raise ValueError(f"there is no account {name!r}: make it with account({name!r})")
        return self.world.accounts[name]

    def _moving(self, resource_id: str) -> tuple[str, Row]:
        for kind, row in self.world.moving():
            if row[KINDS[kind][1]] == resource_id:
                return kind, row
        raise ValueError(f"nothing of {resource_id!r} is under way")


def _check_number(what: str, number: int) -> None:
    if type(number) is not int or number < 0:
        raise ValueError(f"{what} is a number from 0 up, not {number!r}")
