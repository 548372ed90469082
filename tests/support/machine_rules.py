"""The rules of a state machine, for every version of Hypothesis that omisim allows."""

from __future__ import annotations

from typing import Any

from omisim.testing.machine import CloudMachine

__all__ = ["list_rules"]


def list_rules(machine: type[CloudMachine]) -> set[str]:
    """Return the names of the rules of a machine. Hypothesis had a method for them before it had an attribute."""
    rules: Any = machine().rules
    return {rule.function.__name__ for rule in (rules() if callable(rules) else rules)}
