"""Searching the call log, and the errors about calls that were not made."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.storing import export_disk

from omisim import Account, Cloud
from omisim.base.subset import find_mismatches
from omisim.model import Vm
from omisim.testing import checks

pytest_plugins = ["pytester"]


@pytest.fixture(name="story")
def _story(cloud: Cloud, alice: Account, bob: Account, vm: Vm) -> Cloud:
    """Alice launches, makes `golden` and asks for it twice; bob is refused."""
    alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
    alice.read_images(filters={"image_names": ["golden"], "states": ["available"]})
    alice.read_images(filters={"image_names": ["golden"]})
    assert not bob.can("CreateImage", VmId=vm.vm_id)
    with pytest.raises(Exception, match="5063"):
        bob.create_image(vm_id=vm.vm_id, image_name="stolen")
    return cloud


class TestCallLog:
    def test_is_filtered_by_action_and_account(self, story: Cloud) -> None:
        """An action and the name of a caller select calls, oldest first."""
        assert [call.account for call in story.calls("CreateImage")] == ["alice", "bob"]
        assert [call.error is None for call in story.calls("CreateImage", account="bob")] == [False]
        assert [call.action for call in story.calls(account="bob")] == ["CreateImage"]

    @pytest.mark.usefixtures("oos")
    def test_has_no_requests_to_object_storage(self, cloud: Cloud, alice: Account) -> None:
        """It lists calls of OAPI and FCU alone, although requests to object storage are recorded too."""
        alice.client("oos").list_buckets()
        alice.read_vms()
        assert [record.action for record in cloud.engine.session.calls[-2:]] == ["ListBuckets", "ReadVms"]
        assert [call.action for call in cloud.calls()] == ["ReadVms"]

    def test_is_filtered_by_parameters(self, story: Cloud) -> None:
        """Each given parameter must match the call's: objects by their keys, lists by their items."""
        assert story.calls("CreateImage", ImageName="golden", NoReboot=True).one().account == "alice"
        assert len(story.calls("ReadImages", Filters={"ImageNames": ["golden"]})) == 2
        assert len(story.calls("ReadImages", Filters={"States": ["available"]})) == 1

    @pytest.mark.usefixtures("oos")
    def test_is_filtered_by_a_signed_url(self, cloud: Cloud, alice: Account) -> None:
        """A URL must match with its signature, which neither a call nor a mismatch shows."""
        url = export_disk(alice)
        alice.create_snapshot(file_location=url, snapshot_size=2**30)
        assert len(cloud.calls("CreateSnapshot", FileLocation=url)) == 1
        others = cloud.calls("CreateSnapshot", FileLocation=f"{url}0", SnapshotSize=2**30)
        assert not others
        assert others.closest[0].endswith(": a secret or the signature of a URL differs")
        assert url.rpartition("=")[2] not in repr(cloud.calls())

    def test_is_filtered_since_a_mark(self, story: Cloud, alice: Account) -> None:
        """Calls before a mark do not count, and undoing does not remove those after it."""
        mark = story.mark()
        assert story.calls(since=mark) == ()
        alice.read_vms()
        story.rollback(mark)
        assert [call.action for call in story.calls(since=mark)] == ["ReadVms"]

    def test_prints_each_call_on_one_line(self, story: Cloud, vm: Vm) -> None:
        """A recorded call prints its action, caller, parameters and refusal."""
        first, second = map(str, story.calls("CreateImage"))
        assert first == f"CreateImage by alice VmId='{vm.vm_id}' ImageName='golden' NoReboot=True"
        assert second.startswith(f"CreateImage by bob VmId='{vm.vm_id}' ImageName='stolen' → 400 5063 InvalidResource")

    def test_refuses_one_of_several(self, story: Cloud) -> None:
        """`one` of two calls fails with both."""
        message = r"^expected one call of CreateImage, found 2\n  Create.* by alice .*\n  Create.* by bob"
        with pytest.raises(AssertionError, match=message):
            story.calls("CreateImage").one()

    @pytest.mark.parametrize("since", [Cloud().mark(), 3])
    def test_refuses_a_mark_of_another_cloud(self, cloud: Cloud, alice: Account, since: Any) -> None:
        """Neither `calls` nor the checks accept a mark of another cloud."""
        assert alice.read_vms() == ()
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            cloud.calls(since=since)
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            checks.nothing_left(cloud, since=since)


