"""Which cells, rules and transitions the histories of a Hypothesis machine reach, and which of those they could.

    seen = explored(MyMachine, settings(max_examples=5000, derandomize=True))
    left_out = reach(MyMachine.actions).without(seen)
    for sentence in words.sentences(left_out, "no history"):
        print(sentence)

Needs the extra `omisim[hypothesis]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from omisim.rules import rule
from omisim.testing.coverage import CLOCK, FAILURE, Coverage, everything, needs, recording

if TYPE_CHECKING:
    from hypothesis import settings as Settings  # noqa: N812 - the class of Hypothesis's settings
    from hypothesis.stateful import RuleBasedStateMachine

__all__ = ["explored", "reach"]

GIVEN = frozenset({"", CLOCK, FAILURE, "cloud.advance", "cloud.faults", "quotas"})  # what a machine has


def explored(machine: type[RuleBasedStateMachine], settings: Settings) -> Coverage:
    """Run a machine, and return what its histories exercised. Raises what a failing history raises."""
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415 - needs the extra

    with recording() as seen:
        run_state_machine_as_test(machine, settings=settings)
    return seen


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
        rules={each for each in whole.rules if lower.intersection(rule(each).actions) and _given("rules", each)},
        cells={cell for cell in cells if _given("cells", cell)},
        transitions={t for t in whole.transitions if t.partition("/")[0] in kinds and _given("transitions", t)},
    )


def _given(group: str, item: str) -> bool:
    return needs(group, item) in GIVEN
