"""The transitions that end the transient states of one unit of work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from omisim.model import Due
from omisim.state.transients import Transients

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
VOLUMES = st.sampled_from(["volume:vol-1", "volume:vol-2", "volume:vol-3"])
# a transition of a volume after so many seconds, the end of one (None), or the next one that happens ("pop")
STEPS = st.lists(st.tuples(VOLUMES, st.integers(0, 3) | st.none()) | st.just("pop"), max_size=20)


def drain(transients: Transients) -> Iterator[Due]:
    """Yield the transitions in their order."""
    while (due := transients.pop()) is not None:
        yield due


@given(steps=STEPS)
def test_happen_in_order_of_time_then_of_scheduling(steps: list[tuple[str, int | None] | str]) -> None:
    """The next transition is the earliest of those that were not cancelled, the latest of each resource."""
    transients, waiting = Transients(), dict[str, Due]()
    for order, step in enumerate([*steps, *["pop"] * 4]):
        if isinstance(step, str):
            first = min(waiting.values(), key=lambda due: (due.at, due.order), default=None)
            waiting = {key: due for key, due in waiting.items() if due is not first}
            assert transients.pop() == first
            continue
        key, seconds = step
        waiting.pop(key, None)
        if seconds is None:
            transients.cancel(key)
        else:
            due = Due("volume", key[7:], "ready", START + dt.timedelta(seconds=seconds), timer=False, order=order)
            waiting[key] = due
            transients.add(key, due)
    assert list(drain(transients)) == []
