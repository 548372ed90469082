"""The timing "reads": a transient state ends when clients have read the resource often enough."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests
import urllib3
from botocore.exceptions import ClientError
from osc_sdk_python import Gateway
from requests import HTTPError
from support.catalogue import SUBREGION
from support.sign import sign_request

from omisim import Account, ApiError, Cloud
from omisim.testing import laws


@pytest.fixture(name="cloud")
def _cloud() -> Cloud:
    return Cloud(timing="reads")


@pytest.fixture(name="alice")
def _alice(cloud: Cloud) -> Account:
    return cloud.account("alice")


@pytest.fixture(name="api")
def _api(alice: Account) -> Gateway:
    return alice.gateway()


@pytest.fixture(name="volume_id")
def _volume_id(alice: Account) -> str:
    """A volume that is being created."""
    return alice.create_volume(subregion_name=SUBREGION, size=1).volume_id


def states(api: Gateway, count: int) -> list[str]:
    """Return the states of the first volume in several reads by the SDK."""
    return [api.ReadVolumes()["Volumes"][0]["State"] for _ in range(count)]


def read_by_sdk(alice: Account) -> str:
    """Read the first volume's state by the SDK."""
    return str(alice.gateway().ReadVolumes()["Volumes"][0]["State"])


def read_by_boto3(alice: Account) -> str:
    """Read it by boto3's EC2 client."""
    return str(alice.client("fcu").describe_volumes()["Volumes"][0]["State"])


def read_over_http(alice: Account) -> str:
    """Read it over HTTP from a server."""
    with alice.cloud.serve() as server:
        path, host = "/api/v1/ReadVolumes", server.url.partition("//")[2]
        headers = dict(sign_request(alice, path, host=host, at=alice.cloud.now).headers)
        answer = requests.post(server.url + path, b"{}", headers=headers, timeout=60)
    return str(answer.json()["Volumes"][0]["State"])


def read_by_interception(alice: Account) -> str:
    """Read it by an intercepted request."""
    with alice.environment():
        return str(Gateway().ReadVolumes()["Volumes"][0]["State"])


