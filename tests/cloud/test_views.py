"""The rules behind the access matrix, and timelines with their causes."""

from __future__ import annotations

import datetime as dt

import pytest
from support.snapshots import WIDTHS, check_snapshot, check_width

from omisim import Account, ApiError, Cloud, ManualClock, SystemClock
from omisim.model import Image

SHARED = {"additions": {"global_permission": True}}


def share(owner: Account, image: Image, account: Account) -> None:
    """Share an OMI with an account."""
    change = {"additions": {"account_ids": [account.account_id]}}
    owner.update_image(image_id=image.image_id, permissions_to_launch=change)


class TestCells:
    @pytest.mark.parametrize("width", WIDTHS)
    def test_show_the_rule_of_each_right(
        self, cloud: Cloud, alice: Account, bob: Account, golden: Image, width: int
    ) -> None:
        """The owner, a grantee, an outsider, and an account of another Region; below them the rules."""
        carol = cloud.account("carol", region="us-east-2")
        cloud.account("eve")
        share(alice, golden, bob)
        share(alice, golden, carol)
        text = cloud.who_can(golden.image_id).text(width)
        check_width(text, width)
        check_snapshot(f"who-can-{width}.txt", text)

    def test_change_with_the_permissions(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """`before.diff(after)` lists the cells that a change affects, each with both rules. [SHR-005]"""
        before = cloud.who_can(golden.image_id)
        share(alice, golden, bob)
        assert before.diff(cloud.who_can(golden.image_id)) == (
            "bob: read ✗ OMI-037 → ✓ SHR-005",
            "bob: launch ✗ VM-002 → ✓ SHR-005",
            "bob: copy ✗ OMI-011 → ✓ SHR-005",
            "bob: export ✗ EXP-005 → ✗ EXP-003",
            "bob: delete ✗ OMI-122 → ✗ OMI-121",
        )
        assert before.diff(before) == ()

    def test_of_a_later_account_have_nothing_before_them(self, cloud: Cloud, golden: Image) -> None:
        """An account that was created between two matrices is part of their difference."""
        before = cloud.who_can(golden.image_id)
        cloud.account("late")
        assert before.diff(cloud.who_can(golden.image_id))[0] == "late: read - → ✗ OMI-037"

    def test_of_a_public_omi(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """Another account of the Region may use it by SHR-010."""
        alice.update_image(image_id=golden.image_id, permissions_to_launch=SHARED)
        assert str(cloud.who_can(golden.image_id).cells[bob.name]["launch"]) == "✓ SHR-010"

    def test_include_a_licence_that_forbids_exports(self, cloud: Cloud, alice: Account) -> None:
        """Not even the owner may export it then. [EXP-018]"""
        (vm,) = alice.create_vms(image_id=cloud.images.official("rhel").image_id)
        image = alice.create_image(vm_id=vm.vm_id, image_name="licensed")
        cloud.licences.set("0006", export=False)
        access = cloud.who_can(image.image_id)
        assert str(access.cells["alice"]["export"]) == "✗ EXP-018"
        assert "export" not in access["alice"]

    def test_of_a_pending_omi_name_the_cell_of_its_lifecycle(self, slow: Cloud) -> None:
        """A launch is refused because of the state, not of the permissions."""
        alice = slow.account("alice")
        (vm,) = alice.create_vms(image_id=slow.images.official("debian").image_id)
        slow.settle()
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden")
        access = slow.who_can(image.image_id)
        assert str(access.cells["alice"]["launch"]) == "✗ image/CreateVms/pending"
        assert "image/CreateVms/pending: CreateVms is refused while the OMI" in str(access)

    def test_ignore_refusals_for_other_reasons(self, cloud: Cloud, golden: Image) -> None:
        """A full quota refuses a launch, but does not change what the account may do with the OMI."""
        full = cloud.account("full", quotas={"vm_limit": 1})
        full.create_vms(image_id=cloud.images.official("debian").image_id)
        assert not full.can("CreateVms", ImageId=cloud.images.official("debian").image_id)
        assert cloud.who_can(cloud.images.official("debian").image_id).cells["full"]["launch"].allowed
        assert golden

    def test_show_themselves_in_a_notebook(self, cloud: Cloud, golden: Image) -> None:
        """A table whose cells have their rules as tooltips."""
        html = cloud.who_can(golden.image_id)._repr_html_()
        assert '<td title="Only its owner can export' in html


def test_a_cloud_in_a_notebook_escapes_names(cloud: Cloud) -> None:
    """The name of an account is text, in the caption and in its row."""
    cloud.account("<b>alice")
    html = cloud._repr_html_()
    assert html.count("&lt;b&gt;alice") == 2
    assert "<b>" not in html


class TestTimelines:
    @pytest.mark.parametrize("width", WIDTHS)
    def test_read_well_at_two_widths(self, slow: Cloud, width: int) -> None:
        """The timeline of an account, in virtual time, with the caller of each call."""
        alice = slow.account("alice")
        (vm,) = alice.create_vms(image_id=slow.images.official("debian").image_id)
        slow.settle()
        alice.create_image(vm_id=vm.vm_id, image_name="golden")
        slow.settle()
        text = slow.timeline(account="alice").text(width)
        check_width(text, width)
        check_snapshot(f"timeline-{width}.txt", text)

    def test_select_a_resource_and_an_account(self, cloud: Cloud, bob: Account, golden: Image) -> None:
        """Both select together; an account without resources has the changes of its creation only."""
        assert {change.kind for change in cloud.timeline(account="bob")} == {"account", "access_key", "security_group"}
        assert cloud.timeline(golden.image_id, account="bob") == ()
        assert cloud.timeline(golden.image_id, account="alice") == cloud.timeline(golden.image_id)
        assert len(cloud.timeline()) == len(cloud.events)
        assert bob

    def test_refuse_an_unknown_account(self, cloud: Cloud) -> None:
        """The error lists the accounts."""
        with pytest.raises(ValueError, match="unknown account 'zoe'; known: none"):
            cloud.timeline(account="zoe")

    def test_name_the_caller_of_each_call(self, cloud: Cloud, alice: Account, bob: Account, golden: Image) -> None:
        """A refused call between two others is not taken for a cause."""
        assert not bob.can("DeleteImage", ImageId=golden.image_id)
        alice.update_image(image_id=golden.image_id, description="mine")
        assert str(cloud.timeline(golden.image_id)).splitlines()[-1].endswith("by alice)")

    def test_name_the_caller_after_a_rollback(self, cloud: Cloud) -> None:
        """Calls that a rollback has undone are not taken for the callers of later changes."""
        alice, bob = cloud.account("alice"), cloud.account("bob")
        with cloud.savepoint():
            for _ in range(5):
                alice.create_volume(size=1, subregion_name="eu-west-2a")
        volume = bob.create_volume(size=1, subregion_name="eu-west-2a")
        assert "(CreateVolume#1 by bob)" in str(cloud.timeline(volume.volume_id))

    def test_name_the_caller_of_a_lost_answer(self, cloud: Cloud) -> None:
        """A call whose answer a fault has lost made its changes, so they are not those of the call before it."""
        alice, bob = cloud.account("alice"), cloud.account("bob")
        bob.create_volume(size=1, subregion_name="eu-west-2a")
        cloud.faults.add("CreateVolume", status=500, after_effect=True)
        with pytest.raises(ApiError):
            alice.create_volume(size=1, subregion_name="eu-west-2a")
        assert "(CreateVolume#2 by alice)" in str(cloud.timeline(account="alice"))


class TestReprs:
    def test_of_clocks_show_their_time(self) -> None:
        """A virtual clock shows its time, and a system clock how far it is ahead of the wall time."""
        assert repr(ManualClock()) == "<ManualClock at 2026-01-01T00:00:00+00:00>"
        assert repr(SystemClock(dt.timedelta(minutes=1))) == "<SystemClock, wall time + 0:01:00>"

    def test_of_marks_tell_them_apart(self, cloud: Cloud, alice: Account) -> None:
        """A mark shows its time and its place in the history."""
        first = repr(cloud.mark())
        alice.create_public_ip()
        assert first.startswith("<mark at 2026-01-01T00:00:00")
        assert first != repr(cloud.mark())

    def test_of_a_server_shows_its_address_alone(self, cloud: Cloud) -> None:
        """The repr of a running server, which a log may show, has no token."""
        with cloud.serve() as server:
            assert repr(server) == f"<server at {server.url}>"
