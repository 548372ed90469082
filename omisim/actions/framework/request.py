"""`Request`, which a door hands to the engine, and `Dialect`, the spelling of parameters at that door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, fields, replace
from math import isfinite
from types import NoneType
from typing import TYPE_CHECKING, Any

from omisim.base.foreign import MAX_DEPTH, MAX_DIGITS
from omisim.base.frozen import frozen, is_frozen
from omisim.base.subset import shorten
from omisim.model.filters import Filters

if TYPE_CHECKING:
    from omisim.actions.framework.registry import Action

__all__ = ["EVERYTHING", "NOTHING", "PYTHON", "Dialect", "Foreign", "Page", "Request", "copy_arguments"]

NOTHING: Mapping[Any, Any] = {}  # shared by all calls, which make no empty dicts of their own
_PLAIN = frozenset({str, bool, NoneType})  # most arguments
_LISTS = (list, tuple)
_TOO_LARGE = 10**MAX_DIGITS


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


@frozen()
class Page:
    """The part of its results that a read needs for a page (`framework/paging.py`).

    `first` is the creation number of the first resource, if the results are sorted by it. Of a page of ReadTags or
    ReadQuotas, `first_tag` is the place of its first kind in TAGGED, and the key of its first tag. After `limit`
    results, the page is full. A door that pages by itself counts those that `select` leaves for a caller.
    """

    first: int = 0
    first_tag: tuple[int, str] = (0, "")
    limit: int | None = None
    select: Callable[[str | None, Iterable[Any]], Iterable[Any]] | None = None


EVERYTHING = Page()


class Request:
    """A call of an action, with snake_case parameter names at any depth.

    `values` caches the parsed parameters of a request without problems. They depend on the request alone, so a door
    that receives the same bytes again may reuse the Request.
    """

    __slots__ = ("action", "decoded", "dialect", "page", "parameters", "values")

    def __init__(self, action: str, parameters: Mapping[str, Any], dialect: Dialect) -> None:
        self.action: str = action
        self.parameters: Mapping[str, Any] = parameters
        self.dialect: Dialect = dialect
        self.values: dict[str, Any] | None = None
        self.decoded: Mapping[Any, Any] = NOTHING  # the disk images of an import, decoded ahead (imports.Decoded)
        self.page = EVERYTHING  # what a door needs that pages by itself


class Foreign:
    """Stands in the arguments of a call for a value that JSON lacks. Every parameter refuses it (REQ-009).

    `kind` names its type in the refusal. The call log shows the repr, which is that of the value.
    """

    __slots__ = ("_repr", "kind")

    def __init__(self, kind: str, value: Any) -> None:
        self.kind: str = kind
        self._repr = shorten(value)

    def __repr__(self) -> str:
        """Return the shortened repr of the value."""
        return self._repr


def copy_arguments(value: Any, levels: int = MAX_DEPTH) -> Any:
    """Return a copy of the arguments of a call with new lists and mappings at any depth, which the call log keeps.

    A value that no JSON document can have, such as bytes or an integer of 5,000 digits, becomes a Foreign. Dates and
    the values of `omisim.model` remain. Raises TypeError for more than 64 levels.
    """
    cls = value.__class__
    if cls in _PLAIN or (cls is int and -_TOO_LARGE < value < _TOO_LARGE):
        return value
    if not levels:
        raise TypeError(f"the arguments of a call must not be nested more than {MAX_DEPTH} levels deep")
    if cls is list and _PLAIN.issuperset(map(type, value)):  # most lists: of ids or names
        return value.copy()
    if cls is dict or isinstance(value, Mapping):
        copy = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else shorten(key)
            copy[name] = item if item.__class__ in _PLAIN else copy_arguments(item, levels - 1)
        return copy
    if isinstance(value, _LISTS):
        items = [copy_arguments(item, levels - 1) for item in value]
        return tuple(items) if isinstance(value, tuple) else items
    if is_frozen(value) or isinstance(value, Filters):
        return replace(value, **{f.name: copy_arguments(getattr(value, f.name), levels - 1) for f in fields(value)})
    return _copy_scalar(value)


def _copy_scalar(value: Any) -> Any:
    """Return a text, a number or a date without the methods of a subclass, or a Foreign."""
    if isinstance(value, int):
        is_short = -_TOO_LARGE < value < _TOO_LARGE
        return int.__int__(value) if is_short else Foreign(f"an integer of more than {MAX_DIGITS} digits", value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float) and isfinite(value):
        return float.__float__(value)
    return value if isinstance(value, dt.datetime) else Foreign(type(value).__name__, value)
