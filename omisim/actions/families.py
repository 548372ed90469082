"""Imports every family, so that `ACTIONS` is complete."""

from __future__ import annotations

from omisim.actions import (
    access_keys,
    accounts,
    catalogue,
    exports,
    image_access,
    images,
    keypairs,
    product_types,
    quotas,
    snapshots,
    tags,
    vm_diagnostics,
    vm_life,
    vms,
    volume_tasks,
    volumes,
)

__all__ = [
    "access_keys",
    "accounts",
    "catalogue",
    "exports",
    "image_access",
    "images",
    "keypairs",
    "product_types",
    "quotas",
    "snapshots",
    "tags",
    "vm_diagnostics",
    "vm_life",
    "vms",
    "volume_tasks",
    "volumes",
]
