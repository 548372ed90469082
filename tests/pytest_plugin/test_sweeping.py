"""The marker `omisim_sweep`: a test runs once per way in which its cloud could have answered."""

from __future__ import annotations

import json
import re

import pytest
from support.plugged import run_plugin, run_plugin_isolated

pytest_plugins = ["pytester"]

ASYNCIO = ("-o", "asyncio_default_fixture_loop_scope=function")
LEAKY = """
    import pytest

    @pytest.mark.omisim_sweep(kinds=["lost", "killed"])
    def test_makes_a_volume(omi_cloud, omi_gateway):
        omi_gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)
        assert len(omi_cloud.calls("CreateVolume")) <= 2
"""


def join_output(result: pytest.RunResult) -> str:
    """Return the output of a run."""
    return result.stdout.str()


class TestSweep:
    def test_fails_a_test_with_the_report(self, pytester: pytest.Pytester) -> None:
        """The findings are the failure, each with what reproduces it; the timeline is that of the clean run."""
        result = run_plugin(pytester, LEAKY)
        result.assert_outcomes(failed=1)
        assert "sweep over 1 call: 3 runs" in join_output(result)
        assert "call 1, CreateVolume: the answer is lost (dropped connection): left something behind" in join_output(
            result
        )
        assert "cloud.faults.add('CreateVolume', drop=True, after_effect=True)" in join_output(result)
        assert "→ dropped" not in join_output(result)

    @pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest 9 has the fixture subtests")
    def test_judges_a_failing_subtest_as_a_failing_test(self, pytester: pytest.Pytester) -> None:
        """A subtest of the fixture `subtests` would swallow the exception by which a run is judged."""
        source = """
            import pytest

            @pytest.mark.omisim_sweep(kinds=["refused"])
            def test_reads(omi_account, subtests):
                with subtests.test("all of them"):
                    omi_account.read_volumes()
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "call 1, ReadVolumes is throttled (429): wrong result" in join_output(result)

    def test_has_the_options_of_a_set_of_parameters_before_those_of_the_function(
        self, pytester: pytest.Pytester
    ) -> None:
        """The marker of a `pytest.param` overrides that of the function."""
        source = """
            import pytest

            two = pytest.param(2, marks=pytest.mark.omisim_sweep(limit=2))

            @pytest.mark.omisim_sweep(limit=1)
            @pytest.mark.parametrize("limit", [1, two])
            def test_reads(omi_account, limit):
                omi_account.read_volumes()
        """
        result = run_plugin(pytester, source)
        assert "::test_reads[1]: 1 run" in join_output(result)
        assert "::test_reads[2]: 2 runs" in join_output(result)

    def test_passes_a_test_that_survives(self, pytester: pytest.Pytester) -> None:
        """The summary shows the number of worlds by outcome, and the open questions that a test rests on."""
        source = """
            import pytest
            from requests import HTTPError

            @pytest.mark.omisim_sweep(expected=())
            def test_reads(omi_gateway):
                omi_gateway.ReadVms()

            @pytest.mark.omisim_sweep(kinds=["switch"])
            def test_starts(omi_cloud, omi_gateway):
                source = omi_cloud.images.official("debian").image_id
                vm_id = omi_gateway.CreateVms(ImageId=source)["Vms"][0]["VmId"]
                with pytest.raises(HTTPError):
                    omi_gateway.StartVms(VmIds=[vm_id])
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(passed=2)
        assert re.search(r"::test_reads: \d runs: \d survived", join_output(result))
        assert "rests on an open question: with switch start_running is 'no-op'" in join_output(result)
        assert "evidence: measured in 2026: refused" in join_output(result)

    def test_fails_a_test_that_makes_no_call(self, pytester: pytest.Pytester) -> None:
        """A sweep of nothing would pass whatever the code does, so it fails with the likely reason. OOS calls count."""
        source = """
            import pytest

            @pytest.mark.omisim_sweep
            def test_rests(omi_cloud):
                pass

            @pytest.mark.omisim_sweep(kinds=["cut"])
            def test_lists(omi_oos):
                omi_oos.list_buckets()
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(passed=1, failed=1)
        assert "omisim_sweep tries nothing: the test makes no call of its cloud." in join_output(result)
        assert "::test_rests: 0 runs: none: the code makes no call" in join_output(result)

    def test_sets_the_fixtures_up_once(self, pytester: pytest.Pytester) -> None:
        """Each run starts in the cloud that the fixtures have made; the test's assertions count in each."""
        source = """
            import pytest

            made = []

            @pytest.fixture
            def volume(omi_cloud, omi_account):
                made.append(1)
                yield omi_account.create_volume(subregion_name="eu-west-2a", size=1).volume_id
                assert [call.action for call in omi_cloud.calls()] == ["CreateVolume", "DeleteVolume"]

            @pytest.mark.omisim_sweep(kinds=["refused", "delayed"], expected=())
            def test_deletes(omi_cloud, omi_gateway, volume):
                mark = omi_cloud.mark()
                omi_gateway.DeleteVolume(VolumeId=volume)
                assert made == [1]
                assert omi_cloud.calls("DeleteVolume", since=mark)
        """
        run_plugin(pytester, source).assert_outcomes(passed=1)

    def test_reaches_clients_of_the_code_under_test(self, pytester: pytest.Pytester) -> None:
        """Code that makes its own clients and sleeps; coroutines are swept by their own plugin."""
        source = """
            import asyncio
            import time
            import pytest
            from osc_sdk_python import Gateway

            pytestmark = [pytest.mark.usefixtures("omi_env"), pytest.mark.omisim_sweep(expected=())]

            @pytest.mark.parametrize("sleep", ["omi_sleep", "omi_env"])
            def test_sleeps(sleep, request):
                Gateway().ReadVms()
                time.sleep(5)
                Gateway().ReadVolumes()

            @pytest.mark.usefixtures("omi_sleep")
            @pytest.mark.asyncio
            async def test_awaits():
                await asyncio.sleep(5)
                Gateway().ReadVms()

            @pytest.mark.asyncio
            async def test_awaits_without_the_fixture():
                await asyncio.sleep(5)
                Gateway().ReadVms()
        """
        run_plugin(pytester, source, "-p", "pytest_asyncio.plugin", *ASYNCIO).assert_outcomes(passed=4)

    def test_of_code_with_state_is_told(self, pytester: pytest.Pytester) -> None:
        """A test whose second clean run differs fails with the difference."""
        source = """
            import pytest

            seen = []

            @pytest.mark.omisim_sweep()
            def test_once(omi_gateway):
                if not seen:
                    omi_gateway.ReadVms()
                seen.append(1)
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "only the first run calls ReadVms" in join_output(result)


class TestTestCase:
    def test_is_set_up_once(self, pytester: pytest.Pytester) -> None:
        """The method is swept between setUp and tearDown; its clean-ups are part of each run."""
        source = """
            import unittest
            import pytest
            from requests import HTTPError

            counts = {"setUp": 0, "method": 0, "cleanup": 0}

            @pytest.mark.omisim_sweep(kinds=["refused"], expected=())
            class TestVolumes(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def gateway(self, omi_gateway, omi_account):
                    self.gateway, self.account = omi_gateway, omi_account

                def setUp(self):
                    counts["setUp"] += 1
                    self.volume = self.account.create_volume(subregion_name="eu-west-2a", size=1).volume_id
                    self.addCleanup(lambda: self.assertEqual(len(self.account.read_volumes()), 0))

                def tearDown(self):
                    self.account.delete_volume(volume_id=self.volume)

                def clean(self, snapshot):
                    counts["cleanup"] += 1
                    self.account.delete_snapshot(snapshot_id=snapshot)

                def test_snapshot(self):
                    counts["method"] += 1
                    snapshot = self.gateway.CreateSnapshot(VolumeId=self.volume)["Snapshot"]["SnapshotId"]
                    self.addCleanup(self.clean, snapshot)

            def test_counts():
                assert counts == {"setUp": 1, "method": 4, "cleanup": 4}
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_fails_with_the_report(self, pytester: pytest.Pytester) -> None:
        """A finding fails the test, and a failing subtest is a wrong result."""
        source = """
            import unittest
            import pytest

            @pytest.mark.omisim_sweep(kinds=["cut"])
            class TestVolumes(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def gateway(self, omi_gateway, omi_account):
                    self.gateway = omi_gateway
                    for _ in range(2):
                        omi_account.create_volume(subregion_name="eu-west-2a", size=1)

                def test_reads(self):
                    volumes = self.gateway.ReadVolumes()["Volumes"]
                    with self.subTest("all of them"):
                        self.assertEqual(len(volumes), 2)
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "call 1, ReadVolumes returns 1 of its 2 results at first: wrong result" in join_output(result)
        assert "raises AssertionError: 1 != 2" in join_output(result)

    @pytest.mark.parametrize("declaration", ["class Tests(CloudTestCase)", "@with_cloud()\nclass Tests(TestCase)"])
    def test_has_the_cloud_of_omisim_unittest(self, pytester: pytest.Pytester, declaration: str) -> None:
        """A TestCase with a cloud of its own needs no fixture."""
        source = f"""
import pytest
from unittest import TestCase
from omisim.unittest import CloudTestCase, with_cloud

{declaration}:
    @pytest.mark.omisim_sweep(kinds=["lost"])
    def test_creates(self):
        self.cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
"""
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "sweep over 1 call: 2 runs" in join_output(result)


class TestJson:
    def test_has_the_report_of_each_test(self, pytester: pytest.Pytester) -> None:
        """`--omisim-sweep-json` writes every world, by test."""
        run_plugin(pytester, LEAKY, "--omisim-sweep-json", "sweeps.json")
        (name, report), *_ = json.loads((pytester.path / "sweeps.json").read_text())["tests"].items()
        assert name.endswith("::test_makes_a_volume")
        assert (report["calls"], len(report["worlds"]), len(report["findings"])) == (1, 3, 3)
        assert report["findings"][0]["script"].startswith("cloud.faults.add(")

    def test_counts_a_test_that_runs_again_once(self, pytester: pytest.Pytester) -> None:
        """pytest-rerunfailures reports each attempt of a failing test; the last one counts."""
        pytester.makeconftest("""
            from _pytest.runner import runtestprotocol

            def pytest_runtest_protocol(item, nextitem):
                for outcome in ("rerun", "failed"):
                    for report in runtestprotocol(item, log=False, nextitem=nextitem):
                        report.outcome = outcome if report.failed else report.outcome
                        item.ihook.pytest_runtest_logreport(report=report)
                return True

            def pytest_report_teststatus(report):
                return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
        """)
        run_plugin(pytester, LEAKY, "--omisim-sweep-json", "sweeps.json")
        (report,) = json.loads((pytester.path / "sweeps.json").read_text())["tests"].values()
        assert (len(report["worlds"]), len(report["findings"])) == (3, 3)

    def test_is_written_without_sweeps(self, pytester: pytest.Pytester) -> None:
        """A run without swept tests writes an empty report."""
        run_plugin(pytester, "def test_nothing(): pass", "--omisim-sweep-json", "sweeps.json")
        assert json.loads((pytester.path / "sweeps.json").read_text()) == {"tests": {}}

    @pytest.mark.parametrize("file", ["nowhere/sweeps.json", ".", ""])
    def test_is_refused_before_the_tests_if_it_cannot_be_written(self, pytester: pytest.Pytester, file: str) -> None:
        """A usage error names the option, instead of a traceback after all tests."""
        result = run_plugin(pytester, "def test_nothing(): pass", f"--omisim-sweep-json={file}")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        expected = "*--omisim-sweep-json must be the path of a file in a folder that exists, not *"
        result.stderr.fnmatch_lines([expected])


class TestWorkers:
    def test_share_the_worlds(self, pytester: pytest.Pytester) -> None:
        """With pytest-xdist, each worker runs a part of the worlds, and the report has all of them."""
        result = run_plugin_isolated(pytester, LEAKY, "-p", "xdist", "-n", "2", "--omisim-sweep-json", "sweeps.json")
        result.assert_outcomes(failed=2)
        (name, report), *others = json.loads((pytester.path / "sweeps.json").read_text())["tests"].items()
        assert not others
        assert name.endswith("::test_makes_a_volume")
        assert [world["deviations"][0]["call"] for world in report["worlds"]] == [1, 1, 1]
        assert report["outcomes"] == {"left something behind": 3}

    def test_that_run_every_test_are_counted_once(self, pytester: pytest.Pytester) -> None:
        """With `--dist each`, every worker runs all parts of the worlds, and the summary counts each world once."""
        result = run_plugin_isolated(pytester, LEAKY, "-p", "xdist", "-n", "2", "--dist", "each")
        result.assert_outcomes(failed=4)
        result.stdout.fnmatch_lines(["*::test_makes_a_volume: 3 runs: 3 left something behind"])


class TestMistakes:
    @pytest.mark.parametrize(
        ("marker", "error"),
        [
            ("limits=3", "has no argument 'limits'; did you mean limit?; known: holds, limit, depth"),
            ("3", "takes keyword arguments only, not 3"),
            ("limit=0", "limit must be a positive integer or None, not 0"),
            ("kinds=['lots']", "did you mean lost?"),
        ],
    )
    def test_of_a_marker_fail_the_collection(self, pytester: pytest.Pytester, marker: str, error: str) -> None:
        """A wrong argument is one line at collection."""
        source = f"""
            import pytest

            @pytest.mark.omisim_sweep({marker})
            def test_wrong(omi_cloud): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        assert "@pytest.mark.omisim_sweep: " in join_output(result)
        assert error in join_output(result)

    def test_a_sweep_needs_a_cloud(self, pytester: pytest.Pytester) -> None:
        """A test without a cloud fails with the reason."""
        source = """
            import pytest

            @pytest.mark.omisim_sweep()
            def test_without(): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "omisim_sweep needs a cloud: request omi_cloud" in join_output(result)

    def test_a_test_of_hypothesis_is_refused(self, pytester: pytest.Pytester) -> None:
        """A test with `@given` fails with the reason, even though it requests a cloud."""
        source = """
            import pytest
            from hypothesis import given, strategies as st
            from omisim.testing.forks import fork_each_example

            @pytest.mark.omisim_sweep()
            @given(number=st.integers())
            @fork_each_example
            def test_with_examples(omi_account, number): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "omisim_sweep cannot run a test with @given" in join_output(result)

    def test_a_coroutine_of_a_test_case_is_refused(self, pytester: pytest.Pytester) -> None:
        """Each coroutine of a TestCase runs in a loop that unittest keeps for it."""
        source = """
            import unittest
            import pytest

            @pytest.mark.omisim_sweep()
            @pytest.mark.usefixtures("omi_cloud")
            class TestOld(unittest.IsolatedAsyncioTestCase):
                async def test_case(self): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        assert "omisim_sweep cannot run a coroutine of a TestCase: use a test function" in join_output(result)
