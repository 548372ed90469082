"""A pytest plugin for the SDK's own tests: the SDK's description is parsed once, not for each of their gateways."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from osc_sdk_python import Gateway

from omisim.clients.sdk_description import kept_description


@pytest.fixture(autouse=True, scope="session")
def _description() -> Iterator[None]:
    with kept_description(Gateway):
        yield
