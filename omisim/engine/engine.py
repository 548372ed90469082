"""`Engine`: the parts of one cloud, its units of work, and how they are undone, forked, kept and saved."""

from __future__ import annotations

import datetime as dt
from _thread import RLock
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, TypeVar, TypeVarTuple
from weakref import WeakSet

from omisim.actions.effects import EFFECTS
from omisim.base.clock import Clock
from omisim.base.frozen import replace
from omisim.base.process import ForkedCloud, watch_forks
from omisim.engine import scheduler
from omisim.engine.checkpoint import Checkpoint
from omisim.engine.keeper import Keeper
from omisim.engine.marks import Mark, Saved
from omisim.engine.session import Session
from omisim.engine.session_data import describe_session, read_session
from omisim.model.ids import make_request_id
from omisim.state.dump import from_dict, to_dict
from omisim.state.forgetting import forget_ended
from omisim.state.initial_state import initial_state
from omisim.state.journal_store import JournalStore
from omisim.state.observer import Observer
from omisim.state.settings import Settings, Timing, Value, check_switch
from omisim.state.state import State
from omisim.state.transaction import Transaction

__all__ = ["Engine"]

MAX_SENT = 2**24  # bytes of the requests in the call log: JSON needs up to 25 times its size in memory
_NO_MARKS: frozenset[Mark] = frozenset()  # until the first mark; most forks never have one
Parameters = TypeVarTuple("Parameters")
Result = TypeVar("Result")


