"""Names: the API's, and ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omisim.model.serialize import api_name, snake_name, to_api_names, to_snake_names

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


class TestNames:
    @given(name=st.text() | st.from_regex("[A-Za-z_=]{1,12}", fullmatch=True))
    def test_come_back_from_our_spelling(self, name: str) -> None:
        """Errors spell every name of a request as the caller did."""
        assert api_name(snake_name(name)) == name

    @pytest.mark.parametrize("name", ["vm_id", "vmId", "vmid", "VM_ID", "", "=VmId", "_VmId", "vm-id", "VmÍd "])
    def test_in_another_form_than_the_apis_are_none_of_ours(self, name: str) -> None:
        """A name that the API would not know is not taken for the parameter that it resembles. [REQ-008]"""
        assert not snake_name(name).isidentifier()

    @pytest.mark.parametrize(
        ("name", "ours"), [("VmId", "vm_id"), ("With", "with_"), ("Iops", "iops"), ("PrivateIps", "private_ips")]
    )
    def test_of_the_api_become_names_of_python(self, name: str, ours: str) -> None:
        """A name of the API is snake_cased word by word; a keyword of Python gets an underscore."""
        assert snake_name(name) == ours

    @pytest.mark.parametrize("name", ["vm_id", "image_name", "bsu_optimized", "block_device_mappings"])
    def test_of_ours_come_back_from_the_spelling_of_the_api(self, name: str) -> None:
        """A name in snake_case is the same after a round trip through the API's spelling."""
        assert snake_name(api_name(name)) == name

    @given(value=JSON)
    def test_are_translated_at_any_depth(self, value: Any) -> None:
        """Parameters with our names, spelled for the API again, are what the request held."""
        assert to_api_names(to_snake_names(value)) == value

    def test_are_translated_into_containers_of_their_own(self) -> None:
        """What is translated shares no list and no mapping with what the caller holds."""
        ids = ["i-1"]
        ours = to_snake_names({"VmIds": ids})
        ids.clear()
        assert ours == {"vm_ids": ["i-1"]}
