"""`Request`, which a door hands to the engine, and `Dialect`, the spelling of parameters at that door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any

from omisim.base.frozen import frozen
from omisim.model.serialize import JSON_CLASSES

if TYPE_CHECKING:
    from omisim.actions.framework.registry import Action

__all__ = ["PYTHON", "Dialect", "Request", "copy_containers"]


@frozen()
class Dialect:
    """The parameter syntax of one door.

    `spell` converts the snake_case name of a parameter or an action, or an index such as `[0]`, to the caller's
    spelling, for error texts. `controls` is whether DryRun, ResultsPerPage and NextPageToken are parameters. `pages` is
    whether the engine pages reads; a door that selects among their results pages them itself. `api` is the name of the
    API, and `own` has the actions that this API has and OAPI lacks, by name.
    """

    spell: Callable[[str], str]
    controls: bool = True
    pages: bool = True
    api: str = "oapi"
    own: Mapping[str, Action] = field(default_factory=dict)


PYTHON = Dialect(spell=str, controls=False)  # typed methods


class Request:
    """A call of an action, with snake_case parameter names at any depth.

    `values` caches the parsed parameters of a request without problems. They depend on the request alone, so a door
    that receives the same bytes again may reuse the Request.
    """

    __slots__ = ("action", "decoded", "dialect", "parameters", "values")

    def __init__(self, action: str, parameters: Mapping[str, Any], dialect: Dialect) -> None:
        self.action: str = action
        self.parameters: Mapping[str, Any] = parameters
        self.dialect: Dialect = dialect
        self.values: dict[str, Any] | None = None
        self.decoded: Mapping[Any, Any] = {}  # the disk images that this call imports, decoded ahead (imports.Decoded)


def copy_containers(value: Any) -> Any:
    """Return a copy of a value with new lists and mappings at any depth. The call log keeps such copies."""
    cls = value.__class__
    if cls is list or cls is tuple:
        return cls([v if v.__class__ in JSON_CLASSES else copy_containers(v) for v in value])
    if cls is dict or (cls not in JSON_CLASSES and isinstance(value, Mapping)):
        copy = dict(value)
        for name, v in value.items():
            if v.__class__ not in JSON_CLASSES:
                copy[name] = copy_containers(v)
        return copy
    return value
