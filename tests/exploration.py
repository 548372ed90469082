"""What the histories of a machine reach of the model, and what they leave out of what its actions can reach.

    HYPOTHESIS_PROFILE=deep python tests/exploration.py [MODULE:MACHINE]

The profile `deep` fails where something is left out, and names it; any other only reports. The histories are the same
each time.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import conftest
from hypothesis import HealthCheck, settings

from omisim.testing.coverage import GROUPS
from omisim.testing.exploration import explored, reach
from omisim.testing.words import sentences

assert conftest  # registers the profiles


def main(name: str = "omisim.testing.machine:CloudMachine") -> int:
    """Run a machine, print what it reached and what it left out, and return the exit status."""
    module, _, machine_name = name.partition(":")
    machine = getattr(import_module(module), machine_name)
    whole = reach(machine.actions)
    same = settings(derandomize=True, database=None, stateful_step_count=50, suppress_health_check=list(HealthCheck))
    left_out = whole.without(explored(machine, same))
    for group, what in GROUPS.items():
        there = len(getattr(whole, group))
        print(f"{there - len(getattr(left_out, group)):>5} of {there:<5} {group} {what}")
    for sentence in sentences(left_out, "no history"):
        print(f"  {sentence}")
    print(f"Never succeeded: {', '.join(sorted(left_out.actions)) or 'nothing'}")
    complete = not any(getattr(left_out, group) for group in GROUPS)
    return 0 if complete or os.environ.get("HYPOTHESIS_PROFILE") != "deep" else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
