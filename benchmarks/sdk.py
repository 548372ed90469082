"""What omisim adds to a call of the real SDK.

The *null* client is the same gateway with an adapter that answers with fixed bytes; the *plain* one also has the
defaults of requests, as a user's own gateway. The share of omisim is what a call takes longer than the null client's,
over the plain one's. A gateway of omisim spares some work of requests and of the SDK, so the whole call over the plain
one is less than 1 and this share.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle
from typing import Any

from osc_sdk_python import Gateway
from requests import PreparedRequest, Response, Session
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from benchmarks.goal import Goal, Limit, calibrated, cpu, over, share, typical, work
from benchmarks.processes import printed
from omisim import Account, Cloud

CALLS, ROUNDS, IMAGES = 20, 25, 1000
FIRST_GATEWAY = """
import time
from omisim import Cloud
import osc_sdk_python
alice = Cloud().account("alice")
start = time.process_time()
alice.gateway()
print(time.process_time() - start)
"""
Call = Callable[[Gateway], object]


class Canned(BaseAdapter):
    """Answers every request with the same bytes."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def send(self, request: PreparedRequest, *_args: Any, **_kwargs: Any) -> Response:
        """Answer a request."""
        response = Response()
        response.status_code = 200
        response.headers = CaseInsensitiveDict({"Content-Type": "application/json"})
        vars(response).update(_content=self._body, _content_consumed=True)  # as omisim's own adapter
        response.encoding = "utf-8"
        response.url = request.url or ""
        response.request = request
        return response

    def close(self) -> None:
        """Do nothing."""


def make_gateways(alice: Account, call: Call) -> dict[str, Gateway]:
    """Return a gateway for each side; the canned ones answer with the bytes that a call gets from omisim."""
    gateways = {side: alice.gateway() for side in ("omisim", "null", "plain")}
    bodies: list[bytes] = []
    session = gateways["omisim"].call.session
    session.hooks["response"] = [lambda response, *_args, **_kwargs: bodies.append(response.content)]
    call(gateways["omisim"])
    session.hooks["response"] = []
    gateways["plain"].call.session = Session()  # with the defaults of requests
    for side in ("null", "plain"):
        gateways[side].call.session.mount("https://", Canned(bodies[0]))
    return gateways


def goals() -> Iterator[Goal]:
    """Yield the goals of the SDK."""
    cloud = Cloud()
    alice = cloud.account("alice")
    source = cloud.images.official("ubuntu").image_id
    (vm,) = alice.create_vms(image_id=source)
    volumes = [alice.create_volume(subregion_name="eu-west-2a", size=10).volume_id for _ in range(2000)]
    ids, names = cycle(volumes), count()
    calls: list[tuple[str, float, Call]] = [
        ("ReadVolumes, polling", 0.08, lambda api: api.ReadVolumes(Filters={"VolumeIds": volumes[:1]})),
        ("ReadVolumes, all different", 0.15, lambda api: api.ReadVolumes(Filters={"VolumeIds": [next(ids)]})),
        ("CreateVolume", 0.20, lambda api: api.CreateVolume(SubregionName="eu-west-2a", Size=10)),
        ("ReadVms, polling", 0.12, lambda api: api.ReadVms(Filters={"VmIds": [vm.vm_id]})),
        ("CreateVms", 0.45, lambda api: api.CreateVms(ImageId=source)),
        (
            "CreateImage from a VM", 0.60,
            lambda api: api.CreateImage(VmId=vm.vm_id, ImageName=f"golden-{next(names)}", NoReboot=True),
        ),
    ]  # fmt: skip
    for name, limit, call in calls:
        sides = {side: typical(partial(call, api), CALLS) for side, api in make_gateways(alice, call).items()}
        added = Limit("share of a canned call", share("omisim", "null", "plain"), limit)
        whole = Limit("over a canned call", over("omisim", "plain"), 1 + limit)
        yield Goal(name, sides, (added, whole), rounds=ROUNDS)
    yield from list_images_goals()
    later = {"omisim": cpu(alice.gateway, 20), "workload": cpu(work, 5)}
    yield Goal("Gateway(), each after the first", later, (Limit("ms", calibrated("omisim", 1e3), 5),))
    first = {"omisim": printed(FIRST_GATEWAY), "workload": cpu(work, 5)}
    yield Goal("Gateway(), the first of a process", first, (Limit("ms", calibrated("omisim", 1e3), 150),), rounds=5)


def list_images_goals() -> Iterator[Goal]:
    """Yield the goals of a list of 1,000 OMIs: after a change of each of them, and unchanged."""
    cloud = Cloud()
    alice = cloud.account("alice")
    (vm,) = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)
    create = partial(alice.create_image, vm_id=vm.vm_id, no_reboot=True)
    ids = [create(image_name=f"image-{number}").image_id for number in range(IMAGES)]
    texts = count()

    def read(api: Gateway) -> object:
        return api.ReadImages(Filters={"AccountIds": [alice.account_id]})

    gateways = make_gateways(alice, read)

    def read_changed() -> float:
        for image_id in ids:
            alice.update_image(image_id=image_id, description=str(next(texts)))
        start = time.process_time()
        read(gateways["omisim"])
        return time.process_time() - start

    null = cpu(partial(read, gateways["null"]))
    limits = {"first": (read_changed, 1.5), "polled": (cpu(partial(read, gateways["omisim"])), 1.1)}
    for name, (side, limit) in limits.items():
        sides = {"omisim": side, "null": null}
        ratio = Limit("over canned bytes", over("omisim", "null"), limit)
        yield Goal(f"ReadImages of 1,000, {name}", sides, (ratio,), rounds=9)
