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
    "CreateNic": ((), ("private_ips",), ("security_group_ids",), ("private_ips", "security_group_ids")),
    "CreateRoute": (("gateway_id",), ("nic_id",), ("vm_id",)),
    "CreateSecurityGroup": ((), ("net_id",)),
    "CreateSecurityGroupRule": (
        ("ip_protocol", "from_port_range", "to_port_range", "ip_range"),
        ("ip_range",),
        ("security_group_name_to_link",),
        ("rules",),
    ),
    "CreateSnapshot": (
        ("volume_id",),
        ("source_snapshot_id", "source_region_name"),
        ("file_location", "snapshot_size"),
    ),
    "CreateVolume": (("size",), ("snapshot_id",), ("snapshot_id", "size"), ("size", "volume_type", "iops")),
    "CreateVms": (
        *[()] * 3,
        *[("block_device_mappings",)] * 3,
        ("security_group_ids",),
        ("subnet_id",),
        ("subnet_id", "private_ips"),
        ("subnet_id", "security_group_ids"),
        *[("nics",)] * 3,
    ),
    "DeleteKeypair": (("keypair_name",), ("keypair_id",)),
    "DeletePublicIp": (("public_ip_id",), ("public_ip",)),
    "DeleteSecurityGroup": (("security_group_id",), ("security_group_id",), ("security_group_name",)),
    "DeleteSecurityGroupRule": (("ip_range",), ("security_group_name_to_unlink",)),
    "LinkPrivateIps": (("private_ips",), ("private_ips", "allow_relink"), ("secondary_private_ip_count",), ()),
    "LinkPublicIp": (
        ("public_ip_id", "vm_id"),
        ("public_ip", "vm_id"),
        ("public_ip_id", "nic_id"),
        ("public_ip_id", "nic_id", "private_ip"),
    ),
    "UnlinkPublicIp": (("link_public_ip_id",), ("public_ip",)),
    "UpdateImage": (*[("permissions_to_launch",)] * 4, ("description",), ("product_codes",)),
    "UpdateNic": (("description",), ("security_group_ids",), ("link_nic",)),
    "UpdateRoute": (("gateway_id",), ("nic_id",), ("vm_id",)),
    "UpdateVm": (
        ("vm_type",),
        ("deletion_protection",),
        ("user_data",),
        ("block_device_mappings",),
        ("security_group_ids",),
        ("is_source_dest_checked",),
    ),
    "UpdateVolume": (("size",), ("volume_type", "iops"), ("iops",)),
    "PermissionsOnResourceCreation": (("additions",), ("removals",)),
    "PermissionsToChange": (("account_ids",), ("account_ids",), ("global_permission",)),
    "BlockDeviceMappingVmCreation": (("device_name", "bsu"), ("device_name", "no_device")),
    "BlockDeviceMappingImage": (("device_name", "bsu"),),
    "BlockDeviceMappingVmUpdate": (("device_name", "bsu"),),
    "LinkNicToUpdate": (("link_nic_id", "delete_on_vm_deletion"),),
    "NicForVmCreation": (
        ("device_number", "subnet_id"),
        ("device_number", "subnet_id", "private_ips"),
        ("device_number", "subnet_id", "security_group_ids"),
        ("device_number", "subnet_id", "secondary_private_ip_count", "delete_on_vm_deletion"),
        *[("device_number", "nic_id")] * 2,
    ),
    "PrivateIpLight": (("private_ip",), ("private_ip", "is_primary")),
    "SecurityGroupRule": (
        ("ip_protocol", "from_port_range", "to_port_range", "ip_ranges"),
        ("ip_protocol", "security_groups_members"),
    ),
    "SecurityGroupsMember": (("security_group_id",), ("security_group_name",)),
    "BsuToUpdateVm": (("delete_on_vm_deletion",),),
    "BsuToCreate": (("volume_size",), ("snapshot_id",), ("snapshot_id", "volume_size")),
}
# parameters that, outside the ways above, only a careless request gives: mostly there is nothing to go with them
RARE = frozenset({"nics", "subnet_id", "private_ips", "security_group_ids", "is_source_dest_checked", "bsu_optimized"})
RARE |= {"osu_api_key", "keypair_name", "security_groups"}
RARE |= {"service_ids", "security_group_rule_id", "nat_service_id", "net_peering_id"}
RARE |= {"security_group_account_id_to_link", "security_group_account_id_to_unlink"}
# parameters that a request gives seldom, and one that is as right as can be never: much must fit for them
TRICKY = frozenset({"nested_virtualization", "tpm_enabled", "tpm_mandatory", "boot_modes", "boot_mode", "architecture"})
TRICKY |= {"actions_on_next_boot", "tenancy", "virtual_device_name"}

