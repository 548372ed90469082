"""Cloud configuration and behaviour switches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final, Literal, get_args

from omisim.base.data_files import load_toml
from omisim.base.frozen import frozen
from omisim.base.hosts import DEFAULT_REGION
from omisim.base.suggest import check_known, suggest
from omisim.base.texts import check_encodable
from omisim.model import Entity
from omisim.spec.catalog import load_catalog
from omisim.spec.cell_rules import load_every_rule
from omisim.spec.errors import ERRORS, suggest_error
from omisim.spec.lifecycle import LIFECYCLES, PerGib, get_automatic_event
from omisim.spec.rules import load_rules

__all__ = [
    "MAX_DURATION", "SWITCHES", "TIMINGS", "Auth", "Settings", "Switch", "Timing", "Unserved", "Value",
    "check_duration", "check_limit", "check_region", "check_switch", "list_transients",
]  # fmt: skip

Timing = Literal["eager", "clock", "manual", "reads"]
Auth = Literal["strict", "lenient", "off"]
TIMINGS: Final[tuple[Timing, ...]] = get_args(Timing)
AUTH_MODES: Final[tuple[Auth, ...]] = get_args(Auth)
Unserved = Literal["empty", "refuse"]
UNSERVED_MODES: Final[tuple[Unserved, ...]] = get_args(Unserved)
MAX_SWITCH: Final = 1000  # of a switch with a number: the size of a page, or how many tags a resource may have
MAX_DURATION: Final = 10**9  # seconds, 31 years: a due time is always a valid date
Value = str | int | bool


@frozen()
class Switch:
    """A switch for an open question of behaviour: the question, the default, the other values, and the evidence."""

    says: str
    default: Value
    others: tuple[Value, ...]
    evidence: str


SWITCHES: Mapping[str, Switch] = {
    name: Switch(row["says"], row["default"], tuple(row["others"]), row["evidence"])
    for name, row in load_toml("omisim.spec", "switches.toml").items()
}


@frozen()
class Settings:
    """The configuration of one cloud. It is not part of the State: a rollback keeps it, and forks share it.

    It is replaced, never changed (`Engine.change_settings`).
    """

    seed: str
    timing: Timing
    auth: Auth
    switches: Mapping[str, Value]
    durations: Mapping[str, float]  # "<kind>.<state>" → seconds or reads, where they override the lifecycle's
    unknown_images: bool = False  # adopt every unknown OMI id in a request
    capacity: Mapping[str, int] = field(default_factory=dict)  # Subregion → maximum number of living VMs
    licences: Mapping[str, bool] = field(default_factory=dict)  # product code → whether its licence authorises exports
    fetch: Callable[[str], bytes] | None = None  # downloads a URL outside this cloud's object storage
    unserved: Unserved = "empty"  # what reads of unserved families do: answer an empty list, or "refuse"
    default_region: str = DEFAULT_REGION  # of accounts and official OMIs
    answers: Mapping[str, Any] = field(default_factory=dict)  # unserved action → the user's answer
    first_answers: Mapping[str, Any] = field(default_factory=dict)  # those of them that a reset keeps
    read_switches: set[str] = field(default_factory=set, compare=False, repr=False)  # the switches that calls have read

    @classmethod
    def checked(
        cls,
        seed: int | str,
        timing: Timing,
        auth: Auth,
        switches: Mapping[str, Any] | None,
        unserved: Unserved = "empty",
        default_region: str = DEFAULT_REGION,
    ) -> Settings:
        """Return validated settings for a new cloud. Raises ValueError, with the known values, for an invalid one."""
        check_known("timing", timing, TIMINGS)
        check_known("auth", auth, AUTH_MODES)
        check_known("unserved", unserved, UNSERVED_MODES)
        check_region(default_region)
        if not isinstance(seed, int | str):
            raise ValueError(f"seed must be int or str, not {seed!r}")
        check_encodable("seed", str(seed))
        if switches is not None and not isinstance(switches, Mapping):
            raise ValueError(f"switches must be a mapping of names to values, not {switches!r}")
        for name, value in (switches or {}).items():
            check_switch(name, value)
        return cls(str(seed), timing, auth, dict(switches or {}), {}, unserved=unserved, default_region=default_region)

    def limit_vms(self, subregion: str, vms: int | None) -> Mapping[str, int]:
        """Return the capacity with another limit of living VMs in a Subregion; None removes the limit.

        Raises ValueError for other values.
        """
        check_limit(subregion, vms)
        others = {name: limit for name, limit in self.capacity.items() if name != subregion}
        return others if vms is None else {**others, subregion: vms}

    def switch(self, name: str) -> Value:
        """Return the value of a switch."""
        self.read_switches.add(name)
        return self.switches.get(name, SWITCHES[name].default)

    def reads_for(self, entity: Entity, state: str) -> int:
        """Return the number of counted reads for which this entity stays in this state (timing "reads")."""
        return int(self.durations.get(f"{entity.kind}.{state}", 1))

    def seconds_for(self, entity: Entity, state: str, event: str) -> float:
        """Return the seconds that this entity spends in this state."""
        if self.durations and (own := self.durations.get(f"{entity.kind}.{state}")) is not None:
            return own
        after = LIFECYCLES[entity.kind].moves[state][event].after
        return after(entity) if isinstance(after, PerGib) else after or 0.0


def check_limit(subregion: str, vms: int | None) -> int | None:
    """Return the limit of living VMs in a Subregion. Raises ValueError for an unknown Subregion and other limits."""
    check_known("subregion", subregion, [name for row in load_catalog().regions.values() for name in row.subregions])
    if vms is not None and (type(vms) is not int or vms < 0):
        raise ValueError(f"vms must be None or an int of at least 0, not {vms!r}")
    return vms


def check_region(region: str) -> str:
    """Return the name of a Region. Raises ValueError for an unknown one."""
    check_known("region", region, load_catalog().regions)
    return region


def check_duration(key: str, duration: Any, *, counts_reads: bool) -> float:
    """Return the duration of a transient state, "<kind>.<state>". Raises ValueError for an unknown or invalid one.

    A number of seconds is finite and not negative; a number of reads (timing "reads") is an int of at least 0.
    """
    transients = list_transients()
    if key not in transients:
        raise ValueError(
            f"key must be a transient state, not {key!r}{suggest(key, transients)}; known: {', '.join(transients)}"
        )
    if isinstance(duration, bool) or not isinstance(duration, float | int) or not 0 <= duration <= MAX_DURATION:
        raise ValueError(
            f"duration must be a finite, non-negative number of seconds up to {MAX_DURATION}, not {duration!r}"
        )
    if counts_reads and duration != int(duration):
        raise ValueError(f"duration must be a number of reads with the timing 'reads', not {duration!r}")
    return float(duration)


def list_transients() -> list[str]:
    """Return the transient states, as "<kind>.<state>"."""
    return [
        f"{kind}.{state}"
        for kind, lifecycle in LIFECYCLES.items()
        for state in lifecycle.moves
        if get_automatic_event(kind, state)
    ]


def check_switch(name: str, value: Value) -> None:
    """Raise ValueError for an unknown switch and for a value that it does not have."""
    if name in SWITCHES:
        choices = (SWITCHES[name].default, *SWITCHES[name].others)
        if type(choices[0]) is int:
            if type(value) is not int or not 0 <= value <= MAX_SWITCH:
                raise ValueError(f"switch {name} must be an int from 0 to {MAX_SWITCH}, not {value!r}")
        elif not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ValueError(f"switch {name} must be one of {', '.join(map(repr, choices))}, not {value!r}")
    elif name in load_every_rule():
        if not isinstance(value, str) or value not in ERRORS:
            raise ValueError(f"switch {name} must be the name of an API error, not {value!r}{suggest_error(value)}")
    else:
        raise ValueError(
            f"unknown switch {name!r}{suggest(name, [*SWITCHES, *load_rules()])}; "
            f"known: {', '.join(SWITCHES)}, or the id of a rule (see omisim rules)"
        )
