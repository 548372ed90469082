"""Compare the states of two clouds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

from omisim.base.frozen import frozen
from omisim.state.state import ROWS, State

__all__ = ["Difference", "diff_states"]


@frozen()
class Difference:
    """A row that differs between two clouds.

    `mine` is the row in the cloud whose `diff` was called, `other` the row in the other cloud; None if it is missing.
    """

    kind: str
    id: str
    mine: Any
    other: Any

    def __str__(self) -> str:
        """Return the difference as text: the side that has the row, or each field with both values."""
        if self.mine is None or self.other is None:
            return f"{self.kind} {self.id}: only in {'the other' if self.mine is None else 'this one'}"
        return f"{self.kind} {self.id}: {', '.join(self._list_field_differences()) or f'{self.mine} | {self.other}'}"

    def _list_field_differences(self) -> Iterator[str]:
        if is_dataclass(self.mine) and not isinstance(self.mine, type):
            for field in fields(self.mine):
                mine, other = getattr(self.mine, field.name), getattr(self.other, field.name)
                if mine != other:
                    yield f"{field.name} {mine} | {other}"


def diff_states(mine: State, other: State) -> Iterator[Difference]:
    """Yield the rows that differ between two states, by kind and then in creation order."""
    changed = _find_changed(mine, other)
    for kind in ROWS:
        if mine.tables[kind] is other.tables[kind]:
            continue
        for row_id in {**mine.rows(kind), **other.rows(kind)} if changed is None else changed.get(kind, ()):
            my_row, other_row = mine.get(kind, row_id), other.get(kind, row_id)
            if my_row is not other_row and my_row != other_row:
                yield Difference(kind, row_id, my_row, other_row)


def _find_changed(mine: State, other: State) -> Mapping[str, Iterable[str]] | None:
    """Return the ids by kind that one of two forks has written since they parted; None for other states."""
    divergence = mine.find_divergence(other)
    if divergence is None:
        return None
    changed: dict[str, set[str]] = {}
    for state in (mine, other):
        for change in state.changes_since(divergence):
            changed.setdefault(change.kind, set()).add(change.id)
    return {kind: sorted(ids, key=partial(_get_place, mine, other, kind)) for kind, ids in changed.items()}


def _get_place(mine: State, other: State, kind: str, row_id: str) -> tuple[bool, int]:
    """Return the place of a row: those of this state come first, in creation order."""
    state = mine if mine.get(kind, row_id) is not None else other
    return state is other, state.order(kind, row_id) if state.get(kind, row_id) is not None else 0
