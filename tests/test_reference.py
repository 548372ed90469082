"""The simulator and a model of the rules that shares no line with it, in lockstep."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lockstep import Lockstep
from random_calls import draw_call


class Agreement(RuleBasedStateMachine):
    """Three accounts in two Regions call both; in manual timing, what is under way is moved by hand."""

    @initialize(timing=st.sampled_from(["eager", "manual"]))
    def start(self, timing: str) -> None:
        """Make both."""
        self.both = Lockstep(timing, {"vm_limit": 3, "volume_limit": 6})
        self.timing = timing

    @rule(data=st.data())
    def call(self, data: Any) -> None:
        """Make a call on both."""
        self.both.call(*draw_call(data.draw, self.both.cloud, self.both.accounts))

    @precondition(lambda self: self.both.reference.moving())
    @rule(data=st.data())
    def step(self, data: Any) -> None:
        """Move what is under way a step, or let it fail."""
        one = data.draw(st.sampled_from(self.both.reference.moving()))
        self.both.reference.complete(one)
        self.both.cloud.complete(self.both.theirs[one])

    @rule(seconds=st.sampled_from([30, 400, 4000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.both.cloud.advance(seconds=seconds)
        self.both.reference.advance(seconds)

    @invariant()
    def everybody_sees_the_same(self) -> None:
        """What each account reads is the same on both."""
        self.both.look()


Agreement.TestCase.settings = settings(
    max_examples=settings().max_examples // 2 or 1, stateful_step_count=25, deadline=None
)
TestAgreement = Agreement.TestCase
