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

import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

try:
    from hypothesis import strategies as st
    from hypothesis.errors import HypothesisException
    from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule
except ImportError as error:
    raise ImportError("omisim.testing.machine needs Hypothesis: pip install 'omisim[hypothesis]'") from error

from omisim.account import Account
from omisim.actions.registry import ACTIONS
from omisim.cloud import Cloud
from omisim.engine import Mark
from omisim.errors import ApiError
from omisim.faults import Dropped
from omisim.lifecycle import LIFECYCLES
from omisim.plain import snake_name
from omisim.testing import laws
from omisim.testing.script import Did, Step, bucket, script
from omisim.testing.strategies import requests
from omisim.testing.strategies.values import one_of_these

__all__ = ["CORE", "CloudMachine"]

# the actions of the OMI model: every rule of the machine that makes calls is one of these
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
FAULTS: Mapping[str, dict[str, Any]] = {
    "throttled": {"status": 503},
    "answer lost": {"status": 500, "after_effect": True},
    "dropped": {"drop": True},
    "slow": {"delay": 30},
}
FAILING = tuple(kind for kind, lifecycle in LIFECYCLES.items() if lifecycle.failures)


def _calls(action: str, target: Bundle[str] | None = None) -> Callable[..., Any]:
    """Return the rule that makes a call of an action; what it creates goes into a bundle."""

    def call(self: CloudMachine, data: Any) -> Any:
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        account = self.account(name)
        parameters = data.draw(requests(action, self.cloud, account), label=action)
        answer = self.call(name, action, **parameters)
        return None if target is None else multiple(*_new_ids(answer))

    call.__name__ = snake_name(action)
    call.__doc__ = f"Call {action}, with arguments that are mostly valid."
    made: Callable[..., Any] = (
        rule(data=st.data())(call) if target is None else rule(target=target, data=st.data())(call)
    )
    return made


def _new_ids(answer: dict[str, Any] | None) -> list[str]:
    for key, id_key in _NEW:
        found = (answer or {}).get(key)
        if found is not None:
            return [row[id_key] for row in (found if isinstance(found, list) else [found])]
    return []


