"""The report of a run: its findings, as JSON, and what they say of each rule and each switch."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from omisim.base.foreign import parse_json
from omisim.base.subset import shorten
from omisim.probe.judge import AGREES, CANNOT_TELL, DEFAULTS, DIFFERS, Finding
from omisim.spec.errors import ERRORS

__all__ = ["FORMAT", "Report", "list_not_calibrated", "read_report", "write_switches"]

FORMAT = 1


@dataclass
class Report:
    """What a run has measured. `done` are the experiments that were run, `left` the resources that still exist."""

    endpoint: str
    region: str
    version: str
    started: str
    run: str
    findings: list[Finding] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    created: int = 0
    calls: int = 0
    left: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def rules(self) -> dict[str, str]:
        """The verdict of each rule: "differs" if one finding differs, "agrees" if one agrees, else "could not tell"."""
        verdicts: dict[str, set[str]] = {}
        for finding in self.findings:
            for rule in finding.rules:
                verdicts.setdefault(rule, set()).add(finding.verdict)
        order = (DIFFERS, AGREES, CANNOT_TELL)
        return {rule: next(one for one in order if one in rule_verdicts) for rule, rule_verdicts in verdicts.items()}

    @property
    def summary(self) -> dict[str, int]:
        """The number of rules with each verdict."""
        return dict(Counter(self.rules.values()))

    @property
    def switches(self) -> dict[str, Any]:
        """The switches that make omisim agree with what was measured: behaviour, and errors by the id of their rule.

        A switch that its findings contradict is left out.
        """
        values: dict[str, set[Any]] = {}
        for one in self.findings:
            if one.switch and one.value is not None:
                values.setdefault(one.switch, set()).add(one.value)
        behavior = {name: next(iter(seen)) for name, seen in values.items() if len(seen) == 1}
        return {name: value for name, value in behavior.items() if value != DEFAULTS[name]} | self._errors

    @property
    def _errors(self) -> dict[str, str]:
        """The names of the measured errors by rule, where all refusals of a rule have the same error."""
        codes: dict[str, set[str]] = {}
        differing: set[str] = set()
        for one in self.findings:
            if not (one.switch or one.door) and one.code and one.expected.startswith("code "):
                for rule in one.rules:
                    codes.setdefault(rule, set()).add(one.code)
                differing.update(one.rules if one.verdict == DIFFERS else ())
        measured = {rule: _find_error_name(next(iter(seen))) for rule, seen in codes.items() if len(seen) == 1}
        return {rule: name for rule, name in measured.items() if rule in differing and name}

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a JSON object."""
        own = {name: value for name, value in asdict(self).items() if name != "findings"}
        results = [
            {name: value for name, value in asdict(one).items() if value not in ("", None)} for one in self.findings
        ]
        derived = {"summary": self.summary, "rules": self.rules, "switches": self.switches}
        return {"format": FORMAT, **own, **derived, "findings": results}


_EMPTY = Report(endpoint="", region="", version="", started="", run="")


def read_report(text: str) -> Report:
    """Return the report of a JSON document. Raises ValueError if it is not one."""
    data = parse_json(text)
    if not isinstance(data, dict):
        raise ValueError(f"not a report of omisim probe: it must be a JSON object, not {type(data).__name__}")
    try:
        if data["format"] != FORMAT:
            raise ValueError(f"format {data['format']} is not supported, only {FORMAT}")
        findings = [_read_finding(row) for row in data["findings"]]
        own = {one.name: _read_value(data, one.name) for one in fields(Report) if one.name != "findings"}
        return Report(**own, findings=findings)
    except (KeyError, TypeError, AttributeError) as error:
        reason = f"it has no {error}" if isinstance(error, KeyError) else error
        raise ValueError(f"not a report of omisim probe: {reason}") from None


def _read_value(data: Mapping[str, Any], name: str) -> Any:
    value, expected = data[name], type(getattr(_EMPTY, name))
    if type(value) is not expected:
        raise TypeError(f"{name} must be {expected.__name__}, not {type(value).__name__}")
    return value


def _read_finding(row: dict[str, Any]) -> Finding:
    finding = Finding(**{"expected": "", "measured": "", **row, "rules": tuple(row["rules"])})
    if finding.verdict not in (DIFFERS, AGREES, CANNOT_TELL) or not {*map(type, finding.rules)} <= {str}:
        raise TypeError(f"{shorten(row)} is not a finding")
    return finding


def write_switches(switches: Mapping[str, Any], endpoint: str, at: str) -> str:
    """Return switches as TOML, for `Cloud(switches=FILE)`."""
    lines = [f"{json.dumps(name)} = {json.dumps(value)}" for name, value in switches.items()]
    return "\n".join([f"# The switches that omisim probe measured on {endpoint}, {at}.", *lines, ""])


def list_not_calibrated(findings: Iterable[Finding], switches: Mapping[str, Any]) -> list[str]:
    """Return the rules that differ and that no switch makes agree."""
    differing = [one for one in findings if one.verdict == DIFFERS and one.switch not in switches]
    return list(dict.fromkeys(rule for one in differing for rule in one.rules if rule not in switches))


def _find_error_name(code: str) -> str:
    """Return the name of the error with a code; the first one if several have it."""
    return next((kind.name for kind in ERRORS.values() if kind.code == code), "")
