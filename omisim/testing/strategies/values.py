"""Strategies of single values: names, VM types, devices, permissions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from hypothesis import strategies as st

from omisim.actions.vm_types import MAX_CORES, MAX_MEMORY
from omisim.base.suggest import suggest
from omisim.spec.catalog import load_catalog

__all__ = ["ROOT", "device_mappings", "image_names", "one_of_these", "permissions", "texts", "vm_types"]

ROOT = "/dev/sda1"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ()/.-"
SHORTEST, LONGEST = 3, 128  # characters of a name
FEW = 8  # values that an error lists
MAX_SIZE = 14_901  # GiB of a volume
USUAL = 200  # GiB: no larger ones are drawn, unless the smallest is
_WRONG_TYPES = ("tinav0.c2r4p2", "tinav4.c8r33p4", "tinav5.c0r4p2", "tinav5.c2r4p", "t2.enormous", "tinav9.c1r1p1")


def one_of_these(what: str, value: object, known: Sequence[object]) -> None:
    """Refuse an argument that is none of those that are known: one clear line, with the nearest where they are many."""
    if value in known:
        return
    if len(known) > FEW:
        raise ValueError(f"{value!r} is not {what}{suggest(value, map(str, known))}")
    raise ValueError(f"{what} is one of {', '.join(map(repr, known))}; not {value!r}")


def texts(what: str, values: Sequence[str]) -> list[str]:
    """Return texts as a list. Raises ValueError, one clear line, for one text, and for what is none."""
    if not isinstance(values, Collection) or isinstance(values, str) or not all(isinstance(one, str) for one in values):
        raise ValueError(f"{what} is a list of texts, not {values!r}")
    return list(values)


def image_names(*, valid: bool = True) -> st.SearchStrategy[str]:
    """Draw names of OMIs: 3 to 128 allowed characters; or ones that the API refuses (OMI-020, OMI-021)."""
    one_of_these("valid", valid, (True, False))
    if valid:
        return st.text(_LETTERS, min_size=SHORTEST, max_size=LONGEST)
    foreign = st.characters(exclude_characters=_LETTERS, codec="utf-8")
    return st.one_of(
        st.text(_LETTERS, max_size=SHORTEST - 1),
        st.text(_LETTERS, min_size=LONGEST + 1, max_size=LONGEST + 40),
        st.tuples(st.text(_LETTERS, min_size=SHORTEST, max_size=20), foreign).map("".join),
    )


def vm_types(kind: str = "valid") -> st.SearchStrategy[str]:
    """Draw VM types: "valid", "invalid" or "windows".

    Valid ones are TINA of any generation, size and flag, and the names of EC2; invalid ones there are not (VMT-001,
    VMT-002); on those for Windows it works (LIC-014).
    """
    one_of_these("kind", kind, ("valid", "invalid", "windows"))
    if kind == "invalid":
        return st.sampled_from(_WRONG_TYPES) | st.text(max_size=12).filter(
            lambda text: "tina" not in text and "." not in text
        )
    least = (3, 2, 4) if kind == "windows" else (1, 1, 1)
    tina = st.builds(
        lambda generation, cores, memory, flag: f"tinav{generation}.c{cores}r{memory}{flag}",
        st.integers(least[0], 7),
        st.integers(least[1], MAX_CORES),
        st.integers(least[2], MAX_MEMORY),
        st.sampled_from(["", "p1", "p2", "p3"]),
    )
    return tina if kind == "windows" else tina | st.sampled_from(sorted(load_catalog().vm_types))


def device_mappings(
    snapshot_ids: Sequence[str] = (), *, root: bool = False, smallest: int = 1
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw lists of block device mappings by the API's names, each device once, as CreateVms and CreateImage take them.

    `snapshot_ids`: those that disks may be made from. `root`: the first one is the root, made from a snapshot, as a
    registration needs it. `smallest`: the least GiB of a disk, that of the snapshots. Raises ValueError for a root
    without a snapshot.
    """
    snapshots = texts("snapshot_ids", snapshot_ids)
    if root and not snapshots:
        raise ValueError("a root is made from a snapshot: name some in snapshot_ids")
    if type(smallest) is not int or not 1 <= smallest <= MAX_SIZE:
        raise ValueError(f"smallest is a number of GiB from 1 to {MAX_SIZE}; not {smallest!r}")
    names = st.builds("{}{}".format, st.sampled_from(["/dev/sd", "/dev/xvd"]), st.sampled_from("bcdefghij"))
    largest = max(smallest, USUAL)
    sizes = st.integers(smallest, largest)
    source = st.fixed_dictionaries({"SnapshotId": st.sampled_from(snapshots)}) if snapshots else st.nothing()
    blank = st.fixed_dictionaries({"VolumeSize": sizes})
    io1 = st.builds(_io1, st.integers(max(smallest, 4), largest), st.integers(100, 1200))
    disk = st.one_of(blank, io1, source)
    data = st.builds(_mapping, names, disk, st.sampled_from([None, True, False]))
    lists = st.lists(data, max_size=4, unique_by=lambda mapping: mapping["DeviceName"])
    if not root:
        return lists
    return st.builds(lambda first, rest: [first, *rest], st.builds(_mapping, st.just(ROOT), source, st.none()), lists)


def _io1(size: int, iops: int) -> dict[str, Any]:
    return {"VolumeSize": size, "VolumeType": "io1", "Iops": iops}


def _mapping(device: str, bsu: dict[str, Any], keep: bool | None) -> dict[str, Any]:
    more = {} if keep is None else {"DeleteOnVmDeletion": keep}
    return {"DeviceName": device, "Bsu": {**bsu, **more}}


def permissions(account_ids: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw changes of permissions, as UpdateImage and UpdateSnapshot take them: to add or to remove accounts, or all.

    Raises ValueError without an account to share with.
    """
    accounts = texts("account_ids", account_ids)
    if not accounts:
        raise ValueError("permissions are given to accounts: name some in account_ids")
    some = st.lists(st.sampled_from(accounts), min_size=1, unique=True)
    change = st.one_of(
        st.fixed_dictionaries({"AccountIds": some}),
        st.just({"GlobalPermission": True}),
        st.fixed_dictionaries({"AccountIds": some, "GlobalPermission": st.booleans()}),
    )
    return st.builds(_directed, st.sampled_from(["Additions", "Removals"]), change)


def _directed(way: str, change: dict[str, Any]) -> dict[str, Any]:
    return {way: change}