class CloudMachine(RuleBasedStateMachine):
    """Accounts in Regions make calls, valid and invalid ones, while time passes and things fail.

    Each call is foretold by `why_not`; a refused one changes nothing; after each step the laws of what it touched hold,
    and at the end of each history all laws hold of the whole cloud.

    Class attributes to choose what takes part:
        accounts: the accounts, by name, and the Region of each.
        quotas: the quotas of accounts, by name.
        actions: the actions that are called, any of CORE; the rules of the others are left out.
        timings: how transients end, one of which each history has.
        switches: the switches of the cloud.
        faults: whether calls fail on order.
        travels: whether there are marks, rollbacks, forks and dumps.

    Attributes of a history: `cloud`, and `account(name)`. Bundles: `images`, `snapshots`, `volumes`, `vms`,
    `image_exports`, `snapshot_exports` hold the ids that calls have made, gone ones too.
    """

    accounts: ClassVar[Mapping[str, str]] = {"alice": "eu-west-2", "bob": "eu-west-2", "carol": "us-east-2"}
    quotas: ClassVar[Mapping[str, Mapping[str, int]]] = {
        "bob": {"image_export_limit": 1, "snapshot_export_limit": 1},
        "carol": {"vm_limit": 3, "volume_limit": 6, "snapshot_limit": 5},
    }
    actions: ClassVar[frozenset[str]] = frozenset(CORE)
    timings: ClassVar[tuple[str, ...]] = ("eager", "clock", "manual")
    switches: ClassVar[Mapping[str, str | int | bool]] = {}
    faults: ClassVar[bool] = True
    travels: ClassVar[bool] = True

    images: ClassVar[Bundle[str]] = Bundle("images")
    snapshots: ClassVar[Bundle[str]] = Bundle("snapshots")
    volumes: ClassVar[Bundle[str]] = Bundle("volumes")
    vms: ClassVar[Bundle[str]] = Bundle("vms")
    image_exports: ClassVar[Bundle[str]] = Bundle("image_exports")
    snapshot_exports: ClassVar[Bundle[str]] = Bundle("snapshot_exports")

    create_image = _calls("CreateImage", images)
    create_image_export_task = _calls("CreateImageExportTask", image_exports)
    create_snapshot = _calls("CreateSnapshot", snapshots)
    create_snapshot_export_task = _calls("CreateSnapshotExportTask", snapshot_exports)
    create_tags = _calls("CreateTags")
    create_vms = _calls("CreateVms", vms)
    create_volume = _calls("CreateVolume", volumes)
    delete_export_task = _calls("DeleteExportTask")
    delete_image = _calls("DeleteImage")
    delete_snapshot = _calls("DeleteSnapshot")
    delete_tags = _calls("DeleteTags")
    delete_vms = _calls("DeleteVms")
    delete_volume = _calls("DeleteVolume")
    link_volume = _calls("LinkVolume")
    reboot_vms = _calls("RebootVms")
    start_vms = _calls("StartVms")
    stop_vms = _calls("StopVms")
    unlink_volume = _calls("UnlinkVolume")
    update_image = _calls("UpdateImage")
    update_snapshot = _calls("UpdateSnapshot")
    update_vm = _calls("UpdateVm")
    update_volume = _calls("UpdateVolume")

    def __init_subclass__(cls) -> None:
        """Leave out the rules that a subclass has not chosen. Raises ValueError for what there is not."""
        super().__init_subclass__()
        for action in cls.actions:
            one_of_these("an action of a machine", action, CORE)
        if not cls.accounts:
            raise ValueError("a machine needs accounts: give it some, by name and Region")
        out = [snake_name(action) for action in CORE if action not in cls.actions and not action.startswith("Read")]
        out += [] if any(action.startswith("Read") for action in cls.actions) else ["read"]
        out += [] if cls.faults else ["order_a_fault", "order_a_failure"]
        out += [] if cls.travels else ["save", "roll_back", "fork", "dump_and_load"]
        for name in out:
            setattr(cls, name, None)

    # --- what a history begins with

    @initialize(data=st.data())
    def begin(self, data: Any) -> None:
        """Make the cloud and its accounts, and prepare them."""
        timing = data.draw(st.sampled_from(self.timings), label="timing")
        said = f"timing={timing!r}" + (f", switches={dict(self.switches)!r}" if self.switches else "")
        self._steps: list[Step | Did] = [Did(f"cloud = Cloud({said})")]
        self._marks: list[tuple[int, Mark, Cloud]] = []  # the step that each was made in, and a fork made there
        self._left: list[tuple[int, Cloud, dict[str, Any]]] = []  # clouds left behind in a fork, and their dumps
        self.cloud = Cloud(timing=timing, switches=self.switches)
        self._seen = 0
        for name, region in self.accounts.items():
            quotas = self.quotas.get(name)
            self.cloud.account(name, region=region, quotas=quotas)
            more = f", quotas={dict(quotas)!r}" if quotas else ""
            self._steps.append(Did(f"cloud.account({name!r}, region={region!r}{more})"))
        self.prepare()

    def prepare(self) -> None:
        """Give each account a VM that runs and one that does not, a shared OMI, a volume, a snapshot and a bucket.

        It runs once a history, before everything else. Override it, and not with `initialize`, to begin otherwise.
        """
        for name, region in self.accounts.items():
            self._furnish(name, region)

    def _furnish(self, name: str, region: str) -> None:
        account = self.account(name)
        self.do(f"bucket(cloud.account({name!r}), {name!r})", partial(bucket, account, name))
        if "CreateVolume" in self.actions:
            volume = self.call(name, "CreateVolume", SubregionName=f"{region}a", Size=10)
            self.settle()
            if volume and "CreateSnapshot" in self.actions:
                volume_id = volume["Volume"]["VolumeId"]
                text = f"cloud.write({volume_id!r}, '/motd', {name!r})"
                self.do(text, partial(self.cloud.write, volume_id, "/motd", name))
                self.call(name, "CreateSnapshot", VolumeId=volume_id)
        if "CreateVms" in self.actions:
            official = self.cloud.images.official("rhel", region).image_id
            disk = {"DeviceName": "/dev/sdb", "Bsu": {"VolumeSize": 5, "DeleteOnVmDeletion": False}}
            vms = self.call(name, "CreateVms", ImageId=official, BlockDeviceMappings=[disk])
            self.call(name, "CreateVms", ImageId=official, BootOnCreation=False)
            self.settle()
            if vms and "CreateImage" in self.actions:
                golden = {"VmId": vms["Vms"][0]["VmId"], "ImageName": "golden", "NoReboot": True}
                self._share(name, self.call(name, "CreateImage", **golden))

    def _share(self, name: str, made: dict[str, Any] | None) -> None:
        others = [other for other in self.accounts if other != name]
        if made and others and "UpdateImage" in self.actions:
            share = {"Additions": {"AccountIds": [self.account(others[0]).account_id]}}
            self.call(name, "UpdateImage", ImageId=made["Image"]["ImageId"], PermissionsToLaunch=share)

    # --- for rules of one's own

    def account(self, name: str) -> Account:
        """Return an account of the machine."""
        return self.cloud.account(name)

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call and hold it against the laws. Returns the answer; None when it was refused."""
        self._note_calls()
        account = self.account(name)
        self._steps.append(Step(name, action, parameters, ""))
        try:
            answer = laws.call(account, action, **parameters)
        except (ApiError, Dropped) as refused:
            self._steps[-1] = Step(name, action, parameters, str(refused).partition(": ")[0])
            answer = None
        finally:
            self._seen = self.cloud._session.call_position
        return answer

    def do(self, text: str, what: Callable[[], Any]) -> Any:
        """Do anything else to the cloud, hold it against the laws, and note it for the script as a line of Python."""
        self._note_calls()
        self._steps.append(Did(text))
        mark = self.cloud.mark()
        done = what()
        laws.check(self.cloud, since=mark)
        return done

    def _note_calls(self) -> None:
        """Note the calls that rules of a subclass have made by themselves, through whatever door."""
        new = self.cloud._session.call_position - self._seen
        for record in self.cloud._session.calls[-new:] if new else ():
            error = str(record.error).partition(": ")[0] if record.error else ""
            self._steps.append(Step(record.account, record.action, record.parameters, error))
        self._seen = self.cloud._session.call_position

    # --- reads

    @rule(data=st.data())
    def read(self, data: Any) -> None:
        """Call a read, with filters."""
        action = data.draw(st.sampled_from(sorted(name for name in self.actions if name.startswith("Read"))))
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        self.call(name, action, **data.draw(requests(action, self.cloud, self.account(name)), label=action))

    @rule(data=st.data(), text=st.sampled_from(["golden", "silver"]))
    def write(self, data: Any, text: str) -> None:
        """Write a file on a volume, as a guest does: what is made of it later has it, what was made before has not."""
        volumes = list(self.cloud._state.rows("volume"))[-4:]
        if volumes:
            volume = data.draw(st.sampled_from(volumes), label="volume")
            self.do(f"cloud.write({volume!r}, '/motd', {text!r})", lambda: self.cloud.write(volume, "/motd", text))

    # --- time and failures

    @rule(seconds=st.sampled_from([1, 30, 400, 4000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.do(f"cloud.advance({seconds})", lambda: self.cloud.advance(seconds))

    @rule()
    def settle(self) -> None:
        """Jump to the end of all that is under way."""
        self.do("cloud.settle()", self.cloud.settle)

    @rule(data=st.data(), fails=st.booleans())
    def end_by_hand(self, data: Any, fails: bool) -> None:
        """Complete what is under way, or let it fail where it can."""
        dues = [due for due in self.cloud._state.rows("due").values() if not due.timer]
        if fails:
            rows = ((due, self.cloud._state.get(due.kind, due.id)) for due in dues)
            dues = [due for due, row in rows if "fail" in LIFECYCLES[due.kind].moves[row.state]]
        if dues:
            row_id = data.draw(st.sampled_from([due.id for due in dues]), label="resource")
            end = self.cloud.fail if fails else self.cloud.complete
            self.do(f"cloud.{end.__name__}({row_id!r})", lambda: end(row_id))

    @rule(
        kind=st.sampled_from([kind for kind, lifecycle in LIFECYCLES.items() if lifecycle.failures and kind != "image"])
    )
    def order_a_failure(self, kind: str) -> None:
        """Let the next transition of a kind end in its failure."""
        self.do(f"cloud.fail_next({kind!r})", lambda: self.cloud.fail_next(kind))

    @rule(data=st.data(), how=st.sampled_from(sorted(FAULTS)))
    def order_a_fault(self, data: Any, how: str) -> None:
        """Let the next call of an action fail as the API fails, with or without effect."""
        action = data.draw(st.sampled_from(sorted(self.actions)), label="action")
        said = ", ".join(f"{name}={value!r}" for name, value in FAULTS[how].items())
        self.do(f"cloud.faults.add({action!r}, {said})", lambda: self.cloud.faults.add(action, **FAULTS[how]))

    # --- there and back

    @rule()
    def save(self) -> None:
        """Mark this point, to roll back to."""
        number = len(self._steps)
        text = f"mark_{number}, then_{number} = cloud.mark(), cloud.fork()"
        mark, then = self.do(text, lambda: (self.cloud.mark(), self.cloud.fork()))
        self._marks.append((number, mark, then))

    @rule(data=st.data())
    def roll_back(self, data: Any) -> None:
        """Go back to a mark: all is as it was there, and it can be gone back to again."""
        if self._marks:
            place = data.draw(st.integers(0, len(self._marks) - 1), label="mark")
            number, mark, then = self._marks[place]
            del self._marks[place + 1 :]
            self._steps.append(Did(f"cloud.rollback(mark_{number})\nassert cloud == then_{number}"))
            self.cloud.rollback(mark)
            self._same(then)

    @rule()
    def fork(self) -> None:
        """Go on in a fork; what is left behind must stay as it is."""
        number = len(self._steps)
        self._left.append((number, self.cloud, self.cloud.dump()))
        self._move(
            f"left_{number}, dump_{number} = cloud, cloud.dump()\ncloud = left_{number}.fork()", self.cloud.fork()
        )
        self._same(self._left[-1][1])

    @rule()
    def dump_and_load(self) -> None:
        """Go on with what a dump gives back."""
        then = self.cloud
        self._move("then = cloud\ncloud = Cloud.load(cloud.dump())\nassert cloud == then", Cloud.load(then.dump()))
        self._same(then)

    def _move(self, text: str, cloud: Cloud) -> None:
        self._note_calls()
        self._steps.append(Did(text))
        self.cloud, self._marks, self._seen = cloud, [], 0

    def _same(self, other: Cloud) -> None:
        assert self.cloud == other, f"it differs: {'; '.join(map(str, self.cloud.diff(other))) or 'in its history'}"

    # --- the end

    def teardown(self) -> None:
        """Hold the whole cloud against the laws; or, when the history has failed, tell it as a script."""
        failed = sys.exc_info()[1]
        if not hasattr(self, "cloud"):
            return
        try:
            if failed is None:
                self._close()
        except Exception as found:
            failed = found
            raise
        finally:
            if isinstance(failed, Exception) and not isinstance(failed, HypothesisException):
                self._note_calls()
                failed.add_note(self._told(failed))

    def _close(self) -> None:
        laws.check(self.cloud)
        for number, cloud, dumped in self._left:
            assert cloud.dump() == dumped, f"a fork has written to the cloud that it was made from, left at {number}"

    def _told(self, failed: Exception) -> str:
        said = failed.explain() if isinstance(failed, laws.Broken) else ""
        ends = [f"assert left_{number}.dump() == dump_{number}" for number, _, _ in self._left]
        text = script(f"{type(self).__name__}: {failed}", self._steps, ends)
        return f"\n# --- the same as a script\n{text}\n{said}"


assert set(CORE) <= set(ACTIONS)
