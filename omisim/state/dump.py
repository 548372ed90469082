"""Dump a cloud to JSON data and load it. A dump contains only the differences from the catalogue.

The form is canonical: the same cloud gives the same data in the same order. A state file holds the same form, in rows
of a database (`omisim/state/sqlite_store.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from operator import attrgetter
from typing import Any, NamedTuple

from omisim.base.clock import EARLIEST, Clock, ManualClock, SystemClock, parse_seconds
from omisim.base.frozen import replace
from omisim.base.garbage import pause_collections
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.subset import shorten
from omisim.model import Entity, Origin
from omisim.model.dump_form import InvalidData, deserialize, make_decoder, make_encoder
from omisim.state.dump_checks import check_rows
from omisim.state.licences import check_permission
from omisim.state.settings import Settings, check_duration, check_limit
from omisim.state.state import ROWS, Change, State
from omisim.state.table import find_differences

__all__ = ["Loaded", "check_object", "describe_settings", "from_dict", "read_value", "reading", "to_dict"]

VERSION = 2
READABLE = (1, VERSION)  # version 1 is that of omisim 0.1
# kind → the fields that version 1 calls otherwise, or that have gone since (None)
_RENAMED: Mapping[str, Mapping[str, str | None]] = {
    "snapshot": {"flaw": "import_error"},
    "vm": {"boot_modes": None, "restarts": "after_stop"},
    "origin": {"id": None},
}
_EVENTS_AFTER_STOP = {True: "start", False: ""}  # by the `restarts` of a VM in version 1
MAX_NUMBER = 2**53  # of a change or a creation: other programs read such numbers exactly, and SQLite stores them
_LATER_SETTINGS = {"unserved": "empty", "default_region": DEFAULT_REGION}  # the first dumps of version 1 have neither
_KIND = 2  # its place in a change of the journal
_SECOND = dt.timedelta(seconds=1)


class Loaded(NamedTuple):
    """A loaded dump: the parts of a cloud. `session` is the data of its session, None in a dump."""

    settings: Settings
    clock: Clock
    state: State
    history: int
    session: Any


def to_dict(state: State, settings: Settings, clock: Clock, history: int, first: State) -> dict[str, Any]:
    """Return the state, the settings and the clock of a cloud as JSON data. `first` is the initial State."""
    with pause_collections():
        return {
            "omisim": VERSION,
            "settings": describe_settings(settings, history),
            "clock": _describe_clock(clock),
            "rows": {kind: rows for kind in ROWS if (rows := _serialize_rows(state, first, kind))},
            "trimmed": state.trimmed,
            "journal": _serialize_journal(state.journal),
        }


def describe_settings(settings: Settings, history: int) -> dict[str, Any]:
    """Return the settings as JSON data."""
    return {
        "seed": settings.seed,
        "timing": settings.timing,
        "auth": settings.auth,
        "switches": dict(sorted(settings.switches.items())),
        "durations": dict(sorted(settings.durations.items())),
        "unknown_images": settings.unknown_images,
        "licences": dict(sorted(settings.licences.items())),
        "unserved": settings.unserved,
        "default_region": settings.default_region,
        "capacity": dict(sorted(settings.capacity.items())),
        "history": history,
    }


def _describe_clock(clock: Clock) -> dict[str, Any]:
    """Return the time of a clock as JSON data, and that of a SystemClock with the seconds advanced so far."""
    now = clock.now().isoformat()
    if isinstance(clock, SystemClock):
        return {"kind": "system", "now": now, "offset": clock.offset / _SECOND}
    return {"kind": "manual", "now": now}


def _serialize_rows(state: State, first: State, kind: str) -> dict[str, Any]:
    now, then = state.rows(kind), first.rows(kind)
    if now is then:
        return {}
    order, encode = state.order, make_encoder(ROWS[kind]) or _keep
    changed, replaced = find_differences(now, then)
    rows: dict[str, Any] = {row_id: [order(kind, row_id), encode(now[row_id])] for row_id in changed}
    return rows | {row_id: [0, None] for row_id in replaced if row_id not in now}


def _serialize_journal(journal: list[Change]) -> list[list[Any]]:
    encoders = {kind: make_encoder(cls) or _keep for kind, cls in ROWS.items()}
    lines, at, date = [], None, ""
    for change in journal:
        if change.at is not at:
            at, date = change.at, change.at.isoformat()
        encode, before, after = encoders[change.kind], change.before, change.after
        old = None if before is None else encode(before)
        new = None if after is None else encode(after)
        lines.append([change.seq, date, change.kind, change.id, old, new, change.cause, change.order])
    return lines


def _keep(value: Any) -> Any:
    return value


# --- loading


def from_dict(data: Mapping[str, Any], state: State) -> Loaded:
    """Return the parts of a dumped cloud. `state` is an initial State, which is filled.

    Raises ValueError for data that `to_dict` did not return, with the path of the wrong value.
    """
    if not isinstance(data, Mapping) or "omisim" not in data:
        raise ValueError(f"data must be a dump made by cloud.dump(), not {shorten(data)}")
    version = data["omisim"]
    if type(version) is not int or version not in READABLE:
        raise ValueError(f"unsupported dump version {shorten(version)}; omisim reads the versions 1 and {VERSION}")
    if version == 1:
        data = _upgrade(data)
    try:
        check_object(data, "omisim settings clock rows trimmed journal", "session")
        settings, history = _read_settings(data["settings"], version, state)
        clock = _read_clock(data["clock"])
        with pause_collections():
            _fill_state(state, data)
    except InvalidData as error:
        raise ValueError(f"the dump is damaged: {error}") from None
    return Loaded(settings, clock, state, history, data.get("session"))


def _upgrade(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a dump of version 1 with the field names of this version. What is damaged stays as it is."""
    dump = dict(data)
    if isinstance(data.get("rows"), Mapping):
        dump["rows"] = dict(data["rows"])
        for kind in _RENAMED:
            saved = data["rows"].get(kind)
            if isinstance(saved, Mapping):
                dump["rows"][kind] = {
                    row_id: [_rename(kind, part) for part in entry] if isinstance(entry, list) else entry
                    for row_id, entry in saved.items()
                }
    if isinstance(data.get("journal"), list):
        dump["journal"] = [_upgrade_change(entry) for entry in data["journal"]]
    return dump


