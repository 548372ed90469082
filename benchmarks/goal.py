"""A goal: the sides that are measured in turn, the figure made of them, and its limit.

A side is a function that makes one measurement and returns it, usually seconds of CPU time of a call. `measure` runs
the sides of a goal in turn, round after round, so that a busy machine affects all of them alike. Each round gives one
figure, such as a ratio of two sides; the median of all rounds is judged, and shown with its quartiles.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

__all__ = [
    "Figure",
    "Goal",
    "Limit",
    "Side",
    "calibrated",
    "cpu",
    "elapsed",
    "measure",
    "over",
    "share",
    "single",
    "typical",
    "work",
]

Side = Callable[[], float]
Round = Mapping[str, float]


@dataclass(frozen=True)
class Limit:
    """One figure of each round, and the most that its median may be, or the least if `least` is true."""

    text: str
    figure: Callable[[Round], float]
    limit: float
    least: bool = False


@dataclass(frozen=True)
class Goal:
    """What is measured: sides by their names, and the limits of figures made of them.

    `rounds` overrides the number of rounds, for what takes long or is always the same. The first round of a goal
    with `warm` fills caches, and does not count.
    """

    name: str
    sides: Mapping[str, Side]
    limits: tuple[Limit, ...]
    rounds: int = 0
    warm: bool = True


@dataclass(frozen=True)
class Figure:
    """The result for one limit of a goal: the median of all rounds, and the quartiles below and above it."""

    goal: str
    text: str
    median: float
    low: float
    high: float
    limit: float
    least: bool

    @property
    def reached(self) -> bool:
        """Whether the median is within the limit."""
        return self.median >= self.limit if self.least else self.median <= self.limit


def measure(goal: Goal, rounds: int, topic: str) -> list[Figure]:
    """Measure the sides of a goal in turn, and return a figure for each of its limits."""
    gc.collect()
    gc.freeze()  # the collections within the rounds then pass over what exists
    measured = []
    try:
        for _ in range((goal.rounds or rounds) + goal.warm):
            gc.collect()
            measured.append({name: side() for name, side in goal.sides.items()})
    finally:
        gc.unfreeze()
    figures = []
    for limit in goal.limits:
        values = [limit.figure(sides) for sides in measured[goal.warm :]]
        low, _, high = quantiles(values, n=4) if len(values) > 1 else values * 3
        figures.append(Figure(f"{topic}: {goal.name}", limit.text, median(values), low, high, limit.limit, limit.least))
    return figures


# --- sides


def cpu(call: Callable[[], object], calls: int = 1) -> Side:
    """Return a side: the mean CPU time of a call in seconds."""
    return _timed(time.process_time, call, calls)


def typical(call: Callable[[], object], calls: int) -> Side:
    """Return a side: the median CPU time of a call in seconds, which single slow calls do not move."""
    one = cpu(call)
    return lambda: median(one() for _ in range(calls))


def elapsed(call: Callable[[], object], calls: int = 1) -> Side:
    """Return a side: the mean elapsed time of a call in seconds, for calls that wait for another process."""
    return _timed(time.perf_counter, call, calls)


def _timed(clock: Callable[[], float], call: Callable[[], object], calls: int) -> Side:
    def side() -> float:
        start = clock()
        for _ in range(calls):
            call()
        return (clock() - start) / calls

    return side


# --- figures


def single(name: str = "omisim", scale: float = 1) -> Callable[[Round], float]:
    """Return the figure that is one side, times a scale."""
    return lambda sides: sides[name] * scale


def over(name: str, base: str) -> Callable[[Round], float]:
    """Return the figure that is the ratio of two sides."""
    return lambda sides: sides[name] / sides[base]


def share(name: str, null: str, base: str) -> Callable[[Round], float]:
    """Return the figure that is what one side takes longer than another, as a ratio to a third."""
    return lambda sides: (sides[name] - sides[null]) / sides[base]


def calibrated(name: str, scale: float, beyond: str = "") -> Callable[[Round], float]:
    """Return the figure that is one side, as long as it would take on the machine on which the goals were set.

    With `beyond`, it is what the side takes longer than that other side. The side "workload" (`work`) tells how fast
    this machine is in the same round.
    """
    return lambda sides: (sides[name] - sides.get(beyond, 0)) / sides["workload"] * WORKLOAD * scale


# --- a fixed workload

WORKLOAD = 450e-6  # seconds of `work` where the goals were set, and a frozen dataclass of 8 fields took 0.85 µs


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    name: str
    size: int
    state: str


def work() -> dict[str, Any]:
    """Do what a call does: make rows, put them in a dict, join and format texts. It never changes, nor uses omisim."""
    rows: dict[str, Any] = {}
    for number in range(500):
        name = f"vol-{number:08x}"
        rows[name] = _Row(number, name, number % 7, "available" if number % 3 else "in-use")
    return {name: (row.size, row.state.upper()) for name, row in rows.items() if row.size > 1}
