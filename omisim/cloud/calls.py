"""Looking for calls: those that were made with what is asked for, or, where none was, those that came nearest to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from omisim.actions.framework.registry import ACTIONS, not_served
from omisim.base.subset import find_mismatches, shorten
from omisim.base.suggest import suggest
from omisim.engine.session import CallRecord
from omisim.model.serialize import api_name, format_date

__all__ = ["Calls", "search_calls"]

MOST_NEAR = 3


class Calls(tuple[CallRecord, ...]):  # noqa: SLOT001 - a tuple has no room for slots
    """What `cloud.calls` found, oldest first. Its text, when it is empty, says what came nearest.

    `asked` is what was asked for in words; `near` the calls that were made and are not meant, and why not.
    """

    asked: str
    near: tuple[str, ...]

    def one(self) -> CallRecord:
        """Return the only call. Raises AssertionError for none, with the nearest, and for several, with all."""
        __tracebackhide__ = True  # pytest shows the test's line, not this one
        if len(self) == 1:
            return self[0]
        told = map(str, self) if self else self.near
        raise AssertionError("\n  ".join([f"{len(self) or 'no'} calls of {self.asked}, not one", *told]))

    def __repr__(self) -> str:
        """Show the calls, or on the one line that an assertion has what was asked for and what came nearest."""
        return f"({', '.join(map(str, self))})" if self else "; ".join([f"no call of {self.asked}", *self.near[:1]])


def search_calls(
    records: Sequence[CallRecord],
    action: str | None,
    account: str | None,
    parameters: Mapping[str, Any],
    accounts: Iterable[str],
) -> Calls:
    """Return the calls of an action, by an account, with these parameters among theirs.

    Raises ValueError for an action, an account or a parameter that there is not; `accounts` there are, by their names.
    """
    _check(records, action, parameters)
    names = {*accounts, *(record.account for record in records if record.account)}
    if account is not None and account not in names:
        known = ", ".join(sorted(names)) or "none"
        raise ValueError(f"there is no account {account!r}{suggest(account, names)}; known: {known}")
    of_action = [record for record in records if action in (None, record.action)]
    missed = [tuple(_missed(record, account, parameters)) for record in of_action]
    calls = Calls(record for record, missing in zip(of_action, missed, strict=True) if not missing)
    who = [f"by {account}"] if account else []
    calls.asked = " ".join([action or "any action", *who, *(f"{name}={shorten(v)}" for name, v in parameters.items())])
    near = sorted(zip(of_action, missed, strict=True), key=lambda pair: len(pair[1]))
    calls.near = tuple(_near(record, missing) for record, missing in near if missing)[:MOST_NEAR]
    if not of_action:
        counts = Counter(record.action for record in records)
        calls.near = (f"called were {', '.join(f'{name} {count}x' for name, count in counts.items()) or 'none'}",)
    return calls


def _missed(record: CallRecord, account: str | None, parameters: Mapping[str, Any]) -> Iterator[str]:
    if account not in (None, record.account):
        yield f"it is not by {account}"
    yield from find_mismatches(parameters, record.parameters)


def _near(record: CallRecord, missing: tuple[str, ...]) -> str:
    return f"near it by {record.account or 'nobody'} at {format_date(record.at)}: {'; '.join(missing)}"


def _check(records: Sequence[CallRecord], action: str | None, parameters: Mapping[str, Any]) -> None:
    if action is None:
        if parameters:
            raise ValueError(f"name the action that has the parameters {', '.join(parameters)}")
        return
    known = {*ACTIONS, *not_served(), *(record.action for record in records)}
    if action not in known:
        raise ValueError(f"{action!r} is no action of the API{suggest(action, known)}")
    names = [api_name(name) for name in ACTIONS[action].shape.all_fields] if action in ACTIONS else parameters
    for name in parameters:
        if name not in names:
            raise ValueError(
                f"{name!r} is no parameter of {action}{suggest(name, names) or suggest(api_name(name), names)}"
            )
