"""What holds of networks, whatever is called: the public laws, asked after each step of random histories."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from network_calls import NETWORK_ACTIONS, draw_network_call
from networks import add_networks

from omisim import ApiError, Cloud
from omisim.actions import families
from omisim.actions.registry import ACTIONS
from omisim.testing import laws

SWITCH = {"stopped_public_ip": "released"}
FAMILIES = (
    "internet_services", "nets", "nic_links", "nics", "public_ips", "route_tables", "security_group_rules",
    "security_groups", "subnets",
)  # fmt: skip


class NetworkLaws(RuleBasedStateMachine):
    """Two accounts make random calls about networks, of which they have some."""

    @initialize(timing=st.sampled_from(["eager", "clock"]), released=st.booleans())
    def start(self, timing: str, released: bool) -> None:
        """Make a cloud and its accounts."""
        self.cloud = Cloud(timing=timing, switches=SWITCH if released else None)
        self.accounts = [self.cloud.account("alice"), self.cloud.account("bob")]
        for account in self.accounts:
            add_networks(account, self.cloud.images.official("ubuntu").image_id, {})
        self.cloud.settle()
        laws.check(self.cloud)

    @rule(data=st.data())
    def call(self, data: Any) -> None:
        """Make a call: `why_not` foretells it, a refused one changes nothing, and the laws hold after it."""
        account, action, parameters = draw_network_call(data.draw, self.cloud, self.accounts)
        self.cloud.advance(seconds=0)
        foretold = account.why_not(action, **parameters)
        mark, before = self.cloud.mark(), self.cloud.fork()
        if foretold:
            with pytest.raises(ApiError) as refused:
                account.call(action, **parameters)
            assert str(refused.value) == str(foretold[0])
            assert self.cloud == before
        else:
            account.call(action, **parameters)
        laws.check(self.cloud, since=mark)

    @rule(seconds=st.sampled_from([5, 100, 4000]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        mark = self.cloud.mark()
        self.cloud.advance(seconds=seconds)
        laws.check(self.cloud, since=mark)

    def teardown(self) -> None:
        """Ask all the laws about the whole cloud."""
        if hasattr(self, "cloud"):
            laws.check(self.cloud)


NetworkLaws.TestCase.settings = settings(
    max_examples=settings().max_examples // 2 or 1, stateful_step_count=30, deadline=None
)
TestNetworkLaws = NetworkLaws.TestCase


def test_all_actions_are_drawn() -> None:
    """Each action about networks that writes is one of the random calls, but for a few that change words alone."""
    assert set(FAMILIES) <= set(families.__all__)
    modules = {f"omisim.actions.{family}" for family in FAMILIES}
    writing = {name for name, action in ACTIONS.items() if action.function.__module__ in modules} - {
        name for name in ACTIONS if name.startswith("Read")
    }
    assert writing - set(NETWORK_ACTIONS) == {"UpdateNet", "UpdateNic"}
