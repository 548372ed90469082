"""Render a coverage as sentences about the model, such as "no test launches from a pending OMI"."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from omisim.base.texts import get_article, join_alternatives
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import get_rule
from omisim.testing.coverage import GROUPS, Coverage, needs
from omisim.testing.vocabulary import DEEDS, NOUNS

__all__ = ["MAX_LINES", "describe_gaps", "report"]

MAX_LINES = 40  # default limit of a report
MAX_WIDTH = 100  # characters in a line of names


def report(coverage: Coverage, who: str = "no test", limit: int | None = MAX_LINES) -> str:
    """Return the coverage as text: the counts, the gaps of the actions that were called, and the actions never called.

    `who` is the subject of the sentences. `limit` is the maximum number of gaps to list; None lists all gaps, including
    those of actions that were never called.
    """
    lines = [f"{coverage.percent:.1f} % of the model was exercised"]
    lines += [f"  {seen:>4} of {total:<4}{name} {GROUPS[name]}" for name, (seen, total) in coverage.counts.items()]
    used = coverage.actions | coverage.refused
    sentences = list(describe_gaps(coverage.missing, who, None if limit is None else used))
    shown_sentences = sentences[:limit]
    if shown_sentences:
        lines += ["", "Never tried:" if limit is None else "Never tried with the actions that are called:"]
        lines += [f"  {sentence}" for sentence in shown_sentences]
    if len(shown_sentences) < len(sentences):
        lines.append(f"  … and {len(sentences) - len(shown_sentences)} more")
    untouched = sorted(coverage.missing.actions - coverage.refused)
    if untouched:
        lines += [
            "",
            "Never called:",
            *wrap(", ".join(untouched), MAX_WIDTH, initial_indent="  ", subsequent_indent="  "),
        ]
    return "\n".join(lines)


def describe_gaps(missing: Coverage, who: str = "no test", used: set[str] | None = None) -> Iterator[str]:
    """Yield a sentence for each missing item: refused actions, cells, transitions, rules.

    `who` is the subject of the sentences. `used` limits them to items of these actions.
    """
    for action in sorted(missing.refused):
        yield f"{who} calls {action} with success"
    yield from _describe_cells(missing.cells, who, used)
    yield from _describe_transitions(missing.transitions, who, used)
    lower = None if used is None else {action.lower() for action in used}
    for rule_id in sorted(missing.rules):
        if lower is None or lower.intersection(get_rule(rule_id).actions):
            yield f"{who} breaks {rule_id}: {get_rule(rule_id).says}{_format_need(needs('rules', rule_id))}"


def _describe_cells(cells: set[str], who: str, used: set[str] | None) -> Iterator[str]:
    for (kind, action, need), states in _group_states("cells", cells).items():
        if used is None or action.partition(" ")[0] in used:
            deed = DEEDS[kind, action].format(f"{get_article(states[0])} {join_alternatives(states)} {NOUNS[kind]}")
            yield f"{who} {deed}{_format_need(need)}"


def _describe_transitions(transitions: set[str], who: str, used: set[str] | None) -> Iterator[str]:
    kinds = {kind for kind, action in DEEDS if used is None or action.partition(" ")[0] in used}
    for (kind, event, need), states in _group_states("transitions", transitions).items():
        to = LIFECYCLES[kind].moves[states[0]][event].state
        if used is None or kind in kinds:
            change = f"become {to}" if to else "disappear"
            resource = f"{get_article(states[0])} {join_alternatives(states)} {NOUNS[kind]}"
            yield f"{who} sees {resource} {change} ({event}){_format_need(need)}"


def _group_states(group: str, items: set[str]) -> dict[tuple[str, str, str], list[str]]:
    """Group the states of items by kind, action or event, and need; states and groups are sorted."""
    states_by_group: dict[tuple[str, str, str], list[str]] = {}
    for item in sorted(items):
        kind, name, state = item.split("/", 2)
        states_by_group.setdefault((kind, name, needs(group, item)), []).append(state)
    return states_by_group


def _format_need(need: str) -> str:
    return f" [{need}]" if need else ""
