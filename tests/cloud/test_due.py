"""What is due happens first: every public write begins with it, and a look changes nothing.

Time passes between calls by a `SystemClock`, and by a ManualClock that its user advances. Every public name of the
classes here has a row in a table, so that a new one is classified, too.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from freezegun import freeze_time
from support.catalogue import SUBREGION, find_official
from support.reread import reread

from omisim import Account, Cloud, ManualClock, SystemClock
from omisim.cloud.account import Typed
from omisim.cloud.durations import Durations
from omisim.cloud.images import Images
from omisim.cloud.licences import Licences
from omisim.cloud.marketplace import Marketplace, Product
from omisim.engine.engine import Engine
from omisim.engine.failures import make_failure
from omisim.engine.faults import Faults
from omisim.model import Image, Snapshot, Vm, Volume
from omisim.server.cloud_endpoints import CLOUD_ENDPOINTS
from omisim.state.settings import Timing

TIMERS = 60  # which expire one millisecond after another
OVERDUE = 10  # of them, when the method is called
TIMED: tuple[Timing, ...] = ("clock", "eager", "reads")


class PassingClock(ManualClock):
    """A clock that moves by two milliseconds with each look, as a `SystemClock` may."""

    def now(self) -> dt.datetime:
        """Let time pass, and return it."""
        self.advance(0.002)
        return super().now()

    def copy(self) -> PassingClock:
        """Return an independent clock, for a fork."""
        return PassingClock(self.now())


@dataclass
class World:
    """A cloud and resources: `due` has a transition that is due, `slow` one that is not.

    `start` is the time before the first look, `seen` the position of the state after the last call.
    """

    cloud: Cloud
    product: Product
    image: Image
    vm: Vm
    volume: Volume
    due: Volume
    slow: Snapshot
    start: dt.datetime
    seen: int

    @property
    def alice(self) -> Account:
        """The account that owns everything."""
        return self.cloud.account("alice")

    @property
    def engine(self) -> Engine:
        """The cloud's engine."""
        return self.cloud.engine


@cache
def build(timing: Timing) -> tuple[Cloud, Product, Image, Vm, Volume]:
    """Return a cloud with TIMERS terminated VMs, a product, and resources at rest."""
    cloud = Cloud(timing=timing)
    alice = cloud.account("alice", quotas={"vm_limit": 0, "core_limit": 0, "memory_limit": 0})
    cloud.account("bob")
    count = TIMERS + 1
    vm, *others = alice.create_vms(
        image_id=find_official(alice, "RHEL*").image_id, min_vms_count=count, max_vms_count=count
    )
    cloud.settle()
    image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
    volume = alice.create_volume(subregion_name=SUBREGION, size=1)
    cloud.settle()
    product = cloud.marketplace.publish(alice, image.image_id, "subscription", ("eu-west-2",))
    cloud.marketplace.subscribe(product, cloud.account("bob"))
    cloud.write(volume.volume_id, "/a", "b")
    with cloud.engine.transaction("test") as tx:
        tx.write("name", "first", volume.volume_id)
    for other in others:
        alice.delete_vms(vm_ids=[other.vm_id])
        if timing == "reads":
            cloud.settle()
    cloud.settle()
    return cloud, product, image, vm, volume


def enter(timing: Timing) -> World:
    """Return a fork of the world, in which a volume and some timers have become due since the last call."""
    built, product, image, vm, volume = build(timing)
    cloud = built.fork()
    cloud.durations["snapshot.in-queue"] = 10**6
    alice = cloud.account("alice")
    due = alice.create_volume(subregion_name=SUBREGION, size=1)
    slow = alice.create_snapshot(volume_id=volume.volume_id)
    start = sorted(row.at for row in cloud.engine.state.rows("due").values() if row.timer)[OVERDUE]
    cloud.engine.clock = PassingClock(start)
    return World(cloud, product, image, vm, volume, due, slow, start, cloud.engine.state.position)


