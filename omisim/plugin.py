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
