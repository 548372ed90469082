"""What requests are made of: the ways that actions have, values that are allowed, and values that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["DATES", "RARE", "SENSELESS", "SENSIBLE", "TRICKY", "WAYS", "WRONG"]

# action → the ways that it has: the parameters that belong together
WAYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "CreateImage": (
        ("vm_id", "image_name"),
        ("source_image_id", "source_region_name", "image_name"),
        ("root_device_name", "block_device_mappings", "image_name"),
        ("file_location", "image_name"),
    ),
    "CreateSnapshot": (
        ("volume_id",),
        ("source_snapshot_id", "source_region_name"),
        ("file_location", "snapshot_size"),
    ),
    "CreateVolume": (("size",), ("snapshot_id",), ("snapshot_id", "size"), ("size", "volume_type", "iops")),
    "DeleteKeypair": (("keypair_name",), ("keypair_id",)),
    "UpdateImage": (*[("permissions_to_launch",)] * 4, ("description",), ("product_codes",)),
    "UpdateVm": (("vm_type",), ("deletion_protection",), ("user_data",), ("block_device_mappings",)),
    "UpdateVolume": (("size",), ("volume_type", "iops"), ("iops",)),
    "PermissionsOnResourceCreation": (("additions",), ("removals",)),
    "PermissionsToChange": (("account_ids",), ("account_ids",), ("global_permission",)),
    "BlockDeviceMappingVmCreation": (("device_name", "bsu"), ("device_name", "no_device")),
    "BlockDeviceMappingImage": (("device_name", "bsu"),),
    "BlockDeviceMappingVmUpdate": (("device_name", "bsu"),),
    "BsuToUpdateVm": (("delete_on_vm_deletion",),),
    "BsuToCreate": (("volume_size",), ("snapshot_id",), ("snapshot_id", "volume_size")),
}
# parameters that only a careless request gives: nothing that a cloud here has goes with them
RARE = frozenset({"nics", "subnet_id", "private_ips", "security_group_ids", "is_source_dest_checked", "bsu_optimized"})
RARE |= {"osu_api_key", "virtual_device_name", "dry_run", "keypair_name"}
# parameters that a request which is to be right does not give: much must fit for them
TRICKY = frozenset({"nested_virtualization", "tpm_enabled", "tpm_mandatory", "boot_modes", "boot_mode", "architecture"})
TRICKY |= {"actions_on_next_boot", "tenancy"}

# parameter → values that are allowed
SENSIBLE: Mapping[str, tuple[Any, ...]] = {
    "architecture": ("x86_64", "i386"),
    "boot_mode": ("legacy", "uefi"),
    "boot_modes": ("legacy", "uefi"),
    "client_token": ("first", "second"),
    "device_name": ("/dev/sdb", "/dev/sdc", "/dev/sda1", "/dev/xvdb"),
    "disk_image_format": ("qcow2", "raw"),
    "guest_action": ("stop", "terminate"),
    "host_action": ("restart", "stop"),
    "image_name": ("golden", "silver", "bronze", "iron", "tin", "lead"),
    "iops": (100, 300, 1000, 5000),
    "key": ("team", "env", "osc.fcu.repulse_server"),
    "keypair_name": ("key",),
    "max_vms_count": (1, 2),
    "min_vms_count": (1,),
    "no_device": ("",),
    "performance": ("medium", "high", "highest"),
    "product_codes": ("0001", "0002", "0006"),
    "root_device_name": ("/dev/sda1",),
    "secure_boot": ("none", "enable"),
    "size": (1, 4, 10, 20, 60),
    "snapshot_size": (300 * 2**30, 2**30),
    "tenancy": ("default", "dedicated"),
    "user_data": ("ZWNobw==",),
    "vm_initiated_shutdown_behavior": ("stop", "restart", "terminate"),
    "vm_type": ("tinav5.c2r4p2", "t2.small", "tinav4.c8r33p2"),
    "volume_size": (60, 12, 40, 4),
    "volume_type": ("standard", "gp2", "io1"),
}
# parameter → values that are refused
SENSELESS: Mapping[str, tuple[Any, ...]] = {
    "account_ids": ("12", "alice"),
    "architecture": ("arm64",),
    "boot_mode": ("bios",),
    "boot_modes": ("bios",),
    "device_name": ("C:", "/dev/sda2"),
    "disk_image_format": ("zip",),
    "file_location": ("no URL", "https://example.com/manifest.json"),
    "guest_action": ("sleep",),
    "host_action": ("sleep",),
    "image_name": ("x", "n" * 129, "golden é"),
    "iops": (0, 99_999),
    "key": ("",),
    "max_vms_count": (0,),
    "osu_bucket": ("A", "10.0.0.1"),
    "performance": ("lowest",),
    "product_codes": ("9999",),
    "root_device_name": ("/dev/sdb",),
    "size": (0, -5, 99_999_999),
    "snapshot_size": (0, -1),
    "source_region_name": ("mars-1",),
    "subregion_name": ("mars-1a", "nowhere"),
    "tenancy": ("crowded",),
    "user_data": ("no base64",),
    "value": ("v" * 256,),
    "vm_initiated_shutdown_behavior": ("sleep",),
    "vm_type": ("huge", "tinav4.c8r33p4"),
    "volume_size": (0, 1, 99_999),
    "volume_type": ("floppy",),
}
DATES = ("2026-01-01T00:00:00.000Z", "2026-01-01T00:05:00.000Z")
WRONG: tuple[Any, ...] = (5, "text", "", True, [], {}, [5], {"Name": "x"}, -1, 1.5)