def _upgrade_change(entry: Any) -> Any:
    kind = entry[_KIND] if isinstance(entry, list) and len(entry) > _KIND else None
    return [_rename(kind, part) for part in entry] if isinstance(kind, str) and kind in _RENAMED else entry


def _rename(kind: str, row: Any) -> Any:
    if not isinstance(row, Mapping):
        return row
    names = _RENAMED[kind]
    if type(row.get("restarts")) is bool:
        row = {**row, "restarts": _EVENTS_AFTER_STOP[row["restarts"]]}
    return {names.get(name, name): value for name, value in row.items() if names.get(name, name) is not None}


def check_object(value: Any, required: str, optional: str = "", path: str = "") -> None:
    """Raise InvalidData unless a value is a JSON object with these keys, each a list of words."""
    _check_mapping(value, path)
    names = required.split()
    for name in names:
        if name not in value:
            raise InvalidData("is missing", f"{path}.{name}")
    known = {*names, *optional.split()}
    for name in value:
        if name not in known:
            raise InvalidData("unknown key", f"{path}.{name}")


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Turn the errors of a value that is wrong into InvalidData with its path."""
    try:
        yield
    except InvalidData as error:
        raise error.below(path) from None
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise InvalidData(str(error), path) from None


def _read_settings(values: Any, version: int, first: State) -> tuple[Settings, int]:
    later = " ".join(["", "licences", *_LATER_SETTINGS])
    names = "seed timing auth switches durations unknown_images capacity history"
    check_object(values, names + (later if version > 1 else ""), later, ".settings")
    checked = {"seed": 0, "timing": "eager", "auth": "strict", "switches": {}} | _LATER_SETTINGS
    given = {name: values[name] for name in checked if name in values}
    for name, value in given.items():
        with reading(f".settings.{name}"):
            Settings.checked(**{**checked, name: value})
    settings = Settings.checked(**{**checked, **given})
    settings = replace(
        settings,
        durations=_read_setting(
            values, "durations", float, partial(check_duration, counts_reads=settings.timing == "reads")
        ),
        capacity=_read_setting(values, "capacity", int, check_limit),
        licences=_read_setting(values, "licences", bool, partial(check_permission, first)),
        unknown_images=read_value(bool, values, "unknown_images", ".settings"),
    )
    history: int = read_value(int, values, "history", ".settings")
    if history < 1:
        raise InvalidData(f"must be a positive int, not {history}", ".settings.history")
    return settings, history


def _read_setting(values: Mapping[str, Any], name: str, kind: Any, check: Callable[[str, Any], Any]) -> dict[str, Any]:
    """Return a setting that is a mapping. `kind` is the type of its values, and `check` returns each of them."""
    setting: dict[str, Any] = {}
    for key, value in _check_mapping(values.get(name, {}), f".settings.{name}").items():
        with reading(f".settings.{name}.{key}"):
            setting[key] = check(key, deserialize(kind, value))
    return setting


def _check_mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InvalidData(f"must be an object, not {shorten(value)}", path)
    return value


def read_value(cls: Any, values: Mapping[str, Any], name: str, path: str) -> Any:
    """Return the value of a key of the object at a path, decoded as an instance of `cls`. Raises InvalidData."""
    with reading(f"{path}.{name}"):
        return deserialize(cls, values[name])


def _read_clock(values: Any) -> Clock:
    check_object(values, "kind now", "offset", ".clock")
    if values["kind"] not in ("manual", "system"):
        raise InvalidData(f"must be 'manual' or 'system', not {shorten(values['kind'])}", ".clock.kind")
    now = read_value(dt.datetime, values, "now", ".clock")
    with reading(".clock.now"):
        manual = ManualClock(now)
    if values["kind"] == "manual":
        return manual
    with reading(".clock.offset"):
        clock = SystemClock(parse_seconds(deserialize(float, values.get("offset", 0)), EARLIEST), manual.now())
        clock.now()
    return clock


def _fill_state(state: State, data: Mapping[str, Any]) -> None:
    check_object(data["rows"], "", " ".join(ROWS), ".rows")
    rows = {kind: _read_rows(kind, saved) for kind, saved in data["rows"].items()}
    trimmed: int = read_value(int, data, "trimmed", "")
    if not 0 <= trimmed <= MAX_NUMBER:
        raise InvalidData(f"must be a number from 0 to {MAX_NUMBER}, not {trimmed}", ".trimmed")
    if not isinstance(data["journal"], list):
        raise InvalidData(f"must be a list, not {shorten(data['journal'])}", ".journal")
    state.restore(rows, _read_journal(data["journal"], trimmed), trimmed)
    check_rows(state, rows)


def _read_rows(kind: str, saved: Any) -> dict[str, tuple[int, Any]]:
    cls, rows = ROWS[kind], {}
    read_row, get_id = _list_row_decoders()[kind], attrgetter(cls.key) if issubclass(cls, Entity) else None
    for row_id, entry in _check_mapping(saved, f".rows.{kind}").items():
        try:
            order, value = entry
            row = None if value is None else read_row(value)
        except InvalidData as error:
            raise error.below(f".rows.{kind}.{row_id}") from None
        except (TypeError, ValueError):
            raise InvalidData("must be a creation number and a row", f".rows.{kind}.{row_id}") from None
        if not _is_number(order) or (get_id and row is not None and get_id(row) != row_id):
            raise InvalidData("must be a creation number and the row of this id", f".rows.{kind}.{row_id}")
        rows[row_id] = (order, row)
    return rows


def _is_number(value: Any) -> bool:
    return type(value) is int and 0 <= value <= MAX_NUMBER


@cache
def _list_row_decoders() -> Mapping[str, Callable[[Any], Any]]:
    """Return the decoders of rows by kind. Equal origins become one, as in `Call.record_origin`."""
    return {kind: make_decoder(cls, shared=cls is Origin) for kind, cls in ROWS.items()}


def _read_journal(entries: list[Any], first: int) -> list[Change]:
    decoders = _list_row_decoders()
    changes: list[Change] = []
    try:
        for number, entry in enumerate(entries, first):
            changes.append(_read_change(entry, number, decoders))
    except Exception:  # not swallowed: `reading` adds the place; around each change it would take a quarter of its time
        with reading(f".journal[{len(changes)}]"):
            raise
    return changes


def _read_change(entry: Any, number: int, decoders: Mapping[str, Callable[[Any], Any]]) -> Change:
    seq, at, kind, row_id, before, after, cause, order = entry
    read_row = decoders[kind]
    if _read_int(seq) != number:
        raise InvalidData(f"must have the number {number}, not {seq}")
    if not _is_number(order):
        raise InvalidData(f"must have a creation number, not {shorten(order)}")
    for text in (row_id, cause):
        _read_text(text)
    when = _read_date(at)
    old = None if before is None else read_row(before)
    new = None if after is None else read_row(after)
    return Change(seq, when, kind, row_id, old, new, cause, order)


_read_int, _read_text, _read_date = make_decoder(int), make_decoder(str), make_decoder(dt.datetime)
