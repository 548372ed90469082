"""The session of a cloud as JSON data, for a store: request numbers, faults, requested failures and lock-outs.

The call log, the warnings, and faults with a `meanwhile` function end with the process.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from omisim.engine.failures import Failure
from omisim.engine.faults import Fault
from omisim.engine.lockouts import Lockouts
from omisim.engine.session import Session
from omisim.model.dump_form import InvalidData, deserialize
from omisim.spec.errors import ERRORS
from omisim.state.dump import check_object, read_value, reading

__all__ = ["describe_session", "describe_session_text", "read_session"]

_FAULT = tuple(field.name for field in fields(Fault) if field.name != "meanwhile")
_FAILURE = tuple(field.name for field in fields(Failure))


def describe_session(session: Session) -> dict[str, Any]:
    """Return the kept part of a session as JSON data."""
    return {
        "requests": session.requests,
        "faults": [_describe_fault(fault) for fault in session.faults if fault.meanwhile is None],
        "added_faults": session.added_faults,
        "failures": [{name: getattr(failure, name) for name in _FAILURE} for failure in session.failures],
        "lockouts": {
            account: [count, until.isoformat()] for account, (count, until) in session.lockouts.failures.items()
        },
    }


def describe_session_text(session: Session) -> str:
    """Return `describe_session` as JSON text, quickly for the usual session."""
    if session.failures or session.faults or session.lockouts.failures:
        return json.dumps(describe_session(session))
    counts = f'"requests":{session.requests},"faults":[],"added_faults":{session.added_faults}'
    return f'{{{counts},"failures":[],"lockouts":{{}}}}'


def _describe_fault(fault: Fault) -> dict[str, Any]:
    values = {name: getattr(fault, name) for name in _FAULT}
    return values | {"error": fault.error.name if fault.error else None}


def read_session(data: Any) -> Session:
    """Return the session that `describe_session` returned. Raises ValueError, with the path of the wrong value."""
    try:
        check_object(data, "requests faults added_faults failures lockouts", path=".session")
        session = Session()
        session.requests = read_value(int, data, "requests", ".session")
        session.added_faults = read_value(int, data, "added_faults", ".session")
        with reading(".session.faults"):
            session.faults = tuple(_read_fault(number, values) for number, values in enumerate(data["faults"]))
        with reading(".session.failures"):
            session.failures = tuple(deserialize(Failure, values) for values in data["failures"])
        with reading(".session.lockouts"):
            session.lockouts = Lockouts(
                {
                    account: (deserialize(int, count), deserialize(dt.datetime, until))
                    for account, (count, until) in data["lockouts"].items()
                }
            )
    except InvalidData as error:
        raise ValueError(f"the dump is damaged: {error}") from None
    return session


def _read_fault(number: int, values: Mapping[str, Any]) -> Fault:
    check_object(values, " ".join(_FAULT), path=f"[{number}]")
    with reading(f"[{number}]"):
        fault = Fault(**values)
        fault.error = None if values["error"] is None else ERRORS[values["error"]]
        return fault
