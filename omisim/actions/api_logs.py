"""ReadApiLogs: the session's call log in the API's form."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import fields
from ipaddress import ip_address
from typing import Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.base.clock import truncate_date
from omisim.base.frozen import replace
from omisim.formats.sigv4 import find_access_key
from omisim.model import Log, OrDict, With
from omisim.model.filters import FiltersApiLog
from omisim.model.filters.dicts import FiltersApiLogDict

WINDOW, RETENTION = dt.timedelta(hours=48), dt.timedelta(days=32)
HERE = "127.0.0.1"
NOT_LOGGED = (0, 401, 404)  # statuses; 0 is a call without an answer


@action("ReadApiLogs", "Logs", paged=True)
def read_api_logs(
    call: Call, *, filters: FiltersApiLog | FiltersApiLogDict | None = None, with_: OrDict[With] | None = None
) -> tuple[Log, ...]:
    """List the caller's calls of the last 48 hours, or of another period within 32 days, the oldest first (CAT-010).

    Not listed are calls of other APIs, calls that are refused with the status 401 or 404 (CAT-010/scope), and calls
    without an answer: this one, and those whose connection was dropped. A rollback does not undo the log, and a fork
    starts a new one. `with_` selects the fields to return.
    """
    window = _complete_window(as_parsed(filters) or FiltersApiLog(), call.now)
    for text in filter(None, window.query_ip_addresses or ()):  # an empty text finds nothing
        call.check(_is_ip_address(text), "CAT-010/address", ip_address=text)
    call.check_range(window.query_date_after, window.query_date_before)
    oldest = call.now - RETENTION
    own = (r for r in call.log if r.account == call.account.name and r.api == "oapi" and r.at >= oldest)
    logs = call.select((_make_log(call, r) for r in own if r.status not in NOT_LOGGED), window)
    selection = as_parsed(with_)
    hidden = {} if selection is None else {f.name: None for f in fields(selection) if not getattr(selection, f.name)}
    return tuple(replace(log, **hidden) for log in logs) if hidden else logs


def _is_ip_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _complete_window(filters: FiltersApiLog, now: dt.datetime) -> FiltersApiLog:
    """Fill in the missing ends of the period. Without both it has no end, for a rollback may have turned back time."""
    after, before = filters.query_date_after, filters.query_date_before
    if after is None:
        after = _shift(before or now, -WINDOW)
    elif before is None:
        before = _shift(after, WINDOW)
    return filters.replace(query_date_after=after, query_date_before=before)


def _shift(at: dt.datetime, span: dt.timedelta) -> dt.datetime:
    """Return a later or earlier time, or the time itself where no date is that late or early."""
    try:
        return at + span
    except OverflowError:
        return at


def _make_log(call: Call, record: Any) -> Log:
    """Return the log entry of a recorded call. A call from Python has no headers and no access key."""
    version = call.switch("spec_version")
    assert isinstance(version, str)
    payload = json.dumps(record.parameters, default=str)
    headers = {name: "*****" if name == "authorization" else value for name, value in record.headers.items()}
    raw = "\n".join(f"{name.title()}: {value}" for name, value in headers.items())
    return Log(
        account_id=call.account.account_id,
        call_duration=record.took,
        query_access_key=find_access_key(record.headers.get("authorization", "")),
        query_api_name="oapi",
        query_api_version=version,
        query_call_name=record.action,
        query_date=truncate_date(record.at),
        query_header_raw=raw,
        query_header_size=len(raw.encode()),
        query_ip_address=record.headers.get("x-forwarded-for", HERE),
        query_payload_raw=payload,
        query_payload_size=len(payload.encode()),
        query_user_agent=record.headers.get("user-agent"),
        request_id=record.request_id,
        response_size=record.size,
        response_status_code=record.status,
        serial=record.serial,
    )
