"""Coverage of the model: what is recorded, how it is evaluated and reported, and `pytest --omisim-coverage`."""

from __future__ import annotations

import json
from contextlib import suppress
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from support.plugged import run_plugin, run_plugin_isolated
from tools import exploration

from omisim import Account, ApiError, Cloud
from omisim.spec.lifecycle import LIFECYCLES
from omisim.testing.coverage import GROUPS, Coverage, list_all_items, needs, recording
from omisim.testing.coverage_report import describe_gaps, report
from omisim.testing.exploration import in_rounds, reach, run_round
from omisim.testing.machine import CORE
from omisim.testing.strategies import requests
from omisim.testing.vocabulary import DEEDS, NOUNS

pytest_plugins = ["pytester"]
SUBREGION = "eu-west-2a"


def volume(account: Account) -> str:
    """Make a volume, and return its id."""
    return account.create_volume(subregion_name=SUBREGION, size=1).volume_id


def items(coverage: Coverage) -> set[str]:
    """Return all that was exercised."""
    return {item for name in GROUPS for item in getattr(coverage, name)}


class TestRecording:
    def test_notes_actions_cells_and_transitions(self) -> None:
        """A successful call counts its action, the (state, action) cell and the transitions that it started."""
        with recording() as coverage:
            alice = Cloud().account("alice")
            alice.delete_volume(volume_id=volume(alice))
        assert coverage.actions == {"CreateVolume", "DeleteVolume"}
        assert coverage.cells == {"volume/DeleteVolume/available"}
        assert coverage.transitions == {"volume/ready/creating", "volume/delete/available", "volume/vanish/deleting"}

    def test_notes_refused_actions_and_their_rules(self, slow: Cloud) -> None:
        """A refused call counts its action, its rule, and the cell if a state was the reason."""
        alice = slow.account("alice")
        with recording() as coverage:
            for volume_id in ("vol-00000000", volume(alice)):
                with pytest.raises(ApiError):
                    alice.delete_volume(volume_id=volume_id)
        assert (coverage.refused, coverage.rules) == ({"DeleteVolume"}, {"VOL-020", "volume/DeleteVolume/creating"})
        assert coverage.cells == {"volume/DeleteVolume/creating"}

    def test_ignores_why_not_and_dry_runs(self, alice: Account) -> None:
        """`why_not`, and a dry run that would succeed, exercise nothing."""
        volume_id = volume(alice)
        with recording() as coverage:
            assert alice.can("DeleteVolume", VolumeId=volume_id)
            alice.call("DeleteVolume", VolumeId=volume_id, DryRun=True)
        assert coverage == Coverage()

    def test_counts_calls_that_a_savepoint_undoes(self, cloud: Cloud, alice: Account) -> None:
        """Calls in a savepoint count although they are undone."""
        with recording() as coverage, cloud.savepoint():
            volume(alice)
        assert coverage.transitions == {"volume/ready/creating"}

    def test_covers_every_cloud_of_the_process(self, cloud: Cloud, alice: Account) -> None:
        """Forks, loaded and new clouds, other threads and requests over HTTP are recorded."""
        volume_id = volume(alice)
        with recording() as coverage:
            cloud.fork().account("alice").update_volume(volume_id=volume_id, size=2)
            Cloud.load(cloud.dump()).account("alice").create_snapshot(volume_id=volume_id)
            worker = Thread(target=alice.delete_volume, kwargs={"volume_id": volume_id})
            worker.start()
            worker.join()
            with Cloud(auth="off").serve() as server:
                server.cloud.account("bob")
                urlopen(Request(f"{server.url}/api/v1/ReadVms", b""), timeout=60).close()
        assert coverage.actions == {"UpdateVolume", "CreateSnapshot", "DeleteVolume", "ReadVms"}

    def test_stops_at_the_end_of_its_context(self, alice: Account) -> None:
        """After its context nothing is recorded; an outer recording has what an inner one recorded."""
        with recording() as outer, recording() as inner:
            volume(alice)
        volume_id = volume(alice)
        alice.delete_volume(volume_id=volume_id)
        assert inner.actions == outer.actions == {"CreateVolume"}


