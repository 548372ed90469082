"""A failing test explains itself: what happened in its cloud, the rules broken, what has become different."""

from __future__ import annotations

import re

import pytest
from support.plugged import run_plugin, run_plugin_isolated

from omisim import Cloud
from omisim.plugin import pytest_assertrepr_compare as compared

pytest_plugins = ["pytester"]

PIPELINE = """
    import time
    import pytest

    @pytest.fixture
    def golden(omi_account, omi_cloud, omi_sleep):
        vm = omi_account.create_vms(image_id=omi_cloud.images.official("debian").image_id)[0]
        while omi_account.read_vms()[0].state != "running":
            time.sleep(1)
        return omi_account.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)

    def test_passes(golden): pass

    def test_fails(golden, omi_account, omi_cloud):
        omi_cloud.settle()
        omi_account.delete_image(image_id=golden.image_id)
        omi_account.create_volume(subregion_name="eu-west-2a", size=1)
        omi_account.delete_image(image_id=golden.image_id)
"""


class TestReportSection:
    def test_lists_calls_changes_and_refusals_in_order(self, pytester: pytest.Pytester) -> None:
        """Calls, their changes, due changes and refusals are listed in order; repeated calls share a line."""
        result = run_plugin(pytester, PIPELINE)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "*- omisim -*",
                "What happened:",
                "  2026-01-01T00:00:00.000Z CreateVms by alice ImageId='ami-*'",
                "  2026-01-01T00:00:00.000Z vm i-* created, pending (CreateVms#1)",
                "  2026-01-01T00:00:*Z ReadVms by alice (* times, until 00:00:19)",
                "  2026-01-01T00:00:20.000Z vm i-* pending → running (due)",
                "  2026-01-01T00:00:20.*Z CreateImage by alice VmId='i-*' ImageName='golden' NoReboot=True",
                "  2026-01-01T00:00:20.*Z image ami-* created, pending (CreateImage#2)",
                "  2026-01-01T00:00:45.*Z snapshot snap-* pending → completed (due)",
                "  2026-01-01T00:00:45.*Z image ami-* pending → available (due)",
                "  2026-01-01T00:00:45.*Z DeleteImage by alice ImageId='ami-*'",
                "  2026-01-01T00:00:45.*Z image ami-* gone (DeleteImage#3)",
                "  2026-01-01T00:00:45.*Z DeleteImage by alice ImageId='ami-*' → 400 5023 InvalidResource (OMI-122): *",
            ],
            consecutive=False,
        )
        result.stdout.no_fnmatch_line("*account * created*")

    @pytest.mark.parametrize(("timing", "step"), [("reads", "pass"), ("manual", "omi_cloud.complete(volume_id)")])
    def test_keeps_the_order_of_what_happens_while_the_clock_stands_still(
        self, pytester: pytest.Pytester, timing: str, step: str
    ) -> None:
        """A call is listed before the changes that came after it, even if all have the same time."""
        source = f"""
            import pytest

            @pytest.mark.omisim(timing="{timing}")
            def test_fails(omi_cloud, omi_gateway):
                volume_id = omi_gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)["Volume"]["VolumeId"]
                omi_gateway.ReadVolumes()
                {step}
                omi_gateway.ReadVolumes(Filters={{"VolumeIds": ["vol-12345678"]}})
                assert False
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            [
                "What happened:",
                "  *Z CreateVolume by alice *",
                "  *Z volume vol-* created, creating (CreateVolume#1)",
                "  *Z ReadVolumes by alice",
                "  *Z volume vol-* creating → available (*)",
                "  *Z ReadVolumes by alice Filters=*",
            ],
            consecutive=True,
        )

    @pytest.mark.parametrize("options", [(), ("-p", "xdist", "-n", "1")])
    def test_has_lines_where_the_output_cannot_show_arrows(
        self, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
    ) -> None:
        """An output in another encoding, as on Windows, shows the section with escapes in the lines that need them."""
        monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
        result = run_plugin_isolated(pytester, PIPELINE, *options)
        result.stdout.fnmatch_lines(["What happened:", "*Z image ami-* pending \\u2192 available (due)"])

    def test_escapes_lone_surrogates(self, pytester: pytest.Pytester) -> None:
        """A lone surrogate in the name of a refused argument is shown as an escape: pytest-xdist cannot send it."""
        source = r"""
            def test_fails(omi_account):
                omi_account.read_vms(**{"\ud800": 1})
        """
        result = run_plugin_isolated(pytester, source, "-p", "xdist", "-n", "1")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["E *: \\ud800 is not a parameter of this action*"])

    def test_lists_a_call_that_is_refused_unread_in_its_place(self, pytester: pytest.Pytester) -> None:
        """A request whose authentication fails is listed after the changes before it."""
        source = """
            import requests

            def test_fails(omi_env, omi_gateway, omi_cloud):
                omi_gateway.CreateVolume(SubregionName="eu-west-2a", Size=1)
                requests.post("https://api.eu-west-2.outscale.com/api/v1/ReadVms")
                assert False
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            [
                "What happened:",
                "  *Z CreateVolume by alice *",
                "  *Z volume vol-* created, creating (CreateVolume#1)",
                "  *Z volume vol-* creating → available (due)",
                "  *Z ReadVms by no account → 401 *",
            ],
            consecutive=True,
        )

    def test_lists_requests_to_object_storage(self, pytester: pytest.Pytester) -> None:
        """Requests to object storage are listed before their changes, and the rules of refused ones are explained."""
        source = """
            def test_fails(omi_oos):
                omi_oos.create_bucket(Bucket="golden")
                omi_oos.get_object(Bucket="golden", Key="missing")
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            [
                "What happened:",
                "  *Z CreateBucket by alice Bucket='golden'",
                "  *Z bucket eu-west-2/golden created (oos)",
                "  *Z GetObject by alice Bucket='golden' Key='missing' → 404 NoSuchKey *",
                "Rules broken:",
                "  OOS-006: *",
            ],
            consecutive=True,
        )

    def test_explains_each_broken_rule_once(self, pytester: pytest.Pytester) -> None:
        """Each rule is explained once, with its id, its statement and what to do."""
        result = run_plugin(pytester, PIPELINE)
        result.stdout.fnmatch_lines(["Rules broken:", "  OMI-122: *", "    Fix: *", "Since the test began:"])

    def test_shows_how_the_cloud_has_changed(self, pytester: pytest.Pytester) -> None:
        """The cloud is compared with how it was when the test began, resource by resource."""
        result = run_plugin(pytester, PIPELINE)
        result.stdout.fnmatch_lines(
            [
                "Since the test began:",
                "  snapshot snap-* is new (completed)",
                "  volume vol-* is new (in-use)",
                "  volume vol-* is new (creating)",
                "  vm i-* is new (running)",
            ]
        )
        result.stdout.no_fnmatch_line("  image * is *")

    def test_compares_the_cloud_with_its_base(self, pytester: pytest.Pytester) -> None:
        """Resources of the base are not listed; changes and deletions of them are."""
        source = """
            import pytest

            @pytest.fixture(scope="session")
            def omi_base(omi_base):
                alice = omi_base.account("alice")
                for _ in range(2):
                    alice.create_volume(subregion_name="eu-west-2a", size=1)
                return omi_base

            def test_fails(omi_account):
                first, second = omi_account.read_volumes()
                omi_account.delete_volume(volume_id=first.volume_id)
                omi_account.update_volume(volume_id=second.volume_id, size=2)
                assert omi_account.read_volumes() == ()
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            ["Since the test began:", "  volume vol-* is gone (available)", "  volume vol-*: size 1 → 2"]
        )
        result.stdout.no_fnmatch_line("*CreateVolume*")

    def test_shows_the_latest_events_and_counts_the_rest(self, pytester: pytest.Pytester) -> None:
        """Of many events the latest are shown and the rest is counted."""
        source = """
            def test_fails(omi_account):
                for size in range(1, 101):
                    omi_account.create_volume(subregion_name="eu-west-2a", size=size)
                assert not omi_account.read_volumes()
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            [
                "What happened, most recent first:",
                "  *Z ReadVolumes by alice",
                "  *Z volume vol-* creating → available (due)",
                "  … and * lines before",
                "Since the test began:",
                "  … and 60 more",
            ]
        )
        assert len(result.outlines) < 150

    def test_is_shown_for_a_failing_fixture(self, pytester: pytest.Pytester) -> None:
        """When the setup of a test fails, the section shows what happened until then."""
        source = """
            import pytest

            @pytest.fixture
            def golden(omi_account):
                omi_account.delete_volume(volume_id="vol-00000000")

            def test_it(golden): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*DeleteVolume by alice VolumeId='vol-00000000' → 400 5064 *"])

    def test_is_shown_for_a_failing_test_case(self, pytester: pytest.Pytester) -> None:
        """The section of a CloudTestCase shows its cloud as the test has left it, without what setUpClass has done."""
        source = """
            from omisim.unittest import CloudTestCase

            class TestGolden(CloudTestCase):
                @classmethod
                def setUpClass(cls):
                    super().setUpClass()
                    cls.account.create_keypair(keypair_name="old")

                def test_1(self):
                    self.account.create_volume(subregion_name="eu-west-2a", size=3)
                    assert False

                def test_2(self):
                    assert self.account.read_volumes() == ()
        """
        result = run_plugin(pytester, source, "--omisim-report", "reports")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            ["* CreateVolume by alice *Size=3*", "Since the test began:", "  volume vol-* is new (available)"]
        )
        result.stdout.no_fnmatch_line("*CreateKeypair*")
        (file,) = (pytester.path / "reports").iterdir()
        assert "CreateVolume" in file.read_text()

    @pytest.mark.parametrize(
        "override",
        [
            "def omi_cloud(omi_cloud): return prepare(omi_cloud)",
            "def omi_cloud(omi_cloud): return prepare(omi_cloud.fork())",
            "def omi_cloud(omi_cloud): yield prepare(omi_cloud.fork())",
            "def omi_cloud(omi_base): return prepare(omi_base.fork())",
            "def omi_cloud(): return prepare(Cloud())",
        ],
    )
    def test_shows_the_cloud_of_an_overridden_fixture(self, pytester: pytest.Pytester, override: str) -> None:
        """A suite that overrides omi_cloud gets the section about the cloud that its tests use."""
        source = f"""
            import pytest
            from omisim import Cloud

            def prepare(cloud):
                cloud.account("bob")
                return cloud

            @pytest.fixture
            {override}

            def test_fails(omi_account):
                assert omi_account.name == "alice"
                omi_account.create_volume(subregion_name="eu-west-2a", size=3)
                assert False
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["What happened:", "*CreateVolume by alice*", "  volume vol-* is new (available)"])

    @pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
    def test_shows_the_shared_cloud_of_an_overridden_fixture(self, pytester: pytest.Pytester, scope: str) -> None:
        """Each failing test shows what happened in it, its fixtures included, in a cloud that is wider than a test."""
        source = f"""
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="{scope}")
            def omi_cloud():
                cloud = Cloud()
                cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
                return cloud

            @pytest.fixture
            def volume(omi_account, request):
                return omi_account.create_volume(subregion_name="eu-west-2a", size=request.param)

            @pytest.mark.parametrize("volume", [2, 3], indirect=True)
            class TestShared:
                def test_fails(self, volume, omi_account):
                    omi_account.create_snapshot(volume_id=volume.volume_id)
                    assert False

            def test_of_another_cloud(): pass
        """
        result = run_plugin(pytester, source, "--omisim-timeline")
        result.assert_outcomes(failed=2, passed=1)
        calls = re.findall(r"(\w+) by alice .*?(Size=\d|VolumeId)", result.stdout.str())
        assert calls == [
            (action, text)
            for size in (2, 3)
            for action, text in (("CreateVolume", f"Size={size}"), ("CreateSnapshot", "VolumeId"))
        ]

    def test_shows_the_nearest_of_two_shared_clouds(self, pytester: pytest.Pytester) -> None:
        """A suite may override its own omi_cloud in the same scope, and give it parameters."""
        override = """
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="module")
            def omi_cloud():
                return Cloud(seed="far")
        """
        pytester.makeconftest(override)
        source = """
            import pytest

            @pytest.fixture(scope="module", params=[1, 2])
            def omi_cloud(omi_cloud, request):
                cloud = omi_cloud.fork()
                cloud.account(f"account-{request.param}")
                return cloud

            @pytest.mark.parametrize("turn", range(2))
            def test_fails(omi_cloud, turn):
                omi_cloud.account(omi_cloud.accounts[0]).create_keypair(keypair_name=f"key-{turn}")
                assert False

            def test_of_another_cloud(): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=4, passed=1)
        assert re.findall(r"CreateKeypair by (\S+) .*(key-\d)", result.stdout.str()) == [
            (f"account-{number}", f"key-{turn}") for number in (1, 2) for turn in (0, 1)
        ]

    def test_is_left_out_without_a_cloud(self, pytester: pytest.Pytester) -> None:
        """A test that uses no cloud has no such section."""
        run_plugin(pytester, "def test_fails(): assert False").stdout.no_fnmatch_line("*omisim*")

    def test_starts_again_after_a_reset(self, pytester: pytest.Pytester) -> None:
        """A test that resets its cloud gets a section about what happened since."""
        source = """
            def test_fails(omi_cloud, omi_account):
                for _ in range(3):
                    omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                omi_cloud.reset()
                omi_cloud.account("bob").create_volume(subregion_name="eu-west-2a", size=9)
                assert False
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(["*CreateVolume by bob*", "*volume vol-* created, creating*"])
        result.stdout.no_fnmatch_line("*CreateVolume by alice*")


class TestTimelineOption:
    def test_shows_the_section_for_passing_tests(self, pytester: pytest.Pytester) -> None:
        """`--omisim-timeline` shows the section for passing tests too."""
        result = run_plugin(pytester, PIPELINE, "--omisim-timeline")
        result.stdout.fnmatch_lines(["*omisim: *.py::test_passes*", "What happened:", "*CreateVms by alice*"])

    def test_shows_the_sections_of_xdist_workers(self, pytester: pytest.Pytester) -> None:
        """Under pytest-xdist the sections come back from the workers."""
        result = run_plugin_isolated(pytester, PIPELINE, "-p", "xdist", "-n", "1", "--omisim-timeline")
        result.stdout.fnmatch_lines(["*- omisim -*", "Rules broken:", "*omisim: *::test_passes*", "What happened:"])


class TestComparisonOfClouds:
    def test_shows_the_resources_and_fields_that_differ(self, pytester: pytest.Pytester) -> None:
        """`assert cloud == other` shows the resources that only one has, and the fields that differ."""
        source = """
            def test_fails(omi_cloud, omi_account):
                volume = omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                other = omi_cloud.fork()
                other.account("alice").update_volume(volume_id=volume.volume_id, size=2)
                omi_account.create_volume(subregion_name="eu-west-2a", size=7)
                other.account("bob")
                assert omi_cloud == other
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(
            [
                "E *assert the left cloud == the right cloud",
                "E *account * is only in the right cloud (bob)",
                "E *volume vol-*: size 1 | 2",
                "E *volume vol-* is only in the left cloud (available)",
            ]
        )

    def test_explains_a_difference_of_clocks(self) -> None:
        """Two clouds that are equal except for their time are reported as such."""
        cloud, other = Cloud(), Cloud()
        other.advance(60)
        lines = compared("==", cloud, other)
        assert lines is not None
        assert lines[1:] == ["the clocks show 2026-01-01 00:00:00+00:00 | 2026-01-01 00:01:00+00:00"]

    def test_explains_a_difference_of_histories(self) -> None:
        """Two clouds that reached the same resources in different ways are reported as such."""
        cloud, other = Cloud(), Cloud()
        for each in (cloud, other):
            each.account("alice")
        volume = other.account("alice").create_volume(subregion_name="eu-west-2a", size=1)
        other.account("alice").delete_volume(volume_id=volume.volume_id)
        cloud.advance((other.now - cloud.now).total_seconds())
        other.advance(100_000)
        cloud.advance(100_000)
        lines = compared("==", cloud, other)
        assert lines == [
            "the left cloud == the right cloud",
            "the resources are equal; the histories differ",
        ]

    @pytest.mark.parametrize(("op", "other"), [("!=", Cloud()), ("==", 3)])
    def test_leaves_other_comparisons_to_pytest(self, op: str, other: object) -> None:
        """Other operators and other values are compared by pytest itself."""
        assert compared(op, Cloud(), other) is None


