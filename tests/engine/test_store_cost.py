"""Without a store, a call pays nothing measurable for the possibility to have one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from omisim import Account
from omisim.engine.checkpoint import Checkpoint
from omisim.engine.engine import Engine


def count_instructions(work: Callable[[], object]) -> int:
    """Return the number of bytecode instructions that a function executes, without those of the garbage collector.

    The collector runs finalizers of whatever else the process has used. It is the fewest of three times.
    """
    return min(_count_once(work) for _ in range(3))


def _count_once(work: Callable[[], object]) -> int:
    count = 0

    def trace(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    earlier = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(earlier)
    return count


def test_of_a_read_is_below_one_percent(alice: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cheapest read executes at most 1 % more instructions than by an engine that knows no store."""

    def commit_without_store(self: Engine, before: Checkpoint) -> None:
        self._unit = before.outer

    def read() -> object:
        return alice.call("ReadVolumes")

    read()
    with_hook = count_instructions(read)
    monkeypatch.setattr(Engine, "_commit", commit_without_store)
    without_hook = count_instructions(read)
    assert without_hook <= with_hook <= 1.01 * without_hook
