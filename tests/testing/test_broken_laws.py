"""The laws of `omisim.testing.laws`: each holds in a cloud in use, and each is found broken when it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from threading import Thread
from typing import Any

import pytest
from support.networks import add_networks

from omisim import Account, ApiError, Cloud, SystemClock
from omisim.actions.framework.call import Call
from omisim.engine.engine import Engine
from omisim.model import (
    ENTITIES,
    ClientToken,
    Content,
    Due,
    ExportState,
    Image,
    ImageState,
    OsuExportImageExportTask,
    PermissionsOnResource,
    Vm,
)
from omisim.spec.rules import load_rules
from omisim.state.references import REFERENCES
from omisim.state.transaction import Transaction
from omisim.testing import laws
from omisim.testing.laws.table import of_rows
from omisim.testing.script import bucket

# kind → its fields that may name a deleted row, and the rule that allows it
DANGLING: Mapping[str, Mapping[str, str]] = {
    "image_export": {"image_id": "EXP-017"},
    "snapshot": {"volume_id": "VOL-022"},
    "snapshot_export": {"snapshot_id": "EXP-017"},
    "vm": {"image_id": "OMI-123", "keypair_name": "KEY-006"},
    "volume": {"snapshot_id": "SNP-017"},
    "volume_update": {"volume_id": "VOL-021"},
}
NAMES_NOTHING = {"customer_id", "dhcp_options_set_id", "link_public_ip_id", "reservation_id"}
SHARED_TWICE = PermissionsOnResource(account_ids=("000000000000",) * 2)


class World:
    """A cloud in which there is one of everything, and hands that write past all rules."""

    def __init__(self) -> None:
        self.cloud = Cloud(timing="clock")
        self.alice = self.cloud.account("alice", quotas={"volume_limit": 9})
        self.bob = self.cloud.account("bob")
        vm = self.alice.create_vms(image_id=self.cloud.images.official("ubuntu").image_id, max_vms_count=2)[0]
        self.cloud.settle()
        self.image = self.alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True).image_id
        self.cloud.settle()
        self.copy = self.alice.create_image(
            source_image_id=self.image, source_region_name="eu-west-2", image_name="copy"
        ).image_id
        self.vm, self.root = vm.vm_id, vm.block_device_mappings[0].bsu.volume_id
        self.volume = self.alice.create_volume(subregion_name="eu-west-2a", size=5, volume_type="gp2").volume_id
        self.snapshot = self.alice.create_snapshot(volume_id=self.root).snapshot_id
        self.export = self.alice.create_snapshot_export_task(
            snapshot_id=self.disk, osu_export={"disk_image_format": "raw", "osu_bucket": "exports"}
        ).task_id
        image_export = {"disk_image_format": "raw", "osu_bucket": "exports"}
        self.image_export = self.alice.create_image_export_task(image_id=self.image, osu_export=image_export).task_id
        self.net: dict[str, str] = {}
        add_networks(self.alice, self.cloud.images.official("ubuntu").image_id, self.net)
        self.mark = self.cloud.mark()

    @property
    def disk(self) -> str:
        """The snapshot of the OMI."""
        return str(self.get("image", self.image).block_device_mappings[0].bsu.snapshot_id)

    def get(self, kind: str, row_id: str) -> Any:
        """Return a row."""
        return self.cloud.engine.state.get(kind, row_id)

    def put(self, kind: str, row_id: str, row: Any, cause: str = "test") -> World:
        """Write a row as no action would."""
        self.cloud.engine.state.write(kind, row_id, row, self.cloud.now, cause)
        return self

    def change(self, kind: str, row_id: str, cause: str = "test", **values: Any) -> World:
        """Change fields of a row as no action would."""
        return self.put(kind, row_id, replace(self.get(kind, row_id), **values), cause)

    def new(self, kind: str, row_id: str, new_id: str, cause: str = "CreateImage#99", **values: Any) -> World:
        """Add a twin of a row, with another id."""
        row = self.get(kind, row_id)
        return self.put(kind, new_id, replace(row, **{row.key: new_id}, **values), cause)

    def forget(self) -> World:
        """Begin a new step."""
        self.mark = self.cloud.mark()
        return self

    def broken(self, *, sweep: bool) -> set[str]:
        """Return the names of the laws that are broken."""
        return {finding.law for finding in laws.broken(self.cloud, None if sweep else self.mark)}


def _forget(world: World, table: str) -> World:
    """Lose what an index, a queue or the journal knows."""
    state = world.cloud.engine.state
    if table == "index":
        image = world.get("image", world.image)
        state.writable("image").catch_up()["image_name"].pop(image.image_name)
    elif table == "journal":
        world.put("counter", "x", 1)
        state.writable("counter").put("x", 1, 5, 0)
    return world


def _unqueued(world: World) -> None:
    world.cloud.advance(0)
    due = Due("volume", world.volume, "ready", world.cloud.now, timer=False, order=77)
    world.put("due", f"volume:{world.volume}", due)
    world.cloud.engine.state.due_table.heaps[False].clear()


# law → what breaks it
BREAKS: dict[str, Callable[[World], object]] = {
    "a_call_writes_to_one_account": lambda w: (
        w.change("vm", w.vm, "UpdateVm#9", user_data="eA=="),
        w.new("vm", w.vm, "i-00000001", "UpdateVm#9", account_id=w.bob.account_id),
    ),
    "an_action_writes_only_its_kinds": lambda w: w.change("volume", w.root, "DeleteImage#9", size=99),
    "a_copy_is_independent": lambda w: (
        w.new("image", w.copy, "ami-00000001", block_device_mappings=w.get("image", w.image).block_device_mappings),
        w.put("origin", "ami-00000001", w.get("origin", w.copy)),
    ),
    "device_names_are_unique_on_a_vm": lambda w: w.new("volume_link", w.root, w.volume),
    "a_new_disk_has_the_content_of_its_source": lambda w: (
        w.new("snapshot", w.snapshot, "snap-00000001"),
        w.put("origin", "snap-00000001", w.get("origin", w.snapshot)),
        w.put("content", w.root, Content(1)),
    ),
    "volumes_and_vms_are_in_their_region": lambda w: w.change("volume", w.volume, subregion_name="us-east-2a"),
    "a_failed_omi_has_a_state_message": lambda w: w.change(
        "image", w.image, state=type(w.get("image", w.image).state)("failed")
    ),
    "a_completed_omi_export_names_its_manifest": lambda w: w.change(
        "image_export", w.image_export, state=ExportState.COMPLETED
    ),
    "security_groups_in_rules_exist": lambda w: w.put("security_group", w.net["named"], None),
    "security_groups_in_use_exist": lambda w: w.put("security_group", w.net["group"], None),
    "a_link_joins_an_existing_volume_and_vm": lambda w: w.put("vm", w.vm, None),
    "a_mapping_is_as_large_as_its_snapshot": lambda w: w.change("snapshot", w.disk, volume_size=500),
    "security_group_names_are_unique": lambda w: w.new("security_group", w.net["group"], "sg-00000001"),
    "omi_names_have_a_valid_length": lambda w: w.change("image", w.image, image_name="x"),
    "a_net_keeps_its_default_resources": lambda w: w.put("route_table", w.net["main"], None),
    "nic_addresses_are_valid_and_unique": lambda w: w.new("nic", w.net["nic"], "eni-00000001"),
    "a_nic_in_use_is_linked_to_an_existing_vm": lambda w: w.put("vm", w.net["net_vm"], None),
    "a_public_ip_has_at_most_one_link": lambda w: w.new("public_ip", w.net["nic_ip"], "eipalloc-00000001"),
    "permissions_list_an_account_once": lambda w: w.change("image", w.image, permissions_to_launch=SHARED_TWICE),
    "a_snapshot_has_a_valid_size": lambda w: w.change("snapshot", w.snapshot, volume_size=0),
    "a_subnet_has_one_route_table": lambda w: w.put("subnet", w.net["routed"], None),
    "a_terminated_vm_holds_no_resources": lambda w: w.change(
        "vm", w.vm, state=type(w.get("vm", w.vm).state)("terminated")
    ),
    "a_vm_boots_from_its_omi": lambda w: w.new("vm", w.vm, "i-00000001"),
    "vm_addresses_match_its_state": lambda w: w.change("vm", w.vm, public_ip=None),
    "a_vm_in_a_net_has_a_primary_nic": lambda w: w.change(
        "nic", w.net["secondary"], link_nic=replace(w.get("nic", w.net["secondary"]).link_nic, device_number=0)
    ),
    "os_family_matches_product_codes": lambda w: w.change("vm", w.vm, os_family="windows"),
    "an_active_vm_has_a_root_volume": lambda w: w.put("volume_link", w.root, None),
    "a_volume_is_as_large_as_its_snapshot": lambda w: w.change("volume", w.root, size=1),
    "a_volume_is_in_use_when_linked": lambda w: w.put("volume_link", w.root, None),
    "a_volume_names_its_running_update": lambda w: w.change("volume", w.root, task_id="vol-update-00000000"),
    "a_volume_only_grows": lambda w: w.change("volume", w.volume, size=4),
    "usage_stays_within_quotas": lambda w: [w.new("volume", w.volume, f"vol-0000000{n}") for n in range(9)],
    "omi_names_are_unique_per_account": lambda w: w.new("image", w.image, "ami-00000001"),
    "an_export_has_a_supported_format": lambda w: w.change(
        "image_export",
        w.image_export,
        osu_export=OsuExportImageExportTask(disk_image_format="zip", osu_bucket="exports"),
    ),
    "snapshots_of_a_running_export_exist": lambda w: w.put("snapshot", w.disk, None),
    "indexes_follow_changes": lambda w: (w.change("image", w.image, image_name="other"), _forget(w, "index")),
    "product_codes_are_unique": lambda w: w.change("image", w.image, product_codes=("0001", "0001")),
    "no_export_breaks_a_licence": lambda w: (
        w.put("licence", "0002", row=False),
        w.change("origin", w.image, codes=("0002",)),
        w.forget(),
        w.new("image_export", w.image_export, "image-export-00000001", "CreateImageExportTask#9"),
    ),
    "snapshots_of_an_omi_exist": lambda w: w.put("snapshot", w.disk, None),
    "an_omi_state_follows_its_snapshots": lambda w: w.change(
        "image", w.image, state=type(w.get("image", w.image).state)("pending")
    ),
    "an_omi_maps_a_root_and_unique_devices": lambda w: w.change("image", w.image, block_device_mappings=()),
    "an_omi_maps_all_volumes_of_its_vm": lambda w: (
        w.new("image", w.image, "ami-00000001", block_device_mappings=()),
        w.put("origin", "ami-00000001", w.get("origin", w.image)),
    ),
    "counters_increase_by_one": lambda w: w.put("counter", "ids", 1),
    "content_and_due_transitions_have_an_owner": lambda w: w.put("volume", w.volume, None),
    "disks_record_inherited_licences": lambda w: w.change("origin", w.snapshot, "CreateSnapshot#9", codes=("0002",)),
    "indexes_match_their_tables": lambda w: _forget(w, "index"),
    "licences_are_inherited": lambda w: w.new("vm", w.vm, "i-00000001", product_codes=("0002",)),
    "a_manifest_lists_the_licences": lambda w: w.change(
        "image_export",
        w.image_export,
        state=ExportState.COMPLETED,
        osu_export=OsuExportImageExportTask(
            disk_image_format="raw", osu_bucket="exports", osu_manifest_url="https://oos.eu-west-2.outscale.com/x/y"
        ),
    ),
    "sources_are_finished": lambda w: (
        w.change("image", w.image, state=ImageState.PENDING),
        w.forget(),
        w.new("vm", w.vm, "i-00000001", image_id=w.image),
    ),
    "sources_are_usable_by_the_account": lambda w: (
        w.new("vm", w.vm, "i-00000001", account_id=w.bob.account_id, image_id=w.image),
    ),
    "a_completed_snapshot_is_at_100_percent": lambda w: w.change("snapshot", w.disk, progress=99),
    "state_changes_are_legal": lambda w: w.change(
        "vm", w.vm, state=type(w.get("vm", w.vm).state)("pending"), started=False
    ),
    "subnets_do_not_overlap": lambda w: w.new("subnet", w.net["subnet"], "subnet-00000001"),
    "the_journal_matches_the_state": lambda w: _forget(w, "journal"),
    "undoing_the_journal_restores_the_start": lambda w: w.cloud.engine.state.writable("token").put(
        "x", None, ClientToken("", ()), 0
    ),
    "due_transitions_are_queued": _unqueued,
    "immutable_fields_never_change": lambda w: w.change("vm", w.vm, image_id="ami-00000000"),
    "references_exist": lambda w: w.change("volume", w.volume, task_id="vol-update-00000000"),
    "new_omis_and_snapshots_are_private": lambda w: w.new(
        "image", w.image, "ami-00000001", permissions_to_launch=PermissionsOnResource(global_permission=True)
    ),
    "transient_states_have_a_due_transition": lambda w: w.put("due", f"volume:{w.volume}", None),
}
EMPTY = Cloud().dump()


def _list_all(call: Call, cls: Any, _filters: Any) -> Any:
    return call.state.rows(cls.kind).values()


def _schedule_always(tx: Transaction, entity: Any, event: str, _seconds: float) -> None:
    due = Due(entity.kind, entity.id, event, tx.at, timer=False, order=tx.state.position)
    tx.write("due", f"{entity.kind}:{entity.id}", due)


# laws that only a defect of the code breaks, and what such a defect looks like
DEFECTS: dict[str, tuple[str, Callable[..., Any]]] = {
    "loading_a_dump_restores_the_cloud": ("omisim.engine.engine.to_dict", lambda *_: EMPTY),
    "a_fork_is_independent": ("omisim.state.state.State.fork", lambda state: state),
    "snapshot_reads_follow_permissions": ("omisim.actions.snapshots.find_visible", _list_all),
    "only_its_owner_reads_a_vm": ("omisim.actions.framework.call.Call.owns", lambda _call, _row: True),
    "only_its_owner_reads_a_volume": ("omisim.actions.framework.call.Call.owns", lambda _call, _row: True),
    "omi_reads_follow_permissions": ("omisim.actions.image_access.find_visible", _list_all),
    "iops_match_the_volume_type": ("omisim.actions.volumes.compute_gp2_iops", lambda _size: None),
    "unfiltered_reads_are_complete_and_ordered": (
        "omisim.actions.framework.call.Call.select",
        lambda _call, rows, _filters: tuple(rows)[1:],
    ),
    "eager_timing_leaves_no_transient": ("omisim.state.transaction.Transaction.schedule", _schedule_always),
    "who_can_matches_permissions": ("omisim.testing.laws.visibility.who_can", lambda _state, _id: {}),
}


def _spoiling(call: Call, *_: Any) -> None:
    call.put(replace(next(iter(call.state.rows("vm").values())), user_data="eA=="))


# laws about calls, and the defects that break them
CALLS: dict[str, tuple[str, Callable[..., Any]]] = {
    "a_call_changes_only_resources_of_its_caller": (
        "omisim.actions.framework.call.Call.owns",
        lambda _call, _row: True,
    ),
    "a_deletion_changes_nothing_else": ("omisim.actions.framework.call.Call.move", _spoiling),
    "a_refused_call_changes_nothing": ("omisim.state.state.State.undo_to", lambda _self, _position: None),
    "permissions_change_as_requested": ("omisim.actions.snapshots.apply_change", lambda granted, _change: granted),
    "reads_match_the_answer_of_a_creation": ("omisim.actions.framework.call.Call.read_own", lambda *_: ()),
    "why_not_predicts_each_call": ("omisim.cloud.account.Account.why_not", lambda *_, **_given: []),
}
WHOLE = {law.name for law in laws.LAWS.values() if not law.kinds}


@pytest.fixture(name="world")
def _world() -> World:
    return World()


class TestLaws:
    def test_hold_after_any_calls(self, world: World) -> None:
        """Every law holds for a cloud that only calls have changed, and for its last step."""
        assert laws.broken(world.cloud) == []
        world.cloud.settle()
        world.alice.delete_image(image_id=world.copy)
        assert laws.broken(world.cloud, since=world.mark) == []

    def test_hold_with_a_short_history(self) -> None:
        """The laws hold in a cloud that keeps only its last change."""
        cloud = Cloud(history=1)
        cloud.account("alice")
        laws.check(cloud)

    def test_hold_while_a_short_history_forgets_deleted_resources(self) -> None:
        """What a fork forgets when its history no longer reaches it does not count as a change that its diff hides."""
        cloud = Cloud(history=3)
        alice = cloud.account("alice")
        for _ in range(10):
            volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
            alice.delete_volume(volume_id=volume.volume_id)
            laws.check(cloud)

    def test_hold_while_wall_time_passes(self) -> None:
        """The laws hold in a cloud that follows the wall time, whose forks and dumps are compared a moment later."""
        cloud = Cloud(timing="clock", clock=SystemClock())
        alice = cloud.account("alice")
        alice.create_volume(subregion_name="eu-west-2a", size=1)
        laws.check(cloud)
        laws.call(alice, "ReadVolumes")
        with pytest.raises(ApiError, match="VOL-020"):
            laws.call(alice, "DeleteVolume", VolumeId="vol-00000000")

    def test_hold_after_a_change_of_permissions_with_empty_values(self, world: World) -> None:
        """An empty value in a list of accounts is absent, for the laws too. [REQ-018]"""
        change = {"Additions": {"AccountIds": ["", [], world.bob.account_id]}}
        laws.call(world.alice, "UpdateSnapshot", SnapshotId=world.disk, PermissionsToCreateVolume=change)

    def test_hold_after_an_export_to_any_prefix(self, world: World) -> None:
        """A manifest is found whose URL has escapes. [EXP-048]"""
        export = {"DiskImageFormat": "raw", "OsuBucket": "exports", "OsuPrefix": "a b:é"}
        bucket(world.alice, "exports")
        mark = world.cloud.mark()
        laws.call(world.alice, "CreateImageExportTask", ImageId=world.image, OsuExport=export)
        world.cloud.settle()
        laws.check(world.cloud, since=mark)

    def test_shorten_long_lists_of_findings(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """A law names the first few missing items of a long list, and counts the rest. [UNK-30]"""
        monkeypatch.setattr("omisim.actions.framework.call.Call.select", lambda *_: ())
        (what,) = [
            finding.what
            for finding in laws.broken(world.cloud)
            if finding.law == "unfiltered_reads_are_complete_and_ordered"
        ]
        assert re.fullmatch(r"ReadImages of alice lacks (ami-\w+, ){3}ami-\w+ and \d+ more", what)

    @pytest.mark.parametrize("name", sorted(BREAKS))
    def test_notice_each_change_that_breaks_them(self, world: World, name: str) -> None:
        """Each law notices a change of the state that breaks it."""
        BREAKS[name](world)
        assert name in world.broken(sweep=name in WHOLE)

    def test_notice_totals_of_an_owner_without_rows(self, world: World) -> None:
        """The totals of an account must be zero after its last row is gone."""
        volume = world.bob.create_volume(subregion_name="eu-west-2a", size=1)
        state, account_id = world.cloud.engine.state, world.bob.account_id
        before = state.get_totals("volume", account_id)
        world.put("volume", volume.volume_id, None)
        assert not state.get_totals("volume", account_id)
        assert "indexes_match_their_tables" not in world.broken(sweep=True)
        totals = state.tables["volume"].totals
        assert totals is not None
        totals[account_id] = before
        assert "indexes_match_their_tables" in world.broken(sweep=True)

    @pytest.mark.parametrize("name", sorted(DEFECTS))
    def test_notice_defects_of_reads_forks_and_dumps(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """Each law about reads, forks or dumps notices a defect in them."""
        where, what = DEFECTS[name]
        cloud = Cloud(timing="eager")
        alice, bob = cloud.account("alice"), cloud.account("bob")
        mark = cloud.mark()
        monkeypatch.setattr(where, what)
        vm = alice.create_vms(image_id=cloud.images.official("ubuntu").image_id)[0]
        volume = alice.create_volume(subregion_name="eu-west-2a", size=5, volume_type="gp2")
        cloud.settle()
        bob.read_regions()
        alice.create_image(vm_id=vm.vm_id, image_name="golden", no_reboot=True)
        assert volume.volume_id
        broken_laws = {broken.law for broken in laws.broken(cloud, None if name in WHOLE else mark)}
        assert name in broken_laws

    @pytest.mark.parametrize("name", sorted(CALLS))
    def test_notice_defects_of_calls(self, world: World, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        """Each law about calls notices a call with a defect."""
        where, what = CALLS[name]
        monkeypatch.setattr(where, what)
        created = {"SubregionName": "eu-west-2a", "Size": 1, "DryRun": "refused" in name}
        share = {"SnapshotId": world.disk, "PermissionsToCreateVolume": {"Additions": {"GlobalPermission": True}}}
        requests: dict[str, tuple[Account, str, dict[str, Any]]] = {
            "a_call_changes_only_resources_of_its_caller": (world.bob, "UpdateSnapshot", share),
            "a_deletion_changes_nothing_else": (world.alice, "DeleteImage", {"ImageId": world.copy}),
            "permissions_change_as_requested": (world.alice, "UpdateSnapshot", share),
            "why_not_predicts_each_call": (world.alice, "DeleteSnapshot", {"SnapshotId": world.disk}),
        }
        caller, action, parameters = requests.get(name, (world.alice, "CreateVolume", created))
        with pytest.raises(laws.Broken) as failure:
            laws.call(caller, action, **parameters)
        assert failure.value.law == name

    def test_are_checked_for_a_call_of_an_account(self, world: World) -> None:
        """A cloud in the place of its account is refused."""
        with pytest.raises(TypeError, match=r"call takes an Account, such as cloud.account\('alice'\), not <cloud"):
            laws.call(world.alice.cloud, "ReadVms")  # type: ignore[arg-type]  # the mistake

    def test_do_not_change_the_answers_of_calls(self, world: World) -> None:
        """A call that keeps the laws is answered or refused as it would be without them."""
        assert laws.call(world.alice, "CreateVolume", SubregionName="eu-west-2a", Size=1)["Volume"]["Size"] == 1
        with pytest.raises(ApiError, match="SNP-016"):
            laws.call(world.alice, "DeleteSnapshot", SnapshotId=world.disk)

    def test_are_each_broken_by_one_of_these_tests(self) -> None:
        """For each law there is a test that breaks it."""
        assert {*BREAKS, *DEFECTS, *CALLS} == set(laws.LAWS)

    def test_name_rules_of_the_catalogue(self) -> None:
        """The rule of a law is in the catalogue, and the docstring of a law is a sentence."""
        assert {law.rule for law in laws.LAWS.values()} - {""} <= set(load_rules())
        assert all(law.says.endswith(".") for law in laws.LAWS.values())

    def test_check_every_reference_between_resources(self) -> None:
        """Each field that holds the id of a resource names an existing one, or may dangle by a rule."""
        for entity in ENTITIES:
            names = {field.name for field in fields(entity) if field.name.endswith("_id")} - {entity.key}  # type: ignore[arg-type]
            known_fields = {*REFERENCES.get(entity.kind, ()), *DANGLING.get(entity.kind, ())}
            assert names - NAMES_NOTHING <= known_fields, entity.kind
        assert {rule for fields_ in DANGLING.values() for rule in fields_.values()} <= set(load_rules())


class TestAFailureWithinACall:
    """In eager timing a VM that was ordered to fail does so before its call is answered."""

    def test_breaks_no_law_about_launches(self, cloud: Cloud, alice: Account, ubuntu: Image) -> None:
        """A VM that fails within its own launch has lost its root and its security groups by then. [BDM-005]"""
        cloud.fail_next("vm")
        laws.call(alice, "CreateVms", ImageId=ubuntu.image_id)
        assert alice.read_vms()[0].state == "terminated"

    def test_breaks_no_law_about_omis(self, cloud: Cloud, alice: Account, vm: Vm) -> None:
        """The source VM of an OMI that did not start again no longer has any disks. [OMI-061]"""
        cloud.fail_next("vm")
        laws.call(alice, "CreateImage", VmId=vm.vm_id, ImageName="golden")
        assert alice.read_vms()[0].state == "terminated"


class TestABootWithinACall:
    def test_uses_up_the_actions_on_next_boot(self, cloud: Cloud, alice: Account) -> None:
        """The actions for the first boot are gone when a VM boots within its launch, and no law is broken. [VM-078]"""
        uefi = next(image for image in alice.read_images() if image.boot_modes == ("uefi",))
        laws.call(alice, "CreateVms", ImageId=uefi.image_id, ActionsOnNextBoot={"SecureBoot": "enable"})


class TestACallThatTakesLong:
    def test_may_use_resources_that_become_ready_meanwhile(self, slow: Cloud) -> None:
        """A resource that was not ready when the call was sent, and is when it is answered, breaks no law. [VM-003]"""
        alice = slow.account("alice")
        bucket(alice, "exports")
        volume = alice.create_volume(subregion_name="eu-west-2a", size=1)
        slow.settle()
        snapshot = alice.create_snapshot(volume_id=volume.volume_id)
        slow.faults.add("CreateSnapshotExportTask", delay=30)
        target = {"DiskImageFormat": "raw", "OsuBucket": "exports"}
        laws.call(alice, "CreateSnapshotExportTask", SnapshotId=snapshot.snapshot_id, OsuExport=target)


class TestABrokenLaw:
    def test_names_itself_its_rule_and_the_finding(self, world: World) -> None:
        """The error names the resource, the law, its rule and what the rule says."""
        world.put("snapshot", world.disk, None)
        with pytest.raises(laws.Broken, match=f"{world.image} maps {world.disk}, which is gone") as failure:
            laws.check(world.cloud)
        assert (failure.value.law, failure.value.rule) == ("snapshots_of_an_omi_exist", "SNP-016")
        assert "breaks the law snapshots_of_an_omi_exist (SNP-016): Every snapshot that an OMI maps" in str(
            failure.value
        )
        assert "Documentation: https://docs.outscale.com" in failure.value.explain()

    def test_is_an_assertion_error(self) -> None:
        """Test runners report a broken law as a failure, not as an error."""
        assert issubclass(laws.Broken, AssertionError)

    def test_is_looked_for_under_the_lock_of_the_cloud(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        """While the laws are checked, no other thread can change the cloud."""
        is_free = []

        def try_lock(engine: Engine, _row: Any) -> None:
            if engine.lock.acquire(blocking=False):
                is_free.append(True)
                engine.lock.release()

        def try_lock_elsewhere(engine: Engine, row: Any) -> None:
            thread = Thread(target=try_lock, args=(engine, row))
            thread.start()
            thread.join()

        law = replace(laws.LAWS["a_volume_is_in_use_when_linked"], check=try_lock_elsewhere)
        monkeypatch.setitem(of_rows, "volume", [law])
        laws.check(world.cloud)
        laws.broken(world.cloud)
        assert not is_free

    def test_cannot_be_looked_for_since_an_undone_mark(self, world: World) -> None:
        """A mark that was undone is refused."""
        before = world.cloud.mark()
        world.alice.create_volume(subregion_name="eu-west-2a", size=1)
        undone = world.cloud.mark()
        world.cloud.rollback(before)
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            laws.check(world.cloud, since=undone)

    def test_cannot_be_looked_for_since_a_mark_of_another_cloud(self, world: World) -> None:
        """A mark of another cloud is refused, since its position means nothing here."""
        with pytest.raises(ValueError, match="mark must be a live mark of this cloud"):
            laws.check(world.cloud, since=world.cloud.fork().mark())

    def test_is_looked_for_without_changing_the_cloud(self, world: World) -> None:
        """Checking the laws changes neither the cloud nor its call log."""
        twin, calls = world.cloud.fork(), len(world.cloud.calls())
        laws.check(world.cloud)
        assert world.cloud == twin
        assert len(world.cloud.calls()) == calls