# parameter → values that are allowed
SENSIBLE: Mapping[str, tuple[Any, ...]] = {
    "architecture": ("x86_64", "i386"),
    "boot_mode": ("legacy", "uefi"),
    "boot_modes": ("legacy", "uefi"),
    "client_token": ("first", "second"),
    "destination_ip_range": ("0.0.0.0/0", "192.168.0.0/16", "172.16.0.0/24"),
    "device_name": ("/dev/sdb", "/dev/sdc", "/dev/sda1", "/dev/xvdb"),
    "dhcp_options_set_id": ("default",),
    "disk_image_format": ("qcow2", "raw"),
    "from_port_range": (22, 80, 443),
    "guest_action": ("stop", "terminate"),
    "host_action": ("restart", "stop"),
    "image_name": ("golden", "silver", "bronze", "iron", "tin", "lead"),
    "iops": (100, 300, 1000, 5000),
    "ip_protocol": ("tcp", "udp", "icmp", "-1"),
    "key": ("team", "env", "osc.fcu.repulse_server"),
    "keypair_name": ("key",),
    "max_vms_count": (1, 2),
    "min_vms_count": (1,),
    "no_device": ("",),
    "performance": ("medium", "high", "highest"),
    "product_codes": ("0001", "0002", "0006"),
    "root_device_name": ("/dev/sda1",),
    "secondary_private_ip_count": (1, 2),
    "secure_boot": ("none", "enable"),
    "size": (1, 4, 10, 20, 60),
    "snapshot_size": (300 * 2**30, 2**30),
    "tenancy": ("default", "dedicated"),
    "to_port_range": (80, 90),
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
    "description": ("no\ttabs",),
    "destination_ip_range": ("anywhere",),
    "device_name": ("C:", "/dev/sda2"),
    "device_number": (0, 9),
    "dhcp_options_set_id": ("dopt-00000000",),
    "disk_image_format": ("zip",),
    "file_location": ("no URL", "https://example.com/manifest.json"),
    "flow": ("Sideways",),
    "from_port_range": (70_000,),
    "guest_action": ("sleep",),
    "host_action": ("sleep",),
    "image_name": ("x", "n" * 129, "golden é"),
    "iops": (0, 99_999),
    "ip_protocol": ("gre",),
    "ip_range": ("10.0.0.0/33", "8.8.8.0/24", "10.0.0.0/8", "10.0.0.0/30"),
    "ip_ranges": ("nowhere",),
    "key": ("",),
    "max_vms_count": (0,),
    "osu_bucket": ("A", "10.0.0.1"),
    "performance": ("lowest",),
    "private_ip": ("10.0.1.255", "nowhere"),
    "private_ips": ("10.0.1.255", "nowhere"),
    "product_codes": ("9999",),
    "public_ip": ("192.0.2.1",),
    "resource_ids": ("nothing", "x-12345678"),
    "root_device_name": ("/dev/sdb",),
    "secondary_private_ip_count": (0, 300),
    "security_group_name": ("sg-x", "default", "nobody"),
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
