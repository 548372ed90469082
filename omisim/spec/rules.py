"""The rules of the model: one row of `rules.toml` each, and `refuse`, the way to break off a call.

A row holds the statement in our words, the error (a name of `errors.ERRORS`), the Details template, the fix, the
evidence and the documentation page. The code names a rule's id at the one place that checks it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from string import Formatter
from typing import TYPE_CHECKING, Any

from omisim.spec.errors import ERRORS, ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from omisim.spec.errors import ErrorKind

__all__ = ["GRADES", "KINDS", "Rule", "catalogue", "refuse", "rule"]

GRADES: Mapping[str, str] = {
    "documented": "the official documentation or API description says so",
    "measured": "seen in recorded answers of the real cloud",
    "tested": "asserted against the real cloud by functional tests in 2021",
    "client": "coded into the official clients, which depend on it",
    "inferred": "by analogy; a switch can change it",
}
# the first letters of a rule's id → the kind of thing it is about
KINDS: Mapping[str, str] = {
    "ACC": "account",
    "AK": "access_key",
    "AUTH": "request",
    "BDM": "vm",
    "CAT": "catalogue",
    "CPY": "image",
    "EXP": "export",
    "FLD": "answer",
    "FLT": "filter",
    "ID": "id",
    "IGW": "internet_service",
    "IMP": "import",
    "KEY": "keypair",
    "LIC": "licence",
    "LNK": "volume_link",
    "MAN": "import",
    "MKT": "marketplace",
    "NET": "net",
    "NIC": "nic",
    "OMI": "image",
    "OOS": "object storage",
    "PAG": "page",
    "PIP": "public_ip",
    "QTA": "quota",
    "REG": "region",
    "REQ": "request",
    "RTB": "route_table",
    "SG": "security_group",
    "SHR": "sharing",
    "SNP": "snapshot",
    "TAG": "tag",
    "THR": "request",
    "UNK": "open question",
    "VM": "vm",
    "VMT": "vm",
    "VOL": "volume",
}
_STATES = {"IXT": "image_export", "OMI": "image", "SNP": "snapshot", "VM": "vm", "VOL": "volume"}  # ST-VM-1
LONGEST_FACT = 200


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the model.

    `error` is a name of `errors.ERRORS` ("" where the rule describes and refuses nothing); `details` and `fix` are
    templates over the facts of the call; `evidence` grades the rule, `error_evidence` its error. `out`: why the rule is
    not modelled, where it is not. `switch`: the name of the switch that answers the question it leaves open.
    """

    id: str
    says: str = ""
    error: str = ""
    details: str = ""
    fix: str = ""
    evidence: str = "inferred"
    error_evidence: str = ""
    source: str = ""
    ec2: str = ""
    out: str = ""
    switch: str = ""

    @property
    def kind(self) -> str:
        """The kind of thing the rule is about."""
        if "/" in self.id and self.id[0].islower():
            return self.id.partition("/")[0]
        family, _, rest = self.id.partition("-")
        return _STATES[rest.partition("-")[0]] if family == "ST" else KINDS[family]

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions the rule is about, in lower case: the one its page documents, or its cell's."""
        if "/" in self.id and self.id[0].islower():
            return (self.id.split("/")[1].partition(" ")[0].lower(),)
        _, _, anchor = self.source.partition("api.html#")
        return (anchor,) if anchor else ()

    @property
    def page(self) -> str:
        """The page of the rule in the documentation: docs/reference/rules/<page>.md."""
        return self.kind.replace("_", "-").replace(" ", "-")

    @property
    def anchor(self) -> str:
        """The anchor of the rule on its page."""
        return re.sub(r"[^a-z0-9]+", "-", self.id.lower())

    def details_for(self, facts: Mapping[str, Any]) -> str:
        """Return the Details of a refusal: the row's template with this call's facts."""
        return _filled(self.details or self.says, facts)

    def explain(self, facts: Mapping[str, Any] | None = None, kind: ErrorKind | None = None) -> str:
        """Return the rule as lines for a person, with the facts of one call where there is one."""
        kind = kind or (ERRORS[self.error] if self.error else None)
        lines = [f"{self.id}: {self.says or 'not modelled'}"]
        if self.out:
            lines.append(f"  Not modelled: {self.out}")
        if facts is not None:
            lines.append(f"  Refused: {self.details_for(facts)}")
            lines += [f"  {name} = {_short(value)}" for name, value in facts.items() if value is not None]
        if self.fix:
            lines.append(f"  Fix: {self.fix if facts is None else _filled(self.fix, facts)}")
        if kind:
            lines.append(f"  Error: HTTP {kind.status}, Code {kind.code}, Type {kind.type} ({kind.name})")
        if self.says:
            lines.append(f"  Evidence: {self.evidence_text}")
        if self.switch:
            lines.append(f"  Switch: Cloud(switches={{{self.switch!r}: ...}})")
        if self.ec2:
            lines.append(f"  EC2: {self.ec2}")
        if self.source:
            lines.append(f"  Documentation: {self.source}")
        return "\n".join(lines)

    @property
    def evidence_text(self) -> str:
        """The grade of the rule, and of its error where that differs, in words."""
        if self.error_evidence and self.error_evidence != self.evidence:
            return f"rule {self.evidence} ({GRADES[self.evidence]}), error {self.error_evidence}"
        return f"{self.evidence} ({GRADES[self.evidence]})"


def refuse(rule_id: str, /, **facts: Any) -> ApiError:
    """Make the refusal of a rule with the facts of this call, to be raised."""
    return ApiError(rule(rule_id), facts)


def rule(rule_id: str) -> Rule:
    """Return the row of `rules.toml` with this id. Raises KeyError when there is none."""
    return catalogue()[rule_id]


@cache
def catalogue() -> Mapping[str, Rule]:
    """Return every row of `rules.toml`, in the order of the file."""
    with files("omisim.spec").joinpath("rules.toml").open("rb") as stream:
        rows = tomllib.load(stream)
    return {rule_id: _read(rule_id, row) for rule_id, row in rows.items()}


def _read(rule_id: str, row: dict[str, Any]) -> Rule:
    evidence = row.pop("evidence", "inferred")
    if isinstance(evidence, dict):
        row["error_evidence"] = evidence["error"]
        evidence = evidence["rule"]
    return Rule(id=rule_id, evidence=evidence, **row)


def _filled(template: str, facts: Mapping[str, Any]) -> str:
    return template.format(**{name: _short(facts.get(name)) for name in _names(template)})


@lru_cache(maxsize=1024)
def _names(template: str) -> list[str]:
    """Return the facts that a template names."""
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _short(value: object) -> str:
    """Spell a fact for a person, never longer than a line: a request may carry megabytes."""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return text if len(text) <= LONGEST_FACT else f"{text[:LONGEST_FACT]}… ({len(text)} characters)"
