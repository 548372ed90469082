"""The rules of the model, one row of `rules.toml` each, and `refuse`, which makes the refusal of a call.

A row holds the statement, the error (a name in `errors.ERRORS`), the Details template, the fix, the evidence and the
documentation page. The code names a rule's id only where it checks the rule.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import cache, lru_cache
from string import Formatter
from typing import TYPE_CHECKING, Any

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen, replace
from omisim.base.texts import escape_surrogates
from omisim.spec.errors import ERRORS, ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from omisim.spec.errors import ErrorKind

__all__ = ["GRADES", "Rule", "get_action_page", "get_kind", "get_rule", "load_families", "load_rules", "refuse"]

GRADES: Mapping[str, str] = {
    "documented": "the official documentation or API description says so",
    "measured": "seen in recorded answers of the real cloud",
    "tested": "asserted against the real cloud by functional tests in 2021",
    "client": "coded into the official clients, which depend on it",
    "inferred": "by analogy, without a source",
}
DOCUMENTATION = "https://docs.outscale.com/api.html"
MAX_FACT_LENGTH = 200  # characters of a text
MAX_LIST_LENGTH = 2000  # characters of the items of a list


@frozen()
class Rule:
    """One rule of the model.

    `error` is a name in `errors.ERRORS`, or "" for a rule that refuses nothing. `details` and `fix` are templates over
    the facts of the call (`{vm_id}`) and the names of the API, which begin with a capital (`{VmId}`). `evidence` grades
    the rule, `error_evidence` its error. `out` replaces `says`: the reason why omisim has no rule of its own for the
    subject. `switch` is the name of the switch that decides its open question. `known` says where the rule was seen,
    and what other sources say instead.
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
    known: str = ""

    @property
    def kind(self) -> str:
        """The kind of resource that the rule is about."""
        return get_kind(self.id)

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions that the rule is about, in lower case: the one on its documentation page, or its cell's."""
        if _is_cell(self.id):
            return (self.id.split("/")[1].partition(" ")[0].lower(),)
        _, _, anchor = self.source.partition(f"{DOCUMENTATION}#")
        return (anchor,) if anchor else ()

    def is_about(self, action: str) -> bool:
        """Whether the rule is one of an action: one of `actions`, or one that its statement names."""
        return action.lower() in self.actions or re.search(rf"\b{action}\b", self.says) is not None

    @property
    def page(self) -> str:
        """The page of the rule in the documentation: docs/reference/rules/<page>.md."""
        return self.kind.replace("_", "-").replace(" ", "-")

    @property
    def anchor(self) -> str:
        """The anchor of the rule on its page."""
        return re.sub(r"[^a-z0-9]+", "-", self.id.lower())

    def render_details(self, facts: Mapping[str, Any]) -> str:
        """Return the Details of a refusal: the template filled with the facts of the call."""
        return _show_facts(self.details or self.says, facts)

    def in_names_of(self, spell: Callable[[str], str]) -> Rule:
        """Return the rule with the names of the API in its texts as a caller spells their snake_case forms."""
        return replace(self, details=_spell_names(self.details, spell), fix=_spell_names(self.fix, spell))

    def explain(self, facts: Mapping[str, Any] | None = None, kind: ErrorKind | None = None) -> str:
        """Return an explanation of the rule in lines, with the facts of a call if they are given."""
        kind = kind or (ERRORS[self.error] if self.error else None)
        lines = [
            *self._explain_facts(facts),
            ("Error", f"HTTP {kind.status}, Code {kind.code}, Type {kind.type} ({kind.name})" if kind else ""),
            ("Evidence", self.evidence_text if self.says else ""),
            ("Known", self.known),
            ("Switch", f"Cloud(switches={{{self.switch!r}: ...}})" if self.switch else ""),
            ("EC2", self.ec2),
            ("Documentation", self.source),
        ]
        return "\n".join(
            [
                f"{self.id}: {self.says or f'no rule of its own. {self.out}'}",
                *(f"  {name}: {text}" if name else text for name, text in lines if text),
            ]
        )

    def _explain_facts(self, facts: Mapping[str, Any] | None) -> list[tuple[str, str]]:
        """Return the lines about the facts of a call; without them, the templates with the names of the facts."""
        if facts is None:
            return [("Details", self.show(self.details)), ("Fix", self.show(self.fix))]
        in_texts = [name for name in _find_names(self.fix) if isinstance(facts.get(name), list | tuple)]  # not twice
        in_texts.append("hint")  # a sentence of the details
        texts = {name: _shorten(value) for name, value in facts.items() if value is not None and name not in in_texts}
        fact_lines = [("", f"  {name} = {text}") for name, text in texts.items() if text]
        return [("Refused", self.render_details(facts)), *fact_lines, ("Fix", _show_facts(self.fix, facts))]

    @staticmethod
    def show(template: str) -> str:
        """Return a template for people: each fact as its name in angle brackets, such as <taken_by>."""
        return _fill_template(template, lambda name: name if _is_api_name(name) else f"<{name}>")

    @property
    def evidence_text(self) -> str:
        """A description of the rule's evidence, and of its error's if that differs."""
        if self.error_evidence and self.error_evidence != self.evidence:
            return f"rule {self.evidence} ({GRADES[self.evidence]}), error {self.error_evidence}"
        return f"{self.evidence} ({GRADES[self.evidence]})"


