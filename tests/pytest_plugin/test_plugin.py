"""The pytest plugin, as a downstream team meets it."""

from __future__ import annotations

import re
from inspect import signature

import pytest
from support.plugged import run_plugin, run_plugin_isolated

from omisim import Cloud

pytest_plugins = ["pytester"]


class TestFixtures:
    def test_are_available_without_configuration(self, pytester: pytest.Pytester) -> None:
        """The fixtures are available once the package is installed."""
        output = pytester.runpytest_subprocess("--fixtures", "-p", "no:xdist", "-p", "no:asyncio").stdout.str()
        assert set(re.findall(r"^(omi_\w+)\b", output, re.MULTILINE)) == {
            "omi_base",
            "omi_cloud",
            "omi_accounts",
            "omi_account",
            "omi_gateway",
            "omi_oos",
            "omi_fcu",
            "omi_server",
            "omi_env",
            "omi_sleep",
        }

    def test_give_each_test_a_cloud_that_does_not_outlive_it(self, pytester: pytest.Pytester) -> None:
        """A session does not keep the clouds of its tests, which may be large."""
        source = """
            import gc, weakref

            engines = []

            def test_early(omi_env, omi_sleep, omi_gateway, omi_fcu, omi_oos, omi_server, omi_cloud):
                engines.append(weakref.ref(omi_cloud.engine))

            def test_later():
                gc.collect()
                assert [engine() for engine in engines] == [None]
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_give_each_test_its_own_cloud(self, pytester: pytest.Pytester) -> None:
        """No test sees what another test has done."""
        source = """
            import pytest

            @pytest.mark.parametrize("turn", [1, 2])
            def test_fresh(omi_account, turn):
                assert omi_account.read_volumes() == ()
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_of_storage_and_server_use_the_cloud_of_the_test(self, pytester: pytest.Pytester) -> None:
        """The client and the server work on the cloud of the test."""
        source = """
            import urllib.request

            def test_both(omi_oos, omi_server, omi_account, omi_cloud):
                omi_oos.create_bucket(Bucket="golden")
                assert omi_server.cloud is omi_cloud
                assert omi_server.env(omi_account)["OSC_REGION"] == "eu-west-2"
                with urllib.request.urlopen(f"{omi_server.url}/_omisim/health") as answer:
                    assert answer.status == 200
        """
        run_plugin(pytester, source).assert_outcomes(passed=1)

    def test_make_further_accounts_by_name(self, pytester: pytest.Pytester) -> None:
        """The factory makes accounts, by default in the Region of the marker, and returns those it has made."""
        source = """
            import pytest

            @pytest.mark.omisim(region="us-east-2")
            def test_accounts(omi_account, omi_accounts, omi_cloud):
                bob, carol = omi_accounts("bob"), omi_accounts("carol", region="eu-west-2", quotas={"vm_limit": 1})
                assert (omi_account.region, bob.region, carol.region) == ("us-east-2", "us-east-2", "eu-west-2")
                assert omi_accounts("carol") is carol
                assert omi_cloud.accounts == ("alice", "bob", "carol")
        """
        run_plugin(pytester, source).assert_outcomes(passed=1)

    def test_region_of_the_marker_is_the_default_of_the_whole_cloud(self, pytester: pytest.Pytester) -> None:
        """With another Region, a test that names none works as before: its accounts and official OMIs are in one."""
        source = """
            import pytest

            @pytest.mark.omisim(region="us-east-2")
            def test_one_region(omi_cloud, omi_account):
                assert omi_account.can("CreateVms", ImageId=omi_cloud.images.official("debian").image_id)
                assert omi_cloud.account("bob").region == omi_cloud.fork().account("carol").region == "us-east-2"

            def test_the_next_test_is_not_affected(omi_cloud):
                assert omi_cloud.account("bob").region == "eu-west-2"
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_do_not_depend_on_the_order_of_accounts(self, pytester: pytest.Pytester) -> None:
        """An account that the test makes itself is not the one of omi_account."""
        source = """
            import pytest

            @pytest.fixture
            def bob(omi_cloud):
                return omi_cloud.account("bob")

            def test_alice(bob, omi_account):
                assert omi_account.name == "alice"
        """
        run_plugin(pytester, source).assert_outcomes(passed=1)

    def test_name_a_missing_extra_in_one_line(self, pytester: pytest.Pytester) -> None:
        """A missing library is reported with the extra to install, without a traceback."""
        source = """
            import sys
            import pytest

            @pytest.fixture(autouse=True)
            def nothing_installed(monkeypatch):
                ours = ("omisim.clients.boto", "omisim.doors.oos", "omisim.server")
                for name in [name for name in sys.modules if name.startswith(ours)]:
                    monkeypatch.delitem(sys.modules, name)
                for name in ("osc_sdk_python", "boto3", "moto", "cheroot"):
                    for module in [m for m in sys.modules if m == name or m.startswith(name + ".")]:
                        monkeypatch.setitem(sys.modules, module, None)
                    monkeypatch.setitem(sys.modules, name, None)

            def test_sdk(omi_gateway): pass
            def test_oos(omi_oos): pass
            def test_server(omi_server): pass
        """
        result = run_plugin(pytester, source, "--tb=short")
        result.assert_outcomes(errors=3)
        result.stdout.fnmatch_lines(
            [
                "omisim: account.gateway() needs osc-sdk-python: pip install 'omisim[[]osc[]]'",
                "omisim: account.client('oos') needs boto3 and moto: pip install 'omisim[[]oos[]]'",
                "omisim: cloud.serve() needs cheroot: pip install 'omisim[[]server[]]'",
            ]
        )
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*another exception occurred*")

    def test_are_suggested_for_a_name_that_resembles_theirs(self, pytester: pytest.Pytester) -> None:
        """The error about an unknown fixture lists all; a section names the one that was probably meant."""
        source = """
            def test_mistyped(omi_clod): pass
            def test_of_another_library(page): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=2)
        result.stdout.fnmatch_lines(["*- omisim -*", "Did you mean the fixture omi_cloud?"])
        assert result.stdout.str().count("Did you mean") == 1

    def test_of_a_test_case_are_replaced_by_its_own_base_class(self, pytester: pytest.Pytester) -> None:
        """A method of a TestCase gets no fixtures, which its TypeError does not say."""
        source = """
            import unittest

            class TestImages(unittest.TestCase):
                def test_bake(self, omi_cloud): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*- omisim -*", "*TestCase take no fixtures: use omisim.unittest.CloudTestCase*"])

    def test_refuse_a_wider_scope_with_an_alternative(self, pytester: pytest.Pytester) -> None:
        """A fixture of a wider scope cannot use them, and the error says what to use there."""
        source = """
            import pytest

            @pytest.fixture(scope="module")
            def golden(omi_account): pass

            def test_golden(golden): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*For a module or a class, override omi_base, *", "*return cloud"])


