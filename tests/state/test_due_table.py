"""The queue of due transitions after cancellations, undoing and interruptions."""

from __future__ import annotations

import datetime as dt
import random
import sys
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from omisim.model import Due
from omisim.state.state import State

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def interrupt(draw: random.Random) -> None:
    """Raise KeyboardInterrupt at one of the next lines of the State."""
    left = draw.randrange(40)

    def trace(frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal left
        if "/omisim/state/" not in frame.f_code.co_filename:
            return None
        if event == "line":
            left -= 1
        if left < 0:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    sys.settrace(trace)


def write(state: State, draw: random.Random) -> None:
    """Schedule, reschedule or cancel the transition of one of a few resources."""
    row_id = f"volume:{draw.randrange(4)}"
    at = START + dt.timedelta(seconds=draw.randrange(3)) if draw.random() < 0.9 else None
    due = Due("volume", row_id[7:], "ready", at, draw.random() < 0.3, state.position)
    state.write("due", row_id, due if draw.random() < 0.6 else None, START, "test")


def find_first(state: State, *, timers: bool) -> Due | None:
    """Return the earliest transition by looking at all of them."""
    rows: list[Due] = [due for due in state.rows("due").values() if due.at is not None and due.timer <= timers]
    return min(rows, key=lambda due: (due.at, due.order), default=None)


@pytest.mark.parametrize("seed", range(100))
def test_the_next_transition_is_the_earliest(seed: int) -> None:
    """The next due transition is the earliest one of the rows, whatever was cancelled, interrupted or undone."""
    state, draw, earlier = State(), random.Random(seed), sys.gettrace()
    for _ in range(12):
        position = state.position
        try:
            if draw.random() < 0.4:
                interrupt(draw)
            for _ in range(draw.randrange(1, 5)):
                write(state, draw)
            position = state.position if draw.random() < 0.6 else position
        except KeyboardInterrupt:
            pass
        if draw.random() < 0.4:
            interrupt(draw)
        with suppress(KeyboardInterrupt):
            state.undo_to(position)
        sys.settrace(earlier)
        state.undo_to(position)
        assert state.next_due() == find_first(state, timers=True)
        assert state.next_transient() == find_first(state, timers=False)
