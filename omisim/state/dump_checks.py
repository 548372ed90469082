"""Check the rows of a loaded dump: what they name exists, and what every call relies on holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from omisim.model import ENDED_EXPORT_STATES, NetState, VolumeState
from omisim.model.dump_form import InvalidData
from omisim.model.ids import Id
from omisim.spec.catalog import load_catalog
from omisim.spec.lifecycle import LIFECYCLES
from omisim.spec.limits import ROOT
from omisim.spec.vm_types import find_vm_shape
from omisim.state.licences import check_licence
from omisim.state.references import list_references
from omisim.state.state import State

__all__ = ["check_rows"]

Rows = Mapping[str, Mapping[str, tuple[int, Any]]]
# kind → its field that names a part of the catalogue, what that is, and a function that finds it
_CATALOGUED: Mapping[str, tuple[str, str, Callable[[str], object]]] = {
    "account": ("region", "Region", lambda name: name in load_catalog().regions),
    "vm": ("vm_type", "VM type", find_vm_shape),
}


def check_rows(state: State, rows: Rows) -> None:
    """Raise InvalidData if the rows of a dump, which `state` contains, cannot be those of a cloud."""
    _check_names(state, rows)
    _check_disks(state, rows.get("image", {}))
    _check_due(state)
    _check_licences(state, rows.get("licence", {}))
    for kind, path, is_wrong, reason in _INVARIANTS:
        for row_id, (_, row) in rows.get(kind, {}).items():
            if row is not None and is_wrong(state, row):
                raise InvalidData(reason, f".rows.{kind}.{row_id}{path}")


def _check_names(state: State, rows: Rows) -> None:
    """Refuse a row with the name of another row, a Region, a VM type or a state of its kind that does not exist."""
    for kind, saved in rows.items():
        checks: list[tuple[str, Callable[[Any], Any], str, Callable[[Any], object]]] = [
            (path, get, target, partial(state.get, target)) for path, get, target in list_references(kind)
        ]
        if kind in _CATALOGUED:
            path, target, find = _CATALOGUED[kind]
            checks.append((path, attrgetter(path), target, find))
        if kind in LIFECYCLES:
            checks.append(("state", attrgetter("state"), "state", LIFECYCLES[kind].moves.__contains__))
        for path, get, target, find in checks:
            names = {get(row) for _, row in saved.values() if row is not None} - {None}
            if missing := {name for name in names if not find(name)}:
                row_id, name = next((i, get(row)) for i, (_, row) in saved.items() if row and get(row) in missing)
                raise InvalidData(f"there is no {target} {str(name)!r}", f".rows.{kind}.{row_id}.{path}")


def _check_disks(state: State, images: Mapping[str, tuple[int, Any]]) -> None:
    """Refuse an OMI that cannot be launched, because its root or one of its snapshots is missing."""
    for image_id, (_, image) in images.items():
        if image is None:
            continue
        disks = {device.device_name: device.bsu.snapshot_id for device in image.block_device_mappings if device.bsu}
        missing = [each for each in disks.values() if each and not state.get("snapshot", each)]
        if not all(disks):
            raise InvalidData("each device must have a name", f".rows.image.{image_id}.block_device_mappings")
        if missing or not disks.get(ROOT):
            reason = f"there is no snapshot {missing[0]!r}" if missing else f"{ROOT} must have a snapshot"
            raise InvalidData(reason, f".rows.image.{image_id}.block_device_mappings")


def _check_due(state: State) -> None:
    """Refuse a due transition that its resource does not have: every call would fail on it."""
    for key, due in state.rows("due").items():
        row = state.get(due.kind, due.id) if due.kind in LIFECYCLES else None
        if key != f"{due.kind}:{due.id}" or row is None or due.event not in LIFECYCLES[due.kind].moves[row.state]:
            raise InvalidData("must be a transition of a resource", f".rows.due.{key}")


def _check_licences(state: State, codes: Iterable[str]) -> None:
    """Refuse a decision about a licence that does not exist; OMIs keep the code of a product type that is deleted."""
    for code in codes:
        if not Id("product_type").is_well_formed(code):
            try:
                check_licence(state, code)
            except ValueError as error:
                raise InvalidData(str(error), f".rows.licence.{code}") from None


def _lacks_default_group(state: State, account_id: str, net_id: str | None) -> bool:
    return not state.count("security_group", "name", (account_id, net_id, "default"))


def _lacks_primary_nic(state: State, vm: Any) -> bool:
    links = [nic.link_nic for nic in state.find_by("nic", "link_nic.vm_id", vm.vm_id)]
    return vm.net_id is not None and not any(link.device_number == 0 for link in links)


# kind, path in the row, whether a row is wrong, and the reason; what else calls rely on, they create together
_INVARIANTS: tuple[tuple[str, str, Callable[[State, Any], bool], str], ...] = (
    (
        "account",
        "",
        lambda state, row: row.alias is None and _lacks_default_group(state, row.account_id, None),
        "the account has no default security group",
    ),
    (
        "net",
        "",
        lambda state, row: row.state is NetState.AVAILABLE and _lacks_default_group(state, row.account_id, row.net_id),
        "the Net has no default security group",
    ),
    (
        "volume",
        ".state",
        lambda state, row: (row.state is VolumeState.IN_USE) != (state.get("volume_link", row.volume_id) is not None),
        "a volume must be in-use exactly when it is linked",
    ),
    (
        "nic",
        ".state",
        lambda _, row: (row.state == "in-use") != (row.link_nic is not None),
        "a NIC must be in-use exactly when it is linked",
    ),
    ("nic", ".private_ips", lambda _, row: not row.private_ips, "a NIC must have an address"),
    ("vm", "", _lacks_primary_nic, "a VM in a Net must have a NIC with the device number 0"),
    (
        "image_export",
        ".source",
        lambda _, row: row.source is None and row.state not in ENDED_EXPORT_STATES,
        "the task needs its OMI until it ends",
    ),
)
