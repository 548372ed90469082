"""The pytest plugin: fixtures over what a user can make by hand. It imports nothing but pytest until one is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from osc_sdk_python import Gateway

    from omisim import Account, Cloud
    from omisim.server import Running


@pytest.fixture
def omi_cloud() -> Cloud:
    """A fresh cloud for one test: every Region of the catalogue, no account yet."""
    from omisim import Cloud  # noqa: PLC0415 - loaded when it is used

    return Cloud()


@pytest.fixture
def omi_account(omi_cloud: Cloud) -> Account:
    """An account of that cloud, named alice, in eu-west-2."""
    return omi_cloud.account("alice")


@pytest.fixture
def omi_gateway(omi_account: Account) -> Gateway:
    """A real osc-sdk-python Gateway signed in as that account (needs the extra `omisim[osc]`)."""
    return omi_account.gateway()


@pytest.fixture
def omi_oos(omi_account: Account) -> Any:
    """A real boto3 client of that account's object storage (needs the extra `omisim[oos]`)."""
    return omi_account.client("oos")


@pytest.fixture
def omi_server(omi_cloud: Cloud) -> Iterator[Running]:
    """That cloud as an HTTP server: its `url`, its `env(account)` (needs the extra `omisim[server]`)."""
    with omi_cloud.serve() as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the command line."""
    group = parser.getgroup("omisim")
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


def pytest_configure(config: pytest.Config) -> None:
    """Register what was asked for."""
    asked = ("omisim_coverage_json", "omisim_coverage_fail_under")
    wanted = config.getoption("omisim_coverage") or any(config.getoption(name) is not None for name in asked)
    if wanted and not config.getoption("collectonly"):
        from omisim.testing.reporting import CoverageReport  # noqa: PLC0415 - loaded when it is used

        config.pluginmanager.register(CoverageReport(config), "omisim-coverage")
