"""Statements that must never become true, in a model check."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.checking import SMALL, list_called_methods, make_volume_step

from omisim import ApiError
from omisim.tools.check import CheckWorld, check
from omisim.tools.check.canonical import Canonical
from omisim.tools.check.command import write_script
from omisim.tools.cli import main
from omisim.tools.scenario import list_shipped

KEYLESS = """
[accounts]
alice = {}

[[steps]]
do = "oos.create_bucket"
Bucket = "mine"

[[steps]]
do = "CreateImage"
as = "golden"
SourceImageId = "{official/ubuntu}"
SourceRegionName = "eu-west-2"
ImageName = "golden"

[[steps]]
do = "CreateImageExportTask"
ImageId = "{golden}"
OsuExport = { OsuBucket = "mine", DiskImageFormat = "qcow2" }

[[steps]]
do = "DeleteAccessKey"
AccessKeyId = "S10JRGUKPKZHUE2KHX3D"
"""
TWINS = """
[accounts]
alice = {}
"b-c" = {}
account_2 = {}

[[steps]]
do = "CreateVolume"
as = "plain"
SubregionName = "eu-west-2a"
Size = 7
files = { "/motd" = "plain" }

[[steps]]
do = "CreateVolume"
as = "secret"
SubregionName = "eu-west-2a"
Size = 7
files = { "/motd" = "secret" }

[[steps]]
do = "CreateSnapshot"
as = "plain_cut"
VolumeId = "{plain}"

