"""A cloud as plain JSON data, and back. Only what differs from the catalogue is written."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from omisim.base.clock import Clock, ManualClock, SystemClock
from omisim.model.serialize import deserialize, serialize
from omisim.state.settings import Settings
from omisim.state.state import ROWS, Change, State

__all__ = ["VERSION", "from_dict", "to_dict"]

VERSION = 1


def to_dict(state: State, settings: Settings, clock: Clock, history: int, first: State) -> dict[str, Any]:
    """Return everything that makes the cloud what it is, but for its session."""
    return {
        "omisim": VERSION,
        "settings": {
            "seed": settings.seed,
            "timing": settings.timing,
            "auth": settings.auth,
            "switches": dict(settings.switches),
            "durations": dict(settings.durations),
            "unknown_images": settings.unknown_images,
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
    """Return the parts of the cloud that was dumped; `state` is a fresh one. Raises ValueError for anything else."""
    if not isinstance(data, Mapping) or "omisim" not in data:
        raise ValueError("this is no dump of omisim: cloud.dump() makes one")
    if data["omisim"] != VERSION:
        raise ValueError(
            f"this dump is of version {data['omisim']!r}, and version {VERSION} is read here: make it anew"
        )
    try:
        said = data["settings"]
        settings = Settings.checked(said["seed"], said["timing"], said["auth"], said["switches"])
        settings.durations.update(said["durations"])
        settings.unknown_images = bool(said["unknown_images"])
        settings.capacity.update(said["capacity"])
        rows = {
            kind: {row_id: (order, deserialize(ROWS[kind], row)) for row_id, (order, row) in saved.items()}
            for kind, saved in data["rows"].items()
        }
        state.restore(rows, [_read_change(entry) for entry in data["journal"]], data["trimmed"])
        now = dt.datetime.fromisoformat(data["clock"]["now"])
        clock: Clock = SystemClock() if data["clock"]["kind"] == "system" else ManualClock(now)
        return settings, clock, state, int(said["history"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"this dump is damaged: {error!r}") from error


def _read_change(entry: Any) -> Change:
    seq, at, kind, row_id, before, after, cause, order = entry
    cls = ROWS[kind]
    when = dt.datetime.fromisoformat(at)
    return Change(seq, when, kind, row_id, deserialize(cls, before), deserialize(cls, after), cause, order)
