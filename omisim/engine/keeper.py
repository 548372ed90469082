"""`Keeper`: write what an engine commits to its JournalStore."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from omisim.base.clock import SystemClock
from omisim.engine.session_data import describe_session_text
from omisim.state.dump import describe_settings
from omisim.state.journal_store import COUNTER, JournalStore, StoreError, collect_delta
from omisim.state.state import State

if TYPE_CHECKING:
    from omisim.engine.engine import Engine

__all__ = ["Keeper"]


class Keeper:
    """The store of one engine, and what it holds.

    `state` is the State from which the store was filled. It has its changes up to `State.stored`. A commit in another
    State, as after a reset, writes the store anew.
    """

    def __init__(self, store: JournalStore, state: State) -> None:
        self.store: JournalStore = store
        self._state: State | None = state
        self._head = ""
        self._settings: tuple[object, ...] = ()
        state.stored = state.position

    def save(self, engine: Engine) -> None:
        """Write what has changed since the last call. Raises StoreError, with the store as before."""
        state = engine.state
        if state is not self._state:
            self._replace(engine)
            return
        head, settings = _describe_head(engine), (engine.settings, engine.history)
        is_same = settings == self._settings
        if head == self._head and is_same and state.stored == state.position and not state.reverted:
            return
        text = None if is_same else json.dumps(describe_settings(engine.settings, engine.history))
        delta = collect_delta(state, head, text)
        self._state = None  # in doubt, until the store has returned
        try:
            self.store.append(delta)
        except StoreError:
            self._state = state
            raise
        self._note(engine, head)

    def _replace(self, engine: Engine) -> None:
        self.store.replace(engine.describe())
        self._note(engine, "")

    def follow(self, left: State, fork: State) -> None:
        """Write the changes of a fork from now on, which continues a state whose changes the store has."""
        if self._state is left:
            fork.stored, fork.reverted = left.stored, left.reverted.copy()
            self._state = fork

    def _note(self, engine: Engine, head: str) -> None:
        """Note what the store has now."""
        state = engine.state
        self._head, self._settings = head, (engine.settings, engine.history)
        state.stored = state.position
        state.reverted.clear()
        self._state = state

    def resolve(self, engine: Engine) -> None:
        """Write what was undone after an interruption, which may have come when the store had it already.

        If the disk does not allow it, the next commit writes it.
        """
        state = engine.state
        if self._state is state and not self._head and state.stored == state.position and not state.reverted:
            return  # nothing has been written since the store was opened, or written anew
        with suppress(StoreError):
            self.save(engine)  # nothing, if the store had nothing of it


def _describe_head(engine: Engine) -> str:
    """Return the head of a `Delta`: what nearly every call changes."""
    state, clock, session = engine.state, engine.clock, engine.session
    counters = [f'"{name}":[{state.order(COUNTER, name)},{value}]' for name, value in state.rows(COUNTER).items()]
    kind = f'"system","offset":{clock.offset.total_seconds()}' if isinstance(clock, SystemClock) else '"manual"'
    return (
        f'{{"clock":{{"kind":{kind},"now":"{clock.now().isoformat()}"}},"trimmed":{state.trimmed},'
        f'"position":{state.position},"counters":{{{",".join(counters)}}},'
        f'"session":{describe_session_text(session)}}}'
    )
