"""A coverage in words that a user of the model understands: "no test launches from a pending OMI"."""

from __future__ import annotations

from collections.abc import Iterator

from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.rules import get_rule
from omisim.testing.coverage import GROUPS, Coverage, needs
from omisim.testing.vocabulary import DEEDS, NOUNS

__all__ = ["MOST", "describe_gaps", "report"]

MOST = 40  # lines of a report, unless all are asked for


def report(coverage: Coverage, who: str = "no test", most: int | None = MOST) -> str:
    """Return the coverage as lines: the counts, what was never tried with the actions that were called, and the rest.

    `most`: how many lines of what was never tried; None for all of them, also of actions that were never called.
    """
    lines = [f"{coverage.percent:.1f} % of the model was exercised"]
    lines += [f"  {seen:>4} of {there:<4}{name} {GROUPS[name]}" for name, (seen, there) in coverage.counts.items()]
    used = coverage.actions | coverage.refused
    said = list(describe_gaps(coverage.missing, who, None if most is None else used))
    shown = said[:most]
    if shown:
        lines += ["", "Never tried:" if most is None else "Never tried with the actions that are called:"]
        lines += [f"  {sentence}" for sentence in shown]
    if len(shown) < len(said):
        lines.append(f"  … and {len(said) - len(shown)} more")
    untouched = sorted(coverage.missing.actions - coverage.refused)
    if untouched:
        lines += ["", f"Never called: {', '.join(untouched)}"]
    return "\n".join(lines)


def describe_gaps(missing: Coverage, who: str = "no test", used: set[str] | None = None) -> Iterator[str]:
    """Say what is missing, the most telling first: cells, transitions, rules. `used`: of these actions only."""
    for action in sorted(missing.refused):
        yield f"{who} calls {action} with success"
    yield from _cells(missing.cells, who, used)
    yield from _transitions(missing.transitions, who, used)
    lower = None if used is None else {action.lower() for action in used}
    for rule_id in sorted(missing.rules):
        if lower is None or lower.intersection(get_rule(rule_id).actions):
            yield f"{who} breaks {rule_id}: {get_rule(rule_id).says}{_noted(needs('rules', rule_id))}"


def _cells(cells: set[str], who: str, used: set[str] | None) -> Iterator[str]:
    for (kind, action, need), states in _grouped("cells", cells).items():
        if used is None or action.partition(" ")[0] in used:
            deed = DEEDS[kind, action].format(f"{_article(states[0])} {_listed(states)} {NOUNS[kind]}")
            yield f"{who} {deed}{_noted(need)}"


def _transitions(transitions: set[str], who: str, used: set[str] | None) -> Iterator[str]:
    kinds = {kind for kind, action in DEEDS if used is None or action.partition(" ")[0] in used}
    for (kind, event, need), states in _grouped("transitions", transitions).items():
        to = LIFECYCLES[kind].moves[states[0]][event].state
        if used is None or kind in kinds:
            what = f"{_article(states[0])} {_listed(states)} {NOUNS[kind]} become {to}" if to else ""
            what = what or f"{_article(states[0])} {_listed(states)} {NOUNS[kind]} go"
            yield f"{who} sees {what} ({event}){_noted(need)}"


def _grouped(group: str, items: set[str]) -> dict[tuple[str, str, str], list[str]]:
    """Gather the states of one kind, one action or event, and one need, in the order of the tables."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for item in sorted(items):
        kind, what, state = item.split("/", 2)
        found.setdefault((kind, what, needs(group, item)), []).append(state)
    return found


def _article(state: str) -> str:
    return "an" if state[0].lower() in "aeiou" else "a"


def _listed(states: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(states[:-1]), states[-1])))


def _noted(need: str) -> str:
    return f" [{need}]" if need else ""
