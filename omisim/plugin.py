"""The pytest plugin: its options, its hooks, and its fixtures. It imports only pytest until a fixture is used."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from omisim.pytest_plugin.fixtures import *  # noqa: F403 - pytest finds the fixtures of a plugin by their names in it
from omisim.pytest_plugin.fixtures import WATCHED, watch_override
from omisim.pytest_plugin.guard import (
    end_guard,
    failing_for_strays,
    guard_session,
    guard_test,
    note_environ,
    restore_again,
    take_strays,
)

if TYPE_CHECKING:
    from collections.abc import Generator

INI = {
    "seed": "the seed of all generated ids",
    "timing": "eager, clock, manual or reads",
    "clock": "the start of the virtual time (default 2026-01-01T00:00:00Z), or system",
    "catalog": "the initial resources of a cloud",
    "auth": "strict, lenient or off",
    "unserved": "empty or refuse: the answer to reads of families that omisim does not serve",
    "history": "the number of changes and calls to keep",
    "scenario": "a path relative to the rootdir, or the name of a scenario that omisim ships",
    "region": "the default Region of accounts and official OMIs",
    "accounts": "the accounts of a cloud whose marker names none, for example: alice bob@us-east-2",
    "limiter": "true keeps the rate limiter of osc-sdk-python",
    "children": "true lets child processes of omi_env reach the cloud, by a server",
    "virtual_time": "true lets time.time, time.monotonic and time.perf_counter follow the clock under omi_sleep",
}
SCOPE_ADVICE = """These fixtures are function-scoped. For a module or a class, override omi_base, which omi_cloud forks:

    @pytest.fixture(scope="module")
    def omi_base(omi_base):
        cloud = omi_base.fork()
        ...  # prepare it
        return cloud"""
SWEEP = "omisim_sweep"
SWEPT = "omisim_sweep_report"
RUNNING: pytest.StashKey[pytest.Item] = pytest.StashKey()  # the test of a session
LATEST: pytest.StashKey[object] = pytest.StashKey()  # the value of omi_cloud in its scope: it may outlive a test
EXAMPLE_ADVICE = """A fixture is set up once per test, not once per example. Give each example a fork of the cloud:

    from omisim.testing.forks import fork_each_example

    @given(...)
    @fork_each_example