class TestNeeds:
    @given(st.data())
    def test_are_empty_for_what_an_eager_cloud_does(self, data: Any) -> None:
        """Without durations and failures, only items that need neither are exercised."""
        with recording() as coverage:
            cloud = Cloud()
            accounts = [cloud.account("alice"), cloud.account("bob")]
            volume(accounts[0])
            for _ in range(10):
                account = data.draw(st.sampled_from(accounts))
                action = data.draw(st.sampled_from(CORE))
                parameters = data.draw(requests(action, cloud, account))
                exports = "ExportTask" in action  # there is no bucket, so an export would fail
                if not exports and account.can(action, **parameters):
                    account.call(action, **parameters)
        assert {needs(name, item) for name in ("cells", "transitions") for item in getattr(coverage, name)} <= {""}

    def test_name_what_an_item_takes_to_be_exercised(self) -> None:
        """A lasting state needs a clock, a failure a fault, an open question its switch, HTTP a request."""
        assert needs("cells", "image/CreateVms/pending") == "timing clock or manual"
        assert needs("transitions", "snapshot/fail/pending") == "cloud.fail or cloud.fail_next"
        assert needs("transitions", "vm/expire/terminated") == "cloud.advance"
        assert needs("rules", "LIC-014") == "switch strict_windows"
        assert needs("rules", "AUTH-006/signature") == "a request over HTTP"
        assert needs("rules", "SNP-016") == ""

    def test_are_known_for_every_item(self) -> None:
        """Each item of the coverage has an answer, even if it is empty."""
        assert all(isinstance(needs(name, item), str) for name in GROUPS for item in getattr(list_all_items(), name))


class TestCoverage:
    def test_of_every_item_is_100_percent(self) -> None:
        """Nothing is missing when everything was exercised, and everything is when nothing was."""
        assert (list_all_items().percent, items(list_all_items().missing)) == (100, set())
        assert (Coverage().percent, Coverage().missing) == (0, list_all_items())

    def test_of_two_processes_is_merged(self) -> None:
        """Two processes together have exercised what either has."""
        one, other = Coverage(actions={"CreateVms"}), Coverage(actions={"ReadVms"}, refused={"CreateVms"})
        one.merge(other)
        assert one == Coverage(actions={"CreateVms", "ReadVms"}, refused={"CreateVms"})

    def test_ignores_unknown_actions_and_rules(self) -> None:
        """A misspelt action and the rule of a single cell add nothing to the count."""
        coverage = Coverage(actions={"CreateVmz"}, rules={"vm/StartVms/running"})
        assert coverage.percent == 0

    def test_survives_a_round_trip_through_json(self) -> None:
        """`to_json` returns plain data, and `from_json` the same coverage again."""
        coverage = Coverage(actions={"ReadVms"}, rules={"OMI-022"}, cells={"image/CreateVms/pending"})
        data = json.loads(json.dumps(coverage.to_json()))
        assert Coverage.from_json(data) == coverage
        assert data["counts"]["rules"] == {"seen": 1, "of": len(list_all_items().rules)}
        assert data["missing"]["rules"]["QTA-001"] == "quotas"

    @pytest.mark.parametrize("data", [{}, {"seen": {}}, {"seen": []}, {"seen": {"actions": 1}}])
    def test_cannot_be_read_from_other_json(self, data: Any) -> None:
        """Data that is not a coverage is a ValueError."""
        with pytest.raises(ValueError, match=r"must be the result of Coverage\.to_json"):
            Coverage.from_json(data)


class TestReport:
    def test_describes_each_missing_item_in_a_sentence(self) -> None:
        """A missing cell, transition or rule is a sentence about the model."""
        sentences = list(describe_gaps(list_all_items()))
        assert "no test launches from a pending OMI [timing clock or manual]" in sentences
        assert "no test sees a pending OMI become failed (fail) [cloud.fail or cloud.fail_next]" in sentences
        assert "no test makes a volume from a completed snapshot" in sentences
        assert "no test breaks SNP-016: A snapshot that an OMI uses cannot be deleted." in sentences

    def test_has_words_for_every_kind_and_action(self) -> None:
        """Each kind has a noun, and each action on it a verb."""
        assert set(NOUNS) >= set(LIFECYCLES)
        assert set(DEEDS) == {(kind, action) for kind, table in LIFECYCLES.items() for action in table.refused}

    def test_is_about_the_actions_that_were_called(self) -> None:
        """Actions that were never called share the last lines, which are short, and `limit` limits the rest."""
        text = report(Coverage(actions={"DeleteImage"}, refused={"DeleteSnapshot"}), limit=3)
        assert "no test calls DeleteSnapshot with success" in text
        assert "no test deletes an available OMI" in text
        names = text.partition("Never called:\n")[2]
        assert "CreateVms" in names
        assert max(map(len, names.splitlines())) <= 100
        assert "launches" not in text
        assert "more" in text

    def test_lists_everything_without_a_limit(self) -> None:
        """Without a limit each missing item is listed, whether its action was called or not."""
        assert len(report(Coverage(), limit=None).splitlines()) > len(list(describe_gaps(list_all_items())))


