"""The command line: `omisim <command>`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from omisim.rules import catalogue

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    status: int = options.run(options)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omisim", description="The OUTSCALE cloud's OMI model, in memory.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="a golden-image pipeline of two accounts, through the real SDK")
    demo.add_argument("--json", action="store_true", help="the transcript and the lineage as data")
    demo.set_defaults(run=_demo)
    explain = commands.add_parser("explain", help="a rule of the model: what it says, its error, its evidence")
    explain.add_argument("rule", metavar="RULE", help="a rule's id as a refusal names it, for example OMI-022")
    explain.set_defaults(run=_explain)
    return parser


def _demo(options: argparse.Namespace) -> int:
    try:
        from omisim.demo import play, show  # noqa: PLC0415 - needs the SDK and rich
    except ImportError as error:
        print(f"omisim demo: {error}; pip install 'omisim[all]'", file=sys.stderr)  # noqa: T201
        return 1
    if options.json:
        print(json.dumps(play().to_dict(), indent=2))  # noqa: T201
    else:
        show(play())
    return 0


def _explain(options: argparse.Namespace) -> int:
    from omisim.lifecycle import cells  # noqa: PLC0415 - the other commands do not need it

    rules = dict(catalogue()) | {cell.id: cell for cell in cells()}
    if options.rule not in rules:
        print(f"omisim explain: there is no rule {options.rule!r}", file=sys.stderr)  # noqa: T201
        return 1
    print(rules[options.rule].explain())  # noqa: T201
    return 0
