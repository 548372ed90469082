"""What a subclass of `CloudMachine` chooses, looked at when the class is made: a mistake is one clear line."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from hypothesis.stateful import INITIALIZE_RULE_MARKER

from omisim.actions.framework.registry import ACTIONS
from omisim.cloud.cloud import Cloud
from omisim.spec.catalog import load_catalog
from omisim.testing.strategies.values import one_of_these

if TYPE_CHECKING:
    from omisim.testing.machine import CloudMachine

__all__ = ["check_choices"]

# what is easily written for what a machine looks at
SINGULARS = {
    "account": "accounts", "action": "actions", "fault": "faults", "quota": "quotas", "switch": "switches",
    "timing": "timings", "travel": "travels",
}  # fmt: skip


def check_choices(machine: type[CloudMachine]) -> None:
    """Make a cloud as each history will. Raises ValueError for what there is not, and for an attribute misspelt."""
    own = vars(machine)
    for name, meant in SINGULARS.items():
        if name in own and not callable(own[name]):
            raise ValueError(f"{name} is nothing that a machine chooses; did you mean {meant}?")
    for part in machine.__mro__:
        for name, rule in vars(part).items():
            if name != "begin" and hasattr(rule, INITIALIZE_RULE_MARKER):
                raise ValueError(f"{name} may run before there is a cloud: override prepare(), without @initialize")
    _check_kinds(machine)
    for action in machine.actions:
        one_of_these("an action", action, tuple(ACTIONS))
    for name in own.get("quotas", ()):
        one_of_these("an account with quotas", name, tuple(machine.accounts))
    for timing in machine.timings:
        cloud = Cloud(timing=timing, switches=machine.switches)
    for name, region in machine.accounts.items():
        one_of_these("the Region of an account", region, tuple(load_catalog().regions))
        cloud.account(name, region=region, quotas=machine.quotas.get(name))


def _check_kinds(machine: type[CloudMachine]) -> None:
    names = isinstance(machine.actions, Collection) and not isinstance(machine.actions, str)
    some = isinstance(machine.timings, list | tuple) and len(machine.timings) > 0
    kinds = [(names, "actions", "a set of names of actions"), (some, "timings", "a tuple of names, one at least")]
    for name, what in (("accounts", "the Region of each"), ("quotas", "the quotas of each"), ("switches", "values")):
        kinds.append((isinstance(getattr(machine, name), Mapping), name, f"a mapping of names to {what}"))
    for right, name, said in kinds:
        if not right:
            raise ValueError(f"{name} is {said}, not {getattr(machine, name)!r}")
    if not machine.accounts:
        raise ValueError("a machine needs accounts: give it some, by name and Region")
    for name in ("faults", "travels"):
        one_of_these(name, getattr(machine, name), (True, False))
