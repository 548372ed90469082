"""Run the benchmarks: `python -m benchmarks [TOPIC ...]`.

A topic is a module of this folder whose `goals` yields what it measures. Every goal is measured beside what it is
compared with, in turn, in one run. `--json` prints data, `--table` writes the table into the documentation, and
`--plot` draws what a call costs by the number of resources. The exit status is 1 if a goal is not reached.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from benchmarks.goal import Figure, measure

# those after "fcu" take minutes, or a second idle core
TOPICS = (
    "sdk", "core", "fcu", "server", "clouds", "state", "memory", "oos", "plugin", "machine", "check", "look", "sweep",
    "console", "workers",
)  # fmt: skip
DEFAULT = TOPICS[:3]
DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "explanation" / "speed.md"
PICTURE = DOCS / "sizes.svg"
MARKED = re.compile(r"(<!-- written by python -m benchmarks --table -->\n).*?(<!-- end -->)", re.DOTALL)


def main(words: Sequence[str]) -> int:
    """Run what the options ask for; return 1 if a goal is not reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="measure omisim beside its peers")
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help=f"any of {', '.join(TOPICS)}, or all")
    parser.add_argument("--rounds", type=_parse_size, default=15, metavar="N", help="rounds of each goal (default 15)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only the goals whose name contains this text")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--table", action="store_true", help=f"replace the table of {PAGE.name}")
    parser.add_argument("--plot", action="store_true", help=f"draw {PICTURE.name}: cost by the number of resources")
    parser.add_argument("--most", type=_parse_size, default=100_000, metavar="N", help="the largest (default 100000)")
    options = parser.parse_args(words)
    if options.plot:
        sizes = import_module("benchmarks.sizes")
        chosen_sizes = tuple(size for size in sizes.SIZES if size <= options.most)
        if len(chosen_sizes) < 2:
            parser.error(f"argument --most: must be at least {sizes.SIZES[1]}, for a line, not {options.most}")
        curves = sizes.measure_sizes(chosen_sizes)
        _write(PICTURE, sizes.draw(curves))
        return 0
    topics = TOPICS if "all" in options.topics else options.topics or DEFAULT
    if unknown := set(topics) - set(TOPICS):
        parser.error(f"unknown topic: {', '.join(sorted(unknown))}; known: {', '.join(TOPICS)}")
    figures = []
    for figure in measure_topics(topics, options.only, options.rounds):
        figures.append(figure)
        if not options.json:
            print(describe(figure), flush=True)
    if not figures:
        parser.error(f"no goal of {', '.join(topics)} has {options.only!r} in its name")
    if options.json:
        print(json.dumps([asdict(figure) | {"reached": figure.reached} for figure in figures], indent=2))
    if options.table:
        _write(PAGE, replace_table(PAGE.read_text("utf-8"), render_table(figures)))
    return int(not all(figure.reached for figure in figures))


def _write(path: Path, text: str) -> None:
    """Write a file, or exit with the reason in one line."""
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        sys.exit(f"python -m benchmarks: {path}: {error.strerror}")


def _parse_size(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a number of at least 1, not {text}")
    return int(text)


def measure_topics(topics: Sequence[str], only: str, rounds: int) -> Iterator[Figure]:
    """Yield the figures of the goals of some topics whose name, with the topic, contains a text."""
    for topic in topics:
        for goal in import_module(f"benchmarks.{topic}").goals():
            if only in f"{topic}: {goal.name}":
                yield from measure(goal, rounds, topic)


def describe(figure: Figure) -> str:
    """Return a figure as a line of text."""
    verdict = "" if figure.reached else "  NOT REACHED"
    return f"{figure.goal:52} {render_ratio(figure):>26} {figure.text} ({render_limit(figure)}){verdict}"


def render_table(figures: Sequence[Figure]) -> str:
    """Return figures as a table of Markdown."""
    rows = ["| goal | figure | of | limit |", "|---|---|---|---|"]
    for figure in figures:
        limit = render_limit(figure) if figure.reached else f"{render_limit(figure)}, not reached"
        rows.append(f"| {figure.goal} | {render_ratio(figure)} | {figure.text} | {limit} |")
    return "\n".join(rows)


def render_ratio(figure: Figure) -> str:
    """Return the median and the quartiles."""
    return f"{figure.median:.3g} ({figure.low:.3g} to {figure.high:.3g})"


def render_limit(figure: Figure) -> str:
    """Return the limit of a figure."""
    return f"at {'least' if figure.least else 'most'} {figure.limit:g}"


def replace_table(page: str, table: str) -> str:
    """Return a page with the table between its markers."""
    return MARKED.sub(lambda match: f"{match[1]}{table}\n{match[2]}", page)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
