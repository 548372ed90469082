"""The references between rows that must exist."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from omisim.model.filters.fields import make_getter
from omisim.state.state import ROWS

__all__ = ["REFERENCES", "list_references"]

# kind → the paths of its fields that must name an existing row, and the kind of that row
REFERENCES: Mapping[str, Mapping[str, str]] = {
    "access_key": {"account_id": "account"},
    "bucket": {"account_id": "account"},
    "image": {"account_id": "account"},
    "image_export": {"account_id": "account"},
    "internet_service": {"account_id": "account", "net_id": "net"},
    "keypair": {"account_id": "account"},
    "net": {"account_id": "account"},
    "nic": {"account_id": "account", "link_nic.vm_id": "vm", "net_id": "net", "subnet_id": "subnet"},
    "object": {"account_id": "account", "bucket_id": "bucket"},
    "origin": {"account_id": "account"},
    "product": {"account_id": "account"},
    "product_type": {"account_id": "account"},
    "public_ip": {"account_id": "account", "nic_account_id": "account", "nic_id": "nic", "vm_id": "vm"},
    "route_table": {"account_id": "account", "net_id": "net"},
    "security_group": {"account_id": "account", "net_id": "net"},
    "snapshot": {"account_id": "account"},
    "snapshot_export": {"account_id": "account"},
    "subnet": {"account_id": "account", "net_id": "net"},
    "upload": {"account_id": "account", "bucket_id": "bucket"},
    "vm": {"account_id": "account", "net_id": "net", "subnet_id": "subnet"},
    "volume": {"account_id": "account", "task_id": "volume_update"},
    "volume_link": {"vm_id": "vm", "volume_id": "volume"},
    "volume_update": {"account_id": "account"},
}


@cache
def list_references(kind: str) -> tuple[tuple[str, Callable[[Any], Any], str], ...]:
    """Return the references of a kind of rows: the path, a function that gets its value, and the kind it names."""
    return tuple((path, make_getter(ROWS[kind], path), target) for path, target in REFERENCES.get(kind, {}).items())
