"""The ways in which a cloud could have answered otherwise, each as a line of Python that makes one happen."""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final, Literal, get_args

from omisim.base.frozen import frozen
from omisim.cloud.cloud import Cloud
from omisim.engine.session import CallRecord
from omisim.spec.lifecycle import LIFECYCLES, To, get_automatic_event
from omisim.spec.rules import load_rules
from omisim.spec.storage_operations import STORAGE_OPERATIONS
from omisim.state.settings import SWITCHES
from omisim.state.state import Change
from omisim.testing.sweeps.inventory import ID, STALL
from omisim.testing.sweeps.runs import Run

__all__ = ["INTERFERENCES", "KINDS", "Deviation", "Kind", "Target", "enumerate_deviations"]

Kind = Literal["refused", "lost", "killed", "delayed", "cut", "failed", "stalled", "interfered", "switch"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_TRANSITIONS: Final = ("due", "fault")  # causes of transitions by themselves


@frozen()
class Deviation:
    """One way in which a run can meet another answer.

    `kind` is one of `KINDS`, `call` the number of the call in the run, counted from 1, or None if it concerns the run
    as a whole. `says` describes the deviation. `line` makes it happen in a cloud named `cloud`. `start` is the number
    of the first call that can notice a deviation without a call.
    """

    kind: Kind
    call: int | None
    says: str
    line: str
    start: int = 0

    def apply(self, cloud: Cloud) -> None:
        """Make the deviation happen when the code runs on this cloud."""
        exec(self.line, {"cloud": cloud})  # noqa: S102 - the line that the report prints is the one that is executed

    def __str__(self) -> str:
        """Return the deviation as a phrase, with the number of its call."""
        return self.says if self.call is None else f"call {self.call}, {self.says}"


@frozen()
class Target:
    """A call that deviations are applied to.

    `number` counts from 1, `turn` is the number of the call among those of its action, `changes` whether it has
    changed the cloud.
    """

    record: CallRecord
    number: int
    turn: int
    changes: bool

    def make_fault(self, arguments: str) -> str:
        """Return the line that adds a fault to this call alone."""
        every = f"every={self.turn}, times=1, " if self.turn > 1 else ""
        return f"cloud.faults.add({self.record.action!r}, {every}{arguments})"


def _find_targets(run: Run) -> list[Target]:
    """Return the calls of a run to which deviations apply.

    Where the code uses clients of the API, calls by methods of `Account` are those of the test itself. Repeated polls
    of one state count once.
    """
    has_client = any(call.headers for call in run.calls if call.action not in STORAGE_OPERATIONS)
    served = [(number, call) for number, call in enumerate(run.calls, 1) if call.position >= 0]
    ends = [*(call.position for _, call in served[1:]), sys.maxsize]
    written = [change.seq for change in run.changes if "#" in change.cause or change.cause == "oos"]
    turns: Counter[str] = Counter()
    seen: set[tuple[str, str, int]] = set()
    targets = []
    for (number, call), end in zip(served, ends, strict=False):
        turns[call.action] += 1
        changes = bisect_left(written, call.position) < bisect_left(written, end)
        key = call.action, repr(call.arguments), call.position
        if (call.headers or not has_client) and (changes or key not in seen):
            targets.append(Target(call, number, turns[call.action], changes))
        seen.add(key)
    return targets


def enumerate_deviations(
    run: Run, cloud: Cloud, kinds: Iterable[Kind], *, delay: float = 0, interfere: Iterable[str] = ()
) -> list[Deviation]:
    """Return every deviation of a run, in the order of its calls. `cloud` is the cloud after the run."""
    targets = _find_targets(run)
    deviations = [deviation for target in targets for deviation in _deviate_call(target, delay)]
    deviations += _kill(targets)
    deviations += [deviation for target in targets for deviation in _interfere(target, cloud, tuple(interfere))]
    deviations.sort(key=lambda deviation: deviation.call or 0)
    deviations += _fail(run)
    deviations += _stall(run) if cloud.timing == "clock" else ()
    deviations += _switch(run, cloud)
    chosen_kinds = set(kinds)
    return [deviation for deviation in deviations if deviation.kind in chosen_kinds]


def _deviate_call(target: Target, delay: float) -> Iterator[Deviation]:
    action, number, add = target.record.action, target.number, target.make_fault
    if action in STORAGE_OPERATIONS:
        yield Deviation("refused", number, f"{action} is throttled (503 SlowDown)", add("status=503"))
        yield Deviation("refused", number, f"{action} is refused (500)", add("status=500"))
    else:
        yield Deviation("refused", number, f"{action} is throttled (429)", add("status=429"))
        yield Deviation("refused", number, f"{action} is refused (503)", add("status=503"))
    if action.lower() in _find_capacity_actions():
        yield Deviation("refused", number, f"{action} finds no capacity", add('error="insufficient-capacity"'))
    yield Deviation(
        "lost", number, f"{action}: the answer is lost (dropped connection)", add("drop=True, after_effect=True")
    )
    if target.changes:
        yield Deviation("lost", number, f"{action}: the answer is lost (503)", add("status=503, after_effect=True"))
    yield Deviation("delayed", number, f"{action} takes {delay:g} seconds", add(f"delay={delay:g}"))
    if (target.record.results or 0) > 1:
        size = ((target.record.results or 0) + 1) // 2
        says = f"{action} returns {size} of its {target.record.results} results at first"
        yield Deviation("cut", number, says, add(f"page_size={size}"))


@cache
def _find_capacity_actions() -> set[str]:
    """Return the actions that the API refuses for a lack of capacity, in lower case."""
    rules = (rule for rule in load_rules().values() if rule.error == "insufficient-capacity")
    return {action for rule in rules for action in rule.actions}


def _kill(targets: Sequence[Target]) -> Iterator[Deviation]:
    """Yield a kill after each call that changed the cloud, and one for each state that was only observed."""
    observed = -1
    for target in targets:
        if target.changes or target.record.position != observed:
            says = f"the process is killed after {target.record.action}, and the code runs again"
            yield Deviation("killed", target.number, says, target.make_fault("kill=True, after_effect=True"))
        observed = target.record.position


def _fail(run: Run) -> Iterator[Deviation]:
    """Yield the failure of each transition of the run that can fail."""
    earlier: dict[str, int] = {}  # id → the latest of its transitions
    for change in run.changes:
        if change.kind == "image" or not _can_fail(change):  # an OMI fails by its snapshots
            continue
        line = f"cloud.fail_next({change.kind!r}, id={change.id!r})"
        if change.id in earlier:
            between = _find_call_between(run, earlier[change.id], change.seq)
            line = between.make_fault(f"meanwhile=lambda: {line}") if between else ""
        earlier[change.id] = change.seq
        if line:
            says = f"{change.kind} {change.id} fails while {change.before.state}"
            yield Deviation("failed", None, says, line, _find_call_after(run, change))


def _can_fail(change: Change) -> bool:
    old, new = (getattr(row, "state", "") for row in (change.before, change.after))
    lifecycle = LIFECYCLES.get(change.kind)
    return (
        lifecycle is not None and change.cause in _TRANSITIONS and old != new and "fail" in lifecycle.moves.get(old, {})
    )


def _find_call_between(run: Run, start: int, end: int) -> Target | None:
    """Return the first call between two changes."""
    turns: Counter[str] = Counter()
    for number, call in enumerate(run.calls, 1):
        turns[call.action] += call.position >= 0
        if start < call.position <= end:
            return Target(call, number, turns[call.action], changes=False)
    return None


def _find_call_after(run: Run, change: Change) -> int:
    """Return the number of the first call after a change."""
    return next((number for number, call in enumerate(run.calls, 1) if call.position > change.seq), len(run.calls) + 1)


def _stall(run: Run) -> Iterator[Deviation]:
    """Yield, for each transient state of the run, that resources remain in it for days.

    Of two such states in a row in which the API refuses the same actions, only the later one is tried.
    """
    states: dict[tuple[str, str], Change] = {}  # with the first change out of the state
    for change in run.changes:
        if change.cause == "due" and change.kind in LIFECYCLES and change.before is not None:
            states.setdefault((change.kind, str(change.before.state)), change)
    transient = {place: end for place in states if (end := _find_automatic_end(*place)) is not None}
    for (kind, state), end in transient.items():
        if (kind, end.state) in transient and _list_refused(kind, state) == _list_refused(kind, end.state):
            continue
        says = f"each {kind} that is {state} remains so"
        line = f"cloud.durations[{f'{kind}.{state}'!r}] = {STALL}"
        yield Deviation("stalled", None, says, line, _find_call_after(run, states[kind, state]))


def _find_automatic_end(kind: str, state: str) -> To | None:
    """Return how a transient state ends by itself, or None for another state."""
    end = LIFECYCLES[kind].moves[state].get(get_automatic_event(kind, state) or "")
    return None if end is None or end.timer else end


def _list_refused(kind: str, state: str | None) -> list[str]:
    """Return the actions that the API refuses in a state."""
    return [action for action, cells in LIFECYCLES[kind].refused.items() if state in cells]


def _switch(run: Run, cloud: Cloud) -> Iterator[Deviation]:
    settings = cloud.engine.settings
    for name in sorted(run.switches):
        switch = SWITCHES[name]
        for value in (switch.default, *switch.others):
            if value != settings.switch(name):
                line = f"cloud.engine.set_switch({name!r}, {value!r})"
                yield Deviation("switch", None, f"switch {name} is {value!r}", line)


# --- a second client

_DELETIONS: Final = {
    "vm": ("DeleteVms", "VmIds=[{!r}]"),
    "image": ("DeleteImage", "ImageId={!r}"),
    "snapshot": ("DeleteSnapshot", "SnapshotId={!r}"),
    "volume": ("DeleteVolume", "VolumeId={!r}"),
}
_PUBLIC: Final = "{{'Additions': {{'GlobalPermission': True}}}}"
_INTERFERENCES: Final = {
    "delete": _DELETIONS,
    "stop": {"vm": ("StopVms", "VmIds=[{!r}]")},
    "share": {
        "image": ("UpdateImage", f"ImageId={{!r}}, PermissionsToLaunch={_PUBLIC}"),
        "snapshot": ("UpdateSnapshot", f"SnapshotId={{!r}}, PermissionsToCreateVolume={_PUBLIC}"),
    },
}
INTERFERENCES: Final = tuple(_INTERFERENCES)


def _interfere(target: Target, cloud: Cloud, ways: Sequence[str]) -> Iterator[Deviation]:
    """Yield the calls by which a second client changes a resource just before the code uses it."""
    ids = dict.fromkeys(ID.findall(repr(target.record.arguments))) if ways else {}
    for row in (row for row_id in ids if (row := _find_row(cloud, row_id)) is not None):
        for way in ways:
            action, arguments = _INTERFERENCES[way].get(row.kind, ("", ""))
            owner = cloud.engine.state.get("account", row.account_id).name
            if not action or owner not in cloud.accounts:
                continue
            parameters = arguments.format(row.id)
            client = f"cloud.account({owner!r})"
            call = f"{client}.can({action!r}, {parameters}) and {client}.call({action!r}, {parameters})"
            says = f"another client calls {action} of {row.id} just before {target.record.action}"
            yield Deviation("interfered", target.number, says, target.make_fault(f"meanwhile=lambda: {call}"))


def _find_row(cloud: Cloud, row_id: str) -> Any:
    """Return the row of a resource that can be interfered with, even if it has been deleted since."""
    state = cloud.engine.state
    rows = (state.get(kind, row_id) for kind in _DELETIONS)
    deleted = (change.before for change in reversed(state.journal) if change.id == row_id and change.kind in _DELETIONS)
    return next((row for row in chain(rows, deleted) if row is not None), None)
