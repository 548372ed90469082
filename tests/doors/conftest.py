"""Fixtures of the tests of doors."""

from __future__ import annotations

import pytest
from support.doors import DOORS, Door


@pytest.fixture(name="door", params=DOORS)
def _door(request: pytest.FixtureRequest) -> Door:
    """Each of the two doors that take requests over HTTP."""
    return DOORS[request.param]
