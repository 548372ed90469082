"""`omisim check`: run the search, show its progress, and print the result."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

from omisim.base.texts import pluralize
from omisim.tools.check.actions import Bounds, CheckWorld
from omisim.tools.check.explorer import Violation
from omisim.tools.check.search import CheckResult, Level, Progress, check
from omisim.tools.check.statements import describe_truth

__all__ = ["run", "write_script"]

_UNDONE = "# These calls alone do not show it: a rollback of other calls, which the check tried before, is incomplete."


def run(options: argparse.Namespace) -> int:
    """Run the command; return 0 if every law holds, 1 if one is broken or a statement has become true.

    Raises ValueError for invalid bounds, scenarios and statements.
    """
    bounds = _choose_bounds(options)
    workers = 1 if options.workers is None else options.workers
    began = perf_counter()
    with _show_progress(quiet=options.json) as progress:
        question = {"scenario": options.scenario, "never": options.never, "dask": options.dask}
        result = check(bounds, options.depth, workers, progress, **question)
    seconds = perf_counter() - began
    if options.json:
        print(json.dumps(_to_json_data(result, workers, seconds), indent=2))
    else:
        print(_format_result(result, seconds))
    return 1 if result.violation else 0


def _choose_bounds(options: argparse.Namespace) -> Bounds:
    options_by_name = {"accounts": options.accounts, "regions": options.regions}
    sizes = {name: number for name, number in options_by_name.items() if number is not None}
    return Bounds(**sizes, images=options.images).validate()


def _to_json_data(result: CheckResult, workers: int, seconds: float) -> dict[str, Any]:
    """Return the result of a check as JSON data."""
    violation = result.violation
    return {
        **result.bounds._asdict(),
        "scenario": result.scenario,
        "never": list(result.never),
        "depth": len(result.levels),
        "workers": workers,
        "states": result.states,
        "transitions": result.transitions,
        "refused": result.refused,
        "complete": result.complete,
        "seconds": round(seconds, 2),
        "transitions_per_second": round(result.transitions / seconds),
        "levels": [
            {"depth": level.depth + 1, "visited": level.visited, "new": level.new_states}
            | {"transitions": level.transitions, "refused": level.refused}
            for level in result.levels
        ],
        "violation": violation
        and {"what": violation.error, "statement": violation.statement, "calls": len(violation.path)}
        | {"script": write_script(violation, result.bounds, result.scenario)},
    }


def _format_result(result: CheckResult, seconds: float) -> str:
    calls = result.transitions + result.refused
    speed = f"{result.transitions / seconds:,.0f} transitions, {calls / seconds:,.0f} calls a second"
    counts = {"state": result.states, "transition": result.transitions, "refused call": result.refused}
    lines = [
        ", ".join(pluralize(number, noun) for noun, number in counts.items()),
        f"{pluralize(len(result.levels), 'call')} deep in {seconds:.1f} s: {speed}",
    ]
    if result.complete:
        lines.append("The search is complete: every state that can be reached within these bounds was visited.")
    if result.violation is None:
        lines += [f"Never within {pluralize(len(result.levels), 'call')}: {statement}" for statement in result.never]
        return "\n".join([*lines, "Every law held in every state."])
    return "\n".join([*lines, "", write_script(result.violation, result.bounds, result.scenario)])


def write_script(violation: Violation, bounds: Bounds, scenario: str | None = None) -> str:
    """Return the calls that lead to a violation as a Python script, which says if they alone do not show it."""
    script = _write_calls(violation, bounds, scenario)
    return script if _fails(script) else f"{script}\n{_UNDONE}"


def _fails(script: str) -> bool:
    try:
        exec(script, {})  # noqa: S102 - the printed script itself is executed
    except Exception:  # noqa: BLE001 - the model may raise anything
        return True
    return False


def _write_calls(violation: Violation, bounds: Bounds, scenario: str | None) -> str:
    world = CheckWorld(bounds, scenario)
    statement = violation.statement
    exporting = {step.caller for step in violation.path if "osu_export" in step.arguments}
    lines = [f"# {line}" for line in violation.error.splitlines()]
    lines += ["from omisim import Cloud"]
    lines += [] if statement else ["from omisim.testing import laws"]
    lines += ["from omisim.testing.script import bucket"] if exporting else []
    lines += ["", *_write_beginning(world, scenario, statement)]
    lines += [f"bucket({name}, {name}.account_id)" for name in world.accounts if name in exporting]
    calls = [str(step) for step in violation.path]
    if not statement:
        *before, last = calls or [""]
        return "\n".join(
            [*lines, *before, "mark = cloud.mark()", last, "laws.check(cloud, since=mark)", "laws.check(cloud)"]
        )
    is_rule = violation.error != describe_truth(statement)
    return "\n".join([*lines, *calls, *([] if is_rule else [f"assert not ({statement})"])])


def _write_beginning(world: CheckWorld, scenario: str | None, statement: str) -> list[str]:
    """Return the lines that create the cloud, its accounts and the variables of a statement."""
    if scenario is None:
        # create every account, because ids depend on the resources created before
        accounts = [f'{name} = cloud.account("{a.name}", region="{a.region}")' for name, a in world.accounts.items()]
        return ['cloud = Cloud(timing="manual")', *accounts]
    lines = [f'cloud = Cloud.from_scenario({scenario!r}, timing="manual")']
    lines += ["cloud.faults.clear()"] if world.had_faults else []
    lines += [f"{name} = cloud.account({account.name!r})" for name, account in world.accounts.items()]
    names = [name for name in world.name_resources() if name not in world.accounts]
    return lines + [f"{name} = cloud.named({name!r})" for name in names if re.search(rf"\b{name}\b", statement)]


@contextmanager
def _show_progress(*, quiet: bool) -> Iterator[Progress | None]:
    """Yield a function that shows progress: a line per level, and a bar on a terminal if rich is installed."""
    if quiet:
        yield None
        return
    with _show_bar() as advance:

        def show(level: Level, states: int) -> None:
            advance(level, states)
            if level.visited == states:
                print(
                    f"depth {level.depth + 1}: {level.visited:>7,} visited, {level.new_states:>9,} new,"
                    f" {level.transitions:>9,} transitions, {level.refused:>9,} refused",
                    flush=True,
                )

        yield show


@contextmanager
def _show_bar() -> Iterator[Progress]:
    try:
        from rich.console import Console
        from rich.progress import Progress as Bar
    except ImportError:
        yield lambda _level, _states: None
        return
    with Bar(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        tasks: dict[int, Any] = {}

        def advance(level: Level, states: int) -> None:
            if level.depth not in tasks:
                tasks.clear()
                tasks[level.depth] = bar.add_task(f"depth {level.depth + 1}", total=states)
            bar.update(tasks[level.depth], completed=level.visited)

        yield advance
