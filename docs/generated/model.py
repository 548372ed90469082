"""The reference of the model: its rules, errors, switches, actions and lifecycles."""

from __future__ import annotations

import inspect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generated.markdown import code, escape, heading, prose, table
from omisim.actions.framework.registry import ACTIONS, empty_lists, not_served
from omisim.doors.fcu.selection import TAGS
from omisim.doors.fcu.table import load_rows, load_section
from omisim.model.serialize import snake_name
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.diagrams import render_mermaid, to_data
from omisim.spec.errors import ERRORS, ErrorKind
from omisim.spec.legend import NOTES
from omisim.spec.lifecycle import LIFECYCLES, Lifecycle
from omisim.spec.rules import GRADES, Rule
from omisim.state.settings import SWITCHES, Switch
from omisim.tools.word_tables import load_glossary

__all__ = [
    "actions_not_served",
    "actions_served",
    "errors",
    "evidence",
    "fcu_actions",
    "glossary",
    "lifecycles",
    "rule_kinds",
    "rules",
    "switches",
]


# --- rules


def rules(kind: str) -> str:
    """Return an entry for each rule of a kind."""
    return "\n".join(_rule(rule) for rule in load_every_rule().values() if rule.kind == kind)


def _rule(rule: Rule) -> str:
    text = escape(rule.says) if rule.says else f"No rule of its own. {escape(rule.out)}"
    fields = "".join(f"- **{name}:** {value}\n" for name, value in _fields(rule))
    return f"{heading(2, rule.id, rule.anchor)}\n{text}\n\n{fields}"


def _fields(rule: Rule) -> Iterator[tuple[str, str]]:
    if rule.error:
        kind = ERRORS[rule.error]
        answer = f"HTTP {kind.status}, code {kind.code}, type {escape(kind.type)}"
        yield "Error", f"{answer} ([{kind.name}](../errors.md#{kind.name}))"
        yield "Details", code(rule.show(rule.details) or rule.says)
    if rule.fix:
        yield "Fix", code(rule.show(rule.fix)) if "{" in rule.fix else escape(rule.fix)
    if rule.says:
        yield "Evidence", escape(rule.evidence_text)
    if rule.known:
        yield "What is known", escape(rule.known)
    if rule.switch:
        yield "Switch", f"[{code(rule.switch)}](../switches.md#{_switch_anchor(rule.switch)})"
    if rule.ec2:
        yield "Difference from EC2", escape(rule.ec2)
    if rule.source:
        yield "Documentation", f"<{rule.source}>"


def rule_kinds() -> str:
    """Return the table of the kinds of rules, with the number of rules and of rules with an error."""
    by_kind: dict[str, list[Rule]] = defaultdict(list)
    for rule in load_every_rule().values():
        by_kind[rule.kind].append(rule)
    rows = []
    for kind, group in sorted(by_kind.items()):
        link = f"[{kind.replace('_', ' ')}]({group[0].page}.md)"
        rows.append([link, str(len(group)), str(sum(bool(rule.error) for rule in group))])
    return table(["Kind", "Rules", "Rules with an error"], rows)


def evidence() -> str:
    """Return the table of the grades of evidence."""
    counts = Counter(rule.evidence for rule in load_every_rule().values() if rule.says)
    return table(["Grade", "Meaning", "Rules"], ([g, escape(says), str(counts[g])] for g, says in GRADES.items()))


def _links(rules: Iterable[Rule]) -> str:
    return ", ".join(f"[{escape(rule.id)}]({_address(rule)})" for rule in rules)


def _address(rule: Rule) -> str:
    return f"rules/{rule.page}.md#{rule.anchor}"


def fcu_actions() -> str:
    """Return the table of the EC2 actions that FCU serves, with omisim's action and the filters of each."""
    tagged = {name for name, view in load_section("views").items() if not view.keys().isdisjoint(TAGS)}
    rows = []
    for name, row in sorted(load_rows().items()):
        tags = ("tag:<key>", "tag-key", "tag-value") if tagged & set(row.lists.values()) else ()
        filters = ", ".join(code(name) for name in (*row.filters, *tags)) or ""
        rows.append([code(name), f"[{row.calls}](../reference/actions.md)", filters])
    return table(["EC2 action", "Action", "Filters"], rows)


# --- errors


def errors() -> str:
    """Return an entry for each error of the API, by its type."""
    by_type: dict[str, list[ErrorKind]] = defaultdict(list)
    for kind in ERRORS.values():
        by_type[kind.type].append(kind)
    raised_by: dict[str, list[Rule]] = defaultdict(list)
    for rule in load_every_rule().values():
        raised_by[rule.error].append(rule)
    parts = []
    for type_, kinds in by_type.items():
        parts.append(f"## {escape(type_)}\n")
        parts += [_error(kind, raised_by[kind.name]) for kind in kinds]
    return "\n".join(parts)


