"""Fixtures of the tests of waiting in a cloud's time."""

from __future__ import annotations

import pytest

from omisim import Account, Cloud


@pytest.fixture(name="cloud")
def _cloud(slow: Cloud) -> Cloud:
    return slow


@pytest.fixture(name="alice")
def _alice(cloud: Cloud) -> Account:
    return cloud.account("alice")
