"""`Request`: what a door hands to the engine, and `Dialect`: how the callers of that door write parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PYTHON", "Dialect", "Request", "copy_containers"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How the callers of one door write a request.

    `spell` turns our name of a parameter into theirs, for the text of an error. `controls`: whether DryRun and the
    pages of a read are parameters.
    """

    spell: Callable[[str], str]
    controls: bool = True


PYTHON = Dialect(spell=str, controls=False)  # typed methods


class Request:
    """A call of an action with parameters by our names, at any depth.

    `values` are the parameters once the action's schema has read them without a problem. They depend on nothing else,
    so a door that gets the same bytes again may hand over the same Request.
    """

    __slots__ = ("action", "dialect", "parameters", "values")

    def __init__(self, action: str, parameters: Mapping[str, Any], dialect: Dialect) -> None:
        self.action: str = action
        self.parameters: Mapping[str, Any] = parameters
        self.dialect: Dialect = dialect
        self.values: dict[str, Any] | None = None


def copy_containers(value: Any) -> Any:
    """Return a value whose lists and mappings, at any depth, are nobody else's: the call log keeps them."""
    if isinstance(value, Mapping):
        return {key: copy_containers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(copy_containers(item) for item in value) if type(value) in (list, tuple) else value
    return value
