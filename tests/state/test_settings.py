"""The types of a cloud's settings, and the data that they describe."""

from __future__ import annotations

from typing import get_args, get_type_hints

from omisim import Switches
from omisim.state.settings import SWITCHES


def test_switches_for_type_checkers_are_those_of_the_table() -> None:
    """`Switches` has the switches of `switches.toml`, each with the values that it may have."""
    hints = get_type_hints(Switches)
    typed = {name: {True, False} if hint is bool else set(get_args(hint)) for name, hint in hints.items()}
    assert typed == {name: {switch.default, *switch.others} for name, switch in SWITCHES.items()}
