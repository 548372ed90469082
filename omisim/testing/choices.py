"""Validation of the class attributes of `CloudMachine` subclasses, when the class is created."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, Final

from hypothesis.stateful import INITIALIZE_RULE_MARKER

from omisim.actions.framework.registry import ACTIONS
from omisim.base.suggest import suggest
from omisim.cloud.cloud import Cloud
from omisim.spec.catalog import load_catalog
from omisim.testing.initial_resources import check_counts
from omisim.testing.strategies.values import check_choice

if TYPE_CHECKING:
    from omisim.testing.machine import CloudMachine

__all__ = ["check_choices"]

SETTINGS: Final = (
    "accounts", "actions", "faults", "platform", "quotas", "shrink_seconds", "starts_with", "switches", "time_travel",
    "timings",
)  # fmt: skip
MIN_SIMILARITY: Final = 0.9  # of a misspelt setting; `account_ids` may be an attribute of its own
MISTAKEN: Final = {"switch": "switches", "travel": "time_travel"}  # for settings that resemble them less


def check_choices(machine: type[CloudMachine]) -> None:
    """Check the attributes of a machine and create its cloud once. Raises ValueError for a misspelt or invalid one."""
    own = vars(machine)
    for name in [name for name in own if name not in SETTINGS and name[0] != "_" and not callable(own[name])]:
        if similar := MISTAKEN.get(name) or suggest(name, SETTINGS, "{}", cutoff=MIN_SIMILARITY):
            raise ValueError(f"unknown attribute {name!r}; did you mean {similar!r}?")
    for part in machine.__mro__:
        for name, rule in vars(part).items():
            if name != "begin" and hasattr(rule, INITIALIZE_RULE_MARKER):
                raise ValueError(
                    f"{name} must not use @initialize, since it may run before the cloud exists; override prepare()"
                )
    _check_kinds(machine)
    for action in machine.actions:
        check_choice("actions", action, tuple(ACTIONS), "names of actions")
    for name in own.get("quotas", ()):
        check_choice("each key of quotas", name, tuple(machine.accounts))
    scenario = machine.starts_with if isinstance(machine.starts_with, str) else ""
    for timing in machine.timings:
        arguments: dict[str, Any] = {"timing": timing, "switches": machine.switches}
        cloud = Cloud.from_scenario(scenario, **arguments) if scenario else Cloud(**arguments)
    for name, region in machine.accounts.items():
        check_choice("the Region of an account", region, tuple(load_catalog().regions))
        cloud.account(name, region=region, quotas=machine.quotas.get(name))


def _check_kinds(machine: type[CloudMachine]) -> None:
    has_actions = isinstance(machine.actions, Collection) and not isinstance(machine.actions, str)
    has_timings = isinstance(machine.timings, list | tuple) and len(machine.timings) > 0
    checks = [
        (has_actions, "actions", "a set of names of actions"),
        (has_timings, "timings", "a tuple of at least one timing"),
    ]
    for name, values in (("accounts", "Regions"), ("quotas", "quotas"), ("switches", "values")):
        checks.append((isinstance(getattr(machine, name), Mapping), name, f"a mapping of names to {values}"))
    for is_valid, name, expected in checks:
        if not is_valid:
            raise ValueError(f"{name} must be {expected}, not {getattr(machine, name)!r}")
    if not machine.accounts:
        raise ValueError(f"accounts must be a mapping with at least one account, not {machine.accounts!r}")
    for name in ("faults", "time_travel", "platform"):
        check_choice(name, getattr(machine, name), (True, False))
    if not isinstance(machine.starts_with, str):
        check_counts(machine.starts_with, " or be the name of a scenario")
    if type(machine.shrink_seconds) not in (int, float) or machine.shrink_seconds < 0:
        raise ValueError(f"shrink_seconds must be a number of seconds from 0, not {machine.shrink_seconds!r}")
