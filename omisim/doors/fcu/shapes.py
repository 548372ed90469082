"""The service description of FCU: botocore's description of EC2, with OUTSCALE's own operations and shapes."""

from __future__ import annotations

from functools import cache

from botocore.loaders import Loader
from botocore.model import OperationModel, OperationNotFoundError, ServiceModel

__all__ = ["LOADER", "find_operation"]

LOADER = Loader()  # caches the description, which clients of omisim share


@cache
def load_service() -> ServiceModel:
    """Return the description, which is parsed once per process (some 50 ms)."""
    return ServiceModel(LOADER.load_service_model("ec2", "service-2"), "ec2")


@cache
def find_operation(name: str) -> OperationModel | None:
    """Return the description of an operation, or None for an unknown name."""
    try:
        return load_service().operation_model(name)
    except OperationNotFoundError:
        return None
