"""What a transition of `omisim check` costs: to make a call, to check every law, and to hash the new state.

The refused calls between the transitions, and the visit of each state, count too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks.goal import Goal, Limit, calibrated, cpu, work
from omisim.tools.check.actions import Bounds
from omisim.tools.check.search import check

DEPTH = 3


def goals() -> Iterator[Goal]:
    """Yield the goal of a transition."""
    sides = {"omisim": measure_transition, "workload": cpu(work, 20)}
    limit = Limit("µs", calibrated("omisim", 1e6), 312)  # 3,200 transitions a second
    yield Goal("a transition of omisim check", sides, (limit,), rounds=9)


def measure_transition() -> float:
    """Return the CPU seconds of a transition, of the first thousand."""
    start = time.process_time()
    result = check(Bounds(), DEPTH)
    return (time.process_time() - start) / result.transitions