or let Hypothesis draw a cloud: @given(cloud=omisim.testing.strategies.clouds()). A fixture of your own that prepares
the cloud is named in @pytest.mark.usefixtures, and each fork begins with what it has made."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the command line options, and an ini option for each argument of the marker."""
    group = parser.getgroup("omisim")
    group.addoption("--omisim-timeline", action="store_true", help="show the cloud's timeline for each test")
    group.addoption(
        "--omisim-report",
        metavar="DIR",
        help="write the cloud of each failing test into this folder, as an HTML file with all calls and refusals",
    )
    group.addoption(
        "--omisim-coverage",
        action="store_true",
        help="report which actions, rules, states and transitions of the model the tests exercised (-vv: list all)",
    )
    group.addoption(
        "--omisim-coverage-json",
        metavar="FILE",
        help="write the report to a file as JSON (implies --omisim-coverage)",
    )
    group.addoption(
        "--omisim-coverage-fail-under",
        metavar="PERCENT",
        type=float,
        help="fail when the coverage of the model is below this percentage (implies --omisim-coverage)",
    )
    group.addoption("--omisim-sweep-json", metavar="FILE", help="write the reports of omisim_sweep to a file as JSON")
    for name, description in INI.items():
        parser.addini(f"omisim_{name}", f"omisim: {description}")
    parser.addini("omisim_switches", "omisim: behaviour switches, one per line: name = value", type="linelist")
    parser.addini("omisim_switches_file", "omisim: a TOML file of switches, relative to the rootdir (omisim probe)")
    parser.addini(
        "omisim_guard",
        "omisim: fail a test that sends a request to OUTSCALE without omi_env: true for all tests, false for none "
        "(default: tests that use a fixture of omisim)",
        type="bool",
        default=None,
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Start the guard of the session before the conftest files are imported."""
    guard_session(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, validate the ini options, and start the coverage report."""
    config.addinivalue_line(
        "markers", "omisim(timing=, accounts=, scenario=, ...): configure the test's cloud; see omisim.Cloud"
    )
    config.addinivalue_line(
        "markers", "omisim_sweep(limit=, expected=, ...): run the test in every way its cloud could have answered"
    )
    if any(config.getini(f"omisim_{name}") for name in (*INI, "switches", "switches_file")):
        from omisim.pytest_plugin.marker_options import check_options

        try:
            check_options(config)
        except ValueError as error:
            raise pytest.UsageError(f"omisim: {error}") from None
    _check_command_line(config)
    guard_session(config)  # again: a conftest file may have loaded this plugin
    implying = ("omisim_coverage_json", "omisim_coverage_fail_under")
    has_coverage = config.getoption("omisim_coverage") or any(config.getoption(name) is not None for name in implying)
    if has_coverage and not config.getoption("collectonly"):
        from omisim.testing.reporting import CoverageReport

        config.pluginmanager.register(CoverageReport(config), "omisim-coverage")


def _check_command_line(config: pytest.Config) -> None:
    """Raise UsageError for a value of the command line that cannot be used."""
    for option in ("--omisim-coverage-json", "--omisim-sweep-json"):
        _check_file(config, option)
    if config.getoption("--omisim-report") == "":
        raise pytest.UsageError("--omisim-report must be the path of a folder, not ''")
    minimum = config.getoption("--omisim-coverage-fail-under")
    if minimum is not None and not 0 <= minimum / 100 <= 1:
        raise pytest.UsageError(f"--omisim-coverage-fail-under must be a percentage from 0 to 100, not {minimum:g}")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Fail the collection of tests whose marker is invalid, with one line per test, and of a file that sends requests.

    Without the latter, the first test to run would fail for them.
    """
    report = yield
    errors = [line for node in report.result or () if (line := _check_marker(node))]
    if (error := take_strays(collector)) is not None and report.passed:
        errors.append(error)
    if errors:
        report.outcome, report.longrepr, report.result = "failed", "\n".join(dict.fromkeys(errors)), []
    return report


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Split the worlds of a swept test over the workers of pytest-xdist."""
    if metafunc.definition.get_closest_marker(SWEEP) is not None:
        from omisim.pytest_plugin.sweeping import parametrize

        parametrize(metafunc)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Watch the cloud of a suite that overrides omi_cloud, of any scope."""
    value = yield
    if fixturedef.argname == "omi_cloud":
        watch_override(request.session.stash[RUNNING], value)
        request.node.stash[LATEST] = value
        fixturedef.addfinalizer(lambda: request.node.stash.__setitem__(LATEST, None))
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run a swept test once per way in which its cloud could have answered."""
    _watch_test_case(item)
    if item.get_closest_marker(SWEEP) is None:
        with failing_for_strays(item):
            return (yield)
    from omisim.pytest_plugin.sweeping import sweep_test

    run_test, watched = item.runtest, item.stash.get(WATCHED, None)
    with failing_for_strays(item), pytest.MonkeyPatch.context() as patch:
        patch.setattr(item, "runtest", lambda: sweep_test(item, run_test, None if watched is None else watched.cloud))
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Guard a test that uses a fixture of omisim before its first fixture is set up, those of its class included."""
    note_environ(item.config)
    item.session.stash[RUNNING] = item
    if "omi_cloud" in getattr(item, "fixturenames", ()):
        for node in item.listchain():
            watch_override(item, node.stash.get(LATEST, None))
    if any(name.startswith("omi_") for name in getattr(item, "fixturenames", ())):
        guard_test(item)
    with failing_for_strays(item):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """End the guard of a test after its last fixture, and what its contexts left to fixtures that ended later."""
    try:
        with failing_for_strays(item):
            return (yield)
    finally:
        end_guard(item)
        restore_again(item)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the cloud's section to the report of a failing test."""
    report = yield
    if call.excinfo is not None:
        _explain_fixtures(report, call.excinfo.value)
    watched = item.stash.get(WATCHED, None)
    if report.failed and report.when == "setup" and "ScopeMismatch" in report.longreprtext:
        report.sections += [("omisim", SCOPE_ADVICE)] if "omi_" in report.longreprtext else []
    if watched and report.failed and "function-scoped fixture '" in report.longreprtext.lower():  # of Hypothesis
        report.sections.append(("omisim", EXAMPLE_ADVICE))
    if watched and (report.failed or (report.when == "call" and item.config.getoption("omisim_timeline"))):
        with watched.at_end():
            report.sections.append(("omisim", watched.report()))
    if watched and report.failed and (folder := item.config.getoption("omisim_report")):
        from omisim.pytest_plugin.report_file import attach_file

        with watched.at_end():
            attach_file(report, watched.cloud, item.config.invocation_params.dir / folder)
    if report.when == "call" and item.get_closest_marker(SWEEP) is not None:
        from omisim.pytest_plugin.sweeping import describe_sweep

        report.__dict__[SWEPT] = describe_sweep(item)  # crosses from a worker of pytest-xdist to its controller
    if watched and report.when == "teardown":
        del item.stash[WATCHED]  # pytest keeps the tests of a session, and each would keep its cloud
    return report


def _explain_fixtures(report: pytest.TestReport, error: BaseException) -> None:
    """Add what to do to the report of a test that asks for a fixture in vain: a mistyped one, or as a TestCase."""
    fixtures = [name for name in globals() if name.startswith("omi_")]
    text = ""
    if isinstance(error, pytest.FixtureLookupError) and error.argname not in fixtures:
        from omisim.base.suggest import suggest

        text = suggest(error.argname, fixtures, "Did you mean the fixture {}?")
    elif isinstance(error, TypeError) and "required positional argument" in str(error) and "'omi_" in str(error):
        text = (
            "The methods of a TestCase take no fixtures: use omisim.unittest.CloudTestCase, or a class without a base."
        )
    report.sections += [("omisim", text)] if text else []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Escape the characters that the terminal cannot show. pytest would escape the ends of the lines too."""
    encoding = getattr(sys.__stdout__, "encoding", None) or "utf-8"
    report.sections = [
        (title, text.encode(encoding, "backslashreplace").decode(encoding) if title.startswith("omisim") else text)
        for title, text in report.sections
    ]


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the file of --omisim-sweep-json. A worker of pytest-xdist, which has no terminal, leaves it to the rest."""
    terminalreporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if terminalreporter is not None and session.config.getoption("--omisim-sweep-json") is not None:
        from omisim.pytest_plugin.sweeping import merge_sweeps
        from omisim.testing.reporting import write_json

        write_json(session, "--omisim-sweep-json", {"tests": merge_sweeps(_list_sweeps(terminalreporter))})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the outcomes of sweeps, and the timelines of passing tests under --omisim-timeline."""
    if sweeps := _list_sweeps(terminalreporter):
        from omisim.pytest_plugin.sweeping import summarize_sweeps

        terminalreporter.write_sep("=", "omisim sweeps")
        for line in summarize_sweeps(sweeps):
            terminalreporter.write_line(line)
    if terminalreporter.config.getoption("omisim_timeline"):
        for report in terminalreporter.getreports("passed"):
            for title, text in report.sections:
                if title == "omisim" and report.when == "call":
                    terminalreporter.write_sep("_", f"omisim: {report.nodeid}")
                    terminalreporter.write_line(text)


def _list_sweeps(terminalreporter: pytest.TerminalReporter) -> list[Any]:
    """Return what `describe_sweep` returned for each swept test; for a test that ran again, the last one."""
    reports = [report for group in terminalreporter.stats.values() for report in group if getattr(report, SWEPT, None)]
    finished = [report for report in reports if report.outcome != "rerun"]  # by pytest-rerunfailures
    return list({report.nodeid: getattr(report, SWEPT) for report in finished}.values())


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Explain the differences of two clouds in a failing `assert cloud == other`."""
    if op != "==" or type(left).__module__ != "omisim.cloud.cloud" or type(left) is not type(right):
        return None
    from omisim.pytest_plugin.report import explain_difference

    return explain_difference(left, right)


def _check_file(config: pytest.Config, option: str) -> None:
    """Raise UsageError, before the tests, for the file of an option that could not be written after them."""
    if (target := config.getoption(option)) is None:
        return
    from omisim.base.private_file import check_target

    try:
        check_target(option, config.invocation_params.dir / target)
    except ValueError as error:
        raise pytest.UsageError(f"omisim: {error}") from None


def _check_marker(node: pytest.Item | pytest.Collector) -> str | None:
    """Return the error of a test's markers as one line, or None if they are valid or missing."""
    if not isinstance(node, pytest.Item):
        return None
    name = ""
    try:
        if node.get_closest_marker(name := "omisim") is not None:
            from omisim.pytest_plugin.marker_options import check_options

            check_options(node.config, node)
        if node.get_closest_marker(name := SWEEP) is not None:
            from omisim.pytest_plugin.sweeping import read_sweep_options

            read_sweep_options(node)
    except ValueError as error:
        return f"{node.nodeid}: @pytest.mark.{name}: {error}"
    return None


def _watch_test_case(item: pytest.Item) -> None:
    """Watch the cloud of a TestCase of omisim, and keep its state: it is restored before the report is made."""
    unit, test = sys.modules.get("omisim.clients.unit"), getattr(item, "instance", None)
    if unit is None or not isinstance(test, unit.CloudMixin) or "cloud" not in vars(type(test)):
        return
    from omisim.pytest_plugin.report import WatchedCloud

    watched = item.stash[WATCHED] = WatchedCloud(type(test).cloud)
    test.addCleanup(watched.keep)