class TestCount:
    @pytest.mark.parametrize("read", [read_by_sdk, read_by_boto3, read_over_http, read_by_interception])
    def test_includes_a_read_through_any_door(
        self, alice: Account, volume_id: str, read: Callable[[Account], str]
    ) -> None:
        """The first read answers with the state that stands; the second one finds the next."""
        assert volume_id
        assert [read(alice) for _ in range(2)] == ["creating", "available"]

    def test_is_a_duration(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """`durations` holds the number of reads, by default one."""
        assert cloud.durations["volume.creating"] == 1
        cloud.durations["volume.creating"] = 3
        alice.create_volume(subregion_name=SUBREGION, size=1)
        assert states(api, 5) == ["creating"] * 3 + ["available"] * 2

    def test_of_zero_moves_at_the_next_call(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """A state of zero reads has ended when the next call begins."""
        cloud.durations["volume.creating"] = 0
        alice.create_volume(subregion_name=SUBREGION, size=1)
        assert states(api, 1) == ["available"]

    @pytest.mark.parametrize("number", [2.5, -1, float("inf"), "1"])
    def test_is_a_whole_number(self, cloud: Cloud, number: Any) -> None:
        """A fraction of a read is refused."""
        with pytest.raises(ValueError, match="duration must be a"):
            cloud.durations["volume.creating"] = number

    def test_is_of_each_resource_that_is_returned(self, alice: Account, api: Gateway, volume_id: str) -> None:
        """A filter or a page that leaves a resource out does not count for it."""
        other = alice.create_volume(subregion_name=SUBREGION, size=1).volume_id
        for _ in range(3):
            api.ReadVolumes(Filters={"VolumeIds": [other]})
            api.ReadVolumes(Filters={"VolumeStates": ["error"]})
        states = {row.volume_id: str(row.state) for row in alice.read_volumes()}
        assert states == {volume_id: "creating", other: "available"}

    def test_is_of_each_resource_that_fcu_returns(self, alice: Account, volume_id: str) -> None:
        """Filters and pages of FCU leave resources out too, and a read that FCU refuses counts for none."""
        other = alice.create_volume(subregion_name=SUBREGION, size=1).volume_id
        fcu = alice.client("fcu")
        for _ in range(3):
            fcu.describe_volumes(Filters=[{"Name": "volume-id", "Values": [other]}])
            fcu.describe_volumes(Filters=[{"Name": "status", "Values": ["error"]}])
            with pytest.raises(ClientError):
                fcu.describe_volumes(Filters=[{"Name": "nothing", "Values": ["x"]}])
        with suppress(ClientError):
            fcu.describe_volumes(VolumeIds=[volume_id, "vol-00000000"])
        rows = {row.volume_id: str(row.state) for row in alice.read_volumes()}
        assert rows == {volume_id: "creating", other: "available"}

    def test_includes_a_read_of_one_attribute(self, cloud: Cloud, alice: Account) -> None:
        """A read of FCU that returns a part of one resource counts for it."""
        fcu = alice.client("fcu")
        vm_id = fcu.run_instances(ImageId=cloud.images.official("debian").image_id, MinCount=1, MaxCount=1)[
            "Instances"
        ][0]["InstanceId"]
        fcu.describe_instance_attribute(InstanceId=vm_id, Attribute="instanceType")
        alice.read_volumes()
        assert str(alice.read_vms()[0].state) == "running"

    def test_includes_a_request_without_headers(self) -> None:
        """An unsigned request of a client that sends no headers counts, where the cloud accepts it."""
        cloud = Cloud(timing="reads", auth="off")
        alice = cloud.account("alice")
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with cloud.intercept(), urllib3.PoolManager() as manager:
            manager.request("POST", "https://api.eu-west-2.outscale.com/api/v1/ReadVolumes", headers={})
        alice.read_snapshots()
        assert str(alice.read_volumes()[0].state) == "available"

    def test_does_not_include_reads_from_python(self, cloud: Cloud, alice: Account, volume_id: str) -> None:
        """Typed reads, `call`, `why_not`, the console and the laws never count."""
        position = cloud.engine.state.position
        for _ in range(3):
            assert alice.read_volumes()[0].state == "creating"
            assert alice.call("ReadVolumes")["Volumes"][0]["State"] == "creating"
            assert alice.why_not("DeleteVolume", VolumeId=volume_id)
            laws.check(cloud)
        cloud.timeline(volume_id)
        assert cloud.engine.state.position == position

    def test_does_not_include_reads_without_an_answer(
        self, cloud: Cloud, alice: Account, api: Gateway, volume_id: str
    ) -> None:
        """A refused read, a dry run and a read whose answer is lost do not count."""
        cloud.faults.add("ReadVolumes", times=1, error="invalid-state", after_effect=True)
        with pytest.raises(HTTPError):
            api.ReadVolumes()
        with pytest.raises(HTTPError):
            api.ReadVolumes(Filters={"Nothing": ["x"]})
        with pytest.raises(ClientError):
            alice.client("fcu").describe_volumes(DryRun=True)
        api.ReadSnapshots()
        assert (alice.read_volumes()[0].state, alice.read_volumes()[0].volume_id) == ("creating", volume_id)


class TestChain:
    def test_of_an_omi_advances_by_reads_of_the_omi_alone(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """A read of a pending OMI counts for the snapshots that it waits for."""
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        cloud.settle()
        image_id = api.CreateImage(VmId=vm.vm_id, ImageName="golden", NoReboot=True)["Image"]["ImageId"]
        states = [api.ReadImages(Filters={"ImageIds": [image_id]})["Images"][0]["State"] for _ in range(3)]
        assert states == ["pending", "pending", "available"]  # the snapshot was in-queue, then pending

    def test_of_a_vm_is_read_by_its_state(self, cloud: Cloud, api: Gateway) -> None:
        """ReadVmsState counts for VMs."""
        api.CreateVms(ImageId=cloud.images.official("debian").image_id)
        states = [api.ReadVmsState(AllVms=True)["VmStates"][0]["VmState"] for _ in range(2)]
        assert states == ["pending", "running"]

    def test_of_a_link_is_read_by_its_volume_or_its_vm(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """A read of a volume, or of its VM, counts for the link."""
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        volumes = [alice.create_volume(subregion_name=SUBREGION, size=1).volume_id for _ in range(2)]
        cloud.settle()
        for device, volume_id in zip(("/dev/sdb", "/dev/sdc"), volumes, strict=True):
            alice.link_volume(volume_id=volume_id, vm_id=vm.vm_id, device_name=device)
        api.ReadVolumes(Filters={"VolumeIds": volumes[:1]})
        links = {row.volume_id: str(row.linked_volumes[0].state) for row in alice.read_volumes() if row.linked_volumes}
        assert [links[volume_id] for volume_id in volumes] == ["attached", "attaching"]
        api.ReadVms()
        api.ReadVms()
        links = {row.volume_id: str(row.linked_volumes[0].state) for row in alice.read_volumes() if row.linked_volumes}
        assert [links[volume_id] for volume_id in volumes] == ["attached", "attached"]


class TestHold:
    def test_of_a_group_ends_by_refused_deletions(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """No read shows the hold of a deleted VM's group: a client that tries to delete it again counts. [SG-011]"""
        group = alice.create_security_group(security_group_name="web", description="x").security_group_id
        image_id = cloud.images.official("debian").image_id
        vm = alice.create_vms(image_id=image_id, security_group_ids=[group])[0]
        alice.delete_vms(vm_ids=[vm.vm_id])
        cloud.complete(vm.vm_id)
        for _ in range(2):  # a call from Python does not count
            with pytest.raises(ApiError, match="SG-011"):
                alice.delete_security_group(security_group_id=group)
        with pytest.raises(HTTPError):
            api.DeleteSecurityGroup(SecurityGroupId=group)
        api.DeleteSecurityGroup(SecurityGroupId=group)
        laws.check(cloud)


class TestControl:
    def test_settle_and_complete_work(self, cloud: Cloud, alice: Account, volume_id: str) -> None:
        """`complete` takes one step, `settle` all of them, without moving the clock."""
        cloud.complete(volume_id)
        assert alice.read_volumes()[0].state == "available"
        alice.create_snapshot(volume_id=volume_id)
        before = cloud.now
        cloud.settle()
        assert alice.read_snapshots()[0].state == "completed"
        assert cloud.now == before

    def test_fail_and_fail_next_work(self, cloud: Cloud, alice: Account, api: Gateway, volume_id: str) -> None:
        """A requested failure happens when the reads are counted."""
        cloud.fail_next("volume")
        assert states(api, 2) == ["creating", "error"]
        other = alice.create_volume(subregion_name=SUBREGION, size=1).volume_id
        cloud.fail(other)
        assert {str(row.state) for row in alice.read_volumes()} == {"error"}
        assert volume_id

    def test_advance_moves_timers_only(self, cloud: Cloud, alice: Account, volume_id: str) -> None:
        """However far the clock moves, a transient state stays; a terminated VM expires."""
        vm = alice.create_vms(image_id=cloud.images.official("debian").image_id)[0]
        alice.delete_vms(vm_ids=[vm.vm_id])
        cloud.complete(vm.vm_id)
        cloud.advance(86_400)
        states = {row.volume_id: str(row.state) for row in alice.read_volumes()}
        assert (states.pop(volume_id), *states.values()) == ("creating", "deleting")
        assert alice.read_vms() == ()

    def test_advance_leaves_a_counted_transition_to_the_next_call(
        self, cloud: Cloud, api: Gateway, volume_id: str
    ) -> None:
        """A state whose reads have been counted ends at the start of the next call, not when the clock moves."""
        assert states(api, 1) == ["creating"]
        cloud.advance(60)
        assert str(cloud.timeline(volume_id)[-1]).endswith("created, creating (CreateVolume#1)")
        assert states(api, 1) == ["available"]

    def test_is_part_of_the_state(self, cloud: Cloud, alice: Account, api: Gateway) -> None:
        """A rollback undoes counted reads; a fork and a dump copy them."""
        cloud.durations["volume.creating"] = 2
        alice.create_volume(subregion_name=SUBREGION, size=1)
        with cloud.savepoint():
            assert states(api, 3) == ["creating", "creating", "available"]
        assert states(api, 1) == ["creating"]
        for copy in (cloud.fork(), Cloud.load(cloud.dump())):
            assert states(copy.account("alice").gateway(), 2) == ["creating", "available"]
        assert states(api, 2) == ["creating", "available"]
        laws.check(cloud)
