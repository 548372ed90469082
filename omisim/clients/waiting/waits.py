"""What a kernel knows of the threads that take part: members, their waits, and the alarm."""

from __future__ import annotations

from _thread import allocate_lock
from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from omisim.clients.waiting.kernel import Kernel

__all__ = ["Alarm", "ContextEnded", "Member", "Outcome", "Wait"]

Outcome = Literal["", "ready", "time", "alarm", "closed"]


class ContextEnded(SystemExit):
    """Ends a thread, silently, that still sleeps when its context ends."""


class Wait:
    """One wait of one member.

    Attributes:
        deadline: the virtual time at which it ends, or None.
        is_ready: whether it can end now for another reason. Other threads call it, so it must not block.
        is_busy: whether work that does not take part in virtual time will end it, so that time must not jump.
        target: the thread whose end it waits for, or None.
        in_turn: whether it is the wait of a thread that can go on, for its turn: no time passes.
        outcome: why it ended: "ready", "time" (the deadline), "alarm" (before it), or "closed" (the context has ended);
            "" until then.
        error: the exception to raise instead.
    """

    def __init__(
        self,
        deadline: float | None = None,
        is_ready: Callable[[], bool] | None = None,
        *,
        is_busy: bool = False,
        target: Thread | None = None,
        in_turn: bool = False,
    ) -> None:
        self.deadline = deadline
        self.is_ready = is_ready
        self.is_busy = is_busy
        self.target = target
        self.in_turn = in_turn
        self.outcome: Outcome = ""
        self.error: BaseException | None = None
        self.member: Member | None = None
        self._end_signal = allocate_lock()
        self._end_signal.acquire()

    def block(self) -> None:
        """Wait really until `end` is called."""
        self._end_signal.acquire()

    def resume(self) -> None:
        """Wait again, after an alarm."""
        self.outcome = ""
        self._end_signal.acquire(False)

    def can_end(self) -> bool:
        """Whether the wait can end before its deadline."""
        try:
            return self.is_ready is not None and self.is_ready()
        except (OSError, ValueError):  # a closed file: the thread itself shall see the error
            return True

    def end(self, outcome: Outcome) -> None:
        """Let the thread go on. The caller holds MUTEX."""
        if not self.outcome:
            self.outcome = outcome
            self._end_signal.release()


class Alarm(NamedTuple):
    """The time of a SIGALRM, and the seconds until the next one, or 0."""

    at: float
    interval: float

    def repeat(self, at: float) -> Alarm | None:
        """Return the alarm that follows one that has rung at a time, or None."""
        return Alarm(at + self.interval, self.interval) if self.interval else None


class Member:
    """A thread that takes part in a kernel, or an executor job for as long as it runs.

    `number` orders members with the same deadline. `wait` is what it waits for, None while it runs.
    """

    def __init__(self, kernel: Kernel, number: int, *, is_thread: bool) -> None:
        self.kernel = kernel
        self.number = number
        self.is_thread = is_thread
        self.thread: Thread | None = None
        self.wait: Wait | None = None
        self.has_ended = False
