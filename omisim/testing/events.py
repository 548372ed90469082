"""Rules of a machine besides calls: guest writes, time, failures, faults, rollbacks, forks and dumps."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from omisim.cloud.cloud import Cloud
from omisim.engine.marks import Mark
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
NEWEST = 4  # a guest writes on one of the newest volumes


def _draw_id(ids: Mapping[str, list[str]]) -> st.SearchStrategy[str]:
    """Draw a kind, then one of its ids, so that rare kinds are drawn as often as common ones."""
    return st.sampled_from(sorted(ids)).flatmap(lambda kind: st.sampled_from(ids[kind]))


class Events(History):
    """A machine with rules for everything except calls."""

    actions: ClassVar[Collection[str]]  # the actions whose calls can fail by an injected fault

    def __init__(self) -> None:
        super().__init__()
        self._marks: list[tuple[int, Mark, Cloud]] = []  # step, mark, and a fork of that point

    @precondition(lambda self: self.cloud.engine.state.rows("volume"))
    @rule(data=st.data(), text=st.sampled_from(["golden", "silver"]))
    def write(self, data: Any, text: str) -> None:
        """Write a file on a volume, as a guest does: only snapshots and OMIs that are created later contain it."""
        volumes = list(self.cloud.engine.state.rows("volume"))[-NEWEST:]
        volume = data.draw(st.sampled_from(volumes), label="volume")
        self.do(f"cloud.write({volume!r}, '/motd', {text!r})", lambda: self.cloud.write(volume, "/motd", text))

    # --- time and failures

    @rule(seconds=st.sampled_from([1, 6, 30, 400, 4000]))
    def wait(self, seconds: int) -> None:
        """Advance the clock."""
        self.do(f"cloud.advance({seconds})", lambda: self.cloud.advance(seconds))

    @rule()
    def settle(self) -> None:
        """Run all due transitions."""
        self.do("cloud.settle()", self.cloud.settle)

    @precondition(lambda self: self._list_in_progress())
    @rule(data=st.data(), steps=st.sampled_from([1, 1, 2, 3]))
    def complete(self, data: Any, steps: int) -> None:
        """Complete one to three steps of an in-progress resource; an export has many steps."""
        row_id = data.draw(_draw_id(self._list_in_progress()), label="resource")
        for _ in range(steps):
            if any(row_id in ids for ids in self._list_in_progress().values()):
                self.do(f"cloud.complete({row_id!r})", lambda: self.cloud.complete(row_id))

    @precondition(lambda self: self._list_in_progress(can_fail=True))
    @rule(data=st.data())
    def fail(self, data: Any) -> None:
        """Fail an in-progress resource."""
        row_id = data.draw(_draw_id(self._list_in_progress(can_fail=True)), label="resource")
        self.do(f"cloud.fail({row_id!r})", lambda: self.cloud.fail(row_id))

    @rule(kind=st.sampled_from(FAILING))
    def order_a_failure(self, kind: str) -> None:
        """Make the next transition of a kind fail."""
        self.do(f"cloud.fail_next({kind!r})", lambda: self.cloud.fail_next(kind))

    @rule(data=st.data(), fault=st.sampled_from(sorted(FAULTS)))
    def order_a_fault(self, data: Any, fault: str) -> None:
        """Inject a fault into the next call of an action, with or without effect."""
        action = data.draw(st.sampled_from(sorted(self.actions)), label="action")
        options = ", ".join(f"{name}={value!r}" for name, value in FAULTS[fault].items())
        self.do(f"cloud.faults.add({action!r}, {options})", lambda: self.cloud.faults.add(action, **FAULTS[fault]))

    # --- time travel

    @rule()
    def save(self) -> None:
        """Set a mark for a later rollback."""
        number = len(self._steps)
        text = f"mark_{number}, then_{number} = cloud.mark(), cloud.fork()"
        mark, then = self.do(text, lambda: (self.cloud.mark(), self.cloud.fork()))
        self._marks.append((number, mark, then))

    @precondition(lambda self: self._marks)
    @rule(data=st.data())
    def roll_back(self, data: Any) -> None:
        """Roll back to a mark; the cloud must equal the fork made there, and the mark stays usable."""
        index = data.draw(st.integers(0, len(self._marks) - 1), label="mark")
        number, mark, then = self._marks[index]
        del self._marks[index + 1 :]
        self._record(f"cloud.rollback(mark_{number})\nassert cloud == then_{number}")
        self.cloud.rollback(mark)
        self._assert_equal(then)

    @rule()
    def fork(self) -> None:
        """Continue in a fork; the parent cloud must not change."""
        number = len(self._steps)
        self._forked.append((number, self.cloud, self.cloud.dump()))
        text = f"left_{number}, dump_{number} = cloud, cloud.dump()\ncloud = left_{number}.fork()"
        self._switch_to(text, self.cloud.fork(), f"assert left_{number}.dump() == dump_{number}")
        self._assert_equal(self._forked[-1][1])

    @rule()
    def dump_and_load(self) -> None:
        """Continue with a cloud loaded from a dump."""
        then = self.cloud
        self._switch_to("then = cloud\ncloud = Cloud.load(cloud.dump())\nassert cloud == then", Cloud.load(then.dump()))
        self._assert_equal(then)

    def _switch_to(self, text: str, cloud: Cloud, end: str = "") -> None:
        self._record(text, end)
        self.cloud: Cloud = cloud
        self._marks = []
        self._mark_recorded()

    def _assert_equal(self, other: Cloud) -> None:
        assert self.cloud == other, (
            f"the clouds differ: {'; '.join(map(str, self.cloud.diff(other))) or 'in their history'}"
        )
