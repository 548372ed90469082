"""`CloudMachine`: the model keeps its laws, a subclass tests its own code, a failing run is printed as a script."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from support.boto import launch
from support.machine_rules import list_rules
from support.planted_bugs import PLANTED
from support.storing import BUCKET, export_disk
from tools import planted

from omisim import ApiError, Cloud
from omisim.testing import laws
from omisim.testing.machine import CORE, CloudMachine
from omisim.testing.recorder import Recorder
from omisim.testing.script import ScriptCall, ScriptLine, bucket, render_script

FEW = settings(
    max_examples=10, stateful_step_count=10, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
TESTS = Path(__file__).parents[1]
# bugs that are found within a second or two: the rest is for tests/tools/planted.py
QUICK = ("a code is lost in a copy", "eager stops early", "shares cross Regions", "why_not is too lenient")

CloudMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 4 or 1, stateful_step_count=25, deadline=None
)
TestTheModel = CloudMachine.TestCase


# invalid class attributes, and the error for each
WRONG: list[tuple[dict[str, object], str]] = [
    (
        {"actions": frozenset({"CreateVolumes"})},
        "actions must be names of actions, not 'CreateVolumes'; did you mean CreateVolume",
    ),
    ({"actions": "CreateVolume"}, "actions must be a set of names of actions, not 'CreateVolume'"),
    ({"accounts": {}}, "accounts must be a mapping with at least one account, not {}"),
    ({"accounts": ["alice"]}, "accounts must be a mapping of names to Regions"),
    ({"accounts": {"alice": "mars-1"}}, "the Region of an account must be 'eu-west-2', .*, not 'mars-1'"),
    ({"accounts": {"": "eu-west-2"}}, "name must be a non-empty str"),
    ({"quotas": {"dora": {"vm_limit": 1}}}, "each key of quotas must be 'alice', 'bob' or 'carol', not 'dora'"),
    ({"quotas": {"alice": {"vms": 1}}}, "quota must be one of vm_limit, .*, not 'vms'"),
    ({"timings": ("fast",)}, "timing must be one of eager, clock, manual, reads, not 'fast'"),
    ({"timings": ("clock")}, "timings must be a tuple of at least one timing, not 'clock'"),
    ({"switches": {"default_page_sise": 3}}, "unknown switch 'default_page_sise'; did you mean default_page_size\\?"),
    ({"time_travel": "no"}, "time_travel must be True or False, not 'no'"),
    ({"first": initialize()(lambda _: None)}, "first must not use @initialize"),
    ({"timing": ("clock",)}, "unknown attribute 'timing'; did you mean 'timings'"),
    ({"switch": {}}, "unknown attribute 'switch'; did you mean 'switches'"),
    ({"travel": False}, "unknown attribute 'travel'; did you mean 'time_travel'"),
    ({"acounts": {"alice": "eu-west-2"}}, "unknown attribute 'acounts'; did you mean 'accounts'"),
]


def script_of(failure: BaseException) -> str:
    """Return the script in the note of a failure."""
    notes = (note.partition("# --- reproduction script\n") for note in failure.__notes__)
    return next(text for _, mark, text in notes if mark)


class TestMachineSubclass:
    def test_limits_the_rules_to_its_actions(self) -> None:
        """Only the rules of its actions and of time remain, and fewer without faults and time travel."""

        class Small(CloudMachine):
            actions = frozenset({"CreateVolume", "DeleteVolume", "ReadVolumes"})
            faults = time_travel = False

        names = list_rules(Small)
        assert names == {"create_volume", "delete_volume", "read", "write", "wait", "settle", "complete", "fail"}

    def test_determines_the_accounts_of_its_histories(self) -> None:
        """Its histories have its accounts in their Regions, and no others."""
        worlds = set()

        class Lonely(CloudMachine):
            accounts: ClassVar = {"dora": "cloudgouv-eu-west-1"}
            timings = ("clock",)

            @invariant()
            def look(self) -> None:
                worlds.add((self.account("dora").region, self.cloud.engine.settings.timing))

        run_state_machine_as_test(Lonely, settings=FEW)
        assert worlds == {("cloudgouv-eu-west-1", "clock")}

    def test_has_no_accounts_but_its_own(self) -> None:
        """A mistyped name of an account is refused with a suggestion; it would silently create another account."""

        class Mistyped(CloudMachine):
            @invariant()
            def look(self) -> None:
                self.account("alise")

        with pytest.raises(ValueError, match="unknown account 'alise'; did you mean alice"):
            run_state_machine_as_test(Mistyped, settings=FEW)

    @pytest.mark.parametrize("unchecked", [False, True])
    def test_makes_no_call_of_an_action_that_does_not_exist(self, unchecked: bool) -> None:
        """A mistyped action is an error of the rule; its refusal would look like one of the cloud."""

        class Mistyped(CloudMachine):
            @invariant()
            def create(self) -> None:
                make = self.call_unchecked if unchecked else self.call
                make("alice", "CreateVolum", Size=1)

        with pytest.raises(ValueError, match=r"unknown action 'CreateVolum'; did you mean CreateVolume\?"):
            run_state_machine_as_test(Mistyped, settings=FEW)

    def test_may_have_attributes_of_its_own(self) -> None:
        """A name that resembles a setting less than a misspelt one does is the subclass's own."""

        class Own(CloudMachine):
            account_ids = action_names = ()
            _accounts = 3

        assert Own.account_ids == ()

    @pytest.mark.parametrize(("values", "message"), WRONG)
    def test_with_an_unknown_attribute_is_refused(self, values: dict[str, object], message: str) -> None:
        """A mistake in a class attribute is a one-line error when the class is created."""
        with pytest.raises(ValueError, match=message) as failure:
            type("Wrong", (CloudMachine,), values)
        assert "\n" not in str(failure.value)

    def test_with_an_initialize_rule_of_a_mixin_is_refused(self) -> None:
        """An @initialize of another base class is refused too: it may run before there is a cloud."""

        class Part(RuleBasedStateMachine):
            @initialize()
            def first(self) -> None:
                """Do something."""

        with pytest.raises(ValueError, match="first must not use @initialize"):
            type("Wrong", (Part, CloudMachine), {})

    def test_may_be_subclassed_with_other_choices(self) -> None:
        """A subclass may add what its parent left out, and leave out what its parent had."""

        class Nets(CloudMachine):
            actions: ClassVar = ("CreateNet", "DeleteVolume")
            faults = time_travel = False

        class Volumes(Nets):
            actions = ("CreateVolume", "ReadVolumes")
            time_travel = True

        ours = {"write", "wait", "settle", "complete", "fail"}
        assert list_rules(Nets) - ours == {"create_net", "delete_volume"}
        assert list_rules(Volumes) - ours == {"create_volume", "read", "save", "roll_back", "fork", "dump_and_load"}

    def test_may_set_the_deprecated_alias_of_time_travel(self) -> None:
        """Setting `travels` warns and sets `time_travel`; a subclass inherits the value or sets `time_travel`."""
        with pytest.warns(DeprecationWarning, match="travels is deprecated; use time_travel"):

            class Old(CloudMachine):
                travels = False

        class Inherits(Old):
            pass

        class Overrides(Old):
            time_travel = True

        assert not {"save", "roll_back", "fork", "dump_and_load"} & (list_rules(Old) | list_rules(Inherits))
        assert "save" in list_rules(Overrides)
        assert (Old.time_travel, Inherits.travels, Overrides.travels) == (False, False, True)

    def test_keeps_its_own_rule_with_the_name_of_an_action(self) -> None:
        """A rule of the class, or of one between, stays although its name is that of an action left out."""

        class Mine(CloudMachine):
            actions = frozenset({"CreateVolume"})

            @rule(volume=CloudMachine.volumes)
            def delete_volume(self, volume: str) -> None:
                """Delete it in another way."""

        class Still(Mine):
            time_travel = False

        assert "delete_volume" in list_rules(Mine)
        assert "delete_volume" in list_rules(Still)

    def test_may_have_rules_with_code_of_its_own(self) -> None:
        """A rule draws ids that the machine has made; its calls are in the script, and its failure too."""

        class Mine(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            actions = frozenset({"CreateVolume"})
            timings = ("eager",)
            faults = time_travel = False

            @rule(volume=CloudMachine.volumes)
            def mine(self, volume: str) -> None:
                with suppress(ApiError):
                    self.account("alice").delete_volume(volume_id=volume)
                assert volume in {v.volume_id for v in self.account("alice").read_volumes()}, "my code has deleted it"

        with pytest.raises(AssertionError, match="my code has deleted it") as failure:
            run_state_machine_as_test(
                Mine, settings=settings(FEW, max_examples=300, stateful_step_count=25, derandomize=True)
            )
        text = script_of(failure.value)
        assert "cloud.account('alice').call('DeleteVolume', VolumeId='vol-" in text
        assert '"""Mine: AssertionError: my code has deleted it' in text

    def test_may_prepare_the_start_of_a_history(self) -> None:
        """A history begins with `prepare`."""

        class Bare(CloudMachine):
            def prepare(self) -> None:
                self.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=3)

            @invariant()
            def look(self) -> None:
                assert self.cloud.timeline(next(iter(self.cloud.engine.state.rows("volume"))))[0].after.size == 3

        run_state_machine_as_test(Bare, settings=settings(FEW, max_examples=3, stateful_step_count=1))

    def test_may_roll_back_to_the_start_of_a_history(self) -> None:
        """`do` checks the laws also after a rollback beyond the point where it has begun."""

        class Repeating(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            time_travel = False

            def prepare(self) -> None:
                start = self.do("start = cloud.mark()", self.cloud.mark)
                self.call("alice", "CreateVolume", SubregionName="eu-west-2a", Size=3)
                self.do("cloud.rollback(start)", lambda: self.cloud.rollback(start))
                assert not self.account("alice").read_volumes()

        run_state_machine_as_test(Repeating, settings=settings(FEW, max_examples=1, stateful_step_count=1))

    def test_has_a_rule_for_every_core_action(self) -> None:
        """Every action of the model has a rule."""
        names = list_rules(CloudMachine)
        assert len(CORE) == 37
        assert {"read", *(name for name in names if name.startswith(("create", "update", "delete")))} <= names


class TestFailingRun:
    def test_prints_a_script_that_breaks_the_same_law(self, tmp_path: Path) -> None:
        """The script of a history breaks the law where the bug is planted, and none without it."""
        name = "a code is lost in a copy"
        _, failure = planted.hunt(name, 0, length=8)
        assert isinstance(failure, laws.Broken)
        text = script_of(failure)
        assert f"{failure.rule}: " in text.split('"""')[1]
        path = tmp_path / "found.py"
        path.write_text(text)
        whole = subprocess.run([sys.executable, path], capture_output=True, text=True, check=False)
        assert (whole.returncode, whole.stderr) == (0, "")
        plant = f"import sys, pytest; sys.path.insert(0, {str(TESTS)!r}); from support.planted_bugs import PLANTED\n"
        plant += f"PLANTED[{name!r}][1](pytest.MonkeyPatch()); exec(open({str(path)!r}).read())"
        bad = subprocess.run([sys.executable, "-c", plant], capture_output=True, text=True, check=False)
        assert bad.returncode == 1
        assert f"breaks the law {failure.law} ({failure.rule})" in bad.stderr

    def test_prints_only_the_steps_that_the_failure_needs(self) -> None:
        """Steps and accounts that the failure does not need are left out, and ids are adapted."""
        _, failure = planted.hunt("a code is lost in a copy", 0, length=8)
        assert failure is not None
        text = script_of(failure)
        assert text.count("cloud.account(") <= 3  # it is made, launches, and makes an OMI; or copies an official one
        assert "bucket" not in text

    def test_prints_a_script_that_ends_with_an_uncaught_refusal(self) -> None:
        """A refused call of the user's own code that nothing catches fails the script as well."""

        class Mine(CloudMachine):
            actions = frozenset({"CreateVolume"})

            @invariant()
            def mine(self) -> None:
                self.account("alice").read_vms()
                self.account("alice").delete_volume(volume_id="vol-12345678")

        with pytest.raises(ApiError) as refusal:
            run_state_machine_as_test(Mine, settings=FEW)
        text = script_of(refusal.value)
        assert "ReadVms" not in text
        with pytest.raises(ApiError, match="VOL-020"):
            exec(text, {})

    def test_prints_the_waits_between_the_calls_of_the_code_under_test(self) -> None:
        """The script moves the clock as the code under test has: without it, other calls would be refused."""

        class Mine(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            actions = frozenset({"CreateVolume"})
            timings = ("clock",)

            @invariant()
            def mine(self) -> None:
                alice = self.account("alice")
                with self.cloud.sleeping():
                    snapshot = alice.create_snapshot(volume_id=self._create_volume())
                    time.sleep(1800)
                    alice.delete_snapshot(snapshot_id=snapshot.snapshot_id)
                    time.sleep(60)
                raise LookupError

            def _create_volume(self) -> str:
                volume = self.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
                time.sleep(2.5)
                time.sleep(2.5)
                return volume.volume_id

        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Mine, settings=FEW)
        text = script_of(failure.value)
        assert [line for line in text.splitlines() if "advance" in line] == [
            "cloud.advance(5)",
            "cloud.advance(1800)",
            "cloud.advance(60)",
        ]
        exec(text, {})

    @pytest.mark.parametrize("checks_laws_first", [True, False])
    def test_prints_the_script_of_a_failing_teardown(self, *, checks_laws_first: bool) -> None:
        """A check at the end of a history has its script, whether it comes before or after the laws."""

        class Mine(CloudMachine):
            accounts: ClassVar = {"alice": "eu-west-2"}
            starts_with: ClassVar = {"volume": 1}

            def teardown(self) -> None:
                if checks_laws_first:
                    super().teardown()
                if self.cloud.calls("CreateVolume"):
                    raise LookupError("a volume")
                super().teardown()

        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Mine, settings=FEW)
        text = script_of(failure.value)
        assert "call('CreateVolume'" in text
        assert len([note for note in failure.value.__notes__ if text in note]) == 1
        exec(text, {})

    def test_prints_a_lost_answer_as_a_call_that_may_fail(self) -> None:
        """A call whose answer a fault has dropped does not end the script."""

        class Mine(CloudMachine):
            actions = frozenset({"CreateVolume"})

            @invariant()
            def mine(self) -> None:
                self.do("cloud.faults.add('ReadVms', drop=True)", lambda: self.cloud.faults.add("ReadVms", drop=True))
                with suppress(ConnectionError):
                    self.account("alice").read_vms()
                raise LookupError

        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Mine, settings=FEW)
        text = script_of(failure.value)
        assert "with suppress(ApiError, Dropped):  # Dropped\n    cloud.account('alice').call('ReadVms')" in text
        exec(text, {})

    def test_prints_that_the_calls_alone_do_not_fail(self) -> None:
        """A failure that only the user's own code finds is not in the script, which says so, and runs."""

        class Mine(CloudMachine):
            actions = frozenset({"CreateVolume"})

            @invariant()
            def mine(self) -> None:
                self.do("cloud.account('alice').create_key()", lambda: self.account("alice").create_access_key())
                raise LookupError("my code\nand more of it")

        with pytest.raises(LookupError) as failure:
            run_state_machine_as_test(Mine, settings=FEW)
        text = script_of(failure.value)
        assert '"""Mine: LookupError: my code\n\nThe calls alone do not fail: ' in text
        assert text.count("create_key") == 1
        assert "CreateAccessKey" not in text  # the line stands for its calls

    @pytest.mark.parametrize("name", QUICK)
    def test_finds_typical_planted_bugs(self, name: str) -> None:
        """Typical bugs are found; `python tests/tools/planted.py` plants all of them."""
        _, failure = planted.hunt(name, 1)
        assert failure is not None

    def test_has_at_least_25_planted_bugs_to_find(self) -> None:
        """There are at least 25 planted bugs, those of moto and ricochet among them."""
        assert len(PLANTED) >= 25
        assert {name.partition(":")[0] for name in PLANTED if ":" in name} >= {"moto", "ricochet"}


