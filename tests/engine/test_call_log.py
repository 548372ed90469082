"""The call log keeps the parameters of a request, whatever the caller does with them later."""

from __future__ import annotations

import datetime as dt
import gc
import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from omisim import Account, ApiError, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.engine import engine
from omisim.model import Vm

Call = Callable[[Account, list[str]], Any]
DOORS: dict[str, Call] = {
    "call": lambda account, ids: account.call("StopVms", VmIds=ids),
    "typed method": lambda account, ids: account.stop_vms(vm_ids=ids),
    "SDK": lambda account, ids: account.gateway().StopVms(VmIds=ids),
}


class TestParameters:
    @pytest.mark.parametrize("door", DOORS)
    def test_of_a_recorded_call_are_a_copy(self, cloud: Cloud, alice: Account, vm: Vm, door: str) -> None:
        """A list that the caller empties after its call is still whole in the call log."""
        ids = [vm.vm_id]
        DOORS[door](alice, ids)
        ids.clear()
        assert cloud.calls("StopVms")[0].parameters == {"VmIds": [vm.vm_id]}

    @pytest.mark.parametrize("door", DOORS)
    def test_of_a_refused_call_are_a_copy(self, cloud: Cloud, alice: Account, door: str) -> None:
        """A list that the caller empties after a refused call is still whole in the call log."""
        ids = ["i-00000000"]
        with pytest.raises(Exception, match="5063"):
            DOORS[door](alice, ids)
        ids.clear()
        assert cloud.calls("StopVms")[0].parameters == {"VmIds": ["i-00000000"]}

    def test_may_be_changed_by_who_reads_them(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """Changing what `parameters` returns changes nothing in the call log."""
        alice.stop_vms(vm_ids=[vm.vm_id])
        cloud.calls("StopVms")[0].parameters["VmIds"].clear()
        assert cloud.calls("StopVms")[0].parameters == {"VmIds": [vm.vm_id]}

    def test_that_a_fault_waits_for_are_a_copy(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """A fault matches what it was given, whatever becomes of the list since. [THR-001]"""
        ids = [vm.vm_id]
        cloud.faults.add("StopVms", when={"VmIds": ids}, status=503)
        ids.clear()
        with pytest.raises(Exception, match="503"):
            alice.stop_vms(vm_ids=[vm.vm_id])

    def test_have_the_names_of_the_api_whatever_the_door(self, cloud: Cloud, alice: Account) -> None:
        """A typed call is logged as the API's JSON would have carried it, nested objects too."""
        alice.read_vms(filters={"vm_ids": ["i-00000000"]})
        assert cloud.calls("ReadVms").one().parameters == {"Filters": {"VmIds": ["i-00000000"]}}

    def test_of_an_unknown_name_are_spelled_as_they_were_sent(self, cloud: Cloud, alice: Account) -> None:
        """An unknown parameter keeps the caller's spelling in the refusal and in the call log. [REQ-008]"""
        with pytest.raises(Exception, match="vm_ids is not a parameter of this action"):
            alice.call("StopVms", vm_ids=["i-00000000"])
        assert cloud.calls("StopVms")[0].parameters == {"vm_ids": ["i-00000000"]}

    @pytest.mark.parametrize("value", [b"i-1", {"i-1"}, dt.timedelta(1), Cloud], ids=repr)
    def test_of_a_type_that_json_lacks_are_shown_by_their_repr(
        self, cloud: Cloud, alice: Account, value: object
    ) -> None:
        """The API refuses bytes, a set or another object; the call log shows it, so that every report can. [REQ-009]"""
        with pytest.raises(ApiError, match="must be a string, not"):
            alice.call("StopVms", VmIds=[value])
        assert cloud.calls("StopVms")[0].parameters == {"VmIds": [repr(value)]}


class TestSize:
    @staticmethod
    def send(cloud: Cloud, number: int, size: int = 3 * 2**19) -> None:
        """Send a request with a large body."""
        body = json.dumps({"Filters": {"VolumeIds": [f"{number}{'x' * size}"]}}).encode()
        request = HttpRequest("POST", "api.eu-west-2.outscale.com", "/api/v1/ReadVolumes", {}, body)
        assert FrontDoor(cloud.engine).handle("api", request, dt.datetime.now(dt.UTC)).status == 200

    @pytest.fixture(name="open_cloud")
    def _open_cloud(self, monkeypatch: pytest.MonkeyPatch) -> Cloud:
        monkeypatch.setattr(engine, "MAX_SENT", 2**22)  # in place of 16 MiB
        cloud = Cloud(auth="off")
        cloud.account("alice")
        return cloud

    def test_of_all_requests_is_limited(self, open_cloud: Cloud) -> None:
        """The oldest calls are dropped when the requests in the log have more bytes than the limit."""
        for number in range(5):
            self.send(open_cloud, number)
        kept = [call.parameters["Filters"]["VolumeIds"][0][0] for call in open_cloud.calls()]
        assert kept == ["3", "4"]

    def test_of_a_single_request_may_be_larger(self, open_cloud: Cloud) -> None:
        """The last call is always in the log."""
        self.send(open_cloud, 1, 2**22 - 1000)
        self.send(open_cloud, 2, 2**22 - 1000)
        assert len(open_cloud.calls()) == 1

    def test_drops_no_call_since_a_mark(self, open_cloud: Cloud) -> None:
        """Calls after a live mark stay in the log, whatever their size."""
        self.send(open_cloud, 0)
        mark = open_cloud.mark()
        for number in range(1, 5):
            self.send(open_cloud, number)
        assert len(open_cloud.calls(since=mark)) == 4
        assert len(open_cloud.calls()) == 4

    def test_of_small_requests_drops_none(self, open_cloud: Cloud) -> None:
        """A thousand calls of usual clients are far below the limit."""
        for number in range(1000):
            self.send(open_cloud, number, 100)
        assert len(open_cloud.calls()) == 1000

    def test_of_requests_to_object_storage_counts_no_object(self, open_cloud: Cloud) -> None:
        """An upload drops no call: the log does not keep its object."""
        self.send(open_cloud, 0)
        storage = open_cloud.account("alice").client("oos")
        storage.create_bucket(Bucket="bucket")
        for _ in range(3):
            storage.put_object(Bucket="bucket", Key="key", Body=bytes(6 * 2**20))
        assert len(open_cloud.calls("ReadVolumes")) == 1


class TestCaches:
    @pytest.mark.parametrize(
        ("service", "path", "body"),
        [
            ("api", "/api/v1/ReadVms", '{"NAME": 1}'),
            ("api", "/api/v1/CreateVms", '{"ImageId": "IMAGE", "VmType": "NAME"}'),
            ("api", "/api/v1/CreateSnapshot", '{"FileLocation": "https://NAME/x", "SnapshotSize": 1}'),
            ("fcu", "/", "Action=NAME"),
        ],
    )
    def test_keep_no_long_names(self, service: str, path: str, body: str) -> None:
        """A name of a megabyte in a refused request is not kept in memory once its call has left the log."""
        cloud = Cloud(auth="off", history=1)
        cloud.account("alice")
        body = body.replace("IMAGE", cloud.images.official("debian").image_id)
        front, sizes = FrontDoor(cloud.engine), []
        tracemalloc.start()
        try:
            for number in range(30):
                content = body.replace("NAME", f"{number}{'x' * 2**20}").encode()
                front.handle(service, HttpRequest("POST", "localhost", path, {}, content), dt.datetime.now(dt.UTC))
                if number in (9, 29):
                    gc.collect()  # takes up to a second in the process of a whole suite
                    sizes.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
        before, after = sizes
        assert after - before < 10 * 2**20


class TestRefusal:
    @pytest.mark.parametrize("door", DOORS)
    def test_keeps_no_frames(self, cloud: Cloud, alice: Account, door: str) -> None:
        """The log keeps a refusal without its traceback, which would keep every value of the call in memory."""
        with pytest.raises(Exception, match=r"i-12345678|code = 5063") as refusal:
            DOORS[door](alice, ["i-12345678"])
        assert refusal.value.__traceback__ is not None
        (call,) = cloud.calls("StopVms")
        assert call.error is not None
        assert (call.error.__traceback__, call.error.__context__, call.error.__cause__) == (None, None, None)
        assert call.error.facts["vm_id"] == "i-12345678"
        assert call.error.request_id == call.request_id
