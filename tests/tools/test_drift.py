"""A description of the API that is newer than the one omisim was compared with is reported, by name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from support.official import load_description
from tools.drift import TABLE, differences, format_surface, read, surface


class TestOfficialDescription:
    def test_is_the_one_that_drift_txt_records(self) -> None:
        """What osc-sdk-python ships is what omisim expects; else serve what is new or say why not, and write it down.

        `python tests/tools/drift.py` writes it.
        """
        assert differences(read(TABLE.read_text()), surface(load_description())) == []

    def test_is_recorded_in_drift_txt_as_the_script_writes_it(self) -> None:
        """The generated file is current: run `python tests/tools/drift.py`."""
        assert format_surface(surface(load_description())) == TABLE.read_text()


@pytest.fixture(name="newer")
def _newer() -> dict[str, Any]:
    """A description to change."""
    return deepcopy(load_description())


class TestDifferences:
    def test_name_new_removed_and_newly_open_actions(self, newer: dict[str, Any]) -> None:
        """New actions, removed ones, and those that need no authentication any more are listed."""
        newer["paths"]["/ReadEverything"] = newer["paths"]["/ReadVms"]
        del newer["paths"]["/ReadLoadBalancers"]
        newer["paths"]["/ReadImages"]["post"] = newer["paths"]["/ReadImages"]["post"] | {"security": []}
        assert differences(surface(load_description()), surface(newer)) == [
            "added: ReadEverything (action)",
            "gone: ReadLoadBalancers (action)",
            "changed: ReadImages is action,open, was action",
        ]

    def test_name_changed_parameters_and_fields(self, newer: dict[str, Any]) -> None:
        """New parameters, removed fields, other types and values, and newly required ones are listed."""
        schemas = newer["components"]["schemas"]
        schemas["CreateImageRequest"]["properties"]["Encrypted"] = {"type": "boolean"}
        del schemas["Image"]["properties"]["Architecture"]
        schemas["Vm"]["properties"]["LaunchNumber"]["type"] = "string"
        schemas["BootMode"]["enum"].append("bios")
        schemas["DeleteImageRequest"]["required"] = []
        assert differences(surface(load_description()), surface(newer)) == [
            "added: CreateImageRequest.Encrypted (boolean)",
            "gone: Image.Architecture (string)",
            "changed: BootMode is string|bios|legacy|uefi, was string|legacy|uefi",
            "changed: DeleteImageRequest.ImageId is string, was string,required",
            "changed: Vm.LaunchNumber is string, was integer",
        ]

    def test_ignore_wording_and_order(self, newer: dict[str, Any]) -> None:
        """Another wording or order in a description is not a difference."""
        for part in newer["components"]["schemas"].values():
            part["description"] = "other words"
        newer["components"]["schemas"] = dict(reversed(newer["components"]["schemas"].items()))
        assert differences(surface(load_description()), surface(newer)) == []
        assert read(format_surface(surface(newer))) == surface(newer)