class TestScript:
    def test_names_calls_of_fcu_that_the_api_lacks_in_comments(self) -> None:
        """A script makes its calls by the API: what only FCU can do is a comment, and the rest is repeated."""
        recorder = Recorder()
        recorder.start_cloud("eager", {"alice": "eu-west-2"}, buckets=False)
        fcu = recorder.account("alice").client("fcu")
        vm_id = launch(fcu, recorder.cloud.images.official("ubuntu"))["InstanceId"]
        allocation_id = fcu.allocate_address()["AllocationId"]
        fcu.associate_address(AllocationId=allocation_id, InstanceId=vm_id)
        fcu.release_address(AllocationId=allocation_id)
        vpc_id = fcu.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        fcu.modify_vpc_attribute(VpcId=vpc_id, EnableDnsHostnames={"Value": True})
        subnet_id = fcu.create_subnet(VpcId=vpc_id, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
        fcu.create_network_interface(SubnetId=subnet_id, SecondaryPrivateIpAddressCount=1)
        fcu.create_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "b"}])
        fcu.delete_tags(Resources=[vpc_id], Tags=[{"Key": "a", "Value": "b"}])
        fcu.delete_tags(Resources=[vpc_id])
        script = recorder.render()
        assert [line.partition(" of FCU with ")[0] for line in script.splitlines() if line.startswith("#")] == [
            "# alice: DeletePublicIp",
            "# alice: ModifyVpcAttribute",
            "# alice: CreateNic",
            "# alice: DeleteTags",
        ]
        exec(script, {"Cloud": Cloud})

    def test_has_the_signatures_of_urls(self) -> None:
        """A script repeats an import by the signed URL, which the call log redacts."""
        recorder = Recorder()
        recorder.start_cloud("eager", {BUCKET: "eu-west-2"})
        account = recorder.account(BUCKET)
        account.create_snapshot(file_location=export_disk(account), snapshot_size=2**30)
        script = recorder.render()
        assert "redacted" not in script
        exec(script, {"Cloud": Cloud, "bucket": bucket})

    def test_shows_refused_calls_with_their_refusal(self) -> None:
        """A refused call is written with its refusal; parameters that are not Python names go in a dict."""
        steps: list[ScriptCall | ScriptLine] = [
            ScriptLine("cloud = Cloud()"),
            ScriptCall("alice", "ReadVms", {"No name": 1}, "400 3001 InvalidParameter (REQ-008)"),
            ScriptCall("alice", "ReadRegions", {}, ""),
        ]
        text = render_script("said", steps)
        assert "with suppress(ApiError, Dropped):  # 400 3001 InvalidParameter (REQ-008)" in text
        assert "call('ReadVms', **{'No name': 1})" in text
        assert "    laws.call(cloud.account('alice'), 'ReadRegions')\nlaws.check(cloud)\n" in text
        exec(text, {})

    def test_finds_the_bucket_that_it_creates(self) -> None:
        """An export finds a bucket that a script creates."""
        cloud = Cloud()
        alice = cloud.account("alice")
        bucket(alice, "exports")
        snapshot = alice.create_snapshot(volume_id=alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id)
        export = {"disk_image_format": "raw", "osu_bucket": "exports"}
        alice.create_snapshot_export_task(snapshot_id=snapshot.snapshot_id, osu_export=export)
        assert alice.read_snapshot_export_tasks()[0].state == "completed"
