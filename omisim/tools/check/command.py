"""`omisim check`: run the search, show its progress, and print the result."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from omisim.tools.check.actions import Bounds, CheckWorld
from omisim.tools.check.search import Found, Level, Progress, Violation, check

__all__ = ["data", "run", "script"]


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0 if every law holds, 1 if one is broken. Raises ValueError for invalid bounds."""
    bounds = Bounds(options.accounts, options.regions, options.images).checked()
    began = perf_counter()
    with _show_progress(quiet=options.json) as progress:
        found = check(bounds, options.depth, options.workers, progress)
    seconds = perf_counter() - began
    if options.json:
        print(json.dumps(data(found, options.workers, seconds), indent=2))
    else:
        print(_text(found, seconds))
    return 1 if found.violation else 0


def data(found: Found, workers: int, seconds: float) -> dict[str, Any]:
    """Return the result of a check as JSON data."""
    broken = found.violation
    return {
        **found.bounds._asdict(),
        "depth": len(found.levels),
        "workers": workers,
        "states": found.states,
        "transitions": found.transitions,
        "refused": found.refused,
        "complete": found.complete,
        "seconds": round(seconds, 2),
        "transitions_per_second": round(found.transitions / seconds),
        "levels": [
            {"depth": level.depth + 1, "visited": level.visited, "new": level.found}
            | {"transitions": level.transitions, "refused": level.refused}
            for level in found.levels
        ],
        "violation": broken
        and {"what": broken.what, "calls": len(broken.path), "script": script(broken, found.bounds)},
    }


def _text(found: Found, seconds: float) -> str:
    calls = found.transitions + found.refused
    speed = f"{found.transitions / seconds:,.0f} transitions, {calls / seconds:,.0f} calls a second"
    lines = [
        f"{found.states:,} states, {found.transitions:,} transitions, {found.refused:,} refused calls",
        f"{len(found.levels)} calls deep in {seconds:.1f} s: {speed}",
    ]
    if found.complete:
        lines.append("There are no more states: every one that can be reached in these bounds was visited.")
    if found.violation is None:
        return "\n".join([*lines, "Every law held in every state."])
    return "\n".join([*lines, "", script(found.violation, found.bounds)])


def script(broken: Violation, bounds: Bounds) -> str:
    """Return the calls that lead to a violation as a Python script."""
    world = CheckWorld(bounds)
    exporting = {step.who for step in broken.path if "osu_export" in step.given}
    lines = [f"# {line}" for line in broken.what.splitlines()]
    lines += ["from omisim import Cloud", "from omisim.testing import laws"]
    lines += ["from omisim.testing.script import bucket"] if exporting else []
    lines += ["", 'cloud = Cloud(timing="manual")']
    # create every account, because ids depend on the resources created before
    lines += [
        f'{name} = cloud.account("{name}", region="{account.region}")' for name, account in world.accounts.items()
    ]
    lines += [f"bucket({name}, {name}.account_id)" for name in world.accounts if name in exporting]
    *before, last = map(str, broken.path) if broken.path else [""]
    return "\n".join(
        [*lines, *before, "mark = cloud.mark()", last, "laws.check(cloud, since=mark)", "laws.check(cloud)"]
    )


@contextmanager
def _show_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield a function that shows progress: a line per level, and a bar on a terminal if rich is installed."""
    if quiet:
        yield None
        return
    with _progress_bar() as advance:

        def show(level: Level, states: int) -> None:
            advance(level, states)
            if level.visited == states:
                print(
                    f"{level.depth + 1:>3} calls deep: {level.visited:>9,} states visited, {level.found:>9,} new,"
                    f" {level.transitions:>11,} transitions, {level.refused:>11,} refused",
                    flush=True,
                )

        yield show


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    try:
        from rich.console import Console  # noqa: PLC0415 - optional: needs the extra `demo`
        from rich.progress import Progress as Bar  # noqa: PLC0415
    except ImportError:
        yield lambda _level, _states: None
        return
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[int, Any] = {}

        def advance(level: Level, states: int) -> None:
            if level.depth not in tasks:
                tasks.clear()
                tasks[level.depth] = bar.add_task(f"{level.depth + 1} calls deep", total=states)
            bar.update(tasks[level.depth], completed=level.visited)

        yield advance
