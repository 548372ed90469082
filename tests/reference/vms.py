"""VMs: starting, stopping, updating and deleting them. [domain: 6.5, 6.6]"""

from __future__ import annotations

import base64
import binascii
import re

from reference.call import EXISTENCE, STATE, Call
from reference.values import parse_vm_type
from reference.world import ROOT, Row

__all__ = [
    "check_behaviour",
    "check_performance",
    "delete_vms",
    "find_tags",
    "merge_behaviour",
    "reboot_vms",
    "start_vms",
    "stop_vms",
    "update_vm",
]

# what a value of the old field stands for [VM-025/old]
OLD = {
    "stop": {"GuestAction": "stop", "HostAction": "stop"},
    "restart": {"GuestAction": "stop", "HostAction": "restart"},
    "terminate": {"GuestAction": "terminate", "HostAction": "restart"},
}


def check_performance(call: Call, default: str = "high") -> str:
    """Check the requested performance and return it. [VM-027]"""
    performance: str = call.get("Performance", default)
    is_known = performance in ("medium", "high", "highest")
    call.check(is_known, "4047")
    return performance if is_known else default


def check_behaviour(call: Call) -> None:
    """Check the shutdown behaviours [VM-024, VM-025] and UserData [VM-019]."""
    call.check(call["VmInitiatedShutdownBehavior"] in (None, *OLD), "4047")
    config = call["ShutdownBehaviorConfiguration"] or {}
    call.check(config.get("GuestAction") in (None, "stop", "terminate"), "4047")
    call.check(config.get("HostAction") in (None, "restart", "stop"), "4047")
    try:
        base64.b64decode(re.sub(r"\s", "", call["UserData"] or ""), validate=True)
    except (binascii.Error, ValueError):
        call.check(holds=False, code="4047")


def find_tags(user_data: str | None) -> list[Row]:
    """Return the tags that the OUTSCALE section of user data sets. [VM-033]"""
    text = base64.b64decode(user_data or "").decode("latin-1")
    section = re.search("-----BEGIN OUTSCALE SECTION-----\n(.*?)-----END OUTSCALE SECTION-----", text, re.DOTALL)
    return [
        {"Key": key, "Value": value}
        for key, value in re.findall(r"^tags\.(.+?)=(.*)$", section[1] if section else "", re.MULTILINE)
    ]


def merge_behaviour(call: Call, old: Row) -> Row:
    """Return both fields of the shutdown behaviour; the newer one takes precedence. [VM-024, VM-025]"""
    config = call["ShutdownBehaviorConfiguration"] or {}
    legacy = call["VmInitiatedShutdownBehavior"]
    before = old.get("VmInitiatedShutdownBehavior", "stop")
    now = OLD[legacy] if legacy else old.get("ShutdownBehaviorConfiguration", OLD[before])
    return {
        "ShutdownBehaviorConfiguration": {**now, **config},
        "VmInitiatedShutdownBehavior": config.get("GuestAction") or legacy or before,
    }


def _find_vms(call: Call, action: str) -> list[Row]:
    """Return the VMs of a batch; an unknown VM or a wrong state refuses all. [VM-040, VM-041, REQ-016]"""
    rows = [call.find("Vm", vm_id, own=True) for vm_id in dict.fromkeys(call["VmIds"])]
    vms = [row for row in rows if row]
    for vm in vms:
        call.check_state("Vm", vm, action)
    return vms


def _move(vms: list[Row], to: dict[str, str]) -> Row:
    """Move VMs to other states, and return the previous and current states. [VM-042]"""
    answer = []
    for vm in vms:
        before = vm["State"]
        vm["State"] = to.get(before, before)
        answer.append({"VmId": vm["VmId"], "PreviousState": before, "CurrentState": vm["State"]})
    return {"Vms": answer}


def start_vms(call: Call) -> Row:
    """Start stopped VMs that have a root volume. [ST-VM-3, LNK-011]"""
    vms = _find_vms(call, "StartVms")
    for vm in vms:
        links = [link for link in call.world.list_links(vm) if link["State"] != "detaching"]
        call.check(any(link["DeviceName"] == ROOT for link in links), "6003")
    call.raise_if_refused()
    for vm in vms:
        vm["restarts"] = vm["ends"] = False
    return _move(vms, {"stopped": "pending"})


def stop_vms(call: Call) -> Row:
    """Stop VMs; a stopped VM remains stopped, or follows its behavior if it would go on. [ST-VM-4]"""
    vms = _find_vms(call, "StopVms")
    call.raise_if_refused()
    for vm in vms:
        going_on = vm.get("restarts") or vm.get("ends")  # if it is stopped: it would be started or deleted next
        if vm["State"] in ("running", "stopping") or going_on:  # [VM-024]
            behaviour = vm["VmInitiatedShutdownBehavior"]
            vm["restarts"], vm["ends"] = behaviour == "restart", behaviour == "terminate"
    return _move(vms, {"running": "stopping"})


