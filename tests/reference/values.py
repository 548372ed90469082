"""Checks of values: disks, device names, names, permissions, product codes, VM types."""

from __future__ import annotations

import re

from reference.call import Call
from reference.world import ROOT, Row

__all__ = [
    "apply_permission_changes",
    "check_codes",
    "check_device",
    "check_disk",
    "check_name",
    "check_partial_disk",
    "check_permission_changes",
    "check_tags",
    "compute_iops",
    "parse_vm_type",
]

DISKS = ("standard", "gp2", "io1")
PERFORMANCES = {"medium": "3", "high": "2", "highest": "1"}
# Types with the names of EC2 that this model knows: vCores, GiB, flag. [VMT-005]
NAMED = {
    "t2.nano": (1, 1, "3"),
    "t2.micro": (1, 1, "3"),
    "t2.small": (1, 2, "3"),
    "m4.2xlarge": (8, 33, "2"),
    "c4.large": (2, 4, "1"),
}
TINA = re.compile(r"tinav([1-7])\.c([1-9]\d*)r([1-9]\d*)(?:p([123]))?")


def compute_iops(kind: str, size: int, iops: int | None) -> int | None:
    """Return the IOPS that a volume reports. [VOL-011, VOL-012]"""
    return {"standard": None, "gp2": max(100, min(10_000, 3 * size)), "io1": iops}[kind]


def check_disk(call: Call, kind: str, size: int | None, iops: int | None, *, after: int = 0) -> None:
    """Check a disk's type, size in GiB and IOPS. [VOL-004 to VOL-010, OMI-055 to OMI-060]"""
    call.check(kind in DISKS, "4047", after=after)
    call.check(size is None or (4 if kind == "io1" else 1) <= size <= 14_901, "4078", after=after)
    call.check((kind == "io1") == (iops is not None), "4045", after=after)
    if iops is not None:
        call.check(100 <= iops <= 13_000, "4029", after=after)
        call.check(size is None or kind != "io1" or iops <= 300 * size, "4202", after=after)


def check_partial_disk(call: Call, kind: str | None, size: int | None, iops: int | None) -> None:
    """Check the values that a request gives for a disk whose other values are inherited."""
    call.check(kind in (None, *DISKS), "4047")
    call.check(size is None or 1 <= size <= 14_901, "4078")
    call.check(iops is None or 100 <= iops <= 13_000, "4029")


def check_device(call: Call, name: str) -> None:
    """Check a device name. [OMI-053, LNK-004]"""
    call.check(name == ROOT or re.fullmatch(r"/dev/(sd|xvd)[b-z][a-z]?", name), "4019")


def check_name(call: Call, name: str, *, copy: bool) -> None:
    """Check the name of a new OMI; a copy allows a few more characters. [OMI-020, OMI-021, OMI-022, OMI-025]"""
    more = ":+=" if copy else ""
    call.check(re.fullmatch(rf"[A-Za-z0-9_ ()/.{more}\-]{{3,128}}", name), "4026")
    call.check(name not in [image["ImageName"] for image in call.world.list_own("Image", call.account)], "9015")


def check_codes(call: Call, codes: list[str]) -> None:
    """Check product codes: the built-in codes, and those of product types. [OMI-074, LIC-001]"""
    known_codes = {f"000{number}" for number in range(1, 10)}
    for code in codes:
        call.check(code in known_codes or code.startswith("pty-"), "5059")


UPDATED = {"PermissionsToLaunch", "PermissionsToCreateVolume", "ImageId", "SnapshotId", "DryRun"}


def check_permission_changes(call: Call, change: Row | None) -> None:
    """Check changes of permissions. [OMI-102 to OMI-105, SHR-019 to SHR-021]"""
    if change is None:
        return
    call.check(change or set(call.parameters) - UPDATED, "7000")
    call.check(not ("Additions" in change and "Removals" in change), "3002")
    for branch in change.values():
        for account in branch.get("AccountIds", []):
            call.check(re.fullmatch(r"\d{12}", account), "4105")


def apply_permission_changes(permissions: Row, change: Row | None) -> Row:
    """Return permissions after the changes. [OMI-108 to OMI-111, SHR-023]"""
    more, less = (change or {}).get("Additions", {}), (change or {}).get("Removals", {})
    ids = list(dict.fromkeys([*permissions["AccountIds"], *more.get("AccountIds", [])]))
    public = permissions["GlobalPermission"] or more.get("GlobalPermission", False)
    return {
        "AccountIds": [one for one in ids if one not in less.get("AccountIds", [])],
        "GlobalPermission": public and not less.get("GlobalPermission", False),
    }


def check_tags(call: Call, tags: list[Row]) -> None:
    """Check tags. [TAG-003]"""
    for tag in tags:
        call.check(1 <= len(tag["Key"]) <= 255, "4069")
        call.check(len(tag["Value"]) <= 255, "4071")


def parse_vm_type(name: str, performance: str) -> tuple[str, str, int, int] | None:
    """Return a VM type's displayed name, performance, vCores and GiB, or None if invalid. [VMT-001 to VMT-008]"""
    if name in NAMED:
        cores, memory, flag = NAMED[name]
        return name, _get_performance(flag), cores, memory
    match = TINA.fullmatch(name)
    if match is None:
        return None
    cores, memory = int(match[2]), int(match[3])
    if cores > 78 or memory > 1039:
        return None
    if match[4]:
        return name, _get_performance(match[4]), cores, memory
    return f"{name}p{PERFORMANCES[performance]}", performance, cores, memory


def _get_performance(flag: str) -> str:
    """Return the performance of a flag. [VMT-004]"""
    return next(word for word, other in PERFORMANCES.items() if flag == other)
