"""The ways in which a swept cloud could have answered, and the lines that reproduce them."""

from __future__ import annotations

import pytest
from support.sweeping import LOST, Failed, create_volume, get_only_world, outcomes, setup

from omisim import ApiError, Cloud
from omisim.testing import sweep


class TestDeviations:
    def test_each_call_is_refused_lost_killed_and_delayed(self) -> None:
        """A call that changes the cloud can fail before and after its effect."""
        assert outcomes(sweep(setup, create_volume)) == {
            "call 1, CreateVolume is throttled (429)": "failed cleanly",
            "call 1, CreateVolume is refused (503)": "failed cleanly",
            "call 1, CreateVolume: the answer is lost (dropped connection)": "left something behind",
            "call 1, CreateVolume: the answer is lost (503)": "left something behind",
            "call 1, CreateVolume takes 600 seconds": "survived",
            "call 1, the process is killed after CreateVolume, and the code runs again": "left something behind",
            "volume vol-<id> fails while creating": "wrong result",
        }

    def test_capacity_is_refused_where_the_api_refuses_it(self) -> None:
        """Only a launch can find no capacity."""

        def launch(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            alice.read_vms()
            alice.create_vms(image_id=cloud.images.official("debian").image_id)

        report = sweep(setup, launch, kinds=["refused"], expected=ApiError)
        assert [world.title for world in report.worlds if "capacity" in world.title] == [
            "call 2, CreateVms finds no capacity"
        ]
        assert report.counts == {"failed cleanly": 5}

    def test_a_page_is_cut_short_where_there_are_several_results(self) -> None:
        """Code that ignores NextPageToken sees half of the results."""

        def read(cloud: Cloud) -> list[str]:
            return [volume["VolumeId"] for volume in cloud.account("alice").call("ReadVolumes")["Volumes"]]

        def three() -> Cloud:
            cloud = setup()
            for _ in range(3):
                create_volume(cloud)
            return cloud

        report = sweep(three, read, kinds=["cut"])
        assert get_only_world(report).title == "call 1, ReadVolumes returns 2 of its 3 results at first"
        assert get_only_world(report).details == (
            "returns ['vol-<id>', 'vol-<id>'], not ['vol-<id>', 'vol-<id>', 'vol-<id>']",
        )
        assert sweep(setup, read, kinds=["cut"]).worlds == []

    def test_a_list_of_fcu_is_cut_by_what_it_returns(self) -> None:
        """An EC2 client that ignores NextToken sees half of what its filter has selected."""

        def three() -> Cloud:
            cloud = setup()
            for size in (1, 2, 2):
                cloud.account("alice").create_volume(subregion_name="eu-west-2a", size=size)
            return cloud

        def count(cloud: Cloud) -> int:
            fcu = cloud.account("alice").client("fcu")
            return len(fcu.describe_volumes(Filters=[{"Name": "size", "Values": ["2"]}])["Volumes"])

        world = get_only_world(sweep(three, count, kinds=["cut"]))
        assert world.title == "call 1, ReadVolumes returns 1 of its 2 results at first"
        assert world.details == ("returns 1, not 2",)

    def test_each_transition_that_can_fail_does(self) -> None:
        """A resource that goes through a transient state twice fails twice, each time in one of the worlds."""

        def launch(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            alice.stop_vms(vm_ids=[vm.vm_id])
            alice.start_vms(vm_ids=[vm.vm_id])

        report = sweep(setup, launch, kinds=["failed"], holds=lambda _: True, expected=ApiError)
        vms = [world for world in report.worlds if world.title.startswith("vm ")]
        assert [world.outcome for world in vms] == ["failed cleanly", "survived"]
        assert vms[1].script.startswith("cloud.faults.add('StopVms', meanwhile=lambda: cloud.fail_next('vm', id='i-")

    def test_repeated_polls_of_one_state_count_once(self) -> None:
        """Ten reads of an unchanged cloud are one call to deviate from."""

        def poll(cloud: Cloud) -> None:
            for _ in range(10):
                cloud.account("alice").read_vms()

        report = sweep(setup, poll, kinds=["refused", "killed"], expected=ApiError)
        assert (report.calls, len(report.worlds)) == (10, 3)

    def test_each_switch_that_the_run_touched_is_decided_otherwise(self) -> None:
        """Code that fails only under a switch rests on an open question, which is not a finding."""

        def start(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            with pytest.raises(ApiError):
                alice.start_vms(vm_ids=[vm.vm_id])

        report = sweep(setup, start, kinds=["switch"])
        assert report.findings == []
        (question,) = [world for world in report.open_questions if world.switch == "start_running"]
        assert (question.switch, question.outcome) == ("start_running", "left something behind")
        text = str(report)
        assert "rests on an open question: with switch start_running is 'no-op': left something behind" in text
        assert "evidence: measured in 2026: refused; tested in 2021: no effect" in text

    @pytest.mark.parametrize("way", ["delete", "stop", "share"])
    def test_a_second_client_interferes_on_request(self, way: str) -> None:
        """Another client deletes, stops or shares what the code uses, just before it uses it."""

        def use(cloud: Cloud) -> None:
            alice = cloud.account("alice")
            (vm,) = alice.create_vms(image_id=cloud.images.official("debian").image_id)
            image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
            alice.create_tags(resource_ids=[vm.vm_id, image.image_id], tags=[{"key": "used", "value": ""}])

        report = sweep(setup, use, kinds=["interfered"], interfere=[way])
        titles = [world.title for world in report.worlds]
        action = {"delete": "DeleteVms", "stop": "StopVms", "share": "UpdateImage"}[way]
        assert any(f"another client calls {action} of" in title for title in titles)
        assert sweep(setup, use, kinds=["interfered"]).worlds == []

    def test_lines_are_what_was_run(self) -> None:
        """The script of a finding reproduces it alone."""
        script = get_only_world(sweep(setup, create_volume, kinds=LOST, limit=1)).script
        cloud = setup()
        exec(script, {"cloud": cloud})
        with pytest.raises(Failed):
            create_volume(cloud)
        assert len(cloud.account("alice").read_volumes()) == 1