class Volumes(RuleBasedStateMachine):
    """Makes a volume and deletes it, at once or later."""

    actions = frozenset({"CreateVolume", "DeleteVolume"})

    @initialize()
    def begin(self) -> None:
        """Make a cloud."""
        self.cloud = Cloud(timing="clock")
        self.volume_id = volume(self.cloud.account("alice"))

    @rule()
    def delete(self) -> None:
        """Delete the volume, whatever its state."""
        with suppress(ApiError):
            self.cloud.account("alice").delete_volume(volume_id=self.volume_id)

    @rule()
    def wait(self) -> None:
        """Let time pass."""
        self.cloud.settle()


class TestExploration:
    def test_lists_what_a_machine_reached_and_left_out(self) -> None:
        """The report compares what the histories exercised with what the actions of the machine can reach."""
        quick = settings(max_examples=20, stateful_step_count=6, derandomize=True, database=None)
        coverage = run_round(Volumes, quick)
        assert {f"volume/DeleteVolume/{state}" for state in ("creating", "available", "deleting")} <= coverage.cells
        left_out = reach({"DeleteVolume"}).without(coverage)
        assert left_out.cells == {"volume/DeleteVolume/in-use", "volume/DeleteVolume/error"}
        assert "no history sees an in-use volume become available (unlink)" in list(
            describe_gaps(left_out, "no history")
        )

    def test_repeats_its_histories_for_the_same_seed(self) -> None:
        """The same first seed gives the same number of the same histories, and the machine is not changed."""
        numbers: list[int] = []

        class Drawing(RuleBasedStateMachine):
            @rule(number=st.integers(0, 10**6))
            def draw(self, number: int) -> None:
                numbers.append(number)

        few = settings(max_examples=25, stateful_step_count=1, phases=(Phase.generate,))
        for first in (0, 0, 100):
            in_rounds(Drawing, few, first)
        assert len(numbers) == 3 * 25
        assert numbers[:25] == numbers[25:50] != numbers[50:]
        assert not [name for name in vars(Drawing) if "seed" in name]

    @pytest.mark.parametrize(("profile", "status"), [("ci", 0), ("deep", 1)])
    def test_fails_only_under_the_profile_deep(
        self, profile: str, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """`exploration.py` lists what a machine left out, and fails for it under the profile `deep` alone."""
        monkeypatch.setenv("HYPOTHESIS_PROFILE", profile)
        assert exploration.main(f"{__name__}:Volumes") == status
        assert "no history deletes an in-use volume" in capsys.readouterr().out

    def test_expects_only_what_calls_can_reach(self) -> None:
        """Items that need HTTP, a switch, a capacity or another action are not expected."""
        core = reach({"CreateVms", "UpdateImage"})
        assert core.actions == {"CreateVms", "UpdateImage"}
        assert {"QTA-001", "VM-005", "LIC-014", "AUTH-006"} & core.rules <= {"QTA-001"}
        assert "image/CreateVms/failed" in core.cells
        assert not [cell for cell in core.cells if "CreateVolume" in cell]

    def test_refuses_a_mistyped_action(self) -> None:
        """An action that does not exist could reach nothing, so everything would seem to be reached."""
        with pytest.raises(
            ValueError, match="actions must be names of actions, not 'CreateVm'; did you mean CreateVms"
        ):
            reach({"CreateVm"})


PLAIN = """
    import pytest
    from omisim import ApiError, Cloud

    def test_one(omi_account):
        volume = omi_account.create_volume(subregion_name="eu-west-2a", size=1)
        omi_account.delete_volume(volume_id=volume.volume_id)

    def test_other(omi_account):
        other = Cloud(timing="clock").fork()
        alice = other.account("alice")
        with pytest.raises(ApiError):
            alice.delete_volume(volume_id=alice.create_volume(subregion_name="eu-west-2a", size=1).volume_id)
        omi_account.call("ReadVms")
"""


class TestPytestOption:
    def test_reports_the_coverage_of_a_session(self, pytester: pytest.Pytester) -> None:
        """`--omisim-coverage` ends the session with the counts and the items that were never tried."""
        result = run_plugin(pytester, PLAIN, "--omisim-coverage")
        result.assert_outcomes(passed=2)
        result.stdout.fnmatch_lines(
            [
                "*omisim coverage*",
                f"*3 of {len(list_all_items().actions)} *actions*",
                "*no test deletes an in-use volume",
            ]
        )

    def test_merges_the_coverage_of_xdist_workers(self, pytester: pytest.Pytester) -> None:
        """Two workers reach the same coverage as one process."""
        enough = ("--omisim-coverage-fail-under", "0.5", "--omisim-coverage-json", "seen.json")
        data = []
        for run, workers in ((run_plugin, ()), (run_plugin_isolated, ("-p", "xdist.plugin", "-n", "2"))):
            result = run(pytester, PLAIN, *workers, *enough)
            result.assert_outcomes(passed=2)
            assert result.ret == pytest.ExitCode.OK
            data.append(json.loads((pytester.path / "seen.json").read_text()))
        assert data[0] == data[1]
        coverage = Coverage.from_json(data[0])
        assert coverage.actions == {"CreateVolume", "DeleteVolume", "ReadVms"}
        assert coverage.cells == {"volume/DeleteVolume/available", "volume/DeleteVolume/creating"}

    def test_fails_a_session_below_the_threshold(self, pytester: pytest.Pytester) -> None:
        """`--omisim-coverage-fail-under` fails a session whose tests passed and exercised less."""
        result = run_plugin(pytester, PLAIN, "--omisim-coverage-fail-under", "99")
        result.assert_outcomes(passed=2)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["FAIL omisim coverage of * % is under 99 %"])

    @pytest.mark.parametrize("percentage", ["nan", "-1", "101"])
    def test_refuses_a_threshold_that_is_no_percentage(self, pytester: pytest.Pytester, percentage: str) -> None:
        """Every coverage would be above a negative threshold and above `nan`, and none above 101."""
        result = run_plugin(pytester, PLAIN, f"--omisim-coverage-fail-under={percentage}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: *-under must be a percentage from 0 to 100, not {percentage}"])

    def test_refuses_a_file_that_cannot_be_written(self, pytester: pytest.Pytester) -> None:
        """A file in a missing directory is a usage error at the start of the session."""
        result = run_plugin(pytester, PLAIN, "--omisim-coverage-json", "nowhere/seen.json")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["*--omisim-coverage-json must be the path of a file in a folder that exists, not *nowhere*"]
        )

    @pytest.mark.parametrize("option", ["--omisim-coverage-json", "--omisim-sweep-json"])
    def test_names_a_file_that_cannot_be_written_after_the_tests(self, pytester: pytest.Pytester, option: str) -> None:
        """If its folder vanishes, one line has the option, the file and the reason, and the outcomes are shown."""
        pytester.mkdir("gone")
        vanish = "def test_removes_it(): __import__('pathlib').Path('gone').rmdir()"
        result = run_plugin(pytester, vanish, option, "gone/a.json")
        result.assert_outcomes(passed=1)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        file = pytester.path / "gone" / "a.json"
        result.stdout.fnmatch_lines([f"*! {option} {file}: No such file or directory !*"])
        assert result.stderr.lines == []
        result.stdout.no_fnmatch_line("Full coverage written*")

    def test_names_each_file_that_cannot_be_written(self, pytester: pytest.Pytester) -> None:
        """Two files have two reasons. The exit status of failing tests stays."""
        pytester.mkdir("gone")
        vanish = "def test_removes_it(): assert __import__('pathlib').Path('gone').rmdir()"
        files = ("--omisim-coverage-json=gone/a.json", "--omisim-sweep-json=gone/b.json")
        result = run_plugin(pytester, vanish, *files)
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["*! --omisim-coverage-json */a.json: *; --omisim-sweep-json */b.json: * !*"])

    def test_imports_nothing_when_it_is_not_given(self, pytester: pytest.Pytester) -> None:
        """Without the option nothing is imported and nothing is recorded."""
        source = """
            import sys
            from omisim.engine.engine import Engine

            def test_unheard():
                assert Engine.observer is None
                assert not [name for name in sys.modules if name.startswith("omisim.testing")]
        """
        run_plugin_isolated(pytester, source).assert_outcomes(passed=1)
