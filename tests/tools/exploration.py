"""Report the part of the model that histories of a machine reach, and the reachable part that they miss.

    HYPOTHESIS_PROFILE=deep python tests/tools/exploration.py [MODULE:MACHINE]

The profile `deep` fails if an item is missed; other profiles only report. Histories are deterministic and run on all
cores.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from importlib import import_module
from multiprocessing import Pool
from pathlib import Path
from traceback import format_exc

from hypothesis import HealthCheck, Phase, settings

from omisim.testing.coverage import GROUPS, Coverage
from omisim.testing.coverage_report import describe_gaps
from omisim.testing.exploration import ROUND, reach, run_round

sys.path.insert(0, str(Path(__file__).parents[1]))  # for a script
import conftest

assert conftest  # registers the profiles
STEPS = 100  # of a history
CLOUD_MACHINE = "omisim.testing.machine:CloudMachine"
# reason → rules that CloudMachine cannot reach
BEYOND: Mapping[str, tuple[str, ...]] = {
    "it makes no Nets, which the machine of tests/testing/test_network_laws.py does": (
        "VM-009/net", "VM-009/public", "VM-010/existing", "VM-010/nic", "VM-011/subnet", "VM-012", "VM-013",
        "VM-013/several", "VM-013/subnet",
    ),
    "it does not call CreateProductType": ("LIC-015",),
    "user data of half a million characters would be part of each script": ("VM-019/length",),
}  # fmt: skip


def explore(name: str, number: int) -> Coverage | str:
    """Run one round of a machine; return what it exercised, or how it failed."""
    module, _, machine_name = name.partition(":")
    round_settings = settings(
        max_examples=ROUND,
        stateful_step_count=STEPS,
        phases=(Phase.generate,),  # a long history takes minutes to shrink: pytest has the shorter ones
        suppress_health_check=list(HealthCheck),
    )
    try:
        return run_round(getattr(import_module(module), machine_name), round_settings, number)
    except Exception:  # noqa: BLE001 - it is reported with the script
        return format_exc()


def rounds(name: str) -> Iterator[Coverage | str]:
    """Yield the result of each round."""
    count = -(-settings().max_examples // ROUND)
    with Pool() as pool:
        yield from pool.imap_unordered(partial(explore, name), range(count))


def main(name: str = CLOUD_MACHINE) -> int:
    """Run a machine, print what it reached and what it left out, and return the exit status."""
    coverage, failures = Coverage(), 0
    for result in rounds(name):
        if isinstance(result, str):
            failures += 1
            print(result, flush=True)
        else:
            coverage.merge(result)
    module, _, machine_name = name.partition(":")
    whole = reach(getattr(import_module(module), machine_name).actions)
    for why, rules in BEYOND.items() if name == CLOUD_MACHINE else ():
        whole.rules.difference_update(rules)
        print(f"Not required: {', '.join(rules)}: {why}")
    missed = whole.without(coverage)
    for group, what in GROUPS.items():
        total = len(getattr(whole, group))
        print(f"{total - len(getattr(missed, group)):>5} of {total:<5} {group} {what}")
    for sentence in describe_gaps(missed, "no history"):
        print(f"  {sentence}")
    print(f"Never succeeded: {', '.join(sorted(missed.actions)) or 'nothing'}")
    complete = not any(getattr(missed, group) for group in GROUPS)
    return 0 if not failures and (complete or os.environ.get("HYPOTHESIS_PROFILE") != "deep") else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
