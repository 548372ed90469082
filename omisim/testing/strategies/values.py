"""Strategies of single values: names, VM types, devices, permissions."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

from hypothesis import strategies as st

from omisim.base.suggest import suggest
from omisim.base.texts import join_alternatives
from omisim.spec.catalog import load_catalog
from omisim.spec.limits import MAX_SIZE, MIN_IO1_SIZE, MIN_IOPS, ROOT
from omisim.spec.vm_types import MAX_CORES, MAX_MEMORY

__all__ = ["check_choice", "check_strings", "device_mappings", "image_names", "permissions", "vm_types"]

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_ ()/.-"
MIN_LENGTH, MAX_LENGTH = 3, 128  # characters of a name
USUAL_SIZE = 200  # GiB: the largest size drawn, unless `smallest` is larger
_INVALID_TYPES = ("tinav0.c2r4p2", "tinav4.c8r33p4", "tinav5.c0r4p2", "tinav5.c2r4p", "t2.enormous", "tinav9.c1r1p1")


def check_choice(parameter: str, value: object, choices: Sequence[object], description: str = "") -> None:
    """Raise ValueError for an unknown value of a parameter.

    The error suggests the most similar known value, and lists all of them unless there is a `description` of them.
    """
    if value not in choices:
        known = description or join_alternatives([*map(repr, choices)])
        raise ValueError(f"{parameter} must be {known}, not {value!r}{suggest(value, map(str, choices))}")


def check_strings(parameter: str, values: Sequence[str]) -> list[str]:
    """Return a collection of strings as a list. Raises ValueError for a single string and for other types."""
    if (
        not isinstance(values, Collection)
        or isinstance(values, str)
        or not all(isinstance(value, str) for value in values)
    ):
        raise ValueError(f"{parameter} must be a list of str, not {values!r}")
    return list(values)


def image_names(*, valid: bool = True) -> st.SearchStrategy[str]:
    """Draw names of OMIs with 3 to 128 allowed characters, or names that the API refuses (OMI-020, OMI-021)."""
    check_choice("valid", valid, (True, False))
    if valid:
        return st.text(_LETTERS, min_size=MIN_LENGTH, max_size=MAX_LENGTH)
    foreign = st.characters(exclude_characters=_LETTERS, codec="utf-8")
    return st.one_of(
        st.text(_LETTERS, min_size=1, max_size=MIN_LENGTH - 1),  # an empty name is an absent one
        st.text(_LETTERS, min_size=MAX_LENGTH + 1, max_size=MAX_LENGTH + 40),
        st.tuples(st.text(_LETTERS, min_size=MIN_LENGTH, max_size=20), foreign).map("".join),
    )


def vm_types(kind: Literal["valid", "invalid", "windows"] = "valid") -> st.SearchStrategy[str]:
    """Draw VM types: "valid", "invalid" or "windows".

    Valid types are TINA types of any generation, size and flag, and EC2 names. Invalid types do not exist (VMT-001,
    VMT-002). Types for Windows meet its minimum requirements (LIC-014).
    """
    check_choice("kind", kind, ("valid", "invalid", "windows"))
    if kind == "invalid":
        return st.sampled_from(_INVALID_TYPES) | st.text(min_size=1, max_size=12).filter(
            lambda text: "tina" not in text and "." not in text
        )
    minimums = (3, 2, 4) if kind == "windows" else (1, 1, 1)
    tina = st.builds(
        lambda generation, cores, memory, flag: f"tinav{generation}.c{cores}r{memory}{flag}",
        st.integers(minimums[0], 7),
        st.integers(minimums[1], MAX_CORES),
        st.integers(minimums[2], MAX_MEMORY),
        st.sampled_from(["", "p1", "p2", "p3"]),
    )
    return tina if kind == "windows" else tina | st.sampled_from(sorted(load_catalog().vm_types))


def device_mappings(
    snapshot_ids: Sequence[str] = (), *, root: bool = False, smallest: int = 1
) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Draw lists of block device mappings with the API's names and unique devices, for CreateVms and CreateImage.

    `snapshot_ids`: the snapshots that disks may be created from. `root`: start with a root device that is created from
    a snapshot, as registering an OMI requires. `smallest`: the minimum size of a disk in GiB, at least the size of the
    snapshots. Raises ValueError for a root without a snapshot.
    """
    snapshots = check_strings("snapshot_ids", snapshot_ids)
    if root and not snapshots:
        raise ValueError(f"snapshot_ids must be a list of at least one id if root is True, not {snapshot_ids!r}")
    if type(smallest) is not int or not 1 <= smallest <= MAX_SIZE:
        raise ValueError(f"smallest must be an int from 1 to {MAX_SIZE} (GiB), not {smallest!r}")
    names = st.builds("{}{}".format, st.sampled_from(["/dev/sd", "/dev/xvd"]), st.sampled_from("bcdefghij"))
    largest = max(smallest, USUAL_SIZE)
    sizes = st.integers(smallest, largest)
    from_snapshot = st.fixed_dictionaries({"SnapshotId": st.sampled_from(snapshots)}) if snapshots else st.nothing()
    blank = st.fixed_dictionaries({"VolumeSize": sizes})
    io1 = st.builds(_build_io1, st.integers(max(smallest, MIN_IO1_SIZE), largest), st.integers(MIN_IOPS, 1200))
    disk = st.one_of(blank, io1, from_snapshot)
    mapping = st.builds(_build_mapping, names, disk, st.sampled_from([None, True, False]))
    lists = st.lists(mapping, max_size=4, unique_by=lambda device: device["DeviceName"])
    if not root:
        return lists
    return st.builds(
        lambda first, rest: [first, *rest], st.builds(_build_mapping, st.just(ROOT), from_snapshot, st.none()), lists
    )


def _build_io1(size: int, iops: int) -> dict[str, Any]:
    return {"VolumeSize": size, "VolumeType": "io1", "Iops": iops}


def _build_mapping(device: str, bsu: dict[str, Any], keep: bool | None) -> dict[str, Any]:
    deletion = {} if keep is None else {"DeleteOnVmDeletion": keep}
    return {"DeviceName": device, "Bsu": {**bsu, **deletion}}


def permissions(account_ids: Sequence[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw changes of permissions for UpdateImage and UpdateSnapshot: additions or removals of accounts or of everyone.

    Raises ValueError for an empty list of accounts.
    """
    accounts = check_strings("account_ids", account_ids)
    if not accounts:
        raise ValueError(f"account_ids must be a list of at least one id, not {account_ids!r}")
    some_ids = st.lists(st.sampled_from(accounts), min_size=1, unique=True)
    change = st.one_of(
        st.fixed_dictionaries({"AccountIds": some_ids}),
        st.just({"GlobalPermission": True}),
        st.fixed_dictionaries({"AccountIds": some_ids, "GlobalPermission": st.booleans()}),
    )
    return st.builds(lambda key, value: {key: value}, st.sampled_from(["Additions", "Removals"]), change)
