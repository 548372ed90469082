"""Bugs of the kind that people make, to plant in omisim: each is a change that lasts as long as a MonkeyPatch.

Those whose names begin with moto or ricochet are bugs that these simulators have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from omisim.actions import images, quotas, sharing, snapshots, uploads, volumes
from omisim.actions.effects import EFFECTS
from omisim.actions.framework.call import Call
from omisim.actions.framework.schema import Shape
from omisim.engine import scheduler
from omisim.engine.engine import Engine
from omisim.model import Image, Vm
from omisim.spec.lifecycle import LIFECYCLES, To, get_automatic_event
from omisim.state.dump import to_dict
from omisim.state.layers import Layers
from omisim.state.state import State
from omisim.state.table import Table
from omisim.state.transaction import Transaction
from omisim.state.transients import Transients

__all__ = ["PLANTED"]

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]

# --- ways to plant


def skip_checks(*rules: str) -> Plant:
    """Forget to check some rules."""

    def plant(patch: Patch) -> None:
        check = Call.check

        def check_others(call: Call, ok: object, rule: str, /, **facts: Any) -> bool:
            return True if rule in rules else check(call, ok, rule, **facts)

        patch.setattr(Call, "check", check_others)

    return plant


def allow_states(kind: str, action: str, *states: str) -> Plant:
    """Allow an action in states that forbid it."""

    def plant(patch: Patch) -> None:
        cells = LIFECYCLES[kind].refused[action]
        patch.setitem(LIFECYCLES[kind].refused, action, {s: no for s, no in cells.items() if s not in states})

    return plant


def replace_value(where: str, what: Any) -> Plant:
    """Put another function in the place of one."""
    return lambda patch: patch.setattr(where, what)


def change_on_add(kind: type, change: Callable[[Any], Any]) -> Plant:
    """Change each new entity of a kind."""

    def plant(patch: Patch) -> None:
        add = Call.add

        def wrong(call: Call, entity: Any, *, then: str | None = None) -> Any:
            return add(call, change(entity) if isinstance(entity, kind) else entity, then=then)

        patch.setattr(Call, "add", wrong)

    return plant


def without_effect(kind: str, state: str | None) -> Plant:
    """Forget the side effect of entering a state."""
    return lambda patch: patch.setitem(EFFECTS.after, (kind, state), lambda *_: None)


def show_images_if(is_visible: Callable[[Call, Any], bool]) -> Plant:
    """Let ReadImages decide by another function which OMIs a caller sees."""

    def find(call: Call, cls: type[Image], filters: Any) -> Iterator[Image]:
        return (image for image in sharing.find_shareable(call, cls, filters) if is_visible(call, image))

    return replace_value("omisim.actions.image_access.find_visible", find)


# --- bugs that need a few lines


def lasting_visibility(patch: Patch) -> None:
    """An account that saw an OMI once keeps seeing it."""
    visible = sharing.is_visible
    seen: dict[int, tuple[State, set[tuple[str, str]]]] = {}  # with the State, so that no other one gets its number

    def cached(call: Call, row: Any) -> bool:
        _, visible_ids = seen.setdefault(id(call.state), (call.state, set()))
        if visible(call, row):
            visible_ids.add((call.account.account_id, row.id))
        return (call.account.account_id, row.id) in visible_ids

    show_images_if(cached)(patch)
    for module in ("sharing", "vms"):
        patch.setattr(f"omisim.actions.{module}.is_visible", cached)


def empty_snapshot(patch: Patch) -> None:
    """A snapshot is created without the content of its source."""
    add: Callable[..., Any] = vars(snapshots)["add_snapshot"]

    def wrong(
        call: Call, text: str, token: str | None, image_id: str | None, _content: Any, *more: Any, **fields: Any
    ) -> Any:
        return add(call, text, token, image_id, None, *more, **fields)

    patch.setattr(snapshots, "add_snapshot", wrong)


def shared_copy(patch: Patch) -> None:
    """A copy is shared as its source is."""
    copy: Callable[..., Image] = vars(images)["_copy_image"]

    def wrong(call: Call, source_id: str, *rest: Any) -> Image:
        source: Image = call.state.get("image", source_id)
        return call.put(replace(copy(call, source_id, *rest), permissions_to_launch=source.permissions_to_launch))

    patch.setattr(images, "_copy_image", wrong)


def forgotten_index(patch: Patch) -> None:
    """Undoing puts rows back, and forgets the index of names."""
    undo = State.undo_to

    def wrong(state: State, position: int) -> None:
        old_index = state.writable("image").catch_up()["image_name"].copy()
        undo(state, position)
        state.writable("image").catch_up()["image_name"] = old_index

    patch.setattr(State, "undo_to", wrong)


def kept_heap(patch: Patch) -> None:
    """Undoing leaves the queue of what is due as it is."""
    undo = State.undo_to

    def wrong(state: State, position: int) -> None:
        transients, timers = (heap.copy() for heap in state.due_table.heaps)
        undo(state, position)
        state.due_table.heaps = transients, timers

    patch.setattr(State, "undo_to", wrong)


def kept_name(patch: Patch) -> None:
    """A deleted row stays in its indexes."""
    catch_up = Table.catch_up

    def wrong(table: Table) -> dict[str, Layers]:
        table.pending = {row_id: row for row_id, row in table.pending.items() if row_id in table.by_id}
        return catch_up(table)

    patch.setattr(Table, "catch_up", wrong)


def shared_table(patch: Patch) -> None:
    """A fork writes volumes into the table of its origin."""
    fork = State.fork

    def wrong(state: State) -> State:
        twin = fork(state)
        twin.tables, twin._owned = twin.tables.copy(), {"volume": twin.tables["volume"]}  # noqa: SLF001 - the bug
        return twin

    patch.setattr(State, "fork", wrong)


def lost_in_a_dump(patch: Patch) -> None:
    """A dump forgets what is due."""

    def wrong(*parts: Any) -> dict[str, Any]:
        data = to_dict(*parts)
        return data | {"rows": {kind: rows for kind, rows in data["rows"].items() if kind != "due"}}

    patch.setattr("omisim.engine.engine.to_dict", wrong)


def stale_due(patch: Patch) -> None:
    """What was due stays due when something else has happened first."""
    schedule = vars(Transaction)["_schedule"]

    def wrong(tx: Transaction, entity: Any, then: str | None = None) -> None:
        if get_automatic_event(entity.kind, entity.state) is not None:
            schedule(tx, entity, then)

    patch.setattr(Transaction, "_schedule", wrong)


def lower_case_key(patch: Patch) -> None:
    """LinkVolume writes the state of the volume under another key: it reads as available."""
    move = Call.move

    def wrong(call: Call, entity: Any, event: str, **fields: Any) -> Any:
        return entity if (entity.kind, event) == ("volume", "link") else move(call, entity, event, **fields)

    patch.setattr(Call, "move", wrong)


def snapshots_go_too(patch: Patch) -> None:
    """Deleting an OMI deletes its snapshots."""

    def wrong(tx: Transaction, image: Image, _comment: str) -> None:
        for mapping in image.block_device_mappings:
            snapshot = tx.state.get("snapshot", (mapping.bsu and mapping.bsu.snapshot_id) or "")
            if snapshot is not None and snapshot.state == "completed":
                tx.move(snapshot, "delete")

    patch.setitem(EFFECTS.after, ("image", None), wrong)


def no_ownership(patch: Patch) -> None:
    """Every account that sees an OMI may change it."""
    own = Call.get_owned

    def wrong(call: Call, cls: Any, row_id: str, rule: str, /) -> Any:
        row = call.state.get(cls.kind, row_id)
        return (
            row if row is not None and cls is Image and sharing.is_visible(call, row) else own(call, cls, row_id, rule)
        )

    patch.setattr(Call, "get_owned", wrong)


def started_after_termination(patch: Patch) -> None:
    """A terminated VM can be started."""
    allow_states("vm", "StartVms", "terminated")(patch)
    patch.setitem(LIFECYCLES["vm"].moves["terminated"], "start", To("pending"))
    patch.setattr("omisim.actions.vm_life._move_all", _start_any)


def _start_any(call: Call, rows: Any, move: Callable[[Vm], Vm]) -> tuple[Any, ...]:
    for vm in rows:
        call.move(vm, "start") if call.action == "StartVms" else move(vm)
    return ()


def one_at_a_time(patch: Patch) -> None:
    """With the timing eager the first transient runs after a call, and the rest wait."""
    run = scheduler.run_transients

    def wrong(engine: Engine, transients: Transients | None) -> None:
        first = Transients()
        if transients is not None and (due := transients.pop()) is not None:
            first.add(f"{due.kind}:{due.id}", due)
        run(engine, first)

    patch.setattr(scheduler, "run_transients", wrong)


def of_the_source(patch: Patch) -> None:
    """The snapshots of a copy belong to the owner of its source."""
    clone = snapshots.clone_snapshot

    def wrong(call: Call, source: Any, description: str, *, image_id: str | None = None) -> Any:
        return call.put(replace(clone(call, source, description, image_id=image_id), account_id=source.account_id))

    patch.setattr(images, "clone_snapshot", wrong)


def no_licence(task: Any) -> Any:
    """Return a task that exports an OMI without its licences."""
    return replace(task, source=replace(task.source, product_codes=("0001",)))


def unlicensed_export(patch: Patch) -> None:
    """The manifest of an export names Linux alone."""
    upload = uploads.upload_image
    patch.setitem(
        EFFECTS.entering, ("image_export", "completed"), lambda tx, task, why: upload(tx, no_licence(task), why)
    )


def without_dry_run(patch: Patch) -> None:
    """DryRun is ignored."""
    parse = Shape.parse

    def wrong(shape: Shape, parameters: Any, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {name: value for name, value in parse(shape, parameters, *args, **kwargs).items() if name != "dry_run"}

    patch.setattr(Shape, "parse", wrong)


def _on_the_list(call: Call, row: Image) -> bool:
    granted = row.permissions_to_launch
    return granted.global_permission or call.account.account_id in granted.account_ids


def _larger(quota: Callable[..., int | None]) -> Callable[..., int | None]:
    return lambda *args: None if (remaining := quota(*args)) is None else remaining + 1


def off_by_one(patch: Patch) -> None:
    """One more than the quota is allowed."""
    patch.setattr(quotas, "_subtract_used", _larger(vars(quotas)["_subtract_used"]))


def _blank(make: Callable[..., Any], call: Call, *args: Any, **kwargs: Any) -> Any:
    values = list(args)
    values[4] = None  # snapshot_id
    return make(call, *values, **kwargs)


# --- all of them: name → (what is wrong, how it is planted)

PLANTED: dict[str, tuple[str, Plant]] = {
    "a shared OMI stays visible": ("an account that saw an OMI once keeps seeing it", lasting_visibility),
    "a share cannot be taken back": ("removals are ignored", lambda patch: patch.setattr(
        "omisim.actions.image_access.apply_change", lambda granted, change: granted if change and change.removals
        else sharing.apply_change(granted, change))),
    "shares cross Regions": ("a share counts in every Region", show_images_if(
        lambda call, row: call.owns(row) or _on_the_list(call, row))),
    "grantees see each other": ("permissions are shown whole", replace_value(
        "omisim.actions.image_access.visible_permissions", lambda _call, granted, **_: granted)),
    "grantees change what is shared": ("UpdateImage requires visibility, not ownership", no_ownership),
    "a share survives on a copy": ("a copy is shared as its source is", shared_copy),
    "a code is lost in a copy": ("a copy has the codes it is given, else Linux", replace_value(
        "omisim.actions.images._merge_codes", lambda _codes, more: more or ("0001",))),
    "a code is lost in an export": ("the manifest names Linux alone", unlicensed_export),
    "a copy shares its snapshots": ("a copy maps the snapshots of its source", replace_value(
        "omisim.actions.images._clone_mapping", lambda _call, mapping, _image_id: mapping)),
    "a copy's snapshots are another's": ("they belong to the owner of the source", of_the_source),
    "a snapshot is freed while exported": ("EXP-017 is not checked", skip_checks("EXP-017")),
    "snapshots go with their OMI": ("DeleteImage deletes them", snapshots_go_too),
    "an OMI waits for a failed snapshot": ("a failure is not handed on", without_effect("snapshot", "error")),
    "a link survives its VM": ("termination drops no link", without_effect("vm", "terminated")),
    "a freed volume stays in use": ("its state does not follow its link", without_effect("volume_link", None)),
    "a snapshot is empty": ("content is not copied", empty_snapshot),
    "a name is not free again": ("a deleted row stays in its indexes", kept_name),
    "undoing forgets an index": ("rows come back, names do not", forgotten_index),
    "undoing forgets the queue": ("the queue of what is due stays", kept_heap),
    "a cancelled transition happens": ("its row stays in the table", stale_due),
    "a fork shares a table": ("volumes of a fork appear in its origin", shared_table),
    "a dump forgets what is due": ("nothing moves on after a load", lost_in_a_dump),
    "eager stops early": ("one transient runs, the rest wait", one_at_a_time),
    "quotas are off by one": ("one more is allowed", off_by_one),
    "a volume shrinks": ("VOL-041 is not checked", skip_checks("VOL-041")),
    "a root is unlinked from a running VM": ("LNK-022 is not checked", skip_checks("LNK-022")),
    "a pending OMI is launched": (
        "its state is not looked at", allow_states("image", "CreateVms", "pending", "failed"),
    ),
    "why_not is too lenient": (
        "it finds no refusal", replace_value("omisim.engine.calls.collect_refusals", lambda *_, **__: []),
    ),
    # --- those of peers
    "moto: a snapshot is freed while used": ("SNP-016 is not checked", skip_checks("SNP-016")),
    "moto: two OMIs of one name": ("OMI-022 is not checked", skip_checks("OMI-022")),
    "moto: a shared OMI stays invisible": ("a share is stored, and does nothing", show_images_if(
        lambda call, row: call.owns(row) or row.permissions_to_launch.global_permission)),
    "moto: every account launches": (
        "no permission is needed", replace_value("omisim.actions.vms.is_visible", lambda *_: True),
    ),
    "moto: an OMI has one disk": ("only the root of a VM is mapped", change_on_add(
        Image, lambda image: replace(image, block_device_mappings=image.block_device_mappings[:1]))),
    "moto: a VM has a blank root": ("its disks are not made from its OMI", replace_value(
        "omisim.actions.vms.add_volume", partial(_blank, volumes.add_volume))),
    "moto: a volume is smaller than its snapshot": ("VOL-013 is not checked", skip_checks("VOL-013")),
    "moto: any size will do": ("VOL-004 is not checked", skip_checks("VOL-004")),
    "moto: one device twice": ("LNK-005 is not checked", skip_checks("LNK-005")),
    "moto: a volume of another Subregion": ("LNK-003 is not checked", skip_checks("LNK-003")),
    "moto, ricochet: a terminated VM is started": ("StartVms on a terminated VM", started_after_termination),
    "ricochet: a lower-case key": ("LinkVolume leaves the volume available", lower_case_key),
    "ricochet: a linked volume is deleted": (
        "its state is not looked at", allow_states("volume", "DeleteVolume", "in-use"),
    ),
    "ricochet: any Subregion will do": ("VOL-002 is not checked", skip_checks("VOL-002")),
    "ricochet: constant codes": (
        "every VM is Linux", change_on_add(Vm, lambda vm: replace(vm, product_codes=("0001",))),
    ),
    "ricochet: exports as zip": ("EXP-002 is not checked", skip_checks("EXP-002")),
    "ricochet: DryRun does it": ("DryRun is ignored", without_dry_run),
}  # fmt: skip