def reboot_vms(call: Call) -> Row:
    """Reboot VMs; they remain running. [ST-VM-8]"""
    _find_vms(call, "RebootVms")
    call.raise_if_refused()
    return {}


def delete_vms(call: Call) -> Row:
    """Terminate VMs, unless one is protected. [ST-VM-9, VM-045, VM-046, VM-048]"""
    vms = _find_vms(call, "DeleteVms")
    for vm in vms:
        call.check(not vm["DeletionProtection"] or vm["State"] == "terminated", "8018")
    call.raise_if_refused()
    ending = dict.fromkeys(("pending", "running", "stopping", "stopped"), "shutting-down")
    for vm in vms:
        vm["restarts"] = vm["stays"] = vm["ends"] = False
    return _move(vms, ending)


STOP_ONLY = {"NestedVirtualization", "Performance", "UserData", "VmType"}
ANY_STATE = ("DeletionProtection", "UserData", "NestedVirtualization")


def update_vm(call: Call) -> Row:
    """Update a VM: some attributes in any state, others only when it is stopped. [VM-070 to VM-080, VMT-011]"""
    call.check(set(call.parameters) - {"VmId", "DryRun"}, "7000")
    check_behaviour(call)
    vm = call.find("Vm", call["VmId"], own=True)
    performance = check_performance(call, vm["Performance"] if vm else "high")
    call.check(call["KeypairName"] is None, "5071")
    if vm:
        call.check_state("Vm", vm, "UpdateVm stopped" if STOP_ONLY & set(call.parameters) else "UpdateVm")
        nested = call["NestedVirtualization"] and vm["Placement"]["Tenancy"] == "default"
        call.check(not nested, "4045", after=STATE)
        if call["BsuOptimized"] is not None:
            stopped = vm["State"] == "stopped"
            call.check(stopped, "6006")
            call.check(not stopped or call["BsuOptimized"] is False, "4017", after=EXISTENCE)
        call.check(call["IsSourceDestChecked"] is None, "9062")
    new_type = None
    if call["VmType"] is not None or (call["Performance"] is not None and vm and not vm["flagged"]):
        # a requested flag stays [VMT-004]; any other flag of a type is the displayed performance [VMT-003]
        name = call["VmType"] if call["VmType"] is not None else re.sub(r"(?<=\d)p\d$", "", vm["VmType"] if vm else "")
        new_type = parse_vm_type(name, performance)
        call.check(new_type, "5024")
    if vm and new_type and call["VmType"] is not None:
        others = [
            row for row in call.world.list_own("Vm", call.account) if row["State"] != "terminated" and row is not vm
        ]
        for name, quota, code, new in (
            ("cores", "core_limit", "10029", new_type[2]),
            ("memory", "memory_limit", "10042", new_type[3]),
        ):
            call.check_quota(quota, sum(row[name] for row in others), new if new > vm[name] else 0, code)
    links = _find_link_updates(call, vm)
    call.raise_if_refused()
    assert vm
    vm |= {name: call[name] for name in ANY_STATE if call[name] is not None}
    tags = {tag["Key"]: tag for tag in (*vm["Tags"], *find_tags(call["UserData"]))}
    vm["Tags"] = list(tags.values())
    vm |= merge_behaviour(call, vm)
    if new_type:
        vm["VmType"], vm["Performance"], vm["cores"], vm["memory"] = new_type
        vm["flagged"] = new_type[0] == call["VmType"]
    for link, delete in links:
        link["DeleteOnVmDeletion"] = delete
    return {"Vm": call.world.view("Vm", call.account, vm)}


def _find_link_updates(call: Call, vm: Row | None) -> list[tuple[Row, bool]]:
    """Return the links whose flag changes, with the new flags. [VM-073, VM-076]"""
    changed_vms = []
    for mapping in call["BlockDeviceMappings"] or []:
        bsu = mapping.get("Bsu", {})
        if "VolumeId" in bsu:
            call.check_id(bsu["VolumeId"], "vol")
        matches = [
            link
            for link in (call.world.list_links(vm) if vm else [])
            if mapping.get("DeviceName") in (None, link["DeviceName"])
            and bsu.get("VolumeId") in (None, link["VolumeId"])
        ]
        selector = mapping.get("DeviceName") or bsu.get("VolumeId")
        call.check((matches and selector) or not vm, "4003" if "VolumeId" not in bsu else "4077", after=EXISTENCE)
        if matches and "DeleteOnVmDeletion" in bsu:
            changed_vms.append((matches[0], bsu["DeleteOnVmDeletion"]))
    return changed_vms
