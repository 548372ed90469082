"""`why_not`: every rule that a call would break, in check order, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, Cloud
from omisim.model import Image, Vm


class TestWhyNot:
    def test_names_all_that_can_be_checked(self, alice: Account) -> None:
        """An unknown OMI, type, keypair and Subregion are four refusals of one call."""
        request = {
            "ImageId": "ami-12345678",
            "VmType": "huge",
            "KeypairName": "none",
            "Placement": {"SubregionName": "mars-1a"},
        }
        refusals = alice.why_not("CreateVms", **request)
        assert {error.code for error in refusals} == {"5023", "5024", "5071", "5009"}
        with pytest.raises(type(refusals[0])) as caught:
            alice.call("CreateVms", **request)
        assert str(caught.value) == str(refusals[0])

    @pytest.mark.parametrize(
        ("action", "parameters", "codes"),
        [
            ("CreateVolume", {"Size": 0, "SubregionName": "mars-1a", "VolumeType": "floppy"}, ["4047", "4078", "5009"]),
            ("CreateVolume", {"Sise": 1, "VolumeType": 5}, ["3001", "4110", "7000"]),
            ("CreateImage", {"SourceImageId": "ami-1", "VmId": "vol-1"}, ["3002", "3002", "4105", "4104"]),
            ("LinkVolume", {}, ["7000", "7000", "7000"]),
        ],
    )
    def test_goes_on_where_it_can(
        self, alice: Account, action: str, parameters: dict[str, Any], codes: list[str]
    ) -> None:
        """Checks that do not depend on each other are all made. [REQ-014]"""
        found = [error.code for error in alice.why_not(action, **parameters)]
        assert sorted(found) == sorted(codes)

    def test_changes_nothing(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """What a call that succeeds would write is undone, and no id is used up."""
        before = cloud.fork()
        assert alice.why_not("CreateImage", VmId=vm.vm_id, ImageName="golden") == []
        assert cloud == before
        assert cloud.calls("CreateImage") == ()

    def test_is_empty_when_the_call_would_succeed(self, alice: Account, golden: Image) -> None:
        """`can` is `why_not` with nothing in it."""
        assert alice.can("DeleteImage", ImageId=golden.image_id)
        assert not alice.can("DeleteImage", ImageId="ami-12345678")

    def test_of_no_action_is_one_refusal(self, alice: Account) -> None:
        """An unknown action, and one that is not served. [REQ-002]"""
        assert [error.status for error in alice.why_not("Nothing")] == [404]
        assert [error.code for error in alice.why_not("CreateLoadBalancer")] == ["8010"]
