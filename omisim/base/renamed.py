"""Deprecated names of attributes that were renamed."""

from __future__ import annotations

import warnings
from typing import Any

__all__ = ["Renamed"]


class Renamed:
    """A descriptor that reads an attribute by its old name, with a DeprecationWarning: `near = Renamed("closest")`."""

    def __init__(self, new_name: str) -> None:
        self._new_name = new_name

    def __set_name__(self, owner: type, name: str) -> None:
        """Remember the old name."""
        self._old_name = f"{owner.__name__}.{name}"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Return the attribute under its new name; on the class, the descriptor."""
        if instance is None:
            return self
        warnings.warn(f"{self._old_name} is now {self._new_name}", DeprecationWarning, stacklevel=2)
        return getattr(instance, self._new_name)
