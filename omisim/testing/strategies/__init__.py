"""Hypothesis strategies for values of the model: names, types, devices, permissions, files, and requests.

An invalid argument raises ValueError at once. Needs the extra `omisim[hypothesis]`.

    from hypothesis import given, strategies as st
    from omisim.testing.strategies import requests, vm_types

    @given(data=st.data())
    def test_my_tool_survives(data):
        cloud = Cloud()
        alice = cloud.account("alice")
        my_tool(alice.gateway()).launch(**data.draw(requests("CreateVms", cloud, alice)))
"""

from __future__ import annotations

try:
    import hypothesis as _hypothesis
except ImportError as _error:
    raise ImportError("omisim.testing.strategies needs Hypothesis: pip install 'omisim[hypothesis]'") from _error

from omisim.testing.strategies.api_requests import filters, requests
from omisim.testing.strategies.clouds import clouds
from omisim.testing.strategies.files import disk_images, manifests, scenarios
from omisim.testing.strategies.values import device_mappings, image_names, permissions, vm_types

__all__ = [
    "clouds", "device_mappings", "disk_images", "filters", "image_names", "manifests", "permissions", "requests",
    "scenarios", "vm_types",
]  # fmt: skip

assert _hypothesis
