"""What a cloud is told when it is made, and the switches: the open questions of behaviour, with our answer to each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Final

from omisim.model import Entity
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES, cells
from omisim.spec.rules import catalogue

__all__ = ["SWITCHES", "Durations", "Settings", "Switch"]

TIMINGS: Final = ("eager", "clock", "manual")
AUTH_MODES: Final = ("strict", "lenient", "off")
LARGEST_PAGE: Final = 1000
Value = str | int | bool


@dataclass(frozen=True, slots=True)
class Switch:
    """An open question of behaviour: what it decides, our answer, the other answers, and what is known."""

    says: str
    default: Value
    others: tuple[Value, ...]
    evidence: str


SWITCHES: Mapping[str, Switch] = {
    "copy_keeps_public": Switch(
        "A copy of a public OMI is public too (OMI-038).", False, (True,), "documented: private; tested in 2021: public"
    ),
    "default_page_size": Switch(
        "How many rows a read answers when ResultsPerPage is absent; 0: all (PAG-002).",
        0,
        (100,),
        "measured: all; documented on several reads: 100",
    ),
    "hot_volume_update": Switch(
        "UpdateVolume may change the size or the type of a volume of a running VM (VOL-046).",
        True,
        (False,),
        "documented in 2026: yes; tested in 2021: refused",
    ),
    "linux_password": Switch(
        "What ReadAdminPassword answers for a VM that is not Windows: an empty password, or a refusal (VM-057).",
        "empty",
        ("refuse",),
        "an error for it is in the official list; an official client asks for every VM and takes no refusal",
    ),
    "most_tags": Switch(
        "How many tags a resource may have; 0: any number (TAG-009).",
        0,
        (50,),
        "an error for too many is in the official list, the number is not published",
    ),
    "snapshot_cut": Switch(
        "When CreateSnapshot cuts the content: at the request or at the completion (SNP-008).",
        "request",
        ("completion",),
        "documented: the point in time of the request; an official client: when completed",
    ),
    "spec_version": Switch(
        "Which states the export of a snapshot goes through: those of 1.42, or the one of 1.40 (EXP-044).",
        "1.42",
        ("1.40",),
        "documented: the description of the API in both versions",
    ),
    "stopped_public_ip": Switch(
        "What becomes of a public IP linked to a VM that stops; a tag osc.fcu.eip.auto-attach keeps it (VM-050).",
        "kept",
        ("released",),
        "documented in the user guide: kept; in the description of LinkPublicIp: released, unless the tag says so",
    ),
    "strict_licences": Switch(
        "Taking licences off an OMI (OMI-114) and exporting a copy of a licensed one (LIC-010): warned of, or refused.",
        False,
        (True,),
        "documented: the list is replaced, licences must allow an export; nothing says that either is refused",
    ),
    "strict_windows": Switch(
        "Windows on a VM that is too small for it is warned of, or refused (LIC-014).",
        False,
        (True,),
        "documented: what Windows needs in order to work; no refusal is documented",
    ),
    "start_running": Switch(
        "StartVms on a running VM is refused, or does nothing (UNK-06).",
        "refuse",
        ("no-op",),
        "measured in 2026: refused; tested in 2021: nothing happens",
    ),
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
    def checked(cls, seed: int | str, timing: str, auth: str, switches: Mapping[str, Value] | None) -> Settings:
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
        after = lifecycle.moves[state][lifecycle.by_itself(state) or ""].after
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

    def of(self, entity: Entity, state: str, event: str) -> float:
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
        if lifecycle.by_itself(state)
    ]


def _check_switch(name: str, value: Value) -> None:
    if name in SWITCHES:
        choices = (SWITCHES[name].default, *SWITCHES[name].others)
        free = name in ("default_page_size", "most_tags") and type(value) is int and 0 <= value <= LARGEST_PAGE
        if not free and not any(value == choice and type(value) is type(choice) for choice in choices):
            raise ValueError(f"the switch {name} is one of {', '.join(map(repr, choices))}; not {value!r}")
    elif name in catalogue() or any(rule.id == name for rule in cells()):
        if value not in ERRORS:
            raise ValueError(f"the switch {name} replaces the rule's error: {value!r} is no name of errors.ERRORS")
    else:
        raise ValueError(f"{name!r} is no switch; known: {', '.join(SWITCHES)}, or the id of a rule (see omisim rules)")
