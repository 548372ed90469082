"""The spelling of names in Python and in the API."""

from __future__ import annotations

import pytest

from omisim.model.serialize import api_name, snake_name


@pytest.mark.parametrize("name", ["vm_id", "image_name", "bsu_optimized", "block_device_mappings"])
def test_snake_case_and_the_spelling_of_the_api_are_inverse(name: str) -> None:
    """A name in snake_case is the same after a round trip through the API's spelling."""
    assert snake_name(api_name(name)) == name
