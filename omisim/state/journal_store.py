"""`JournalStore`: where a cloud keeps what it commits, so that the end of the process loses nothing.

A cloud has none by default and is lost with its process. `omisim serve --state FILE` uses a `SqliteStore`.
"""

from __future__ import annotations

from collections.abc import Mapping
from json.encoder import encode_basestring_ascii as _quote
from typing import Any, NamedTuple, Protocol

from omisim.model.dump_form import serialize_text
from omisim.state.initial_state import initial_state
from omisim.state.state import State

__all__ = ["COUNTER", "Delta", "JournalStore", "StoreError", "collect_delta"]

COUNTER = "counter"  # the kind of rows that every commit changes, which are therefore in its head


class StoreError(OSError):
    """The store could not keep a commit, for example because the disk is full. The commit was undone."""


class Delta(NamedTuple):
    """What a commit has changed, as JSON texts.

    Attributes:
        rows: Kind, id, creation number and text of each row that was set; the text "null" marks a row of the catalogue
            that was removed.
        gone: Kind and id of each other row that was removed, or that is as in the catalogue again.
        journal: The text of the list of new changes, or "" if there are none.
        first: The number of the first new change. Stored changes from this number on were undone.
        trimmed: The number of the oldest change to keep.
        head: The text of an object with the parts of the dump that change often: clock, trimmed, session and position
            (the number of the next change), and the rows of counters.
        settings: The text of the settings, or None if they are as in the last commit.
    """

    rows: list[tuple[str, str, int, str]]
    gone: list[tuple[str, str]]
    journal: str
    first: int
    trimmed: int
    head: str
    settings: str | None


class JournalStore(Protocol):
    """The interface of a store. Every method raises StoreError if it fails, and then has changed nothing."""

    def append(self, delta: Delta) -> None:
        """Keep one commit. When this returns, the end of the process must not lose it."""

    def replace(self, dump: Mapping[str, Any]) -> None:
        """Keep this dump, with its session, in place of everything so far."""

    def close(self) -> None:
        """Release the store."""


def collect_delta(state: State, head: str, settings: str | None) -> Delta:
    """Return what has changed since `state.stored`."""
    texts: dict[int, str] = {}  # of the rows, by identity: a row often occurs in two changes
    changed: dict[tuple[str, str], bool] = {}  # kind and id → whether the store has had the row
    lines, at, at_text = [], None, ""
    for change in state.changes_since(state.stored):
        if change.at is not at:
            at = change.at
            at_text = at.isoformat()
        kind, row_id, before, after = change.kind, change.id, change.before, change.after
        if kind != COUNTER and (kind, row_id) not in changed:
            changed[kind, row_id] = before is not None
        old = "null" if before is None else texts.get(id(before)) or _encode(before, texts)
        new = "null" if after is None else texts.get(id(after)) or _encode(after, texts)
        lines.append(
            f'[{change.seq},"{at_text}","{kind}",{_quote(row_id)},{old},{new},{_quote(change.cause)},{change.order}]'
        )
    if state.reverted:
        changed |= dict.fromkeys((key for key in state.reverted if key[0] != COUNTER), True)
    rows, gone, first = [], [], initial_state()
    for key, is_stored in changed.items():
        row, initial = state.get(*key), first.get(*key)
        if row is not initial:
            text = "null" if row is None else texts.get(id(row)) or _encode(row, texts)
            rows.append((*key, 0 if row is None else state.order(*key), text))
        elif is_stored:
            gone.append(key)
    journal = f"[{','.join(lines)}]" if lines else ""
    return Delta(rows, gone, journal, state.stored, state.trimmed, head, settings)


def _encode(row: Any, texts: dict[int, str]) -> str:
    texts[id(row)] = text = str(row) if row.__class__ is int else serialize_text(row)
    return text
