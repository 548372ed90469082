"""`omisim rules`, `explain`, `lifecycle`, `images` and `actions`: the model as text and as JSON."""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omisim.base.hosts import DEFAULT_REGION
from omisim.base.named_file import read_file
from omisim.base.suggest import suggest, suggest_action
from omisim.base.texts import pluralize
from omisim.spec.errors import ERRORS
from omisim.spec.rules import GRADES, load_families
from omisim.tools.output import add_command, get_width, parse_kind, print_row, report_error

if TYPE_CHECKING:
    from omisim.spec.lifecycle import Lifecycle

__all__ = ["add_model_commands"]


def add_model_commands(commands: Any) -> None:
    """Add the parsers of the commands."""
    rules = add_command(commands, "rules", "list the rules of the model", _print_rules)
    kinds = sorted({family["kind"] for family in load_families().values()})
    rules.add_argument("--kind", help=f"only rules of this kind: {', '.join(kinds)}")
    rules.add_argument("--action", help="only rules of this action, for example CreateImage")
    rules.add_argument("--evidence", choices=list(GRADES), help="only rules with this grade of evidence")
    rules.add_argument("--measured", metavar="REPORT", help="show what a report of `omisim probe` says of each rule")
    rules.add_argument("--json", action="store_true", help="print JSON")
    explain = add_command(
        commands,
        "explain",
        "explain any word: a rule, an error, an action, a parameter, a state, a concept",
        _print_explanations,
    )
    explain.add_argument(
        "word", metavar="WORD", nargs="+", help="for example OMI-022, 9029, CreateImage, UserData, product code"
    )
    explain.add_argument("--json", action="store_true", help="print JSON")
    lifecycle = add_command(
        commands, "lifecycle", "show the states of a kind, and the actions allowed in each", _print_lifecycles
    )
    lifecycle.add_argument("kind", metavar="KIND", nargs="?", help="omi, vm, volume, snapshot, export…; default: all")
    lifecycle.add_argument(
        "--format", choices=("text", "mermaid", "svg"), default="text", help="default text; svg needs a KIND"
    )
    lifecycle.add_argument("--json", action="store_true", help="print JSON")
    lifecycle.refuse_useless("--format", why="beside --json", when=lambda options: options.json)
    images = add_command(commands, "images", "list the official OMIs of a new cloud", _print_images)
    images.add_argument("--region", default=DEFAULT_REGION, help=f"default {DEFAULT_REGION}")
    images.add_argument("--json", action="store_true", help="print JSON in the format of the API")
    actions = add_command(
        commands, "actions", "list the actions of the official API: served, or the reason why not", _print_actions
    )
    actions.add_argument("--json", action="store_true", help="print JSON")


def _print_rules(options: argparse.Namespace) -> int:
    from omisim.spec.cell_rules import load_every_rule

    try:
        kind = options.kind and parse_kind(options.kind)
        measured = _read_measured(options.measured)
    except ValueError as error:
        return report_error("rules", error)
    action = "" if options.action is None else _find_action(options.action)
    rules = [
        rule
        for rule in load_every_rule().values()
        if kind in (None, rule.kind)
        and (options.action is None or (action and rule.is_about(action)))
        and options.evidence in (None, rule.evidence)
    ]
    if options.json:
        extra = [{"measured": measured.get(rule.id)} if options.measured else {} for rule in rules]
        print(json.dumps([asdict(rule) | more for rule, more in zip(rules, extra, strict=True)], indent=2))
        return 0
    for rule in rules:
        code = f"{ERRORS[rule.error].status} {ERRORS[rule.error].code}" if rule.error else "out" if rule.out else ""
        verdict = f"{measured.get(rule.id, 'not measured'):<15} " if options.measured else ""
        print_row(f"{rule.id:<16} {code:<10} {rule.evidence:<11} {verdict}", rule.says or rule.out)
    suggestion = "" if action or options.action is None else suggest_action(options.action, _list_actions())
    print(f"{pluralize(len(rules), 'rule')}{suggestion}", file=sys.stderr)
    return 0 if rules else 1


