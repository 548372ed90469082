"""The pytest plugin: fixtures over what a user can make by hand. It imports nothing but pytest until one is used."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from osc_sdk_python import Gateway

    from omisim import Account, Cloud
    from omisim.clients.environment import Environment
    from omisim.server import Running

INI = {
    "seed": "ids depend on it and on the calls",
    "timing": "eager, clock or manual",
    "clock": "where the virtual time starts (2026-01-01T00:00:00Z), or system",
    "catalog": "what a cloud begins with",
    "auth": "strict, lenient or off",
    "history": "how many changes and calls are kept",
    "scenario": "a file, from the rootdir, or the name of one that omisim ships",
    "region": "the Region of accounts that name none",
    "accounts": "accounts that every cloud has: alice bob@us-east-2",
    "limiter": "true leaves the SDK its limiter",
}
WIDER = "These fixtures live for one test. In a fixture of a wider scope, use omi_base, or make a Cloud()."
WATCHED = pytest.StashKey[Any]()
STRAYS = pytest.StashKey[list[str]]()


# --- hooks


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options, and the ini options of the marker's names."""
    group = parser.getgroup("omisim")
    group.addoption("--omisim-timeline", action="store_true", help="show what happened in the cloud of each test")
    group.addoption(
        "--omisim-coverage",
        action="store_true",
        help="report which actions, rules, states and transitions of the model the tests exercised (-vv: all of them)",
    )
    group.addoption(
        "--omisim-coverage-json", metavar="FILE", help="write that to a file as JSON (implies --omisim-coverage)"
    )
    group.addoption(
        "--omisim-coverage-fail-under",
        metavar="PERCENT",
        type=float,
        help="fail when less of the model was exercised (implies --omisim-coverage)",
    )
    for name, says in INI.items():
        parser.addini(f"omisim_{name}", f"omisim: {says}")
    parser.addini("omisim_switches", "omisim: open questions of behaviour, a line each: name = value", type="linelist")
    parser.addini("omisim_guard", "omisim: fail a test that sends to OUTSCALE without omi_env", type="bool")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; look at the ini options where there are any."""
    config.addinivalue_line(
        "markers", "omisim(timing=, accounts=, scenario=, ...): the cloud of a test, by the arguments of omisim.Cloud"
    )
    if any(config.getini(f"omisim_{name}") for name in (*INI, "switches")):
        from omisim.pytest_plugin.marker_options import check  # noqa: PLC0415 - loaded when it is used

        try:
            check(config)
        except ValueError as error:
            raise pytest.UsageError(f"omisim: {error}") from None
    if config.getini("omisim_guard"):
        from omisim.clients.intercept import guard_hosts  # noqa: PLC0415

        guard = ExitStack()
        config.stash[STRAYS] = guard.enter_context(guard_hosts())
        config.add_cleanup(guard.close)
    asked = ("omisim_coverage_json", "omisim_coverage_fail_under")
    covering = config.getoption("omisim_coverage") or any(config.getoption(name) is not None for name in asked)
    if covering and not config.getoption("collectonly"):
        from omisim.testing.reporting import CoverageReport  # noqa: PLC0415

        config.pluginmanager.register(CoverageReport(config), "omisim-coverage")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Refuse markers that ask for what there is not, with a line for each."""
    report = yield
    wrong = [line for node in report.result or () if (line := _wrong(node))]
    if wrong:
        report.outcome, report.longrepr, report.result = "failed", "\n".join(dict.fromkeys(wrong)), []
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that failed explain itself, and one fail that sent what nothing serves."""
    report = yield
    watched, strays = item.stash.get(WATCHED, None), _strays(item)
    if report.failed and report.when == "setup" and "ScopeMismatch" in report.longreprtext:
        report.sections += [("omisim", WIDER)] if "omi_" in report.longreprtext else []
    if strays or watched:
        from omisim.pytest_plugin.report import explain  # noqa: PLC0415

        explain(report, watched, strays, always=item.config.getoption("omisim_timeline"))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the timelines of tests that passed, where they are asked for."""
    if terminalreporter.config.getoption("omisim_timeline"):
        for report in terminalreporter.getreports("passed"):
            for title, text in report.sections:
                if title == "omisim" and report.when == "call":
                    terminalreporter.write_sep("_", f"omisim: {report.nodeid}")
                    terminalreporter.write_line(text)


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Show in what two clouds differ, for `assert cloud == other`."""
    if op != "==" or type(left).__module__ != "omisim.cloud.cloud" or type(left) is not type(right):
        return None
    from omisim.pytest_plugin.report import explain_difference  # noqa: PLC0415

    return explain_difference(left, right)


def _wrong(node: pytest.Item | pytest.Collector) -> str | None:
    if not isinstance(node, pytest.Item) or node.get_closest_marker("omisim") is None:
        return None
    from omisim.pytest_plugin.marker_options import check  # noqa: PLC0415

    try:
        check(node.config, node)
    except ValueError as error:
        return f"{node.nodeid}: @pytest.mark.omisim: {error}"
    return None


def _strays(item: pytest.Item) -> list[str]:
    """Return what a test sent to OUTSCALE that nothing serves, and forget it."""
    found: list[str] = []
    for kept in (item.stash.get(STRAYS, []), item.config.stash.get(STRAYS, [])):
        found += kept
        kept.clear()
    return found


# --- fixtures


@pytest.fixture(scope="session")
def omi_base(pytestconfig: pytest.Config) -> Cloud:
    """The cloud that each test forks. Override it to set up once what all tests begin with, and return it."""
    from omisim.pytest_plugin.marker_options import make_base  # noqa: PLC0415

    return make_base(pytestconfig)


@pytest.fixture
def omi_cloud(request: pytest.FixtureRequest, omi_base: Cloud) -> Cloud:
    """A fresh cloud for one test, as its marker wants it: a fork of omi_base."""
    from omisim.pytest_plugin.marker_options import make_test_cloud  # noqa: PLC0415
    from omisim.pytest_plugin.report import WatchedCloud  # noqa: PLC0415

    try:
        cloud = make_test_cloud(request.node, omi_base, sleeping="omi_sleep" in request.fixturenames)
    except ValueError as error:
        pytest.fail(f"omisim: {error}", pytrace=False)
    request.node.stash[WATCHED] = WatchedCloud(cloud)
    return cloud


@pytest.fixture
def omi_accounts(omi_cloud: Cloud, request: pytest.FixtureRequest) -> Callable[..., Account]:
    """Get more accounts of that cloud, each made at its first use."""
    region = _wanted(request).get("region")

    def account(name: str, **more: Any) -> Account:
        return omi_cloud.account(name, **more if name in omi_cloud.accounts else {"region": region, **more})

    return account


@pytest.fixture
def omi_account(omi_cloud: Cloud, request: pytest.FixtureRequest) -> Account:
    """The first account that the test asks for, or that omi_base has; else alice, in eu-west-2."""
    from omisim.pytest_plugin.marker_options import first_account  # noqa: PLC0415

    watched = request.node.stash.get(WATCHED, None)
    return first_account(omi_cloud, _wanted(request), watched.accounts if watched else ())


@pytest.fixture
def omi_gateway(omi_account: Account, request: pytest.FixtureRequest) -> Gateway:
    """A real osc-sdk-python Gateway signed in as that account (needs the extra `omisim[osc]`)."""
    with _extra():
        return omi_account.gateway(limiter=_wanted(request).get("limiter", False))


@pytest.fixture
def omi_oos(omi_account: Account) -> Any:
    """A real boto3 client of that account's object storage (needs the extra `omisim[oos]`)."""
    with _extra():
        return omi_account.client("oos")


