"""What is wrong with a scenario, and on which line."""

from __future__ import annotations

import tomllib
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any

from omisim.base.suggest import suggest
from omisim.model.serialize import api_name

__all__ = ["Place", "ScenarioError", "check_known", "check_parts", "find_line", "locate_errors"]

Place = tuple[str | int, ...]  # the keys and numbers from the top of a file down to one of its entries


class ScenarioError(ValueError):
    """What is wrong with a scenario, and at which entry."""

    def __init__(self, text: str, place: Place) -> None:
        super().__init__(text)
        self.place = place


@contextmanager
def locate_errors(*place: str | int) -> Iterator[None]:
    """Say of whatever is wrong inside that it is wrong at this entry."""
    try:
        yield
    except ScenarioError:
        raise
    except (TypeError, ValueError) as error:
        raise ScenarioError(str(error), place) from error


def check_known(what: str, name: object, known: Collection[str], place: Place) -> None:
    """Refuse a name that is not known, with what may have been meant."""
    if name not in known:
        near = suggest(name, known) or suggest(api_name(str(name)), known)
        raise ScenarioError(f"{name!r} is no {what}{near or '; known: ' + ', '.join(known)}", place)


def check_parts(place: Place, table: Any, known: Collection[str], make: Callable[..., object]) -> None:
    """Try each entry of a table by itself, and so find the one that is wrong."""
    if type(table) is not dict:
        raise ScenarioError(f"{place[-1]} is a table with any of {', '.join(known)}", place)
    for key, value in table.items():
        check_known(f"entry of {place[-1]}", key, known, (*place, key))
        parts: dict[Place, Any] = {(key,): value}
        if isinstance(value, dict):
            parts = {(key, name): {name: part} for name, part in value.items()}
        for where, part in parts.items():
            with locate_errors(*place, *where):
                make(**{key: part})


def find_line(text: str, place: Place) -> int:
    """Return the line on which an entry begins.

    The parser tells no lines, but it tells what the first so many lines of a file contain, where these are whole.
    """
    lines = text.split("\n")

    def whole(count: int) -> tuple[int, Any]:
        """Return the most lines up to a count that are whole, and what they say."""
        while True:
            try:
                return count, tomllib.loads("\n".join(lines[:count]))
            except tomllib.TOMLDecodeError:
                count -= 1

    end = bisect_left(range(len(lines)), x=True, key=lambda count: _has(whole(count)[1], place))
    return whole(end - 1)[0] + 1


def _has(data: Any, place: Place) -> bool:
    for part in place:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return False
    return True