Use = Callable[[World], object]


def set_default_region(world: World) -> None:
    """Set the property."""
    world.cloud.default_region = "us-east-2"


def delete_duration(world: World) -> None:
    """Remove an override."""
    del world.cloud.durations["snapshot.in-queue"]


def create_bucket(world: World) -> None:
    """Create a bucket through object storage."""
    world.alice.client("oos").create_bucket(Bucket="new")


def write_in_transaction(world: World) -> None:
    """Write as a tool does."""
    with world.engine.transaction("test") as tx:
        tx.write("name", "new", world.volume.volume_id)


# the writes, and acts of the outside world: each begins with what is due
WRITES: Mapping[str, Use] = {
    "Cloud.default_region": set_default_region,
    "Cloud.account": lambda w: w.cloud.account("carol"),
    "Cloud.allow_account_creation": lambda w: w.cloud.allow_account_creation("alice"),
    "Cloud.set_access_key": lambda w: w.cloud.set_access_key("alice", "C" * 20, "D" * 40),
    "Cloud.adopt": lambda w: w.cloud.adopt("ami-12345678"),
    "Cloud.allow_unknown_images": lambda w: w.cloud.allow_unknown_images(),
    "Cloud.set_capacity": lambda w: w.cloud.set_capacity(SUBREGION, 1000),
    "Cloud.retire": lambda w: w.cloud.retire(w.image.image_id),
    "Cloud.advance": lambda w: w.cloud.advance(0.001),
    "Cloud.settle": lambda w: w.cloud.settle(),
    "Cloud.complete": lambda w: w.cloud.complete(w.due.volume_id),
    "Cloud.fail": lambda w: w.cloud.fail(w.slow.snapshot_id),
    "Cloud.fail_next": lambda w: w.cloud.fail_next("volume"),
    "Cloud.write": lambda w: w.cloud.write(w.volume.volume_id, "/a", "b"),
    "Cloud.write_console": lambda w: w.cloud.write_console(w.vm.vm_id, "a"),
    "Cloud.answer": lambda w: w.cloud.answer("CreateLoadBalancer", {}),
    "Images.renew": lambda w: w.cloud.images.renew("debian"),
    "Marketplace.publish": lambda w: w.cloud.marketplace.publish(w.alice, w.image.image_id),
    "Marketplace.subscribe": lambda w: w.cloud.marketplace.subscribe(w.product, w.alice),
    "Marketplace.activate": lambda w: w.cloud.marketplace.activate(w.product, w.cloud.account("bob")),
    "Marketplace.new_version": lambda w: w.cloud.marketplace.new_version(w.product, w.image.image_id),
    "Marketplace.unpublish": lambda w: w.cloud.marketplace.unpublish(w.product),
    "Licences.set": lambda w: w.cloud.licences.set("0002", export=False),
    "Durations.__setitem__": lambda w: w.cloud.durations.update({"vm.pending": 7}),
    "Durations.__delitem__": delete_duration,
    "Account.call": lambda w: w.alice.call("CreateVolume", SubregionName=SUBREGION, Size=1),
    "Account.create_volume": lambda w: w.alice.create_volume(subregion_name=SUBREGION, size=1),
    "Account.read_volumes": lambda w: w.alice.read_volumes(),
    "Account.client": create_bucket,
    "Engine.change_settings": lambda w: w.engine.change_settings(auth="off"),
    "Engine.change_timing": lambda w: w.engine.change_timing("manual"),
    "Engine.set_switch": lambda w: w.engine.set_switch("snapshot_cut", "completion"),
    "Engine.transaction": write_in_transaction,
}
# the parameters of the endpoints of the control plane that write
ENDPOINTS: Mapping[str, Callable[[World], Mapping[str, Any]]] = {
    "advance": lambda _: {"seconds": 0.001},
    "settle": lambda _: {},
    "complete": lambda w: {"id": w.due.volume_id},
    "fail": lambda w: {"id": w.slow.snapshot_id},
    "fail_next": lambda _: {"kind": "volume"},
    "write": lambda w: {"volume_id": w.volume.volume_id, "path": "/a", "text": "b"},
    "console": lambda w: {"vm_id": w.vm.vm_id, "text": "b"},
    "licences": lambda _: {"code": "0002", "export": False},
    "renew": lambda _: {"family": "debian"},
}
# the looks: each shows the cloud as the last call has left it, or what a call would find now, and changes nothing
LOOKS: Mapping[str, Use] = {
    "Cloud.engine": lambda w: w.cloud.engine,
    "Cloud.images": lambda w: w.cloud.images,
    "Cloud.marketplace": lambda w: w.cloud.marketplace,
    "Cloud.licences": lambda w: w.cloud.licences,
    "Cloud.timing": lambda w: w.cloud.timing,
    "Cloud.now": lambda w: w.cloud.now,
    "Cloud.durations": lambda w: dict(w.cloud.durations),
    "Cloud.faults": lambda w: list(w.cloud.faults),
    "Cloud.read": lambda w: w.cloud.read(w.volume.volume_id, "/a"),
    "Cloud.accounts": lambda w: w.cloud.accounts,
    "Cloud.calls": lambda w: w.cloud.calls(),
    "Cloud.warnings": lambda w: w.cloud.warnings,
    "Cloud.events": lambda w: w.cloud.events,
    "Cloud.timeline": lambda w: w.cloud.timeline(w.due.volume_id),
    "Cloud.lineage": lambda w: w.cloud.lineage(w.image.image_id),
    "Cloud.diff": lambda w: w.cloud.diff(build("clock")[0]),
    "Cloud.who_can": lambda w: w.cloud.who_can(w.image.image_id),
    "Cloud.named": lambda w: w.cloud.named("first"),
    "Cloud.mark": lambda w: w.cloud.mark(),
    "Cloud.fork": lambda w: w.cloud.fork(),
    "Cloud.dump": lambda w: w.cloud.dump(),
    "Images.official": lambda w: w.cloud.images.official("debian"),
    "Images.all": lambda w: w.cloud.images.all(),
    "Licences.all": lambda w: w.cloud.licences.all(),
    "Durations.copy": lambda w: w.cloud.durations.copy(),
    "Account.email": lambda w: w.alice.email,
    "Account.why_not": lambda w: w.alice.why_not("DeleteVolume", VolumeId=w.due.volume_id),
    "Account.can": lambda w: w.alice.can("DeleteVolume", VolumeId=w.due.volume_id),
    "Engine.save": lambda w: w.engine.save(),
    "Engine.describe": lambda w: w.engine.describe(),
    "Engine.kept_changes": lambda w: w.engine.kept_changes(),
    "Engine.kept_calls": lambda w: w.engine.kept_calls(),
    "Engine.check_mark": lambda w: w.engine.check_mark(w.engine.mark()),
}
# neither: they replace the state, make another cloud, open something, or concern the session alone
OTHERS = {
    "Cloud": "report rollback savepoint reset become load from_scenario intercept sleeping serve",
    "Account": "gateway environment",
    "Faults": "add clear",
    # `begin`, `run` and `atomic` leave it to the caller
    "Engine": (
        "after_fork next_request_id begin run atomic keep_in become mark rollback fork restore reset dump load "
        "observer clock history lock marks session settings state"
    ),
}


