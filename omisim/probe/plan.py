"""Select experiments, estimate what they cost, and list which rules they decide."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from omisim.base.data_files import load_toml
from omisim.probe.experiments import Experiment
from omisim.probe.loading import load_experiments
from omisim.probe.runner import Limits
from omisim.probe.world import list_needed
from omisim.spec.lifecycle import list_cell_rules
from omisim.spec.rules import Rule, load_rules

__all__ = ["Cost", "Coverage", "estimate", "list_coverage", "list_rules", "select"]

_SECONDS_PER_CALL = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """The upper bounds of a run against an endpoint that agrees with the model: calls, resources and minutes."""

    calls: int
    resources: int
    minutes: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """The experiments of one rule, or the reason why it has none."""

    rule: Rule
    experiments: tuple[str, ...]
    reason: str


@cache
def list_rules() -> Mapping[str, Rule]:
    """Return every modelled rule by its id, the illegal cells included."""
    rules = {rule_id: rule for rule_id, rule in load_rules().items() if not rule.out}
    return rules | {rule.id: rule for rule in list_cell_rules()}


def select(
    *, rules: Iterable[str] = (), kind: str = "", evidence: str = "", cheap: bool = False,
    experiments: Sequence[Experiment] = (),
) -> list[Experiment]:  # fmt: skip
    """Return the experiments that decide a selected rule; `cheap` excludes those that create anything."""
    wanted = {
        rule.id
        for rule in list_rules().values()
        if (rule.id in rules if rules else True) and kind in ("", rule.kind) and evidence in ("", rule.evidence)
    }
    chosen = experiments or load_experiments()
    return [one for one in chosen if wanted.intersection(one.rules) and not (cheap and _creates(one))]


def estimate(experiments: Sequence[Experiment], limits: Limits) -> Cost:
    """Return the upper bounds of what experiments cost, with the world that they need and the clean-up."""
    world = [
        call for calls in list_needed(name for one in experiments for name in one.needs).values() for call in calls
    ]
    calls = [*world, *(call for one in experiments for call in one.calls)]
    resources = sum(call.resources for call in calls)
    waits = sum(bool(call.wait) for call in calls)
    seconds = waits * limits.wait + (len(calls) + 4 * resources) * _SECONDS_PER_CALL
    return Cost(len(calls), resources, -int(-seconds // 60))


def list_coverage() -> list[Coverage]:
    """Return each modelled rule with the experiments that decide it, or why none does."""
    deciding: dict[str, list[str]] = {}
    for experiment in load_experiments():
        for rule in experiment.rules:
            deciding.setdefault(rule, []).append(experiment.name)
    reasons = {
        rule: reason
        for reason, ids in load_toml("omisim.probe", "undecidable.toml").items()
        for rule in ids
    }  # fmt: skip
    return [
        Coverage(rule, tuple(deciding.get(rule.id, ())), "" if rule.id in deciding else reasons.get(rule.id, ""))
        for rule in list_rules().values()
    ]


def _creates(experiment: Experiment) -> bool:
    needed = list_needed(experiment.needs).values()
    return bool(experiment.resources) or any(call.resources for calls in needed for call in calls)