def refuse(rule_id: str, /, **facts: Any) -> ApiError:
    """Return the refusal of a rule with the facts of the call, to be raised."""
    return ApiError(get_rule(rule_id), facts)


def get_rule(rule_id: str) -> Rule:
    """Return the rule with this id. Raises KeyError for an unknown id."""
    return load_rules()[rule_id]


@cache
def load_rules() -> Mapping[str, Rule]:
    """Return all rules by id, in the order of `rules.toml`."""
    return {rule_id: _read_rule(rule_id, row) for rule_id, row in _load_rows().items() if rule_id != "families"}


def get_kind(rule_id: str) -> str:
    """Return the kind of resource that a rule is about."""
    return rule_id.partition("/")[0] if _is_cell(rule_id) else load_families()[_get_family(rule_id)]["kind"]


def _is_cell(rule_id: str) -> bool:
    """Whether a rule is a cell of a lifecycle, as `vm/StopVms/pending` is, and not a row of `rules.toml`."""
    return rule_id[0].islower()


def load_families() -> Mapping[str, Mapping[str, str]]:
    """Return the rule families by the letters of their ids: their `kind`, and the default documentation page."""
    return _load_rows()["families"]


def get_action_page(action: str) -> str:
    """Return the documentation page of an action."""
    return f"{DOCUMENTATION}#{action.lower()}"


@cache
def _load_rows() -> Mapping[str, Mapping[str, Any]]:
    return load_toml("omisim.spec", "rules.toml")


def _read_rule(rule_id: str, row: Mapping[str, Any]) -> Rule:
    fields = {name: value for name, value in row.items() if name not in ("action", "evidence")}
    evidence = row.get("evidence", "inferred")
    if isinstance(evidence, dict):
        fields["error_evidence"] = evidence["error"]
        evidence = evidence["rule"]
    if "out" not in row:
        page = row if "action" in row or "source" in row else load_families()[_get_family(rule_id)]
        fields["source"] = get_action_page(page["action"]) if "action" in page else page["source"]
    return Rule(id=rule_id, evidence=evidence, **fields)


def _get_family(rule_id: str) -> str:
    """Return the letters before the number of a rule id: `ST-VM` for `ST-VM-1`."""
    return rule_id.partition("/")[0].rpartition("-")[0]


@lru_cache(maxsize=4096)
def _spell_names(template: str, spell: Callable[[str], str]) -> str:
    from omisim.model.serialize import snake_name  # noqa: PLC0415 - `omisim explain` needs no model

    return _fill_template(template, lambda name: spell(snake_name(name)) if _is_api_name(name) else f"{{{name}}}")


def _show_facts(template: str, facts: Mapping[str, Any]) -> str:
    return _fill_template(template, lambda name: name if _is_api_name(name) else _shorten(facts.get(name)))


def _fill_template(template: str, fill: Callable[[str], str]) -> str:
    return template.format(**{name: fill(name) for name in _find_names(template)})


@lru_cache(maxsize=1024)
def _find_names(template: str) -> list[str]:
    """Return the names in the braces of a template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _is_api_name(name: str) -> bool:
    """Whether a name in a template is of the API, as VmId and ReadVms are; facts are in lower case."""
    return name[0].isupper()


def _shorten(value: object) -> str:
    """Format a fact, shortened because a request may contain megabytes. A lone surrogate becomes an escape."""
    if isinstance(value, dt.datetime):
        from omisim.model.serialize import format_date  # noqa: PLC0415 - `omisim explain` needs no model

        return format_date(value)
    if isinstance(value, list | tuple):
        return _list_items(value)
    text = str(value)
    shown = escape_surrogates(text[:MAX_FACT_LENGTH])
    return shown if len(text) <= MAX_FACT_LENGTH else f"{shown}… ({len(text)} characters)"


def _list_items(items: Sequence[object]) -> str:
    """Format the first items of a list, each of them whole, and how many more there are."""
    texts: list[str] = []
    length = 0
    for item in items:
        text = _shorten(item)
        length += len(text)
        if length > MAX_LIST_LENGTH:
            return f"{', '.join(texts)} and {len(items) - len(texts)} more"
        texts.append(text)
    return ", ".join(texts)
