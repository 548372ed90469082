"""Fixtures of the programs that talk to a server in its cloud's time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from omisim import Account, Cloud
from omisim.server import Running


@pytest.fixture(name="server")
def _server(slow: Cloud) -> Iterator[Running]:
    with slow.serve() as running:
        yield running


@pytest.fixture(name="me")
def _me(slow: Cloud) -> Account:
    return slow.account("alice")
