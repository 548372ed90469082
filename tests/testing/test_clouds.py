"""The strategy `clouds()`: clouds in reachable states."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import find, given, settings
from hypothesis import strategies as st

from omisim import ApiError, Cloud
from omisim.testing import laws
from omisim.testing.strategies import clouds, requests

FEW = settings(max_examples=10, deadline=None)


def count_images(cloud: Cloud, name: str) -> int:
    """Return the number of OMIs of an account."""
    account = cloud.account(name)
    return len(account.read_images(filters={"account_ids": [account.account_id]}))


class TestClouds:
    @FEW
    @given(cloud=clouds(timing="clock"))
    def test_keep_all_laws(self, cloud: Cloud) -> None:
        """Calls alone made each cloud, so that all laws hold; the calls are not in its log."""
        laws.check(cloud)
        assert set(cloud.accounts) == {"alice", "bob"}
        assert len(cloud.calls()) == 0
        assert not cloud.warnings

    @FEW
    @given(cloud=clouds(starts_with={"image": 2}), data=st.data())
    def test_can_be_used_with_other_strategies(self, cloud: Cloud, data: st.DataObject) -> None:
        """A request is drawn for the cloud that was drawn."""
        alice = cloud.account("alice")
        with suppress(ApiError):
            alice.call("DeleteImage", **data.draw(requests("DeleteImage", cloud, alice)))
        assert count_images(cloud, "alice") <= 12

    def test_reach_states_by_their_calls(self) -> None:
        """A cloud with a VM can be found, and shrinks to the call that launches it."""
        cloud = find(clouds(actions={"CreateVms", "CreateVolume"}, accounts=["dora"]), has_vm)
        assert len(cloud.engine.state.rows("vm")) == 1

    def test_begin_with_resources(self) -> None:
        """An account begins with as many resources as `starts_with` says, or fewer."""
        full = clouds(starts_with={"image": 2}, accounts={"carol": "us-east-2"}, max_calls=0)
        cloud = find(full, lambda cloud: count_images(cloud, "carol") == 2)
        assert cloud.account("carol").region == "us-east-2"
        assert count_images(find(full, lambda _: True), "carol") == 0

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"actions": ["CreateVm"]}, "actions must be names of actions, not 'CreateVm'; did you mean CreateVms"),
            ({"accounts": "alice"}, "accounts must be a list of at least one name, or Regions by name, not 'alice'"),
            ({"accounts": []}, "accounts must be a list of at least one name"),
            ({"accounts": {"alice": "mars"}}, "the Region of alice must be 'eu-west-2', .*, not 'mars'"),
            ({"starts_with": "shared-image"}, "starts_with must map kinds to numbers, not 'shared-image'"),
            ({"starts_with": {"images": 1}}, "each key of starts_with must be 'image', .*, not 'images'"),
            ({"max_calls": -1}, "max_calls must be an int from 0, not -1"),
            ({"timing": "slow"}, "timing must be one of .*, not 'slow'"),
        ],
    )
    def test_refuse_wrong_arguments_at_once(self, arguments: dict[str, object], message: str) -> None:
        """A mistake is an error where the strategy is made."""
        with pytest.raises(ValueError, match=message):
            clouds(**arguments)  # type: ignore[arg-type]


def has_vm(cloud: Cloud) -> bool:
    """Whether an account has a VM."""
    return len(cloud.engine.state.rows("vm")) > 0


def test_failing_test_prints_the_calls_that_made_its_cloud() -> None:
    """The note of a failure is the script of the cloud."""

    @settings(max_examples=50, deadline=None, database=None)
    @given(cloud=clouds(starts_with={"image": 2}, accounts=["alice"], max_calls=0))
    def has_few_images(cloud: Cloud) -> None:
        assert count_images(cloud, "alice") < 2

    with pytest.raises(AssertionError) as failure:
        has_few_images()
    script = failure.value.__notes__[0]
    assert script.startswith("cloud = Cloud(timing='eager')\ncloud.account('alice', region='eu-west-2')\n")
    names: dict[str, Cloud] = {}
    exec(f"from omisim import Cloud\n{script}", names)
    assert count_images(names["cloud"], "alice") == 2
