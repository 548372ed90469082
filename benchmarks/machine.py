"""The cost of the laws per step of `CloudMachine`: the same rules, draws and calls, with and without laws.

The laws of the whole cloud, which are checked at the end of a history, do not count.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.goal import Goal, Limit, over
from omisim import ApiError
from omisim.engine.faults import Dropped
from omisim.testing.machine import CloudMachine

HISTORIES, STEPS = 50, 30
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


def run(machine: type[CloudMachine]) -> float:
    """Return the CPU seconds of a number of histories, without their teardown."""
    chosen = settings(
        max_examples=HISTORIES, stateful_step_count=STEPS, phases=[Phase.generate], database=None, deadline=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    closing.clear()
    start = time.process_time()
    run_state_machine_as_test(seed(0)(machine), settings=chosen)
    return time.process_time() - start - sum(closing)


def goals() -> Iterator[Goal]:
    """Yield the goal of the machine."""
    sides = {"omisim": partial(run, Full), "empty": partial(run, Empty)}
    yield Goal("a step of CloudMachine", sides, (Limit("over one without laws", over("omisim", "empty"), 1.5),), 3)