class TestBase:
    def test_is_forked_for_each_test(self, pytester: pytest.Pytester) -> None:
        """A suite sets up its base once, and no test sees what another has done to its fork."""
        source = """
            import pytest

            @pytest.fixture(scope="session")
            def omi_base(omi_base):
                alice = omi_base.account("alice")
                vm = alice.create_vms(image_id=omi_base.images.official("debian").image_id)[0]
                alice.create_image(vm_id=vm.vm_id, image_name="golden")
                omi_base.faults.add("DeleteImage")
                omi_base.durations["snapshot.pending"] = 5
                return omi_base

            @pytest.mark.parametrize("turn", [1, 2])
            def test_golden(omi_account, omi_cloud, turn):
                golden, = omi_account.read_images(filters={"account_ids": [omi_account.account_id]})
                assert golden.image_name == "golden"
                with pytest.raises(Exception, match="503"):
                    omi_account.delete_image(image_id=golden.image_id)
                omi_account.delete_image(image_id=golden.image_id)
                assert omi_cloud.durations["snapshot.pending"] == 5

            @pytest.mark.omisim(timing="clock", switches={"default_page_size": 100}, auth="off", accounts=["bob"])
            def test_told(omi_account, omi_cloud):
                assert omi_account.name == "bob" and omi_cloud.accounts == ("alice", "bob")
                assert omi_account.create_volume(subregion_name="eu-west-2a", size=1).state == "creating"
                assert omi_account.read_volumes()[0].state == "creating"
        """
        run_plugin(pytester, source).assert_outcomes(passed=3)

    def test_refuses_markers_that_only_a_new_cloud_takes(self, pytester: pytest.Pytester) -> None:
        """Options of the constructor come too late for a base, and a one-line error says so."""
        source = """
            import pytest
            from omisim import Cloud

            @pytest.fixture(scope="session")
            def omi_base():
                cloud = Cloud()
                cloud.account("alice")
                return cloud

            @pytest.mark.omisim(seed=7)
            def test_seed(omi_cloud): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["omisim: the marker cannot set seed: omi_base has already created the cloud"])
        result.stdout.no_fnmatch_line("*another exception occurred*")


class TestMarker:
    def test_takes_the_arguments_of_the_constructor(self, pytester: pytest.Pytester) -> None:
        """A marker configures the cloud of its test."""
        source = """
            import pytest
            from omisim import Cloud, SystemClock

            @pytest.mark.omisim(seed=7)
            def test_seed(omi_account):
                assert omi_account.access_key == Cloud(seed=7).account("alice").access_key

            @pytest.mark.omisim(timing="manual")
            def test_timing(omi_account, omi_cloud):
                volume = omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                omi_cloud.advance(86400)
                assert omi_account.read_volumes()[0].state == "creating"

            @pytest.mark.omisim(clock=SystemClock())
            def test_clock(omi_cloud):
                assert omi_cloud.now.year > 2025

            @pytest.mark.omisim(scenario="shared-image")
            def test_scenario(omi_cloud, omi_account):
                assert omi_account.name == omi_cloud.accounts[0]

            @pytest.mark.omisim(accounts={"bob": {"region": "us-east-2"}, "carol": None}, history=10)
            def test_accounts(omi_cloud, omi_account):
                assert (omi_account.name, omi_account.region) == ("bob", "us-east-2")
                assert omi_cloud.accounts == ("bob", "carol")
        """
        run_plugin(pytester, source).assert_outcomes(passed=5)

    def test_combines_with_markers_of_class_and_module(self, pytester: pytest.Pytester) -> None:
        """Markers of module, class and function are combined, and the nearest takes precedence."""
        source = """
            import pytest

            pytestmark = pytest.mark.omisim(region="us-east-2", timing="clock", switches={"most_tags": 50})

            @pytest.mark.omisim(timing="manual", switches={"default_page_size": 100})
            class TestIt:
                def test_class(self, omi_cloud, omi_account):
                    assert (omi_account.region, omi_cloud.engine.settings.timing) == ("us-east-2", "manual")
                    assert omi_cloud.engine.settings.switches == {"most_tags": 50, "default_page_size": 100}

                @pytest.mark.omisim(region="eu-west-2")
                def test_function(self, omi_cloud, omi_account):
                    assert (omi_account.region, omi_cloud.engine.settings.timing) == ("eu-west-2", "manual")
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_of_parameters_takes_precedence_over_that_of_the_function(self, pytester: pytest.Pytester) -> None:
        """The marker of a `pytest.param` is nearer than that of the function; what it leaves open, the latter sets."""
        source = """
            import pytest

            clock = pytest.param("clock", marks=pytest.mark.omisim(timing="clock"))

            @pytest.mark.omisim(timing="manual", region="us-east-2")
            @pytest.mark.parametrize("timing", ["manual", clock])
            def test_it(omi_cloud, omi_account, timing):
                assert (omi_cloud.timing, omi_account.region) == (timing, "us-east-2")
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_with_a_clock_gives_each_test_a_copy(self, pytester: pytest.Pytester) -> None:
        """The clock of a marker is copied for each test, since a marker is created once."""
        source = """
            import datetime as dt
            import pytest
            from omisim import ManualClock

            START = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
            pytestmark = pytest.mark.omisim(clock=ManualClock(START))

            @pytest.mark.parametrize("turn", [1, 2])
            def test_clock(omi_cloud, turn):
                assert omi_cloud.now == START
                omi_cloud.advance(60)
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_may_give_each_argument_its_default(self, pytester: pytest.Pytester) -> None:
        """The default of each parameter of Cloud is valid in a marker, too, and changes nothing."""
        source = """
            from inspect import signature
            import pytest
            from omisim import Cloud

            @pytest.mark.parametrize("name", [
                pytest.param(name, marks=pytest.mark.omisim(**{name: parameter.default}))
                for name, parameter in signature(Cloud).parameters.items()
            ])
            def test_default(omi_cloud, name):
                assert omi_cloud == Cloud()
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(passed=len(signature(Cloud).parameters))

    @pytest.mark.parametrize(
        ("marker", "line"),
        [
            (
                "regoin='eu-west-2'",
                "has no argument 'regoin'; did you mean region?; known: seed, timing, *, children, virtual_time",
            ),
            ("'clock'", "takes keyword arguments only, not 'clock'; known: seed, *"),
            ("timing='slow'", "timing must be one of eager, clock, manual, reads, not 'slow'"),
            ("region='eu-west-9'", "region must be one of eu-west-2, *, not 'eu-west-9'; did you mean *"),
            ("accounts=['bob@mars']", "region must be one of eu-west-2, *, not 'mars'"),
            ("accounts=3", "accounts must be names, for example *, not 3"),
            ("accounts=['alice,bob']", "accounts must be names, for example *, not 'alice,bob'"),
            ("accounts=['alice', 3]", "accounts must be names, for example *, not 3"),
            (
                "accounts={'alice': 'eu-west-2'}",
                'accounts must *, as {"alice": {"region": "eu-west-2"}} does, not to *',
            ),
            ("accounts={'bob': {'regio': 1}}", "unknown argument of an account 'regio'; did you mean region?; *"),
            ("switches={'x': 1}", "unknown switch 'x'; known: *"),
            ("switches='x'", "switches: x: No such file or directory"),
            ("clock='2026'", "clock must be a clock, such as ManualClock(datetime) or SystemClock(), not '2026'"),
            ("history='all'", "history must be a positive int, not 'all'"),
            ("limiter='yes'", "limiter must be True or False, not 'yes'"),
            ("seed=None", "seed must be int or str, not None"),
            ("scenario='nowhere'", "unknown scenario 'nowhere'; *"),
            ("scenario='no/where.toml'", "*no/where.toml: No such file or directory"),
            ("scenario='x' * 300 + '.toml'", "*x.toml: File name too long"),
        ],
    )
    def test_with_a_mistake_is_refused_at_collection(self, pytester: pytest.Pytester, marker: str, line: str) -> None:
        """A mistake is refused before a test runs, in one line with the test and the known values."""
        source = f"""
            import pytest

            @pytest.mark.omisim({marker})
            def test_it(omi_cloud): pass
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines([f"*.py::test_it: @pytest.mark.omisim: {line}"])
        result.stdout.no_fnmatch_line("*Traceback*")

    @pytest.mark.parametrize(
        ("argument", "line"),
        [
            ("history='all'", "history must be a positive int, not 'all'"),
            ("limiter='yes'", "limiter must be True or False, not 'yes'"),
            ("regoin='eu-west-2'", "has no argument 'regoin'; did you mean region?; known: *"),
        ],
    )
    def test_that_is_added_after_the_collection_is_checked_too(
        self, pytester: pytest.Pytester, argument: str, line: str
    ) -> None:
        """A mistake in a marker that a hook adds fails each test in one line, not the whole session."""
        pytester.makeconftest(
            f"""
            import pytest

            def pytest_collection_modifyitems(items):
                for item in items:
                    item.add_marker(pytest.mark.omisim({argument}))
            """
        )
        result = run_plugin(pytester, "def test_it(omi_cloud): pass\ndef test_other(): pass")
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines([f"omisim: {line}"])

    def test_is_registered_with_pytest(self, pytester: pytest.Pytester) -> None:
        """The marker passes --strict-markers, and `pytest --markers` lists it."""
        result = run_plugin(pytester, "", "--markers", "--strict-markers")
        result.stdout.fnmatch_lines(["@pytest.mark.omisim(*): configure the test's cloud*"])


