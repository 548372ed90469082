"""Make Hypothesis shrink long histories: remove whole steps first, and stop after a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, Final
from unittest.mock import patch

from hypothesis import Phase, stateful
from hypothesis.reporting import current_reporter, with_reporter

__all__ = ["quick_shrinking"]

engine: Any
shrinker: Any
try:
    from hypothesis.internal.conjecture import engine, shrinker
except ImportError:  # another version
    engine = shrinker = None
_SLOW: Final = "WARNING: Hypothesis has spent more than five minutes"
_STEP: Final = getattr(stateful, "STATE_MACHINE_RUN_LABEL", None)


@contextmanager
def quick_shrinking(seconds: float) -> Iterator[None]:
    """Within the context, let Hypothesis remove steps before all else, and shrink for this time instead of 5 minutes.

    The next run shrinks a failure further if this one did not end. Hypothesis has no setting for any of this. A version
    whose internals are others shrinks as usual.
    """
    report = current_reporter()

    def report_limit(text: object) -> None:
        if str(text).startswith(_SLOW):
            text = (
                f"Shrinking stopped after {seconds:g} seconds (shrink_seconds), so a shorter history may fail too. "
                "The next run goes on from this one."
            )
        report(text)

    with ExitStack() as stack:
        stack.enter_context(with_reporter(report_limit))
        if hasattr(engine, "MAX_SHRINKING_SECONDS"):
            stack.enter_context(patch.object(engine, "MAX_SHRINKING_SECONDS", seconds))
        runner: Any = getattr(engine, "ConjectureRunner", None)
        if runner is not None:
            stack.enter_context(patch.object(runner, "run", _make_run(runner.run)))
        cls: Any = getattr(shrinker, "Shrinker", None)
        usual: Any = getattr(cls, "initial_coarse_reduction", None)
        if usual is not None:
            stack.enter_context(patch.object(cls, "initial_coarse_reduction", _make_reduction(usual)))
        yield


def _make_run(usual: Callable[[Any], None]) -> Callable[[Any], None]:
    def run(runner: Any) -> None:
        try:
            usual(runner)
        finally:
            with suppress(AttributeError):  # another version
                _store_unshrunk(runner)

    return run


def _store_unshrunk(runner: Any) -> None:
    """Store the failures of a run whose shrinking did not end among those that the next run shrinks.

    Hypothesis itself stores them as shrunk: the next run would only repeat them.
    """
    reason = getattr(runner, "exit_reason", None)  # an interrupted run has none
    if reason is engine.ExitReason.finished and Phase.shrink in runner.settings.phases:
        return
    name = "interesting_test_cases" if hasattr(runner, "interesting_test_cases") else "interesting_examples"
    for failure in getattr(runner, name).values():
        runner.downgrade_choices(failure.choices)


def _make_reduction(usual: Callable[[Any], None]) -> Callable[[Any], None]:
    def reduce(target: Any) -> None:
        try:
            is_history = bool(_list_steps(target))  # not another test, in another thread
            if is_history:
                _choose_rules_directly(target)
                _remove_steps(target)
        except (AttributeError, TypeError):  # another version: what has been reduced so far stays
            is_history = False
        if not is_history:
            usual(target)

    return reduce


def _choose_rules_directly(target: Any) -> None:
    """Let each step choose its rule in one choice, so that a step does not depend on those before it.

    Hypothesis leaves out some rules in each history, and a step repeats its choice until it has a rule that it may run.
    """
    values = [node.value for node in target.shrink_target.nodes]
    for step in reversed(_list_steps(target)[1:]):
        match step.children[0].children if step.children else []:
            case [flags, rule, *_]:
                pass
            case _:  # the last step of a history that fails at its end
                continue
        indexes = [value for value in values[rule.start : rule.end] if type(value) is int]
        values[flags.start : rule.end] = [0] * (flags.end - flags.start) + indexes[-1:] + [False]  # 0: leave out none
    _try(target, values)


def _remove_steps(target: Any) -> None:
    """Remove the steps that a failing history does not need: half of them at a time, then fewer and fewer.

    Hypothesis itself removes a few choices at a time, and a step of a history makes dozens.
    """
    size = len(_list_steps(target)) // 2
    while size:
        before = target.shrink_target
        first = len(_list_steps(target)) - 1  # the failure is in the last step
        while first > 1:  # step 0 creates the cloud
            first = max(first - size, 1)
            steps = _list_steps(target)
            if first + size < len(steps):
                _remove(target, steps[first].start, steps[first + size].start, is_first=first == 1)
        if size > 1 or target.shrink_target is before:  # single steps again, as long as that helps
            size //= 2


def _remove(target: Any, start: int, end: int, *, is_first: bool) -> None:
    """Remove the choices of some steps, up to the start of another step."""
    values = [node.value for node in target.shrink_target.nodes]
    before = target.shrink_target
    if is_first:  # after its choice to go on, the first step chooses how many rules this history leaves out
        _try(target, values[: start + 2] + values[end + 1 :])
    if target.shrink_target is before:
        _try(target, values[:start] + values[end:])


def _try(target: Any, values: list[Any]) -> None:
    """Run a history with these choices, and go on from it if it fails as before."""
    target.incorporate_test_data(target.engine.cached_test_function(values))


def _list_steps(target: Any) -> list[Any]:
    return [span for span in target.shrink_target.spans if span.label == _STEP]
