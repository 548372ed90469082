"""The types of a cloud's settings, and the data that they describe."""

from __future__ import annotations

from dataclasses import fields

from tools import switch_types

from omisim.state.settings import Settings


def test_switches_for_type_checkers_are_those_of_the_tables() -> None:
    """`switches={...}` takes the switches with their values, and rules with errors: the generated module is current."""
    assert switch_types.generate() == switch_types.FILE.read_text("utf-8")


def test_a_copy_has_every_setting() -> None:
    """A fork's settings have the values of the original, in containers of their own."""
    settings = Settings(
        seed="7",
        timing="reads",
        auth="off",
        switches={"hot_volume_update": True},
        durations={"vm.pending": 3},
        unknown_images=True,
        capacity={"eu-west-2a": 3},
        licences={"0002": True},
        fetch=len,  # type: ignore[arg-type]  # anything that is not the default
        unserved="refuse",
        answers={"ReadCas": {}},
    )
    twin = settings.copy()
    for one in fields(Settings):
        if one.compare:
            value, copied = getattr(settings, one.name), getattr(twin, one.name)
            assert value != one.default
            assert copied == value
            assert isinstance(value, str | bool) or callable(value) or copied is not value
