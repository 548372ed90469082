"""Search the call log: the recorded calls that match, and the closest ones that do not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.base.redact import redact
from omisim.base.renamed import Renamed
from omisim.base.subset import find_mismatches, shorten
from omisim.base.suggest import describe_unknown, suggest, suggest_action
from omisim.engine.engine import Engine
from omisim.engine.marks import Mark
from omisim.engine.session import CallRecord
from omisim.model.serialize import api_name, format_date
from omisim.spec.storage_operations import STORAGE_OPERATIONS

__all__ = ["Calls", "list_records", "search_calls"]

MAX_CLOSEST = 3


class Calls(tuple[CallRecord, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """The recorded calls that match a search, oldest first. The repr of an empty result shows the closest call.

    `query` describes the search. `closest` has a line for each of the (at most 3) most similar calls that do not match,
    with its mismatches.
    """

    query: str
    closest: tuple[str, ...]
    asked: ClassVar[Renamed] = Renamed("query")
    near: ClassVar[Renamed] = Renamed("closest")

    def one(self) -> CallRecord:
        """Return the single matching call.

        Raises AssertionError that shows the closest calls if none matches, or all matching calls if several do.
        """
        __tracebackhide__ = True  # pytest shows the test's line, not this one
        if len(self) == 1:
            return self[0]
        lines = map(str, self) if self else self.closest
        raise AssertionError("\n  ".join([f"expected one call of {self.query}, found {len(self) or 'none'}", *lines]))

    def __repr__(self) -> str:
        """Show the calls, or for an empty result the search and the closest call on one line."""
        return f"({', '.join(map(str, self))})" if self else "; ".join([f"no call of {self.query}", *self.closest[:1]])


def list_records(engine: Engine, since: Mark | None) -> list[CallRecord]:
    """Return the recorded calls of OAPI and FCU, oldest first: those since a mark, or all that are kept.

    Raises ValueError for a mark of another cloud.
    """
    if since is not None:
        engine.check_mark(since)
    calls, position = engine.session.calls, engine.session.call_position
    count = engine.kept_calls() if since is None else position - since.call_position
    return [record for record in calls[max(0, len(calls) - count) :] if record.api != "oos"]


def search_calls(
    records: Sequence[CallRecord],
    action: str | None,
    account: str | None,
    parameters: Mapping[str, Any],
    accounts: Iterable[str],
) -> Calls:
    """Return the records of an action, by an account, whose parameters include the given ones.

    `accounts` are the names of the existing accounts. Raises ValueError for an unknown action, account or parameter.
    """
    _check_query(records, action, parameters)
    names = sorted({*accounts, *(record.account for record in records if record.account)})
    if account is not None and account not in names:
        raise ValueError(describe_unknown("account", account, names))
    candidates = [record for record in records if action in (None, record.action)]
    mismatches = [tuple(_find_mismatches(record, account, parameters)) for record in candidates]
    calls = Calls(record for record, reasons in zip(candidates, mismatches, strict=True) if not reasons)
    caller = [f"by {account}"] if account else []
    values = [f"{name}={shorten(value)}" for name, value in parameters.items()]
    calls.query = " ".join([action or "any action", *caller, *values])
    ranked = sorted(zip(candidates, mismatches, strict=True), key=lambda pair: len(pair[1]))
    calls.closest = tuple(_describe_mismatch(record, reasons) for record, reasons in ranked if reasons)[:MAX_CLOSEST]
    if not candidates:
        counts = Counter(record.action for record in records)
        calls.closest = (f"calls made: {', '.join(f'{name} {count}x' for name, count in counts.items()) or 'none'}",)
    return calls


def _find_mismatches(record: CallRecord, account: str | None, parameters: Mapping[str, Any]) -> Iterator[str]:
    if account not in (None, record.account):
        yield f"the caller is not {account}"
    if next(find_mismatches(parameters, record.unredacted_parameters), None):
        shown_mismatches = tuple(find_mismatches(redact(parameters), record.parameters))
        yield from shown_mismatches or ["a secret or the signature of a URL differs"]


def _describe_mismatch(record: CallRecord, reasons: tuple[str, ...]) -> str:
    caller = f"by {record.account}" if record.account else "unsigned"
    return f"closest: {caller} at {format_date(record.at)}: {'; '.join(reasons)}"


def _check_query(records: Sequence[CallRecord], action: str | None, parameters: Mapping[str, Any]) -> None:
    if action is None:
        if parameters:
            raise ValueError(f"action is required with the parameters {', '.join(parameters)}")
        return
    if not isinstance(action, str):
        raise ValueError(f"action must be the name of one action, not {action!r}")
    known_actions = {*ACTIONS, *not_served(), *(record.action for record in records)}
    if action not in known_actions and action in STORAGE_OPERATIONS:
        raise ValueError(f"{action} is a request to object storage: cloud.calls() has those of the API only")
    if action not in known_actions:
        raise ValueError(f"unknown action {action!r}{suggest_action(action, known_actions)}")
    names = [api_name(name) for name in ACTIONS[action].shape.all_fields] if action in ACTIONS else parameters
    for name in parameters:
        if name not in names:
            suggestion = suggest(name, names) or suggest(api_name(name), names)
            raise ValueError(f"{action} has no parameter {name!r}{suggestion}")
