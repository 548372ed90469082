"""Many threads over one cloud: what they see is what one thread would have seen, in some order."""

from __future__ import annotations

import pytest
from support.linearizability import Operation, is_linearizable
from support.many_threads import find_anomalies

ROLLED_BACK = (Operation("mark", "m", 0, 1), Operation("write", "a", 2, 3), Operation("rollback", "m", 4, 5))


def test_threads_see_one_order_of_all_changes() -> None:
    """Typed calls, the SDK, intercepted requests, HTTP, forks, marks and time control share one cloud."""
    operations, problems = find_anomalies(threads=16, steps=3, seed=1)
    assert operations > 50
    assert problems == []


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([Operation("write", "a", 0, 2), Operation("read", "-", 1, 3)], True),
        ([Operation("write", "a", 0, 2), Operation("read", "a", 1, 3)], True),
        ([Operation("write", "a", 0, 1), Operation("read", "-", 2, 3)], False),  # a stale read
        ([Operation("write", "a", 0, 1), Operation("read", "b", 2, 3)], False),  # a value that nothing wrote
        ([Operation("read", "a", 0, 1), Operation("write", "a", 2, 3)], False),  # a read of the future
        (
            [Operation("write", w, 0, 9) for w in "ab"] + [Operation("read", r, n, n) for n, r in enumerate("aba", 1)],
            False,
        ),
        ([*ROLLED_BACK, Operation("read", "-", 6, 7)], True),
        ([*ROLLED_BACK, Operation("read", "a", 6, 7)], False),  # a rollback without effect
    ],
)
def test_checker_tells_a_possible_history(history: list[Operation], expected: bool) -> None:
    """The checker accepts a history exactly if some order of its operations explains it."""
    assert is_linearizable(history, "-") is expected
