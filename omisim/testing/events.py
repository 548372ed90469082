"""What happens to a cloud besides calls: guests write, time passes, things fail, and one goes back, or on elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import partial
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from omisim.cloud.cloud import Cloud
from omisim.engine.engine import Mark
from omisim.spec.lifecycle import LIFECYCLES
from omisim.testing.history import History

__all__ = ["Events"]

FAULTS: Mapping[str, dict[str, Any]] = {
    "throttled": {"status": 503},
    "answer lost": {"status": 500, "after_effect": True},
    "dropped": {"drop": True},
    "slow": {"delay": 30},
}
FAILING = tuple(kind for kind, lifecycle in LIFECYCLES.items() if lifecycle.failures and kind != "image")
NEWEST = 4  # volumes that a guest writes on


def _one_of(ids: Mapping[str, list[str]]) -> st.SearchStrategy[str]:
    """Draw a kind, and one of its ids: what there is little of comes as often as the rest."""
    return st.sampled_from(sorted(ids)).flatmap(lambda kind: st.sampled_from(ids[kind]))


class Events(History):
    """Rules for all that is no call."""

    actions: ClassVar[Collection[str]]  # those of which a call can be ordered to fail

    def __init__(self) -> None:
        super().__init__()
        self._marks: list[tuple[int, Mark, Cloud]] = []  # the step that each was made in, and a fork made there

    @precondition(lambda self: self.cloud.engine.state.rows("volume"))
    @rule(data=st.data(), text=st.sampled_from(["golden", "silver"]))
    def write(self, data: Any, text: str) -> None:
        """Write a file on a volume, as a guest does: what is made of it later has it, what was made before has not."""
        volumes = list(self.cloud.engine.state.rows("volume"))[-NEWEST:]
        volume = data.draw(st.sampled_from(volumes), label="volume")
        self.do(f"cloud.write({volume!r}, '/motd', {text!r})", lambda: self.cloud.write(volume, "/motd", text))

    # --- time and failures

    @rule(seconds=st.sampled_from([1, 6, 30, 400, 4000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.do(f"cloud.advance({seconds})", lambda: self.cloud.advance(seconds))

    @rule()
    def settle(self) -> None:
        """Jump to the end of all that is under way."""
        self.do("cloud.settle()", self.cloud.settle)

    @precondition(lambda self: self._under_way())
    @rule(data=st.data(), steps=st.sampled_from([1, 1, 2, 3]))
    def complete(self, data: Any, steps: int) -> None:
        """Complete something that is under way, and what follows on it: an export has many steps."""
        row_id = data.draw(_one_of(self._under_way()), label="resource")
        for _ in range(steps):
            if any(row_id in ids for ids in self._under_way().values()):
                self.do(f"cloud.complete({row_id!r})", lambda: self.cloud.complete(row_id))

    @precondition(lambda self: self._under_way(fails=True))
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        """Let something that is under way fail."""
        row_id = data.draw(_one_of(self._under_way(fails=True)), label="resource")
        self.do(f"cloud.fail({row_id!r})", lambda: self.cloud.fail(row_id))

    def finish(self) -> None:
        """Let all that is under way run its course, whatever the timing."""
        self.settle()
        while under_way := [row_id for ids in self._under_way().values() for row_id in ids]:  # timing "manual"
            self.do(f"cloud.complete({under_way[0]!r})", partial(self.cloud.complete, under_way[0]))

    def _under_way(self, *, fails: bool = False) -> dict[str, list[str]]:
        """Return the ids of what is under way, by kind; of what can fail now."""
        rows = (
            (due, self.cloud.engine.state.get(due.kind, due.id)) for due in self.cloud.engine.state.rows("due").values()
        )
        moves = ((due, LIFECYCLES[due.kind].moves[row.state]) for due, row in rows if not due.timer)
        found: dict[str, list[str]] = {}
        for due, events in moves:
            if not fails or "fail" in events:
                found.setdefault(due.kind, []).append(due.id)
        return found

    @rule(kind=st.sampled_from(FAILING))
    def order_a_failure(self, kind: str) -> None:
        """Let the next transition of a kind end in its failure."""
        self.do(f"cloud.fail_next({kind!r})", lambda: self.cloud.fail_next(kind))

    @rule(data=st.data(), how=st.sampled_from(sorted(FAULTS)))
    def order_a_fault(self, data: Any, how: str) -> None:
        """Let the next call of an action fail as the API fails, with or without effect."""
        action = data.draw(st.sampled_from(sorted(self.actions)), label="action")
        said = ", ".join(f"{name}={value!r}" for name, value in FAULTS[how].items())
        self.do(f"cloud.faults.add({action!r}, {said})", lambda: self.cloud.faults.add(action, **FAULTS[how]))

    # --- there and back

    @rule()
    def save(self) -> None:
        """Mark this point, to roll back to."""
        number = len(self._steps)
        text = f"mark_{number}, then_{number} = cloud.mark(), cloud.fork()"
        mark, then = self.do(text, lambda: (self.cloud.mark(), self.cloud.fork()))
        self._marks.append((number, mark, then))

    @precondition(lambda self: self._marks)
    @rule(data=st.data())
    def roll_back(self, data: Any) -> None:
        """Go back to a mark: all is as it was there, and it can be gone back to again."""
        place = data.draw(st.integers(0, len(self._marks) - 1), label="mark")
        number, mark, then = self._marks[place]
        del self._marks[place + 1 :]
        self._note(f"cloud.rollback(mark_{number})\nassert cloud == then_{number}")
        self.cloud.rollback(mark)
        self._same(then)

    @rule()
    def fork(self) -> None:
        """Go on in a fork; what is left behind must stay as it is."""
        number = len(self._steps)
        self._left.append((number, self.cloud, self.cloud.dump()))
        text = f"left_{number}, dump_{number} = cloud, cloud.dump()\ncloud = left_{number}.fork()"
        self._move(text, self.cloud.fork(), f"assert left_{number}.dump() == dump_{number}")
        self._same(self._left[-1][1])

    @rule()
    def dump_and_load(self) -> None:
        """Go on with what a dump gives back."""
        then = self.cloud
        self._move("then = cloud\ncloud = Cloud.load(cloud.dump())\nassert cloud == then", Cloud.load(then.dump()))
        self._same(then)

    def _move(self, text: str, cloud: Cloud, end: str = "") -> None:
        self._note(text, end)
        self.cloud: Cloud = cloud
        self._marks, self._seen = [], 0

    def _same(self, other: Cloud) -> None:
        assert self.cloud == other, f"it differs: {'; '.join(map(str, self.cloud.diff(other))) or 'in its history'}"
