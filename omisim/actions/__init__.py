"""The actions of the API, one file per family. Importing this package registers all of them."""
# ruff: noqa: F401 - each import registers actions

from __future__ import annotations

from omisim.actions import (
    access_keys,
    accounts,
    api_logs,
    catalogue,
    exports,
    image_access,
    images,
    internet_services,
    keypairs,
    nets,
    nic_links,
    nics,
    price_lists,
    product_types,
    public_ips,
    quotas,
    route_tables,
    routes,
    security_group_rules,
    security_groups,
    snapshots,
    subnets,
    tags,
    vm_diagnostics,
    vm_life,
    vms,
    volumes,
)
