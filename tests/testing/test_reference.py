"""Run the simulator and an independent model of the rules in lockstep."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import reference
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from reference import ACTIONS, Answer, Reference
from reference.call import get_rank, get_status
from reference.shapes import find_problems
from reference.states import FAILED
from support.lockstep import Lockstep

from omisim.model.serialize import snake_name
from omisim.state.settings import Timing
from omisim.testing.laws.disks import usage_stays_within_quotas
from omisim.testing.strategies import requests

QUOTAS = {
    "concurrent_snapshot_limit": 3,
    "core_limit": 12,
    "memory_limit": 40,
    "snapshot_export_limit": 1,
    "snapshot_limit": 7,
    "volume_limit": 6,
    "volume_size_limit": 90,
    "vm_limit": 3,
}
# prefixes of the resources that have tags and are not modelled
UNKNOWN = ("dopt-", "eipalloc-", "eipassoc-", "eni-", "igw-", "key-", "rtb", "sg-", "subnet-", "vol-update-", "vpc-")
# calls of these have many variants, so they are drawn twice as often
MANIFOLD = ("CreateImage", "CreateSnapshot", "CreateVms", "CreateVolume", "UpdateImage", "UpdateVm")
SOME = st.lists(st.sampled_from(sorted(QUOTAS)), max_size=3, unique=True)


def is_modelled(action: str, parameters: dict[str, Any]) -> bool:
    """Return whether the reference models a request: it has no paging, and neither networks nor tags of them."""
    if any(f"'{prefix}" in str(parameters.get("ResourceIds")) for prefix in UNKNOWN):
        return False
    try:
        list(find_problems(action, parameters))
    except ValueError:
        return False
    return True


class Agreement(RuleBasedStateMachine):
    """Three accounts in two Regions call both models; transients are completed, advanced by time, or fail."""

    @initialize(timing=st.sampled_from(["eager", "clock", "manual"]), quotas=SOME)
    def start(self, timing: Timing, quotas: list[str]) -> None:
        """Create both, with resources in each account."""
        self.lockstep = Lockstep(timing, {name: QUOTAS[name] for name in quotas})
        self.lockstep.populate()

    @precondition(lambda self: self.lockstep.reference.list_moving())
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """Complete a step of a transient resource."""
        self.lockstep.step(data.draw(st.sampled_from(self.lockstep.reference.list_moving())))

    @precondition(lambda self: self.lockstep.reference.list_moving())
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        """Make a transient resource fail, if it can."""
        self.lockstep.fail(data.draw(st.sampled_from(self.lockstep.reference.list_moving())))

    @rule(seconds=st.sampled_from([30, 400, 4000, 700_000]))
    def wait(self, seconds: int) -> None:
        """Advance the time."""
        self.lockstep.advance(seconds)

    @rule()
    def wait_for_the_next(self) -> None:
        """A transient ends at its due time, and not a second before."""
        self.lockstep.advance_to_next()

    @rule(letter=st.sampled_from("ab"), room=st.integers(0, 3))
    def shrink(self, letter: str, room: int) -> None:
        """Set the capacity of a Subregion to a few VMs."""
        self.lockstep.cloud.set_capacity(f"eu-west-2{letter}", room)
        self.lockstep.reference.set_capacity(f"eu-west-2{letter}", room)

    @invariant()
    def reads_are_equal(self) -> None:
        """Each account reads the same resources, states and permissions on both."""
        self.lockstep.compare_reads()

    @invariant()
    def usage_stays_within_quotas(self) -> None:
        """No account uses more than its quotas allow, where both models may lack the same check. [QTA-019]"""
        engine = self.lockstep.cloud.engine
        for account in engine.state.rows("account").values():
            assert usage_stays_within_quotas(engine, account) is None


def make_call_rule(action: str) -> Callable[..., None]:
    """Return a rule that calls an action on both, and compares the answers or refusals."""

    def call(self: Agreement, data: Any) -> None:
        account = data.draw(st.sampled_from(self.lockstep.accounts))
        parameters = data.draw(requests(action, self.lockstep.cloud, account), label=action)
        if is_modelled(action, parameters):
            self.lockstep.call(account, action, parameters)

    call.__name__ = snake_name(action)
    return rule(data=st.data())(call)


for _action in ACTIONS:
    setattr(Agreement, snake_name(_action), make_call_rule(_action))
for _action in MANIFOLD:
    setattr(Agreement, f"{snake_name(_action)}_again", make_call_rule(_action))
Agreement.TestCase.settings = settings(
    max_examples=settings().max_examples // 4 or 1, stateful_step_count=25, deadline=None
)
TestAgreement = Agreement.TestCase


class TestReferenceModel:
    def test_imports_only_the_standard_library(self) -> None:
        """The reference model imports the standard library and itself."""
        for source in Path(str(reference.__file__)).parent.glob("*.py"):
            for node in ast.walk(ast.parse(source.read_text())):
                names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                for name in names:
                    ours = name.startswith("reference")
                    assert ours or name.split(".")[0] in sys.stdlib_module_names, (source.name, name)

    def test_answers_a_call_with_status_and_facts(self) -> None:
        """A successful call is answered with status 200 and its facts, in the API's spelling."""
        model = Reference(timing="manual")
        model.add_account("alice")
        answer = model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=10, VolumeType="gp2")
        volume = answer.body["Volume"]
        assert (answer.status, answer.code) == (200, "")
        assert (volume["State"], volume["Iops"], volume["LinkedVolumes"]) == ("creating", 100, [])
        model.complete(volume["VolumeId"])
        assert model.call("alice", "ReadVolumes").body["Volumes"][0]["State"] == "available"

    def test_ends_transient_states_when_they_are_due(self) -> None:
        """In timing `clock` each transient state ends at its own time. [UNK-24, ST-VOL-2]"""
        model = Reference(timing="clock")
        model.add_account("alice")
        model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=1)
        states = []
        for seconds in (0, 4, 1):
            model.advance(seconds)
            states.append(model.call("alice", "ReadVolumes").body["Volumes"][0]["State"])
        assert states == ["creating", "creating", "available"]

    def test_distinguishes_the_ids_of_exports_and_snapshots(self) -> None:
        """The id of a snapshot export begins like that of a snapshot, and is not one. [TAG-005/task, ID-016]"""
        model = Reference()
        model.add_account("alice")
        tags = [{"Key": "env", "Value": "test"}]
        codes = [
            model.call("alice", "CreateTags", ResourceIds=[one], Tags=tags).code
            for one in ("snap-export-12345678", "snap-12345678", "snap-export-1")
        ]
        assert codes == ["5058", "5054", "4105"]

    def test_refuses_a_call_with_the_first_failing_check(self) -> None:
        """A refusal has the status and code of the first class of checks that fails; its ties are equally correct.

        [REQ-014]
        """
        model = Reference()
        model.add_account("alice")
        answer = model.call("alice", "CreateVolume", SubregionName="mars", Size=0, VolumeType="io1", Iops=50)
        assert answer == Answer(400, "4078", ties=("4029", "4202"))
        assert model.call("alice", "CreateVolume", Size=0) == Answer(400, "7000")
        assert model.call("alice", "ReadVolumes").body == {"Volumes": []}

    def test_refuses_what_it_does_not_model(self) -> None:
        """The model raises an error for everything that it does not model."""
        model = Reference()
        model.add_account("alice")
        for action, parameters, words in (
            ("CreateNet", {}, "CreateNet"),
            ("ReadVolumes", {"ResultsPerPage": 5}, "paging"),
        ):
            with pytest.raises(ValueError, match=words):
                model.call("alice", action, **parameters)
        with pytest.raises(ValueError, match="bob"):
            model.call("bob", "ReadVolumes")
        with pytest.raises(ValueError, match="already exists"):
            model.add_account("alice")
        with pytest.raises(ValueError, match="mars-1"):
            model.add_account("carol", region="mars-1")
        with pytest.raises(ValueError, match="sometimes"):
            Reference(timing="sometimes")
        with pytest.raises(ValueError, match="no transition in progress"):
            model.complete("vol-00000000")

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (lambda model: model.add_account(""), "name must be a non-empty str, not ''"),
            (
                lambda model: model.add_account("bob", account_id="000000000001"),
                "an account with the id '000000000001' already exists",
            ),
            (lambda model: model.add_account("bob", quotas=["vm_limit"]), "quotas must be a dict of names to numbers"),
            (
                lambda model: model.add_account("bob", quotas={"vms": 1}),
                "quotas must be some of .*, not 'vms'",
            ),
            (
                lambda model: model.add_account("bob", quotas={"vm_limit": "1"}),
                "quota vm_limit must be an int of at least 0",
            ),
            (lambda model: model.advance(-1), "seconds must be a non-negative number, not -1"),
            (
                lambda model: model.set_capacity("eu-west-2z", 1),
                "subregion must be a Region and a letter, .* not 'eu-west-2z'",
            ),
            (lambda model: model.set_capacity("eu-west-2a", -1), "capacity must be an int of at least 0, not -1"),
        ],
    )
    def test_refuses_a_wrong_argument_in_one_line(self, wrong: Callable[[Reference], object], message: str) -> None:
        """An invalid argument raises a one-line error at once."""
        model = Reference()
        model.add_account("alice")
        with pytest.raises(ValueError, match=message) as error:
            wrong(model)
        assert "\n" not in str(error.value)

    def test_orders_every_error_code(self) -> None:
        """Every code has its place among the checks, and its HTTP status. [REQ-014]"""
        codes = ["3001", "4110", "7003", "3002", "4105", "4125", "5064", "5", "9029", "10018", "10001"]
        assert [get_rank(code) for code in codes] == list(range(len(codes)))
        assert [get_status(code) for code in ("5", "4105", "6003", "9029", "10001")] == [401, 400, 409, 409, 400]

    def test_fails_only_what_has_a_failure_state(self) -> None:
        """A resource without a failure state cannot be made to fail."""
        model = Reference(timing="manual")
        model.add_account("alice")
        volume = model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=1).body["Volume"]["VolumeId"]
        model.complete(volume)
        model.call("alice", "DeleteVolume", VolumeId=volume)
        with pytest.raises(ValueError, match=f"{volume} is deleting and cannot fail"):
            model.fail(volume)
        assert "deleting" not in FAILED["Volume"]
