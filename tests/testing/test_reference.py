"""The simulator and a model of the rules that shares no line with it, in lockstep."""

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
from reference.call import rank, status
from reference.shapes import problems
from reference.states import FAILED
from support.lockstep import Lockstep

from omisim.model.serialize import snake_name
from omisim.state.settings import Timing
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
# prefixes of what has tags, and is not modelled
UNKNOWN = ("dopt-", "eipalloc-", "eipassoc-", "eni-", "igw-", "key-", "rtb", "sg-", "subnet-", "vol-update-", "vpc-")
# much can be said in calls of these: they come twice as often
MANIFOLD = ("CreateImage", "CreateSnapshot", "CreateVms", "CreateVolume", "UpdateImage", "UpdateVm")
SOME = st.lists(st.sampled_from(sorted(QUOTAS)), max_size=3, unique=True)


def is_modelled(action: str, parameters: dict[str, Any]) -> bool:
    """Whether the reference knows what a request is about: no paging, no networks, no tags of these and of keypairs."""
    if any(f"'{prefix}" in str(parameters.get("ResourceIds")) for prefix in UNKNOWN):
        return False
    try:
        list(problems(action, parameters))
    except ValueError:
        return False
    return True


class Agreement(RuleBasedStateMachine):
    """Three accounts in two Regions call both; what is under way is moved by hand or by time, or fails."""

    @initialize(timing=st.sampled_from(["eager", "clock", "manual"]), quotas=SOME)
    def start(self, timing: Timing, quotas: list[str]) -> None:
        """Make both, with something for each account."""
        self.both = Lockstep(timing, {name: QUOTAS[name] for name in quotas})
        self.both.begin()

    @precondition(lambda self: self.both.reference.moving())
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """Move what is under way a step."""
        self.both.step(data.draw(st.sampled_from(self.both.reference.moving())))

    @precondition(lambda self: self.both.reference.moving())
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        """Let what is under way fail, if it can."""
        self.both.fail(data.draw(st.sampled_from(self.both.reference.moving())))

    @rule(seconds=st.sampled_from([30, 400, 4000, 700_000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.both.advance(seconds)

    @rule()
    def wait_for_the_next(self) -> None:
        """What ends by itself does so at its time, and not a second before."""
        self.both.to_the_next()

    @rule(letter=st.sampled_from("ab"), room=st.integers(0, 3))
    def shrink(self, letter: str, room: int) -> None:
        """Leave a Subregion room for a few VMs."""
        self.both.cloud.set_capacity(f"eu-west-2{letter}", room)
        self.both.reference.capacity(f"eu-west-2{letter}", room)

    @invariant()
    def everybody_sees_the_same(self) -> None:
        """What each account reads is the same on both: what there is, in which state, shared with whom."""
        self.both.look()


def calling(action: str) -> Callable[..., None]:
    """Return the rule that calls an action on both: the same answer, or the same refusal."""

    def call(self: Agreement, data: Any) -> None:
        account = data.draw(st.sampled_from(self.both.accounts))
        parameters = data.draw(requests(action, self.both.cloud, account), label=action)
        if is_modelled(action, parameters):
            self.both.call(account, action, parameters)

    call.__name__ = snake_name(action)
    return rule(data=st.data())(call)


for _action in ACTIONS:
    setattr(Agreement, snake_name(_action), calling(_action))
for _action in MANIFOLD:
    setattr(Agreement, f"{snake_name(_action)}_again", calling(_action))
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
        model.account("alice")
        answer = model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=10, VolumeType="gp2")
        volume = answer.body["Volume"]
        assert (answer.status, answer.code) == (200, "")
        assert (volume["State"], volume["Iops"], volume["LinkedVolumes"]) == ("creating", 100, [])
        model.complete(volume["VolumeId"])
        assert model.call("alice", "ReadVolumes").body["Volumes"][0]["State"] == "available"

    def test_ends_transient_states_when_they_are_due(self) -> None:
        """In timing `clock` each transient state ends at its own time. [UNK-24, ST-VOL-2]"""
        model = Reference(timing="clock")
        model.account("alice")
        model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=1)
        seen = []
        for seconds in (0, 4, 1):
            model.advance(seconds)
            seen.append(model.call("alice", "ReadVolumes").body["Volumes"][0]["State"])
        assert seen == ["creating", "creating", "available"]

    def test_distinguishes_the_ids_of_exports_and_snapshots(self) -> None:
        """The id of a snapshot export begins like that of a snapshot, and is not one. [TAG-005/task, ID-016]"""
        model = Reference()
        model.account("alice")
        tags = [{"Key": "env", "Value": "test"}]
        told = [
            model.call("alice", "CreateTags", ResourceIds=[one], Tags=tags).code
            for one in ("snap-export-12345678", "snap-12345678", "snap-export-1")
        ]
        assert told == ["5058", "5054", "4105"]

    def test_refuses_a_call_with_the_first_failing_check(self) -> None:
        """A refusal has the status and code of the first class of checks that fails; its ties are as right.

        [REQ-014]
        """
        model = Reference()
        model.account("alice")
        refused = model.call("alice", "CreateVolume", SubregionName="mars", Size=0, VolumeType="io1", Iops=50)
        assert refused == Answer(400, "4078", ties=("4029", "4047"))
        assert model.call("alice", "CreateVolume", Size=0) == Answer(400, "7000")
        assert model.call("alice", "ReadVolumes").body == {"Volumes": []}

    def test_refuses_what_it_does_not_model(self) -> None:
        """The model does not guess: it raises an error for what it does not model."""
        model = Reference()
        model.account("alice")
        for action, parameters, words in (
            ("CreateNet", {}, "CreateNet"),
            ("ReadVolumes", {"ResultsPerPage": 5}, "paging"),
        ):
            with pytest.raises(ValueError, match=words):
                model.call("alice", action, **parameters)
        with pytest.raises(ValueError, match="bob"):
            model.call("bob", "ReadVolumes")
        with pytest.raises(ValueError, match="there is an account"):
            model.account("alice")
        with pytest.raises(ValueError, match="mars-1"):
            model.account("carol", region="mars-1")
        with pytest.raises(ValueError, match="sometimes"):
            Reference(timing="sometimes")
        with pytest.raises(ValueError, match="under way"):
            model.complete("vol-00000000")

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            (lambda model: model.account(""), "an account needs a name, not ''"),
            (lambda model: model.account("bob", account_id="000000000001"), "there is an account with the id"),
            (lambda model: model.account("bob", quotas=["vm_limit"]), "quotas are numbers by name"),
            (
                lambda model: model.account("bob", quotas={"vms": 1}),
                "the quota 'vms' is not modelled: use one of",
            ),
            (lambda model: model.account("bob", quotas={"vm_limit": "1"}), "the quota vm_limit is a number from 0 up"),
            (lambda model: model.advance(-1), "time passes by a number of seconds from 0 up, not -1"),
            (lambda model: model.capacity("eu-west-2z", 1), "there is no Subregion 'eu-west-2z'"),
            (lambda model: model.capacity("eu-west-2a", -1), "a capacity is a number from 0 up, not -1"),
        ],
    )
    def test_refuses_a_wrong_argument_in_one_line(self, wrong: Callable[[Reference], object], said: str) -> None:
        """A wrong argument is a one-line error, at once."""
        model = Reference()
        model.account("alice")
        with pytest.raises(ValueError, match=said) as told:
            wrong(model)
        assert "\n" not in str(told.value)

    def test_orders_every_error_code(self) -> None:
        """Every code has its place among the checks, and its HTTP status. [REQ-014]"""
        codes = ["3001", "4110", "7003", "3002", "4105", "4125", "5064", "5", "9029", "10018", "10001"]
        assert [rank(code) for code in codes] == list(range(len(codes)))
        assert [status(code) for code in ("5", "4105", "6003", "9029", "10001")] == [401, 400, 409, 409, 400]

    def test_fails_only_what_has_a_failure_state(self) -> None:
        """A resource without a failure state cannot be made to fail."""
        model = Reference(timing="manual")
        model.account("alice")
        volume = model.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=1).body["Volume"]["VolumeId"]
        model.complete(volume)
        model.call("alice", "DeleteVolume", VolumeId=volume)
        with pytest.raises(ValueError, match=f"{volume} cannot fail: it is deleting"):
            model.fail(volume)
        assert "deleting" not in FAILED["Volume"]
