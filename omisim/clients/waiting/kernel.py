"""The kernel: which threads take part in virtual time, what each waits for, and when the clock jumps.

A thread that takes part is a `Member`, and either runs or waits. Time stands still while one of them runs, and while
work outside them is outstanding. When all members wait, the one with the earliest deadline wakes: it moves the cloud's
clock to its deadline and goes on alone. Members with the same deadline wake one after the other, in the order in which
their threads were started. So do new threads, and members that another one lets go on, for example by an event: one
member runs at a time, so that a test repeats itself exactly.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import get_ident
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any

from omisim.clients.waiting.cloud_time import CloudTime
from omisim.clients.waiting.waits import Alarm, Member, Outcome, Wait
from omisim.clients.waiting.watch_thread import MUTEX, look_often

if TYPE_CHECKING:
    from omisim.cloud.cloud import Cloud

__all__ = ["Kernel", "current_kernel", "current_member", "has_outlived_context", "waiting_really"]

_members: dict[int, list[Member]] = {}  # by thread, the innermost kernel's last


class Kernel:
    """The virtual time of one `cloud.sleeping()` context."""

    def __init__(self, cloud: Cloud, clocks: Mapping[str, Any]) -> None:
        """Start at the time of the cloud. `clocks` are the readings that clocks which follow start from."""
        self.time: CloudTime = CloudTime(cloud, clocks)
        self.numbers: count[int] = count()
        self.members: list[Member] = []
        self.adopted: list[Member] = []
        self.closed: bool = False
        self.moves: int = 0  # starts and ends of waits and members: the watch sees that something happens
        self.outside: list[Callable[[], bool]] = []  # each returns whether work outside the members is outstanding
        self.arriving: list[Callable[[], bool]] = []  # each returns whether a job is about to become a member
        self.alarm: Alarm | None = None  # of `signal.setitimer`, for the main thread
        self.owner: Member

    # --- members

    def add(self, number: int | None = None) -> Member:
        """Return a new member, which runs: from now on, time stands still for it. A `number` is that of a job."""
        with MUTEX:
            member = Member(self, next(self.numbers) if number is None else number, is_thread=number is None)
            self.members.append(member)
            self.moves += 1
            return member

    @contextmanager
    def entered(self, member: Member) -> Iterator[None]:
        """Let this thread be the member inside the block."""
        ident = get_ident()
        with MUTEX:
            member.thread = current_thread()
            _members.setdefault(ident, []).append(member)
        try:
            yield
        finally:
            self.remove(member)
            self._pop(member, ident)

    def _pop(self, member: Member, ident: int) -> None:
        with MUTEX:
            stack = _members.get(ident, [])
            if member in stack:
                stack.remove(member)
            if not stack:
                _members.pop(ident, None)

    def adopt(self, thread: Thread) -> Member:
        """Make a member of a thread that already runs, for example the thread of an event loop."""
        with MUTEX:
            member = self.add()
            member.thread = thread
            self.adopted.append(member)
            _members.setdefault(thread.ident or 0, []).append(member)
            return member

    def remove(self, member: Member) -> None:
        """End a member, and wake the threads that join it."""
        with MUTEX:
            if member not in self.members:
                return
            self.members.remove(member)
            member.has_ended = True
            self.moves += 1
            for wait in self.list_waits():
                if member.is_thread and wait.target is not None and wait.target is member.thread:
                    self.wake(wait, "ready")
            self.settle()

    def take_turn(self) -> None:
        """Let a member that can go on wait until all others wait, so that only one runs, in a fixed order."""
        self.wait(Wait(self.time.now(), in_turn=True))

    def let_start(self) -> None:
        """Let the threads that have not had their first turn run until they wait."""
        with MUTEX:
            if not any(wait.in_turn for wait in self.list_waits()):
                return
        self.owner.number = sys.maxsize  # after all others
        self.wait(Wait(self.time.now(), in_turn=True))

    # --- waiting

    def list_waits(self) -> list[Wait]:
        """Return what the waiting members wait for, the first started first. The caller holds MUTEX."""
        return [member.wait for member in self.members if member.wait is not None]

    def wait(self, wait: Wait, block: Callable[[], None] | None = None) -> Outcome:
        """Let this thread wait; at its deadline it moves the clock there. Returns why the wait ended.

        `block` waits really, and returns when the wait has ended or is ready; by default it waits for the end alone.
        """
        while (outcome := self._wait(wait, block)) == "alarm":
            self._ring()
            wait.resume()
        return outcome

    def _ring(self) -> None:
        """Send SIGALRM to this thread, the main one, whose handler may raise."""
        alarm = self.alarm
        if alarm is not None and sys.platform != "win32":
            self.time.move_to(alarm.at)
            self.alarm = alarm.repeat(alarm.at)
            signal.raise_signal(signal.SIGALRM)

    def _wait(self, wait: Wait, block: Callable[[], None] | None) -> Outcome:
        member = current_member()
        with MUTEX:
            if self.closed or member is None:
                return "closed"
            member.wait, wait.member = wait, member
            self.moves += 1
            self.settle()
            if not wait.outcome:
                look_often()
        try:
            has_waited = not wait.outcome
            if has_waited:
                (block or wait.block)()
        finally:
            with MUTEX:
                self.moves += 1
                member.wait = None
        if wait.error is not None:
            raise wait.error
        if wait.outcome == "time" and wait.can_end():  # a signal has woken an event loop before the clock moves
            return "ready"
        if wait.outcome == "time" and self.alarm is not None and self.find_wake_up(wait) == self.alarm.at:
            return "alarm"
        if wait.outcome == "time" and not wait.in_turn:
            self.time.move_to(wait.deadline or 0.0)
        if has_waited and wait.outcome in ("", "ready"):
            self.take_turn()
        return wait.outcome or "ready"

    def wake(self, wait: Wait, outcome: Outcome) -> None:
        """End a wait, if it still lasts. The caller holds MUTEX."""
        if wait.member is not None and wait.member.wait is wait and not wait.outcome:
            wait.member.wait = None
            self.moves += 1
            wait.end(outcome)

    def settle(self, *, jump: bool = False) -> None:
        """End the waits that are ready; if every member waits, end the one with the earliest deadline.

        `jump` ends the latter in any case. The caller holds MUTEX.
        """
        if self.closed:
            return
        waits = self.list_waits()
        ready = [wait for wait in waits if wait.can_end()]
        for wait in ready:
            self.wake(wait, "ready")
        if ready or not waits or (not jump and len(waits) < len(self.members)):
            return
        earliest = self.find_earliest()
        if earliest is None:
            return
        is_held = self.has_arrivals() if self.is_due(earliest) else self.is_busy()
        if jump or not is_held:
            self.wake(earliest, "time")

    def find_earliest(self) -> Wait | None:
        """Return the wait with the earliest deadline, or None. The caller holds MUTEX."""
        timed = [
            (wake_up, member.number, member.wait)
            for member in self.members
            if member.wait is not None and (wake_up := self.find_wake_up(member.wait)) is not None
        ]
        return min(timed, key=lambda row: row[:2])[2] if timed else None

    def find_wake_up(self, wait: Wait) -> float | None:
        """Return when a wait ends by time: at its deadline, or for the main thread at the alarm if that is earlier."""
        if self.alarm is None or wait.member is None or wait.member.thread is not main_thread():
            return wait.deadline
        return self.alarm.at if wait.deadline is None else min(wait.deadline, self.alarm.at)

    def is_due(self, wait: Wait) -> bool:
        """Whether a wait can end by time although the clock stands still. The caller holds MUTEX."""
        return (self.find_wake_up(wait) or 0.0) <= self.time.reached

    def is_busy(self) -> bool:
        """Whether work outside the members is outstanding. The caller holds MUTEX."""
        threads = {member.thread for member in self.members}
        return (
            any(
                wait.is_busy or (wait.target is not None and wait.target not in threads and wait.target.is_alive())
                for wait in self.list_waits()
            )
            or any(is_outstanding() for is_outstanding in self.outside)
            or self.has_arrivals()
        )

    def has_arrivals(self) -> bool:
        """Whether a job is about to become a member, whose turn may be the next one. The caller holds MUTEX."""
        return any(is_arriving() for is_arriving in self.arriving)

    def close(self) -> None:
        """End the context: every member that still waits goes on in real time, and ends at its next sleep."""
        with MUTEX:
            self.closed = True
            for wait in self.list_waits():
                self.wake(wait, "closed")
            for member in self.adopted:
                self._pop(member, (member.thread and member.thread.ident) or 0)
            self.members.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_members.clear)


def current_member() -> Member | None:
    """Return the member that this thread is, in its innermost context that has not ended, or None."""
    stack = _members.get(get_ident())
    return next((member for member in reversed(stack) if not member.kernel.closed), None) if stack else None


def current_kernel() -> Kernel | None:
    """Return the innermost kernel that this thread takes part in, or None."""
    member = current_member()
    return None if member is None else member.kernel


@contextmanager
def waiting_really() -> Iterator[None]:
    """Let the waits of this thread be real ones inside the block. It counts as running: time stands still."""
    members = _members.pop(get_ident(), [])
    try:
        yield
    finally:
        if members:
            _members[get_ident()] = members


def has_outlived_context() -> bool:
    """Whether this thread takes part in ended contexts only."""
    return get_ident() in _members and current_member() is None