@pytest.mark.parametrize("owner", [Cloud, Account, Images, Marketplace, Licences, Durations, Faults, Engine])
def test_every_public_name_is_classified(owner: type) -> None:
    """A public method or property stands in one of the tables. The typed methods of an account are calls."""
    names = {name for name in vars(owner) if name in ("__setitem__", "__delitem__") or not name.startswith("_")}
    calls = {name for name in names if isinstance(vars(owner)[name], Typed)}
    rows = [name.partition(".") for name in (*WRITES, *LOOKS)]
    classified = {name for kind, _, name in rows if kind == owner.__name__} - calls
    assert names - calls == classified | set(OTHERS.get(owner.__name__, "").split())


def assert_due_came_first(world: World) -> None:
    """What was due has happened, and with the next call, the history is in order of time."""
    assert world.engine.state.next_due(world.start) is None
    world.alice.read_volumes()
    times = [change.at for change in world.engine.state.journal]
    assert times == sorted(times)


@pytest.mark.parametrize("timing", TIMED)
@pytest.mark.parametrize("name", WRITES)
def test_a_write_begins_with_what_is_due(name: str, timing: Timing) -> None:
    """Whatever has become due before a write, or becomes due while it runs, is in the history in order of time."""
    if timing == "eager" and name in ("Cloud.complete", "Cloud.fail"):
        pytest.skip("nothing is in progress between calls")
    world = enter(timing)
    WRITES[name](world)
    assert_due_came_first(world)


