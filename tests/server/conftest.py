"""Fixtures of the tests of the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omisim import Account, Cloud
from omisim.server import Running
from omisim.server.client import Client


@pytest.fixture(name="server")
def _server(cloud: Cloud, alice: Account) -> Iterator[Running]:
    with cloud.serve() as running:
        yield running


@pytest.fixture(name="control")
def _control(server: Running) -> Client:
    return Client(server.url, server.token)
