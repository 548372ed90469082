"""Measure the cost of the laws per step of the machine, relative to the same calls without laws.

    python benchmarks/machine.py [HISTORIES]

The empty machine has the same rules, draws and calls, but no laws. The limit is 1.5. The laws of the whole cloud,
which are checked at the end of a history, are printed separately.
"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from omisim import ApiError
from omisim.engine.faults import Dropped
from omisim.testing import laws
from omisim.testing.machine import CloudMachine

LIMIT = 1.5
STEPS = 30
closing: list[float] = []


class Full(CloudMachine):
    """The unchanged machine; the time of its teardown is measured separately."""

    def teardown(self) -> None:
        """Close the history, and record the time."""
        start = time.process_time()
        super().teardown()
        closing.append(time.process_time() - start)


class Empty(CloudMachine):
    """The same rules, draws and calls, without laws."""

    def call(self, name: str, action: str, /, **parameters: Any) -> dict[str, Any] | None:
        """Make a call as a user does."""
        with suppress(ApiError, Dropped):
            return self.account(name).call(action, **parameters)
        return None

    def do(self, text: str, operation: Any) -> Any:  # noqa: ARG002 - the same signature
        """Do anything else."""
        return operation()

    def teardown(self) -> None:
        """Check nothing."""


def run(machine: type[CloudMachine], histories: int) -> float:
    """Return the CPU seconds of a number of histories, without their teardown."""
    chosen = settings(
        max_examples=histories, stateful_step_count=STEPS, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    closing.clear()
    start = time.process_time()
    run_state_machine_as_test(seed(0)(machine), settings=chosen)
    return time.process_time() - start - sum(closing)


def main() -> None:
    """Print the ratio, and the time of the laws of the whole cloud."""
    histories = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    run(Empty, 5)
    empty = min(run(Empty, histories) for _ in range(2))
    full = min(run(Full, histories) for _ in range(2))
    sweep = sum(closing) / len(closing) * 1000
    per_step = 1e6 / (histories * STEPS)
    print(
        f"a step: {full * per_step:.0f} us, empty {empty * per_step:.0f} us, ratio {full / empty:.2f} (limit {LIMIT})"
    )
    print(f"the laws of the whole cloud at the end of a history: {sweep:.1f} ms ({len(laws.LAWS)} laws)")


if __name__ == "__main__":
    main()
