"""The pause of the garbage collector."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress

import pytest

from omisim.base.garbage import pause_collections


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """The collector works again after the test."""
    yield
    gc.enable()


@pytest.mark.parametrize("is_enabled", [True, False])
def test_a_pause_leaves_the_collector_as_it_was(is_enabled: bool) -> None:
    """It is off during the pause, and works afterwards, also after an error, unless the program had switched it off."""
    if not is_enabled:
        gc.disable()
    with suppress(ZeroDivisionError), pause_collections():
        assert not gc.isenabled()
        raise ZeroDivisionError
    assert gc.isenabled() == is_enabled
