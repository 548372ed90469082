"""The service description of FCU: botocore's description of EC2, with OUTSCALE's own operations (`outscale.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.exceptions import UnknownServiceError
from botocore.loaders import Loader
from botocore.model import OperationModel, ServiceModel

from omisim.base.data_files import load_toml

__all__ = ["LOADER", "find_operation", "is_outscale_operation", "load_service"]


class _Loader(Loader):  # type: ignore[misc]  # botocore has no types
    """botocore's loader without the rules that choose an endpoint of EC2 for each call: omisim's clients have one."""

    def load_service_model(self, service_name: str, type_name: str, api_version: str | None = None) -> Any:
        """Return a part of the description of a service."""
        if (service_name, type_name) == ("ec2", "endpoint-rule-set-1"):
            raise UnknownServiceError(service_name=service_name, known_service_names="none")
        return super().load_service_model(service_name, type_name, api_version)


LOADER: Any = _Loader()  # caches the description, which clients of omisim share


@cache
def load_service() -> ServiceModel:
    """Return the description, which is parsed once per process (some 50 ms)."""
    ec2 = LOADER.load_service_model("ec2", "service-2")
    own = _load_own()
    shapes: dict[str, Any] = dict(ec2["shapes"])
    for name, members in own["shapes"].items():
        _add_structure(shapes, name, members)
    for name, members in own["members"].items():
        shape = shapes[name]
        added = {member: {"shape": target} for member, target in members.items()}
        shapes[name] = {**shape, "members": shape["members"] | added}
    operations = dict(ec2["operations"])
    for name, parts in own["operations"].items():
        operation: dict[str, Any] = {"name": name, "http": {"method": "POST", "requestUri": "/"}}
        for part, members in parts.items():
            operation[part] = {"shape": f"Outscale{name}{part.capitalize()}"}
            _add_structure(shapes, f"Outscale{name}{part.capitalize()}", members)
        operations[name] = operation
    return ServiceModel({**ec2, "operations": operations, "shapes": shapes}, "ec2")


@cache
def _load_own() -> Mapping[str, Any]:
    return load_toml("omisim.doors.fcu", "outscale.toml")


def is_outscale_operation(name: str) -> bool:
    """Whether an operation is OUTSCALE's own, which EC2 does not have in this form."""
    return name in _load_own()["operations"]


def _add_structure(shapes: dict[str, Any], name: str, members: Mapping[str, Any]) -> None:
    """Add a structure, whose members have their own names in a query and in XML, and the lists in it."""
    described: dict[str, Any] = {}
    for member, shape in members.items():
        target = shape
        if isinstance(shape, list):
            target = f"{shape[0]}OutscaleList"
            shapes[target] = {"type": "list", "member": {"shape": shape[0], "locationName": "item"}}
        described[member] = {"shape": target, "locationName": member, "queryName": member}
    shapes[name] = {"type": "structure", "members": described}


def find_operation(name: str) -> OperationModel | None:
    """Return the description of an operation, or None for an unknown name."""
    return _load_operation(name) if name in load_service().operation_names else None


@cache
def _load_operation(name: str) -> OperationModel:
    return load_service().operation_model(name)
