"""Select experiments, estimate what they cost, and list which rules they decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.probe.experiments import Experiment
from omisim.probe.loading import load_experiments
from omisim.probe.runner import Limits
from omisim.probe.world import list_needed
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.rules import Rule

__all__ = [
    "NO_REASON", "Cost", "Coverage", "estimate", "find_reason", "find_rules", "list_coverage", "list_rules",
    "select", "uses_storage",
]  # fmt: skip

NO_REASON = "no experiment yet"
_SECONDS_PER_CALL = 1


@frozen()
class Cost:
    """What a run costs at an endpoint that agrees with the model: upper bounds of its resources and minutes.

    `calls` are those of its experiments and of the resources that they need; it makes others to wait and to clean up.
    """

    calls: int
    resources: int
    minutes: int


@frozen()
class Coverage:
    """The experiments of one rule, or the reason why it has none."""

    rule: Rule
    experiments: tuple[str, ...]
    reason: str


@cache
def list_rules() -> Mapping[str, Rule]:
    """Return every modelled rule by its id, the illegal cells included."""
    return {rule_id: rule for rule_id, rule in load_every_rule().items() if not rule.out}


def find_rules(rules: Iterable[str], kind: str, evidence: str) -> frozenset[str]:
    """Return the ids of the rules that are named, of a kind of resource and with a grade of evidence; "" means any."""
    ids = frozenset(rules)
    return frozenset(
        rule.id
        for rule in list_rules().values()
        if (not ids or rule.id in ids) and kind in ("", rule.kind) and evidence in ("", rule.evidence)
    )


def select(rules: frozenset[str], experiments: Iterable[Experiment] = (), *, cheap: bool = False) -> list[Experiment]:
    """Return the experiments that decide one of the rules, up to the last call that does.

    `experiments` are those of the package by default; `cheap` excludes those that create anything.
    """
    cut = (_cut(one, rules) for one in experiments or load_experiments())
    return [one for one in cut if one.calls and not (cheap and _creates(one))]


def _cut(experiment: Experiment, rules: frozenset[str]) -> Experiment:
    deciding = [number for number, call in enumerate(experiment.calls, 1) if rules.intersection(call.rules)]
    return replace(experiment, calls=experiment.calls[: deciding[-1] if deciding else 0])


def estimate(experiments: Sequence[Experiment], limits: Limits) -> Cost:
    """Return what experiments cost, with the world that they need and the clean-up."""
    world = [
        call for calls in list_needed(name for one in experiments for name in one.needs).values() for call in calls
    ]
    calls = [*world, *(call for one in experiments for call in one.calls)]
    resources = sum(call.resources for call in calls)
    waits = sum(bool(call.wait) for call in calls)
    seconds = waits * limits.wait + (len(calls) + 4 * resources) * _SECONDS_PER_CALL
    return Cost(len(calls), resources, -int(-seconds // 60))


def uses_storage(experiments: Iterable[Experiment]) -> bool:
    """Whether experiments store anything in object storage."""
    calls = [call for one in experiments for call in one.calls]
    return any(call.door == "oos" or "bucket" in call.uses for call in calls)


def list_coverage() -> list[Coverage]:
    """Return each modelled rule with the experiments that decide it, or why none does."""
    deciding: dict[str, list[str]] = {}
    for experiment in load_experiments():
        for rule in experiment.rules:
            deciding.setdefault(rule, []).append(experiment.name)
    return [
        Coverage(rule, tuple(deciding.get(rule.id, ())), "" if rule.id in deciding else find_reason(rule.id))
        for rule in list_rules().values()
    ]


def find_reason(rule_id: str) -> str:
    """Return why no experiment decides a rule, or "no experiment yet"."""
    reasons = load_toml("omisim.probe", "undecidable.toml")
    matching = (reason for reason, ids in reasons.items() if any(fnmatchcase(rule_id, pattern) for pattern in ids))
    return next(matching, NO_REASON)


def _creates(experiment: Experiment) -> bool:
    needed = list_needed(experiment.needs).values()
    return bool(experiment.resources) or any(call.resources for calls in needed for call in calls)