class TestNearMisses:
    def test_show_the_difference_by_parameter(self, story: Cloud) -> None:
        """The closest call comes first, with its missing and differing parameters."""
        with pytest.raises(AssertionError) as missed:
            story.calls("CreateImage", account="alice", ImageName="goldn", NoReboot=True, Description="new").one()
        lines = str(missed.value).splitlines()
        query = "CreateImage by alice ImageName='goldn' NoReboot=True Description='new'"
        assert lines[0] == f"expected one call of {query}, found none"
        assert lines[1].startswith("  closest: by alice at 2026-01-01T00:00:00.")
        assert lines[1].endswith(": ImageName is 'golden', not 'goldn'; Description='new' is not given")
        assert "closest: by bob at " in lines[2]
        assert "the caller is not alice" in lines[2]

    def test_show_the_path_of_a_nested_difference(self, story: Cloud) -> None:
        """A difference in an object or a list is named by its path."""
        with pytest.raises(AssertionError, match=r"Filters.ImageNames has no 'silver', but \['golden'\]"):
            story.calls("ReadImages", Filters={"ImageNames": ["golden", "silver"]}).one()

    def test_count_the_other_actions_called(self, story: Cloud) -> None:
        """Without a call of the action, the calls of others are counted."""
        with pytest.raises(AssertionError, match=r"calls made: ReadImages 3x, CreateVms 1x, CreateImage 2x$"):
            story.calls("DeleteImage").one()
        with pytest.raises(AssertionError, match=r"calls made: none$"):
            Cloud().calls("DeleteImage").one()

    def test_are_shown_by_a_bare_assertion(self, pytester: pytest.Pytester) -> None:
        """A bare assertion on calls that were not made fails with the closest ones."""
        pytester.makepyfile(
            """
            def test_it(omi_cloud, omi_account):
                omi_account.create_volume(subregion_name="eu-west-2a", size=1)
                assert omi_cloud.calls("CreateVolume", Size=2)
            """
        )
        result = pytester.runpytest_inprocess("-p", "no:xdist", "-p", "no:asyncio", "-p", "no:cacheprovider")
        result.stdout.fnmatch_lines(["*no call of CreateVolume Size=2; closest: by alice at *: Size is 1, not 2"])

    @pytest.mark.parametrize(
        ("action", "parameters", "message"),
        [
            (["CreateVms"], {}, r"action must be the name of one action, not \['CreateVms'\]"),
            ("CreateVm", {}, r"unknown action 'CreateVm'; did you mean CreateVms\?"),
            ("RunInstances", {}, "unknown action 'RunInstances'; .* names of the OUTSCALE API here: CreateVms"),
            ("PutObject", {}, "PutObject is a request to object storage: .* those of the API only"),
            ("CreateVms", {"ImageID": 1}, r"CreateVms has no parameter 'ImageID'; did you mean ImageId\?"),
            ("CreateVms", {"image_id": 1}, r"CreateVms has no parameter 'image_id'; did you mean ImageId\?"),
            (None, {"ImageId": 1}, "action is required with the parameters ImageId"),
        ],
    )
    def test_refuse_unknown_actions_and_parameters(
        self, cloud: Cloud, action: Any, parameters: Any, message: str
    ) -> None:
        """An unknown action or parameter is refused with a suggestion: no such call could ever be made."""
        with pytest.raises(ValueError, match=message):
            cloud.calls(action, **parameters)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from("ab"),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.sampled_from("xyz"), below, max_size=3),
    max_leaves=8,
)


class TestSubsetMatch:
    @given(JSON)
    def test_of_a_value_with_itself_has_no_mismatch(self, value: Any) -> None:
        """A value matches itself."""
        assert list(find_mismatches(value, value)) == []

    @given(st.dictionaries(st.sampled_from("xyz"), JSON, max_size=3), st.data())
    def test_names_the_key_that_differs(self, value: dict[str, Any], data: st.DataObject) -> None:
        """A changed parameter is one mismatch, which names it."""
        name = data.draw(st.sampled_from("xyz"))
        missing = list(find_mismatches(value | {name: "other"}, value))
        assert len(missing) == 1
        assert missing[0].startswith(name)
