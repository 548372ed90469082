"""Run the benchmarks: `python -m benchmarks`.

Each goal is measured beside its null client and its peer, in one run. With `--scripts`, the other scripts of this
folder run too, each with its own limits. `--json` prints data, `--table` writes the table into the documentation, and
`--plot` draws what a call costs by the number of resources. The exit status is 1 if a goal is not reached.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.goals import Figure, list_goals, measure
from benchmarks.sizes import SIZES, draw, measure_sizes

HERE = Path(__file__).parent
SCRIPTS = ("sdk", "fcu", "oos", "plugin", "server", "clouds", "state", "machine", "look", "sweep")
PAGE = HERE.parent / "docs" / "explanation" / "speed.md"
PICTURE = HERE.parent / "docs" / "sizes.svg"
MARKED = re.compile(r"(<!-- written by python -m benchmarks --table -->\n).*?(<!-- end -->)", re.DOTALL)


def main(words: list[str]) -> int:
    """Run what the options ask for; return 1 if a goal is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure omisim beside its peers")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="interleaved rounds of a goal (default 15)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the goals whose name contains this text")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--table", action="store_true", help=f"write the table into {PAGE.name}")
    parser.add_argument("--plot", action="store_true", help=f"draw {PICTURE.name}: cost by the number of resources")
    parser.add_argument("--most", type=int, default=SIZES[-1], metavar="N", help="the largest number (default 100000)")
    parser.add_argument("--scripts", action="store_true", help="run the other scripts too")
    options = parser.parse_args(words)
    if options.plot:
        PICTURE.write_text(draw(measure_sizes(tuple(size for size in SIZES if size <= options.most))), "utf-8")
        return 0
    with list_goals(options.only) as goals:
        figures = [measure(goal, options.rounds) for goal in goals]
    print(json.dumps([to_data(figure) for figure in figures], indent=2) if options.json else render_table(figures))
    if options.table:
        PAGE.write_text(replace_table(PAGE.read_text("utf-8"), render_table(figures)), "utf-8")
    failed = [figure.goal.name for figure in figures if not figure.holds]
    for script in SCRIPTS if options.scripts else ():
        print(f"\n--- {script}.py", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{script}"], cwd=HERE.parent, check=False).returncode:
            failed.append(f"{script}.py")
    print(f"not reached: {', '.join(failed)}" if failed else "every goal is reached", file=sys.stderr)
    return int(bool(failed))


def to_data(figure: Figure) -> dict[str, object]:
    """Return a figure as JSON data."""
    goal = figure.goal
    return {
        "goal": goal.name,
        "microseconds": round(figure.microseconds, 1),
        "null": goal.null,
        "over_null": figure.over_null,
        "limit": goal.limit or None,
        "peer": goal.peer or None,
        "peer_over": figure.peer_over,
        "factor": goal.factor or None,
        "reached": figure.holds,
    }


def render_table(figures: list[Figure]) -> str:
    """Return figures as a table of Markdown."""
    rows = ["| call | time | over canned bytes (limit) | moto over omisim (at least) |", "|---|---|---|---|"]
    for figure in figures:
        goal = figure.goal
        limit, factor = (f" ({number:g})" if number else "" for number in (goal.limit, goal.factor))
        peer = f"{figure.peer_over}{factor}" if figure.peer_over else ""
        rows.append(f"| {goal.name} | {figure.microseconds:,.0f} µs | {figure.over_null}{limit} | {peer} |")
    return "\n".join(rows)


def replace_table(page: str, table: str) -> str:
    """Return a page with the table between its markers."""
    return MARKED.sub(lambda match: f"{match[1]}{table}\n{match[2]}", page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
