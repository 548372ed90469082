"""`Durations`: the overrides of the durations of transient states, for `cloud.durations`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping

from omisim.base.suggest import suggest
from omisim.engine.engine import Engine
from omisim.spec.lifecycle import LIFECYCLES, get_automatic_event
from omisim.state.settings import check_duration, list_transients

__all__ = ["Durations"]


class Durations(MutableMapping[str, float]):
    """Durations of transient states, by "<kind>.<state>", where they override the lifecycle's.

    They are seconds; with the timing "reads", they are numbers of reads, by default one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def _overrides(self) -> Mapping[str, float]:
        return self._engine.settings.durations

    @property
    def _counts_reads(self) -> bool:
        return self._engine.settings.timing == "reads"

    def __getitem__(self, key: str) -> float:
        """Return the duration of a state: the override, or the lifecycle's seconds, or one read.

        Raises KeyError for a state that is not transient, and for one without an override that depends on the size.
        """
        overrides = self._overrides
        if key in overrides:
            return overrides[key]
        if key not in list_transients():
            raise KeyError(f"{key!r} is not a transient state{suggest(key, list_transients())}")
        if self._counts_reads:
            return 1
        kind, _, state = key.partition(".")
        after = LIFECYCLES[kind].moves[state][get_automatic_event(kind, state) or ""].after
        if not isinstance(after, float | int):
            raise KeyError(f"{key} depends on the size (see omisim lifecycle {kind}); set a duration to override it")
        return float(after)

    def __contains__(self, key: object) -> bool:
        """Whether a state has an override."""
        return key in self._overrides

    def __setitem__(self, key: str, duration: float) -> None:
        """Override a duration. Raises ValueError for an unknown state and an invalid duration.

        A number of seconds is finite and not negative; a number of reads is an int of at least 0.
        """
        with self._engine.lock:
            checked = check_duration(key, duration, counts_reads=self._counts_reads)
            self._engine.change_settings(durations={**self._overrides, key: checked})

    def __delitem__(self, key: str) -> None:
        """Remove an override, if there is one."""
        with self._engine.lock:
            others = {name: duration for name, duration in self._overrides.items() if name != key}
            self._engine.change_settings(durations=others)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the states with an override."""
        return iter(self._overrides)

    def __len__(self) -> int:
        """Return the number of overrides."""
        return len(self._overrides)

    def __repr__(self) -> str:
        """Show the overrides."""
        return f"Durations({self._overrides!r})"

    def copy(self) -> dict[str, float]:
        """Return the overrides."""
        return dict(self._overrides)
