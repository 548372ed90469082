"""In which rows two clouds differ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from omisim.state.state import ROWS, State

__all__ = ["Difference", "diff_states"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A row in which two clouds differ: `mine` in the one asked, `other` in the one compared with; None: not there."""

    kind: str
    id: str
    mine: Any
    other: Any

    def __str__(self) -> str:
        """Spell the difference: only on one side, or which fields differ and how."""
        if self.mine is None or self.other is None:
            return f"{self.kind} {self.id}: only in {'the other' if self.mine is None else 'this one'}"
        return f"{self.kind} {self.id}: {', '.join(self._fields()) or f'{self.mine} | {self.other}'}"

    def _fields(self) -> Iterator[str]:
        if is_dataclass(self.mine) and not isinstance(self.mine, type):
            for field in fields(self.mine):
                mine, other = getattr(self.mine, field.name), getattr(self.other, field.name)
                if mine != other:
                    yield f"{field.name} {mine} | {other}"


def diff_states(mine: State, other: State) -> Iterator[Difference]:
    """Yield the rows in which two States differ, kind by kind, in creation order."""
    for kind in ROWS:
        ours, theirs = mine.rows(kind), other.rows(kind)
        if ours is theirs:
            continue
        for row_id in {**ours, **theirs}:
            if ours.get(row_id) != theirs.get(row_id):
                yield Difference(kind, row_id, ours.get(row_id), theirs.get(row_id))
