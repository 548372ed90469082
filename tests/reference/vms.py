"""VMs: started, stopped, changed, deleted. [domain: 6.5, 6.6]"""

from __future__ import annotations

import base64
import binascii
import re

from reference.call import EXISTENCE, Call
from reference.values import vm_type
from reference.world import ROOT, Row

__all__ = [
    "asked_performance",
    "behaviour",
    "check_behaviour",
    "delete_vms",
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


def asked_performance(call: Call, default: str = "high") -> str:
    """Return the performance that is asked for. [VM-027]"""
    asked: str = call.get("Performance", default)
    known = asked in ("medium", "high", "highest")
    call.check(known, "4047")
    return asked if known else default


def check_behaviour(call: Call) -> None:
    """Check what happens when the guest or the host goes down. [VM-024, VM-025], and UserData. [VM-019]"""
    call.check(call["VmInitiatedShutdownBehavior"] in (None, *OLD), "4047")
    config = call["ShutdownBehaviorConfiguration"] or {}
    call.check(config.get("GuestAction") in (None, "stop", "terminate"), "4047")
    call.check(config.get("HostAction") in (None, "restart", "stop"), "4047")
    try:
        base64.b64decode(call["UserData"] or "", validate=True)
    except (binascii.Error, ValueError):
        call.check(holds=False, code="4047")


def behaviour(call: Call, old: Row) -> Row:
    """Return both fields of what happens at a shutdown; the new one wins. [VM-024, VM-025]"""
    config = call["ShutdownBehaviorConfiguration"] or {}
    legacy = call["VmInitiatedShutdownBehavior"]
    before = old.get("VmInitiatedShutdownBehavior", "stop")
    now = OLD[legacy] if legacy else old.get("ShutdownBehaviorConfiguration", OLD[before])
    return {
        "ShutdownBehaviorConfiguration": {**now, **config},
        "VmInitiatedShutdownBehavior": config.get("GuestAction") or legacy or before,
    }


def _all(call: Call, action: str) -> list[Row]:
    """Find the VMs of a batch: one that is not there, or may not, refuses all. [VM-040, VM-041, REQ-016]"""
    rows = [call.find("Vm", one, own=True) for one in dict.fromkeys(call["VmIds"])]
    found = [row for row in rows if row]
    for vm in found:
        call.may("Vm", vm, action)
    return found


def _moved(vms: list[Row], to: dict[str, str]) -> Row:
    """Move VMs, and answer what they were and are. [VM-042]"""
    answer = []
    for vm in vms:
        before = vm["State"]
        vm["State"] = to.get(before, before)
        answer.append({"VmId": vm["VmId"], "PreviousState": before, "CurrentState": vm["State"]})
    return {"Vms": answer}


def start_vms(call: Call) -> Row:
    """Start VMs that are stopped and have a root. [ST-VM-3, LNK-011]"""
    vms = _all(call, "StartVms")
    for vm in vms:
        links = [one for one in call.world.links(vm) if one["State"] != "detaching"]
        call.check(any(one["DeviceName"] == ROOT for one in links), "6003")
    call.decide()
    for vm in vms:
        vm["restarts"] = False
    return _moved(vms, {"stopped": "pending"})


def stop_vms(call: Call) -> Row:
    """Stop VMs; one that is stopped stays so. [ST-VM-4]"""
    vms = _all(call, "StopVms")
    call.decide()
    for vm in vms:
        vm["restarts"] = False  # one that CreateImage takes down does not come up again
    return _moved(vms, {"running": "stopping"})


def reboot_vms(call: Call) -> Row:
    """Reboot VMs; they stay running. [ST-VM-8]"""
    _all(call, "RebootVms")
    call.decide()
    return {}


def delete_vms(call: Call) -> Row:
    """End VMs, unless one is protected; a terminated one stays so. [ST-VM-9, VM-045, VM-046, VM-048]"""
    vms = _all(call, "DeleteVms")
    for vm in vms:
        call.check(not vm["DeletionProtection"] or vm["State"] == "terminated", "8018")
    call.decide()
    ending = dict.fromkeys(("pending", "running", "stopping", "stopped"), "shutting-down")
    for vm in vms:
        vm["restarts"] = vm["stays"] = False
    return _moved(vms, ending)


STOP_ONLY = {"NestedVirtualization", "Performance", "UserData", "VmType"}
ANY_STATE = ("DeletionProtection", "UserData", "NestedVirtualization")


def update_vm(call: Call) -> Row:
    """Change a VM: some attributes in any state, some when it is stopped. [VM-070 to VM-080, VMT-011]"""
    call.check(set(call.given) - {"VmId", "DryRun"}, "7000")
    check_behaviour(call)
    vm = call.find("Vm", call["VmId"], own=True)
    performance = asked_performance(call, vm["Performance"] if vm else "high")
    call.check(call["KeypairName"] is None, "5071")
    if vm:
        call.may("Vm", vm, "UpdateVm stopped" if STOP_ONLY & set(call.given) else "UpdateVm")
        if call["BsuOptimized"] is not None:
            stopped = vm["State"] == "stopped"
            call.check(stopped, "6003")
            call.check(not stopped or call["BsuOptimized"] is False, "4017", after=EXISTENCE)
        call.check(call["IsSourceDestChecked"] is None, "9062")
    shown = None
    if call["VmType"] is not None or (call["Performance"] is not None and vm):
        # the flag of a type that a VM has is its performance as it is shown [VMT-003], not one that was asked for
        name = call["VmType"] if call["VmType"] is not None else re.sub(r"(?<=\d)p\d$", "", vm["VmType"] if vm else "")
        shown = vm_type(name, performance)
        call.check(shown, "5024")
    links = _updated_links(call, vm)
    call.decide()
    assert vm
    vm |= {name: call[name] for name in ANY_STATE if call[name] is not None}
    vm |= behaviour(call, vm)
    if shown:
        vm["VmType"], vm["Performance"], vm["cores"], vm["memory"] = shown
    for one, delete in links:
        one["DeleteOnVmDeletion"] = delete
    return {"Vm": call.world.view("Vm", call.account, vm)}


def _updated_links(call: Call, vm: Row | None) -> list[tuple[Row, bool]]:
    """Return which links change their flag. [VM-073, VM-076]"""
    changed = []
    for mapping in call["BlockDeviceMappings"] or []:
        bsu = mapping.get("Bsu", {})
        if "VolumeId" in bsu:
            call.shaped(bsu["VolumeId"], "vol")
        found = [
            one
            for one in (call.world.links(vm) if vm else [])
            if mapping.get("DeviceName") in (None, one["DeviceName"]) and bsu.get("VolumeId") in (None, one["VolumeId"])
        ]
        said = mapping.get("DeviceName") or bsu.get("VolumeId")
        call.check((found and said) or not vm, "4003" if "VolumeId" not in bsu else "4077", after=EXISTENCE)
        if found and "DeleteOnVmDeletion" in bsu:
            changed.append((found[0], bsu["DeleteOnVmDeletion"]))
    return changed
