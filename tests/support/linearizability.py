"""A small checker for linearizability, after Wing and Gong, with the memo of Lowe.

A history is linearizable if each operation can have happened at one moment between its call and its return, so that all
results are those of one thread that runs the operations in this order. The model is a register: the volume's tag.
Registers are checked one by one, because a history is linearizable exactly if that of each register is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Operation", "is_linearizable"]


@dataclass(frozen=True)
class Operation:
    """One operation on a register: `write` of a value, `read` of one, or `mark` and `rollback`, whose value is an id.

    A rollback returns the register to its value at the mark. `begin` and `end` are moments of one clock.
    """

    kind: str
    value: str
    begin: int
    end: int


State = tuple[str, frozenset[tuple[str, str]]]  # the value, and the values at the marks


def apply(state: State, operation: Operation) -> State | None:
    """Return the state after an operation, or None if a read of this value is impossible now."""
    value, marks = state
    match operation.kind:
        case "write":
            return operation.value, marks
        case "read":
            return state if operation.value == value else None
        case "mark":
            return value, marks | {(operation.value, value)}
        case _:
            return next((saved, marks - {(mark, saved)}) for mark, saved in marks if mark == operation.value)


def is_linearizable(history: Sequence[Operation], first: str) -> bool:
    """Whether there is an order of the operations in which a register, with this first value, gives these results."""
    operations = sorted(history, key=lambda operation: operation.end)  # the likely order comes first
    everything = (1 << len(operations)) - 1
    seen: set[tuple[int, State]] = set()
    stack: list[tuple[int, State]] = [(0, (first, frozenset()))]
    while stack:
        done, state = stack.pop()
        if done == everything:
            return True
        left = [number for number in range(len(operations)) if not done >> number & 1]
        earliest = min(operations[number].end for number in left)
        enabled = [number for number in left if operations[number].begin <= earliest]
        reads = [n for n in enabled if operations[n].kind == "read" and operations[n].value == state[0]]
        for number in reads[:1] or reversed(enabled):  # a read that fits now changes nothing: no other order is needed
            operation = operations[number]
            if operation.kind == "rollback" and not _has_mark(state, operation):
                continue
            after = apply(state, operation)
            entry = (done | 1 << number, after)
            if after is not None and entry not in seen:
                seen.add(entry)  # type: ignore[arg-type]  # `after` is a state
                stack.append(entry)  # type: ignore[arg-type]
    return False


def _has_mark(state: State, rollback: Operation) -> bool:
    return any(mark == rollback.value for mark, _ in state[1])
