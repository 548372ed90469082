"""`why_not`: every rule that a call would break, in check order, and nothing changed."""

from __future__ import annotations

from typing import Any

import pytest

from omisim import Account, Cloud
from omisim.model import Image, Vm


class TestWhyNot:
    def test_lists_every_independent_refusal(self, alice: Account) -> None:
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
    def test_makes_all_independent_checks(
        self, alice: Account, action: str, parameters: dict[str, Any], codes: list[str]
    ) -> None:
        """Checks that do not depend on each other are all made. [REQ-014]"""
        actual_codes = [error.code for error in alice.why_not(action, **parameters)]
        assert sorted(actual_codes) == sorted(codes)

    def test_does_not_use_a_refused_value(self, alice: Account, ubuntu: Image) -> None:
        """A value that is refused is not used for what the call would write. [VM-027]"""
        vm = alice.create_vms(image_id=ubuntu.image_id, vm_type="tinav5.c1r1", boot_on_creation=False)[0]
        assert [error.rule for error in alice.why_not("UpdateVm", VmId=vm.vm_id, Performance="low")] == ["VM-027"]

    def test_continues_without_a_root(self, alice: Account, ubuntu: Image) -> None:
        """A root that a request leaves out and then maps is refused for both. [BDM-003, BDM-014]"""
        mappings = [{"DeviceName": "/dev/sda1", "NoDevice": ""}, {"DeviceName": "/dev/sda1", "Bsu": {"VolumeSize": 12}}]
        refusals = alice.why_not("CreateVms", ImageId=ubuntu.image_id, BlockDeviceMappings=mappings)
        assert [error.rule for error in refusals] == ["BDM-003", "BDM-014"]

    def test_changes_nothing(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """The writes of a call that would succeed are undone, and no id is used up."""
        before = cloud.fork()
        assert alice.why_not("CreateImage", VmId=vm.vm_id, ImageName="golden") == []
        assert cloud == before
        assert cloud.calls("CreateImage") == ()

    def test_is_empty_when_the_call_would_succeed(self, alice: Account, golden: Image) -> None:
        """`can` is true when `why_not` is empty."""
        assert alice.can("DeleteImage", ImageId=golden.image_id)
        assert not alice.can("DeleteImage", ImageId="ami-12345678")

    def test_of_an_unknown_action_is_one_refusal(self, alice: Account) -> None:
        """An unknown action, and one that is not served, have one refusal. [REQ-002]"""
        assert [error.status for error in alice.why_not("Nothing")] == [404]
        assert [error.code for error in alice.why_not("CreateLoadBalancer")] == ["8010"]
