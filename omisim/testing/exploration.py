"""Which cells, rules and transitions the histories of a Hypothesis machine reach, and which of those they could.

    seen = explored(MyMachine, settings(max_examples=5000))
    left_out = reach(MyMachine.actions).without(seen)
    for sentence in coverage_report.sentences(left_out, "no history"):
        print(sentence)

Needs the extra `omisim[hypothesis]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from omisim.spec.rules import get_rule
from omisim.testing.coverage import CLOCK, FAILURE, Coverage, everything, needs, recording

if TYPE_CHECKING:
    from hypothesis import settings as Settings  # noqa: N812 - the class of Hypothesis's settings
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["in_rounds", "reach", "run_round"]

GIVEN = frozenset({"", CLOCK, FAILURE, "cloud.advance", "cloud.faults", "quotas"})  # what a machine has
ROUND = 10  # histories


def run_round(machine: type[RuleBasedStateMachine], settings: Settings, first: int = 0) -> Coverage:
    """Run a machine in rounds, as `in_rounds` does, and return what its histories exercised.

    Raises what a failing history raises.
    """
    with recording() as seen:
        in_rounds(machine, settings, first)
    return seen


def in_rounds(machine: type[RuleBasedStateMachine], settings: Settings, first: int = 0) -> None:
    """Run a machine from many seeds, for ten histories each: the same ones each time.

    After ten histories Hypothesis makes most of them from parts of those before, which is good for finding a failure
    that needs a value twice, and bad for getting about: from one seed, three times as many are needed.

    Args:
        machine: the machine, which is not changed.
        settings: `max_examples` is the number of histories of all rounds.
        first: the first seed; the next round has the next.
    """
    import hypothesis.stateful  # noqa: PLC0415 - needs the extra

    for number, done in enumerate(range(0, settings.max_examples, ROUND), first):
        count = min(ROUND, settings.max_examples - done)
        chosen = hypothesis.settings(settings, max_examples=count, database=None, derandomize=False)
        marked: Any = hypothesis.seed(number)(partial(machine))  # the machine itself stays as it is
        hypothesis.stateful.run_state_machine_as_test(marked, settings=chosen)


def reach(actions: Iterable[str]) -> Coverage:
    """Return what calls of these actions can exercise, where time passes, things fail and accounts have quotas.

    Left out is what needs more: HTTP, a switch, a capacity; and a rule that another action's documentation states.
    """
    whole, called = everything(), set(actions)
    lower = {action.lower() for action in called}
    cells = {cell for cell in whole.cells if cell.split("/", 2)[1].partition(" ")[0] in called}
    kinds = {cell.partition("/")[0] for cell in cells} | ({"volume_update"} if "UpdateVolume" in called else set())
    return Coverage(
        actions=whole.actions & called,
        rules={each for each in whole.rules if lower.intersection(get_rule(each).actions) and _given("rules", each)},
        cells={cell for cell in cells if _given("cells", cell)},
        transitions={t for t in whole.transitions if t.partition("/")[0] in kinds and _given("transitions", t)},
    )


def _given(group: str, item: str) -> bool:
    return needs(group, item) in GIVEN
