"""Which entities the filters of a request let through: each filter that is given becomes a test, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

__all__ = ["Filters", "matching"]

E = TypeVar("E")


class Filters:
    """The filters of a request: a dataclass whose fields say what they look at (`declaration.py`)."""

    __slots__ = ("_tests",)
    _tests: Sequence[Callable[[Any], bool]]

    @property
    def tests(self) -> Sequence[Callable[[Any], bool]]:
        """One test for each filter that is given, made on first use: a client that polls sends the same again."""
        try:
            return self._tests
        except AttributeError:
            cls: Any = type(self)
            look, hows = _declared(cls)
            tests = [_test(how, wanted) for how, wanted in zip(hows, look(self), strict=True) if wanted is not None]
            object.__setattr__(self, "_tests", tests)  # the values themselves are frozen
            return tests


def matching(entities: Iterable[E], filters: Filters | None) -> tuple[E, ...]:
    """Return the entities that every given filter lets through, in their order."""
    if filters is None:
        return tuple(entities)
    tests = filters.tests
    found = []
    for entity in entities:
        for test in tests:
            if not test(entity):
                break
        else:
            found.append(entity)
    return tuple(found)


@cache
def _declared(cls: Any) -> tuple[Callable[[Any], tuple[Any, ...]], tuple[Any, ...]]:
    """Return the filters of a class: what gets their values, and how each looks."""
    names = [field.name for field in fields(cls)]
    return attrgetter(*names) if len(names) > 1 else lambda filters: (getattr(filters, names[0]),), tuple(
        field.metadata for field in fields(cls)
    )


def _test(metadata: Any, wanted: Any) -> Callable[[Any], bool]:
    if "holds" in metadata:
        holds = metadata["holds"]
        return lambda entity: bool(holds(entity, wanted))
    look = metadata["look"]
    if metadata["wild"]:
        exact = frozenset(value for value in wanted if "*" not in value and "?" not in value)
        patterns = [value for value in wanted if value not in exact]
        return lambda entity: look(entity) in exact or any(_like(pattern, look(entity)) for pattern in patterns)
    values = frozenset(wanted if isinstance(wanted, tuple) else (wanted,))

    def test(entity: Any) -> bool:
        found = look(entity)
        return not values.isdisjoint(found) if isinstance(found, tuple) else found in values

    return test


def _like(pattern: str, text: str) -> bool:
    """Whether the text is the pattern: `*` any characters, `?` any one. At most len(pattern) * len(text) steps."""
    at = star = -1
    here = there = 0
    while there < len(text):
        if here < len(pattern) and pattern[here] == "*":
            star, at = here, there
            here += 1
        elif here < len(pattern) and pattern[here] in ("?", text[there]):
            here += 1
            there += 1
        elif star >= 0:  # let the last star take one more character
            at += 1
            here, there = star + 1, at
        else:
            return False
    return not pattern[here:].strip("*")