@pytest.fixture
def omi_server(omi_cloud: Cloud) -> Iterator[Running]:
    """That cloud as an HTTP server: its `url`, its `env(account)` (needs the extra `omisim[server]`)."""
    with _extra():
        server = omi_cloud.serve()
    with server as running:
        yield running


@pytest.fixture
def omi_env(omi_account: Account, request: pytest.FixtureRequest) -> Iterator[Environment]:
    """That account's environment: clients that the code under test makes for itself reach the cloud."""
    with omi_account.environment(limiter=_wanted(request).get("limiter", False)) as environment:
        request.node.stash[STRAYS] = environment.strays
        yield environment


@pytest.fixture
def omi_sleep(omi_cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[None]:
    """Sleeps move that cloud's clock and return at once. Its timing is `clock`, unless the marker has one."""
    from omisim.pytest_plugin.marker_options import read_marker  # noqa: PLC0415

    if "timing" not in read_marker(request.node):
        omi_cloud.engine.settings.timing = "clock"  # for who asks for this fixture later than for the cloud
    with omi_cloud.sleeping():
        yield


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    from omisim.pytest_plugin.marker_options import merge_options  # noqa: PLC0415

    return merge_options(request.node)


@contextmanager
def _extra() -> Iterator[None]:
    """Tell of a missing extra in a line."""
    try:
        yield
    except ImportError as error:
        pytest.fail(f"omisim: {error}", pytrace=False)
