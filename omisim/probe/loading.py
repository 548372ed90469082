"""Read the experiments of this package: refusals, of one call, and stories, of several calls."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from omisim.base.suggest import suggest
from omisim.probe.cells import expand_cells
from omisim.probe.experiments import Call, Experiment, Outcome, Parameters
from omisim.probe.fcu import is_unrecorded
from omisim.probe.judge import DEFAULTS

__all__ = ["Case", "load_cases", "load_experiments", "read_call", "read_story"]

DOORS = ("", "fcu", "oos")
# key of a call → the type of its value in TOML
_TYPES = {name: list if isinstance(value, tuple) else type(value) for name, value in vars(Call()).items()}
_KEYS = {"rule", *_TYPES} - {"rules"}
_NOUNS = {str: "a text", dict: "a table", list: "a list", bool: "true or false", int: "a number"}


@dataclass(frozen=True)
class Case:
    """A call that a rule refuses with a code, and a similar call that succeeds, or None."""

    family: str
    rule: str
    code: str
    action: str
    broken: Parameters
    kept: Parameters | None = None
    by: str = "alice"
    needs: tuple[str, ...] = ()
    switches: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return the name of the case, for the id of its test."""
        return f"{self.family}-{self.rule}-{self.action}"

    def to_experiment(self, number: int) -> Experiment:
        """Return the experiment that makes the broken call. With a switch, it finds the value of the switch."""
        name = f"{self.rule} {self.action}" + (f" ({number})" if number > 1 else "")
        call = Call(self.action, self.broken, self.by, (self.rule,), self.code, needs=tuple(self.needs))
        for switch, value in self.switches.items():
            call = replace(call, code="", switch=switch, outcomes=(Outcome(value, self.code), Outcome(None)))
        return Experiment(name, f"refusals/{self.family}.toml", (call,))


@cache
def load_experiments() -> tuple[Experiment, ...]:
    """Return every experiment of the package: the stories, the refusals, and then those that use up a quota."""
    cases: dict[str, int] = {}
    stories = _load_stories()
    experiments = [one for one in stories if not one.quotas]
    for case in load_cases():
        key = f"{case.rule} {case.action}"
        cases[key] = cases.get(key, 0) + 1
        experiments.append(case.to_experiment(cases[key]))
    return (*experiments, *(one for one in stories if one.quotas))


def load_cases() -> list[Case]:
    """Return every case, in the order of the files and of their lines."""
    return [Case(family, **row) for family, table in _load_tables("refusals").items() for row in table["case"]]


def _load_stories() -> list[Experiment]:
    """Return the experiments of several calls."""
    return [
        read_story(name, row, f"behavior/{family}.toml")
        for family, table in _load_tables("behavior").items()
        for name, row in table.items()
    ]


def read_story(name: str, row: Mapping[str, Any], source: str) -> Experiment:
    """Return the experiment of a TOML table. Raises ValueError unless it has a list of calls, and no other key."""
    if unknown := next((key for key in row if key != "calls"), None):
        raise ValueError(f"{source}: experiment {name!r} has the key {unknown!r}; it must have calls alone")
    if not isinstance(row.get("calls"), list):
        raise ValueError(f"{source}: the calls of experiment {name!r} must be a list, not {row.get('calls')!r}")
    return Experiment(
        name, source, tuple(call for step in row["calls"] for call in _read_step(step, f"{source}: {name}"))
    )


def _read_step(step: Any, where: str) -> Iterator[Call]:
    """Yield the call of a step, or the calls for which `cells` stands."""
    if isinstance(step, dict) and "cells" in step:
        try:
            yield from expand_cells(step["cells"], **{name: value for name, value in step.items() if name != "cells"})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{where}: cells must name a kind, a state of it, and no other key: {error}") from None
    else:
        yield read_call(step, where)


def read_call(row: Any, where: str) -> Call:
    """Return the call of a TOML table. Raises ValueError for an unknown key and for a value of another type."""
    if not isinstance(row, dict):
        raise ValueError(f"{where}: a call must be a table, not {row!r}")
    if unknown := next((name for name in row if name not in _KEYS), None):
        raise ValueError(f"{where}: a call has no key {unknown!r}{suggest(unknown, _KEYS)}")
    fields = dict(row)
    rules = fields.pop("rule", [])
    fields["rules"] = [rules] if isinstance(rules, str) else rules
    for name, value in fields.items():
        if type(value) is not _TYPES[name]:
            raise ValueError(f"{where}: {name} must be {_NOUNS[_TYPES[name]]}, not {value!r}")
    try:
        fields["outcomes"] = [Outcome(**one) for one in fields.get("outcomes", [])]
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from None
    arguments: dict[str, Any] = {name: tuple(fields[name]) if _TYPES[name] is list else fields[name] for name in fields}
    call = Call(**arguments)
    if not (call.do or call.wait):
        raise ValueError(f"{where}: a call must have do, wait or cells")
    if call.switch and call.switch not in DEFAULTS:
        raise ValueError(f"{where}: unknown switch {call.switch!r}{suggest(call.switch, DEFAULTS)}")
    if call.door not in DOORS:
        raise ValueError(f"{where}: door must be 'fcu', 'oos' or absent, not {call.door!r}")
    if call.door == "fcu" and is_unrecorded(call.do):
        raise ValueError(f"{where}: {call.do} of FCU could not be cleaned up; create it by the OUTSCALE API")
    return call


@cache
def _load_tables(folder: str) -> dict[str, dict[str, Any]]:
    paths = sorted(files("omisim.probe").joinpath(folder).iterdir(), key=lambda path: path.name)
    return {path.name.removesuffix(".toml"): tomllib.loads(path.read_text("utf-8")) for path in paths}
