"""Attributes of CreateVms and UpdateVm other than disks and networks: their checks and their answered form."""

from __future__ import annotations

from omisim.actions.framework.call import Call
from omisim.actions.tags import MAX_KEY_LENGTH, MAX_VALUE_LENGTH
from omisim.formats.user_data import decode_user_data, parse_section
from omisim.model import WINDOWS_CODES, ActionsOnNextBoot, Image, ResourceTag, ShutdownBehaviorConfiguration, Vm
from omisim.model.base import GUEST_ACTIONS, HOST_ACTIONS, SECURE_BOOT_ACTIONS
from omisim.spec.vm_types import PERFORMANCES, VmShape

__all__ = [
    "add_section_tags", "check_attributes", "check_keypair", "check_nested_virtualization", "check_secure_boot",
    "check_windows", "choose_boot_mode", "format_vm_type", "get_os_family", "get_shutdown_actions",
    "merge_shutdown_behavior", "show_boot_actions",
]  # fmt: skip

MAX_USER_DATA_LENGTH = 512_000
WINDOWS_MINIMUM = (3, 2, 4)  # generation, vCores, GiB (LIC-014)


def check_attributes(
    call: Call,
    performance: str | None,
    user_data: str | None,
    behavior: str | None,
    configuration: ShutdownBehaviorConfiguration | None,
) -> None:
    """Check the values that CreateVms and UpdateVm share (VM-019, VM-024, VM-025, VM-027)."""
    call.check(performance in (None, *PERFORMANCES), "VM-027", performance=performance)
    call.check(behavior in (None, "stop", "restart", "terminate"), "VM-024", behavior=behavior)
    if configuration is not None:
        guest, host = configuration.guest_action, configuration.host_action
        call.check(guest in (None, *GUEST_ACTIONS), "VM-025", parameter=call.spell("guest_action"), value=guest)
        call.check(host in (None, *HOST_ACTIONS), "VM-025", parameter=call.spell("host_action"), value=host)
    if user_data is not None and call.check(
        len(user_data) <= MAX_USER_DATA_LENGTH, "VM-019/length", length=len(user_data)
    ):
        call.check(decode_user_data(user_data) is not None, "VM-019")


def add_section_tags(call: Call, tags: tuple[ResourceTag, ...], user_data: str) -> tuple[ResourceTag, ...]:
    """Return the tags of a VM with those of the OUTSCALE section of its user data: tags.KEY=VALUE (VM-033).

    A setting that is too long for a tag, or one tag too many (TAG-009), is ignored.
    """
    max_tags = call.switch("most_tags")
    assert isinstance(max_tags, int)
    merged = {tag.key: tag for tag in tags}
    for setting, value in parse_section(user_data).items():
        key = setting.removeprefix("tags.")
        has_room = not max_tags or len(merged) < max_tags or key in merged
        if key != setting and 0 < len(key) <= MAX_KEY_LENGTH and len(value) <= MAX_VALUE_LENGTH and has_room:
            merged[key] = ResourceTag(key=key, value=value)
    return tuple(merged.values())


def check_nested_virtualization(call: Call, tenancy: str | None, *, enabled: bool | None) -> None:
    """Check the tenancy of a VM, which must be dedicated for nested virtualization (VM-018)."""
    call.check(not enabled or tenancy not in (None, "default"), "VM-018", tenancy=tenancy or "default")


def check_keypair(call: Call, name: str | None) -> None:
    """Refuse a keypair that the caller does not have (VM-014)."""
    exists = name is None or call.state.find_by("keypair", "name", (call.account.account_id, name))
    call.check(exists, "VM-014", keypair_name=name)


def choose_boot_mode(
    call: Call, image: Image, boot_mode: str | None, actions: ActionsOnNextBoot | None, *, tpm_enabled: bool | None
) -> str:
    """Return the boot mode of a new VM (VM-020), or refuse it by its OMI, vTPM (VM-021) or Secure Boot (VM-022).

    Without a request, the mode is uefi if the OMI offers it (VM-020/default).
    """
    mode = boot_mode or ("uefi" if "uefi" in image.boot_modes else "legacy")
    call.check(mode in image.boot_modes, "VM-020", boot_mode=mode, offered=image.boot_modes)
    call.check(not (image.tpm_mandatory and tpm_enabled is False), "VM-021", image_id=image.image_id)
    needs_uefi = image.tpm_mandatory or bool(tpm_enabled)
    call.check(not (needs_uefi and mode == "legacy"), "VM-021/legacy")
    secure_boot = actions.secure_boot if actions else None
    check_secure_boot(call, secure_boot, mode)
    return mode


def show_boot_actions(mode: str, actions: ActionsOnNextBoot | None = None) -> ActionsOnNextBoot:
    """Return the boot actions of a VM in its answered form: none by default, empty without UEFI (FLD-011)."""
    return ActionsOnNextBoot() if mode == "legacy" else actions or ActionsOnNextBoot(secure_boot="none")


def check_secure_boot(call: Call, secure_boot: str | None, mode: str) -> None:
    """Check the action on a VM's Secure Boot keys (VM-022)."""
    is_valid = secure_boot in (None, *SECURE_BOOT_ACTIONS)
    if call.check(is_valid, "VM-022", secure_boot=secure_boot) and secure_boot not in (None, "none"):
        call.check(mode == "uefi", "VM-022/legacy", secure_boot=secure_boot)


def get_os_family(licensed: Image | Vm) -> str:
    """Return the operating system family of an OMI or a VM, derived from its licence codes (LIC-006)."""
    return "linux" if WINDOWS_CODES.isdisjoint(licensed.product_codes) else "windows"


def check_windows(call: Call, licensed: Image | Vm, shape: VmShape) -> None:
    """Warn about a VM that is too small for Windows, or refuse it under the switch `strict_windows` (LIC-014).

    `licensed` has its product codes.
    """
    generation, vcores, memory = WINDOWS_MINIMUM
    too_small = shape.generation < generation or shape.vcores < vcores or shape.memory < memory
    if too_small and get_os_family(licensed) == "windows":
        call.check(not call.switch("strict_windows"), "LIC-014", vm_type=shape.name)
        call.warn(f"{shape.name} is too small for Windows: v3, 2 vCores and 4 GiB are the least (LIC-014)")


def get_shutdown_actions(call: Call, behavior: str) -> tuple[str, str]:
    """Return the GuestAction and the HostAction that a value of the old single field stands for (VM-025/old)."""
    if behavior == "stop":
        return "stop", str(call.switch("host_action"))
    return ("stop" if behavior == "restart" else behavior), "restart"


def merge_shutdown_behavior(
    call: Call, current: tuple[str, str, str], behavior: str | None, configuration: ShutdownBehaviorConfiguration | None
) -> tuple[str, str, str]:
    """Return GuestAction, HostAction and the old single field after a change (VM-025).

    Absent values keep those of `current`. The new field takes precedence over the old one.
    """
    guest, host, legacy = current
    if behavior is not None:
        guest, host = get_shutdown_actions(call, behavior)
        legacy = behavior
    if configuration is not None:
        guest, host = configuration.guest_action or guest, configuration.host_action or host
        legacy = configuration.guest_action or legacy
    return guest, host, legacy


def format_vm_type(shape: VmShape, performance: str | None) -> str:
    """Return the answered form of a VM type: a TINA name gets its performance flag (VMT-003, VMT-005)."""
    if shape.flagged:
        return shape.name
    return f"{shape.name}p{PERFORMANCES.index(performance or 'high') + 1}"
