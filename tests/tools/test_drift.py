"""A newer description of the API than the one that omisim was held against is told from it, by name."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from support.official import description
from tools.drift import TABLE, differences, read, surface, written


class TestDescription:
    def test_is_the_one_that_omisim_was_held_against(self) -> None:
        """What osc-sdk-python ships is what omisim expects; else serve what is new or say why not, and write it down.

        `python tests/tools/drift.py` writes it.
        """
        assert differences(read(TABLE.read_text()), surface(description())) == []

    def test_is_written_as_it_is(self) -> None:
        """The generated file is what the script writes: run `python tests/tools/drift.py`."""
        assert written(surface(description())) == TABLE.read_text()


@pytest.fixture(name="newer")
def _newer() -> dict[str, Any]:
    """A description to change."""
    return deepcopy(description())


class TestDifferences:
    def test_name_actions(self, newer: dict[str, Any]) -> None:
        """An action that is new, one that is gone, and one that is open to everybody now."""
        newer["paths"]["/ReadEverything"] = newer["paths"]["/ReadVms"]
        del newer["paths"]["/ReadLoadBalancers"]
        newer["paths"]["/ReadImages"]["post"] = newer["paths"]["/ReadImages"]["post"] | {"security": []}
        assert differences(surface(description()), surface(newer)) == [
            "added: ReadEverything (action)",
            "gone: ReadLoadBalancers (action)",
            "changed: ReadImages is action,open, was action",
        ]

    def test_name_parameters_and_fields(self, newer: dict[str, Any]) -> None:
        """A parameter that is new, a field that is gone, another type, another value, and what is required now."""
        schemas = newer["components"]["schemas"]
        schemas["CreateImageRequest"]["properties"]["Encrypted"] = {"type": "boolean"}
        del schemas["Image"]["properties"]["Architecture"]
        schemas["Vm"]["properties"]["LaunchNumber"]["type"] = "string"
        schemas["BootMode"]["enum"].append("bios")
        schemas["DeleteImageRequest"]["required"] = []
        assert differences(surface(description()), surface(newer)) == [
            "added: CreateImageRequest.Encrypted (boolean)",
            "gone: Image.Architecture (string)",
            "changed: BootMode is string|bios|legacy|uefi, was string|legacy|uefi",
            "changed: DeleteImageRequest.ImageId is string, was string,required",
            "changed: Vm.LaunchNumber is string, was integer",
        ]

    def test_are_none_between_equals(self, newer: dict[str, Any]) -> None:
        """Other words in a description, or another order, are no difference."""
        for part in newer["components"]["schemas"].values():
            part["description"] = "other words"
        newer["components"]["schemas"] = dict(reversed(newer["components"]["schemas"].items()))
        assert differences(surface(description()), surface(newer)) == []
        assert read(written(surface(newer))) == surface(newer)