[[steps]]
do = "CreateSnapshot"
as = "secret_cut"
VolumeId = "{secret}"
"""
FROM_COPY = "v.size == 7 and v.snapshot_id not in (None, plain_cut, secret_cut)"
PLAIN = "any(vm.image_id == golden for vm in mallory.read_vms())"


class TestStatements:
    """`--scenario` and `--never`: the shortest history after which a statement of the user's is true."""

    def test_are_answered_by_a_shortest_script(self, capsys: pytest.CaptureFixture[str]) -> None:
        """That mallory launches golden takes a grant and a launch; the script runs up to its assertion. [OMI-080]"""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "3", "--never", PLAIN]
        assert main(["check", *arguments]) == 1
        script = capsys.readouterr().out.partition("\n\n")[2].strip()
        assert [line.partition("(")[0] for line in script.splitlines()[-3:]] == [
            *("alice.update_image", "mallory.create_vms", "assert not "),
        ]
        with pytest.raises(AssertionError):
            exec(script, {})
        exec(script.rpartition("\n")[0], {})

    def test_that_never_come_true_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An account of another Region cannot launch a shared OMI within one call. [OMI-082]"""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "1"]
        statement = PLAIN.replace("mallory", "carol")
        assert main(["check", *arguments, "--never", statement, "--never", "OMI-022"]) == 0
        assert f"Never within 1 call: {statement}\nNever within 1 call: OMI-022\n" in capsys.readouterr().out

    def test_can_be_true_at_the_beginning(self) -> None:
        """Bob can launch the OMI that is shared with him: no call is needed."""
        result = check(SMALL, 1, scenario="shared-image", never=["bob.can('CreateVms', ImageId=golden)"])
        assert result.violation is not None
        assert result.violation.path == ()

    def test_can_be_a_rule(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The first call that a rule refuses is the last line of the script. [SNP-016]"""
        assert main(["check", "--regions", "1", "--images", "1", "--depth", "3", "--never", "SNP-016", "--json"]) == 1
        violation = json.loads(capsys.readouterr().out)["violation"]
        assert (violation["statement"], violation["calls"]) == ("SNP-016", 2)
        with pytest.raises(ApiError, match="SNP-016"):
            exec(violation["script"], {})

    def test_can_be_an_illegal_cell(self) -> None:
        """The id of a cell of a lifecycle is a rule, too."""
        result = check(SMALL, 3, never=["vm/StartVms/running"])
        assert list_called_methods(result) == ["create_vms", "complete", "start_vms"]

    def test_leave_no_trace_in_the_call_log(self) -> None:
        """A statement sees the calls of the history, and its own, but none of an earlier evaluation."""
        assert check(SMALL, 1, never=["[alice.read_vms(), len(cloud.calls('ReadVms'))][1] > 1"]).violation is None

    def test_have_the_same_answer_with_two_workers(self) -> None:
        """The history does not depend on how the work is shared."""
        question: Any = {"scenario": "shared-image", "never": ["len(bob.read_volumes()) == 1"]}
        assert check(SMALL, 1, workers=2, **question) == check(SMALL, 1, **question)

    @pytest.mark.parametrize(
        ("statement", "message"),
        [
            ("bob launches golden", "must be the id of a rule or a Python expression, for example 'any("),
            ("", "must be the id of a rule or a Python expression"),
            ("x = 1", "must be the id of a rule or a Python expression"),
            ("(" * 500, "must be the id of a rule or a Python expression"),
            ("a\0b", "must be the id of a rule or a Python expression"),
            ("False and goldn", "unknown name 'goldn'; did you mean golden?"),
            ("OMI-02", "unknown rule; did you mean OMI-"),
            ("omi-022", "unknown rule; did you mean OMI-022?"),
            ("OMI-123", "this rule refuses nothing"),
            ("vm/StartVms/runing", "unknown rule; did you mean vm/StartVms/running?"),
            ("bob.read_vms()[0]", "raises IndexError: tuple index out of range (at the beginning)"),
            ("exit()", "raises SystemExit"),
            ("len(bob.read_vms()) and 1 / 0", "raises ZeroDivisionError: division by zero (after bob.create_vms("),
            ("alice.create_volume(subregion_name='eu-west-2a', size=1)", "changes the cloud; it must only read it"),
            ("cloud.advance(1)", "changes the cloud; it must only read it"),
            ("cloud.reset()", "changes the cloud; it must only read it"),
            ("cloud.allow_unknown_images()", "changes the cloud; it must only read it"),
            ("cloud.durations.update({'vm.pending': 1})", "changes the cloud; it must only read it"),
            ("cloud.fail_next('snapshot')", "changes the cloud; it must only read it"),
            ("cloud.faults.add('ReadVms')", "changes the cloud; it must only read it"),
        ],
    )
    def test_that_are_wrong_are_refused_in_one_line(
        self, capsys: pytest.CaptureFixture[str], statement: str, message: str
    ) -> None:
        """A statement that is neither an expression nor a rule, or cannot be evaluated, is one line and status 2."""
        arguments = ["--scenario", "shared-image", "--images", "1", "--depth", "1", "--json", "--never", statement]
        assert main(["check", *arguments]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--scenario", "shared-imag"], "unknown scenario 'shared-imag'; did you mean shared-image?"),
            (["--scenario", "/nowhere.toml"], "/nowhere.toml: No such file or directory"),
            (["--scenario", "shared-image", "--accounts", "2"], "--accounts has no effect beside --scenario"),
        ],
    )
    def test_of_wrong_scenarios_are_refused(
        self, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
    ) -> None:
        """An unknown scenario, and a number of accounts beside one, are one line and status 2."""
        assert main(["check", *arguments]) == 2
        assert message in capsys.readouterr().err

    def test_distinguish_the_accounts_and_resources_of_the_beginning(self) -> None:
        """With a scenario, a call of alice and the same call of bob lead to different states."""
        world = CheckWorld(SMALL, "shared-image")
        state, accounts = world.cloud.engine.state, list(world.accounts.values())
        hashes = {}
        for named in (False, True):
            canonical = Canonical(state.fork(), accounts, named=named)
            for caller in ("alice", "bob"):
                with world.cloud.savepoint():
                    world.take(make_volume_step(caller))
                    hashes[named, caller] = canonical.hash_state(state)
        assert hashes[False, "alice"] == hashes[False, "bob"]
        assert hashes[True, "alice"] != hashes[True, "bob"]

    @pytest.mark.parametrize(
        "fact", ["cloud.read(v.volume_id, '/motd') == 'secret'", "secret in str(cloud.lineage(v.volume_id))"]
    )
    def test_distinguish_disks_by_their_files_and_origins(self, tmp_path: Path, fact: str) -> None:
        """A volume of a copy of one snapshot differs from a volume of a copy of its twin."""
        scenario = tmp_path / "twins.toml"
        scenario.write_text(TWINS)
        result = check(
            SMALL, 2, scenario=str(scenario), never=[f"any({FROM_COPY} and {fact} for v in alice.read_volumes())"]
        )
        assert list_called_methods(result) == ["create_snapshot", "create_volume"]

    @pytest.mark.parametrize("scenario", list_shipped())
    def test_begin_with_any_scenario(self, scenario: str) -> None:
        """Every shipped scenario can be checked: also one with a running VM, whose disk is linked to it."""
        result = check(SMALL, 1, scenario=scenario)
        assert result.violation is None
        assert result.states > 1

    def test_begin_with_an_exported_omi_whose_owner_has_no_key(self, tmp_path: Path) -> None:
        """Without an access key, no URL of the manifest can be signed, and none is imported."""
        scenario = tmp_path / "keyless.toml"
        scenario.write_text(KEYLESS)
        result = check(SMALL, 1, scenario=str(scenario))
        assert result.violation is None
        assert result.states > 1

    def test_leave_out_the_faults_of_the_scenario(self) -> None:
        """A fault of the scenario fails neither a read of a statement, nor a call of the script of a violation."""
        result = check(SMALL, 1, scenario="throttled", never=["any(i.state == 'pending' for i in alice.read_images())"])
        assert result.violation is not None
        assert list_called_methods(result) == ["create_image"]
        with pytest.raises(AssertionError):
            exec(write_script(result.violation, SMALL, "throttled"), {})

    def test_name_accounts_whose_names_are_no_variables(self, tmp_path: Path) -> None:
        """An account with another name is a numbered variable of the statement and of the script."""
        scenario = tmp_path / "x.toml"
        scenario.write_text('[accounts]\n"a-1" = {}\ncloud = {}\nbob = {}\nmark = {}\n')
        world = CheckWorld(SMALL, str(scenario))
        assert list(world.accounts) == ["account_1", "account_2", "bob", "account_4"]
        result = check(SMALL, 1, scenario=str(scenario), never=["len(account_2.read_volumes()) == 1"])
        assert result.violation is not None
        script = write_script(result.violation, SMALL, str(scenario))
        assert "account_2 = cloud.account('cloud')\n" in script
        with pytest.raises(AssertionError):
            exec(script, {})

    def test_name_each_account_by_a_variable_of_its_own(self, tmp_path: Path) -> None:
        """A numbered variable does not take the name of another account."""
        scenario = tmp_path / "twins.toml"
        scenario.write_text(TWINS)
        world = CheckWorld(SMALL, str(scenario))
        names = {variable: account.name for variable, account in world.accounts.items()}
        assert names == {"alice": "alice", "account_2_": "b-c", "account_2": "account_2"}
