"""The errors of a scenario, with their lines."""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from omisim.base.foreign import parse_toml
from omisim.base.suggest import suggest
from omisim.model.serialize import api_name

__all__ = ["Place", "ScenarioError", "check_name", "check_parts", "find_line", "locate_errors"]

Place = tuple[str | int, ...]  # the keys and indexes of the path to an entry


class ScenarioError(ValueError):
    """A mistake in a scenario, with the path of its entry."""

    def __init__(self, text: str, place: Place = ()) -> None:
        super().__init__(text)
        self.place = place


@contextmanager
def locate_errors(*place: str | int) -> Iterator[None]:
    """Turn a TypeError or ValueError raised inside into a ScenarioError at this entry."""
    try:
        yield
    except ScenarioError:
        raise
    except (TypeError, ValueError) as error:
        raise ScenarioError(str(error), place) from error


def check_name(kind: str, name: object, known_names: Collection[str], place: Place) -> None:
    """Raise ScenarioError for an unknown name, with a suggestion or the known names."""
    if name not in known_names:
        suggestion = suggest(name, known_names) or suggest(api_name(str(name)), known_names)
        raise ScenarioError(f"unknown {kind} {name!r}{suggestion or '; known: ' + ', '.join(known_names)}", place)


def check_parts(place: Place, table: Any, known_names: Collection[str], make: Callable[..., object]) -> None:
    """Validate each entry of a table by passing it to `make` alone, so that an error names its entry.

    Raises ScenarioError with the place of the first wrong entry.
    """
    if type(table) is not dict:
        raise ScenarioError(f"{place[-1]} must be a table of {', '.join(known_names)}, not {table!r}", place)
    for key, value in table.items():
        check_name(f"entry of {place[-1]}", key, known_names, (*place, key))
        parts: dict[Place, Any] = {(key,): value}
        if isinstance(value, dict):
            parts = {(key, name): {name: part} for name, part in value.items()}
        for where, part in parts.items():
            with locate_errors(*place, *where):
                make(**{key: part})


def find_line(text: str, place: Place) -> int:
    """Return the line on which an entry begins.

    The TOML parser reports no lines of entries, so a bisection finds the shortest beginning of the file that has it.
    """
    lines = text.split("\n")

    def parse_start(count: int) -> tuple[int, Any]:
        """Return the largest number of lines, `count` at most, that is valid TOML, and their data."""
        while True:
            try:
                return count, parse_toml("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                count -= 1

    end = bisect_left(range(len(lines)), x=True, key=lambda count: _has(parse_start(count)[1], place))
    return parse_start(end - 1)[0] + 1


def _has(data: Any, place: Place) -> bool:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
