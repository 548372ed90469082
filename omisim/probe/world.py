"""The world of the experiments: resources with names, created when an experiment needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from omisim.base.data_files import load_toml
from omisim.probe.experiments import Call
from omisim.probe.loading import read_call

__all__ = ["Recipe", "list_needed"]

Recipe = tuple[Call, ...]


@cache
def _load_recipes() -> Mapping[str, Recipe]:
    """Return the calls of each recipe, in the order of the file."""
    return {
        name: tuple(read_call(call, f"world.toml: {name}") for call in row["calls"])
        for name, row in load_toml("omisim.probe", "world.toml").items()
        if "calls" in row
    }


@cache
def _map_names() -> Mapping[str, str]:
    return {name: recipe for recipe, calls in _load_recipes().items() for call in calls for name in call.save}


def list_needed(names: Iterable[str]) -> dict[str, Recipe]:
    """Return the recipes that create these names, and those that they need themselves, the first needed first."""
    needed: dict[str, Recipe] = {}
    for recipe in filter(None, map(_map_names().get, names)):
        if recipe not in needed:
            calls = _load_recipes()[recipe]
            own = {name for call in calls for name in call.save}
            used = (name for call in calls for name in call.uses)
            needed |= list_needed(name for name in used if name not in own)
            needed[recipe] = calls
    return needed
