"""The report of a run as one HTML page, without scripts and other files."""

from __future__ import annotations

from html import escape

from omisim.probe.judge import AGREES, CANNOT_TELL, DIFFERS
from omisim.probe.plan import list_rules
from omisim.probe.report import Report

__all__ = ["render_page"]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } td, th { border-bottom: 1px solid #ccc; padding: .3rem .6rem;
text-align: left; vertical-align: top; overflow-wrap: anywhere; } .differs { background: #fdd; }
.tell { color: #777; }
"""
_CLASSES = {AGREES: "agrees", DIFFERS: "differs", CANNOT_TELL: "tell"}


def render_page(report: Report) -> str:
    """Return the page: the summary, the measured switches, and a row for each finding, differences first."""
    counts = ", ".join(f"{count} {verdict}" for verdict, count in report.summary.items())
    order = list(_CLASSES)
    findings = sorted(report.findings, key=lambda one: (order.index(DIFFERS) != order.index(one.verdict), one.rules))
    rows = "".join(
        f'<tr class="{_CLASSES[one.verdict]}"><td>{_quote(", ".join(one.rules))}</td>'
        f"<td>{_quote(_join_statements(one.rules))}</td>"
        f"<td>{one.verdict}</td><td>{_quote(one.expected)}</td><td>{_quote(one.measured)}</td></tr>\n"
        for one in findings
    )
    switches = "".join(
        f"<li><code>{_quote(name)} = {_quote(repr(value))}</code></li>" for name, value in report.switches.items()
    )
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>omisim probe: {_quote(report.endpoint)}</title>'
        f"<style>{_STYLE}</style>\n<h1>{_quote(report.endpoint)}</h1>\n<p>{_quote(report.started)}, omisim "
        f"{_quote(report.version)}: {counts or 'no rules'}</p>\n"
        + (f"<h2>Switches that differ</h2>\n<ul>{switches}</ul>\n" if switches else "")
        + "<table>\n<tr><th>rule</th><th>statement</th><th>verdict</th><th>expected</th><th>measured</th></tr>\n"
        f"{rows}</table></html>\n"
    )


def _join_statements(rules: tuple[str, ...]) -> str:
    known = list_rules()
    return " ".join(known[rule].says for rule in rules if rule in known)


def _quote(text: str) -> str:
    return escape(text, quote=True)