class TestIniOptions:
    def test_apply_to_every_test(self, pytester: pytest.Pytester) -> None:
        """Ini options have the names of the marker's arguments; a marker takes precedence."""
        pytester.makeini(
            """
            [pytest]
            omisim_seed = 7
            omisim_timing = clock
            omisim_clock = 2030-01-01T00:00:00Z
            omisim_region = us-east-2
            omisim_accounts = carol bob@eu-west-2
            omisim_auth = lenient
            omisim_history = 50
            omisim_limiter = true
            omisim_switches =
                default_page_size = 100
                start_running = no-op
                strict_windows = true
            """
        )
        source = """
            import pytest
            from omisim import Cloud

            def test_suite(omi_cloud, omi_account, omi_gateway):
                assert omi_account.access_key == Cloud(seed=7).account("carol").access_key
                assert (omi_cloud.now.year, omi_account.name, omi_account.region) == (2030, "carol", "us-east-2")
                settings = omi_cloud.engine.settings
                assert (settings.timing, settings.auth, omi_cloud.engine.history) == ("clock", "lenient", 50)
                assert settings.switches == {
                    "default_page_size": 100, "start_running": "no-op", "strict_windows": True
                }
                assert omi_gateway.call.limiter.max_requests == 5

            @pytest.mark.omisim(timing="eager", accounts=["bob"], seed=8)
            def test_marker(omi_cloud, omi_account):
                assert (omi_cloud.engine.settings.timing, omi_account.name) == ("eager", "bob")
                assert (omi_cloud.now.year, omi_account.region) == (2030, "us-east-2")
        """
        run_plugin(pytester, source).assert_outcomes(passed=2)

    def test_name_accounts_that_a_marker_replaces(self, pytester: pytest.Pytester) -> None:
        """Accounts, quotas and the Region of a marker override those of the suite, with and without a seed."""
        pytester.makeini("[pytest]\nomisim_accounts = alice bob")
        source = """
            import pytest

            @pytest.mark.parametrize("turn", [
                pytest.param(1, marks=pytest.mark.omisim(timing="clock")),
                pytest.param(2, marks=pytest.mark.omisim(seed=8)),
            ])
            class TestMarkers:
                @pytest.mark.omisim(accounts=["dan"])
                def test_names(self, omi_cloud, omi_account, turn):
                    assert (omi_cloud.accounts, omi_account.name) == (("dan",), "dan")

                @pytest.mark.omisim(accounts={"alice": {"quotas": {"vm_limit": 2}}})
                def test_quotas(self, omi_cloud, omi_account, turn):
                    assert omi_cloud.accounts == ("alice",)
                    assert omi_cloud.account("alice", quotas={"vm_limit": 2}) is omi_account

                @pytest.mark.omisim(region="us-east-2")
                def test_region(self, omi_cloud, omi_account, turn):
                    assert omi_cloud.accounts == ("alice", "bob")
                    assert omi_account.region == "us-east-2"
        """
        run_plugin(pytester, source).assert_outcomes(passed=6)

    @pytest.mark.parametrize(
        ("option", "line"),
        [
            ("timing = slow", "timing must be one of eager, clock, manual, reads, not 'slow'"),
            ("clock = noon", "omisim_clock must be system or a date * with its time zone, such as 2026-*Z, not 'noon'"),
            ("clock = 9999-12-31T00:00:00Z", "omisim_clock must be system or a date in the years 1000 to 8999 *"),
            ("history = many", "omisim_history must be a number from 1 to 999999999, not 'many'"),
            ("history = 0", "omisim_history must be a number from 1 to 999999999, not '0'"),
            ("limiter = perhaps", "omisim_limiter must be true or false, not 'perhaps'"),
            ("switches = x", "omisim_switches must be lines of name = value, not *"),
            ("accounts = alice, bob", "omisim_accounts must be names separated by spaces, such as *, not 'alice, bob'"),
            ("accounts = ['alice', 'bob']", "omisim_accounts must be names separated by spaces, such as *, not *bob*"),
            ('accounts = "alice bob"', "omisim_accounts must be names separated by spaces, such as *, not *bob*"),
        ],
    )
    def test_with_unknown_values_are_refused_at_the_start(
        self, pytester: pytest.Pytester, option: str, line: str
    ) -> None:
        """An unknown value ends the run at once, with a one-line error."""
        pytester.makeini(f"[pytest]\nomisim_{option}\n")
        result = run_plugin(pytester, "def test_it(): pass")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: omisim: {line}"])

    def test_find_a_scenario_relative_to_the_rootdir(self, pytester: pytest.Pytester) -> None:
        """A scenario is found relative to pytest's rootdir, whatever the working directory is."""
        pytester.makeini("[pytest]\nomisim_scenario = scenarios/mine.toml\n")
        pytester.path.joinpath("scenarios").mkdir()
        pytester.path.joinpath("scenarios", "mine.toml").write_text('[accounts]\nzoe = { region = "us-east-2" }\n')
        pytester.mkdir("elsewhere")
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(pytester.path / "elsewhere")
            source = "def test_it(omi_account): assert (omi_account.name, omi_account.region) == ('zoe', 'us-east-2')"
            run_plugin(pytester, source, str(pytester.path)).assert_outcomes(passed=1)


