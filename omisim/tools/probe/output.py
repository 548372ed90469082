"""What `omisim probe` prints and writes."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence, Sized
from pathlib import Path

from omisim.base.private_file import check_target, write_private
from omisim.base.texts import pluralize
from omisim.probe.experiments import Experiment
from omisim.probe.judge import CANNOT_TELL
from omisim.probe.page import render_page
from omisim.probe.plan import estimate, list_coverage, list_rules
from omisim.probe.report import Report, list_not_calibrated, write_switches
from omisim.probe.runner import Limits
from omisim.tools.output import print_text

__all__ = ["Saver", "check_outputs", "print_coverage", "print_plan", "show_progress", "write_outputs"]


# the beginning of a reason why a rule is not decided → a text for all rules of its kind
_REASONS = {
    r"the (state|refusal) .*had ended": "a transient state had ended before the call",
    r"the account has no limit": "the account has no such quota",
    r"the quota \w+ leaves": "a quota of the account leaves too much",
}


class Saver:
    """Writes the report of --report, at most once a second until the end."""

    def __init__(self, path: str | None, report: Report, clock: Callable[[], float]) -> None:
        self._path = Path(path) if path else None
        self._report, self._clock, self._last = report, clock, clock()

    def __call__(self, *, final: bool) -> None:
        """Write the report, by a rename, so that an interruption loses nothing."""
        if self._path is None or not (final or self._clock() - self._last >= 1):
            return
        fresh = self._path.with_name(self._path.name + ".new")
        write_private(fresh, json.dumps(self._report.to_dict(), indent=2))
        fresh.replace(self._path)
        self._last = self._clock()


def check_outputs(options: argparse.Namespace) -> None:
    """Raise ValueError, before the run, for a file that could not be written after it."""
    for option in ("html", "calibrate", "report"):
        if target := getattr(options, option):
            check_target(f"--{option}", Path(target))


def write_outputs(options: argparse.Namespace, report: Report) -> None:
    """Print the report and its notes, and write the files of --html and --calibrate."""
    if options.calibrate and (rest := list_not_calibrated(report.findings, report.switches)):
        report.notes.append(f"no switch makes omisim agree on {', '.join(rest)}")
    if options.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        _print_table(report)
    for note in report.notes:
        print_text(f"omisim probe: {note}", sys.stderr)
    if options.html:
        write_private(options.html, render_page(report))
    if options.calibrate:
        text = write_switches(report.switches, report.endpoint, report.started)
        write_private(options.calibrate, text)


def _print_table(report: Report) -> None:
    texts_by_rule: dict[str, list[str]] = {}
    for finding in report.findings:
        if finding.verdict == "agrees":
            continue
        for rule in finding.rules:
            expected = f"expected {finding.expected}; " if finding.expected else ""
            text = f"{expected}{finding.measured}"
            texts_by_rule.setdefault(rule, []).append(
                text if finding.verdict == report.rules[rule] else f"{finding.verdict}: {text}"
            )
    verdicts = report.rules
    known_rules = filter(verdicts.__contains__, list_rules())
    for rule in dict.fromkeys((*known_rules, *verdicts)):  # experiments of the user may have rules of their own
        verdict = verdicts[rule]
        print_text(f"{rule:<16} {verdict:<15} {' | '.join(dict.fromkeys(texts_by_rule.get(rule, ())))}".rstrip())
    counts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(report.summary.items()))
    for reason, number in Counter(_list_reasons(report)).most_common():
        print_text(f"{number:>5} could not tell: {reason}", sys.stderr)
    print(
        f"{counts or 'no rules'}; {pluralize(report.calls, 'call')}, {pluralize(report.created, 'resource')} created",
        file=sys.stderr,
    )


def _list_reasons(report: Report) -> Iterator[str]:
    """Yield, for each rule that could not be decided, the reason in general terms."""
    measured = {rule: one.measured for one in report.findings for rule in one.rules}
    for rule, verdict in report.rules.items():
        if verdict == CANNOT_TELL:
            general = [text for pattern, text in _REASONS.items() if re.match(pattern, measured[rule])]
            yield general[0] if general else measured[rule][:100]


def print_plan(experiments: Sequence[Experiment], limits: Limits, *, json_output: bool) -> int:
    """Print the experiments with the bounds of their cost; return the exit status."""
    cost = estimate(experiments, limits)
    rows = [
        {"experiment": one.name, "source": one.source, "rules": one.rules, "switches": one.switches,
         "resources": one.resources, "minutes": _compute_minutes(one, limits)}
        for one in experiments
    ]  # fmt: skip
    if json_output:
        bounds = {"resources": min(cost.resources, limits.resources), "minutes": cost.minutes}
        print(json.dumps({"experiments": rows, "calls": cost.calls, "at_most": bounds}, indent=2))
        return 0
    for one in experiments:
        minutes = _compute_minutes(one, limits)
        print(f"{one.name:<40} {one.resources:>3} resources  {minutes:>3} min  {', '.join(one.rules)}")
    bound = min(cost.resources, limits.resources)
    resources, total = pluralize(bound, "resource"), pluralize(cost.minutes, "minute")
    calls = f"{pluralize(cost.calls, 'call')}, and others to wait and to clean up"
    print(f"at most {resources} and {total}; {calls}", file=sys.stderr)
    return 0


def _compute_minutes(experiment: Experiment, limits: Limits) -> int:
    return -int(-experiment.waits * limits.wait // 60)


def print_coverage(rules: Collection[str], *, json_output: bool) -> int:
    """Print rules with their experiments, or the reason why they have none; return the exit status."""
    rows = [row for row in list_coverage() if row.rule.id in rules]
    decided = [row for row in rows if row.experiments]
    refusals = [row for row in rows if row.rule.error]
    refused = [row for row in refusals if row.experiments]
    if json_output:
        rule_data = [{"rule": row.rule.id, "experiments": row.experiments, "reason": row.reason} for row in rows]
        print(json.dumps({"rules": rule_data, "decided": len(decided), "all": len(rows)}, indent=2))
        return 0
    for row in rows:
        print(f"{row.rule.id:<40} {', '.join(row.experiments) or f'none: {row.reason}'}")
    print(
        f"{_format_share(decided, rows, 'rules')} have an experiment, {_format_share(refused, refusals, 'refusals')}",
        file=sys.stderr,
    )
    return 0


def _format_share(part: Sized, whole: Sized, noun: str) -> str:
    share = f" ({len(part) / len(whole):.0%})" if whole else ""
    return f"{len(part)} of {len(whole)} {noun}{share}"


def show_progress(done: int, total: int, text: str) -> None:
    """Draw a progress bar on a terminal."""
    if sys.stderr.isatty():
        end = "\n" if done == total else ""
        bar = "#" * (30 * done // max(total, 1))
        print(f"\r[{bar:<30}] {done}/{total} {text[:60]:<60}", end=end, file=sys.stderr, flush=True)
