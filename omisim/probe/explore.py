"""Random histories on two endpoints at once: the first call that they answer differently, shrunk to a script."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from omisim.base.data_files import load_toml
from omisim.probe.connection import Answer
from omisim.probe.experiments import Call, Parameters, find_names
from omisim.probe.runner import Runner

__all__ = ["Difference", "Rng", "draw_history", "find_difference", "render_script", "shrink"]

LENGTH = 12  # calls of a history
# kind of a slot → an id that does not exist
UNKNOWN = {
    "volume": "vol-00000000", "snapshot": "snap-00000000", "image": "ami-00000000", "group": "sg-00000000",
    "net": "vpc-00000000", "subnet": "subnet-00000000",
}  # fmt: skip
_UNKNOWN_SHARE = 8  # one id in so many does not exist


class Rng(Protocol):
    """The source of chance: a `random.Random`."""

    def choice(self, seq: Sequence[Any], /) -> Any:
        """Return an item."""

    def randrange(self, stop: int, /) -> int:
        """Return a number below `stop`."""


@dataclass(frozen=True)
class Difference:
    """A history whose last call has different answers: that of omisim, and that of the endpoint."""

    history: tuple[Call, ...]
    expected: Answer
    measured: Answer
    details: str = field(default="")


def draw_history(rng: Rng) -> tuple[Call, ...]:
    """Return the calls of a random history. Names such as `{volume1}` stand for what earlier calls created."""
    steps = load_toml("omisim.probe", "explore.toml")["step"]
    slots: dict[str, list[str]] = {}
    history: list[Call] = []
    while len(history) < LENGTH:
        step = rng.choice(steps)
        kinds = [name for name in find_names(step["give"]) if name in UNKNOWN]
        if any(kind not in slots and rng.randrange(_UNKNOWN_SHARE) for kind in kinds):
            continue  # most calls use something that exists
        give = step["give"] | {name: rng.choice(values) for name, values in step.get("vary", {}).items()}
        saved = {}
        for kind, path in step.get("makes", {}).items():
            saved[f"{kind}{len(history)}"] = path
        history.append(Call(step["do"], _use_slots(give, slots, rng), save=saved))
        for name in saved:
            slots.setdefault(name.rstrip("0123456789"), []).append(name)
    return tuple(history)


def _use_slots(value: Any, slots: Mapping[str, list[str]], rng: Rng) -> Any:
    if isinstance(value, dict):
        return {name: _use_slots(inner, slots, rng) for name, inner in value.items()}
    if isinstance(value, list):
        return [_use_slots(inner, slots, rng) for inner in value]
    kind = value[1:-1] if isinstance(value, str) else ""
    if kind not in UNKNOWN:
        return value
    names = slots.get(kind, [])
    return f"{{{rng.choice(names)}}}" if names and rng.randrange(_UNKNOWN_SHARE) else UNKNOWN[kind]


def find_difference(history: Sequence[Call], omisim: Runner, endpoint: Runner) -> Difference | None:
    """Make the calls of a history on both sides, clean up, and return the first difference."""
    names: tuple[dict[str, str], dict[str, str]] = ({}, {})
    try:
        for number, call in enumerate(history):
            if any(name in saved for name in find_names(call.give) for saved in _find_unsaved(history[:number], names)):
                continue  # its resource was not created, on either side
            (expected, here), (measured, there) = (
                side.perform(call, ids) for side, ids in zip((omisim, endpoint), names, strict=True)
            )
            names[0].update(here)
            names[1].update(there)
            if details := "; ".join(_compare(expected, measured)):
                return Difference((*history[:number], call), expected, measured, details)
        return None
    finally:
        try:
            endpoint.clean()
        finally:
            omisim.clean()


def _find_unsaved(history: Sequence[Call], names: tuple[dict[str, str], dict[str, str]]) -> list[set[str]]:
    created = {name for call in history for name in call.save}
    return [created - set(ids) for ids in names]


def _compare(expected: Answer, measured: Answer) -> Iterator[str]:
    """Yield the differences of two answers: the error code, the fields, and the number of results."""
    if expected.code != measured.code:
        yield f"omisim answers {expected}, the endpoint {measured}"
        return
    for name in {**expected.body, **measured.body}:
        here, there = expected.body.get(name), measured.body.get(name)
        if isinstance(here, list) and isinstance(there, list) and len(here) != len(there):
            yield f"{name} has {len(here)} items in omisim, {len(there)} at the endpoint"
        elif (here is None) != (there is None):
            yield f"{name} is present only {'in omisim' if there is None else 'at the endpoint'}"
        elif isinstance(here, dict) and isinstance(there, dict) and here.keys() != there.keys():
            yield f"{name} differs in {', '.join(sorted(here.keys() ^ there.keys()))}"


def shrink(difference: Difference, omisim: Runner, endpoint: Runner) -> Difference:
    """Return a difference with as few calls as removing them one by one leaves."""
    number = 0
    while number < len(difference.history) - 1:
        shorter = difference.history[:number] + difference.history[number + 1 :]
        remaining = find_difference(shorter, omisim, endpoint)
        if remaining is None:
            number += 1
        else:
            difference = remaining
    return difference


def render_script(difference: Difference) -> str:
    """Return a difference as an experiment, which `omisim probe --experiments FILE` runs."""
    *calls, last = difference.history
    rows = [_render(call) for call in calls]
    code = f', code = "{difference.expected.code}"' if difference.expected.code else ""
    rows.append(f'{_render(replace(last, save={}))[:-2]}, rule = "explored"{code} }}')
    lines = "".join(f"    {row},\n" for row in rows)
    return f'# {difference.details}\n["explored"]\ncalls = [\n{lines}]\n'


def _render(call: Call) -> str:
    save = f", save = {_render_toml(dict(call.save))}" if call.save else ""
    return f'{{ do = "{call.do}", give = {_render_toml(call.give)}{save} }}'


def _render_toml(value: Parameters | Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{name} = {_render_toml(item)}" for name, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list):
        return f"[{', '.join(map(_render_toml, value))}]"
    return json.dumps(value)
