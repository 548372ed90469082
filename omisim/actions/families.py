"""Imports every family, so that `ACTIONS` is complete."""

from __future__ import annotations

from omisim.actions import (
    access_keys,
    accounts,
    api_logs,
    catalogue,
    exports,
    image_access,
    images,
    keypairs,
    price_lists,
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
    "api_logs",
    "catalogue",
    "exports",
    "image_access",
    "images",
    "keypairs",
    "price_lists",
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
