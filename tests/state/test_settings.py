"""The types of a cloud's settings, and the data that they describe."""

from __future__ import annotations

from tools import switch_types


def test_switches_for_type_checkers_are_those_of_the_tables() -> None:
    """`switches={...}` takes the switches with their values, and rules with errors: the generated module is current."""
    assert switch_types.generate() == switch_types.FILE.read_text("utf-8")
