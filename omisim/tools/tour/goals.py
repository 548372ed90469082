"""The goals of the lessons: each predicate yields what is missing, for each resource that could reach the goal.

An empty text is a goal that is reached, even if other attempts have failed. The last text is about a cloud without any
attempt. Predicates look at the state of the cloud and its history only, so any client in any language can reach a goal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from omisim.cloud.cloud import Cloud
from omisim.model import (
    ENDED_VM_STATES,
    AccountRow,
    ExportState,
    Image,
    ImageExportTask,
    ImageState,
    Origin,
    Snapshot,
    Vm,
    VmState,
)
from omisim.spec.catalog import OUTSCALE
from omisim.state.image_names import find_images_by_name
from omisim.state.state import State

__all__ = ["GOALS"]


def _launch_official(state: State, alice: str) -> Iterator[str]:
    for vm in _list_vms(state, alice):
        image: Image | None = state.get("image", vm.image_id)
        if image is not None and image.account_alias == OUTSCALE and image.image_name.startswith("Ubuntu"):
            yield ""
    yield "alice has no VM from an official Ubuntu OMI"


def _make_two_ways(state: State, alice: str) -> Iterator[str]:
    missing = []
    for name, relation in (("golden", "made from"), ("registered", "registered from")):
        images = find_images_by_name(state, alice, name)
        if not any(_has_relation(state, image, relation) for image in images):
            missing.append(f"alice has no OMI {name} that was {relation} a {'VM' if name == 'golden' else 'snapshot'}")
        elif all(image.state is not ImageState.AVAILABLE for image in images):
            missing.append(f"{name} is {images[0].state}, not available")
    yield "; ".join(missing)


def _override_disks(state: State, alice: str) -> Iterator[str]:
    for vm in _list_vms(state, alice):
        links = {link.device_name: link for link in state.find_by("volume_link", "vm_id", vm.vm_id)}
        volumes = {name: state.get("volume", link.volume_id) for name, link in links.items()}
        root, data = volumes.get("/dev/sda1"), volumes.get("/dev/sdb")
        if root is None or data is None or (root.size, data.size, data.volume_type) != (50, 20, "gp2"):
            continue
        if data.snapshot_id is None and not links["/dev/sdb"].delete_on_vm_deletion:
            yield ""
    yield "alice has no VM with a root disk of 50 GiB and a kept, empty disk /dev/sdb of 20 GiB and type gp2"


def _share_with_bob(state: State, alice: str) -> Iterator[str]:
    bob = _find_account(state, "bob")
    for image in _list_images(state, alice):
        granted = image.permissions_to_launch
        if granted.account_ids == (bob,) and not granted.global_permission:
            is_launched = any(vm.image_id == image.image_id for vm in _list_vms(state, bob))
            yield "" if is_launched else f"bob has no VM from {image.image_name}"
    yield "alice shares no OMI with bob alone"


def _copy_and_stop(state: State, alice: str) -> Iterator[str]:
    bob = _find_account(state, "bob")
    sources = [parent for image in _list_images(state, bob) for how, parent in _list_parents(state, image.image_id)
               if how == "copied from"]  # fmt: skip
    for source in sources:
        original: Image | None = state.get("image", source)
        origin: Origin | None = state.get("origin", source)
        if origin is None or origin.account_id != alice:
            continue
        if original is None:
            yield ""
        else:
            granted = original.permissions_to_launch
            is_shared = granted.global_permission or bob in granted.account_ids
            yield f"alice still shares {original.image_name} with bob" if is_shared else ""
    yield "bob has no copy of an OMI of alice"


def _import_elsewhere(state: State, alice: str) -> Iterator[str]:
    carol = _find_account(state, "carol")
    for image in _list_images(state, carol):
        for how, parent in _list_parents(state, image.image_id):
            origin: Origin | None = state.get("origin", parent)
            if how == "imported from" and origin is not None and origin.account_id == alice:
                yield _describe_unavailable(image)
    yield "carol has no OMI that was imported from an export of alice"


def _keep_the_licence(state: State, alice: str) -> Iterator[str]:
    for image in _list_images(state, alice):
        if _has_relation(state, image, "registered from") and "0006" in image.product_codes:
            yield ""
    yield "alice has no OMI that was registered from a snapshot and has the product code 0006"


def _without_reboot(state: State, alice: str) -> Iterator[str]:
    for image in _list_images(state, alice):
        vm_id = next((parent for how, parent in _list_parents(state, image.image_id) if how == "made from"), "")
        states = [c.after.state for c in state.journal if (c.kind, c.id) == ("vm", vm_id) and c.after]
        vm: Vm | None = state.get("vm", vm_id)
        if vm is not None and vm.state is VmState.RUNNING and VmState.STOPPING not in states:
            yield _describe_unavailable(image)
    yield "alice has no OMI from a VM that has been running all the time"


def _delete_all(state: State, alice: str) -> Iterator[str]:
    deleted = [c.id for c in state.journal if c.kind == "image" and c.after is None and c.before.account_id == alice]
    for image_id in deleted:
        children = state.tables["origin"].find_ids("parent", image_id)
        parts = [row_id for row_id in children if ("part of", image_id) in state.get("origin", row_id).parents]
        left = [row_id for row_id in parts if _is_kept(state, row_id)]
        if parts:
            yield f"the snapshots {', '.join(left)} of {image_id} remain" if left else ""
    yield "alice has not deleted an OMI that was made from a VM"


def _fail_and_repeat(state: State, alice: str) -> Iterator[str]:
    tasks: list[ImageExportTask] = [t for t in state.rows("image_export").values() if t.account_id == alice]
    failed = {task.image_id for task in tasks if task.state is ExportState.FAILED}
    completed = {task.image_id for task in tasks if task.state is ExportState.COMPLETED}
    if failed & completed:
        yield ""
    if failed and completed:
        yield "the failed and the completed export task of alice are of different OMIs"
    yield "alice has no completed export task" if failed else "alice has no failed export task"


_GOALS: Mapping[str, Callable[[State, str], Iterator[str]]] = {
    "launch_official": _launch_official,
    "make_two_ways": _make_two_ways,
    "override_disks": _override_disks,
    "share_with_bob": _share_with_bob,
    "copy_and_stop": _copy_and_stop,
    "import_elsewhere": _import_elsewhere,
    "keep_the_licence": _keep_the_licence,
    "without_reboot": _without_reboot,
    "delete_all": _delete_all,
    "fail_and_repeat": _fail_and_repeat,
}


def _bind(goal: Callable[[State, str], Iterator[str]]) -> Callable[[Cloud], str]:
    def judge(cloud: Cloud) -> str:
        with cloud.engine.lock:
            state = cloud.engine.state
            missing = list(goal(state, _find_account(state, "alice")))
        return "" if "" in missing else missing[0]

    return judge


GOALS: Mapping[str, Callable[[Cloud], str]] = {name: _bind(goal) for name, goal in _GOALS.items()}


def _find_account(state: State, name: str) -> str:
    rows: list[AccountRow] = state.find_by("account", "name", name)
    return rows[0].account_id if rows else ""


def _list_vms(state: State, account_id: str) -> Iterator[Vm]:
    return (vm for vm in state.rows("vm").values() if vm.account_id == account_id and vm.state not in ENDED_VM_STATES)


def _list_images(state: State, account_id: str) -> Iterator[Image]:
    return (image for image in state.rows("image").values() if image.account_id == account_id)


def _describe_unavailable(image: Image) -> str:
    return "" if image.state is ImageState.AVAILABLE else f"{image.image_name} is {image.state}"


def _list_parents(state: State, row_id: str) -> tuple[tuple[str, str], ...]:
    origin: Origin | None = state.get("origin", row_id)
    return origin.parents if origin is not None else ()


def _has_relation(state: State, image: Image, relation: str) -> bool:
    return any(how == relation for how, _ in _list_parents(state, image.image_id))


def _is_kept(state: State, snapshot_id: str) -> bool:
    snapshot: Snapshot | None = state.get("snapshot", snapshot_id)
    return snapshot is not None and not snapshot.is_gone
