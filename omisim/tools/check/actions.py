"""The world that a check explores: its accounts, and every call that it tries in a state.

Nothing moves by itself (timing "manual"): each transient is completed or failed in every order there is, so that the
interleavings of all three timings are among those that are explored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from omisim.actions.framework.request import PYTHON, Request
from omisim.cloud.account import Account, Typed
from omisim.cloud.cloud import Cloud
from omisim.model import Image, Snapshot, Volume
from omisim.spec.catalog import load_catalog
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.buckets import Place, presign
from omisim.testing.script import bucket

__all__ = ["Bounds", "CheckStep", "CheckWorld"]

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
CLOUD = "cloud"
SMALL, LARGE = 10, 20  # GiB of a volume, before and after it has grown
TIMERS = 3601.0  # seconds after which every timer has fired
MANIFEST = "manifest.json"


class Bounds(NamedTuple):
    """How large the world is: accounts in each Region, Regions, and how many of a kind a call may make."""

    accounts: int = 2
    regions: int = 2
    images: int = 2

    def checked(self) -> Bounds:
        """Return the bounds. Raises ValueError for impossible ones."""
        regions = len(load_catalog().regions)
        if not 1 <= self.regions <= regions:
            raise ValueError(f"there are 1 to {regions} Regions to check, not {self.regions}")
        if not 1 <= self.accounts <= len(NAMES) // self.regions:
            raise ValueError(f"1 to {len(NAMES) // self.regions} accounts a Region can be checked, not {self.accounts}")
        if self.images < 1:
            raise ValueError(f"a world has room for 1 OMI at least, not {self.images}")
        return self


class CheckStep(NamedTuple):
    """One call: its account, method and arguments. Its text is the Python code of the call."""

    who: str
    what: str
    given: dict[str, Any]

    def __str__(self) -> str:
        """Return the call as a line of Python."""
        values = self.given.values() if self.who == CLOUD else (f"{n}={v!r}" for n, v in self.given.items())
        return f"{self.who}.{self.what}({', '.join(map(str if self.who != CLOUD else repr, values))})"


class CheckWorld:
    """A cloud with one official OMI per Region, whose accounts each have a bucket."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.cloud: Cloud = Cloud(timing="manual")
        regions = list(load_catalog().regions)[: bounds.regions]
        homes = [region for region in regions for _ in range(bounds.accounts)]
        self.accounts: dict[str, Account] = {
            name: self.cloud.account(name, region=region) for name, region in zip(NAMES, homes, strict=False)
        }
        self._homes = {account.account_id for account in self.accounts.values()}
        self.official: dict[str, str] = {
            region: self.cloud.images.official("rhel", region).image_id for region in regions
        }
        for account in self.accounts.values():
            bucket(account, account.account_id)
        self._actions = {name: typed.action for name, typed in vars(Account).items() if isinstance(typed, Typed)}

    def take(self, step: CheckStep) -> None:
        """Make one call. Raises ApiError when it is refused."""
        if step.who == CLOUD:
            getattr(self.cloud, step.what)(*step.given.values())
            return
        account = self.accounts[step.who]
        request = Request(self._actions[step.what], step.given, PYTHON)
        self.cloud.engine.call(request, account.account_id, account.region)

    def steps(self) -> Iterator[CheckStep]:
        """Yield every call that is tried in the state the cloud is in, in a fixed order."""
        for name, account in self.accounts.items():
            for what, given in self._calls(account):
                yield CheckStep(name, what, given)
        yield from self._platform_steps()

    def _calls(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the calls of an account: on what is its own, on what is others', on what it may and may not see."""
        yield from self._about_images(account)
        yield from self._about_disks(account)
        vms = self._rows("vm")
        for vm in vms:
            for what in ("stop_vms", "start_vms", "reboot_vms", "delete_vms"):
                yield what, {"vm_ids": (vm.vm_id,)}
            for volume in self._rows("volume"):
                yield "link_volume", {"device_name": "/dev/sdb", "vm_id": vm.vm_id, "volume_id": volume.volume_id}
        for task in (*self._rows("image_export"), *self._rows("snapshot_export")):
            yield "delete_export_task", {"export_task_id": task.task_id}

    def _about_images(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        own: list[Image] = self._rows("image")
        ids = [self.official[account.region], *(image.image_id for image in own)]
        if self._room("vm"):
            yield from (("create_vms", {"image_id": image_id}) for image_id in ids)
        if self._room("image"):
            yield from (("create_image", how) for how in self._sources(account, ids))
        for image in own:
            yield "delete_image", {"image_id": image.image_id}
            for change in self._changes(account, image, image.permissions_to_launch):
                yield "update_image", {"image_id": image.image_id, "permissions_to_launch": change}
            if self._room("image_export"):
                yield "create_image_export_task", {"image_id": image.image_id, "osu_export": _target(account)}

    def _sources(self, account: Account, image_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield what an OMI can be made from: an OMI, a VM (rebooted or not), a snapshot, a manifest."""
        named = {"image_name": self._free_name(account)}
        for image_id in image_ids:
            yield {"source_image_id": image_id, "source_region_name": account.region, **named}
        for vm in self._rows("vm"):
            yield {"vm_id": vm.vm_id, **named}
            yield {"vm_id": vm.vm_id, "no_reboot": True, **named}
        for snapshot in self._rows("snapshot"):
            root = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}
            yield {"root_device_name": "/dev/sda1", "block_device_mappings": [root], **named}
        for item in self._rows("object"):
            if item.name.endswith(MANIFEST):
                yield {"file_location": self._url(item.object_id, item.account_id), **named}

    def _about_disks(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        snapshots: list[Snapshot] = self._rows("snapshot")
        volumes: list[Volume] = self._rows("volume")
        subregion = f"{account.region}a"
        if self._room("volume"):
            yield "create_volume", {"subregion_name": subregion, "size": SMALL}
            for snapshot in snapshots:
                yield "create_volume", {"subregion_name": subregion, "snapshot_id": snapshot.snapshot_id}
        for volume in volumes:
            yield "delete_volume", {"volume_id": volume.volume_id}
            yield "unlink_volume", {"volume_id": volume.volume_id}
            yield "update_volume", {"volume_id": volume.volume_id, "size": LARGE}
        if self._room("snapshot"):
            yield from (("create_snapshot", {"volume_id": volume.volume_id}) for volume in volumes)
            for snapshot in snapshots:
                copied = {"source_snapshot_id": snapshot.snapshot_id, "source_region_name": account.region}
                yield "create_snapshot", copied
        for snapshot in snapshots:
            yield "delete_snapshot", {"snapshot_id": snapshot.snapshot_id}
            for change in self._changes(account, snapshot, snapshot.permissions_to_create_volume):
                yield "update_snapshot", {"snapshot_id": snapshot.snapshot_id, "permissions_to_create_volume": change}
            if self._room("snapshot_export"):
                given = {"snapshot_id": snapshot.snapshot_id, "osu_export": _target(account)}
                yield "create_snapshot_export_task", given

    def _changes(self, caller: Account, row: Image | Snapshot, granted: Any) -> Iterator[dict[str, Any]]:
        """Yield the permissions that can be given or taken; to whom it is not, one try is as good as another."""
        if row.account_id != caller.account_id:
            yield {"additions": {"account_ids": (caller.account_id,)}}
            return
        for other in self.accounts.values():
            if other.account_id in granted.account_ids:
                yield {"removals": {"account_ids": (other.account_id,)}}
            elif other is not caller:
                yield {"additions": {"account_ids": (other.account_id,)}}
        yield {"removals" if granted.global_permission else "additions": {"global_permission": True}}

    def _platform_steps(self) -> Iterator[CheckStep]:
        """Yield the transitions that no call of an account starts: complete, fail, or let a timer fire."""
        dues = self.cloud.engine.state.rows("due").values()
        for due in tuple(dues):
            if not due.timer:
                yield CheckStep(CLOUD, "complete", {"id": due.id})
                if "fail" in LIFECYCLES[due.kind].moves[self.cloud.engine.state.get(due.kind, due.id).state]:
                    yield CheckStep(CLOUD, "fail", {"id": due.id})
        if any(due.timer for due in dues):
            yield CheckStep(CLOUD, "advance", {"seconds": TIMERS})

    # --- existing resources

    def _rows(self, kind: str) -> list[Any]:
        """Return the resources of a kind that the accounts created."""
        return [row for row in self.cloud.engine.state.rows(kind).values() if row.account_id in self._homes]

    def _room(self, kind: str) -> bool:
        return len(self._rows(kind)) < self.bounds.images

    def _free_name(self, account: Account) -> str:
        taken = self.cloud.engine.state.find_by
        number = 0
        while taken("image", "name", (account.account_id, f"image {number}")):
            number += 1
        return f"image {number}"

    def _url(self, object_id: str, account_id: str) -> str:
        keys = self.cloud.engine.state.find_by("access_key", "account", account_id)
        return presign(Place(*object_id.split("/", 2)), keys[0], self.cloud.now)


def _target(account: Account) -> dict[str, str]:
    return {"disk_image_format": "raw", "osu_bucket": account.account_id}
