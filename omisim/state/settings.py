"""What a cloud is told when it is made, and the switches: the open questions of behaviour, with our answer to each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypedDict, get_args

from omisim.base.data_files import load_toml
from omisim.model import Entity
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES, list_cell_rules
from omisim.spec.rules import load_rules

__all__ = ["SWITCHES", "Auth", "Durations", "Settings", "Switch", "Switches", "Timing"]

Timing = Literal["eager", "clock", "manual"]
Auth = Literal["strict", "lenient", "off"]
TIMINGS: Final[tuple[Timing, ...]] = get_args(Timing)
AUTH_MODES: Final[tuple[Auth, ...]] = get_args(Auth)
LARGEST_PAGE: Final = 1000
Value = str | int | bool


class Switches(TypedDict, total=False):
    """The switches of a cloud and their values, for type checkers: the rows of `spec/switches.toml`."""

    copy_keeps_public: bool
    default_page_size: Literal[0, 100]
    hot_volume_update: bool
    linux_password: Literal["empty", "refuse"]
    most_tags: Literal[0, 50]
    snapshot_cut: Literal["request", "completion"]
    spec_version: Literal["1.42", "1.40"]
    stopped_public_ip: Literal["kept", "released"]
    strict_licences: bool
    strict_windows: bool
    start_running: Literal["refuse", "no-op"]


@dataclass(frozen=True, slots=True)
class Switch:
    """An open question of behaviour: what it decides, our answer, the other answers, and what is known."""

    says: str
    default: Value
    others: tuple[Value, ...]
    evidence: str


SWITCHES: Mapping[str, Switch] = {
    name: Switch(row["says"], row["default"], tuple(row["others"]), row["evidence"])
    for name, row in load_toml("omisim.spec", "switches.toml").items()
}


@dataclass(slots=True)
class Settings:
    """How one cloud behaves. Not part of its State: never undone, copied by a fork."""

    seed: str
    timing: str
    auth: str
    switches: dict[str, Value]
    durations: Durations
    unknown_images: bool = False  # adopt every OMI id that a call names
    capacity: dict[str, int] = field(default_factory=dict)  # Subregion → how many living VMs it has room for
    fetch: Callable[[str], bytes] | None = None  # gets what lies outside this cloud's object storage

    @classmethod
    def checked(cls, seed: int | str, timing: str, auth: str, switches: Mapping[str, Any] | None) -> Settings:
        """Return the settings of a new cloud. Raises ValueError with the list of what is known."""
        if timing not in TIMINGS:
            raise ValueError(f"timing is one of {', '.join(TIMINGS)}; not {timing!r}")
        if auth not in AUTH_MODES:
            raise ValueError(f"auth is one of {', '.join(AUTH_MODES)}; not {auth!r}")
        if not isinstance(seed, int | str):
            raise ValueError(f"seed is a number or a text; not {seed!r}")  # noqa: TRY004 - as every wrong argument
        if not isinstance(switches, Mapping | None):
            raise ValueError(f"switches is a mapping of names to values; not {switches!r}")  # noqa: TRY004 - as every wrong argument
        for name, value in (switches or {}).items():
            _check_switch(name, value)
        return cls(str(seed), timing, auth, dict(switches or {}), Durations())

    def copy(self) -> Settings:
        """Return an independent copy, for a fork."""
        durations = Durations()
        durations.update(self.durations)
        return replace(self, switches=dict(self.switches), durations=durations, capacity=dict(self.capacity))

    def switch(self, name: str) -> Value:
        """Return the answer to an open question."""
        return self.switches.get(name, SWITCHES[name].default)


class Durations(MutableMapping[str, float]):
    """Seconds spent in transient states, by "<kind>.<state>", where they differ from the table's."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def __getitem__(self, key: str) -> float:
        """Return the seconds that were set for a state, or the table's.

        Raises KeyError for what is no transient state, and for one that nobody set and that lasts by size.
        """
        if key in self._seconds or key not in _transients():
            return self._seconds[key]
        kind, _, state = key.partition(".")
        lifecycle = LIFECYCLES[kind]
        after = lifecycle.moves[state][lifecycle.get_automatic_event(state) or ""].after
        if not isinstance(after, float | int):
            raise KeyError(f"{key} is not set, and lasts by the size (omisim lifecycle {kind}): set its seconds first")
        return float(after)

    def __contains__(self, key: object) -> bool:
        """Whether a state was set."""
        return key in self._seconds

    def __setitem__(self, key: str, seconds: float) -> None:
        """Set them. Raises ValueError for an unknown state, with the list, or for a negative duration."""
        known = _transients()
        if key not in known:
            raise ValueError(f"{key!r} is no transient state; the known ones: {', '.join(known)}")
        if not isinstance(seconds, float | int) or not 0 <= seconds < float("inf"):
            raise ValueError(f"a duration is a number of seconds from 0 up, not {seconds!r}")
        self._seconds[key] = float(seconds)

    def __delitem__(self, key: str) -> None:
        """Go back to the table's duration, if another was set."""
        self._seconds.pop(key, None)

    def __iter__(self) -> Iterator[str]:
        """Walk the states that were set."""
        return iter(self._seconds)

    def __len__(self) -> int:
        """Return how many were set."""
        return len(self._seconds)

    def seconds_for(self, entity: Entity, state: str, event: str) -> float:
        """Return the seconds this entity spends in this state."""
        own = self._seconds.get(f"{entity.kind}.{state}")
        if own is not None:
            return own
        after = LIFECYCLES[entity.kind].moves[state][event].after or 0.0
        return after if isinstance(after, float | int) else after(entity)


def _transients() -> list[str]:
    return [
        f"{kind}.{state}"
        for kind, lifecycle in LIFECYCLES.items()
        for state in lifecycle.moves
        if lifecycle.get_automatic_event(state)
    ]


def _check_switch(name: str, value: Value) -> None:
    if name in SWITCHES:
        choices = (SWITCHES[name].default, *SWITCHES[name].others)
        free = name in ("default_page_size", "most_tags") and type(value) is int and 0 <= value <= LARGEST_PAGE
        if not free and not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ValueError(f"the switch {name} is one of {', '.join(map(repr, choices))}; not {value!r}")
    elif name in load_rules() or any(rule.id == name for rule in list_cell_rules()):
        if value not in ERRORS:
            raise ValueError(f"the switch {name} replaces the rule's error: {value!r} is no name of errors.ERRORS")
    else:
        raise ValueError(f"{name!r} is no switch; known: {', '.join(SWITCHES)}, or the id of a rule (see omisim rules)")