class Engine:
    """The parts of one cloud, for doors and tools: `cloud.engine`.

    Attributes:
        state: everything that a rollback undoes. `reset` replaces it.
        session: everything that survives a rollback: call log, faults, failures, failed logins, warnings. `reset`
            replaces it.
        settings: the configuration of the cloud. `change_settings` replaces it.
        clock: the source of the cloud's time.
        history: the number of changes and calls to keep.
        lock: a reentrant lock, held by every reader and writer of state and session.
        observer: receives the calls and transitions of every cloud in the process. `omisim.testing.coverage` sets it on
            the class.
    """

    __slots__ = (
        "__weakref__", "_is_copy", "_keeper", "_start", "_unit", "clock", "history", "lock", "marks", "session",
        "settings", "state",
    )  # fmt: skip
    observer: ClassVar[Observer | None] = None

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        state: State | None = None,
        history: int = 10_000,
        start: dt.datetime | None = None,
    ) -> None:
        self.settings: Settings = settings
        self.clock: Clock = clock
        self.history: int = history
        self.lock: RLock = RLock()
        self._start = start or clock.now()  # the time that `reset` restores
        self._is_copy = False
        self._unit: Checkpoint | None = None  # the innermost running one
        self._keeper: Keeper | None = None
        self._start_with(initial_state().fork() if state is None else state)
        watch_forks(self)

    def after_fork(self) -> None:
        """Note that this process was forked, and that its calls would be lost. A thread of the other held the lock."""
        self._is_copy = True
        self.lock = RLock()

    def _start_with(self, state: State) -> None:
        self.state: State = state
        self.session: Session = Session()
        self.marks: WeakSet[Mark] | frozenset[Mark] = _NO_MARKS

    # --- writing

    def next_request_id(self) -> str:
        """Count a request and return its id."""
        self.session.requests += 1
        return make_request_id(self.settings.seed, self.session.requests)

    def begin(self, cause: str, at: dt.datetime | None = None, *, observed: bool = True) -> Transaction:
        """Return a Transaction with this cause, by default at the present time.

        The caller must apply what is due before, and undo its writes if it fails; `transaction` does both. Raises
        ForkedCloud in a forked process.
        """
        if self._is_copy:
            raise ForkedCloud
        observer = self.observer if observed else None
        return Transaction(self.state, self.settings, EFFECTS, at or self.clock.now(), cause, observer)

    def change_settings(self, **values: Any) -> None:
        """Replace some of the settings, as a unit of work. What is due before happens by the former ones."""
        with self.atomic():
            scheduler.apply_due(self)
            self.settings = replace(self.settings, **values)

    def change_timing(self, timing: Timing) -> None:
        """Change the timing. Each transient state goes on in the new one, as if it had just begun."""
        if timing != self.settings.timing:
            with self.atomic():
                self.change_settings(timing=timing)
                with self.transaction("due") as tx:
                    scheduler.restart_transients(self, tx)

    def set_switch(self, name: str, value: Value) -> None:
        """Set a behaviour switch. Raises ValueError for an unknown one and for a value that it does not have."""
        check_switch(name, value)
        with self.lock:
            self.change_settings(switches={**self.settings.switches, name: value})

    @contextmanager
    def transaction(self, cause: str) -> Iterator[Transaction]:
        """Write from Python as a call would: an atomic block that begins with what is due."""
        with self.atomic():
            tx = self.begin(cause, scheduler.apply_due(self))
            yield tx
            scheduler.run_transients(self, tx.transients)

    def run(self, work: Callable[[*Parameters], Result], *args: *Parameters) -> Result:
        """Run a function as one unit, as `atomic` runs a block, and return its result.

        The steps stand here again because the generator of a block takes 6 to 10 % of a read.
        """
        with self.lock:
            before = Checkpoint(self, self._unit)
            try:
                try:
                    self._unit = before
                    result = work(*args)
                    self._commit(before)
                except BaseException:
                    self._revert(before)
                    raise
            except BaseException:
                self._revert(before)  # an interruption may have cut the first one short
                raise
            if before.outer is None:
                self._trim()
            try:
                return result
            finally:
                del result  # the traceback of a returned exception holds this frame

    @contextmanager
    def atomic(self) -> Iterator[None]:
        """Run the block as one unit, under the lock: if it raises, nothing in state and session has changed.

        Its changes are in the store, if there is one, when the outermost unit ends. Raises StoreError if the store
        cannot keep them; then nothing has changed either.
        """
        with self.lock:
            before = Checkpoint(self, self._unit)
            try:
                try:
                    self._unit = before
                    yield
                    self._commit(before)
                except BaseException:
                    self._revert(before)
                    raise
            except BaseException:
                self._revert(before)  # an interruption may have cut the first one short
                raise
            if before.outer is None:
                self._trim()

    def _commit(self, before: Checkpoint) -> None:
        if self._keeper is not None and before.outer is None:
            self._keeper.save(self)
        self._unit = before.outer

    def _revert(self, before: Checkpoint) -> None:
        before.revert(self)
        self._unit = before.outer
        if before.outer is None and self._keeper is not None:
            self._keeper.resolve(self)

    # --- durability

    def keep_in(self, store: JournalStore) -> None:
        """Keep everything that this engine commits from now on in a store that holds its state."""
        with self.lock:
            self._keeper = Keeper(store, self.state)

    def become(self, other: Engine) -> None:
        """Take the state, the clock, the settings and the session of another Engine, which must not be used any more.

        Accounts, clients, doors and the store of this one stay with it.
        """
        with self.atomic():
            self.settings, self.clock, self.history = other.settings, other.clock, other.history
            self.state, self.session = other.state, other.session
            self.marks = _NO_MARKS

    # --- undoing, forking, saving

    def mark(self) -> Mark:
        """Return a point to roll back to. Later changes and calls are kept for as long as it is referenced."""
        with self.lock:
            mark = Mark(self.state.position, self.clock.now(), self.session.call_position)
            marks = self.marks
            if self._unit or not isinstance(marks, WeakSet):  # a unit that fails returns to the set that it began with
                marks = self.marks = WeakSet(marks)
            marks.add(mark)
            return mark

    def rollback(self, mark: Mark) -> None:
        """Undo every change since a mark. Raises ValueError as `check_mark` does, and StoreError as `atomic` does."""
        with self.lock:
            self.check_mark(mark)
            if self._keeper is not None and self._unit is None:
                with self.atomic():
                    self._roll_back(mark)
                return
            try:
                self._roll_back(mark)
            except BaseException:
                self._roll_back(mark)  # an interruption completes it
                raise

    def _roll_back(self, mark: Mark) -> None:
        if self._unit is not None and mark.position < self._unit.position:
            self._leave_state()
        self.state.undo_to(mark.position)
        self._turn_back(mark.at)
        marks = self.marks
        assert isinstance(marks, WeakSet)  # with this mark in it
        for other in list(marks):
            if other.position > mark.position:
                marks.discard(other)

    def _turn_back(self, at: dt.datetime) -> None:
        """Turn the clock back, and with it the ends of lock-outs, which no rollback undoes."""
        session, before = self.session, self.clock.now()
        self.clock.restore(at)
        if session.lockouts.failures:
            session.lockouts = session.lockouts.turn_back(before, self.clock.now())

    def _leave_state(self) -> None:
        """Continue with a fork of the state and with a copy of the marks: a unit that fails returns to the others."""
        left = self.state
        self.state = left.fork()
        self.marks = WeakSet(self.marks)
        if self._keeper is not None:
            self._keeper.follow(left, self.state)

    def check_mark(self, mark: Mark) -> None:
        """Raise ValueError for a mark of another cloud and for one that an earlier rollback has undone."""
        if mark not in self.marks:
            raise ValueError("mark must be a live mark of this cloud, not one of another cloud or one already undone")

    def fork(self) -> Engine:
        """Return an independent Engine in the same state, with a clock of its own and an empty session."""
        with self.lock:
            return Engine(self.settings, self.clock.copy(), self.state.fork(), self.history, self._start)

    def save(self) -> Saved:
        """Return the state, the time, the settings and the session, for `restore`."""
        with self.lock:
            return Saved(
                self.state.fork(),
                self.clock.now(),
                self.settings,
                self.session.copy(),
                WeakSet(self.marks),
            )

    def restore(self, saved: Saved) -> None:
        """Return to what `save` returned, any number of times. Unlike a rollback, this restores the session too.

        Accounts, clients, doors and contexts of this cloud keep working. A `SystemClock` is not turned back.
        """
        with self.atomic():
            self.settings = saved.settings
            self.state, self.session = saved.state.fork(), saved.session.copy()
            self.clock.restore(saved.at)
            self.marks = WeakSet(saved.marks)

    def reset(self) -> None:
        """Restore the initial state: no accounts, no calls, the clock at its start."""
        with self.atomic():
            self.clock.restore(self._start)
            first_answers = self.settings.first_answers
            self.settings = replace(
                self.settings, unknown_images=False, durations={}, capacity={}, answers=first_answers
            )
            self._start_with(initial_state().fork())

    def dump(self) -> dict[str, Any]:
        """Return state, settings and clock as JSON data for `Engine.load`. The session is not included."""
        with self.lock:
            return to_dict(self.state, self.settings, self.clock, self.history, initial_state())

    def describe(self) -> dict[str, Any]:
        """Return `dump` with the part of the session that a store keeps, for `Engine.load`."""
        with self.lock:
            return self.dump() | {"session": describe_session(self.session)}

    @classmethod
    def load(cls, data: Mapping[str, Any]) -> Engine:
        """Return the Engine that `dump` or `describe` serialized. Raises ValueError for other data."""
        loaded = from_dict(data, initial_state().fork())
        engine = cls(loaded.settings, loaded.clock, loaded.state, loaded.history)
        if loaded.session is not None:
            engine.session = read_session(loaded.session)
        return engine

    # --- how much is kept

    def kept_changes(self) -> int:
        """Return the number of changes to list: the history, or all since the oldest live mark."""
        return self._count_kept(self.state.position, "position")

    def kept_calls(self) -> int:
        """Return the number of calls to list: the history, or all since the oldest live mark."""
        return self._count_kept(self.session.call_position, "call_position")

    def _count_kept(self, position: int, attribute: str) -> int:
        oldest: int = min((getattr(mark, attribute) for mark in self.marks), default=position)
        return max(self.history, position - oldest)

    def _trim(self) -> None:
        """Drop what is not listed any more, when it has grown to as much as what is. A read drops no changes."""
        state, session, longest = self.state, self.session, 2 * self.history
        if state.position - state.trimmed >= longest:
            # a rollback must find as much history before its mark as there was
            start = min([state.position - self.history, *(mark.position - longest for mark in self.marks)])
            forget_ended(state, start)
            state.trim(start)
        if len(session.calls) >= longest or len(session.warnings) >= longest:
            session.trim_calls(session.call_position - self.kept_calls())
            del session.warnings[: -self.history]
        if session.sent > MAX_SENT:
            latest = session.call_position - 1
            session.trim_sent(MAX_SENT, min((mark.call_position for mark in self.marks), default=latest))