def _read_measured(path: str | None) -> Mapping[str, str]:
    """Return the verdict of each rule in a report of `omisim probe`."""
    from omisim.probe.report import read_report

    return read_file(path, read_report).rules if path else {}


def _find_action(word: str) -> str:
    """Return the name of an action that is written in any case, "" for an unknown one."""
    return next((name for name in _list_actions() if name.lower() == word.lower()), "")


def _list_actions() -> list[str]:
    from omisim.actions.framework.registry import ACTIONS, not_served

    return [*ACTIONS, *not_served()]


def _print_explanations(options: argparse.Namespace) -> int:
    from omisim.tools import explain

    word = " ".join(options.word)
    explanations = explain.explain(word)
    if not explanations:
        return report_error("explain", f"unknown word {word!r}{explain.suggest_words(word)}")
    proofs = _load_proofs() if any(explanation.kind == "rule" for explanation in explanations) else {}
    if options.json:
        print(explain.to_json(explanations, proofs))
        return 0
    for explanation in explanations:
        print(explanation.format(get_width()))
        for test in proofs.get(explanation.title, ()):
            print(f"  Proof: {test}")
    return 0


def _load_proofs() -> dict[str, list[str]]:
    """Return the tests that prove each rule; {} outside a checkout, because the wheel has no tests."""
    table = Path(__file__).parents[2] / "tests" / "proofs.toml"
    return tomllib.loads(table.read_text("utf-8")) if table.is_file() else {}


def _print_lifecycles(options: argparse.Namespace) -> int:
    from omisim.spec.diagrams import render_mermaid, render_svg, render_text, to_data
    from omisim.spec.legend import find_kind
    from omisim.spec.lifecycle import LIFECYCLES

    kind = find_kind(options.kind or "", LIFECYCLES)
    if options.kind is not None and kind is None:
        similar = suggest(options.kind, LIFECYCLES)
        known = ", ".join(LIFECYCLES)
        return report_error("lifecycle", f"KIND must be one of {known}, not {options.kind!r}{similar}")
    kinds = list(LIFECYCLES) if kind is None else [kind]
    if options.json:
        print(json.dumps({each: to_data(LIFECYCLES[each]) for each in kinds}, indent=2))
        return 0
    if options.format == "svg" and kind is None:
        return report_error("lifecycle", f"--format svg draws one KIND: {', '.join(LIFECYCLES)}")
    draws: Mapping[str, Callable[[Lifecycle], str]] = {
        "text": lambda lifecycle: render_text(lifecycle, get_width()), "mermaid": render_mermaid, "svg": render_svg,
    }  # fmt: skip
    print("\n\n".join(draws[options.format](LIFECYCLES[each]) for each in kinds))
    return 0


def _print_images(options: argparse.Namespace) -> int:
    from omisim import Cloud
    from omisim.model.serialize import to_api

    try:
        images = Cloud().images.all(options.region)
    except ValueError as error:
        return report_error("images", error)
    lines = [f"{image.image_id}  {image.image_name}" for image in images]
    print(json.dumps(to_api(images), indent=2) if options.json else "\n".join(lines))
    return 0


def _print_actions(options: argparse.Namespace) -> int:
    from omisim.actions.framework.registry import ACTIONS
    from omisim.tools.word_tables import list_not_served

    rows = dict.fromkeys(ACTIONS, "") | dict(list_not_served())
    if options.json:
        data = [{"action": name, "served": not reason, "reason": reason} for name, reason in sorted(rows.items())]
        print(json.dumps(data, indent=2))
        return 0
    for name, reason in sorted(rows.items()):
        print_row(f"{name:<44} ", f"no: {reason}" if reason else "yes")
    print(f"{len(ACTIONS)} of {len(rows)} are served", file=sys.stderr)
    return 0
