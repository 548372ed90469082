"""The legality tables, cell by cell: each action in each state is allowed, refused with its code, or unreachable."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, get_type_hints

import pytest
from support.expect import expect_refusal
from support.storing import TARGET, create_bucket

from omisim import Account, Cloud
from omisim.model import ENTITIES, Entity, GroupHold
from omisim.spec.cell_rules import list_cell_rules
from omisim.spec.diagrams import render_mermaid, render_text
from omisim.spec.errors import ERRORS
from omisim.spec.lifecycle import LIFECYCLES

SUBREGION = "eu-west-2a"


class Bench:
    """A cloud in which nothing moves unless it is completed, and ways to bring a resource into each state."""

    def __init__(self) -> None:
        self.cloud = Cloud(timing="manual")
        self.alice: Account = self.cloud.account("alice")
        self.ubuntu = self.cloud.images.official("ubuntu").image_id
        net_id = self.alice.create_net(ip_range="10.0.0.0/16").net_id
        self.subnet = self.alice.create_subnet(ip_range="10.0.0.0/24", net_id=net_id).subnet_id
        service = self.alice.create_internet_service()
        self.alice.link_internet_service(internet_service_id=service.internet_service_id, net_id=net_id)

    def vm(self, state: str) -> str:
        """Return a VM in a state. It is in a Net, so that anything can be linked to it."""
        vm_id = self.alice.create_vms(image_id=self.ubuntu, subnet_id=self.subnet)[0].vm_id
        if state == "pending":
            return vm_id
        self.cloud.complete(vm_id)
        if state in ("stopping", "stopped", "restarting"):
            self.alice.stop_vms(vm_ids=[vm_id])
        if state in ("stopped", "restarting"):
            self.cloud.complete(vm_id)
        if state == "restarting":
            self.alice.start_vms(vm_ids=[vm_id])
        if state in ("shutting-down", "terminated"):
            self.alice.delete_vms(vm_ids=[vm_id])
        if state == "terminated":
            self.cloud.complete(vm_id)
        return vm_id

    def volume(self, state: str) -> str:
        """Return a volume in a state."""
        volume_id = self.alice.create_volume(subregion_name=SUBREGION, size=10).volume_id
        if state == "error":
            self.cloud.fail(volume_id)
        elif state != "creating":
            self.cloud.complete(volume_id)
        if state == "in-use":
            self.alice.link_volume(device_name="/dev/sdc", vm_id=self.vm("stopped"), volume_id=volume_id)
            self.cloud.complete(volume_id)
        if state == "deleting":
            self.alice.delete_volume(volume_id=volume_id)
        return volume_id

    def volume_link(self, state: str) -> str:
        """Return the volume of a link in a state."""
        volume_id = self.volume("available")
        self.alice.link_volume(device_name="/dev/sdc", vm_id=self.vm("stopped"), volume_id=volume_id)
        if state != "attaching":
            self.cloud.complete(volume_id)
        if state == "detaching":
            self.alice.unlink_volume(volume_id=volume_id)
        return volume_id

    def snapshot(self, state: str) -> str:
        """Return a snapshot in a state."""
        snapshot_id = self.alice.create_snapshot(volume_id=self.volume("available")).snapshot_id
        if state == "error":
            self.cloud.fail(snapshot_id)
        elif state != "in-queue":
            self.cloud.complete(snapshot_id)
        if state in ("completed", "deleting"):
            self.cloud.complete(snapshot_id)
        if state == "deleting":
            self.alice.delete_snapshot(snapshot_id=snapshot_id)
        return snapshot_id

    def image(self, state: str) -> str:
        """Return an OMI in a state."""
        image_id = self.alice.create_image(vm_id=self.vm("stopped"), image_name="golden").image_id
        if state == "available":
            self.cloud.complete(image_id)
        if state == "failed":
            self.cloud.fail(image_id)
        return image_id

    def image_export(self, state: str) -> str:
        """Return an export of an OMI in a state."""
        target = {"disk_image_format": "raw", "osu_bucket": self.create_bucket()}
        task_id = self.alice.create_image_export_task(image_id=self.image("available"), osu_export=target).task_id
        return self.end_task(task_id, state, ["pending/queued", "pending", "completed"])

    def snapshot_export(self, state: str) -> str:
        """Return an export of a snapshot in a state."""
        self.cloud.engine.set_switch("spec_version", "1.40" if state == "active" else "1.42")
        target = {"disk_image_format": "raw", "osu_bucket": self.create_bucket()}
        snapshot_id = self.snapshot("completed")
        task_id = self.alice.create_snapshot_export_task(snapshot_id=snapshot_id, osu_export=target).task_id
        path = ["pending", "initializing", "preparing", "uploading", "completed"]
        return self.end_task(task_id, state, ["pending", "active"] if state == "active" else path)

    def end_task(self, task_id: str, state: str, path: list[str]) -> str:
        """Bring an export into a state: along its path, or off it."""
        for _ in range(path.index(state) if state in path else 0):
            self.cloud.complete(task_id)
        if state == "cancelled":
            self.alice.delete_export_task(export_task_id=task_id)
        if state == "failed":
            self.cloud.fail(task_id)
        return task_id

    def nic(self) -> str:
        """Return a NIC that no VM has."""
        return self.alice.create_nic(subnet_id=self.subnet).nic_id

    def create_bucket(self) -> str:
        """Return the name of a bucket of alice's."""
        create_bucket(self.alice, "exports")
        return "exports"

    def access_key(self, state: str) -> str:
        """Return an access key in a state."""
        key_id = self.alice.create_access_key().access_key_id
        self.alice.update_access_key(access_key_id=key_id, state=state)
        return key_id


