"""What filters look at: a field that is found by the filter's name, or what the filter declares."""

from __future__ import annotations

import inspect
from copy import copy
from typing import Any

import pytest
from tools import filter_dicts

from omisim.actions.framework.registry import ACTIONS
from omisim.model import Image, Nic, RouteTable, Vm
from omisim.model.filters import Filters, FiltersVolume, compile_filters
from omisim.model.filters.declaration import Strings
from omisim.model.filters.fields import find_path

SHAPES = [action.shape.fields["filters"].shape for action in ACTIONS.values() if "filters" in action.shape.fields]


class Misspelled(Filters[Image]):
    """Filters, one of which names no field of an OMI."""

    imag_ids: Strings = None


def test_a_misspelt_filter_of_a_filter_class_is_named() -> None:
    """A filter class raises TypeError with the names that it does not have."""
    names: dict[str, Any] = {"volume_id": ("vol-12345678",)}
    with pytest.raises(TypeError, match="FiltersVolume has no filter volume_id"):
        FiltersVolume(**names)


def test_the_signature_of_a_filter_class_names_its_filters() -> None:
    """`help` and editors show each filter of a class with its type."""
    parameters = inspect.signature(FiltersVolume).parameters
    assert list(parameters) == sorted(FiltersVolume.filter_names)
    assert parameters["volume_ids"].annotation == tuple[str, ...] | None


def test_the_repr_of_filters_has_the_given_ones() -> None:
    """A filter class has dozens of filters: its repr leaves out those that are not given."""
    filters = FiltersVolume(volume_ids=("vol-12345678",))
    assert repr(filters) == repr(copy(filters)) == "FiltersVolume(volume_ids=('vol-12345678',))"


@pytest.mark.parametrize("cls", [shape and shape.cls for shape in SHAPES])
def test_every_filter_of_every_read_has_a_field_to_look_at(cls: Any) -> None:
    """Each filter names a field of the entities that are read, or declares a path or a function of its own."""
    assert compile_filters(cls()) == ([], [])


def test_typed_dicts_have_the_filters_of_the_classes() -> None:
    """`filters={...}` has the same names and types as the filter classes: the generated module is up to date."""
    assert filter_dicts.generate() == filter_dicts.FILE.read_text("utf-8")


def test_a_filter_that_names_no_field_is_refused() -> None:
    """A filter without a declaration whose name leads to no field raises TypeError on first use."""
    with pytest.raises(TypeError, match="Image has no field for the filter imag_ids"):
        compile_filters(Misspelled())


@pytest.mark.parametrize(
    ("cls", "name", "path"),
    [
        (Image, "image_ids", "image_id"),
        (Image, "account_aliases", "account_alias"),
        (Image, "product_codes", "product_codes"),
        (Image, "permissions_to_launch_global_permission", "permissions_to_launch.global_permission"),
        (Image, "tag_keys", "tags.key"),
        (Nic, "private_ips_link_public_ip_public_ips", "private_ips.link_public_ip.public_ip"),
        (RouteTable, "route_table_ids", "route_table_id"),
        (Vm, "nic_link_nic_states", "nics.link_nic.state"),
        (Vm, "tenancies", None),  # placement.tenancy is not named by it
        (Vm, "boot_modes", "boot_mode"),  # not the internal field boot_modes
        (Vm, "started", None),
    ],
)
def test_a_filter_is_named_for_a_field_that_answers_show(cls: Any, name: str, path: str | None) -> None:
    """A filter has the name of a field or its plural, after the names of the parts that hold the field."""
    assert find_path(cls, name) == path
