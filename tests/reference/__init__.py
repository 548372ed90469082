"""An independent reference model: a small, slow model of the OMI rules that shares no code with the simulator.

`Reference` answers calls according to the rules, from tables and plain rows. A test compares its answers with those of
another implementation; omisim's own tests run it in lockstep with a `Cloud`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from reference import disks, files, images, launches, reads, vms
from reference.call import Call, DryRun, Refusal, get_status
from reference.shapes import drop_absent, find_problems
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
    "ReadImages": reads.make_read("Image"),
    "CreateImageExportTask": files.create_image_export_task,
    "CreateSnapshotExportTask": files.create_snapshot_export_task,
    "ReadImageExportTasks": reads.make_read("ImageExport"),
    "ReadSnapshotExportTasks": reads.make_read("SnapshotExport"),
    "DeleteExportTask": files.delete_export_task,
    "CreateSnapshot": disks.create_snapshot,
    "UpdateSnapshot": disks.update_snapshot,
    "DeleteSnapshot": disks.delete_snapshot,
    "ReadSnapshots": reads.make_read("Snapshot"),
    "CreateVolume": disks.create_volume,
    "UpdateVolume": disks.update_volume,
    "DeleteVolume": disks.delete_volume,
    "ReadVolumes": reads.make_read("Volume"),
    "ReadVolumeUpdateTasks": reads.make_read("VolumeUpdate"),
    "LinkVolume": disks.link_volume,
    "UnlinkVolume": disks.unlink_volume,
    "CreateVms": launches.create_vms,
    "UpdateVm": vms.update_vm,
    "StartVms": vms.start_vms,
    "StopVms": vms.stop_vms,
    "RebootVms": vms.reboot_vms,
    "DeleteVms": vms.delete_vms,
    "ReadVms": reads.make_read("Vm"),
    "ReadVmsState": reads.read_vms_state,
    "CreateTags": reads.create_tags,
    "DeleteTags": reads.delete_tags,
    "ReadTags": reads.read_tags,
}


@dataclass(frozen=True)
class Answer:
    """The expected answer of a call: its HTTP status, and either the facts of its body or the code of its refusal.

    `ties` holds the other codes of the same class of checks, if a call fails several: no rule defines their order.
    """

    status: int
    code: str = ""
    body: dict[str, Any] = field(default_factory=dict)
    ties: tuple[str, ...] = ()


class Reference:
    """The model. Accounts have names and are added before they make calls; `adopt` adds an OMI of the platform.

    With the timing `eager`, transients end after each call. With `clock`, `advance` moves them, by the default
    durations of omisim. With `manual`, `complete` and `fail` move them one step.
    """

    def __init__(self, timing: str = "eager") -> None:
        self.world = World(timing)

    def add_account(
        self,
        name: str,
        region: str = "eu-west-2",
        account_id: str = "",
        alias: str | None = None,
        quotas: dict[str, int] | None = None,
    ) -> str:
        """Add an account, and return its id. Quotas have no limit by default, except five exports. [UNK-20]"""
        if region not in REGIONS:
            raise ValueError(f"region must be one of {', '.join(REGIONS)}, not {region!r}")
        if not isinstance(name, str) or not name:
            raise ValueError(f"name must be a non-empty str, not {name!r}")
        if not isinstance(quotas, dict | None):
            raise ValueError(f"quotas must be a dict of names to numbers, not {quotas!r}")
        for quota, limit in (quotas or {}).items():
            if quota not in QUOTAS:
                raise ValueError(f"quotas must be some of {', '.join(QUOTAS)}, not {quota!r}")
            _check_number(f"quota {quota}", limit)
        if name in self.world.accounts:
            raise ValueError(f"account {name!r} already exists")
        own = account_id or f"{len(self.world.accounts) + 1:012d}"
        if any(account["id"] == own for account in self.world.accounts.values()):
            raise ValueError(f"an account with the id {own!r} already exists")
        self.world.accounts[name] = {
            "alias": alias,
            "id": own,
            "quotas": {"image_export_limit": 5, **(quotas or {})},
            "region": region,
            "subregions": [f"{region}{letter}" for letter in REGIONS[region]],
        }
        return own

    def adopt(self, account: str, image: dict[str, Any]) -> None:
        """Add an OMI to an account, with its id, as ReadImages answers it, and the snapshots that it maps."""
        owner = self._get_account(account)
        for mapping in image["BlockDeviceMappings"]:
            bsu = mapping["Bsu"]
            private = {"AccountIds": [], "GlobalPermission": False}
            fields = {"Description": "", "PermissionsToCreateVolume": private, "Progress": 100, "State": "completed"}
            self.world.add("Snapshot", owner, SnapshotId=bsu["SnapshotId"], VolumeSize=bsu["VolumeSize"], **fields)
        self.world.add("Image", owner, **image)

    def add_bucket(self, account: str, name: str) -> None:
        """Add a bucket of an account in its Region, to which only this account may write."""
        owner = self._get_account(account)
        self.world.buckets[owner["region"], name] = owner["id"]

    def set_capacity(self, subregion: str, vms: int) -> None:
        """Set the number of VMs for which a Subregion has capacity. [VM-005]"""
        if not isinstance(subregion, str) or subregion[-1:] not in REGIONS.get(subregion[:-1], ""):
            raise ValueError(f"subregion must be a Region and a letter, for example eu-west-2a, not {subregion!r}")
        _check_number("capacity", vms)
        self.world.capacity[subregion] = vms

    def call(self, account: str, action: str, **parameters: Any) -> Answer:
        """Make a call with the API's parameter names, and return its expected answer."""
        if action not in ACTIONS:
            raise ValueError(f"action must be one of {', '.join(ACTIONS)}, not {action!r}")
        present = drop_absent(action, parameters)
        call = Call(self.world, self._get_account(account), present)
        self.world.advance(0)
        try:
            for code in find_problems(action, present):
                call.check(holds=False, code=code)
            if call.codes:
                call.raise_if_refused()
            body = ACTIONS[action](call)
        except Refusal as refusal:
            first, *ties = refusal.codes
            return Answer(get_status(first), first, ties=tuple(ties))
        except DryRun:
            return Answer(200)
        if self.world.timing == "eager":
            self.world.settle()
        return Answer(200, body=body)

    def complete(self, resource_id: str) -> None:
        """Move a transient resource one step; the id of a volume also stands for its link."""
        kind, row = self._find_moving(resource_id)
        self.world.step(kind, row)

    def fail(self, resource_id: str) -> None:
        """Make a transient resource fail."""
        kind, row = self._find_moving(resource_id)
        if row["State"] not in FAILED[kind]:
            raise ValueError(f"{resource_id} is {row['State']} and cannot fail")
        self.world.set_state(kind, row, FAILED[kind][row["State"]])

    def list_moving(self) -> list[str]:
        """Return the ids of all transient resources."""
        return [row[KINDS[kind][1]] for kind, row in self.world.list_moving()]

    def advance(self, seconds: float) -> None:
        """Advance the time: terminated VMs vanish, signed URLs expire; with `clock`, transients end."""
        if not isinstance(seconds, int | float) or not seconds >= 0:
            raise ValueError(f"seconds must be a non-negative number, not {seconds!r}")
        self.world.advance(seconds)

    def _get_account(self, name: str) -> Row:
        if name not in self.world.accounts:
            raise ValueError(f"account {name!r} does not exist: add it with add_account({name!r})")
        return self.world.accounts[name]

    def _find_moving(self, resource_id: str) -> tuple[str, Row]:
        for kind, row in self.world.list_moving():
            if row[KINDS[kind][1]] == resource_id:
                return kind, row
        raise ValueError(f"{resource_id!r} has no transition in progress")


def _check_number(parameter: str, number: int) -> None:
    if type(number) is not int or number < 0:
        raise ValueError(f"{parameter} must be an int of at least 0, not {number!r}")