CALLS: dict[tuple[str, str], Callable[[Bench, str], dict[str, Any]]] = {
    ("vm", "StartVms"): lambda _, vm: {"VmIds": [vm]},
    ("vm", "StopVms"): lambda _, vm: {"VmIds": [vm]},
    ("vm", "RebootVms"): lambda _, vm: {"VmIds": [vm]},
    ("vm", "UpdateVm"): lambda _, vm: {"VmId": vm, "DeletionProtection": False},
    ("vm", "UpdateVm (stopped only)"): lambda _, vm: {"VmId": vm, "VmType": "t2.micro"},
    ("vm", "CreateImage"): lambda _, vm: {"VmId": vm, "ImageName": "new"},
    ("vm", "LinkVolume"): lambda b, vm: {"DeviceName": "/dev/sdd", "VmId": vm, "VolumeId": b.volume("available")},
    ("vm", "LinkNic"): lambda b, vm: {"DeviceNumber": 1, "NicId": b.nic(), "VmId": vm},
    ("vm", "LinkPublicIp"): lambda b, vm: {"PublicIpId": b.alice.create_public_ip().public_ip_id, "VmId": vm},
    ("volume", "CreateSnapshot"): lambda _, volume: {"VolumeId": volume},
    ("volume", "LinkVolume"): lambda b, v: {"DeviceName": "/dev/sdd", "VmId": b.vm("running"), "VolumeId": v},
    ("volume", "UnlinkVolume"): lambda _, volume: {"VolumeId": volume},
    ("volume", "DeleteVolume"): lambda _, volume: {"VolumeId": volume},
    ("volume", "UpdateVolume"): lambda _, volume: {"VolumeId": volume, "Size": 11},
    ("volume_link", "UnlinkVolume"): lambda _, volume: {"VolumeId": volume},
    ("snapshot", "CreateVolume"): lambda _, snapshot: {"SubregionName": SUBREGION, "SnapshotId": snapshot},
    ("snapshot", "CreateVms"): lambda b, snapshot: {
        "ImageId": b.ubuntu,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sdb", "Bsu": {"SnapshotId": snapshot}}],
    },
    ("snapshot", "CreateImage"): lambda _, snapshot: {
        "ImageName": "new",
        "RootDeviceName": "/dev/sda1",
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Bsu": {"SnapshotId": snapshot}}],
    },
    ("snapshot", "CreateSnapshot"): lambda _, snapshot: {"SourceSnapshotId": snapshot, "SourceRegionName": "eu-west-2"},
    ("snapshot", "DeleteSnapshot"): lambda _, snapshot: {"SnapshotId": snapshot},
    ("snapshot", "CreateSnapshotExportTask"): lambda _, snapshot: {"SnapshotId": snapshot, "OsuExport": TARGET},
    ("image", "CreateImageExportTask"): lambda _, image: {"ImageId": image, "OsuExport": TARGET},
    ("image_export", "DeleteExportTask"): lambda _, task: {"ExportTaskId": task},
    ("snapshot_export", "DeleteExportTask"): lambda _, task: {"ExportTaskId": task},
    ("access_key", "UpdateAccessKey"): lambda _, key: {"AccessKeyId": key, "State": "ACTIVE"},
    ("access_key", "DeleteAccessKey"): lambda _, key: {"AccessKeyId": key},
    ("image", "CreateVms"): lambda _, image: {"ImageId": image},
    ("image", "CreateImage"): lambda _, image: {"SourceImageId": image, "SourceRegionName": "eu-west-2"},
    # what the tables refuse in no state
    ("vm", "DeleteVms"): lambda _, vm: {"VmIds": [vm]},
    ("image", "DeleteImage"): lambda _, image: {"ImageId": image},
    ("image", "UpdateImage"): lambda _, image: {"ImageId": image, "Description": "new"},
    ("snapshot", "UpdateSnapshot"): lambda b, snapshot: {
        "SnapshotId": snapshot,
        "PermissionsToCreateVolume": {"Additions": {"AccountIds": [b.alice.account_id]}},
    },
}
STATES = {kind: [*lifecycle.moves, *(["restarting"] if kind == "vm" else [])] for kind, lifecycle in LIFECYCLES.items()}
REFUSED = {tuple(rule.id.split("/")): rule for rule in list_cell_rules()}
EVERY = [(kind, action, state) for kind, action in CALLS for state in STATES[kind]]


