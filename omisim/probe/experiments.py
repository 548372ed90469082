"""Experiments: calls with the answers that the model expects. `world.toml` explains how they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from omisim.base.texts import iter_texts
from omisim.probe.fcu import CREATIONS

__all__ = ["Call", "Experiment", "Outcome", "Parameters", "fill", "find_names"]

Parameters = dict[str, Any]
_REPEATED = re.compile(r"\{(.)\*(\d+)\}", re.DOTALL)
_NAME = re.compile(r"\{#?([a-z]\w*)\}")
_NUMBER = re.compile(r"\{#([a-z]\w*)\}")
COUNTED = ("left", "over", "number")  # names that a call with a quota or a repetition defines itself
_CREATES = re.compile(r"Create(?!Tags|Route\b|SecurityGroupRule)\w+")


@dataclass(frozen=True)
class Outcome:
    """One possible answer to a call, and the value of a switch that it shows."""

    value: Any
    code: str = ""
    shows: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One call of an experiment, and the expected answer.

    Attributes:
        do: The action.
        give: Its parameters.
        by: The caller.
        rules: What the answer decides. A call with rules and nothing else expected must succeed.
        code: The code of the expected refusal.
        shows: A pattern of the expected answer (see `find_differences`).
        lacks: Paths that the answer must not have.
        save: The names to save: name → path in the answer.
        wait: Instead of `do`: read the resource with this id until it has the `state` ("a|b": one of them; "": gone).
        switch, outcomes: The switch that the answer shows, and the answer for each of its values.
        needs: Names of the world that must exist although the call does not use them.
        of, state: The answer decides nothing if the resource `of` has left this transient state.
        fleeting: The refusal ends by itself, and no state shows it: a success decides nothing.
        http: Changes of the request, as the `call` of its door takes them.
        door: The service: "" for the OUTSCALE API, "fcu", or "oos" (object storage).
        quota, room: The call decides only while this quota of the caller leaves a number from `room[0]` to `room[1]`.
            Parameters may use `{left}`, and `{over}`, which is one more.
        repeat: Make the call until it is refused, and judge that; at most so many times, or as `{left}` allows.
            `{number}` counts them.
    """

    do: str = ""
    give: Parameters = field(default_factory=dict)
    by: str = "alice"
    rules: tuple[str, ...] = ()
    code: str = ""
    shows: Mapping[str, Any] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    save: Mapping[str, str] = field(default_factory=dict)
    wait: str = ""
    switch: str = ""
    outcomes: tuple[Outcome, ...] = ()
    needs: tuple[str, ...] = ()
    of: str = ""
    state: str = ""
    fleeting: bool = False
    http: Mapping[str, str] = field(default_factory=dict)
    door: str = ""
    quota: str = ""
    room: tuple[int, int] = (0, 0)
    repeat: int = 0

    @property
    def uses(self) -> tuple[str, ...]:
        """The names that must have a value before the call."""
        names = find_names([self.give, self.wait, self.of, self.shows, self.http])
        return (*self.needs, *(name for name in names if name not in COUNTED))

    @property
    def resources(self) -> int:
        """The number of resources that the call creates on an endpoint that agrees with the model."""
        if self.repeat:
            return self.requested * self.repeat
        return 0 if self.code else self.requested

    @property
    def requested(self) -> int:
        """The number of resources that the call creates if the endpoint accepts it."""
        if self.door == "oos":
            return int(self.do in ("PUT", "POST"))
        if self.door == "fcu":
            return int(self.do in CREATIONS)
        if not _CREATES.fullmatch(self.do):
            return 0
        number = self.give.get("MaxVmsCount", 1)
        return number if isinstance(number, int) else 1


@dataclass(frozen=True)
class Experiment:
    """Calls that decide rules together. `name` is unique; `source` is the file that contains it."""

    name: str
    source: str
    calls: tuple[Call, ...]

    @property
    def rules(self) -> tuple[str, ...]:
        """The rules that the experiment decides."""
        return tuple(dict.fromkeys(rule for call in self.calls for rule in call.rules))

    @property
    def switches(self) -> tuple[str, ...]:
        """The switches whose values the experiment finds."""
        return tuple(dict.fromkeys(call.switch for call in self.calls if call.switch))

    @property
    def quotas(self) -> tuple[str, ...]:
        """The quotas that the calls use up."""
        return tuple(call.quota for call in self.calls if call.quota)

    @property
    def needs(self) -> tuple[str, ...]:
        """The names that the calls use and do not save themselves."""
        saved = {name for call in self.calls for name in call.save}
        return tuple(dict.fromkeys(name for call in self.calls for name in call.uses if name not in saved))

    @property
    def resources(self) -> int:
        """The number of resources that the calls create."""
        return sum(call.resources for call in self.calls)

    @property
    def waits(self) -> int:
        """The number of calls that wait for a state."""
        return sum(bool(call.wait) for call in self.calls)


def fill(value: Any, values: Mapping[str, str]) -> Any:
    """Replace "{name}" by its value, "{#name}" by its number and "{A*300}" by 300 letters A, at any depth.

    An item `{ Item = value, Times = 300 }` of a list becomes 300 items. Raises KeyError for unknown names.
    """
    if isinstance(value, dict):
        return {key: fill(item, values) for key, item in value.items()}
    if isinstance(value, list):
        return [inner for item in value for inner in _fill_item(item, values)]
    if not isinstance(value, str) or "{" not in value:
        return value
    if number := _NUMBER.fullmatch(value):
        return int(values[number[1]])
    repeated = _REPEATED.fullmatch(value)
    return repeated[1] * int(repeated[2]) if repeated else _NAME.sub(lambda match: values[match[1]], value)


def _fill_item(item: Any, values: Mapping[str, str]) -> list[Any]:
    if isinstance(item, dict) and item.keys() == {"Item", "Times"}:
        return [fill(item["Item"], values)] * int(item["Times"])
    return [fill(item, values)]


def find_names(value: Any) -> Iterator[str]:
    """Yield the names in braces of a value, at any depth."""
    for text in iter_texts(value):
        yield from _NAME.findall(text)
