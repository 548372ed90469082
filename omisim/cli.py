"""The command line: `omisim <command>`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from difflib import get_close_matches

from omisim.errors import ERRORS
from omisim.rules import GRADES, KINDS, Rule, catalogue, proofs

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except BrokenPipeError:  # the reader, `head` perhaps, has seen enough
        sys.stderr.close()
        return 0
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="omisim", description="The OUTSCALE cloud's OMI model, in memory.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser("demo", help="a golden-image pipeline of two accounts, through the real SDK")
    demo.add_argument("--json", action="store_true", help="the transcript and the lineage as data")
    demo.set_defaults(run=_demo)
    rules = commands.add_parser("rules", help="the rules of the model, one a line")
    rules.add_argument("--kind", choices=sorted(set(KINDS.values())), help="of this kind of thing only")
    rules.add_argument("--action", help="of this action only, for example CreateImage")
    rules.add_argument("--evidence", choices=list(GRADES), help="known this well only")
    rules.add_argument("--json", action="store_true", help="as data")
    rules.set_defaults(run=_rules)
    explain = commands.add_parser("explain", help="a rule: what it says, its error, its evidence, its tests")
    explain.add_argument("rule", metavar="RULE", help="a rule's id as a refusal names it, for example OMI-022")
    explain.set_defaults(run=_explain)
    lifecycle = commands.add_parser("lifecycle", help="the states of a kind, and what may be done in each")
    lifecycle.add_argument("kind", metavar="KIND", nargs="?", help="vm, volume, snapshot, image…; all when left out")
    lifecycle.add_argument("--format", choices=("text", "mermaid"), default="text")
    lifecycle.set_defaults(run=_lifecycle)
    return parser


def _demo(options: argparse.Namespace) -> int:
    try:
        from omisim.demo import play, show  # noqa: PLC0415 - needs the SDK and rich
    except ImportError as error:
        return _wrong(f"omisim demo: {error}; pip install 'omisim[all]'")
    if options.json:
        print(json.dumps(play().to_dict(), indent=2))  # noqa: T201
    else:
        show(play())
    return 0


def _every_rule() -> Mapping[str, Rule]:
    from omisim.lifecycle import cells  # noqa: PLC0415 - `demo` does not need it

    return {**catalogue(), **{cell.id: cell for cell in cells()}}


def _rules(options: argparse.Namespace) -> int:
    found = [
        rule
        for rule in _every_rule().values()
        if options.kind in (None, rule.kind)
        and (options.action is None or options.action.lower() in rule.actions)
        and options.evidence in (None, rule.evidence)
    ]
    if options.json:
        print(json.dumps([asdict(rule) for rule in found], indent=2))  # noqa: T201
        return 0
    for rule in found:
        code = f"{ERRORS[rule.error].status} {ERRORS[rule.error].code}" if rule.error else "out" if rule.out else ""
        print(f"{rule.id:<16} {code:<10} {rule.evidence:<11} {rule.says or rule.out}")  # noqa: T201
    print(f"{len(found)} rules", file=sys.stderr)  # noqa: T201
    return 0 if found else 1


def _explain(options: argparse.Namespace) -> int:
    rules = _every_rule()
    rule = rules.get(options.rule) or rules.get(options.rule.upper())
    if rule is None:
        near = get_close_matches(options.rule, rules, n=3)
        hint = f"; near it: {', '.join(near)}" if near else "; `omisim rules` lists them"
        return _wrong(f"omisim explain: there is no rule {options.rule!r}{hint}")
    print(rule.explain())  # noqa: T201
    for test in proofs().get(rule.id, ()):
        print(f"  Proof: {test}")  # noqa: T201
    return 0


def _lifecycle(options: argparse.Namespace) -> int:
    from omisim.drawing import mermaid, text  # noqa: PLC0415 - `demo` does not need it
    from omisim.lifecycle import LIFECYCLES  # noqa: PLC0415

    if options.kind not in (None, *LIFECYCLES):
        return _wrong(f"omisim lifecycle: {options.kind!r} is none of {', '.join(LIFECYCLES)}")
    draw = mermaid if options.format == "mermaid" else text
    kinds = LIFECYCLES if options.kind is None else (options.kind,)
    print("\n\n".join(draw(LIFECYCLES[kind]) for kind in kinds))  # noqa: T201
    return 0


def _wrong(text: str) -> int:
    print(text, file=sys.stderr)  # noqa: T201
    return 1
