"""Which experiments `omisim probe` runs: by rules, kinds and grades of evidence, of the package or of a file."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from omisim.base.foreign import parse_toml
from omisim.base.named_file import read_file
from omisim.base.suggest import suggest
from omisim.probe.experiments import Experiment
from omisim.probe.loading import read_story
from omisim.probe.plan import find_reason, find_rules, list_rules, select
from omisim.probe.report import Report, read_report
from omisim.tools.output import parse_kind

__all__ = ["find_chosen_rules", "read_old_report", "select_experiments"]


def select_experiments(options: argparse.Namespace) -> list[Experiment]:
    """Return the experiments that the options choose. Raises ValueError if there are none, with the reason."""
    chosen = select(find_chosen_rules(options), _read_own(options), cheap=options.cheap)
    if not chosen:
        own = _read_own(options)
        if own and not any(one.rules for one in own):
            raise ValueError(f'{options.experiments}: no call names the rule that it decides, as rule = "OMI-022" does')
        if options.cheap and select(find_chosen_rules(options), own):
            raise ValueError("all experiments that decide these rules create resources: leave out --cheap")
        reasons = [f"{rule}: {find_reason(rule)}" for rule in options.rule if rule in list_rules()]
        raise ValueError("; ".join(["no experiment decides such a rule", *reasons]))
    return chosen


def find_chosen_rules(options: argparse.Namespace) -> frozenset[str]:
    """Return the ids of the rules that the options choose. Raises ValueError for an unknown rule, kind or grade."""
    rules = list_rules()
    own = {rule for one in _read_own(options) for rule in one.rules}  # may have rules that omisim does not know
    for rule in options.rule:
        _check("--rule", rule, {*rules, *own})
    kind = options.kind and parse_kind(options.kind)
    _check("--evidence", options.evidence, {rule.evidence for rule in rules.values()})
    return find_rules(options.rule, kind, options.evidence) | own.intersection(options.rule or own)


def _check(option: str, value: str, names: Iterable[str]) -> None:
    if value and value not in names:
        known = sorted(names)
        choices_text = "the id of a rule" if option == "--rule" else f"one of {', '.join(known)}"
        raise ValueError(f"{option} must be {choices_text}, not {value!r}{suggest(value, known)}")


def _read_own(options: argparse.Namespace) -> list[Experiment]:
    path = options.experiments
    if not path:
        return []
    table = read_file(path, parse_toml)
    rows = [(name, row) for name, row in table.items() if isinstance(row, dict)]
    if len(rows) != len(table):
        raise ValueError(f"{path} must consist of tables, one for each experiment")
    return [read_story(name, row, path) for name, row in rows]


def read_old_report(path: Path, endpoint: str) -> Report:
    """Return the report of an earlier run, to go on with it. Raises ValueError if it is about another endpoint."""
    report = read_file(path, read_report)
    if report.endpoint != endpoint:
        raise ValueError(f"{path} is a report on {report.endpoint}; give another --report")
    report.findings = [one for one in report.findings if one.experiment in report.done]
    report.left, report.notes = {}, []
    return report