class TestReportFile:
    def test_is_written_for_each_failing_test(self, pytester: pytest.Pytester) -> None:
        """`--omisim-report` leaves one file per failing test, which the report names."""
        result = run_plugin(pytester, PIPELINE, "--omisim-report", "reports/today")
        (file,) = pytester.path.glob("reports/today/*.html")
        result.stdout.fnmatch_lines(["*- omisim report -*", str(file)])
        text = file.read_text("utf-8")
        assert "::test_fails" in text
        assert "OMI-122" in text

    def test_is_written_by_every_worker(self, pytester: pytest.Pytester) -> None:
        """Workers of pytest-xdist write files of their own, also for tests whose names differ in one character."""
        source = """
            import pytest

            @pytest.mark.parametrize("name", ["a/b", "a_b", "a b", "ä", "x" * 300])
            def test_fails(omi_account, name):
                omi_account.create_image(vm_id="i-12345678", image_name="golden")
        """
        result = run_plugin_isolated(pytester, source, "-p", "xdist", "-n", "2", "--omisim-report", "reports")
        result.assert_outcomes(failed=5)
        assert len(list(pytester.path.glob("reports/*.html"))) == 5

    def test_is_written_where_pytest_was_called(self, pytester: pytest.Pytester) -> None:
        """A test that changes the working directory does not take its file along."""
        source = """
            import pytest

            @pytest.mark.usefixtures("omi_cloud")
            def test_fails(monkeypatch, tmp_path):
                monkeypatch.chdir(tmp_path)
                assert False
        """
        run_plugin(pytester, source, "--omisim-report", "reports").assert_outcomes(failed=1)
        assert len(list(pytester.path.glob("reports/*.html"))) == 1

    def test_needs_a_name(self, pytester: pytest.Pytester) -> None:
        """An empty folder, as an unset variable leaves it, is refused."""
        result = run_plugin(pytester, PIPELINE, "--omisim-report=")
        result.stderr.fnmatch_lines(["ERROR: --omisim-report must be the path of a folder, not ''"])

    def test_decides_no_outcome(self, pytester: pytest.Pytester) -> None:
        """A folder that cannot be made is named in the report, and the test fails for its own reason."""
        pytester.path.joinpath("taken").write_text("")
        result = run_plugin(pytester, PIPELINE, "--omisim-report", "taken")
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*taken*.html could not be written: *"])