@pytest.mark.parametrize("name", [name for method, name in CLOUD_ENDPOINTS if method == "POST" and name != "faults"])
def test_an_endpoint_that_writes_begins_with_what_is_due(name: str) -> None:
    """An endpoint of the control plane does as its method does."""
    world = enter("clock")
    CLOUD_ENDPOINTS["POST", name](world.cloud, ENDPOINTS[name](world))
    assert_due_came_first(world)


@pytest.mark.parametrize("timing", TIMED)
@pytest.mark.parametrize("name", LOOKS)
def test_a_look_changes_nothing(name: str, timing: Timing) -> None:
    """A look applies no transition that is due, records no call, and uses up no failure."""
    world = enter(timing)
    world.engine.session.failures = failures = (make_failure("volume", None, ""),)
    state, session = world.engine.state, world.engine.session
    calls = len(session.calls)
    LOOKS[name](world)
    assert world.engine.state is state
    assert world.engine.session is session
    assert state.position == world.seen
    assert (len(session.calls), session.failures) == (calls, failures)


@pytest.fixture(name="volume")
def _volume(slow: Cloud) -> Volume:
    """A volume in creation, whose time has passed since."""
    volume = slow.account("alice").create_volume(subregion_name=SUBREGION, size=1)
    slow.engine.clock.advance(60)
    return volume


@pytest.fixture(name="slow")
def _slow() -> Cloud:
    return Cloud(timing="clock")


class TestCompleting:
    def test_lets_what_is_due_happen_at_its_own_time(self, slow: Cloud, volume: Volume) -> None:
        """A volume that has become available meanwhile is complete: no error, and nothing more."""
        slow.complete(volume.volume_id)
        assert str(slow.events[-1].after.state) == "available"
        assert slow.now - slow.events[-1].at >= dt.timedelta(seconds=50)

    def test_is_one_step_from_what_the_last_call_showed(self, slow: Cloud, volume: Volume) -> None:
        """The transition that was due is the one: the state that it leads to is not ended, too. [ST-SNP-1]"""
        alice = slow.account("alice")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.durations["snapshot.pending"] = 3600
        slow.engine.clock.advance(60)
        slow.complete(snapshot.snapshot_id)
        assert reread(alice, snapshot).state == "pending"

    def test_of_an_omi_may_come_after_its_snapshots(self, slow: Cloud) -> None:
        """An OMI whose snapshots have ended meanwhile is complete."""
        alice = slow.account("alice")
        (vm,) = alice.create_vms(image_id=find_official(alice, "RHEL*").image_id)
        slow.settle()
        image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        slow.engine.clock.advance(3600)
        slow.complete(image.image_id)
        assert reread(alice, image).state == "available"

    def test_is_refused_after_a_requested_failure(self, slow: Cloud) -> None:
        """What has failed meanwhile, because the test asked for it, cannot be completed."""
        slow.fail_next("volume")
        volume = slow.account("alice").create_volume(subregion_name=SUBREGION, size=1)
        slow.engine.clock.advance(60)
        with pytest.raises(ValueError, match="the volume is error; no transition is in progress"):
            slow.complete(volume.volume_id)