class TestPluginBesideOthers:
    """The plugin beside other plugins, and in other ways to write tests."""

    def test_works_under_xdist(self, pytester: pytest.Pytester) -> None:
        """Under pytest-xdist each worker has its own clouds, and failures are reported in full."""
        source = """
            import pytest

            @pytest.mark.parametrize("turn", range(8))
            def test_fresh(omi_account, turn):
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                assert len(omi_account.read_volumes()) == 1

            def test_refused(omi_account):
                omi_account.delete_volume(volume_id="vol-00000000")
        """
        result = run_plugin_isolated(
            pytester, source, "-p", "xdist", "-n", "4", "-p", "no:cacheprovider", "--omisim-timeline"
        )
        result.assert_outcomes(passed=8, failed=1)
        result.stdout.fnmatch_lines(
            ["*400 5064 InvalidResource*", "Rules broken:", "*: *.py::test_fresh?7? *"],
        )

    def test_refuses_a_wrong_marker_under_xdist(self, pytester: pytest.Pytester) -> None:
        """Under pytest-xdist a wrong marker is a one-line error too."""
        source = "import pytest\n@pytest.mark.omisim(x=1)\ndef test_it(): pass"
        result = run_plugin_isolated(pytester, source, "-p", "xdist", "-n", "1")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*::test_it: @pytest.mark.omisim: has no argument 'x'; known: *"])

    def test_works_with_randomly_and_asyncio(self, pytester: pytest.Pytester) -> None:
        """Neither the order of pytest-randomly nor the loops of pytest-asyncio make a difference."""
        pytest.importorskip("pytest_randomly")
        pytest.importorskip("pytest_asyncio")
        source = """
            import asyncio
            import pytest

            @pytest.mark.asyncio
            @pytest.mark.parametrize("turn", range(4))
            async def test_waits(omi_account, omi_cloud, omi_sleep, turn):
                volume = omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                while omi_account.read_volumes()[0].state != "available":
                    await asyncio.sleep(10)
                assert len(omi_account.read_volumes()) == 1
        """
        loops = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
        run_plugin_isolated(pytester, source, "-p", "pytest_randomly", *loops).assert_outcomes(passed=4)

    def test_works_in_unittest_classes(self, pytester: pytest.Pytester) -> None:
        """Classes of unittest use the fixtures by usefixtures, or in an autouse fixture."""
        source = """
            import time
            import unittest
            import pytest
            from osc_sdk_python import Gateway

            @pytest.mark.usefixtures("omi_env", "omi_sleep")
            @pytest.mark.omisim(accounts=["bob"])
            class TestIt(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def _cloud(self, omi_cloud):
                    self.cloud = omi_cloud

                def test_gateway(self):
                    self.assertEqual(Gateway().ReadAccounts()["Accounts"][0]["FirstName"], "bob")
                    before = self.cloud.now
                    time.sleep(60)
                    self.assertGreaterEqual((self.cloud.now - before).total_seconds(), 60)

                @pytest.mark.omisim(timing="manual")
                def test_fails(self):
                    self.assertEqual(self.cloud.engine.settings.timing, "eager")
        """
        result = run_plugin(pytester, source)
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*omisim*", "Nothing happened in this cloud."])

    def test_refuses_a_wrong_marker_of_a_unittest_class(self, pytester: pytest.Pytester) -> None:
        """A wrong marker of a unittest class is refused too."""
        source = """
            import unittest
            import pytest

            @pytest.mark.omisim(x=1)
            class TestIt(unittest.TestCase):
                def test_it(self): pass
        """
        result = run_plugin(pytester, source)
        result.stdout.fnmatch_lines(["*TestIt::test_it: @pytest.mark.omisim: has no argument 'x'; known: *"])

    def test_imports_nothing_when_unused(self, pytester: pytest.Pytester) -> None:
        """The installed plugin, when unused, imports only itself of omisim, and none of its extras."""
        source = """
            import sys

            def test_nothing():
                ours = {name for name in sys.modules if name.partition(".")[0] == "omisim"}
                package = "omisim.pytest_plugin"
                assert ours == {"omisim", "omisim.plugin", package, f"{package}.fixtures", f"{package}.guard"}
                assert not {"requests", "urllib3", "boto3", "osc_sdk_python", "moto"} & set(sys.modules)

            def test_fails(): assert False
            def test_nothing_yet(): test_nothing()
        """
        run_plugin_isolated(pytester, source).assert_outcomes(passed=2, failed=1)
