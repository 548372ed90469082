"""Measure which cells, rules and transitions the histories of a Hypothesis machine reach, and which they could reach.

    seen = run_round(MyMachine, settings(max_examples=5000))
    unreached = reach(MyMachine.actions).without(seen)
    for sentence in coverage_report.describe_gaps(unreached, "no history"):
        print(sentence)

Needs the extra `omisim[hypothesis]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from omisim.actions.framework.registry import ACTIONS
from omisim.spec.rules import get_rule
from omisim.testing.coverage import CLOCK, FAILURE, Coverage, list_all_items, needs, recording
from omisim.testing.strategies.values import check_choice

if TYPE_CHECKING:
    from hypothesis import settings as Settings  # noqa: N812 - the class of Hypothesis's settings
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["in_rounds", "reach", "run_round"]

AVAILABLE = frozenset({"", CLOCK, FAILURE, "cloud.advance", "cloud.faults", "quotas"})  # needs that a machine meets
ROUND = 10  # histories per seed


def run_round(machine: type[RuleBasedStateMachine], settings: Settings, first: int = 0) -> Coverage:
    """Run a machine in rounds, as `in_rounds` does, and return the coverage of its histories.

    Raises the error of a failing history.
    """
    with recording() as seen:
        in_rounds(machine, settings, first)
    return seen


def in_rounds(machine: type[RuleBasedStateMachine], settings: Settings, first: int = 0) -> None:
    """Run a machine from many seeds, for ten histories each. The same arguments give the same histories.

    After about ten histories, Hypothesis builds most new ones from parts of earlier ones. That helps to find a failure
    that needs a value twice, but reaches fewer states: one seed needs three times as many histories.

    The first round that fails ends the run: its failure is shrunk, for at most the `shrink_seconds` of the machine.

    Args:
        machine: the machine; it is not changed.
        settings: `max_examples` is the number of histories in all rounds together. A deadline does not apply, because
            a history has many calls.
        first: the seed of the first round; each further round uses the next number.
    """
    import hypothesis.stateful  # noqa: PLC0415 - needs the extra

    from omisim.testing.running import running  # noqa: PLC0415

    with running(machine):
        for number, done in enumerate(range(0, settings.max_examples, ROUND), first):
            count = min(ROUND, settings.max_examples - done)
            chosen = hypothesis.settings(settings, max_examples=count, database=None, derandomize=False, deadline=None)
            seeded_machine: Any = hypothesis.seed(number)(partial(machine))  # partial: seed() must not mark the class
            hypothesis.stateful.run_state_machine_as_test(seeded_machine, settings=chosen)


def reach(actions: Iterable[str]) -> Coverage:
    """Return the coverage that calls of these actions can reach, with passing time, failures, faults and quotas.

    Excludes items that need HTTP, a switch or a capacity, and rules that belong to other actions only. Raises
    ValueError for an action that omisim does not serve.
    """
    whole, reached_actions = list_all_items(), set(actions)
    for action in reached_actions:
        check_choice("actions", action, tuple(ACTIONS), "names of actions")
    lower = {action.lower() for action in reached_actions}
    cells = {cell for cell in whole.cells if cell.split("/", 2)[1].partition(" ")[0] in reached_actions}
    kinds = {cell.partition("/")[0] for cell in cells} | (
        {"volume_update"} if "UpdateVolume" in reached_actions else set()
    )
    return Coverage(
        actions=whole.actions & reached_actions,
        rules={
            each for each in whole.rules if lower.intersection(get_rule(each).actions) and _is_reachable("rules", each)
        },
        cells={cell for cell in cells if _is_reachable("cells", cell)},
        transitions={t for t in whole.transitions if t.partition("/")[0] in kinds and _is_reachable("transitions", t)},
    )


def _is_reachable(group: str, item: str) -> bool:
    return needs(group, item) in AVAILABLE
