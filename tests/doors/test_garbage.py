"""What a request needed is freed with its answer, and does not wait for the garbage collector."""

from __future__ import annotations

import datetime as dt
import gc
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from weakref import ref

import pytest

from omisim import Account, ApiError, Cloud
from omisim.doors.front import FrontDoor
from omisim.doors.http import HttpRequest
from omisim.engine.faults import Dropped, Killed
from omisim.state.state import State

VOLUME = "vol-12345678"


def send(cloud: Cloud, service: str, method: str, path: str, body: str = "") -> None:
    """Send a request to a service, without a signature."""
    request = HttpRequest(method, f"{service}.eu-west-2.outscale.com", path, {}, body.encode())
    FrontDoor(cloud.engine).handle(service, request, dt.datetime.now(dt.UTC))


def call_oapi(action: str, **parameters: object) -> Callable[[Cloud], None]:
    """Return a function that sends a call of the OUTSCALE API to a cloud."""
    return lambda cloud: send(cloud, "api", "POST", f"/api/v1/{action}", json.dumps(parameters))


def call_fcu(query: str) -> Callable[[Cloud], None]:
    """Return a function that sends a call of FCU to a cloud."""
    return lambda cloud: send(cloud, "fcu", "POST", "/", query)


def call_typed(action: Callable[[Account], object]) -> Callable[[Cloud], None]:
    """Return a function that makes a typed call which is refused."""

    def call(cloud: Cloud) -> None:
        with suppress(ApiError):
            action(cloud.account("alice"))

    return call


REFUSED: dict[str, Callable[[Cloud], object]] = {
    "typed": call_typed(lambda alice: alice.delete_volume(volume_id=VOLUME)),
    "typed value": call_typed(lambda alice: alice.create_volume(subregion_name="eu-west-2a", size=0)),
    "call": call_typed(lambda alice: alice.call("DeleteVolume", VolumeId=VOLUME)),
    "why_not": lambda cloud: cloud.account("alice").why_not("DeleteVolume", VolumeId=VOLUME),
    "unknown id": call_oapi("DeleteVolume", VolumeId=VOLUME),
    "value": call_oapi("CreateVolume", SubregionName="eu-west-2a", Size=0),
    "unknown parameter": call_oapi("CreateVolume", Sise=1),
    "unknown action": call_oapi("CreateVolumes"),
    "read that is not served": call_oapi("ReadLoadBalancers", Foo=1),
    "fcu": call_fcu(f"Action=DeleteVolume&VolumeId={VOLUME}&Version=2016-11-15"),
    "fcu unknown action": call_fcu("Action=DeleteVolumes&Version=2016-11-15"),
    "fcu malformed": call_fcu("Action=DescribeVolumes&Filter.x.Name=a&Version=2016-11-15"),
    "object storage": lambda cloud: send(cloud, "oos", "GET", "/bucket/key"),
}
# what a client sends, for the fault of an operation
HIT: dict[str, tuple[str, Callable[[Cloud], object]]] = {
    "typed": ("ReadVolumes", lambda cloud: cloud.account("alice").read_volumes()),
    "oapi": ("ReadVolumes", call_oapi("ReadVolumes")),
    "fcu": ("ReadVolumes", call_fcu("Action=DescribeVolumes&Version=2016-11-15")),
    "object storage": ("ListBuckets", lambda cloud: send(cloud, "oos", "GET", "/")),
}


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Turn the garbage collector off."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector", "unrecorded")
@pytest.mark.parametrize("refused", REFUSED)
def test_a_refused_call_keeps_no_state_alive(refused: str) -> None:
    """After the reset of a cloud that has refused a call, its earlier state is freed at once."""
    cloud = Cloud(auth="off")
    cloud.account("alice")
    REFUSED[refused](cloud)
    state: ref[State] = ref(cloud.engine.state)
    cloud.reset()
    assert state() is None


@pytest.mark.usefixtures("without_collector", "unrecorded")
@pytest.mark.parametrize("client", HIT)
@pytest.mark.parametrize("fault", ["drop", "kill"])
def test_an_injected_failure_is_freed_with_its_exception(client: str, fault: str) -> None:
    """The exception of a fault is freed as soon as the client has handled it."""
    cloud = Cloud(auth="off")
    cloud.account("alice")
    action, call = HIT[client]
    cloud.faults.add(action, **{fault: True})  # type: ignore[arg-type]  # a keyword by its name
    try:
        call(cloud)
    except (Dropped, Killed) as failure:
        exception = ref(failure)
    assert exception() is None


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/bucket"), ("PUT", "/bucket/key"), ("GET", "/bucket/key"), ("GET", "/bucket")]
)
def test_a_request_to_object_storage_leaves_nothing_to_the_collector(method: str, path: str) -> None:
    """Moto's objects of a request are freed with its answer."""
    cloud = Cloud(auth="off")
    cloud.account("alice")
    for created in ("/bucket", "/bucket/key"):
        send(cloud, "oos", "PUT", created)
    send(cloud, "oos", method, path)
    assert 0 in (count_garbage(cloud, method, path) for _ in range(5))


def count_garbage(cloud: Cloud, method: str, path: str) -> int:
    """Return the number of objects in cycles after a request. Another thread of the process may have left some."""
    gc.collect()
    send(cloud, "oos", method, path)
    return gc.collect()
