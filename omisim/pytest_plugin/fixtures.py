"""The fixtures, which wrap the public API. Like `omisim.plugin`, this module imports only pytest until one is used."""

from __future__ import annotations

import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from omisim.pytest_plugin.guard import STRAYS, guard_test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from osc_sdk_python import Gateway

    from omisim import Account, Cloud
    from omisim.clients.environment import Environment
    from omisim.pytest_plugin.report import WatchedCloud
    from omisim.server import Running

__all__ = [
    "WATCHED", "_omi_options", "_omisim_sweep_shard", "omi_account", "omi_accounts", "omi_base", "omi_cloud",
    "omi_env", "omi_fcu", "omi_gateway", "omi_oos", "omi_server", "omi_sleep", "watch_override",
]  # fmt: skip

WATCHED: pytest.StashKey[WatchedCloud] = pytest.StashKey()


@pytest.fixture
def _omisim_sweep_shard(request: pytest.FixtureRequest) -> Any:
    """The part of the worlds of a swept test that this worker runs."""
    return request.param


@pytest.fixture(scope="session")
def omi_base(pytestconfig: pytest.Config) -> Cloud:
    """The cloud that each test forks (session-scoped). Override it to return a cloud with a shared setup."""
    from omisim.pytest_plugin.marker_options import make_base

    return make_base(pytestconfig)


@pytest.fixture
def omi_cloud(request: pytest.FixtureRequest, omi_base: Cloud) -> Cloud:
    """A fresh cloud for one test: a fork of omi_base, configured by the test's marker."""
    from omisim.pytest_plugin.marker_options import make_test_cloud
    from omisim.pytest_plugin.report import WatchedCloud

    guard_test(request.node)  # a test may request a fixture while it runs
    try:
        cloud = make_test_cloud(request.node, omi_base, sleeping="omi_sleep" in request.fixturenames)
    except ValueError as error:
        raise pytest.fail.Exception(f"omisim: {error}", pytrace=False) from None
    request.node.stash[WATCHED] = WatchedCloud(cloud, cloud.accounts)
    return cloud


def watch_override(item: pytest.Item, cloud: object) -> None:
    """Watch the cloud that a suite's own omi_cloud returns, unless it is the one that omi_cloud has made."""
    from omisim import Cloud
    from omisim.pytest_plugin.report import WatchedCloud

    watched = item.stash.get(WATCHED, None)
    if isinstance(cloud, Cloud) and (watched is None or watched.cloud is not cloud):
        item.stash[WATCHED] = WatchedCloud(cloud, watched.accounts if watched else ())


@pytest.fixture
def omi_accounts(omi_cloud: Cloud) -> Callable[..., Account]:
    """A function that returns an account of omi_cloud by name, and creates it on first use.

    It takes the arguments of `Cloud.account`.
    """
    return omi_cloud.account


@pytest.fixture
def omi_account(omi_cloud: Cloud, request: pytest.FixtureRequest) -> Account:
    """The first account of the marker or the ini option, else the first of omi_base, else alice."""
    from omisim.pytest_plugin.marker_options import first_account

    watched = request.node.stash.get(WATCHED, None)
    return first_account(omi_cloud, _merge_options(request), watched.accounts if watched else ())


@pytest.fixture
def _omi_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of a test, for `omisim.testing.forks.fork_each_example`."""
    return _merge_options(request)


@pytest.fixture
def omi_gateway(omi_account: Account, request: pytest.FixtureRequest) -> Gateway:
    """A real osc-sdk-python Gateway signed in as omi_account (needs the extra `omisim[osc]`)."""
    with _fail_without_extra():
        return omi_account.gateway(limiter=_merge_options(request).get("limiter", False))


@pytest.fixture
def omi_oos(omi_account: Account) -> Any:
    """A real boto3 S3 client for the object storage of omi_account (needs the extra `omisim[oos]`)."""
    with _fail_without_extra():
        return omi_account.client("oos")


@pytest.fixture
def omi_fcu(omi_account: Account) -> Any:
    """A real boto3 EC2 client for the FCU API, signed in as omi_account (needs the extra `omisim[fcu]`)."""
    with _fail_without_extra():
        return omi_account.client("fcu")


@pytest.fixture
def omi_server(omi_cloud: Cloud) -> Iterator[Running]:
    """An HTTP server for omi_cloud, with `url` and `env(account)` (needs the extra `omisim[server]`)."""
    with _fail_without_extra():
        server = omi_cloud.serve()
    with server as running:
        yield running


@pytest.fixture
def omi_env(omi_account: Account, request: pytest.FixtureRequest) -> Iterator[Environment]:
    """An environment in which the clients that the code under test creates reach omi_cloud as omi_account."""
    options = _merge_options(request)
    with _fail_without_extra():
        stack = ExitStack()
        limiter, server = options.get("limiter", False), options.get("children", False)
        environment = stack.enter_context(omi_account.environment(limiter=limiter, server=server))
    with stack:
        request.node.stash.setdefault(STRAYS, []).append(environment.strays)
        yield environment
    if environment.threads:
        names = ", ".join(environment.threads)
        warnings.warn(
            pytest.PytestWarning(
                f"omisim: {request.node.nodeid} ended before threads that it had started: {names}. Their requests to "
                "OUTSCALE are refused from now on; stop or join them in the test"
            ),
            stacklevel=1,
        )


@pytest.fixture
def omi_sleep(omi_cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let waiting of any kind advance the clock of omi_cloud and take no time.

    Timing is `clock` unless the marker sets it. With the option `virtual_time`, the clocks of `time` follow.
    """
    from omisim.pytest_plugin.marker_options import read_marker

    if "timing" not in read_marker(request.node):
        omi_cloud.engine.change_timing("clock")  # the cloud may have been created before this fixture was requested
    with omi_cloud.sleeping(virtual_time=_merge_options(request).get("virtual_time", False)):
        yield


def _merge_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    from omisim.pytest_plugin.marker_options import merge_options

    return merge_options(request.node)


@contextmanager
def _fail_without_extra() -> Iterator[None]:
    """Fail the test in one line if an extra is not installed."""
    try:
        yield
    except ImportError as error:
        raise pytest.fail.Exception(f"omisim: {error}", pytrace=False) from None