def _error(kind: ErrorKind, raised_by: list[Rule]) -> str:
    answer = f"HTTP {kind.status}, code {kind.code}, type {code(kind.type)}."
    ec2 = f" The EC2-compatible API calls it {code(kind.fcu)}." if kind.fcu else ""
    by = f"Rules: {_links(raised_by)}." if raised_by else "No rule raises it; `cloud.faults` and switches can."
    return f"{heading(3, f'{kind.code} {kind.name}', kind.name)}\n{answer}{ec2}\n\n{by}\n"


# --- switches


def switches() -> str:
    """Return an entry for each switch."""
    return "\n".join(_switch(name, switch) for name, switch in sorted(SWITCHES.items()))


def _switch(name: str, switch: Switch) -> str:
    others = ", ".join(code(repr(other)) for other in switch.others)
    about = [rule for rule in load_every_rule().values() if rule.switch == name]
    return (
        f"{heading(2, name, _switch_anchor(name))}\n{escape(switch.says)}\n\n"
        f"- **Default:** {code(repr(switch.default))}\n- **Other values:** {others}\n"
        f"- **What is known:** {escape(switch.evidence)}\n- **Rules:** {_links(about)}\n"
    )


def _switch_anchor(name: str) -> str:
    return f"switch-{name.replace('_', '-')}"


# --- actions


def actions_served() -> str:
    """Return the table of the actions that are served, with the typed method and the rules of each."""
    rows = []
    for name, action in sorted(ACTIONS.items()):
        summary = (inspect.getdoc(action.function) or "").partition("\n\n")[0].replace("\n", " ")
        method = f"{{py:meth}}`~omisim.Account.{snake_name(name)}`"
        about = [rule for rule in load_every_rule().values() if rule.is_about(name)]
        rows.append([code(name), method, prose(summary), _links(about)])
    return table(["Action", "Typed method", "Summary", "Rules"], rows)


def actions_not_served() -> str:
    """Return the table of the actions that are not served, by the reason; reads of empty lists are in italics."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in not_served().items():
        by_reason[reason].append(name)
    styled = {name: f"*{code(name)}*" if name in empty_lists() else code(name) for name in not_served()}
    rows = ([escape(reason), ", ".join(styled[name] for name in sorted(names))] for reason, names in by_reason.items())
    return table(["Reason", "Actions"], rows)


# --- words


def glossary() -> str:
    """Return the table of the words that `omisim explain` knows besides rules, errors and actions."""
    rows = []
    for term, row in load_glossary().items():
        links = _links(load_every_rule()[rule] for rule in row.get("rules", ()))
        also = ", ".join([*row.get("also", ()), *([f"AWS: {row['ec2']}"] if "ec2" in row else [])])
        rows.append([escape(term), prose(row["says"]), escape(also), links])
    return table(["Word", "Meaning", "Also", "Rules"], rows)


# --- lifecycles


def lifecycles() -> str:
    """Return each lifecycle: the transitions, the actions that each state refuses, and a diagram as mermaid source."""
    return "\n".join(_lifecycle(lifecycle) for lifecycle in LIFECYCLES.values())


def _lifecycle(lifecycle: Lifecycle) -> str:
    kind = lifecycle.kind
    parts = [heading(2, kind.replace("_", " "), f"lifecycle-{kind.replace('_', '-')}")]
    parts += [f"{escape(NOTES[kind])}\n"] if kind in NOTES else []
    parts += [f"![The lifecycle of a {kind.replace('_', ' ')}](../lifecycles/{kind}.svg)\n", _transitions(lifecycle)]
    if lifecycle.refused:
        parts += ["The error code of each action in each state; *yes* means that the state allows the action.\n"]
        parts += [_refusals(lifecycle)]
    parts.append(f"The same as mermaid source:\n\n```text\n{render_mermaid(lifecycle)}\n```\n")
    return "\n".join(parts)


def _transitions(lifecycle: Lifecycle) -> str:
    rows = []
    for state, events in to_data(lifecycle)["moves"].items():
        for event, to in events.items():
            rows.append([code(state), event, code(to["to"]) if to["to"] else "*(gone)*", to["cause"], _when(to)])
        if not events:
            rows.append([code(state), "", "", "final state", ""])
    return table(["State", "Event", "Next state", "Cause", "By itself"], rows)


def _when(to: Mapping[str, Any]) -> str:
    if to["after"] is None:
        return ""
    seconds = f"{to['per_gib']:g} s per GiB" if to["per_gib"] else f"after {to['after']:g} s"
    return f"{seconds} (timer)" if to["timer"] else seconds


def _refusals(lifecycle: Lifecycle) -> str:
    states = list(dict.fromkeys([*lifecycle.moves, *(state for row in lifecycle.refused.values() for state in row)]))
    rows = []
    for action in lifecycle.refused:
        cells_of_action = [load_every_rule().get(f"{lifecycle.kind}/{action}/{state}") for state in states]
        answers = [f"[{ERRORS[rule.error].code}]({_address(rule)})" if rule else "yes" for rule in cells_of_action]
        rows.append([code(action), *answers])
    return table(["Action", *map(code, states)], rows)
