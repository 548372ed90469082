"""Dump a cloud to JSON data and load it. A dump contains only the differences from the catalogue."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from omisim.base.clock import Clock, ManualClock, SystemClock
from omisim.base.subset import shorten
from omisim.model.serialize import deserialize, serialize
from omisim.state.settings import Settings
from omisim.state.state import ROWS, Change, State

__all__ = ["VERSION", "from_dict", "to_dict"]

VERSION = 1


def to_dict(state: State, settings: Settings, clock: Clock, history: int, first: State) -> dict[str, Any]:
    """Return the state, the settings and the clock of a cloud as JSON data. `first` is the initial State."""
    return {
        "omisim": VERSION,
        "settings": {
            "seed": settings.seed,
            "timing": settings.timing,
            "auth": settings.auth,
            "switches": dict(settings.switches),
            "durations": dict(settings.durations),
            "unknown_images": settings.unknown_images,
            "licences": dict(settings.licences),
            "unserved": settings.unserved,
            "capacity": dict(settings.capacity),
            "history": history,
        },
        "clock": {"kind": "system" if isinstance(clock, SystemClock) else "manual", "now": clock.now().isoformat()},
        "rows": {kind: rows for kind in ROWS if (rows := _serialize_rows(state, first, kind))},
        "trimmed": state.position - len(state.journal),
        "journal": [_serialize_change(change) for change in state.journal],
    }


def _serialize_rows(state: State, first: State, kind: str) -> dict[str, Any]:
    now, then = state.rows(kind), first.rows(kind)
    changed = {i: [state.order(kind, i), serialize(row)] for i, row in now.items() if then.get(i) is not row}
    return changed | {row_id: [0, None] for row_id in then if row_id not in now}


def _serialize_change(change: Change) -> list[Any]:
    before, after = serialize(change.before), serialize(change.after)
    return [change.seq, change.at.isoformat(), change.kind, change.id, before, after, change.cause, change.order]


def from_dict(data: Mapping[str, Any], state: State) -> tuple[Settings, Clock, State, int]:
    """Return the settings, clock, State and history of a dumped cloud. `state` is an initial State, which is filled.

    Raises ValueError for data that `to_dict` did not return.
    """
    if not isinstance(data, Mapping) or "omisim" not in data:
        raise ValueError(f"data must be a dump made by cloud.dump(), not {shorten(data)}")
    if data["omisim"] != VERSION:
        raise ValueError(
            f"unsupported dump version {data['omisim']!r}; only version {VERSION} is supported: dump the cloud again"
        )
    try:
        values = data["settings"]
        unserved = values.get("unserved", "empty")  # a dump of an earlier version has none
        settings = Settings.checked(values["seed"], values["timing"], values["auth"], values["switches"], unserved)
        settings.durations.update(values["durations"])
        settings.unknown_images = bool(values["unknown_images"])
        settings.capacity.update(values["capacity"])
        settings.licences.update(values.get("licences", {}))
        rows = {
            kind: {row_id: (order, deserialize(ROWS[kind], row)) for row_id, (order, row) in saved.items()}
            for kind, saved in data["rows"].items()
        }
        state.restore(rows, [_read_change(entry) for entry in data["journal"]], data["trimmed"])
        now = dt.datetime.fromisoformat(data["clock"]["now"])
        clock: Clock = SystemClock() if data["clock"]["kind"] == "system" else ManualClock(now)
        return settings, clock, state, int(values["history"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"the dump is damaged: {error!r}") from error


def _read_change(entry: Any) -> Change:
    seq, at, kind, row_id, before, after, cause, order = entry
    cls = ROWS[kind]
    when = dt.datetime.fromisoformat(at)
    return Change(seq, when, kind, row_id, deserialize(cls, before), deserialize(cls, after), cause, order)
