"""`CloudMachine`: a Hypothesis state machine that generates random cloud histories and checks the laws after each step.

Subclass it to test your own code: choose the accounts and actions, add rules that call your code, and add invariants.
Needs the extra `omisim[hypothesis]`.

    from hypothesis import settings
    from hypothesis.stateful import rule
    from omisim.testing.machine import CloudMachine

    class MyMachine(CloudMachine):
        accounts = {"alice": "eu-west-2", "bob": "eu-west-2"}
        actions = frozenset({"CreateVms", "CreateImage", "DeleteImage", "UpdateImage"})

        @rule(image=CloudMachine.images)
        def rotate(self, image):
            my_code.rotate(self.account("alice").gateway(), image)

    TestMyCode = MyMachine.TestCase
    TestMyCode.settings = settings(TestMyCode.settings, max_examples=50)

On failure, the shrunk history is printed as a Python script, with the broken law and its rule.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

try:
    from hypothesis import strategies as st
    from hypothesis.stateful import Bundle, multiple, precondition, rule
except ImportError as _error:
    raise ImportError("omisim.testing.machine needs Hypothesis: pip install 'omisim[hypothesis]'") from _error

from omisim.actions.framework.registry import ACTIONS
from omisim.base.hosts import DEFAULT_REGION
from omisim.cloud.cloud import Cloud
from omisim.model.serialize import snake_name
from omisim.spec.catalog import QuotaName
from omisim.state.settings import Timing
from omisim.testing.beginning import BUNDLES, Beginning
from omisim.testing.choices import check_choices
from omisim.testing.core_actions import CORE
from omisim.testing.empty_accounts import count_rules
from omisim.testing.strategies.api_requests import kinds, requests
from omisim.testing.strategies.request_builder import list_rows

if TYPE_CHECKING:
    from omisim.state.switch_types import Switches

__all__ = ["CORE", "CloudMachine"]

# where an answer holds new resources: the key of one resource or a list, and the key of the id
_NEW_IDS = (
    ("Image", "ImageId"), ("Snapshot", "SnapshotId"), ("Volume", "VolumeId"), ("Vms", "VmId"),
    ("ImageExportTask", "TaskId"), ("SnapshotExportTask", "TaskId"),
)  # fmt: skip


@cache
def _make_call_rule(action: str, target: Bundle[str] | None = None) -> Callable[..., Any]:
    """Return the rule that calls an action and adds the ids of new resources to a bundle; cached, one per action."""

    def call(self: CloudMachine, data: Any) -> Any:
        able_accounts = self._list_owners(kinds(action, required=False))
        name = data.draw(st.sampled_from([*able_accounts, *able_accounts, *self.accounts]), label="account")
        parameters = data.draw(requests(action, self.cloud, self.account(name)), label=action)
        answer = self.call(name, action, **parameters)
        return None if target is None else multiple(*_get_new_ids(answer))

    call.__name__ = snake_name(action)
    call.__doc__ = f"Call {action} with mostly valid arguments, once an account owns the resources that it requires."
    call_rule = rule(data=st.data())(call) if target is None else rule(target=target, data=st.data())(call)
    return precondition(lambda self: self._list_owners(kinds(action, required=True)))(call_rule)


def _get_new_ids(answer: dict[str, Any] | None) -> list[str]:
    for key, id_key in _NEW_IDS:
        created = (answer or {}).get(key)
        if created is not None:
            return [row[id_key] for row in (created if isinstance(created, list) else [created])]
    return []


class CloudMachine(Beginning):
    """Accounts in several Regions make valid and invalid calls while time passes and operations fail.

    `why_not` must predict each call, and a refused call must change nothing. After each step the laws about the changed
    rows must hold; at the end of a history all laws must hold for the whole cloud.

    Class attributes that configure a machine:
        accounts: the Region of each account, by account name.
        quotas: the quotas of accounts, by account name.
        actions: the actions to call, any that omisim serves; by default those of CORE. A rule that a subclass defines
            is kept, even if it has the name of another action.
        starts_with: the resources that each account begins with, for example `{"image": 3}`: at most so many, usually
            as many; or the name of a scenario. By default some volumes, snapshots, VMs and OMIs.
        timings: the timings of the cloud; each history draws one.
        switches: the switches of the cloud.
        platform: whether the platform does more than serve calls and let time pass; False leaves out faults, failures
            and time travel, whatever `faults` and `time_travel` are.
        faults: whether histories inject faults and failures.
        time_travel: whether histories use marks, rollbacks, forks and dumps.
        travels: deprecated alias of `time_travel`.
        shrink_seconds: the longest time to shrink a failure, by `TestCase` and `in_rounds`.

    Attributes of a history: `cloud`, and `account(name)`. The bundles `images`, `snapshots`, `volumes`, `vms`,
    `image_exports` and `snapshot_exports` hold the ids of the resources that a history begins with and of those that
    calls have created, including deleted ones.
    """

    accounts: ClassVar[Mapping[str, str]] = {"alice": DEFAULT_REGION, "bob": DEFAULT_REGION, "carol": "us-east-2"}
    quotas: ClassVar[Mapping[str, Mapping[QuotaName, int]]] = {
        "bob": {"image_export_limit": 1, "snapshot_export_limit": 1},
        "carol": {"vm_limit": 3, "volume_limit": 6, "snapshot_limit": 5},
    }
    actions: ClassVar[Collection[str]] = frozenset(CORE)
    timings: ClassVar[tuple[Timing, ...]] = ("eager", "clock", "manual")
    switches: ClassVar[Switches] = {}
    faults: ClassVar[bool] = True
    starts_with: ClassVar[str | Mapping[str, int]] = {}
    platform: ClassVar[bool] = True
    shrink_seconds: ClassVar[float] = 20
    time_travel: ClassVar[bool] = True
    travels: ClassVar[bool] = True  # deprecated alias of time_travel

    images: ClassVar[Bundle[str]] = BUNDLES["image"]
    snapshots: ClassVar[Bundle[str]] = BUNDLES["snapshot"]
    volumes: ClassVar[Bundle[str]] = BUNDLES["volume"]
    vms: ClassVar[Bundle[str]] = BUNDLES["vm"]
    image_exports: ClassVar[Bundle[str]] = BUNDLES["image_export"]
    snapshot_exports: ClassVar[Bundle[str]] = BUNDLES["snapshot_export"]

    create_image: Final = _make_call_rule("CreateImage", images)
    create_image_export_task: Final = _make_call_rule("CreateImageExportTask", image_exports)
    create_snapshot: Final = _make_call_rule("CreateSnapshot", snapshots)
    create_snapshot_export_task: Final = _make_call_rule("CreateSnapshotExportTask", snapshot_exports)
    create_vms: Final = _make_call_rule("CreateVms", vms)
    create_volume: Final = _make_call_rule("CreateVolume", volumes)

    def __init_subclass__(cls) -> None:
        """Remove the rules that the subclass does not select. Raises ValueError for an invalid class attribute."""
        super().__init_subclass__()
        cls._resolve_travels()
        cls._resolve_scenario()
        check_choices(cls)
        count_rules(cls)
        calls = {snake_name(action): action for action in ACTIONS if not action.startswith("Read")}
        selected = {name: action in cls.actions for name, action in calls.items()}
        selected["read"] = any(action.startswith("Read") for action in cls.actions)
        faults, time_travel = cls.faults and cls.platform, cls.time_travel and cls.platform
        selected |= {"order_a_fault": faults and bool(cls.actions), "order_a_failure": faults, "fail": cls.platform}
        selected |= dict.fromkeys(("save", "roll_back", "fork", "dump_and_load"), time_travel)
        for name, is_selected in selected.items():
            current_rule = getattr(cls, name, None)
            if current_rule is not None or is_selected:
                default_rule = getattr(CloudMachine, name, None) or _make_call_rule(calls[name])
                if current_rule is None or current_rule is default_rule:  # a subclass's own rule stays
                    setattr(cls, name, default_rule if is_selected else None)

    @classmethod
    def _resolve_scenario(cls) -> None:
        """Take the accounts of the scenario in `starts_with`, unless the machine chooses its own."""
        if isinstance(cls.starts_with, str) and "starts_with" in vars(cls):
            cloud = Cloud.from_scenario(cls.starts_with)
            if cls.accounts is CloudMachine.accounts:
                cls.accounts = {name: cloud.account(name).region for name in cloud.accounts}
            if cls.quotas is CloudMachine.quotas:
                cls.quotas = {}

    @classmethod
    def _resolve_travels(cls) -> None:
        """Apply the deprecated alias `travels` if it is set closer to this class than `time_travel`."""
        attributes = next(vars(part) for part in cls.__mro__ if {"travels", "time_travel"} & vars(part).keys())
        if "time_travel" not in attributes:
            warnings.warn("travels is deprecated; use time_travel", DeprecationWarning, stacklevel=3)
            cls.time_travel = attributes["travels"]
        cls.travels = cls.time_travel
        cls.time_travel = cls.travels  # both on each class: a subclass compares what it sets itself

    # --- calls

    def _list_owners(self, required_kinds: tuple[str, ...]) -> list[str]:
        """Return the accounts that own at least one resource of each kind."""
        owners = [{row.account_id for row in list_rows(self.cloud, kind)} for kind in required_kinds]
        return [name for name in self.accounts if all(self.account(name).account_id in ids for ids in owners)]

    @rule(data=st.data())
    def read(self, data: Any) -> None:
        """Call a read with filters."""
        action = data.draw(st.sampled_from(sorted(name for name in self.actions if name.startswith("Read"))))
        name = data.draw(st.sampled_from(list(self.accounts)), label="account")
        self.call(name, action, **data.draw(requests(action, self.cloud, self.account(name)), label=action))


for _action in CORE:
    if not _action.startswith("Read") and not hasattr(CloudMachine, snake_name(_action)):
        setattr(CloudMachine, snake_name(_action), _make_call_rule(_action))
assert set(CORE) <= set(ACTIONS)