@pytest.mark.parametrize(("kind", "action", "state"), [case for case in EVERY if case in REFUSED])
def test_illegal_cell_refuses_its_action(kind: str, action: str, state: str) -> None:
    """An illegal cell is refused with the table's error. [OMI-015, SNP-006, VM-003, CPY-006, LNK-006, EXP-006]"""
    bench = Bench()
    row_id = getattr(bench, kind)(state)
    parameters = CALLS[kind, action](bench, row_id)
    error = expect_refusal(bench.alice, action.partition(" ")[0], **parameters)
    assert error.rule == f"{kind}/{action}/{state}"
    assert error.code == ERRORS[REFUSED[kind, action, state].error].code


@pytest.mark.parametrize(("kind", "action", "state"), [case for case in EVERY if case not in REFUSED])
def test_legal_cell_allows_its_action(kind: str, action: str, state: str) -> None:
    """Any other cell is allowed: the call is executed and answered."""
    bench = Bench()
    row_id = getattr(bench, kind)(state)
    parameters = CALLS[kind, action](bench, row_id)
    assert bench.alice.call(action.partition(" ")[0], **parameters)


@pytest.mark.parametrize(
    ("kind", "state"),
    [(kind, state) for kind, lifecycle in LIFECYCLES.items() if hasattr(Bench, kind) for state in lifecycle.failures],
)
def test_transient_state_can_fail_on_request(kind: str, state: str) -> None:
    """Each state with a failure event can end in the table's failure state."""
    bench = Bench()
    row_id = getattr(bench, kind)(state)
    bench.cloud.fail(row_id)
    assert bench.cloud.engine.state.get(kind, row_id).state == LIFECYCLES[kind].moves[state]["fail"].state


def test_every_illegal_cell_is_tried() -> None:
    """No illegal cell is left out: each is a call of the table above."""
    assert set(REFUSED) <= set(EVERY)


def test_volume_update_task_has_no_actions() -> None:
    """A volume update task has states but no actions; its volume has rules of its own. [ST-VOL-10]"""
    assert LIFECYCLES["volume_update"].refused == {}


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_transitions_lead_to_known_states_only(kind: str) -> None:
    """No table leads to a state that it does not have."""
    moves = LIFECYCLES[kind].moves
    assert {to.state for events in moves.values() for to in events.values()} <= {*moves, None}


@pytest.mark.parametrize("entity", [row for row in ENTITIES if row.kind in LIFECYCLES and row is not GroupHold])
def test_states_of_an_entity_are_an_enumeration(entity: type[Entity]) -> None:
    """The state of each kind with a lifecycle that the API shows is a StrEnum that has every state of its table."""
    states = get_type_hints(entity)["state"]
    assert issubclass(states, StrEnum)
    assert {*LIFECYCLES[entity.kind].moves} <= {*states}


@pytest.mark.parametrize("kind", LIFECYCLES)
def test_lifecycle_tables_are_drawn_as_text_and_mermaid(kind: str) -> None:
    """Text and mermaid show each state and each event of a table."""
    lifecycle = LIFECYCLES[kind]
    for state, events in lifecycle.moves.items():
        assert state in render_text(lifecycle)
        assert state in render_mermaid(lifecycle)
        for event in events:
            assert f": {event}" in render_mermaid(lifecycle)


@pytest.mark.parametrize(
    ("key", "seconds"),
    [
        ("group_hold.releasing", 90),
        ("image_export.pending", 40),
        ("image_export.pending/queued", 5),
        ("net.deleting", 5),
        ("snapshot.in-queue", 5),
        ("snapshot.pending", 20),
        ("snapshot_export.active", 40),
        ("snapshot_export.initializing", 5),
        ("snapshot_export.pending", 5),
        ("snapshot_export.preparing", 5),
        ("snapshot_export.uploading", 40),
        ("vm.pending", 20),
        ("vm.stopping", 15),
        ("volume.creating", 5),
        ("volume.deleting", 5),
        ("volume_link.attaching", 3),
        ("volume_link.detaching", 3),
    ],
)
def test_transient_state_lasts_as_long_as_its_table_says(key: str, seconds: float) -> None:
    """The default durations apply, for 10 GiB if the size counts."""
    kind, _, state = key.partition(".")
    events = [to for to in LIFECYCLES[kind].moves[state].values() if to.after is not None]
    disk = SimpleNamespace(size=10, volume_size=10)
    assert {to.after(disk) if callable(to.after) else to.after for to in events} == {seconds}
