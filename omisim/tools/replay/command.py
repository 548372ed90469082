"""`omisim replay`: print the divergences of a recording, with those that follow from them, and a summary."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict

from omisim.base.named_file import read_file
from omisim.base.texts import pluralize
from omisim.formats.recording import Exchange, exchanges
from omisim.tools.output import print_text, report_error
from omisim.tools.replay.player import replay
from omisim.tools.replay.report import Divergence, Report, acceptances, fillings

__all__ = ["run"]

STATUSES: Mapping[str | None, int] = {None: 0, "answer": 1, "content": 3}  # 2: the command could not run


def run(options: argparse.Namespace) -> int:
    """Replay a recording and return the exit status: that of the worst divergence."""
    try:
        recorded = read_file(options.file, _read_recording)
        accepted = read_file(options.accept, acceptances) if options.accept else ()
        fill = read_file(options.fill, fillings) if options.fill else {}
    except ValueError as error:
        return report_error("replay", error)
    try:
        report = replay(
            recorded, accepted, region=options.region, timing=options.timing, values=options.values, fill=fill
        )
    except ValueError as error:
        return report_error("replay", f"{options.file}: {error}")
    if options.json:
        summary = [{"action": one[0], "rule": one[1], "count": count} for one, count in report.summary.items()]
        print(json.dumps({**asdict(report), "severity": report.severity, "summary": summary}, indent=2))
    else:
        _print_report(report, options)
    return STATUSES[report.severity]


def _read_recording(text: str) -> tuple[Exchange, ...]:
    recorded = tuple(exchanges(text.splitlines()))
    if not recorded:
        raise ValueError("the recording is empty")
    return recorded


def _print_report(report: Report, options: argparse.Namespace) -> None:
    followers: dict[int, list[Divergence]] = {}
    for divergence in report.divergences:
        if divergence.follows is not None:
            followers.setdefault(divergence.follows, []).append(divergence)
    for divergence in report.divergences:
        if divergence.follows is None:
            acceptance = f" [accepted: {divergence.accepted}]" if divergence.accepted else ""
            print_text(f"{options.file}:{divergence.line}: {divergence.action}: {divergence.says}{acceptance}")
            for line, action in dict.fromkeys((one.line, one.action) for one in followers.pop(divergence.line, ())):
                print_text(f"    follows: {options.file}:{line}: {action}")
    for line, reason in report.skipped.items():
        print_text(f"{options.file}:{line}: not replayed: {reason}", sys.stderr)
    for unused in report.idle:
        print_text(f"{options.accept}: unused acceptance: {unused.reason}", sys.stderr)
    for name in report.unused:
        print_text(f"{options.fill}: unused value: {name}", sys.stderr)
    for (action, rule), count in sorted(report.summary.items(), key=lambda item: (-item[1], item[0])):
        print_text(f"{count:>5} {action} {rule}".rstrip(), sys.stderr)
    accepted = sum(bool(one.accepted) for one in report.divergences)
    following = sum(one.follows is not None for one in report.divergences)
    print_text(
        f"{pluralize(report.exchanges, 'exchange')}, {pluralize(len(report.failed), 'divergence')}, {accepted} accepted"
        f"{f', {following} that follow from others' if following else ''}",
        sys.stderr,
    )
