"""Diagnostics of VMs: console output, administrator password and stop history."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Mapping
from typing import Any

from omisim.actions.framework.call import Call, as_parsed
from omisim.actions.framework.registry import action
from omisim.formats import ssh_keys
from omisim.model import AdminPassword, ConsoleOutput, Keypair, Vm, VmId, VmsStopHistory, VmState
from omisim.model.filters import FiltersVmsStopHistory, match_all
from omisim.model.filters.dicts import FiltersVmsStopHistoryDict
from omisim.model.ids import derive_hex
from omisim.spec.rules import refuse
from omisim.state.transaction import Transaction

CONSOLE_BYTES = 64 * 1024


@action("ReadConsoleOutput", ConsoleOutput)
def read_console_output(call: Call, *, vm_id: VmId) -> ConsoleOutput:
    """Return the last 64 KiB of a VM's console in Base64: a banner, then the text of `cloud.write_console`.

    A Windows VM has a console during its first boot only (VM-056).
    """
    vm = call.get_owned(Vm, vm_id, "VM-056/vm")
    banner = f"omisim: {vm.vm_id} has booted from {vm.image_id}\n" if vm.started else ""
    text = banner + (call.state.get("console", vm_id) or "")
    output = b"" if vm.is_windows and not vm.first_boot else text.encode(errors="replace")[-CONSOLE_BYTES:]
    return ConsoleOutput(console_output=base64.b64encode(output).decode(), vm_id=vm_id)


@action("ReadAdminPassword", AdminPassword)
def read_admin_password(call: Call, *, vm_id: VmId) -> AdminPassword:
    """Return the administrator password of a Windows VM in Base64, encrypted with its RSA keypair.

    Decrypt it with the private key (RSAES-PKCS1-v1_5). It is empty before the first boot and after it (VM-057).
    """
    vm = call.get_owned(Vm, vm_id, "VM-057/vm")
    call.check(vm.state is not VmState.TERMINATED, "VM-057/vm", vm_id=vm_id)
    if vm.is_windows:
        call.check(vm.keypair_name is not None, "VM-057/keypair", vm_id=vm_id)
        has_none = vm.started and vm.admin_password is None
        call.check(not has_none, "VM-057/rsa", vm_id=vm_id, keypair_name=vm.keypair_name)
    else:
        call.check(call.switch("linux_password") == "empty", "VM-057/windows", vm_id=vm_id)
    return AdminPassword(admin_password=vm.admin_password or "", vm_id=vm_id)


@action("ReadVmsStopHistory", "VmsStopHistory", paged=True, dry_run=False)
def read_vms_stop_history(
    call: Call, *, filters: FiltersVmsStopHistory | FiltersVmsStopHistoryDict | None = None
) -> tuple[VmsStopHistory, ...]:
    """List when and why the caller's VMs stopped, the oldest stop first (VM-052).

    A VM is listed for as long as it can be read.
    """
    if call.switch("spec_version") == "1.40":
        raise refuse("REQ-002", action=call.action, hint="")
    parsed_filters = as_parsed(filters) or match_all(FiltersVmsStopHistory)
    call.check_range(parsed_filters.stop_date_after, parsed_filters.stop_date_before)
    stopped = call.find_rows(Vm, [("owner of stops", call.account.account_id)], parsed_filters)
    stops = (stop for vm in stopped if call.owns(vm) for stop in vm.stops)
    return call.select(sorted(stops, key=lambda stop: stop.stop_date), parsed_filters)


def make_boot_password(tx: Transaction, vm: Vm) -> str | None:
    """Return the encrypted password of a VM that starts. Windows with an RSA keypair generates it at its first boot."""
    if not (vm.first_boot and vm.is_windows):
        return vm.admin_password
    keys: list[Keypair] = tx.state.find_by("keypair", "name", (vm.account_id, vm.keypair_name))
    if not keys or keys[0].keypair_type != "ssh-rsa":
        return vm.admin_password
    seed = tx.settings.seed
    password = derive_hex(f"{seed}:{vm.vm_id}:administrator")[:16]
    key = ssh_keys.parse(keys[0].public_key)
    return base64.b64encode(key.encrypt(password.encode(), derive_hex(f"{seed}:{vm.vm_id}:padding"))).decode()


def end_first_boot(vm: Vm) -> Mapping[str, Any]:
    """Return what changes in a VM after its first boot, by field: its password is cleared."""
    return {"admin_password": vm.admin_password and "", "first_boot": False}


def make_stop_entry(vm: Vm, at: dt.datetime) -> VmsStopHistory:
    """Return the stop history entry of a stopped VM."""
    return VmsStopHistory(state_reason=vm.state_reason, stop_date=at, vm_id=vm.vm_id)