class TestFailing:
    def test_is_refused_for_what_has_become_available(self, slow: Cloud, volume: Volume) -> None:
        """A volume that a read would show as available cannot fail any more."""
        with pytest.raises(ValueError, match="the volume is available; can fail:"):
            slow.fail(volume.volume_id)

    def test_by_request_spares_what_is_due(self, slow: Cloud, volume: Volume) -> None:
        """`fail_next` after the time of a transition hits the next one of the kind. [ST-SNP-6]"""
        alice = slow.account("alice")
        slow.fail_next("volume")
        assert reread(alice, volume).state == "available"
        second = alice.create_volume(subregion_name=SUBREGION, size=1)
        slow.settle()
        assert reread(alice, second).state == "error"


class TestSettings:
    def test_apply_from_now_on(self, slow: Cloud, volume: Volume) -> None:
        """A state that has begun by the clock before its duration was set has the former duration."""
        alice = slow.account("alice")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.engine.clock.advance(60)
        slow.durations["snapshot.pending"] = 3600
        assert reread(alice, snapshot).state == "completed"

    def test_of_the_timing_leave_what_is_due_to_the_former_one(self, slow: Cloud, volume: Volume) -> None:
        """Every state that has ended by the clock has ended before the timing `manual` begins."""
        alice = slow.account("alice")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.engine.clock.advance(60)
        slow.engine.change_timing("manual")
        assert reread(alice, snapshot).state == "completed"


class TestTime:
    def test_may_pass_while_a_cloud_settles(self, slow: Cloud) -> None:
        """`settle` works if a transition falls due between two looks at the clock."""
        alice = slow.account("alice")
        for _ in range(20):
            alice.create_volume(subregion_name=SUBREGION, size=1)
            slow.engine.clock.advance(0.002)
        slow.engine.clock = PassingClock(slow.now)
        slow.settle()
        assert {volume.state for volume in alice.read_volumes()} == {"available"}

    def test_may_be_moved_within_a_call(self, slow: Cloud, volume: Volume) -> None:
        """The `meanwhile` of a fault may move the test's own clock: what becomes due comes before the call."""
        alice = slow.account("alice")
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.faults.add("CreateTags", meanwhile=lambda: slow.engine.clock.advance(60))
        alice.create_tags(resource_ids=[snapshot.snapshot_id], tags=[{"key": "a", "value": "b"}])
        reread(alice, snapshot)
        times = [change.at for change in slow.engine.state.journal]
        assert times == sorted(times)

    def test_that_has_passed_stays_after_a_rollback(self) -> None:
        """By a `SystemClock`, a transition that a rollback undoes happens again, at the same time."""
        with freeze_time("2031-03-03") as frozen:
            cloud = Cloud(clock=SystemClock(), timing="clock")
            alice = cloud.account("alice")
            volume = alice.create_volume(subregion_name=SUBREGION, size=1)
            mark = cloud.mark()
            frozen.tick(60)
            assert reread(alice, volume).state == "available"
            before = cloud.events
            cloud.rollback(mark)
            assert reread(alice, volume).state == "available"
            assert cloud.events == before


def test_who_can_answers_for_a_call_made_now(slow: Cloud) -> None:
    """An OMI that has become available since the last call may be launched: the rights and their rules agree."""
    alice = slow.account("alice")
    (vm,) = alice.create_vms(image_id=find_official(alice, "RHEL*").image_id)
    slow.settle()
    image = alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
    assert "launch" not in slow.who_can(image.image_id)["alice"]
    slow.engine.clock.advance(3600)
    assert "launch" in slow.who_can(image.image_id)["alice"]
