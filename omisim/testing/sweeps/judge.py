"""Judge a run: what it did worse than the clean run."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator

from omisim.cloud.cloud import Cloud
from omisim.engine.session import CallRecord
from omisim.state.state import Change
from omisim.testing import laws
from omisim.testing.sweeps.inventory import ID, Item, compare, find_extras, find_lost
from omisim.testing.sweeps.report import Outcome
from omisim.testing.sweeps.runs import Run, describe_error

__all__ = ["Holds", "check_holds", "judge"]

Holds = Callable[[Cloud], object]


def judge(run: Run, clean: Run, cloud: Cloud, holds: Holds | None, call: int) -> tuple[Outcome, tuple[str, ...]]:
    """Return the outcome of a run that met a deviation at a call, and what went wrong, one line each.

    `holds` replaces the default conditions: the laws hold, nothing is left beyond what the clean run leaves, and a run
    that succeeds has the result of the clean run. A run that fails may leave only what the clean run had finished by
    then: what no later call uses.
    """
    failure = run.failure
    text = [failure.text] if failure else []
    if failure and failure.kind == "endless":
        return "never ended", tuple(text)
    allowed = list_finished(clean, call) if failure else clean.inventory.created
    leftovers = [] if holds else [f"left behind: {item}" for item in find_extras(run.inventory, allowed)]
    wrong = list(check_holds(cloud, holds) if holds else _find_mistakes(run, clean, cloud))
    if leftovers:
        return "left something behind", (*text, *leftovers, *wrong)
    if wrong or (failure and failure.kind != "own"):
        return "wrong result", (*text, *wrong)
    return "failed cleanly" if failure else "survived", tuple(text)


def list_finished(run: Run, call: int) -> dict[str, Item]:
    """Return the resources that a run creates and that neither this call nor a later one uses.

    Resources that one call creates together are finished together.
    """
    starts = [record.position for record in run.calls]

    def find_cause(change: Change) -> object:
        return bisect_right(starts, change.seq) if change.cause == "oos" else change.cause

    causes = {change.id: find_cause(change) for change in run.changes if change.before is None}
    positions = {find_cause(change): change.seq for change in reversed(run.changes)}
    in_use = set()
    for number, record in enumerate(run.calls, 1):
        if number >= call and record.position >= 0:
            in_use |= {causes.get(row_id) for row_id in _list_used(record, causes)}
            in_use |= {cause for cause, seq in positions.items() if seq >= record.position}
    return {row_id: item for row_id, item in run.inventory.created.items() if causes.get(row_id) not in in_use}


def _list_used(record: CallRecord, row_ids: Iterable[str]) -> Iterator[str]:
    """Yield the ids of the resources that a call uses: of object storage, those of these ids that it names."""
    yield from ID.findall(repr(record.arguments))
    if bucket := record.arguments.get("bucket"):
        place, upload_id = f"{bucket}/{record.arguments.get('key', '')}".rstrip("/"), record.arguments.get("upload_id")
        yield from (row_id for row_id in row_ids if row_id == upload_id or row_id.partition("/")[2] in (bucket, place))


def check_holds(cloud: Cloud, holds: Holds) -> Iterator[str]:
    """Yield why a condition of the user's does not hold for a cloud: it returns False, or raises an exception."""
    try:
        result = holds(cloud)
    except AssertionError as error:
        yield f"holds: {str(error).splitlines()[0] if str(error) else 'an assertion fails'}"
    except Exception as error:  # noqa: BLE001 - it may look for a resource that this run lacks
        yield f"holds {describe_error(error)}"
    else:
        if result is False:
            yield f"holds: {getattr(holds, '__name__', 'the condition')} returns False"


def _find_mistakes(run: Run, clean: Run, cloud: Cloud) -> Iterator[str]:
    yield from (f"broken law: {broken}" for broken in laws.broken(cloud, whole=False))
    yield from find_lost(run.inventory, clean.inventory)
    if run.failure is None:
        yield from compare(run.inventory, clean.inventory)
        if run.value != clean.value:
            yield f"returns {run.value!r}, not {clean.value!r}"
