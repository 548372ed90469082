"""The world that a check explores: its accounts, and all calls that the check tries in a state.

The timing is "manual", so nothing moves by itself. Transient states are completed or failed in every order. The
explored interleavings therefore include those of the other timings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from keyword import iskeyword
from typing import Any, NamedTuple

from omisim.actions.framework.registry import ACTIONS
from omisim.actions.framework.request import PYTHON, Request
from omisim.cloud.account import Account, Typed
from omisim.cloud.cloud import Cloud
from omisim.engine.dispatch import dispatch
from omisim.model import Image, Snapshot, Volume
from omisim.spec.catalog import load_catalog
from omisim.spec.lifecycle import LIFECYCLES
from omisim.state.buckets import Place
from omisim.state.image_names import find_images_by_name
from omisim.state.storage_signatures import presign
from omisim.testing.script import bucket

__all__ = ["Bounds", "CheckStep", "CheckWorld", "Scenario", "describe_scenario", "load_scenario"]

Scenario = str | Mapping[str, Any]  # a name or a path, or its description, for machines without the file

NAMES = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy")
CLOUD = "cloud"
SCRIPT_NAMES = frozenset({CLOUD, "Cloud", "bucket", "laws", "mark"})  # the variables that a script has besides
SMALL, LARGE = 10, 20  # GiB of a volume, before and after it has grown
TIMERS = 3601.0  # seconds after which all timers have fired
MANIFEST = "manifest.json"
MAX_REQUESTS = 20_000
BOUNDED = ("image", "vm", "volume", "snapshot", "image_export", "snapshot_export")


class Bounds(NamedTuple):
    """The size of the world: accounts per Region, Regions, and the maximum number of resources of each kind."""

    accounts: int = 2
    regions: int = 2
    images: int = 2

    def validate(self) -> Bounds:
        """Return the bounds. Raises ValueError if one is out of range."""
        regions = len(load_catalog().regions)
        if not 1 <= self.regions <= regions:
            raise ValueError(f"regions must be 1 to {regions}, not {self.regions}")
        if not 1 <= self.accounts <= len(NAMES) // self.regions:
            raise ValueError(f"accounts must be 1 to {len(NAMES) // self.regions} in each Region, not {self.accounts}")
        if self.images < 1:
            raise ValueError(f"images must be at least 1, not {self.images}")
        return self


class CheckStep(NamedTuple):
    """One call: the name of its account (or "cloud"), its method and arguments. `str(step)` is its Python code."""

    caller: str
    method: str
    arguments: dict[str, Any]

    def __str__(self) -> str:
        """Return the call as a line of Python."""
        texts = [repr(v) if self.caller == CLOUD else f"{name}={v!r}" for name, v in self.arguments.items()]
        return f"{self.caller}.{self.method}({', '.join(texts)})"


class CheckWorld:
    """A cloud with accounts that each have a bucket, and one official OMI per Region.

    `accounts` has the accounts by the name of their variable in a script. With a scenario, the cloud and its accounts
    are those of the scenario, and the bounds say how many resources of each kind may be added. Its faults are removed:
    they are not part of a state. `had_faults` is whether it had any.
    """

    def __init__(self, bounds: Bounds, scenario: Scenario | None = None) -> None:
        self.bounds = bounds
        if scenario is None:
            self.cloud: Cloud = Cloud(timing="manual")
            regions = list(load_catalog().regions)[: bounds.regions]
            homes = [region for region in regions for _ in range(bounds.accounts)]
            accounts = [self.cloud.account(name, region=region) for name, region in zip(NAMES, homes, strict=False)]
        else:
            self.cloud = load_scenario(scenario)
            accounts = [self.cloud.account(name) for name in self.cloud.accounts]
        self.had_faults: bool = bool(self.cloud.faults)
        self.cloud.faults.clear()
        self.accounts: dict[str, Account] = _name_variables(accounts)
        self._homes = {account.account_id for account in accounts}
        self.official: dict[str, str] = {
            region: self.cloud.images.official("rhel", region).image_id
            for region in dict.fromkeys(account.region for account in accounts)
        }
        for account in accounts:
            bucket(account, account.account_id)
        self._rows: dict[str, list[Any]] = {}  # the resources that the accounts have created, by kind
        self._find_rows()
        self._most = {kind: len(self._rows[kind]) + bounds.images for kind in BOUNDED}
        self._requests: dict[tuple[str, str], Request] = {}
        self._actions = {name: typed.action for name, typed in vars(Account).items() if isinstance(typed, Typed)}

    def take(self, step: CheckStep) -> None:
        """Make one call. Raises ApiError if it is refused."""
        if step.caller == CLOUD:
            getattr(self.cloud, step.method)(*step.arguments.values())
            return
        account, engine, request = self.accounts[step.caller], self.cloud.engine, self._make_request(step)
        row = engine.state.get("account", account.account_id)
        # not run_call: the call log, faults and lock-outs are not part of a state
        dispatch(engine.begin(request.action), engine.clock, ACTIONS[request.action], request, row, account.region)

    def _make_request(self, step: CheckStep) -> Request:
        """Return the request of a step. Most steps are tried in many states, and are parsed once."""
        key = (step.method, repr(step.arguments))
        request = self._requests.get(key)
        if request is None:
            if len(self._requests) >= MAX_REQUESTS:
                self._requests.clear()
            request = self._requests[key] = Request(self._actions[step.method], step.arguments, PYTHON)
        return request

    def iter_steps(self) -> Iterator[CheckStep]:
        """Yield every call to try in the current state, in a fixed order. The state must not change before the end."""
        self._find_rows()
        for name, account in self.accounts.items():
            for method, arguments in self._iter_calls(account):
                yield CheckStep(name, method, arguments)
        yield from self._iter_platform_steps()

    def _iter_calls(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the calls of an account, on its own resources and on those of others, visible to it or not."""
        yield from self._iter_image_calls(account)
        yield from self._iter_disk_calls(account)
        vms = self._rows["vm"]
        for vm in vms:
            for method in ("stop_vms", "start_vms", "reboot_vms", "delete_vms"):
                yield method, {"vm_ids": (vm.vm_id,)}
            for volume in self._rows["volume"]:
                yield "link_volume", {"device_name": "/dev/sdb", "vm_id": vm.vm_id, "volume_id": volume.volume_id}
        for task in (*self._rows["image_export"], *self._rows["snapshot_export"]):
            yield "delete_export_task", {"export_task_id": task.task_id}

    def _iter_image_calls(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        own: list[Image] = self._rows["image"]
        ids = [self.official[account.region], *(image.image_id for image in own)]
        if self._has_room("vm"):
            yield from (("create_vms", {"image_id": image_id}) for image_id in ids)
        if self._has_room("image"):
            yield from (("create_image", how) for how in self._iter_sources(account, ids))
        for image in own:
            yield "delete_image", {"image_id": image.image_id}
            for change in self._iter_permission_changes(account, image, image.permissions_to_launch):
                yield "update_image", {"image_id": image.image_id, "permissions_to_launch": change}
            if self._has_room("image_export"):
                yield (
                    "create_image_export_task",
                    {"image_id": image.image_id, "osu_export": _make_export_target(account)},
                )

    def _iter_sources(self, account: Account, image_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield the possible sources of a new OMI: an OMI, a VM (with and without NoReboot), a snapshot, a manifest."""
        name_argument = {"image_name": self._find_free_name(account)}
        for image_id in image_ids:
            yield {"source_image_id": image_id, "source_region_name": account.region, **name_argument}
        for vm in self._rows["vm"]:
            yield {"vm_id": vm.vm_id, **name_argument}
            yield {"vm_id": vm.vm_id, "no_reboot": True, **name_argument}
        for snapshot in self._rows["snapshot"]:
            root = {"device_name": "/dev/sda1", "bsu": {"snapshot_id": snapshot.snapshot_id}}
            yield {"root_device_name": "/dev/sda1", "block_device_mappings": [root], **name_argument}
        for item in self._rows["object"]:
            if item.name.endswith(MANIFEST) and (location := self._presign(item.object_id, item.account_id)):
                yield {"file_location": location, **name_argument}

    def _iter_disk_calls(self, account: Account) -> Iterator[tuple[str, dict[str, Any]]]:
        snapshots: list[Snapshot] = self._rows["snapshot"]
        volumes: list[Volume] = self._rows["volume"]
        subregion = f"{account.region}a"
        if self._has_room("volume"):
            yield "create_volume", {"subregion_name": subregion, "size": SMALL}
            for snapshot in snapshots:
                yield "create_volume", {"subregion_name": subregion, "snapshot_id": snapshot.snapshot_id}
        for volume in volumes:
            yield "delete_volume", {"volume_id": volume.volume_id}
            yield "unlink_volume", {"volume_id": volume.volume_id}
            yield "update_volume", {"volume_id": volume.volume_id, "size": LARGE}
        if self._has_room("snapshot"):
            yield from (("create_snapshot", {"volume_id": volume.volume_id}) for volume in volumes)
            for snapshot in snapshots:
                source = {"source_snapshot_id": snapshot.snapshot_id, "source_region_name": account.region}
                yield "create_snapshot", source
        for snapshot in snapshots:
            yield "delete_snapshot", {"snapshot_id": snapshot.snapshot_id}
            for change in self._iter_permission_changes(account, snapshot, snapshot.permissions_to_create_volume):
                yield "update_snapshot", {"snapshot_id": snapshot.snapshot_id, "permissions_to_create_volume": change}
            if self._has_room("snapshot_export"):
                arguments = {"snapshot_id": snapshot.snapshot_id, "osu_export": _make_export_target(account)}
                yield "create_snapshot_export_task", arguments

    def _iter_permission_changes(
        self, caller: Account, row: Image | Snapshot, permissions: Any
    ) -> Iterator[dict[str, Any]]:
        """Yield the permissions that the caller can add or remove. For a resource of another account, one is enough."""
        if row.account_id != caller.account_id:
            yield {"additions": {"account_ids": (caller.account_id,)}}
            return
        for other in self.accounts.values():
            if other.account_id in permissions.account_ids:
                yield {"removals": {"account_ids": (other.account_id,)}}
            elif other is not caller:
                yield {"additions": {"account_ids": (other.account_id,)}}
        yield {"removals" if permissions.global_permission else "additions": {"global_permission": True}}

    def _iter_platform_steps(self) -> Iterator[CheckStep]:
        """Yield the transitions that accounts cannot start: complete or fail a transient, or let the timers fire."""
        dues = self.cloud.engine.state.rows("due").values()
        for due in tuple(dues):
            if not due.timer:
                yield CheckStep(CLOUD, "complete", {"id": due.id})
                if "fail" in LIFECYCLES[due.kind].moves[self.cloud.engine.state.get(due.kind, due.id).state]:
                    yield CheckStep(CLOUD, "fail", {"id": due.id})
        if any(due.timer for due in dues):
            yield CheckStep(CLOUD, "advance", {"seconds": TIMERS})

    def name_resources(self) -> dict[str, Any]:
        """Return the variables of a statement: the accounts, and the ids of what the scenario has named."""
        ids_by_name: dict[str, str] = dict(self.cloud.engine.state.rows("name"))
        return {name: row_id for name, row_id in ids_by_name.items() if _is_variable(name)} | self.accounts

    # --- existing resources

    def _find_rows(self) -> None:
        """Find the resources that the accounts have created in the current state."""
        for kind in (*BOUNDED, "object"):
            rows = self.cloud.engine.state.rows(kind).values()
            self._rows[kind] = [row for row in rows if row.account_id in self._homes]

    def _has_room(self, kind: str) -> bool:
        return len(self._rows[kind]) < self._most[kind]

    def _find_free_name(self, account: Account) -> str:
        state = self.cloud.engine.state
        number = 0
        while find_images_by_name(state, account.account_id, f"image {number}"):
            number += 1
        return f"image {number}"

    def _presign(self, object_id: str, account_id: str) -> str:
        """Return a URL of an object that its owner has signed, "" if the owner has no access key."""
        keys = self.cloud.engine.state.find_by("access_key", "account_id", account_id)
        return presign(Place(*object_id.split("/", 2)), keys[0], self.cloud.now) if keys else ""


def load_scenario(scenario: Scenario) -> Cloud:
    """Return the cloud of a scenario in the timing of a check. Raises ValueError for a mistake in its file."""
    if isinstance(scenario, str):
        return Cloud.from_scenario(scenario, timing="manual")
    cloud = Cloud.load(scenario["cloud"])
    for action, answer in scenario["answers"].items():
        cloud.answer(action, answer)
    return cloud


def describe_scenario(scenario: str) -> dict[str, Any]:
    """Return what `load_scenario` needs where the file is missing. A dump does not include the answers of the file."""
    cloud = load_scenario(scenario)
    return {"cloud": cloud.dump(), "answers": dict(cloud.engine.settings.answers)}


def _name_variables(accounts: Sequence[Account]) -> dict[str, Account]:
    """Return accounts by variables: their names, or `account_2` where the name cannot be a variable."""
    variables = {account.name: account for account in accounts if _is_variable(account.name)}
    return {_find_variable(account, number, variables): account for number, account in enumerate(accounts, 1)}


def _find_variable(account: Account, number: int, taken: Mapping[str, Account]) -> str:
    if account.name in taken:
        return account.name
    variable = f"account_{number}"
    while variable in taken:
        variable += "_"
    return variable


def _is_variable(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name not in SCRIPT_NAMES


def _make_export_target(account: Account) -> dict[str, str]:
    return {"disk_image_format": "raw", "osu_bucket": account.account_id}
