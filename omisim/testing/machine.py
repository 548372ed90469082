"""`CloudMachine`: a Hypothesis state machine that makes random histories of a cloud, and holds each against the laws.

Subclass it to prove your own code: choose which accounts and actions take part, add rules that call your code, add
invariants. Needs the extra `omisim[hypothesis]`.

    from hypothesis.stateful import rule
    from omisim.testing.machine import CloudMachine

    class MyMachine(CloudMachine):
        accounts = {"alice": "eu-west-2", "bob": "eu-west-2"}
        actions = frozenset({"CreateVms", "CreateImage", "DeleteImage", "UpdateImage"})

        @rule(image=CloudMachine.images)
        def rotate(self, image):
            my_code.rotate(self.account("alice").gateway(), image)

    TestMyCode = MyMachine.TestCase

When it fails, the shrunk history is printed as a Python script, with the law that was broken and its rule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, ClassVar, Final

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import Bundle, initialize, multiple, precondition, rule
except ImportError as _error:
    raise ImportError("omisim.testing.machine needs Hypothesis: pip install 'omisim[hypothesis]'") from _error

from omisim.actions.framework.registry import ACTIONS
from omisim.base.hosts import DEFAULT_REGION
from omisim.model.serialize import snake_name
from omisim.spec.catalog import QuotaName
from omisim.state.settings import Switches, Timing
from omisim.testing.choices import check_choices
from omisim.testing.events import Events
from omisim.testing.strategies.api_requests import kinds, requests
from omisim.testing.strategies.request_builder import rows_of

__all__ = ["CORE", "CloudMachine"]

# the actions of the OMI model, which a machine calls unless it chooses others
CORE = (
    "CreateImage", "CreateImageExportTask", "CreateSnapshot", "CreateSnapshotExportTask", "CreateTags", "CreateVms",
    "CreateVolume", "DeleteExportTask", "DeleteImage", "DeleteSnapshot", "DeleteTags", "DeleteVms", "DeleteVolume",
    "LinkVolume", "ReadAccounts", "ReadImageExportTasks", "ReadImages", "ReadProductTypes", "ReadQuotas", "ReadRegions",
    "ReadSnapshotExportTasks", "ReadSnapshots", "ReadSubregions", "ReadTags", "ReadVmTypes", "ReadVms", "ReadVmsState",
    "ReadVolumeUpdateTasks", "ReadVolumes", "RebootVms", "StartVms", "StopVms", "UnlinkVolume", "UpdateImage",
    "UpdateSnapshot", "UpdateVm", "UpdateVolume",
)  # fmt: skip
# what an answer carries of new resources: its key, one or many, and the key of the id
_NEW = (
    ("Image", "ImageId"), ("Snapshot", "SnapshotId"), ("Volume", "VolumeId"), ("Vms", "VmId"),
    ("ImageExportTask", "TaskId"), ("SnapshotExportTask", "TaskId"),
)  # fmt: skip
# how much an account has at the start of a history, the more the likelier
NOTHING, DISKS, VMS, ALL = 0, 1, 2, 5


@cache
def _calls(action: str, target: Bundle[str] | None = None) -> Callable[..., Any]:
    """Return the rule that makes a call of an action, always the same one; what it creates goes into a bundle."""

    def call(self: CloudMachine, data: Any) -> Any:
        able = self._having(kinds(action, required=False))
        name = data.draw(st.sampled_from([*able, *able, *self.accounts]), label="account")
        parameters = data.draw(requests(action, self.cloud, self.account(name)), label=action)
        answer = self.call(name, action, **parameters)
        return None if target is None else multiple(*_new_ids(answer))

    call.__name__ = snake_name(action)
    call.__doc__ = f"Call {action}, with arguments that are mostly valid, once somebody has what it names."
    made = rule(data=st.data())(call) if target is None else rule(target=target, data=st.data())(call)
    return precondition(lambda self: self._having(kinds(action, required=True)))(made)


def _new_ids(answer: dict[str, Any] | None) -> list[str]:
    for key, id_key in _NEW:
        found = (answer or {}).get(key)
        if found is not None:
            return [row[id_key] for row in (found if isinstance(found, list) else [found])]
    return []


class CloudMachine(Events):
    """Accounts in Regions make calls, valid and invalid ones, while time passes and things fail.

    Each call is foretold by `why_not`; a refused one changes nothing; after each step the laws of what it touched hold,
    and at the end of each history all laws hold of the whole cloud.

    Class attributes to choose what takes part:
        accounts: the accounts, by name, and the Region of each.
        quotas: the quotas of accounts, by name.
        actions: the actions that are called, those of CORE unless said otherwise; any that omisim serves. A rule of a
            subclass's own stays, whatever its name.
        timings: how transients end, one of which each history has.
        switches: the switches of the cloud.
        faults: whether calls fail on order.
        travels: whether there are marks, rollbacks, forks and dumps.

    Attributes of a history: `cloud`, and `account(name)`. Bundles: `images`, `snapshots`, `volumes`, `vms`,
    `image_exports`, `snapshot_exports` hold the ids that calls have made, gone ones too.
    """

    accounts: ClassVar[Mapping[str, str]] = {"alice": DEFAULT_REGION, "bob": DEFAULT_REGION, "carol": "us-east-2"}
    quotas: ClassVar[Mapping[str, Mapping[QuotaName, int]]] = {
        "bob": {"image_export_limit": 1, "snapshot_export_limit": 1},
        "carol": {"vm_limit": 3, "volume_limit": 6, "snapshot_limit": 5},
    }
    actions: ClassVar[Collection[str]] = frozenset(CORE)
    timings: ClassVar[tuple[Timing, ...]] = ("eager", "clock", "manual")
    switches: ClassVar[Switches | Mapping[str, str | int | bool]] = {}
    faults: ClassVar[bool] = True
    travels: ClassVar[bool] = True

    images: ClassVar[Bundle[str]] = Bundle("images")
    snapshots: ClassVar[Bundle[str]] = Bundle("snapshots")
    volumes: ClassVar[Bundle[str]] = Bundle("volumes")
    vms: ClassVar[Bundle[str]] = Bundle("vms")
    image_exports: ClassVar[Bundle[str]] = Bundle("image_exports")
    snapshot_exports: ClassVar[Bundle[str]] = Bundle("snapshot_exports")

    create_image: Final = _calls("CreateImage", images)
    create_image_export_task: Final = _calls("CreateImageExportTask", image_exports)
    create_snapshot: Final = _calls("CreateSnapshot", snapshots)
    create_snapshot_export_task: Final = _calls("CreateSnapshotExportTask", snapshot_exports)
    create_vms: Final = _calls("CreateVms", vms)
    create_volume: Final = _calls("CreateVolume", volumes)

    def __init_subclass__(cls) -> None:
        """Leave out the rules of what a subclass has not chosen. Raises ValueError for what there is not."""
        super().__init_subclass__()
        check_choices(cls)
        calls = {snake_name(action): action for action in ACTIONS if not action.startswith("Read")}
        chosen = {name: action in cls.actions for name, action in calls.items()}
        chosen["read"] = any(action.startswith("Read") for action in cls.actions)
        chosen |= {"order_a_fault": cls.faults and bool(cls.actions), "order_a_failure": cls.faults}
        chosen |= dict.fromkeys(("save", "roll_back", "fork", "dump_and_load"), cls.travels)
        for name, wanted in chosen.items():
            now = getattr(cls, name, None)
            if now is not None or wanted:
                ours = getattr(CloudMachine, name, None) or _calls(calls[name])
                if now is None or now is ours:  # or else it is a subclass's own
                    setattr(cls, name, ours if wanted else None)

    # --- what a history begins with

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """Make the cloud and its accounts, and prepare them."""
        timing = data.draw(st.sampled_from(self.timings), label="timing")
        self._begin(timing, self.switches, self.accounts, self.quotas)
        self._data = data
        self.prepare()

    def prepare(self) -> None:
        """Give accounts a VM that runs and one that does not, a shared OMI, a volume, and a snapshot; some, fewer.

        It runs once a history, before everything else. Override it, and not with `initialize`, to begin otherwise.
        """
        for name, region in self.accounts.items():
            level = self._data.draw(st.integers(NOTHING, ALL), label=f"what {name} has")
            if level >= DISKS and "CreateVolume" in self.actions:
                self._make_disks(name, region)
            if level >= VMS and "CreateVms" in self.actions:
                self._make_vms(name, region, level)

    def _make_disks(self, name: str, region: str) -> None:
        volume = self.call(name, "CreateVolume", SubregionName=f"{region}a", Size=10)
        self.finish()
        if volume and "CreateSnapshot" in self.actions:
            volume_id = volume["Volume"]["VolumeId"]
            text = f"cloud.write({volume_id!r}, '/motd', {name!r})"
            self.do(text, lambda: self.cloud.write(volume_id, "/motd", name))
            self.call(name, "CreateSnapshot", VolumeId=volume_id)

    def _make_vms(self, name: str, region: str, level: int) -> None:
        official = self.cloud.images.official("rhel", region).image_id
        disk = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 5, "DeleteOnVmDeletion": False}}
        vms = self.call(name, "CreateVms", ImageId=official, BlockDeviceMappings=[disk])
        idle = self.call(name, "CreateVms", ImageId=official, BootOnCreation=level == ALL)
        self.finish()
        if idle and level == ALL and "StopVms" in self.actions:  # it has run before
            self.call(name, "StopVms", VmIds=[idle["Vms"][0]["VmId"]])
            self.finish()
        if vms and level > VMS and "CreateImage" in self.actions:
            asked = {"VmId": vms["Vms"][0]["VmId"], "ImageName": "golden", "NoReboot": True}
            self._share(name, self.call(name, "CreateImage", **asked))

    def _share(self, name: str, made: dict[str, Any] | None) -> None:
        others = [self.account(other).account_id for other in self.accounts if other != name]
        if made and others and "UpdateImage" in self.actions:
            share = {"Additions": {"AccountIds": others}}
            self.call(name, "UpdateImage", ImageId=made["Image"]["ImageId"], PermissionsToLaunch=share)

    def _having(self, wanted: tuple[str, ...]) -> list[str]:
        """Return the accounts that have something of each of these kinds."""
        owners = [{row.account_id for row in rows_of(self.cloud, kind)} for kind in wanted]
        return [name for name in self.accounts if all(self.account(name).account_id in some for some in owners)]

    # --- reads

    @rule(data=st.data())
    def read(self, data: Any) -> None:
        """Call a read, with filters."""
        action = data.draw(st.sampled_from(sorted(name for name in self.actions if name.startswith("Read"))))
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        self.call(name, action, **data.draw(requests(action, self.cloud, self.account(name)), label=action))


for _action in CORE:
    if not _action.startswith("Read") and not hasattr(CloudMachine, snake_name(_action)):
        setattr(CloudMachine, snake_name(_action), _calls(_action))
assert set(CORE) <= set(ACTIONS)
